/* See client.h. */
#include "tests/web/client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/places.h"
#include "tests/harness/base.h"
#include "tests/harness/ring.h"
#include "tests/harness/talk.h"

#define ANSWER_MS 20000

static int port_there(void) {
  char *text = t_read_file(CK_PLACE_WEB_ADDRESS, NULL);
  const char *colon = text ? strrchr(text, ':') : NULL;
  int port = colon ? atoi(colon + 1) : 0;
  free(text);
  return t_pid("webd") ? port : 0;
}

int t_web_port(void) {
  int port = 0;
  T_UNTIL(10000, (port = port_there()) != 0, "webd does not say where it listens");
  return port;
}

const char *t_web_host(void) {
  static char host[32];
  snprintf(host, sizeof host, "127.0.0.1:%d", t_web_port());
  return host;
}

const char *t_token(const char *name, const char *scopes) {
  json_t *said = t_lines(0, "web", "token", "add", name, "--scope", scopes);
  const char *token = t_text_at(said, "0.token");
  T_CHECK(token && strlen(token) > 40, "no token was made");
  static struct ck_arena kept;
  token = ck_arena_copy(&kept, ck_str_of(token)).s;
  json_decref(said);
  return token;
}

/* ---- connections ---- */

int t_web_try(void) {
  struct sockaddr_in at = {.sin_family = AF_INET,
                           .sin_port = htons((uint16_t)port_there()),
                           .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd >= 0 && at.sin_port && connect(fd, (struct sockaddr *)&at, sizeof at) == 0) return fd;
  if (fd >= 0) close(fd);
  return -1;
}

int t_web_connect(void) {
  t_web_port();
  int fd = t_web_try();
  T_CHECK(fd >= 0, "webd does not listen: %s", strerror(errno));
  return fd;
}

bool t_web_send(int fd, const void *bytes, size_t n) {
  const char *at = bytes;
  while (n) {
    ssize_t sent = send(fd, at, n, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    at += sent;
    n -= (size_t)sent;
  }
  return true;
}

static bool readable(int fd, int64_t until) {
  struct pollfd p = {fd, POLLIN, 0};
  int64_t left = until - ck_boot_ms();
  return left > 0 && poll(&p, 1, (int)left) > 0;
}

static const char *head_end(const struct ck_buf *b) {
  return b->len ? memmem(b->data, b->len, "\r\n\r\n", 4) : NULL;
}

static const char *value_of(const char *head, const char *name, char out[300]) {
  size_t n = strlen(name);
  for (const char *line = head; line; line = strstr(line, "\r\n")) {
    line += strncmp(line, "\r\n", 2) == 0 ? 2 : 0;
    if (strncasecmp(line, name, n) != 0 || line[n] != ':') continue;
    const char *value = line + n + 1 + strspn(line + n + 1, " ");
    snprintf(out, 300, "%.*s", (int)strcspn(value, "\r"), value);
    return out;
  }
  return NULL;
}

/* The reply in b is whole, by its Content-Length. */
static bool is_whole(struct ck_buf *b) {
  char value[300];
  const char *end = head_end(b);
  if (!end) return false;
  ck_buf_cstr(b);
  end = head_end(b);
  char *head = ck_str_dup((struct ck_str){b->data, (size_t)(end - b->data) + 2});
  const char *length = value_of(head, "Content-Length", value);
  bool none = strncmp(head, "HTTP/1.1 204", 12) == 0;
  bool whole =
      none || (length && b->len - (size_t)(end + 4 - b->data) >= strtoull(length, NULL, 10));
  free(head);
  return whole;
}

/* A body without a Content-Length comes in pieces, each after its length. */
static void join_pieces(struct t_reply *r) {
  char value[300];
  struct ck_buf b = {0};
  const char *at = r->body, *end = r->body + r->n;
  if (!value_of(r->head, "Transfer-Encoding", value)) return;
  for (size_t n; at < end && (n = strtoul(at, NULL, 16)) > 0;) {
    const char *piece = strstr(at, "\r\n");
    if (!piece) break;
    piece += 2;
    if (n > (size_t)(end - piece)) n = (size_t)(end - piece);
    ck_buf_add(&b, piece, n);
    at = piece + n + 2;
  }
  free(r->body);
  r->body = ck_str_dup(ck_buf_view(&b));
  r->n = b.len;
  ck_buf_free(&b);
}

struct t_reply t_web_read(int fd, int ms) {
  struct ck_buf b = {0};
  int64_t until = ck_boot_ms() + (int64_t)ms * T_SLOWER;
  while (!is_whole(&b) && readable(fd, until)) {
    ssize_t n = recv(fd, ck_buf_room(&b, 65536), 65536, 0);
    if (n <= 0) break;
    b.len += (size_t)n;
  }
  struct t_reply r = {0};
  const char *end = head_end(&b);
  if (end) {
    const char *rest = end + 4;
    r.head = ck_str_dup((struct ck_str){b.data, (size_t)(end - b.data) + 2});
    r.n = b.len - (size_t)(rest - b.data);
    r.body = ck_str_dup((struct ck_str){rest, r.n});
    r.status = strncmp(b.data, "HTTP/1.1 ", 9) == 0 ? atoi(b.data + 9) : 0;
    join_pieces(&r);
  }
  ck_buf_free(&b);
  return r;
}

bool t_web_closes(int fd, int ms) {
  char bytes[4096];
  int64_t until = ck_boot_ms() + (int64_t)ms * T_SLOWER;
  while (readable(fd, until))
    if (recv(fd, bytes, sizeof bytes, 0) <= 0) return true;
  return false;
}

/* ---- requests ---- */

void t_reply_free(struct t_reply *r) {
  free(r->head);
  free(r->body);
  *r = (struct t_reply){0};
}

const char *t_reply_header(const struct t_reply *r, const char *name) {
  static char values[8][300];
  static unsigned turn;
  return r->head ? value_of(r->head, name, values[turn++ % 8]) : NULL;
}

json_t *t_reply_json(const struct t_reply *r) {
  static json_t *kept;
  json_error_t error;
  json_t *value = json_loads(r->body ? r->body : "", 0, &error);
  T_CHECK(value, "the answer (%d) is no JSON: %.300s", r->status, r->body ? r->body : "");
  if (!kept) kept = json_array();
  json_array_append_new(kept, value);
  return value;
}

static bool has(const char *headers, const char *name) {
  char value[300];
  return value_of(headers, name, value) != NULL;
}

struct t_reply t_ask_web_on(int fd, const char *method, const char *path, const char *token,
                            const char *headers, const char *body) {
  struct ck_buf b = {0};
  struct sockaddr_in at;
  socklen_t n = sizeof at;
  getpeername(fd, (struct sockaddr *)&at, &n);
  ck_buf_printf(&b, "%s %s HTTP/1.1\r\n%s", method, path, headers);
  if (!has(headers, "Host")) ck_buf_printf(&b, "Host: 127.0.0.1:%d\r\n", ntohs(at.sin_port));
  if (token) ck_buf_printf(&b, "Authorization: Bearer %s\r\n", token);
  if (body && !has(headers, "Content-Length"))
    ck_buf_printf(&b, "Content-Length: %zu\r\n", strlen(body));
  ck_buf_text(&b, "Connection: close\r\n\r\n");
  if (body) ck_buf_text(&b, body);
  t_web_send(fd, b.data, b.len);
  ck_buf_free(&b);
  struct t_reply r = t_web_read(fd, ANSWER_MS);
  close(fd);
  return r;
}

struct t_reply t_ask_web(const char *method, const char *path, const char *token,
                         const char *headers, const char *body) {
  return t_ask_web_on(t_web_connect(), method, path, token, headers, body);
}

char *t_in_query(const char *text) {
  struct ck_buf b = {0};
  for (; *text; ++text) ck_buf_printf(&b, "%%%02X", (unsigned char)*text);
  ck_buf_cstr(&b);
  return b.data;
}

void t_web_says(int status, const char *word, const char *method, const char *path,
                const char *token, const char *headers, const char *body) {
  struct t_reply r = t_ask_web(method, path, token, headers, body);
  T_CHECK(r.status == status, "%s %s: %d, not %d: %.300s", method, path, r.status, status,
          r.body ? r.body : "(no answer)");
  if (word) {
    const char *said = t_text_at(t_reply_json(&r), "error");
    T_CHECK(said && strcmp(said, word) == 0, "%s %s: %s, not %s", method, path, said, word);
  }
  t_reply_free(&r);
}

/* ---- pages ---- */

char *t_page(int status, const char *path, const char *token, const char *headers) {
  struct t_reply r = t_ask_web("GET", path, token, headers, NULL);
  T_CHECK(r.status == status, "%s: %d %s", path, r.status, r.body);
  char *body = ck_strdup(r.body);
  t_reply_free(&r);
  return body;
}

void t_page_has(const char *body, const char *part) {
  T_CHECK(strstr(body, part), "the page has no %s:\n%s", part, body);
}

void t_page_has_not(const char *body, const char *part) {
  T_CHECK(!strstr(body, part), "the page has %s:\n%s", part, body);
}

size_t t_page_times(const char *body, const char *part) {
  size_t n = 0;
  for (const char *at = body; (at = strstr(at, part)); at += strlen(part)) ++n;
  return n;
}

/* ---- counts ---- */

/* webd tells it once a second, with how many connections were open then. */
static bool refused_are(json_t *wanted, char **said) {
  json_t *status = t_status(1000);
  json_t *webd = status ? t_daemon_entry(status, "webd", 0) : NULL;
  json_t *refused = webd ? t_at(webd, "info.refused") : NULL;
  bool ended = webd && t_int_at(webd, "info.connections", -1) == 0;
  bool are = ended && json_equal(refused, wanted);
  free(*said);
  *said = refused ? json_dumps(refused, JSON_COMPACT) : NULL;
  json_decref(status);
  return are;
}

void t_web_refused(const char *fmt, ...) {
  char text[500], *said = NULL;
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(text, sizeof text, fmt, ap);
  va_end(ap);
  json_t *wanted = t_json("%s", text);
  T_UNTIL(20000, refused_are(wanted, &said), "it has refused %s, not %s",
          said ? said : "nothing that is told", text);
  free(said);
  json_decref(wanted);
}

void t_web_unknown(const char *id) {
  const char *token = t_token("client", "deliver");
  char filter[100];
  struct t_reply r;
  json_t *offer = NULL;
  T_UNTIL(20000, ({
            r = t_ask_web("GET", "/v1/deliveries?client=ff1&wait=5", token, "", NULL);
            offer = t_at(t_reply_json(&r), "deliveries.0");
            t_reply_free(&r);
            offer;
          }),
          "it is not offered");
  char *path = ck_sprintf("/v1/deliveries/%s/claim", id),
       *body = ck_sprintf("{\"client\": \"ff1\", \"offer\": \"%s\", \"lease_ms\": 100}",
                          t_text_at(offer, "offer"));
  t_web_says(200, NULL, "POST", path, token, "", body);
  snprintf(filter, sizeof filter, "{'job_id': '%s'}", id);
  T_UNTIL(20000, ({
            json_t *leases = t_query("leases", filter, 1, 0);
            const char *state = t_text_at(leases, "0.state");
            bool unknown = state && strcmp(state, "unknown") == 0;
            json_decref(leases);
            unknown;
          }),
          "it does not become unknown");
  free(path), free(body);
}

/* ---- a browser ---- */

const char *t_browser(const char **form) {
  static char headers[400], secret[65];
  json_t *said = t_lines(0, "open");
  struct t_reply r = t_ask_web("GET", strstr(t_text_at(said, "0.link"), "/open/"), NULL,
                               "Accept: text/html\r\n", NULL);
  const char *cookie = t_reply_header(&r, "Set-Cookie");
  T_CHECK(r.status == 303 && cookie, "signing in: %d", r.status);
  snprintf(headers, sizeof headers, "Cookie: %.*s\r\nAccept: text/html\r\n",
           (int)strcspn(cookie, ";"), cookie);
  t_reply_free(&r);
  json_decref(said);
  r = t_ask_web("GET", "/", NULL, headers, NULL);
  const char *field = r.body ? strstr(r.body, "name=\"form\" value=\"") : NULL;
  T_CHECK(field, "the page has no form: %d", r.status);
  snprintf(secret, sizeof secret, "%s", field + strlen("name=\"form\" value=\""));
  t_reply_free(&r);
  *form = secret;
  return headers;
}

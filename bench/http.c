/* See http.h. */
#include "bench/http.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/places.h"

#define CONNECTIONS_MAX 64
#define STALL_MS 20000

/* ---- webd ---- */

pid_t bench_http_webd(void) {
  FILE *f = fopen("convkeep.conf", "we");
  if (!f || fputs("web.listen = 127.0.0.1:0\nweb.rate = 0\n", f) < 0 || fclose(f))
    bench_fail("convkeep.conf: cannot be written");
  return bench_daemon("webd");
}

static char *first_line(const char *path) {
  char line[512] = "";
  FILE *f = fopen(path, "re");
  if (!f || !fgets(line, sizeof line, f)) bench_fail("%s: nothing in it", path);
  fclose(f);
  line[strcspn(line, "\r\n")] = '\0';
  return ck_strdup(line);
}

int bench_http_port(void) {
  char *at = first_line(CK_PLACE_WEB_ADDRESS);
  int port = atoi(strrchr(at, ':') + 1);
  free(at);
  return port;
}

char *bench_http_token(const char *scopes) {
  char *program = bench_program("../bin/convkeep");
  bench_run("token.json", (const char *const[]){program, "--data", ".", "--json", "web", "token",
                                                "add", "bench", "--scope", scopes, NULL});
  json_t *said = json_load_file("token.json", JSON_DISABLE_EOF_CHECK, NULL);
  const char *token = json_string_value(json_object_get(said, "token"));
  if (!token) bench_fail("no token was made");
  char *line = ck_sprintf("Authorization: Bearer %s\r\n", token);
  json_decref(said);
  free(program);
  return line;
}

static char *cookie_in(const char *head) {
  const char *at = strstr(head, "Set-Cookie: ");
  if (!at) bench_fail("a link does not sign in: %.200s", head);
  at += strlen("Set-Cookie: ");
  return ck_sprintf("Cookie: %.*s\r\n", (int)strcspn(at, ";\r"), at);
}

char *bench_http_session(void) {
  char *program = bench_program("../bin/convkeep"), answer[4096];
  bench_run("link.txt", (const char *const[]){program, "--data", ".", "open", "--print", NULL});
  char *link = first_line("link.txt"), *path = strstr(link, "/open/");
  if (!path) bench_fail("convkeep open prints no link");
  char *request = bench_http_request("GET", path, "", NULL);
  int fd = bench_http_connect();
  size_t n = 0;
  answer[0] = '\0';
  if (send(fd, request, strlen(request), MSG_NOSIGNAL) < 0) bench_fail("webd does not listen");
  while (!strstr(answer, "\r\n\r\n") && n < sizeof answer - 1) {
    ssize_t got = recv(fd, answer + n, sizeof answer - 1 - n, 0);
    if (got <= 0) bench_fail("webd does not answer");
    answer[n += (size_t)got] = '\0';
  }
  close(fd);
  free(request);
  free(link);
  free(program);
  return cookie_in(answer);
}

char *bench_http_request(const char *method, const char *path, const char *who, const char *body) {
  struct ck_buf b = {0};
  ck_buf_printf(&b, "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%s", method, path, bench_http_port(),
                who);
  if (body)
    ck_buf_printf(&b, "Content-Type: application/json\r\nContent-Length: %zu\r\n", strlen(body));
  ck_buf_printf(&b, "\r\n%s", body ? body : "");
  ck_buf_cstr(&b);
  return b.data;
}

int bench_http_connect(void) {
  struct sockaddr_in at = {.sin_family = AF_INET,
                           .sin_port = htons((uint16_t)bench_http_port()),
                           .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof at)) bench_fail("webd does not listen");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
  return fd;
}

/* ---- many requests ---- */

struct client {
  int64_t sent_at; /* 0: it has nothing to do any more */
  struct ck_buf answer;
};

struct clients {
  char *const *requests;
  size_t n, sent, done;
  unsigned connections;
  struct bench_series *ms;
  struct pollfd fds[CONNECTIONS_MAX];
  struct client at[CONNECTIONS_MAX];
};

static void send_next(struct clients *c, unsigned k) {
  ck_buf_clear(&c->at[k].answer);
  c->at[k].sent_at = 0;
  if (c->sent == c->n) {
    c->fds[k].events = 0;
    return;
  }
  const char *request = c->requests[c->sent++];
  size_t n = strlen(request);
  c->at[k].sent_at = ck_mono_us();
  if (send(c->fds[k].fd, request, n, MSG_NOSIGNAL) != (ssize_t)n)
    bench_fail("a request could not be sent");
}

static bool ends_with(const struct ck_buf *b, const char *end) {
  size_t n = strlen(end);
  return b->len >= n && memcmp(b->data + b->len - n, end, n) == 0;
}

static bool is_whole(struct ck_buf *b) {
  ck_buf_cstr(b);
  const char *body = strstr(b->data, "\r\n\r\n");
  if (!body) return false;
  const char *length = strcasestr(b->data, "\r\nContent-Length:");
  if (!length || length > body) return ends_with(b, "\r\n0\r\n\r\n");
  return b->len >= (size_t)(body + 4 - b->data) + strtoul(length + 17, NULL, 10);
}

static void hear(struct clients *c, unsigned k) {
  struct client *one = &c->at[k];
  ssize_t got = recv(c->fds[k].fd, ck_buf_room(&one->answer, 65536), 65536, 0);
  if (got <= 0) bench_fail("webd has closed a connection");
  one->answer.len += (size_t)got;
  if (!is_whole(&one->answer)) return;
  if (strncmp(one->answer.data, "HTTP/1.1 200 ", 13) != 0)
    bench_fail("webd answers %.600s", one->answer.data);
  if (c->ms) bench_add(c->ms, (double)(ck_mono_us() - one->sent_at) / 1000);
  ++c->done;
  send_next(c, k);
}

double bench_http_each(char *const *requests, size_t n, unsigned connections,
                       struct bench_series *ms) {
  struct clients c = {.requests = requests, .n = n, .connections = connections, .ms = ms};
  if (connections > CONNECTIONS_MAX) bench_fail("%d connections at most", CONNECTIONS_MAX);
  for (unsigned k = 0; k < connections; ++k)
    c.fds[k] = (struct pollfd){bench_http_connect(), POLLIN, 0};
  int64_t began = ck_mono_us();
  for (unsigned k = 0; k < connections; ++k) send_next(&c, k);
  while (c.done < n) {
    if (poll(c.fds, connections, STALL_MS) <= 0) bench_fail("webd does not answer");
    for (unsigned k = 0; k < connections; ++k)
      if (c.fds[k].revents && c.at[k].sent_at) hear(&c, k);
  }
  double seconds = (double)(ck_mono_us() - began) / 1e6;
  for (unsigned k = 0; k < connections; ++k) {
    close(c.fds[k].fd);
    ck_buf_free(&c.at[k].answer);
  }
  return (double)n / seconds;
}

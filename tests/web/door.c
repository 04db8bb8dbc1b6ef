/* Who is let in: by Host, Origin, token, scope and session; each refusal has its word, and is
 * counted. */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/access.h"
#include "tests/harness/base.h"
#include "tests/harness/ring.h"
#include "tests/harness/talk.h"
#include "tests/web/client.h"

static bool its_address_is_told(void) {
  json_t *status = t_status(1000);
  json_t *webd = status ? t_daemon_entry(status, "webd", 0) : NULL;
  bool told = webd && t_text_at(webd, "info.address");
  json_decref(status);
  return told;
}

T_STORY(web_door, status_with_a_token, 60) {
  t_up();
  const char *token = t_token("reader", "read");
  struct t_reply r = t_ask_web("GET", "/v1/status", token, "", NULL);
  T_CHECK(r.status == 200, "it answers %d: %s", r.status, r.body);
  json_t *status = t_reply_json(&r);
  T_CHECK(t_int_at(status, "version", -1) == 0 && t_text_at(status, "store_id"),
          "the answer is not that of status: %s", r.body);
  T_CHECK(t_reply_header(&r, "Cache-Control") && t_reply_header(&r, "X-Content-Type-Options"),
          "a header is missing: %s", r.head);
  t_reply_free(&r);
  T_UNTIL(20000, its_address_is_told(), "status does not say where webd listens");
}

T_STORY(web_door, another_host, 60) {
  static const char *const hosts[] = {"evil.example",
                                      "evil.example:80",
                                      "127.0.0.1",
                                      "127.0.0.1:1",
                                      "localhost",
                                      "",
                                      "127.0.0.1:%d.evil.example",
                                      "[::]:%d",
                                      "0.0.0.0:%d"};
  t_up();
  const char *token = t_token("reader", "read");
  int n = 0;
  for (size_t i = 0; i < sizeof hosts / sizeof *hosts; ++i, ++n) {
    char host[80], header[100];
    snprintf(host, sizeof host, "%s", hosts[i]);
    char *number = strstr(host, "%d");
    if (number)
      snprintf(number, sizeof host - (size_t)(number - host), "%d%s", t_web_port(),
               strstr(hosts[i], "%d") + 2);
    snprintf(header, sizeof header, "Host: %s\r\n", host);
    t_web_says(421, "host", "GET", "/v1/status", token, header, NULL);
  }
  char twice[200];
  snprintf(twice, sizeof twice, "Host: %s\r\nHost: evil.example\r\n", t_web_host());
  t_web_says(421, "host", "GET", "/v1/status", token, twice, NULL);
  ++n;
  char other[80];
  snprintf(other, sizeof other, "Host: LocalHost:%d\r\n", t_web_port());
  t_web_says(200, NULL, "GET", "/v1/status", token, other, NULL);
  snprintf(other, sizeof other, "Host: [::1]:%d\r\n", t_web_port());
  t_web_says(200, NULL, "GET", "/v1/status", token, other, NULL);
  t_web_refused("{'host': %d}", n);
}

T_STORY(web_door, another_origin, 60) {
  t_up();
  const char *token = t_token("reader", "read");
  char own[80], tls[80];
  snprintf(own, sizeof own, "Origin: http://%s\r\n", t_web_host());
  snprintf(tls, sizeof tls, "Origin: https://%s\r\n", t_web_host());
  t_web_says(200, NULL, "GET", "/v1/status", token, own, NULL);
  t_web_says(403, "origin", "GET", "/v1/status", token, tls, NULL);
  t_web_says(403, "origin", "GET", "/v1/status", token, "Origin: http://evil.example\r\n", NULL);
  t_web_says(403, "origin", "GET", "/v1/status", token, "Origin: null\r\n", NULL);
  t_web_says(403, "origin", "GET", "/v1/status", token,
             "Origin: chrome-extension://abcdefghijklmnop\r\n", NULL);
  t_web_says(403, "origin", "OPTIONS", "/v1/status", NULL, "Origin: http://evil.example\r\n", NULL);
  t_web_refused("{'origin': 5}");
}

T_STORY(web_door, tokens_and_scopes, 60) {
  t_up();
  const char *reader = t_token("reader", "read"), *giver = t_token("giver", "capture,deliver");
  char *wrong = ck_strdup(reader);
  wrong[10] = wrong[10] == '0' ? '1' : '0';
  t_web_says(401, "token", "GET", "/v1/status", NULL, "", NULL);
  t_web_says(401, "token", "GET", "/v1/status", wrong, "", NULL);
  t_web_says(401, "token", "GET", "/v1/status", "", "", NULL);
  t_web_says(403, "scope", "GET", "/v1/status", giver, "", NULL);
  t_web_says(200, NULL, "GET", "/v1/status", reader, "", NULL);
  t_web_says(404, "path", "GET", "/v1/nothing", reader, "", NULL);
  t_web_says(405, "method", "POST", "/v1/status", reader, "", "{}");
  t_web_says(400, "argument", "GET", "/v1/status?deep=1", reader, "", NULL);
  t_web_says(400, "syntax", "GET", "/v1/%00status", reader, "", NULL);
  t_web_refused("{'token': 3, 'scope': 1, 'path': 1, 'method': 1, 'argument': 1, 'syntax': 1}");
  free(wrong);
}

T_STORY(web_door, revoked_at_once, 60) {
  struct stat st;
  t_up();
  const char *one = t_token("one", "read"), *other = t_token("other", "read");
  T_CHECK(stat(CK_PLACE_ACCESS, &st) == 0 && (st.st_mode & 0777) == 0600,
          "the file of tokens has mode %o", st.st_mode & 0777);
  char *file = t_read_file(CK_PLACE_ACCESS, NULL);
  T_CHECK(!strstr(file, one + 3), "the token itself is in the file");
  free(file);
  t_web_says(200, NULL, "GET", "/v1/status", one, "", NULL);
  t_do(0, "web", "token", "revoke", "one");
  t_web_says(401, "token", "GET", "/v1/status", one, "", NULL);
  t_web_says(200, NULL, "GET", "/v1/status", other, "", NULL);
  t_do(1, "web", "token", "revoke", "one");
  t_do(1, "web", "token", "add", "other", "--scope", "read");
  t_do(2, "web", "token", "add", "third", "--scope", "everything");
  t_do(2, "web", "token", "add", "third");
  t_do(2, "web", "token", "add", "a b", "--scope", "read");
  t_says(0, "other", "web", "token", "list");
}

/* webd reports once a second. */
static void status_says(const char *part) {
  bool says = false;
  for (int i = 0; i < 50 && !says; ++i) {
    struct t_result r = t_convkeep("status");
    says = strstr(r.out, part) != NULL;
    t_result_free(&r);
    if (!says) t_pause(100);
  }
  T_CHECK(says, "status does not say %s", part);
}

/* A file that nobody can make sense of lets nobody in, and status says why. */
T_STORY(web_door, a_damaged_file_lets_nobody_in, 60) {
  t_up();
  const char *token = t_token("reader", "read");
  char *file = t_read_file(CK_PLACE_ACCESS, NULL);
  char *more = ck_sprintf("%stoken x read zzz 1 0 0 -\n", file);
  t_write_text(CK_PLACE_ACCESS, more);
  t_web_says(500, "failed", "GET", "/v1/status", token, "", NULL);
  status_says(CK_PLACE_ACCESS ":2");
  t_write_text(CK_PLACE_ACCESS, file);
  t_web_says(200, NULL, "GET", "/v1/status", token, "", NULL);
  free(file);
  free(more);
}

/* What curl -c would keep: "convkeep-PORT=…" of Set-Cookie. */
static char *cookie_of(const struct t_reply *r) {
  const char *set = t_reply_header(r, "Set-Cookie");
  T_CHECK(set && strstr(set, "HttpOnly") && strstr(set, "SameSite=Strict"), "the cookie: %s",
          set ? set : "none");
  return ck_sprintf("Cookie: %.*s\r\nAccept: text/html\r\n", (int)strcspn(set, ";"), set);
}

T_STORY(web_door, a_scope_is_said_once, 60) {
  t_up();
  t_says(2, "--scope: it is given twice", "web", "token", "add", "two", "--scope", "read",
         "--scope", "capture");
  t_do(0, "web", "token", "add", "two", "--scope", "read,capture");
}

T_STORY(web_door, a_link_signs_in_once, 60) {
  t_up();
  json_t *said = t_lines(0, "open");
  const char *link = t_text_at(said, "0.link"), *path = strstr(link, "/open/");
  struct t_reply r = t_ask_web("GET", path, NULL, "Accept: text/html\r\n", NULL);
  T_CHECK(r.status == 303 && strcmp(t_reply_header(&r, "Location"), "/") == 0, "%d %s", r.status,
          r.body);
  char *cookie = cookie_of(&r);
  t_reply_free(&r);
  t_web_says(403, "code", "GET", path, NULL, "", NULL);
  r = t_ask_web("GET", "/", NULL, cookie, NULL);
  T_CHECK(r.status == 200 && strstr(r.body, "Sign out"), "%d %s", r.status, r.body);
  T_CHECK(strstr(t_reply_header(&r, "Content-Security-Policy"), "default-src 'none'"), "%s",
          r.head);
  /* With "no-referrer" a browser says of its own forms that they are of the Origin null. */
  T_CHECK(strcmp(t_reply_header(&r, "Referrer-Policy"), "same-origin") == 0, "%s", r.head);
  const char *form = strstr(r.body, "name=\"form\" value=\"");
  T_CHECK(form, "the page has no form: %s", r.body);
  char *secret = ck_sprintf("form=%.64s", form + strlen("name=\"form\" value=\""));
  t_reply_free(&r);
  /* Nobody who does not know the page's secret signs this browser out. */
  r = t_ask_web("POST", "/leave", NULL, cookie, "form=0");
  T_CHECK(r.status == 403, "a forged form: %d", r.status);
  t_reply_free(&r);
  r = t_ask_web("POST", "/leave", NULL, cookie, secret);
  T_CHECK(r.status == 303, "signing out: %d %s", r.status, r.body);
  t_reply_free(&r);
  r = t_ask_web("GET", "/", NULL, cookie, NULL);
  T_CHECK(r.status == 401 && strstr(r.body, "convkeep open"), "%d %s", r.status, r.body);
  t_reply_free(&r);
  free(secret);
  free(cookie);
  json_decref(said);
}

/* Nothing is used up, begun or set by asking for the head of an answer. */
T_STORY(web_door, head_changes_nothing, 60) {
  static const char *const paths[] = {"/",
                                      "/s",
                                      "/j",
                                      "/j/plan",
                                      "/i",
                                      "/m",
                                      "/h",
                                      "/c/x%3Ac0",
                                      "/v1/status",
                                      "/v1/messages",
                                      "/metrics",
                                      "/v1/events",
                                      "/v1/deliveries?client=ff1"};
  t_up();
  t_import_lines(0, "{'platform': 'x', 'conversation_id': 'c0', 'text': 'a', 'role': 'user', "
                    "'observed_at': 1}\n");
  json_t *said = t_lines(0, "open");
  const char *path = strstr(t_text_at(said, "0.link"), "/open/");
  for (int i = 0; i < 2; ++i) {
    struct t_reply r = t_ask_web("HEAD", path, NULL, "", NULL);
    const char *allowed = t_reply_header(&r, "Allow");
    T_CHECK(r.status == 405 && allowed && strcmp(allowed, "GET") == 0, "%d %s", r.status, r.head);
    T_CHECK(!t_reply_header(&r, "Set-Cookie"), "%s", r.head);
    t_reply_free(&r);
  }
  struct t_reply in = t_ask_web("GET", path, NULL, "", NULL);
  T_CHECK(in.status == 303, "the link is used up: %d", in.status);
  char *browser = cookie_of(&in);
  t_reply_free(&in);
  json_decref(said);
  const char *token = t_token("all", "read,deliver");
  for (size_t i = 0; i < sizeof paths / sizeof *paths; ++i) {
    bool page = !strstr(paths[i], "/v1/") && !strstr(paths[i], "/metrics");
    struct t_reply r = t_ask_web("HEAD", paths[i], page ? NULL : token, page ? browser : "", NULL);
    T_CHECK(r.status == 200 && r.n == 0 && !t_reply_header(&r, "Set-Cookie"), "%s: %d %s", paths[i],
            r.status, r.head ? r.head : "");
    t_reply_free(&r);
  }
  t_web_refused("{'method': 2}");
  free(browser);
}

/* A page at another port of this machine is of the same site, so the cookie comes with what it
 * asks, SameSite=Strict or not. */
T_STORY(web_door, a_page_at_another_port, 60) {
  static const char *const origins[] = {"http://127.0.0.1:%d", "http://localhost:%d",
                                        "https://127.0.0.1:%d", "http://127.0.0.1"};
  static const char *const asked[][2] = {{"POST", "/pause"},    {"POST", "/resume"},
                                         {"POST", "/c/x%3Ac0"}, {"POST", "/c/x%3Ac0/renew"},
                                         {"POST", "/j/all"},    {"POST", "/j/none"},
                                         {"POST", "/i"},        {"POST", "/m/retry"},
                                         {"POST", "/h/doctor"}, {"POST", "/leave"},
                                         {"POST", "/v1/pause"}, {"POST", "/v1/observations"},
                                         {"GET", "/"},          {"GET", "/c/x%3Ac0"},
                                         {"GET", "/j"},         {"GET", "/v1/status"},
                                         {"GET", "/v1/events"}, {"GET", "/v1/messages"},
                                         {"OPTIONS", "/pause"}};
  const char *secret;
  int n = 0;
  t_up();
  t_import_lines(0, "{'platform': 'x', 'conversation_id': 'c0', 'text': 'a', 'role': 'user', "
                    "'client_id': 'ff1', 'observed_at': 1}\n");
  const char *browser = t_browser(&secret);
  char *form = ck_sprintf("form=%s&kind=everything&name=&automation=auto&payload=x", secret);
  t_settle(10000);
  int64_t version = t_status_int("version", -1);
  for (size_t i = 0; i < sizeof origins / sizeof *origins; ++i)
    for (size_t k = 0; k < sizeof asked / sizeof *asked; ++k, ++n) {
      char origin[60], headers[600];
      snprintf(origin, sizeof origin, "%s", origins[i]);
      char *port = strstr(origin, ":%d");
      if (port) snprintf(port, sizeof origin - (size_t)(port - origin), ":%d", t_web_port() + 1);
      snprintf(headers, sizeof headers,
               "%.*s\r\nContent-Type: application/x-www-form-urlencoded\r\nOrigin: %s\r\n",
               (int)strcspn(browser, "\r"), browser, origin);
      bool changes = strcmp(asked[k][0], "POST") == 0;
      t_web_says(403, "origin", asked[k][0], asked[k][1], NULL, headers, changes ? form : NULL);
    }
  t_web_refused("{'origin': %d}", n);
  T_CHECK(t_status_int("version", -1) == version, "something was changed");
  t_web_says(200, NULL, "GET", "/", NULL, browser, NULL);
  free(form);
}

T_STORY(web_door, an_extension_is_paired, 60) {
  static const char origin[] = "Origin: moz-extension://6b0f6b6e-0000-4000-8000-000000000000\r\n";
  t_up();
  t_web_says(403, "origin", "POST", "/v1/pair", NULL, origin, "{}");
  json_t *said = t_lines(0, "browser", "pair");
  const char *code = t_text_at(said, "0.code");
  T_CHECK(code && strlen(code) == 8, "the code is %s", code);
  char *right = ck_sprintf("{\"code\": \"%.4s %s\", \"name\": \"firefox\"}", code, code + 4);
  const char *wrong = "{\"code\": \"x\", \"name\": \"firefox\"}";
  struct t_reply r = t_ask_web("OPTIONS", "/v1/pair", NULL, origin, NULL);
  T_CHECK(r.status == 204 &&
              strcmp(t_reply_header(&r, "Access-Control-Allow-Origin"), origin + 8) < 0,
          "%d %s", r.status, r.head);
  t_reply_free(&r);
  for (int i = 0; i < 4; ++i) t_web_says(403, "code", "POST", "/v1/pair", NULL, origin, wrong);
  r = t_ask_web("POST", "/v1/pair", NULL, origin, right);
  T_CHECK(r.status == 200, "%d %s", r.status, r.body);
  const char *token = t_text_at(t_reply_json(&r), "token");
  t_reply_free(&r);
  r = t_ask_web("GET", "/v1/status", token, origin, NULL);
  T_CHECK(r.status == 200 && t_reply_header(&r, "Access-Control-Allow-Origin"), "%d %s", r.status,
          r.head);
  t_reply_free(&r);
  t_web_says(403, "code", "POST", "/v1/pair", NULL, "", right);
  json_decref(said);
  /* The fifth wrong one ends a code. */
  said = t_lines(0, "browser", "pair");
  char *again = ck_sprintf("{\"code\": \"%s\", \"name\": \"other\"}", t_text_at(said, "0.code"));
  for (int i = 0; i < 5; ++i) t_web_says(403, "code", "POST", "/v1/pair", NULL, "", wrong);
  t_web_says(403, "code", "POST", "/v1/pair", NULL, "", again);
  t_web_refused("{'origin': 1, 'code': 11}");
  free(right);
  free(again);
  json_decref(said);
}

/* webd dies alone: the rest of the ring goes on, tokens hold, and it is there again. */
T_STORY(web_door, dies_alone, 60) {
  t_up();
  const char *token = t_token("reader", "read");
  pid_t old = t_kill("webd", SIGKILL);
  t_import_lines(0, "{'platform': 'x', 'text': 'while it is away', 'role': 'user', "
                    "'observed_at': 1}\n");
  t_wait_other("webd", old, 20000);
  t_web_says(200, NULL, "GET", "/v1/status", token, "", NULL);
}

/* Another program has the port: the ring runs, status says it, and webd takes it later. */
T_STORY(web_door, a_port_in_use, 60) {
  char port[32];
  t_up();
  snprintf(port, sizeof port, "127.0.0.1:%d", t_web_port());
  t_set("web.listen", port);
  t_down();
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  struct sockaddr_in at = {.sin_family = AF_INET,
                           .sin_port = htons((uint16_t)atoi(strchr(port, ':') + 1)),
                           .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  T_CHECK(bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, 1) == 0,
          "the port cannot be taken");
  t_up();
  T_UNTIL(20000, t_pid("webd"), "webd does not run");
  T_UNTIL(20000, !t_exists("run/web"), "webd says that it listens");
  status_says("web.listen");
  close(fd);
  t_web_port();
}

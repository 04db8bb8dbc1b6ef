/* The real webhook channel, with a server that misbehaves on request, and which channel serves a
 * target. */
#include <criterion/criterion.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/map.h"
#include "renewd/renewd.h"
#include "tests/unit/test_renewd_deliver.h"

/* ---- webhook ---- */

static struct {
  int listener, port;
  _Atomic int requests;
  /* NULL: closes without one; "": none, and the connection stays open */
  const char *_Atomic answer;
  char request[8192];
  pthread_t thread;
} server;

static void read_request(int fd) {
  size_t n = 0;
  for (char *end = NULL; n < sizeof server.request - 1;) {
    ssize_t got = recv(fd, server.request + n, sizeof server.request - 1 - n, 0);
    if (got <= 0) return;
    n += (size_t)got;
    server.request[n] = '\0';
    char *length = strcasestr(server.request, "content-length: ");
    if ((end = strstr(server.request, "\r\n\r\n")) && length &&
        n >= (size_t)(end + 4 - server.request) + strtoul(length + 16, NULL, 10))
      return;
  }
}

static void *serve(void *unused) {
  (void)unused;
  int held[16], holds = 0;
  for (int fd; (fd = accept(server.listener, NULL, NULL)) >= 0;) {
    read_request(fd);
    server.requests++;
    const char *answer = server.answer;
    if (answer && !answer[0] && holds < 16) {
      held[holds++] = fd;
      continue;
    }
    if (answer) send(fd, answer, strlen(answer), MSG_NOSIGNAL);
    shutdown(fd, SHUT_WR);
    char rest[256];
    while (recv(fd, rest, sizeof rest, 0) > 0) {
    }
    close(fd);
  }
  while (holds) close(held[--holds]);
  return NULL;
}

static void begin_serving(void) {
  test_deliver_begin();
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t n = sizeof a;
  server.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  cr_assert(bind(server.listener, (struct sockaddr *)&a, n) == 0 &&
            listen(server.listener, 16) == 0);
  getsockname(server.listener, (struct sockaddr *)&a, &n);
  server.port = ntohs(a.sin_port);
  pthread_create(&server.thread, NULL, serve, NULL);
  char allow[64];
  snprintf(allow, sizeof allow, "http://127.0.0.1:%d/hook", server.port);
  test_set("renew.webhook.allow", allow);
}

static void stop_serving(void) {
  shutdown(server.listener, SHUT_RDWR);
  pthread_join(server.thread, NULL);
  close(server.listener);
}

static struct renew_result post(const char *answer, const char *path) {
  char target[200];
  server.answer = answer;
  server.requests = 0;
  snprintf(target, sizeof target,
           "{\"kind\":\"webhook\",\"payload\":{\"url\":\"http://127.0.0.1:%d%s\"}}", server.port,
           path);
  return test_deliver(&renew_channel_webhook, target, "{\"a\":1}");
}

Test(renewd_webhook, what_is_sent, .init = begin_serving, .fini = test_deliver_end) {
  struct renew_result r = post("HTTP/1.1 204 No Content\r\n\r\n", "/hook/x?q=1");
  test_result_is(r, RENEW_DONE, "");
  cr_assert_eq(r.http_status, 204);
  cr_assert(strncmp(server.request, "POST /hook/x?q=1 HTTP/1.1\r\n", 27) == 0, "%s",
            server.request);
  cr_assert(strcasestr(server.request, "\r\ncontent-type: application/json\r\n"), "%s",
            server.request);
  cr_assert(strcasestr(server.request, "\r\nidempotency-key: job_1\r\n"), "%s", server.request);
  cr_assert(!strcasestr(server.request, "\r\nexpect:"), "%s", server.request);
  cr_assert(strstr(server.request, "\r\n\r\n{\"a\":1}"), "%s", server.request);
  stop_serving();
}

Test(renewd_webhook, answers, .init = begin_serving, .fini = test_deliver_end) {
  test_result_is(post("HTTP/1.1 500 No\r\nContent-Length: 9\r\n\r\nall\nwrong", "/hook"),
                 RENEW_RETRY, "http 500: all wrong");
  test_result_is(post("HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", "/hook"), RENEW_FAILED,
                 "http 404");
  char elsewhere[128];
  snprintf(
      elsewhere, sizeof elsewhere,
      "HTTP/1.1 307 There\r\nLocation: http://127.0.0.1:%d/hook/2\r\nContent-Length: 0\r\n\r\n",
      server.port);
  test_result_is(post(elsewhere, "/hook"), RENEW_FAILED, "http 307");
  cr_assert_eq(server.requests, 1, "a redirect was followed");
  /* The status counts, even if the rest never comes. */
  test_result_is(post("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\ncut", "/hook"), RENEW_DONE,
                 "");
  test_result_is(post("HTTP/1.1 100 Continue\r\n\r\n", "/hook"), RENEW_UNKNOWN, "no answer");
  test_result_is(post("nonsense\r\n\r\n", "/hook"), RENEW_UNKNOWN, "no answer");
  stop_serving();
}

Test(renewd_webhook, an_answer_without_end, .init = begin_serving, .fini = test_deliver_end) {
  char *large = malloc(400000);
  strcpy(large, "HTTP/1.1 403 No\r\n\r\n");
  memset(large + 19, 'x', 399980);
  large[399999] = '\0';
  struct renew_result r = post(large, "/hook");
  test_result_is(r, RENEW_FAILED, "http 403: xxx");
  cr_assert_lt(strlen(r.error), 330);
  stop_serving();
  free(large);
}

Test(renewd_webhook, retry_after, .init = begin_serving, .fini = test_deliver_end) {
  struct renew_result r =
      post("HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", "/hook");
  test_result_is(r, RENEW_RETRY, "http 429");
  cr_assert_eq(r.retry_after, 7000);
  char dated[200], date[64];
  time_t in = time(NULL) + 90;
  strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime(&in));
  snprintf(dated, sizeof dated, "HTTP/1.1 503 Slow\r\nRetry-After: %s\r\nContent-Length: 0\r\n\r\n",
           date);
  r = post(dated, "/hook");
  cr_assert(r.retry_after > 85000 && r.retry_after <= 91000, "%lld", (long long)r.retry_after);
  r = post("HTTP/1.1 503 Slow\r\nRetry-After: soon\r\nContent-Length: 0\r\n\r\n", "/hook");
  cr_assert_eq(r.retry_after, 0);
  stop_serving();
}

Test(renewd_webhook, no_answer, .init = begin_serving, .fini = test_deliver_end) {
  test_result_is(post(NULL, "/hook"), RENEW_UNKNOWN, "sent, no answer");
  cr_assert_eq(server.requests, 1, "it was sent %d times", server.requests);
  test_set("renew.timeout", "300ms");
  test_result_is(post("", "/hook"), RENEW_UNKNOWN, "sent, no answer");
  char prefix[64];
  snprintf(prefix, sizeof prefix, "http://127.0.0.1:%d/hook/same", server.port);
  test_set("renew.webhook.idempotent", prefix);
  test_result_is(post(NULL, "/hook/same"), RENEW_RETRY, "sent, no answer");
  test_result_is(post("", "/hook/same"), RENEW_RETRY, "sent, no answer");
  test_result_is(post(NULL, "/hook/other"), RENEW_UNKNOWN, "sent, no answer");
  stop_serving();
}

Test(renewd_webhook, nothing_arrived, .init = begin_serving, .fini = test_deliver_end) {
  stop_serving();
  test_result_is(post(NULL, "/hook"), RENEW_UNREACHED, "not sent");
  /* Cut off during the TLS handshake: no request was sent. */
  begin_serving();
  char https[64], target[96];
  snprintf(https, sizeof https, "https://127.0.0.1:%d/", server.port);
  snprintf(target, sizeof target, "{\"payload\":{\"url\":\"%s\"}}", https);
  test_set("renew.webhook.allow", https);
  test_set("renew.timeout", "500ms");
  server.answer = "no TLS here\r\n\r\n";
  test_result_is(test_deliver(&renew_channel_webhook, target, "{}"), RENEW_UNREACHED, "not sent");
  stop_serving();
  test_set("renew.webhook.allow", "http://nobody.invalid/");
  test_result_is(test_deliver(&renew_channel_webhook,
                              "{\"payload\":{\"url\":\"http://nobody.invalid/\"}}", "{}"),
                 RENEW_UNREACHED, "not sent");
}

/* ---- which targets they serve ---- */

/* missing: part of what is said; NULL: it is served. */
static void serves(const char *target, const char *missing) {
  struct ck_err err = {""};
  const struct renew_settings set = renew_settings_of(test_settings);
  struct renew_target t;
  int rc = renew_target_parse(&t, ck_str_of(target), &err);
  if (rc == 0) rc = renew_resolve_target(&set, &t, &err);
  renew_target_free(&t);
  cr_assert_eq(rc, missing ? -1 : 0, "%s: %s", target, err.text);
  cr_assert(!missing || strstr(err.text, missing), "%s: '%s' is not in '%s'", target, missing,
            err.text);
}

Test(renewd_resolve, which_targets_are_served, .init = test_deliver_begin,
     .fini = test_deliver_end) {
  test_set("renew.exec.it", "/bin/true");
  test_set("renew.webhook.allow", "http://127.0.0.1:8080/hook");
  serves("{\"kind\":\"null\"}", NULL);
  serves("{\"kind\":\"exec\",\"id\":\"it\"}", NULL);
  serves("{\"kind\":\"exec\",\"id\":\"other\"}", "there is no setting renew.exec.other");
  serves("{\"kind\":\"exec\"}", "of kind exec, has no id");
  serves("{\"kind\":\"webhook\",\"payload\":{\"url\":\"http://127.0.0.1:8080/hook/a\"}}", NULL);
  serves("{\"kind\":\"webhook\",\"payload\":{}}", "has no url");
  static const char *const others[] = {"http://127.0.0.1:8080/other", "ftp://127.0.0.1:8080/hook",
                                       "http://127.0.0.1:8080/hook/../other",
                                       "http://127.0.0.1:8080/hook\\r\\nX: y"};
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    char target[200];
    snprintf(target, sizeof target, "{\"kind\":\"webhook\",\"payload\":{\"url\":\"%s\"}}",
             others[i]);
    serves(target, "renew.webhook.allow");
  }
  serves("{\"kind\":\"feed\",\"client_id\":\"tab\"}", NULL);
  serves("{\"kind\":\"feed\",\"id\":\"tab\"}", NULL);
  serves("{\"kind\":\"feed\"}", "of kind feed, has neither client_id nor id");
  serves("{\"kind\":\"browser.proxy_delivery\",\"id\":\"firefox-claude\"}", NULL);
  serves("{\"kind\":\"browser.proxy_delivery\"}", "neither client_id nor id");
  serves("{\"kind\":\"browser\",\"id\":\"x\"}", "no channel serves a target of kind browser");
  serves("{\"kind\":\"smoke\"}", "no channel serves a target of kind smoke");
  serves("{\"platform\":\"x\"}", "names no target");
  serves("{}", "names no target");
  serves("not JSON", "target_snapshot");
  serves("", "it has no target");
}

Test(renewd_resolve, from_a_link, .init = test_deliver_begin, .fini = test_deliver_end) {
  struct ck_buf snapshot = {0};
  struct ck_err err;
  const struct renew_settings all = renew_settings_of(test_settings);
  struct renew_link link = {.target_kind = CK_LIT("exec"), .target_id = CK_LIT("it")};
  cr_assert_eq(renew_resolve_link(&all, NULL, &snapshot, &err), -1);
  cr_assert(strstr(err.text, "no active link"), "%s", err.text);
  cr_assert_eq(renew_resolve_link(&all, &link, &snapshot, &err), -1);
  cr_assert(strstr(err.text, "renew.exec.it"), "%s", err.text);
  cr_assert_str_eq(ck_buf_cstr(&snapshot), "{\"kind\":\"exec\",\"id\":\"it\"}");
  ck_buf_clear(&snapshot);
  test_set("renew.exec.it", "/bin/true");
  cr_assert_eq(renew_resolve_link(&all, &link, &snapshot, &err), 0, "%s", err.text);
  cr_assert_str_eq(ck_buf_cstr(&snapshot), "{\"kind\":\"exec\",\"id\":\"it\"}");
  ck_buf_clear(&snapshot);
  link.target_kind = (struct ck_str){0};
  cr_assert_eq(renew_resolve_link(&all, &link, &snapshot, &err), -1);
  cr_assert(strstr(err.text, "names no target"), "%s", err.text);
  cr_assert_eq(snapshot.len, 0);
  ck_buf_free(&snapshot);
}

/* A proxy in the environment is not used: no setting names it. */
Test(renewd_webhook, no_proxy, .init = begin_serving, .fini = test_deliver_end) {
  setenv("http_proxy", "http://127.0.0.1:1/", 1);
  setenv("ALL_PROXY", "http://127.0.0.1:1/", 1);
  test_result_is(post("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "/hook"), RENEW_DONE, "");
  stop_serving();
}

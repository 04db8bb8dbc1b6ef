/* libcurl in our loop: transfers end, and nothing wakes the loop while a server thinks. */
#include "proto/curl_loop.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/clock.h"

static struct ck_err err;
static struct ck_curl_loop *loop;
static CURL *easy;
static char url[64];
static pid_t server;
static int turns;

/* Answers the first request of each connection, or never answers; runs until it is killed. */
static void serve(int listener, bool answers) {
  static const char answer[] =
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
  char request[4096];
  for (;;) {
    int fd = accept(listener, NULL, NULL);
    if (fd < 0 || read(fd, request, sizeof request) <= 0) _exit(1);
    if (!answers) continue;
    if (write(fd, answer, sizeof answer - 1) < 0) _exit(1);
    close(fd);
  }
}

/* Binds a port, and starts a server on it or not; without one, the port refuses. */
static void start(bool serves, bool answers) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t n = sizeof a;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  cr_assert(bind(fd, (struct sockaddr *)&a, n) == 0 &&
            getsockname(fd, (struct sockaddr *)&a, &n) == 0);
  cr_assert(!serves || listen(fd, 8) == 0);
  server = serves ? fork() : 0;
  if (serves && server == 0) serve(fd, answers);
  if (serves) close(fd);
  snprintf(url, sizeof url, "http://127.0.0.1:%d/", ntohs(a.sin_port));
}

static size_t keep(char *data, size_t size, size_t n, void *self) {
  ck_buf_add(self, data, size * n);
  return size * n;
}

static void begin(void) {
  loop = ck_curl_loop_new(&err);
  cr_assert(loop, "%s", err.text);
  easy = curl_easy_init();
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
}

static void end(void) {
  ck_curl_remove(loop, easy);
  curl_easy_cleanup(easy);
  ck_curl_loop_free(&loop);
  cr_assert_null(loop);
  ck_curl_loop_free(&loop);
  if (server) kill(server, SIGKILL), waitpid(server, NULL, 0);
}

TestSuite(curl_loop, .init = begin, .fini = end);

/* Waits as a daemon does. True when the transfer has ended within so many milliseconds. */
static bool ends_within(int ms, CURLcode *code) {
  CURL *which;
  turns = 0;
  for (int64_t until = ck_boot_ms() + ms; ck_boot_ms() < until; ++turns) {
    struct ck_wait w = {.until = until};
    ck_curl_wait(loop, &w);
    int64_t left = w.until - ck_boot_ms();
    zmq_poll(w.items, w.count, left > 0 ? (long)left : 0);
    ck_curl_turn(loop);
    if (!ck_curl_done(loop, &which, code)) continue;
    cr_assert_eq(which, easy);
    cr_assert_not(ck_curl_done(loop, &which, code), "there is no other");
    return true;
  }
  return false;
}

Test(curl_loop, one_transfer_after_the_other) {
  struct ck_buf body = {0};
  CURLcode code = CURLE_FAILED_INIT;
  start(true, true);
  curl_easy_setopt(easy, CURLOPT_URL, url);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, keep);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &body);
  for (int i = 0; i < 3; ++i) {
    ck_buf_clear(&body);
    cr_assert_eq(ck_curl_add(loop, easy), 0);
    cr_assert(ends_within(10000, &code) && code == CURLE_OK, "%s", curl_easy_strerror(code));
    cr_assert(ck_str_is(ck_buf_view(&body), "ok"));
    ck_curl_remove(loop, easy);
  }
  ck_buf_free(&body);
}

Test(curl_loop, a_server_that_thinks_wakes_nobody) {
  CURLcode code;
  start(true, false);
  curl_easy_setopt(easy, CURLOPT_URL, url);
  cr_assert_eq(ck_curl_add(loop, easy), 0);
  cr_assert_not(ends_within(500, &code), "nobody has answered");
  cr_assert_not(ends_within(500, &code));
  cr_assert_lt(turns, 8, "%d turns in half a second of rest", turns);
  ck_curl_remove(loop, easy);
  cr_assert_not(ends_within(20, &code), "what was removed says nothing more");
}

Test(curl_loop, its_own_time_limit_ends_it) {
  CURLcode code = CURLE_OK;
  start(true, false);
  curl_easy_setopt(easy, CURLOPT_URL, url);
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, 150L);
  cr_assert_eq(ck_curl_add(loop, easy), 0);
  cr_assert(ends_within(10000, &code));
  cr_assert_eq(code, CURLE_OPERATION_TIMEDOUT);
}

Test(curl_loop, nobody_there) {
  CURLcode code = CURLE_OK;
  start(false, false);
  curl_easy_setopt(easy, CURLOPT_URL, url);
  cr_assert_eq(ck_curl_add(loop, easy), 0);
  cr_assert(ends_within(10000, &code));
  cr_assert_eq(code, CURLE_COULDNT_CONNECT);
}

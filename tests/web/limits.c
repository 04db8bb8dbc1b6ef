/* Slow heads, endless bodies, too many connections: refused, counted, and the rest unharmed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/harness/base.h"
#include "tests/harness/ring.h"
#include "tests/web/client.h"

static const char *token;

/* Somebody else is served within a second. */
static void others_are_served(void) {
  int64_t begin = ck_boot_ms();
  t_web_says(200, NULL, "GET", "/v1/status", token, "", NULL);
  T_CHECK(ck_boot_ms() - begin < 1000 * T_SLOWER, "it took %d ms", (int)(ck_boot_ms() - begin));
}

/* A byte of the head at a time: it has 15 s in all. */
T_STORY(web_limits, a_slow_head, 90) {
  t_up();
  token = t_token("reader", "read");
  int fd = t_web_connect(), silent = t_web_connect();
  const char head[] = "GET /v1/status HTTP/1.1\r\nX-Slow: ";
  int64_t begin = ck_boot_ms();
  bool there = t_web_send(fd, head, sizeof head - 1);
  while (there && ck_boot_ms() - begin < 40000 * T_SLOWER) {
    others_are_served();
    there = t_web_send(fd, "a", 1) && !t_web_closes(fd, 200);
  }
  int64_t ms = ck_boot_ms() - begin;
  T_CHECK(!there && ms > 14000 && ms < 20000 * T_SLOWER, "it was closed after %lld ms",
          (long long)ms);
  T_CHECK(t_web_closes(silent, 1000), "one that says nothing stays");
  t_web_refused_from("slow", 1);
  T_CHECK(t_web_refused("slow") == 1, "one that says nothing is counted");
  close(fd);
  close(silent);
}

static void endless(const char *length, const char *piece) {
  char all[400];
  int fd = t_web_connect(),
      n = snprintf(all, sizeof all, "POST /v1/pair HTTP/1.1\r\nHost: %s\r\n%s\r\n\r\n",
                   t_web_host(), length);
  T_CHECK(t_web_send(fd, all, (size_t)n), "the head was not taken");
  size_t sent = 0;
  struct ck_buf pieces = {0};
  while (pieces.len < 65536) ck_buf_text(&pieces, piece);
  while (sent < (64u << 20) && t_web_send(fd, pieces.data, pieces.len)) sent += pieces.len;
  T_CHECK(sent < (64u << 20), "a body of %zu bytes was read", sent);
  ck_buf_free(&pieces);
  close(fd);
}

T_STORY(web_limits, endless_bodies, 60) {
  char large[100];
  t_up();
  token = t_token("reader", "read");
  long before = t_memory_mib(t_pid("webd"));
  endless("Transfer-Encoding: chunked", "10\r\n0123456789abcdef\r\n");
  others_are_served();
  endless("Content-Length: 9999999999", "0123456789abcdef");
  snprintf(large, sizeof large, "Content-Length: %d\r\n", 1 << 30);
  t_web_says(413, "body", "POST", "/v1/pair", NULL, large, "{");
  char *some = ck_zalloc(5001);
  memset(some, ' ', 5000);
  t_web_says(413, "body", "POST", "/v1/pair", NULL, "", some);
  free(some);
  others_are_served();
  t_web_refused_from("body", 4);
  T_CHECK(t_memory_mib(t_pid("webd")) < before + 8, "webd has taken %ld MiB",
          t_memory_mib(t_pid("webd")));
}

T_STORY(web_limits, a_large_head, 60) {
  t_up();
  token = t_token("reader", "read");
  int fd = t_web_connect();
  struct ck_buf b = {0};
  ck_buf_text(&b, "GET / HTTP/1.1\r\nX-Large: ");
  while (b.len < 100000) ck_buf_text(&b, "a");
  ck_buf_text(&b, "\r\n\r\n");
  t_web_send(fd, b.data, b.len);
  T_CHECK(t_web_closes(fd, 5000), "it stays open");
  close(fd);
  ck_buf_free(&b);
  fd = t_web_connect();
  t_web_send(fd, "\x16\x03\x01 no HTTP\r\n\r\n", 15);
  T_CHECK(t_web_closes(fd, 5000), "what is no HTTP stays open");
  close(fd);
  t_web_refused_from("unfinished", 2);
  others_are_served();
}

/* One more than web.connections is told so; those that are there go on. */
T_STORY(web_limits, too_many_connections, 60) {
  enum { MOST = 40 };
  int fds[MOST];
  t_setf("web.connections", "%d", MOST);
  t_up();
  token = t_token("reader", "read");
  for (int i = 0; i < MOST; ++i) fds[i] = t_web_connect();
  T_UNTIL(20000, ({
            struct t_reply r = t_ask_web("GET", "/v1/status", token, "", NULL);
            int status = r.status;
            t_reply_free(&r);
            status == 503 || status == 0;
          }),
          "there is no limit");
  char ask[300];
  int n = snprintf(ask, sizeof ask,
                   "GET /v1/status HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n\r\n",
                   t_web_host(), token);
  T_CHECK(t_web_send(fds[3], ask, (size_t)n), "a connection was closed");
  struct t_reply r = t_web_read(fds[3], 20000);
  T_CHECK(r.status == 200, "one of those that are there gets %d", r.status);
  t_reply_free(&r);
  t_web_refused_from("connections", 1);
  for (int i = 0; i < MOST; ++i) close(fds[i]);
  T_UNTIL(20000, ({
            struct t_reply again = t_ask_web("GET", "/v1/status", token, "", NULL);
            int status = again.status;
            t_reply_free(&again);
            status == 200;
          }),
          "nobody is served any more");
}

T_STORY(web_limits, more_than_the_rate, 60) {
  t_set("web.rate", "10");
  t_up();
  token = t_token("reader", "read");
  const char *other = t_token("other", "read");
  int refused = 0;
  for (int i = 0; i < 30; ++i) {
    struct t_reply r = t_ask_web("GET", "/v1/status", token, "", NULL);
    T_CHECK(r.status == 200 || (r.status == 429 && t_reply_header(&r, "Retry-After")), "%d",
            r.status);
    refused += r.status == 429;
    t_reply_free(&r);
  }
  T_CHECK(refused > 5, "%d of 30 were refused", refused);
  t_web_says(200, NULL, "GET", "/v1/status", other, "", NULL);
  t_web_refused_from("rate", refused);
}

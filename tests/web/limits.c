/* Slow heads, endless bodies, too many connections: refused, counted, and the rest unharmed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
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
  close(fd);
  close(silent);
  t_web_refused("{'slow': 1}"); /* and one that says nothing is not */
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
  t_web_refused("{'body': 4}");
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
  t_web_refused("{'unfinished': 2}");
  others_are_served();
}

/* ---- 2,000 connections ---- */

enum { MANY = 2000, SPARE = 8, BEYOND = 5 };

/* Each needs a descriptor, here and in webd, which inherits the most that there may be. */
static void need_descriptors(rlim_t n) {
  struct rlimit l;
  getrlimit(RLIMIT_NOFILE, &l);
  if (l.rlim_max < n) t_skip("at most %lu descriptors here", (unsigned long)l.rlim_max);
  if (l.rlim_cur < n) l.rlim_cur = n;
  setrlimit(RLIMIT_NOFILE, &l);
}

static int64_t open_connections(void) {
  json_t *status = t_status(1000);
  json_t *webd = status ? t_daemon_entry(status, "webd", 0) : NULL;
  int64_t n = webd ? t_int_at(webd, "info.connections", -1) : -1;
  json_decref(status);
  return n;
}

/* One that connects is told so before it asks, and when to come again. */
static void is_turned_away(void) {
  int fd = t_web_connect();
  struct t_reply r = t_web_read(fd, 20000);
  const char *when = t_reply_header(&r, "Retry-After");
  T_CHECK(r.status == 503 && when && strstr(r.body, "\"connections\""), "%d %s", r.status,
          r.body ? r.body : "");
  t_reply_free(&r);
  close(fd);
}

static void all_ask_and_are_answered(void) {
  static int fds[MANY];
  char ask[300];
  int n = snprintf(ask, sizeof ask,
                   "GET /v1/status HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n"
                   "Connection: close\r\n\r\n",
                   t_web_host(), token);
  for (int i = 0; i < MANY; ++i) {
    fds[i] = t_web_connect();
    T_CHECK(t_web_send(fds[i], ask, (size_t)n), "connection %d was closed", i);
  }
  for (int i = 0; i < MANY; ++i) {
    struct t_reply r = t_web_read(fds[i], 20000);
    T_CHECK(r.status == 200, "connection %d gets %d", i, r.status);
    t_reply_free(&r);
    close(fds[i]);
  }
}

/* 2,000 clients send half of a large head, which is all that they may have, and no more: others are
 * served meanwhile; beyond web.connections they are told so; afterwards 2,000 are served at once.
 */
T_STORY(web_limits, two_thousand_half_heads, 90) {
  static int fds[MANY + SPARE];
  static char head[12000];
  need_descriptors(MANY + 200);
  t_setf("web.connections", "%d", MANY + SPARE);
  t_set("web.rate", "0");
  t_up();
  token = t_token("reader", "read");
  others_are_served();
  long before = t_memory_mib(t_pid("webd"));
  memset(head, 'a', sizeof head);
  memcpy(head, "GET / HTTP/1.1\r\nX-Large: ", 25);
  int64_t began = ck_boot_ms();
  for (int i = 0; i < MANY; ++i) {
    fds[i] = t_web_connect();
    T_CHECK(t_web_send(fds[i], head, sizeof head), "connection %d was closed", i);
    if (i % 500 == 0) others_are_served();
  }
  others_are_served();
  T_UNTIL(20000, open_connections() == MANY, "%d are open", (int)open_connections());
  long full = t_memory_mib(t_pid("webd"));
  for (int i = MANY; i < MANY + SPARE; ++i) fds[i] = t_web_connect();
  for (int i = 0; i < BEYOND; ++i) is_turned_away();
  for (int i = 0; i < MANY + SPARE; ++i) close(fds[i]);
  int took = (int)(ck_boot_ms() - began);
  T_CHECK(took < 15000, "%d ms: a head may take 15 s, so some were cut off before", took);
  t_web_refused("{'unfinished': %d, 'connections': %d}", MANY, BEYOND);
  all_ask_and_are_answered();
  t_web_refused("{'unfinished': %d, 'connections': %d}", MANY, BEYOND);
  long after = t_memory_mib(t_pid("webd"));
  t_note("%ld MiB, with %d half heads %ld for %d ms; after as many answers at once %ld", before,
         MANY, full, took, after);
  /* 16 KiB for each head, and the answers, of some KiB each. A sanitizer keeps what was freed. */
  T_CHECK(T_SLOWER > 1 || full < before + 40, "webd has taken %ld MiB, %ld before", full, before);
  T_CHECK(T_SLOWER > 1 || after < before + 64, "webd keeps %ld MiB, %ld before", after, before);
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
  t_web_refused("{'rate': %d}", refused);
}

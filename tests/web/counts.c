/* Each refusal is counted once, whatever becomes of its connection, and what rests is refused
 * nothing; how long each may take, by a clock that the test moves. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/harness/base.h"
#include "tests/web/alone.h"
#include "tests/web/client.h"

#define TAKEN 5000       /* bytes that POST /take takes */
#define MUCH (64u << 20) /* more than a socket holds */
#define RESTS_MS 15500   /* longer than a head may take */
#define HEAD_MS 15000
#define BODY_MS 60000
#define ANSWER_MS 120000

static const char *token;
static uint64_t counted[WEB_REFUSALS];

static void on_request(void *self, struct web_request *r) {
  struct ck_buf b = {0};
  (void)self;
  ck_buf_text(&b, "{}");
  web_answer(r, 200, WEB_JSON, &b);
}

static void on_much(void *self, struct web_request *r) {
  struct ck_buf b = {0};
  (void)self;
  memset(ck_buf_room(&b, MUCH), 'x', MUCH);
  b.len = MUCH;
  web_answer(r, 200, WEB_JSON, &b);
}

static const struct web_route routes[] = {
    {WEB_GET, "/now", 0, WEB_OPEN, 0, on_request, NULL},
    {WEB_GET, "/much", 0, WEB_OPEN, 0, on_much, NULL},
    {WEB_POST, "/take", CK_SCOPE_READ, 0, TAKEN, on_request, NULL},
    {0}};

/* ---- what a client does ---- */

__attribute__((format(printf, 2, 3))) static void say(int fd, const char *fmt, ...) {
  char text[500];
  va_list ap;
  va_start(ap, fmt);
  int n = vsnprintf(text, sizeof text, fmt, ap);
  va_end(ap);
  T_CHECK(t_web_send(fd, text, (size_t)n), "%s was not taken", text);
  alone_run();
}

/* A whole head. headers: lines ended by \r\n. */
static void ask(int fd, const char *line, const char *headers) {
  say(fd, "%s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n%s\r\n", line, alone_host(),
      token, headers);
}

static int asks(const char *line, const char *headers) {
  int fd = alone_connect();
  ask(fd, line, headers);
  return fd;
}

/* The answer, of a few bytes, has that status. */
static void gets(int fd, int status) {
  char text[4096], begin[20];
  ssize_t n = -1;
  snprintf(begin, sizeof begin, "HTTP/1.1 %d", status);
  T_UNTIL(20000, (alone_run(), (n = recv(fd, text, sizeof text - 1, 0)) > 0), "no answer");
  text[n] = '\0';
  T_CHECK(strncmp(text, begin, strlen(begin)) == 0, "not %d: %s", status, text);
}

static bool is_closed(int fd) {
  char text[4096];
  ssize_t n;
  alone_run();
  while ((n = recv(fd, text, sizeof text, 0)) > 0) continue;
  return n == 0 || errno != EAGAIN;
}

/* The server closes it. */
static void ends(int fd) {
  T_UNTIL(20000, is_closed(fd), "it stays open");
  close(fd);
}

static void ends_after(int fd, int ms) {
  T_CHECK(!is_closed(fd), "it is closed at once");
  alone_later(ms);
  ends(fd);
}

/* It says no more, or all at once that nobody is there. */
static void goes(int fd) { close(fd); }
static void breaks(int fd) {
  const struct linger at_once = {1, 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close(fd);
}

/* Since the last call nothing but `n` refusals of that word were counted; every connection has
 * ended. */
static void counts(const char *what, enum web_refusal why, unsigned n) {
  const struct web_counts *are = web_http_counts(alone_http());
  counted[why] += n;
  T_UNTIL(20000, (alone_run(), are->open == 0), "%s: a connection stays", what);
  for (int i = 0; i < WEB_REFUSALS; ++i)
    T_CHECK(are->refused[i] == counted[i], "%s: %s is counted %llu times, not %llu", what,
            web_refusal_words[i], (unsigned long long)are->refused[i],
            (unsigned long long)counted[i]);
}

static void counts_nothing(const char *what) { counts(what, WEB_REFUSED_HOST, 0); }

static void begin(void) {
  memset(counted, 0, sizeof counted);
  token = alone_begin(routes);
}

/* ---- */

T_STORY(web_counts, what_is_refused_at_its_head, 60) {
  int fd;
  begin();
  for (int i = 0; i < 5; ++i) {
    gets(fd = asks("GET /nothing", ""), 404);
    goes(fd);
  }
  counts("five connections", WEB_REFUSED_PATH, 5);
  gets(fd = asks("GET /nothing", ""), 404);
  breaks(fd);
  counts("a connection that breaks", WEB_REFUSED_PATH, 1);
  fd = alone_connect();
  for (int i = 0; i < 3; ++i) {
    ask(fd, "GET /nothing", "");
    gets(fd, 404);
  }
  ends_after(fd, RESTS_MS);
  counts("a connection that rests afterwards", WEB_REFUSED_PATH, 3);
  fd = alone_connect();
  say(fd, "POST /take HTTP/1.1\r\nHost: %s\r\nContent-Length: 1\r\n\r\na", alone_host());
  gets(fd, 401);
  ends_after(fd, RESTS_MS);
  counts("no token", WEB_REFUSED_TOKEN, 1);
  ends_after(asks("POST /nothing", "Content-Length: 9\r\n"), BODY_MS);
  counts("its body does not come", WEB_REFUSED_PATH, 1);
  goes(asks("POST /nothing", "Content-Length: 9\r\n"));
  counts("it goes before its body", WEB_REFUSED_PATH, 1);
  gets(fd = asks("POST /take", "Content-Length: 999999999\r\n"), 413);
  ends(fd);
  counts("a body that is too large", WEB_REFUSED_BODY, 1);
  fd = asks("POST /take", "Content-Length: 9000\r\n");
  say(fd, "123456789");
  goes(fd);
  counts("the same, which goes", WEB_REFUSED_BODY, 1);
  alone_end();
}

T_STORY(web_counts, what_is_refused_in_its_body, 60) {
  static const char piece[] = "10\r\n0123456789abcdef\r\n";
  size_t sent = 0;
  begin();
  int fd = asks("POST /take", "Transfer-Encoding: chunked\r\n");
  for (; !is_closed(fd) && sent < 8 << 20; sent += 16 * 512)
    for (int i = 0; i < 512; ++i) t_web_send(fd, piece, sizeof piece - 1);
  T_CHECK(sent < 1 << 20, "%zu bytes were read", sent);
  close(fd);
  counts("an endless one", WEB_REFUSED_BODY, 1);
  for (int late = 0; late < 2; ++late) {
    fd = asks("POST /take", "Transfer-Encoding: chunked\r\n");
    for (int i = 0; i < TAKEN / 16 + 10; ++i) say(fd, "%s", piece);
    if (late)
      ends_after(fd, BODY_MS);
    else
      goes(fd);
    counts("one that does not come to its end", WEB_REFUSED_BODY, 1);
  }
  alone_end();
}

T_STORY(web_counts, what_ends_before_it_is_whole, 60) {
  int fd;
  begin();
  goes(alone_connect());
  breaks(alone_connect());
  counts_nothing("nothing was said");
  say(fd = alone_connect(), "GET");
  goes(fd);
  counts("a half line", WEB_REFUSED_UNFINISHED, 1);
  say(fd = alone_connect(), "GET /now HTTP/1.1\r\nHost: ");
  goes(fd);
  counts("a half head", WEB_REFUSED_UNFINISHED, 1);
  say(fd = alone_connect(), "\x16\x03\x01 no HTTP\r\n\r\n");
  ends(fd);
  counts("no HTTP", WEB_REFUSED_UNFINISHED, 1);
  fd = asks("POST /take", "Content-Length: 9\r\n");
  say(fd, "1234");
  goes(fd);
  counts("a half body", WEB_REFUSED_UNFINISHED, 1);
  gets(fd = asks("GET /now", ""), 200);
  goes(fd);
  counts_nothing("one that was answered");
  gets(fd = asks("GET /now", ""), 200);
  say(fd, "GET /now HTTP/1.1\r\n");
  goes(fd);
  counts("a half head after an answer", WEB_REFUSED_UNFINISHED, 1);
  gets(fd = asks("GET /now", ""), 200);
  ask(fd, "POST /take", "Content-Length: 9\r\n");
  say(fd, "1234");
  goes(fd);
  counts("a half body after an answer", WEB_REFUSED_UNFINISHED, 1);
  gets(fd = asks("GET /nothing", ""), 404);
  counted[WEB_REFUSED_PATH] += 1;
  say(fd, "GET /now HTTP/1.1\r\n");
  goes(fd);
  counts("a half head after a refusal", WEB_REFUSED_UNFINISHED, 1);
  alone_end();
}

/* A byte a second; somebody else is served after each. */
static void is_cut_after(int fd, int64_t began, int ms) {
  while (!is_closed(fd)) {
    T_CHECK(ck_boot_ms() - began < 2 * ms, "it is not cut");
    t_web_send(fd, "a", 1);
    int other = asks("GET /now", "");
    gets(other, 200);
    goes(other);
    alone_later(1000);
  }
  int64_t took = ck_boot_ms() - began;
  T_CHECK(took >= ms && took < ms + 2000 * T_SLOWER, "it is cut after %lld ms, not %d",
          (long long)took, ms);
  close(fd);
}

T_STORY(web_counts, what_is_slow, 60) {
  begin();
  int64_t now = ck_boot_ms();
  int fd = alone_connect();
  say(fd, "GET /now HTTP/1.1\r\nX-Slow: ");
  is_cut_after(fd, now, HEAD_MS);
  counts("a head", WEB_REFUSED_SLOW, 1);
  now = ck_boot_ms();
  is_cut_after(asks("POST /take", "Content-Length: 4000\r\n"), now, BODY_MS);
  counts("a body", WEB_REFUSED_SLOW, 1);
  ends_after(alone_connect(), RESTS_MS);
  counts_nothing("one that says nothing");
  gets(fd = asks("GET /now", ""), 200);
  ends_after(fd, RESTS_MS);
  counts_nothing("one that rests after an answer");
  gets(fd = asks("GET /now", ""), 200);
  say(fd, "GET /now HTTP/1.1\r\n");
  ends_after(fd, RESTS_MS);
  counts("a head after an answer", WEB_REFUSED_SLOW, 1);
  fd = asks("GET /much", "");
  T_UNTIL(20000, (alone_run(), web_http_busy(alone_http())), "nothing is sent");
  alone_later(ANSWER_MS);
  counts("an answer that is not taken", WEB_REFUSED_SLOW, 1);
  close(fd);
  alone_end();
}

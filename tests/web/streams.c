/* Answers without an end, answers that come later, and the end of the server with both. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/harness/base.h"
#include "tests/harness/ring.h"
#include "tests/web/alone.h"
#include "tests/web/client.h"

static struct {
  struct web_stream *stream;
  struct web_request *later;
  int gone, handled;
} own;

static void gone(void *self) {
  (void)self;
  ++own.gone;
  own.stream = NULL;
}

static void on_stream(void *self, struct web_request *r) {
  (void)self;
  ++own.handled;
  own.stream = web_stream(r, "text/event-stream", gone, NULL);
}

static void on_later(void *self, struct web_request *r) {
  (void)self;
  ++own.handled;
  own.later = r;
}

static const struct web_route own_routes[] = {
    {WEB_GET, "/stream", CK_SCOPE_READ, 0, 0, on_stream, NULL},
    {WEB_GET, "/later", 0, WEB_OPEN, 0, on_later, NULL},
    {0}};

static const char *begin(void) {
  memset(&own, 0, sizeof own);
  return alone_begin(own_routes);
}

static int ask(const char *path, const char *token) {
  char text[400];
  int fd = alone_connect(), n = snprintf(text, sizeof text,
                                         "GET %s HTTP/1.1\r\nHost: %s\r\n"
                                         "Authorization: Bearer %s\r\n\r\n",
                                         path, alone_host(), token);
  T_CHECK(t_web_send(fd, text, (size_t)n), "not sent");
  int before = own.handled;
  T_UNTIL(20000, (alone_run(), own.handled > before), "%s has no handler", path);
  alone_run();
  return fd;
}

/* Reads until the text is there. */
static void reads(int fd, struct ck_buf *b, const char *part) {
  T_UNTIL(20000, ({
            alone_run();
            ssize_t n = recv(fd, ck_buf_room(b, 65536), 65536, 0);
            if (n > 0) b->len += (size_t)n;
            b->len &&strstr(ck_buf_cstr(b), part);
          }),
          "%s did not come", part);
}

T_STORY(web_streams, what_is_put_arrives, 30) {
  const char *token = begin();
  struct ck_buf b = {0};
  int fd = ask("/stream", token);
  T_CHECK(own.stream && web_http_counts(alone_http())->streams == 1, "there is no stream");
  reads(fd, &b, "text/event-stream");
  for (int i = 0; i < 20; ++i) {
    char text[32], mark[32];
    snprintf(text, sizeof text, "data: %d\n\n", i);
    snprintf(mark, sizeof mark, "data: %d\n", i);
    web_stream_put(own.stream, ck_str_of(text));
    reads(fd, &b, mark);
  }
  web_stream_end(own.stream);
  reads(fd, &b, "\r\n0\r\n\r\n");
  T_CHECK(own.gone == 0, "its owner has ended it, and is told that it is gone");
  close(fd);
  ck_buf_free(&b);
  alone_end();
}

T_STORY(web_streams, a_client_that_goes, 30) {
  const char *token = begin();
  int fd = ask("/stream", token);
  close(fd);
  for (int i = 0; i < 100 && !own.gone; ++i) {
    if (own.stream) web_stream_put(own.stream, CK_LIT(":\n\n"));
    alone_run();
    t_pause(5);
  }
  T_CHECK(own.gone == 1, "gone was called %d times", own.gone);
  alone_end();
}

/* What it does not read is kept, up to a limit. */
T_STORY(web_streams, a_client_that_does_not_read, 30) {
  const char *token = begin();
  static char much[65536];
  memset(much, 'x', sizeof much);
  int fd = ask("/stream", token);
  size_t put = 0;
  for (; own.stream && put < (64u << 20); put += sizeof much) {
    web_stream_put(own.stream, (struct ck_str){much, sizeof much});
    alone_run();
  }
  T_UNTIL(20000, (alone_run(), own.gone == 1), "it is not cut off after %zu bytes", put);
  T_CHECK(put < (32u << 20), "%zu bytes were taken", put);
  close(fd);
  alone_end();
}

T_STORY(web_streams, a_token_that_is_revoked, 30) {
  const char *token = begin();
  int fd = ask("/stream", token);
  t_do(0, "web", "token", "revoke", "reader");
  T_UNTIL(20000, (alone_run(), own.gone == 1), "its stream goes on");
  T_CHECK(t_web_closes(fd, 1000), "its connection stays open");
  close(fd);
  alone_end();
}

/* The end of the server ends all: streams, and requests that wait for their answer. */
T_STORY(web_streams, the_end, 30) {
  const char *token = begin();
  struct ck_buf b = {0};
  int stream = ask("/stream", token), later = ask("/later", token), waiting = ask("/later", token);
  T_CHECK(own.later, "no request waits");
  struct web_request *last = own.later;
  struct ck_buf text = {0};
  ck_buf_text(&text, "{}");
  web_answer(last, 200, WEB_JSON, &text);
  reads(waiting, &b, "{}");
  web_http_stop(alone_http());
  T_CHECK(web_http_busy(alone_http()), "a request waits, and the server is not busy");
  alone_end();
  T_CHECK(own.gone == 1, "gone was called %d times", own.gone);
  T_CHECK(t_web_closes(stream, 1000) && t_web_closes(later, 1000), "connections stay open");
  close(stream);
  close(later);
  close(waiting);
  ck_buf_free(&b);
}

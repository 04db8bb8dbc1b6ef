/* See stream.h. It asks with HTTP/1.0, so that the body comes as it is. */
#include "tests/web/stream.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/harness/base.h"
#include "tests/web/client.h"

struct t_stream {
  int fd;
  bool ended;
  struct ck_buf got; /* not read yet */
  size_t at;
  char id[120], next[120]; /* next: of the event that is being read; it counts once that is whole */
  struct t_event event;
};

static bool more(struct t_stream *s, int64_t until) {
  int64_t left = until - ck_boot_ms();
  struct pollfd p = {s->fd, POLLIN, 0};
  if (s->ended || left < 0 || poll(&p, 1, (int)left) <= 0) return false;
  if (s->at) {
    memmove(s->got.data, s->got.data + s->at, s->got.len - s->at);
    s->got.len -= s->at;
    s->at = 0;
  }
  ssize_t n = recv(s->fd, ck_buf_room(&s->got, 65536), 65536, 0);
  s->ended = n <= 0;
  if (n > 0) s->got.len += (size_t)n;
  return n > 0;
}

/* A line without its end, on the heap; NULL: it has not come. */
static char *line(struct t_stream *s, int64_t until) {
  for (;;) {
    size_t n = s->got.len - s->at;
    const char *from = s->got.data ? s->got.data + s->at : "", *end = n ? memchr(from, '\n', n) : 0;
    if (end) {
      struct ck_str text = {from, (size_t)(end - from)};
      s->at += text.n + 1;
      if (text.n && text.s[text.n - 1] == '\r') --text.n;
      return ck_str_dup(text);
    }
    if (!more(s, until)) return NULL;
  }
}

struct t_stream *t_stream(const char *path, const char *token, const char *last) {
  struct t_stream *s = ck_zalloc(sizeof *s);
  struct ck_buf b = {0};
  ck_buf_printf(&b, "GET %s HTTP/1.0\r\nHost: %s\r\nAuthorization: Bearer %s\r\n", path,
                t_web_host(), token);
  if (last) ck_buf_printf(&b, "Last-Event-ID: %s\r\n", last);
  ck_buf_text(&b, "\r\n");
  s->fd = t_web_connect();
  t_web_send(s->fd, b.data, b.len);
  ck_buf_free(&b);
  int64_t until = ck_boot_ms() + 10000 * T_SLOWER;
  char *status = line(s, until), *rest;
  T_CHECK(status && strstr(status, " 200 "), "%s: %s", path, status ? status : "no answer");
  free(status);
  while ((rest = line(s, until)) && *rest) free(rest);
  free(rest);
  return s;
}

static void take_field(struct t_stream *s, const char *text, struct ck_buf *data) {
  if (strncmp(text, "id: ", 4) == 0) snprintf(s->next, sizeof s->next, "%s", text + 4);
  if (strncmp(text, "event: ", 7) == 0)
    snprintf(s->event.event, sizeof s->event.event, "%s", text + 7);
  if (strncmp(text, "data: ", 6) == 0) ck_buf_text(data, text + 6);
}

static const struct t_event *dispatch(struct t_stream *s, struct ck_buf *data) {
  json_decref(s->event.data);
  s->event.data = json_loads(ck_buf_cstr(data), 0, NULL);
  T_CHECK(s->event.data, "an event's data is no JSON: %.300s", ck_buf_cstr(data));
  snprintf(s->event.id, sizeof s->event.id, "%s", s->id);
  s->event.version = strtoull(s->id, NULL, 10);
  return &s->event;
}

/* An event that has begun is waited for. */
const struct t_event *t_stream_next(struct t_stream *s, int ms) {
  struct ck_buf data = {0};
  int64_t until = ck_boot_ms() + (int64_t)ms * T_SLOWER;
  s->event.event[0] = '\0';
  for (char *text; (text = line(s, until));) {
    bool end = !*text && data.len;
    take_field(s, text, &data);
    if (!*text) memcpy(s->id, s->next, sizeof s->id);
    if (*text && *text != ':') until = ck_boot_ms() + 10000 * T_SLOWER;
    free(text);
    if (end) break;
  }
  const struct t_event *e = data.len && !s->ended ? dispatch(s, &data) : NULL;
  ck_buf_free(&data);
  return e;
}

bool t_stream_ended(const struct t_stream *s) { return s->ended; }

const char *t_stream_id(const struct t_stream *s) { return s->id; }

const struct t_event *t_stream_must(struct t_stream *s, const char *event) {
  const struct t_event *e = t_stream_next(s, 10000);
  T_CHECK(e, "no %s came", event);
  T_CHECK(strcmp(e->event, event) == 0, "%s came, not %s", e->event, event);
  return e;
}

void t_stream_close(struct t_stream **stream) {
  struct t_stream *s = *stream;
  close(s->fd);
  ck_buf_free(&s->got);
  json_decref(s->event.data);
  free(s);
  *stream = NULL;
}

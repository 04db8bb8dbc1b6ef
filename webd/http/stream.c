/* Answers without an end yet. */
#include "webd/http/internal.h"

#include <stdlib.h>

#include "proto/clock.h"

#define LOW_BYTES (WEB_STREAM_BYTES / 4)

struct web_stream {
  struct web_stream *prev, *next;
  struct web_http *http;
  struct MHD_Connection *mhd;
  struct web_connection *on;
  struct web_who who;
  void (*gone)(void *self); /* NULL: its owner has ended it */
  void (*more)(void *self); /* NULL: it puts when it likes */
  void *self;
  struct ck_buf kept;
  size_t at; /* of kept, what has been fetched */
  uint64_t fetched;
  bool suspended, ended, closed;
  bool low; /* little is kept, and `more` was not told of it */
  int64_t rests_until;
};

static void stream_free(void *cls) {
  struct web_stream *s = cls;
  if (s->prev)
    s->prev->next = s->next;
  else
    s->http->streams = s->next;
  if (s->next) s->next->prev = s->prev;
  --s->http->counts.streams;
  if (s->gone) s->gone(s->self);
  ck_buf_free(&s->kept);
  free(s);
}

/* libmicrohttpd fetches what it can send. */
static ssize_t fetch(void *cls, uint64_t pos, char *out, size_t most) {
  struct web_stream *s = cls;
  size_t n = web_stream_kept(s);
  (void)pos;
  if (n == 0 && s->ended) return MHD_CONTENT_READER_END_OF_STREAM;
  if (n == 0) {
    s->suspended = true;
    MHD_suspend_connection(s->mhd);
    return 0;
  }
  if (n > most) n = most;
  memcpy(out, s->kept.data + s->at, n);
  s->at += n;
  s->fetched += n;
  if (s->at == s->kept.len) {
    ck_buf_free(&s->kept);
    s->at = 0;
  }
  s->low = web_stream_kept(s) <= LOW_BYTES;
  return (ssize_t)n;
}

struct web_stream *web_stream(struct web_request *r, const char *type, void (*gone)(void *self),
                              void *self) {
  struct web_http *h = r->http;
  struct web_stream *s = ck_zalloc(sizeof *s);
  *s = (struct web_stream){.next = h->streams,
                           .http = h,
                           .mhd = r->mhd,
                           .on = r->on,
                           .who = r->who,
                           .gone = gone,
                           .self = self};
  if (s->next) s->next->prev = s;
  h->streams = s;
  ++h->counts.streams;
  r->stream = s;
  web_request_forget_path(r);
  web_reply(r, MHD_HTTP_OK, type,
            MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 4096, fetch, s, stream_free));
  return s;
}

static void wake(struct web_stream *s) {
  if (!s->suspended) return;
  s->suspended = false;
  s->http->again = true;
  MHD_resume_connection(s->mhd);
}

void web_stream_cut(struct web_stream *s) {
  s->ended = true;
  web_connection_cut(s->on);
  wake(s);
}

size_t web_stream_kept(const struct web_stream *s) { return s->kept.len - s->at; }

uint64_t web_stream_fetched(const struct web_stream *s) { return s->fetched; }

size_t web_stream_room(const struct web_stream *s) {
  size_t n = web_stream_kept(s);
  return n < WEB_STREAM_BYTES ? WEB_STREAM_BYTES - n : 0;
}

void web_stream_pull(struct web_stream *s, void (*more)(void *self)) { s->more = more; }

void web_stream_rest(struct web_stream *s, int ms) { s->rests_until = ck_boot_after(ms); }

/* What was fetched leaves the buffer, before it grows, once it is the larger part. */
static void close_up(struct web_stream *s) {
  size_t n = web_stream_kept(s);
  if (s->at <= n) return;
  memmove(s->kept.data, s->kept.data + s->at, n);
  s->kept.len = n;
  s->at = 0;
}

void web_stream_put(struct web_stream *s, struct ck_str bytes) {
  if (s->ended) return;
  if (web_stream_kept(s) > WEB_STREAM_BYTES) {
    web_stream_cut(s);
    return;
  }
  close_up(s);
  ck_buf_str(&s->kept, bytes);
  wake(s);
}

void web_stream_end(struct web_stream *s) {
  s->gone = NULL;
  s->ended = true;
  wake(s);
}

void web_stream_closed(struct web_stream *s) { s->closed = true; }

void web_streams_look(struct web_http *h) {
  int64_t now = ck_now_ms();
  for (struct web_stream *s = h->streams; s; s = s->next)
    if (!s->ended && !web_access_still(h->access, &s->who, now)) web_stream_cut(s);
}

static bool is_hungry(const struct web_stream *s) { return s->low && s->more && !s->ended; }

void web_streams_feed(struct web_http *h) {
  for (struct web_stream *s = h->streams; s; s = s->next) {
    if (!is_hungry(s) || (!h->stopping && ck_boot_ms() < s->rests_until)) continue;
    s->low = false;
    s->more(s->self);
  }
}

void web_streams_wait(const struct web_http *h, struct ck_wait *w) {
  for (const struct web_stream *s = h->streams; s; s = s->next)
    if (is_hungry(s)) ck_wait_until(w, s->rests_until);
}

void web_streams_end(struct web_http *h) {
  for (struct web_stream *s = h->streams; s; s = s->next) {
    s->ended = true;
    wake(s);
  }
}

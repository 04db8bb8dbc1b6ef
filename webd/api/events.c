/* GET /v1/events: every change, in the order of its version, from where the reader says that it is.
 *
 *             question (STATUS)          ┌──────────┐ change  ┌──────────────┐
 *   first ──► store and version ───────► │ follower │ ──────► │ live readers │
 *   reader                               └──────────┘         └──────────────┘
 *                                                       room, at  ▲  │ too much
 *                                                       the head  │  ▼ to fetch
 *                                          SINCE its cursor   ┌───────────────┐
 *                                        ◄──────────────────► │ those behind  │
 *                                                             └───────────────┘
 *
 * There is one follower for all, and only while somebody reads. A reader that is behind, as each is
 * that comes back with an id, asks the store itself, until its cursor is at least the follower's.
 * Its memory is bounded: who does not fetch is not told more, and asks again later. */
#include "webd/api/events.h"

#include <errno.h>
#include <stdlib.h>

#include "proto/clock.h"
#include "proto/daemon.h"
#include "proto/map.h"
#include "webd/api/api.h"

/* ---- the follower ---- */

static void change(void *self, uint64_t version, const struct ck_row *row) {
  struct web_events *e = self;
  ck_buf_clear(&e->one);
  for (struct reader *r = e->readers; r; r = r->next) {
    if (!r->live || !r->stream) continue;
    if (reader_has_room(r))
      reader_change(r, version, row);
    else if (version > r->cursor)
      reader_live(r, false);
  }
  ck_buf_clear(&e->one);
}

static void upto(void *self, const char *store_id, uint64_t version, bool live) {
  struct web_events *e = self;
  (void)store_id;
  (void)live;
  e->cursor = version;
  for (struct reader *r = e->readers; r; r = r->next)
    if (r->live && version > r->cursor) r->cursor = version;
}

static void reset(void *self, const char *store_id) {
  struct web_events *e = self;
  (void)store_id;
  e->lost = true;
}

static void forget_follower(struct web_events *e) {
  ck_follow_free(&e->follow);
  e->lost = false;
  e->seek_at = 0;
}

/* It goes on from its place, or from the beginning of another store. now: the follower's cursor is
 * where the store is at present, so no reader can be beyond it, unless the store was set back. */
static void place(struct web_events *e, struct reader *r, bool now) {
  bool same = !*r->store_id || strcmp(r->store_id, e->store_id) == 0;
  if (!same || (now && !r->from_now && r->cursor > e->cursor)) {
    reader_reset(r, e->store_id);
    return;
  }
  if (!r->begun) {
    free(r->store_id);
    r->store_id = ck_strdup(e->store_id);
    if (r->from_now) r->cursor = e->cursor;
    r->from_now = false;
    reader_begin(r);
  }
  reader_live(r, r->cursor == e->cursor);
}

static void follow(struct web_events *e, const char *store_id, uint64_t version) {
  const struct ck_follow_ops ops = {e, change, upto, reset, NULL};
  struct ck_err err;
  e->follow = ck_follow_new(e->webd->settings, &ops, 0, store_id, version, &err);
  if (!e->follow) return;
  free(e->store_id);
  e->store_id = ck_strdup(store_id);
  e->cursor = version;
  for (struct reader *r = e->readers; r; r = r->next)
    if (r->stream) place(e, r, true);
}

/* ---- where it begins ---- */

static void found(void *self, const struct web_said *said) {
  struct web_events *e = self;
  e->seeking = false;
  e->seek_at = ck_boot_after(EVENTS_AGAIN_MS);
  if (!said->answer || said->answer->kind != CK_MSG_INFO || e->follow) return;
  struct ck_str info = said->answer->as.info.info, id = ck_map_str(info, "store_id");
  if (!id.n) return;
  char *store_id = ck_str_dup(id);
  follow(e, store_id, ck_map_uint(info, "version", 0));
  free(store_id);
}

static void seek(struct web_events *e) {
  struct ck_message m = {.kind = CK_MSG_STATUS};
  e->seeking = web_ask(e->webd->store, &m, WEB_ANSWER_MS, found, e) == 0;
}

/* ---- the turn ---- */

static void ask_for_those_behind(struct web_events *e) {
  int64_t now = ck_boot_ms();
  for (struct reader *r = e->readers, *next; r && e->asking < EVENTS_ASKING; r = next) {
    next = r == e->last ? NULL : r->next;
    bool may = r->stream && r->begun && !r->live && !r->asking && now >= r->again_at;
    if (may && web_stream_kept(r->stream) < EVENTS_LEAST) reader_ask(r);
  }
}

static void beat(struct web_events *e) {
  int64_t now = ck_boot_ms();
  if (now < e->beat_at) return;
  e->beat_at = now + EVENTS_BEAT_MS;
  for (struct reader *r = e->readers; r; r = r->next)
    if (r->stream) reader_beat(r);
}

void web_events_step(struct web_events *e) {
  if (!e->count) {
    forget_follower(e);
    return;
  }
  if (e->follow) e->wait = ck_follow_step(e->follow);
  if (e->lost) forget_follower(e);
  if (!e->follow && !e->seeking && ck_boot_ms() >= e->seek_at) seek(e);
  if (e->follow && e->behind) ask_for_those_behind(e);
  beat(e);
}

void web_events_wait(struct web_events *e, struct ck_wait *w) {
  zmq_pollitem_t items[2];
  if (!e->count) return;
  ck_wait_lazily(w, e->beat_at);
  if (!e->follow) ck_wait_lazily(w, e->seek_at);
  if (!e->follow) return;
  for (int i = 0, n = ck_follow_items(e->follow, items); i < n; ++i)
    ck_wait_for(w, items[i].socket, 0, ZMQ_POLLIN);
  ck_wait_within(w, e->wait);
  if (e->behind) ck_wait_lazily(w, ck_boot_after(EVENTS_AGAIN_MS));
}

struct web_events *web_events_new(struct webd *w) {
  struct web_events *e = ck_zalloc(sizeof *e);
  e->webd = w;
  return e;
}

void web_events_free(struct web_events **events) {
  struct web_events *e = *events;
  if (!e) return;
  while (e->readers) reader_free(e->readers);
  ck_follow_free(&e->follow);
  ck_buf_free(&e->one);
  free(e->store_id);
  free(e);
  *events = NULL;
}

/* ---- the request ---- */

static void gone(void *self) {
  struct reader *r = self;
  r->stream = NULL;
  reader_live(r, true);
  if (!r->asking) reader_free(r);
}

/* "VERSION" or "VERSION@STORE". */
static int read_place(struct reader *r, const char *text) {
  char *end;
  errno = 0;
  r->from_now = false;
  r->cursor = strtoull(text, &end, 10);
  if (errno || *text < '0' || *text > '9' || (*end && *end != '@')) return -1;
  free(r->store_id);
  r->store_id = ck_strdup(*end ? end + 1 : end);
  return 0;
}

static int read_tables(struct reader *r, const char *names, struct ck_err *err) {
  char *list = ck_strdup(names), *rest = list;
  for (char *name; (name = strsep(&rest, ","));) {
    enum ck_table t = ck_table_named(ck_str_of(name));
    if (t < CK_TABLES) {
      r->tables |= 1u << t;
      continue;
    }
    ck_fail(err, "tables: there is no table %.100s", name);
    free(list);
    return -1;
  }
  free(list);
  return 0;
}

/* A header is as an EventSource says it when it connects again; it is nearer than the argument. */
static int read_wishes(struct reader *r, struct web_request *q, struct ck_err *err) {
  const char *tables = web_arg(q, "tables"), *after = web_arg(q, "after"),
             *last = web_header(q, "Last-Event-ID");
  if (last && *last) after = last;
  if (after && read_place(r, after))
    return ck_fail(err, "after, or Last-Event-ID: must be a version, or the id of an event");
  return tables ? read_tables(r, tables, err) : 0;
}

void web_api_events(void *self, struct web_request *q) {
  struct webd *w = self;
  struct web_events *e = w->events;
  struct ck_err err;
  struct reader *r = ck_zalloc(sizeof *r);
  *r = (struct reader){.events = e, .store_id = ck_strdup(""), .from_now = true, .prev = e->last};
  if (read_wishes(r, q, &err)) {
    web_refuse(q, WEB_REFUSED_ARGUMENT, "%s", err.text);
    free(r->store_id);
    free(r);
    return;
  }
  *(e->last ? &e->last->next : &e->readers) = r;
  e->last = r;
  if (!e->count++) e->beat_at = ck_boot_after(EVENTS_BEAT_MS);
  ++e->behind;
  r->stream = web_stream(q, "text/event-stream", gone, r);
  web_stream_put(r->stream, CK_LIT("retry: 2000\n\n"));
  if (e->follow) place(e, r, false);
}

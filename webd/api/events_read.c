/* What one reader of /v1/events is told: the store, each change, what it has missed. */
#include "webd/api/events.h"

#include <stdlib.h>

#include "proto/clock.h"
#include "proto/log.h"

/* ---- events ---- */

static void put_id(struct ck_buf *b, const char *store_id, uint64_t version) {
  ck_buf_printf(b, "id: %llu@%s\n", (unsigned long long)version, store_id);
}

void events_change(struct ck_buf *b, const char *store_id, uint64_t version,
                   const struct ck_row *row) {
  put_id(b, store_id, version);
  ck_buf_printf(b, "event: change\ndata: {\"version\":%llu,\"table\":\"%s\",\"record\":",
                (unsigned long long)version, ck_tables[row->table].name);
  ck_row_json(b, row);
  ck_buf_text(b, "}\n\n");
}

static void tell_store(struct reader *r, const char *event) {
  struct ck_buf b = {0};
  put_id(&b, r->store_id, r->cursor);
  ck_buf_printf(&b, "event: %s\ndata: {", event);
  ck_buf_json_member(&b, "store_id", ck_str_of(r->store_id));
  ck_buf_printf(&b, ",\"version\":%llu}\n\n", (unsigned long long)r->cursor);
  web_stream_put(r->stream, ck_buf_view(&b));
  ck_buf_free(&b);
}

void reader_begin(struct reader *r) {
  r->begun = true;
  tell_store(r, "store");
}

void reader_reset(struct reader *r, const char *store_id) {
  char *id = ck_strdup(store_id);
  free(r->store_id);
  r->store_id = id;
  r->cursor = 0;
  r->begun = true;
  ++r->reset;
  reader_live(r, false);
  tell_store(r, "reset");
}

/* An event without data is none, but its id counts: a reader that wants few tables need not read
 * again what lies behind it. */
void reader_beat(struct reader *r) {
  struct ck_buf b = {0};
  uint64_t fetched = web_stream_fetched(r->stream);
  r->stuck = web_stream_kept(r->stream) && fetched == r->fetched ? r->stuck + 1 : 0;
  r->fetched = fetched;
  if (r->stuck >= EVENTS_STUCK) {
    web_stream_cut(r->stream);
    return;
  }
  ck_buf_text(&b, ":\n");
  if (r->begun) put_id(&b, r->store_id, r->cursor);
  ck_buf_text(&b, "\n");
  web_stream_put(r->stream, ck_buf_view(&b));
  ck_buf_free(&b);
}

static size_t room_each(const struct web_events *e) {
  size_t each = EVENTS_BYTES / (e->count ? e->count : 1);
  return each > EVENTS_MOST ? EVENTS_MOST : each < EVENTS_LEAST ? EVENTS_LEAST : each;
}

bool reader_has_room(const struct reader *r) {
  return web_stream_kept(r->stream) < room_each(r->events);
}

static bool wants(const struct reader *r, const struct ck_row *row) {
  return r->tables == 0 || (r->tables & 1u << row->table);
}

void reader_change(struct reader *r, uint64_t version, const struct ck_row *row) {
  struct web_events *e = r->events;
  if (version <= r->cursor) return;
  r->cursor = version;
  if (!wants(r, row)) return;
  if (!e->one.len) events_change(&e->one, r->store_id, version, row);
  web_stream_put(r->stream, ck_buf_view(&e->one));
}

/* ---- the list ---- */

static void take_out(struct reader *r) {
  struct web_events *e = r->events;
  *(r->prev ? &r->prev->next : &e->readers) = r->next;
  *(r->next ? &r->next->prev : &e->last) = r->prev;
}

static void go_last(struct reader *r) {
  struct web_events *e = r->events;
  take_out(r);
  r->prev = e->last;
  r->next = NULL;
  *(e->last ? &e->last->next : &e->readers) = r;
  e->last = r;
}

void reader_live(struct reader *r, bool live) {
  if (r->live == live) return;
  r->live = live;
  if (live)
    --r->events->behind;
  else
    ++r->events->behind;
}

void reader_free(struct reader *r) {
  reader_live(r, true);
  --r->events->count;
  take_out(r);
  free(r->store_id);
  free(r);
}

/* ---- what it has missed ---- */

/* Tells what is in the list, as far as there is room. 0: all; 1: there is more; -1: it is broken.
 */
static int tell(struct reader *r, struct ck_str changes, struct ck_err *err) {
  struct ck_arena arena = {0};
  struct ck_reader in = ck_reader_of(changes);
  uint32_t n = 0;
  int rc = ck_read_array(&in, &n) ? ck_fail(err, "changes: not an array") : 0;
  for (; rc == 0 && n; --n) {
    struct ck_row row;
    uint64_t version;
    if (!reader_has_room(r)) {
      rc = 1;
    } else if (ck_change_decode(&in, &version, &row, &arena, err)) {
      rc = -1;
    } else {
      ck_buf_clear(&r->events->one);
      reader_change(r, version, &row);
    }
  }
  ck_buf_clear(&r->events->one);
  ck_arena_free(&arena);
  return rc;
}

static void take_changes(struct reader *r, const struct ck_changes *c) {
  struct web_events *e = r->events;
  struct ck_err err;
  if (!ck_str_is(c->store_id, r->store_id) || c->after != r->cursor) return;
  int rc = tell(r, c->changes, &err);
  if (rc < 0) {
    ck_log(CK_ERROR, "-", "changes_refused", "after=%llu reason=%s", (unsigned long long)c->after,
           ck_quotedz(err.text));
    r->again_at = ck_boot_after(EVENTS_AGAIN_MS);
  }
  if (rc == 0 && c->upto > r->cursor) r->cursor = c->upto;
  /* What the follower hands over from now on is above its cursor, so nothing lies between. */
  if (rc == 0 && e->follow && r->cursor >= e->cursor) reader_live(r, true);
}

static void heard(void *self, const struct web_said *said) {
  struct reader *r = self;
  --r->events->asking;
  r->asking = false;
  if (!r->stream) {
    reader_free(r);
  } else if (r->asked_reset != r->reset) {
    return;
  } else if (said->answer && said->answer->kind == CK_MSG_CHANGES) {
    take_changes(r, &said->answer->as.changes);
  } else {
    /* The store is another one, or was set back: who the follower finds says which. */
    if (ck_str_is(said->code, "store_id")) r->events->lost = true;
    r->again_at = ck_boot_after(EVENTS_AGAIN_MS);
  }
}

void reader_ask(struct reader *r) {
  struct web_events *e = r->events;
  struct ck_message m = {.kind = CK_MSG_SINCE};
  m.as.since = (struct ck_since){
      .store_id = ck_str_of(r->store_id), .after = r->cursor, .tables = r->tables};
  r->asking = true;
  r->asked_reset = r->reset;
  ++e->asking;
  go_last(r);
  if (web_ask(e->webd->store, &m, WEB_ANSWER_MS, heard, r) == 0) return;
  r->asking = false;
  --e->asking;
}

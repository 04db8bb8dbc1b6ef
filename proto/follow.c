/* A follower's two states, and the changes it holds back until a whole list is known to be good. */
#include "proto/follow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/clock.h"
#include "proto/doors.h"
#include "proto/log.h"
#include "proto/states.h"

#define ANSWER_MS 1000
#define FEED_SILENT_MS 3000
#define HELD_MAX 1024u

struct held {
  uint64_t version;
  struct ck_row row;
};

/*            answer reaches the head
 *  ┌─────────┐ ───────────────────► ┌──────┐
 *  │ catchup │                      │ live │
 *  └─────────┘ ◄─────────────────── └──────┘
 *            gap, head above the cursor, silence, other store id
 *
 * While catching up, the feed stays unread in its socket: afterwards, what it holds is either older
 * than the cursor or continues it. */
enum follow_state { CATCHUP, LIVE };

static const unsigned may_become[] = {
    [CATCHUP] = CK_TO(CATCHUP) | CK_TO(LIVE), /* CATCHUP again: the next question */
    [LIVE] = CK_TO(CATCHUP),
};

struct ck_follow {
  const struct ck_settings *settings;
  struct ck_follow_ops ops;
  unsigned tables, also; /* also: added to tables once it has been live */
  bool was_live;
  uint64_t brief; /* as in SINCE */
  void *feed, *snapshot;
  enum follow_state state;
  char *store_id;
  uint64_t cursor, request;
  int64_t asked_at, heard_at;
  struct ck_arena arena; /* converted text of the rows in held */
  struct held *held;     /* the first rows of the frame at hand, and one more that is reused */
  uint32_t rows;         /* room in held */
};

static void become(struct ck_follow *f, enum follow_state next) {
  CK_BECOME(may_become, f->state, next);
}

/* The bit mask of the tables that are followed now; 0: all. */
static unsigned followed(const struct ck_follow *f) {
  return f->tables && f->was_live ? f->tables | f->also : f->tables;
}

static bool is_live(const struct ck_follow *f) { return f->state == LIVE; }

static int feed_open(struct ck_follow *f, struct ck_err *err) {
  ck_door_close(&f->feed, 0);
  /* Also when this fails: it is tried again after FEED_SILENT_MS, not at once. */
  f->heard_at = ck_boot_ms();
  f->feed = ck_door_connect(f->settings, CK_DOOR_FEED, err);
  if (!f->feed) return -1;
  ck_subscribe(f->feed, CK_TOPIC_CHANGE);
  ck_subscribe(f->feed, CK_TOPIC_BEAT);
  return 0;
}

static void catch_up(struct ck_follow *f) {
  become(f, CATCHUP);
  struct ck_message m = {.kind = CK_MSG_SINCE};
  m.as.since = (struct ck_since){++f->request, ck_str_of(f->store_id), f->cursor, followed(f),
                                 f->was_live ? 0 : f->brief};
  struct ck_buf out = {0};
  ck_message_encode(&out, &m);
  ck_send(f->snapshot, ck_buf_view(&out));
  ck_buf_free(&out);
  f->asked_at = ck_boot_ms();
}

struct ck_follow *ck_follow_new(const struct ck_settings *s, const struct ck_follow_ops *ops,
                                unsigned tables, const char *store_id, uint64_t cursor,
                                struct ck_err *err) {
  struct ck_follow *f = ck_zalloc(sizeof *f);
  f->settings = s;
  f->ops = *ops;
  f->tables = tables;
  f->store_id = ck_strdup(store_id);
  f->cursor = cursor;
  f->snapshot = ck_door_connect(s, CK_DOOR_SNAPSHOT, err);
  if (!f->snapshot || feed_open(f, err)) {
    ck_follow_free(&f);
    return NULL;
  }
  f->asked_at = ck_boot_ms() - ANSWER_MS; /* the first step asks */
  return f;
}

void ck_follow_also(struct ck_follow *f, unsigned tables) { f->also = tables; }

void ck_follow_brief(struct ck_follow *f) { f->brief = UINT64_MAX; }

void ck_follow_free(struct ck_follow **follow) {
  struct ck_follow *f = *follow;
  if (!f) return;
  ck_door_close(&f->feed, 0);
  ck_door_close(&f->snapshot, 0);
  ck_arena_free(&f->arena);
  free(f->held);
  free(f->store_id);
  free(f);
  *follow = NULL;
}

int ck_follow_items(struct ck_follow *f, zmq_pollitem_t items[2]) {
  items[0] = (zmq_pollitem_t){f->snapshot, 0, ZMQ_POLLIN, 0};
  if (!is_live(f) || !f->feed) return 1;
  items[1] = (zmq_pollitem_t){f->feed, 0, ZMQ_POLLIN, 0};
  return 2;
}

bool ck_follow_live(const struct ck_follow *f) { return is_live(f); }
uint64_t ck_follow_cursor(const struct ck_follow *f) { return f->cursor; }

static void start_over(struct ck_follow *f, struct ck_str store_id) {
  free(f->store_id);
  f->store_id = ck_str_dup(store_id);
  f->cursor = 0;
  f->was_live = false;
  if (f->brief) f->brief = UINT64_MAX;
  f->ops.reset(f->ops.self, f->store_id);
  catch_up(f);
}

static int decode_next(struct ck_follow *f, struct ck_reader *r, struct held *into,
                       struct ck_err *err) {
  return ck_change_decode(r, &into->version, &into->row, &f->arena, err);
}

static struct held *room_for(struct ck_follow *f, uint32_t n) {
  uint32_t rows = n < HELD_MAX ? n + 1 : HELD_MAX + 1;
  if (rows > f->rows) f->held = ck_realloc(f->held, rows * sizeof *f->held);
  if (rows > f->rows) f->rows = rows;
  return f->held;
}

/* Decodes the whole list before the first change is handed over, so a broken list changes nothing.
 * Keeps the first HELD_MAX rows; rows after those are only checked here and decoded again when they
 * are handed over. *rest: where they begin. */
static int decode_all(struct ck_follow *f, struct ck_str changes, uint32_t *n,
                      struct ck_reader *rest, struct ck_err *err) {
  struct ck_reader r = ck_reader_of(changes);
  if (ck_read_array(&r, n)) return ck_fail(err, "changes: not an array");
  struct held *held = room_for(f, *n);
  *rest = r;
  for (uint32_t i = 0; i < *n; ++i) {
    if (decode_next(f, &r, &held[i < HELD_MAX ? i : HELD_MAX], err)) return -1;
    if (i < HELD_MAX) *rest = r;
  }
  return r.p == r.end ? 0
                      : ck_fail(err, "changes: %zu bytes after the last", (size_t)(r.end - r.p));
}

static void hand_over(struct ck_follow *f, const struct ck_changes *c) {
  struct ck_err err;
  struct ck_reader r;
  uint32_t n;
  unsigned tables = followed(f);
  ck_arena_reset(&f->arena);
  if (decode_all(f, c->changes, &n, &r, &err)) {
    ck_log(CK_ERROR, "-", "changes_refused", "after=%llu upto=%llu reason=%s",
           (unsigned long long)c->after, (unsigned long long)c->upto, ck_quotedz(err.text));
    return;
  }
  for (uint32_t i = 0; i < n; ++i) {
    const struct held *h = &f->held[i < HELD_MAX ? i : HELD_MAX];
    if (i >= HELD_MAX && decode_next(f, &r, &f->held[HELD_MAX], &err)) break;
    bool wanted = tables == 0 || (tables & 1u << h->row.table);
    if (wanted && h->version > f->cursor) f->ops.change(f->ops.self, h->version, &h->row);
  }
  f->cursor = c->upto;
}

static void take_changes(struct ck_follow *f, const struct ck_changes *c) {
  if (c->request != f->request || is_live(f)) return;
  if (f->store_id[0] == '\0') {
    free(f->store_id);
    f->store_id = ck_str_dup(c->store_id);
  }
  if (!ck_str_is(c->store_id, f->store_id)) {
    start_over(f, c->store_id);
    return;
  }
  if (c->after != f->cursor || c->upto < c->after) return;
  /* What has changed since the first answer may have been handed over as it was before. */
  if (f->brief == UINT64_MAX) f->brief = c->head;
  hand_over(f, c);
  /* The list was broken: ask again after ANSWER_MS, not at once. */
  if (f->cursor != c->upto) return;
  if (c->upto >= c->head) become(f, LIVE);
  f->was_live |= is_live(f);
  f->ops.upto(f->ops.self, f->store_id, f->cursor, is_live(f));
  if (is_live(f))
    f->heard_at = ck_boot_ms();
  else
    catch_up(f);
}

static void take_answer(struct ck_follow *f, struct ck_str bytes) {
  struct ck_message m;
  struct ck_err err;
  if (ck_message_decode(&m, bytes.s, bytes.n, &err)) {
    ck_log(CK_WARN, "-", "answer_refused", "reason=%s", ck_quotedz(err.text));
    return;
  }
  if (m.kind == CK_MSG_CHANGES) take_changes(f, &m.as.changes);
  if (m.kind == CK_MSG_PROBLEM && m.as.problem.request == f->request &&
      ck_str_is(m.as.problem.code, "store_id"))
    start_over(f, (struct ck_str){0});
}

static void take_beat(struct ck_follow *f, const struct ck_beat *beat) {
  if (f->ops.beat) f->ops.beat(f->ops.self, beat);
  if (beat->head > f->cursor) catch_up(f);
}

static void take_feed(struct ck_follow *f, struct ck_str bytes) {
  struct ck_message m;
  struct ck_err err;
  if (ck_message_decode(&m, bytes.s, bytes.n, &err)) {
    ck_log(CK_WARN, "-", "feed_refused", "reason=%s", ck_quotedz(err.text));
    return;
  }
  f->heard_at = ck_boot_ms();
  if (m.kind == CK_MSG_BEAT) {
    if (!ck_str_is(m.as.beat.store_id, f->store_id))
      start_over(f, m.as.beat.store_id);
    else
      take_beat(f, &m.as.beat);
  }
  if (m.kind != CK_MSG_CHANGES || !ck_str_is(m.as.changes.store_id, f->store_id)) return;
  const struct ck_changes *c = &m.as.changes;
  if (c->upto <= f->cursor) return;
  if (c->after != f->cursor) {
    catch_up(f);
    return;
  }
  hand_over(f, c);
  if (f->cursor != c->upto)
    catch_up(f);
  else
    f->ops.upto(f->ops.self, f->store_id, f->cursor, true);
}

static int until(int64_t since, int64_t patience) {
  int64_t left = since + patience - ck_boot_ms();
  return left < 0 ? 0 : (int)left;
}

int ck_follow_step(struct ck_follow *f) {
  zmq_msg_t topic, frame;
  while (ck_recv(f->snapshot, &frame) == 0) {
    take_answer(f, ck_frame(&frame));
    zmq_msg_close(&frame);
  }
  while (is_live(f) && f->feed && ck_recv2(f->feed, &topic, &frame) == 0) {
    take_feed(f, ck_frame(&frame));
    zmq_msg_close(&topic);
    zmq_msg_close(&frame);
  }
  if (is_live(f) && until(f->heard_at, FEED_SILENT_MS) == 0) {
    struct ck_err err;
    if (feed_open(f, &err)) ck_log(CK_ERROR, "-", "feed_lost", "reason=%s", ck_quotedz(err.text));
    catch_up(f);
  }
  if (!is_live(f) && until(f->asked_at, ANSWER_MS) == 0) catch_up(f);
  return is_live(f) ? until(f->heard_at, FEED_SILENT_MS) : until(f->asked_at, ANSWER_MS);
}

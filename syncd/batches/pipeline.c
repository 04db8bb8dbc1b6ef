/* The batches that are held: adding, picking, returning (pipeline.h). What each answer does is
 * in answers.c. */
#include "syncd/batches/pipeline_internal.h"

#include <assert.h>
#include <stdlib.h>

void sync_pipeline_init(struct sync_pipeline *p, const struct sync_limits *limits,
                        int64_t backoff_max, uint64_t seed) {
  *p = (struct sync_pipeline){.limits = limits, .backoff_max = backoff_max, .random = {seed}};
}

/* ---- slices ---- */

void sync_pipeline_split(struct sync_batch *b, struct sync_slice *s, size_t n) {
  sync_batch_insert(b, s, sync_slice_halve(s, n));
}

void sync_pipeline_by_table(struct sync_batch *b, struct sync_slice *s) {
  for (size_t n; (n = sync_slice_same_table(s)) < s->n; s = s->next) sync_pipeline_split(b, s, n);
}

void sync_pipeline_move(struct sync_slice *s, enum sync_class cause, enum sync_slice_state to,
                        int64_t until) {
  sync_slice_move(s, cause, to);
  s->not_before = until;
}

/* ---- batches ---- */

void sync_pipeline_drop(struct sync_batch *batch) {
  sync_batch_free(batch);
  free(batch);
}

static struct sync_batch *take_first(struct sync_batch **list) {
  struct sync_batch *b = *list;
  if (!b) return NULL;
  *list = b->next;
  b->next = NULL;
  return b;
}

void sync_pipeline_free(struct sync_pipeline *p) {
  for (struct sync_batch *b; (b = take_first(&p->first));) sync_pipeline_drop(b);
  for (struct sync_batch *b; (b = take_first(&p->returned));) sync_pipeline_drop(b);
}

static void unlink_batch(struct sync_pipeline *p, struct sync_batch *b) {
  struct sync_batch **at = &p->first;
  assert(b != p->sent_batch);
  while (*at != b) at = &(*at)->next;
  *at = b->next;
  b->next = NULL;
}

/* BLOCKED batches do not count: sync_pipeline_postpone keeps them few. */
unsigned sync_pipeline_room(const struct sync_pipeline *p) {
  unsigned active = 0, parked = 0;
  size_t bytes = 0;
  for (const struct sync_batch *b = p->first; b; b = b->next) {
    enum sync_batch_state state = sync_batch_state(b);
    active += state == SYNC_BATCH_ACTIVE;
    parked += state == SYNC_BATCH_PARKED;
    if (state == SYNC_BATCH_PARKED) bytes += b->bytes;
  }
  bool full = active >= SYNC_ACTIVE_MAX || parked >= SYNC_PARKED_MAX || bytes >= SYNC_PARKED_BYTES;
  return full ? 0 : SYNC_ACTIVE_MAX - active;
}

static void drop_overlapping(struct sync_pipeline *p, const struct sync_batch *with) {
  for (struct sync_batch *b = p->first, *next; b; b = next) {
    next = b->next;
    if (b == p->sent_batch || with->after >= b->upto || b->after >= with->upto) continue;
    unlink_batch(p, b);
    sync_pipeline_drop(b);
  }
}

/* Rows that the sink can never take are dead letters before anything is sent. */
static void plan(struct sync_batch *b, const struct sync_limits *limits, int64_t now) {
  struct sync_slices slices;
  struct sync_slice *last = NULL;
  sync_plan(b, limits, &slices);
  for (size_t i = 0; i < b->n; ++i)
    if (b->rows[i].state == SYNC_ROW_DEAD) sync_batch_dead_letter(b, &b->rows[i]);
  for (size_t i = 0; i < slices.n; ++i) {
    last = sync_batch_insert(b, last, slices.at[i]);
    last->not_before = now;
    last->witness = &b->witness;
  }
  free(slices.at);
}

void sync_pipeline_add(struct sync_pipeline *p, struct sync_batch *batch, struct ck_buf *frame,
                       int64_t now) {
  struct sync_batch *b = ck_alloc(sizeof *b), **last = &p->first;
  drop_overlapping(p, batch);
  *b = *batch;
  b->frame = *frame;
  *batch = (struct sync_batch){0};
  *frame = (struct ck_buf){0};
  plan(b, p->limits, now);
  while (*last) last = &(*last)->next;
  *last = b;
}

struct sync_batch *sync_pipeline_answered(struct sync_pipeline *p) {
  for (struct sync_batch *b = p->first; b; b = b->next) {
    if (sync_batch_state(b) != SYNC_BATCH_ANSWERED) continue;
    unlink_batch(p, b);
    return b;
  }
  return NULL;
}

unsigned sync_pipeline_parked(const struct sync_pipeline *p) {
  unsigned n = 0;
  for (const struct sync_batch *b = p->first; b; b = b->next) {
    enum sync_batch_state state = sync_batch_state(b);
    n += state == SYNC_BATCH_PARKED || state == SYNC_BATCH_BLOCKED;
  }
  return n;
}

/* ---- returning ---- */

void sync_pipeline_return(struct sync_pipeline *p, struct sync_batch *b) {
  unlink_batch(p, b);
  b->next = p->returned;
  p->returned = b;
}

bool sync_pipeline_any_paused(const struct sync_pipeline *p) {
  for (enum ck_table t = 0; t < CK_TABLES; ++t)
    if (p->table_again[t]) return true;
  return false;
}

void sync_pipeline_postpone(struct sync_pipeline *p) {
  unsigned held = 0;
  size_t bytes = 0;
  for (struct sync_batch *b = p->first, *next; b; b = next) {
    next = b->next;
    if (b == p->sent_batch || sync_batch_state(b) != SYNC_BATCH_BLOCKED) continue;
    sync_batch_shrink(b);
    if (held < SYNC_BLOCKED_MAX && bytes < SYNC_BLOCKED_BYTES) {
      ++held;
      bytes += b->bytes;
    } else {
      b->postponed = true;
      sync_pipeline_return(p, b);
    }
  }
  bool full = held == SYNC_BLOCKED_MAX || bytes >= SYNC_BLOCKED_BYTES;
  p->postpones = full || sync_pipeline_any_paused(p);
}

void sync_pipeline_return_all(struct sync_pipeline *p) {
  for (struct sync_batch *b = p->first, *next; b; b = next) {
    next = b->next;
    if (b != p->sent_batch && sync_batch_state(b) != SYNC_BATCH_ANSWERED)
      sync_pipeline_return(p, b);
  }
}

struct sync_batch *sync_pipeline_returned(struct sync_pipeline *p) {
  return take_first(&p->returned);
}

/* ---- picking ---- */

/* A slice of a paused table is paused too, without being sent to find that out. */
static void obey_pauses(const struct sync_pipeline *p, struct sync_batch *b, struct sync_slice *s,
                        int64_t now) {
  if (sync_slice_waits(s)) return;
  sync_pipeline_by_table(b, s);
  int64_t until = p->table_again[s->rows[0]->row.table];
  if (until > now) sync_pipeline_move(s, SYNC_TABLE, SYNC_SLICE_PAUSED, until);
}

/* After an EARLY slice fails again, the others wait a little, so that many of them do not take the
 * requests away from what they wait for. */
static int64_t slice_wake(const struct sync_pipeline *p, const struct sync_slice *s) {
  bool held_back = s->state == SYNC_SLICE_EARLY && p->early_again > s->not_before;
  return held_back ? p->early_again : s->not_before;
}

static int64_t ready_at(const struct sync_pipeline *p) {
  int64_t wake = INT64_MAX;
  if (p->sent) return wake;
  for (const struct sync_batch *b = p->first; b; b = b->next)
    for (const struct sync_slice *s = b->slices; s; s = s->next) {
      int64_t at = slice_wake(p, s);
      if (at < wake) wake = at;
    }
  return wake != INT64_MAX && wake < p->again ? p->again : wake;
}

int64_t sync_pipeline_wake(const struct sync_pipeline *p) {
  int64_t wake = ready_at(p);
  return p->probe_at && p->first && !p->sent && p->probe_at < wake ? p->probe_at : wake;
}

unsigned sync_pipeline_ready(const struct sync_pipeline *p, unsigned most, int64_t now) {
  unsigned n = 0;
  if (p->again > now) return 0;
  for (const struct sync_batch *b = p->first; b; b = b->next)
    for (const struct sync_slice *s = b->slices; s && n < most; s = s->next)
      n += s != p->sent && slice_wake(p, s) <= now;
  return n;
}

struct choice {
  struct sync_batch *batch;
  struct sync_slice *slice;
};

/* The one that has been ready longest; of equals, the first. */
static void consider(struct choice *c, struct sync_batch *b, struct sync_slice *s) {
  if (!c->slice || s->not_before < c->slice->not_before) *c = (struct choice){b, s};
}

/* READY slices take turns with all others (split, retried, waiting), so that neither holds up the
 * other. */
struct sync_slice *sync_pipeline_pick(struct sync_pipeline *p, int64_t now) {
  if (ready_at(p) > now) return NULL;
  struct choice fine = {0}, other = {0};
  bool paused = sync_pipeline_any_paused(p);
  for (struct sync_batch *b = p->first; b; b = b->next)
    for (struct sync_slice *s = b->slices; s; s = s->next) {
      if (paused) obey_pauses(p, b, s, now);
      if (slice_wake(p, s) <= now) consider(s->state == SYNC_SLICE_READY ? &fine : &other, b, s);
    }
  struct choice *one = fine.slice && (!other.slice || !p->others_turn) ? &fine : &other;
  if (!one->slice) return NULL;
  p->others_turn = one == &fine;
  p->sent_batch = one->batch;
  p->sent = one->slice;
  for (size_t i = 0; i < p->sent->n; ++i) p->sent->rows[i]->state = SYNC_ROW_OPEN;
  return p->sent;
}

const char *sync_pipeline_state(const struct sync_pipeline *p, int64_t now) {
  if (p->unread) return p->stopped ? "stopped" : "waiting";
  if (!p->first) return "idle";
  if (p->stopped) return "stopped";
  return p->sent || ready_at(p) <= now ? "working" : "waiting";
}

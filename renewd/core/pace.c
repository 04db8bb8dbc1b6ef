/* Lanes, and the heaps of those in which something waits. */
#include "renewd/core/pace.h"

#include <assert.h>
#include <stdlib.h>

static struct renew_lane *lane_of_timer(struct ck_timer *t) {
  return (struct renew_lane *)((char *)t - offsetof(struct renew_lane, timer));
}

static void lane_free(struct renew_pace *p, struct renew_lane *l) {
  if (l->in) ck_heap_drop(l->in, &l->timer);
  renew_index_remove(&p->lanes, &l->node);
  ck_heap_free(&l->waiting);
  free(l->node.id);
  free(l);
}

/* Puts the lane into the heap where it belongs now, if any. */
static void place(struct renew_pace *p, struct renew_lane *l) {
  const struct ck_timer *first = ck_heap_top(&l->waiting);
  int64_t at = l->open_at;
  struct ck_heap *in = NULL;
  if (l->jobs == 0 && l->ours == 0)
    in = &p->unused;
  else if (first && l->open_at != RENEW_NEVER && l->ours < RENEW_SLOTS_OF_A_TARGET)
    in = l->ours ? &p->busy : &p->idle;
  if (first && first->at > at) at = first->at;
  if (l->in && l->in != in) ck_heap_drop(l->in, &l->timer);
  l->in = in;
  if (in) ck_heap_set(in, &l->timer, at);
}

struct renew_lane *renew_pace_join(struct renew_pace *p, struct ck_str key) {
  struct renew_lane *l = (struct renew_lane *)renew_index_find(&p->lanes, key);
  if (!l) {
    l = ck_zalloc(sizeof *l);
    l->node.id = ck_str_dup(key);
    renew_index_add(&p->lanes, &l->node);
  }
  l->jobs++;
  place(p, l);
  return l;
}

void renew_pace_part(struct renew_pace *p, struct renew_lane *l) {
  assert(l->jobs > 0);
  l->jobs--;
  place(p, l);
}

void renew_pace_wait(struct renew_pace *p, struct renew_lane *l, struct ck_timer *t, int64_t at) {
  ck_heap_set(&l->waiting, t, at);
  place(p, l);
}

void renew_pace_leave(struct renew_pace *p, struct renew_lane *l, struct ck_timer *t) {
  ck_heap_drop(&l->waiting, t);
  place(p, l);
}

/* The lane that has the next turn, whenever that is. */
static struct ck_timer *next_lane(const struct renew_pace *p) {
  struct ck_timer *idle = ck_heap_top(&p->idle);
  struct ck_timer *busy = p->ours < RENEW_SLOTS ? ck_heap_top(&p->busy) : NULL;
  return !busy || (idle && idle->at <= busy->at) ? idle : busy;
}

static void drop_unused(struct renew_pace *p, int64_t now) {
  for (struct ck_timer *t; (t = ck_heap_top(&p->unused)) && t->at <= now;)
    lane_free(p, lane_of_timer(t));
}

struct ck_timer *renew_pace_next(struct renew_pace *p, int64_t now) {
  drop_unused(p, now);
  struct ck_timer *t = next_lane(p);
  return t && t->at <= now ? ck_heap_top(&lane_of_timer(t)->waiting) : NULL;
}

int64_t renew_pace_due(const struct renew_pace *p) {
  const struct ck_timer *t = next_lane(p);
  return t ? t->at : RENEW_NEVER;
}

void renew_pace_claim(struct renew_pace *p, struct renew_lane *l) {
  p->ours++;
  l->ours++;
  if (p->spacing > 0) l->open_at = RENEW_NEVER;
  place(p, l);
}

void renew_pace_begin(struct renew_pace *p, struct renew_lane *l, int64_t now) {
  l->open_at = now + p->spacing;
  place(p, l);
}

void renew_pace_end(struct renew_pace *p, struct renew_lane *l, bool begun, int64_t now) {
  assert(p->ours > 0 && l->ours > 0);
  p->ours--;
  l->ours--;
  if (!begun && l->open_at == RENEW_NEVER) l->open_at = now;
  place(p, l);
}

void renew_pace_began(struct renew_pace *p, struct renew_lane *l, int64_t at) {
  if (l->open_at == RENEW_NEVER || l->open_at >= at + p->spacing) return;
  l->open_at = at + p->spacing;
  place(p, l);
}

static void free_lane(void *self, struct renew_node *n) { lane_free(self, (struct renew_lane *)n); }

void renew_pace_free(struct renew_pace *p) {
  renew_index_each(&p->lanes, free_lane, p);
  renew_index_free(&p->lanes);
  ck_heap_free(&p->idle);
  ck_heap_free(&p->busy);
  ck_heap_free(&p->unused);
}

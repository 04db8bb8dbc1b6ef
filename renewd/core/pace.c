/* Lanes, and the heaps of those in which something waits. */
#include "renewd/core/pace.h"

#include <assert.h>
#include <stdlib.h>

static struct renew_lane *lane_of_timer(struct ck_timer *t) {
  return (struct renew_lane *)((char *)t - offsetof(struct renew_lane, timer));
}

/* ---- gates ---- */

static struct renew_gate *gate_get(struct renew_pace *p, int which, struct ck_str key) {
  struct renew_gate *g = (struct renew_gate *)renew_index_find(&p->gates[which], key);
  if (g) return g;
  g = ck_zalloc(sizeof *g);
  g->node.id = ck_str_dup(key);
  renew_index_add(&p->gates[which], &g->node);
  return g;
}

static void gate_enter(struct renew_lane *l, int which, struct renew_gate *g) {
  l->gates[which] = g;
  l->next_of[which] = g->lanes;
  g->lanes = l;
}

static void gate_leave(struct renew_pace *p, struct renew_lane *l, int which) {
  struct renew_gate *g = l->gates[which];
  if (!g) return;
  struct renew_lane **at = &g->lanes;
  while (*at != l) at = &(*at)->next_of[which];
  *at = l->next_of[which];
  if (g->lanes) return;
  renew_index_remove(&p->gates[which], &g->node);
  free(g->node.id);
  free(g);
}

static unsigned slots_of(const struct renew_pace *p, const struct renew_gate *g, int which) {
  if (which == RENEW_GATE_TARGET) return RENEW_SLOTS_OF_A_TARGET;
  return g->limited ? 1 : p->account_slots;
}

static int64_t opens(const struct renew_gate *g) {
  return g->limited && g->until > g->open_at ? g->until : g->open_at;
}

const struct renew_gate *renew_pace_full(const struct renew_pace *p, const struct renew_lane *l) {
  for (int which = 0; which < RENEW_GATES; which++) {
    const struct renew_gate *g = l->gates[which];
    unsigned slots = g ? slots_of(p, g, which) : 0;
    if (slots && g->ours + (g->limited ? l->theirs : 0) >= slots) return g;
  }
  return NULL;
}

bool renew_pace_is_crowded(const struct renew_lane *l) {
  const struct renew_gate *g = l->gates[RENEW_GATE_ACCOUNT];
  return g && g->limited && g->ours > 1;
}

/* ---- lanes ---- */

static void lane_free(struct renew_pace *p, struct renew_lane *l) {
  if (l->in) ck_heap_drop(l->in, &l->timer);
  for (int which = 0; which < RENEW_GATES; which++) gate_leave(p, l, which);
  renew_index_remove(&p->lanes, &l->node);
  ck_heap_free(&l->waiting);
  free(l->node.id);
  free(l);
}

/* Puts the lane into the heap where it belongs now, if any. */
static void place(struct renew_pace *p, struct renew_lane *l) {
  const struct ck_timer *first = ck_heap_top(&l->waiting);
  const struct renew_gate *account = l->gates[RENEW_GATE_ACCOUNT];
  int64_t at = opens(l->gates[RENEW_GATE_TARGET]);
  if (account && opens(account) > at) at = opens(account);
  struct ck_heap *in = NULL;
  if (l->jobs == 0 && l->ours == 0)
    in = &p->unused;
  else if (first && at != RENEW_NEVER && !renew_pace_full(p, l))
    in = l->gates[RENEW_GATE_TARGET]->ours ? &p->busy : &p->idle;
  if (first && first->at > at) at = first->at;
  if (l->in && l->in != in) ck_heap_drop(l->in, &l->timer);
  l->in = in;
  if (in) ck_heap_set_in_order(in, &l->timer, at, l->served);
}

/* Its gates have changed, and with them their other lanes. */
static void place_all(struct renew_pace *p, struct renew_lane *l) {
  for (int which = 0; which < RENEW_GATES; which++)
    for (struct renew_lane *o = l->gates[which] ? l->gates[which]->lanes : NULL; o;
         o = o->next_of[which])
      place(p, o);
}

struct renew_lane *renew_pace_join(struct renew_pace *p, struct ck_str target,
                                   struct ck_str account) {
  struct ck_buf key = {0};
  ck_buf_printf(&key, "%zu ", target.n); /* so that no two pairs have the same */
  ck_buf_str(&key, target);
  ck_buf_str(&key, account);
  struct renew_lane *l = (struct renew_lane *)renew_index_find(&p->lanes, ck_buf_view(&key));
  if (!l) {
    l = ck_zalloc(sizeof *l);
    l->served = ++p->turns;
    l->node.id = ck_str_dup(ck_buf_view(&key));
    renew_index_add(&p->lanes, &l->node);
    gate_enter(l, RENEW_GATE_TARGET, gate_get(p, RENEW_GATE_TARGET, target));
    if (account.n) gate_enter(l, RENEW_GATE_ACCOUNT, gate_get(p, RENEW_GATE_ACCOUNT, account));
  }
  ck_buf_free(&key);
  l->jobs++;
  place(p, l);
  return l;
}

void renew_pace_limit(struct renew_pace *p, struct ck_str account, bool limited, int64_t until) {
  struct renew_gate *g =
      (struct renew_gate *)renew_index_find(&p->gates[RENEW_GATE_ACCOUNT], account);
  if (!g) return;
  g->limited = limited;
  g->until = until;
  for (struct renew_lane *l = g->lanes; l; l = l->next_of[RENEW_GATE_ACCOUNT]) place(p, l);
}

void renew_pace_leave_to_client(struct renew_pace *p, struct renew_lane *l, bool one_more) {
  const struct renew_gate *g = l->gates[RENEW_GATE_ACCOUNT];
  assert(one_more || l->theirs > 0);
  l->theirs += one_more ? 1 : (unsigned)-1;
  if (g && g->limited) place(p, l);
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

/* ---- deliveries ---- */

static int64_t spacing_of(const struct renew_pace *p, int which) {
  return which == RENEW_GATE_TARGET ? p->spacing : p->account_spacing;
}

void renew_pace_claim(struct renew_pace *p, struct renew_lane *l) {
  p->ours++;
  l->ours++;
  l->served = ++p->turns;
  for (int which = 0; which < RENEW_GATES; which++) {
    struct renew_gate *g = l->gates[which];
    if (!g) continue;
    g->ours++;
    if (spacing_of(p, which) > 0) g->open_at = RENEW_NEVER;
  }
  place_all(p, l);
}

void renew_pace_begin(struct renew_pace *p, struct renew_lane *l, int64_t now) {
  for (int which = 0; which < RENEW_GATES; which++)
    if (l->gates[which]) l->gates[which]->open_at = now + spacing_of(p, which);
  place_all(p, l);
}

void renew_pace_end(struct renew_pace *p, struct renew_lane *l, bool begun, int64_t now) {
  assert(p->ours > 0 && l->ours > 0);
  p->ours--;
  l->ours--;
  for (int which = 0; which < RENEW_GATES; which++) {
    struct renew_gate *g = l->gates[which];
    if (!g) continue;
    g->ours--;
    if (!begun && g->open_at == RENEW_NEVER) g->open_at = now;
  }
  place_all(p, l);
}

void renew_pace_began(struct renew_pace *p, struct renew_lane *l, int64_t at) {
  for (int which = 0; which < RENEW_GATES; which++) {
    struct renew_gate *g = l->gates[which];
    int64_t open_at = at + spacing_of(p, which);
    if (g && g->open_at != RENEW_NEVER && g->open_at < open_at) g->open_at = open_at;
  }
  place_all(p, l);
}

static void free_lane(void *self, struct renew_node *n) { lane_free(self, (struct renew_lane *)n); }

void renew_pace_free(struct renew_pace *p) {
  renew_index_each(&p->lanes, free_lane, p);
  renew_index_free(&p->lanes);
  for (int which = 0; which < RENEW_GATES; which++) renew_index_free(&p->gates[which]);
  ck_heap_free(&p->idle);
  ck_heap_free(&p->busy);
  ck_heap_free(&p->unused);
}

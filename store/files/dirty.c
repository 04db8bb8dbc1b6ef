/* See dirty.h. Those that wait are in a list by their versions, and in two heaps: by when they are
 * due while all is quiet, and while it is not. Those that are written are in a list, the first
 * written first. */
#include "store/files/dirty.h"

#include <jansson.h>
#include <stdlib.h>

enum when { QUIET, BUSY, WHENS };

struct entry {
  char *id;
  size_t bytes;                 /* of the id */
  uint64_t version;             /* the first that is not written; 0: all are … */
  uint64_t upto;                /* … up to this one */
  int64_t since;                /* when that came */
  int64_t rests;                /* until then */
  struct entry *before, *after; /* in its list */
  size_t place[WHENS];          /* in the heaps */
};

struct list {
  struct entry *first, *last;
  size_t count;
};

struct dirty {
  json_t *entries; /* conversation → the entry's address */
  struct list waiting, written;
  struct entry **heap[WHENS]; /* of waiting.count each */
  size_t room;
  uint64_t looked;
};

static void append(struct list *l, struct entry *e) {
  e->before = l->last;
  e->after = NULL;
  *(l->last ? &l->last->after : &l->first) = e;
  l->last = e;
  l->count++;
}

static void take_out(struct list *l, struct entry *e) {
  *(e->before ? &e->before->after : &l->first) = e->after;
  *(e->after ? &e->after->before : &l->last) = e->before;
  l->count--;
}

/* ---- the heaps ---- */

static int64_t due(const struct entry *e, enum when w) {
  int64_t at = e->since + (w == BUSY ? DIRTY_MOST_MS : 0);
  return at < e->rests ? e->rests : at;
}

static bool is_before(struct dirty *d, const struct entry *a, const struct entry *b, enum when w) {
  int64_t x = due(a, w), y = due(b, w);
  d->looked++;
  return x != y ? x < y : a->version < b->version;
}

static void put(struct dirty *d, enum when w, size_t place, struct entry *e) {
  d->heap[w][place] = e;
  e->place[w] = place;
}

static void rise(struct dirty *d, enum when w, size_t place, struct entry *e) {
  for (size_t up; place && is_before(d, e, d->heap[w][up = (place - 1) / 2], w); place = up)
    put(d, w, place, d->heap[w][up]);
  put(d, w, place, e);
}

/* In a heap of `count`. */
static void sink(struct dirty *d, enum when w, size_t place, struct entry *e, size_t count) {
  for (size_t down; (down = 2 * place + 1) < count; place = down) {
    struct entry **heap = d->heap[w];
    if (down + 1 < count && is_before(d, heap[down + 1], heap[down], w)) ++down;
    if (!is_before(d, heap[down], e, w)) break;
    put(d, w, place, heap[down]);
  }
  put(d, w, place, e);
}

static void wait_for(struct dirty *d, struct entry *e) {
  size_t last = d->waiting.count;
  if (last == d->room) {
    d->room = d->room ? d->room * 2 : 64;
    for (enum when w = 0; w < WHENS; ++w)
      d->heap[w] = ck_realloc(d->heap[w], d->room * sizeof *d->heap[w]);
  }
  append(&d->waiting, e);
  for (enum when w = 0; w < WHENS; ++w) rise(d, w, last, e);
}

/* The last one of each heap takes its place. */
static void wait_no_more(struct dirty *d, struct entry *e) {
  take_out(&d->waiting, e);
  size_t count = d->waiting.count;
  for (enum when w = 0; w < WHENS; ++w) {
    size_t place = e->place[w];
    struct entry *last = d->heap[w][count];
    if (last == e) continue;
    rise(d, w, place, last);
    sink(d, w, last->place[w], last, count);
  }
}

/* ---- entries ---- */

struct dirty *dirty_new(void) {
  struct dirty *d = ck_zalloc(sizeof *d);
  d->entries = json_object();
  return d;
}

static void forget(struct dirty *d, struct list *l, struct entry *e) {
  take_out(l, e);
  json_object_deln(d->entries, e->id, e->bytes);
  free(e->id);
  free(e);
}

void dirty_clear(struct dirty *d) {
  while (d->waiting.first) forget(d, &d->waiting, d->waiting.first);
  while (d->written.first) forget(d, &d->written, d->written.first);
}

void dirty_free(struct dirty **d) {
  if (!*d) return;
  dirty_clear(*d);
  json_decref((*d)->entries);
  for (enum when w = 0; w < WHENS; ++w) free((*d)->heap[w]);
  free(*d);
  *d = NULL;
}

static struct entry *find(const struct dirty *d, struct ck_str conversation) {
  const json_t *address = json_object_getn(d->entries, conversation.s, conversation.n);
  return address ? (struct entry *)(intptr_t)json_integer_value(address) : NULL;
}

/* It is in no list yet. */
static struct entry *add(struct dirty *d, struct ck_str conversation) {
  struct entry *e = ck_zalloc(sizeof *e);
  e->id = ck_str_dup(conversation);
  e->bytes = conversation.n;
  json_object_setn_new(d->entries, conversation.s, conversation.n,
                       json_integer((json_int_t)(intptr_t)e));
  return e;
}

/* ---- what is dirty ---- */

void dirty_add(struct dirty *d, struct ck_str conversation, uint64_t version, int64_t now) {
  struct entry *e = find(d, conversation);
  if (e && (e->version || version <= e->upto)) return;
  if (e)
    take_out(&d->written, e);
  else
    e = add(d, conversation);
  e->version = version;
  e->since = now;
  wait_for(d, e);
}

bool dirty_full(const struct dirty *d) { return d->waiting.count >= DIRTY_FULL; }

uint64_t dirty_least(const struct dirty *d) {
  return d->waiting.first ? d->waiting.first->version : 0;
}

int64_t dirty_next(const struct dirty *d, bool quiet, struct ck_str *conversation) {
  enum when w = quiet || dirty_full(d) ? QUIET : BUSY;
  if (!d->waiting.count) return INT64_MAX;
  const struct entry *e = d->heap[w][0];
  *conversation = (struct ck_str){e->id, e->bytes};
  return due(e, w);
}

void dirty_written(struct dirty *d, struct ck_str conversation, uint64_t upto, int64_t took,
                   int64_t now) {
  struct entry *e = find(d, conversation);
  int64_t rest = took * DIRTY_REST;
  if (!e) return;
  if (e->version)
    wait_no_more(d, e);
  else
    take_out(&d->written, e);
  e->version = 0;
  e->upto = upto;
  e->rests = now + (rest < DIRTY_REST_MAX ? rest : DIRTY_REST_MAX);
  append(&d->written, e);
  if (d->written.count > DIRTY_FULL) forget(d, &d->written, d->written.first);
}

void dirty_tidy(struct dirty *d, uint64_t upto, int64_t now) {
  for (struct entry *e = d->written.first, *next; e; e = next) {
    next = e->after;
    d->looked++;
    if (e->upto > upto || e->rests > now) break;
    forget(d, &d->written, e);
  }
}

uint64_t dirty_looked(const struct dirty *d) { return d->looked; }

/* See dirty.h. Those that wait are in a list by their versions, and in two heaps: by when they are
 * due while all is quiet, and while it is not. Those that are written are in a list, the first
 * written first. */
#include "store/files/dirty.h"

#include <jansson.h>
#include <stdlib.h>

#include "proto/heap.h"

enum when { QUIET, BUSY, WHENS };

struct entry {
  char *id;
  size_t bytes;                 /* of the id */
  uint64_t version;             /* the first that is not written; 0: all are … */
  uint64_t upto;                /* … up to this one */
  int64_t since;                /* when that came */
  int64_t rests;                /* until then */
  struct entry *before, *after; /* in its list */
  struct ck_timer due[WHENS];   /* while it waits */
};

struct list {
  struct entry *first, *last;
  size_t count;
};

struct dirty {
  json_t *entries; /* conversation → the entry's address */
  struct list waiting, written;
  struct ck_heap due[WHENS]; /* those that wait */
  uint64_t tidied;           /* entries that dirty_tidy has looked at */
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

/* ---- what waits ---- */

/* t: one of the entry's for w. */
static const struct entry *of_timer(const struct ck_timer *t, enum when w) {
  const void *e = (const char *)(t - w) - offsetof(struct entry, due);
  return e;
}

static void wait_for(struct dirty *d, struct entry *e) {
  append(&d->waiting, e);
  for (enum when w = 0; w < WHENS; ++w) {
    int64_t at = e->since + (w == BUSY ? DIRTY_MOST_MS : 0);
    ck_heap_set(&d->due[w], &e->due[w], at < e->rests ? e->rests : at);
  }
}

static void wait_no_more(struct dirty *d, struct entry *e) {
  take_out(&d->waiting, e);
  for (enum when w = 0; w < WHENS; ++w) ck_heap_drop(&d->due[w], &e->due[w]);
}

/* ---- entries ---- */

struct dirty *dirty_new(void) {
  struct dirty *d = ck_zalloc(sizeof *d);
  d->entries = json_object();
  return d;
}

/* It is in no list. */
static void free_entry(struct dirty *d, struct entry *e) {
  json_object_deln(d->entries, e->id, e->bytes);
  free(e->id);
  free(e);
}

static void forget(struct dirty *d, struct entry *e) {
  take_out(&d->written, e);
  free_entry(d, e);
}

void dirty_clear(struct dirty *d) {
  while (d->waiting.first) {
    struct entry *e = d->waiting.first;
    wait_no_more(d, e);
    free_entry(d, e);
  }
  while (d->written.first) forget(d, d->written.first);
}

void dirty_free(struct dirty **d) {
  if (!*d) return;
  dirty_clear(*d);
  json_decref((*d)->entries);
  for (enum when w = 0; w < WHENS; ++w) ck_heap_free(&(*d)->due[w]);
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
  const struct ck_timer *t = ck_heap_top(&d->due[w]);
  if (!t) return INT64_MAX;
  const struct entry *e = of_timer(t, w);
  *conversation = (struct ck_str){e->id, e->bytes};
  return t->at;
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
  if (d->written.count > DIRTY_FULL) forget(d, d->written.first);
}

void dirty_tidy(struct dirty *d, uint64_t upto, int64_t now) {
  for (struct entry *e = d->written.first, *next; e; e = next) {
    next = e->after;
    d->tidied++;
    if (e->upto > upto || e->rests > now) break;
    forget(d, e);
  }
}

uint64_t dirty_looked(const struct dirty *d) {
  uint64_t looked = d->tidied;
  for (enum when w = 0; w < WHENS; ++w) looked += d->due[w].compared;
  return looked;
}

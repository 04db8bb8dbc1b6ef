/* A binary heap, numbered from 1. */
#include "renewd/heap.h"

#include "proto/text.h"

#include <stdlib.h>
#include <string.h>

static bool sooner(const struct renew_timer *a, const struct renew_timer *b) {
  return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void put(struct renew_heap *h, size_t place, struct renew_timer *t) {
  h->v[place - 1] = t;
  t->place = place;
}

static void up(struct renew_heap *h, struct renew_timer *t) {
  size_t place = t->place;
  for (; place > 1 && sooner(t, h->v[place / 2 - 1]); place /= 2)
    put(h, place, h->v[place / 2 - 1]);
  put(h, place, t);
}

static void down(struct renew_heap *h, struct renew_timer *t) {
  size_t place = t->place;
  for (size_t child; (child = place * 2) <= h->count; place = child) {
    if (child < h->count && sooner(h->v[child], h->v[child - 1])) child++;
    if (!sooner(h->v[child - 1], t)) break;
    put(h, place, h->v[child - 1]);
  }
  put(h, place, t);
}

void renew_heap_set(struct renew_heap *h, struct renew_timer *t, int64_t at) {
  if (t->place && t->at == at) return;
  t->at = at;
  t->order = ++h->orders;
  if (!t->place) {
    if (h->count == h->room) {
      h->room = h->room ? h->room * 2 : 64;
      h->v = ck_realloc(h->v, h->room * sizeof(struct renew_timer *));
    }
    put(h, ++h->count, t);
  }
  up(h, t);
  down(h, t);
}

void renew_heap_drop(struct renew_heap *h, struct renew_timer *t) {
  if (!t->place) return;
  struct renew_timer *last = h->v[--h->count];
  if (last != t) {
    put(h, t->place, last);
    up(h, last);
    down(h, last);
  }
  t->place = 0;
}

struct renew_timer *renew_heap_top(const struct renew_heap *h) {
  return h->count ? h->v[0] : NULL;
}

void renew_heap_free(struct renew_heap *h) {
  free(h->v);
  memset(h, 0, sizeof *h);
}

/* A binary heap, numbered from 1; see heap.h. */
#include "proto/heap.h"

#include <stdbool.h>
#include <stdlib.h>

#include "proto/text.h"

static bool is_before(struct ck_heap *h, const struct ck_timer *a, const struct ck_timer *b) {
  h->compared++;
  return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void put(struct ck_heap *h, size_t place, struct ck_timer *t) {
  h->v[place - 1] = t;
  t->place = place;
}

static void rise(struct ck_heap *h, struct ck_timer *t) {
  size_t place = t->place;
  for (; place > 1 && is_before(h, t, h->v[place / 2 - 1]); place /= 2)
    put(h, place, h->v[place / 2 - 1]);
  put(h, place, t);
}

static void sink(struct ck_heap *h, struct ck_timer *t) {
  size_t place = t->place;
  for (size_t child; (child = place * 2) <= h->count; place = child) {
    if (child < h->count && is_before(h, h->v[child], h->v[child - 1])) ++child;
    if (!is_before(h, h->v[child - 1], t)) break;
    put(h, place, h->v[child - 1]);
  }
  put(h, place, t);
}

void ck_heap_set(struct ck_heap *h, struct ck_timer *t, int64_t at) {
  if (!t->place || t->at != at) ck_heap_set_in_order(h, t, at, ++h->orders);
}

void ck_heap_set_in_order(struct ck_heap *h, struct ck_timer *t, int64_t at, uint64_t order) {
  if (t->place && t->at == at && t->order == order) return;
  t->at = at;
  t->order = order;
  if (!t->place) {
    if (h->count == h->room) {
      h->room = h->room ? h->room * 2 : 64;
      h->v = ck_realloc(h->v, h->room * sizeof(struct ck_timer *));
    }
    put(h, ++h->count, t);
  }
  rise(h, t);
  sink(h, t);
}

void ck_heap_drop(struct ck_heap *h, struct ck_timer *t) {
  if (!t->place) return;
  struct ck_timer *last = h->v[--h->count];
  if (last != t) {
    put(h, t->place, last);
    rise(h, last);
    sink(h, last);
  }
  t->place = 0;
}

struct ck_timer *ck_heap_top(const struct ck_heap *h) {
  return h->count ? h->v[0] : NULL;
}

void ck_heap_free(struct ck_heap *h) {
  free(h->v);
  *h = (struct ck_heap){0};
}

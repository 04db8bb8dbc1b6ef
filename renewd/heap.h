/* A heap of times, the earliest on top. An entry is part of the object that waits, and knows its
 * own place in the heap, so its time can be changed or removed. */
#ifndef RENEWD_HEAP_H
#define RENEWD_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zero-initialised, it is in no heap. */
struct renew_timer {
  int64_t at;
  uint64_t order; /* of the last change; among equal times the one set first comes first */
  size_t place;   /* 1 to count; 0: in no heap */
};

/* Zero-initialise. */
struct renew_heap {
  struct renew_timer **v; /* v[0] is place 1 */
  size_t count, room;
  uint64_t orders;
};

/* Enters the timer, or changes its time. */
void renew_heap_set(struct renew_heap *h, struct renew_timer *t, int64_t at);
/* Removes it; nothing happens when it is in no heap. */
void renew_heap_drop(struct renew_heap *h, struct renew_timer *t);
/* The earliest; NULL when the heap is empty. */
struct renew_timer *renew_heap_top(const struct renew_heap *h);
/* Frees the heap, not the timers. */
void renew_heap_free(struct renew_heap *h);

#endif

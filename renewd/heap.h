/* A heap of times: the soonest on top. The entry is part of the thing that waits, and knows its own
 * place, so that a time can be changed or withdrawn. */
#ifndef RENEWD_HEAP_H
#define RENEWD_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zero-initialised, it is in no heap. */
struct renew_timer {
  int64_t at;
  uint64_t
      order; /* of entering or changing: among equal times the one that waited longer comes first */
  size_t place; /* 1 … count; 0: in no heap */
};

/* Zero-initialise. */
struct renew_heap {
  struct renew_timer **v; /* v[0] is place 1 */
  size_t count, room;
  uint64_t orders;
};

/* Enters the timer, or moves it where it already is in. */
void renew_heap_set(struct renew_heap *h, struct renew_timer *t, int64_t at);
void renew_heap_drop(struct renew_heap *h,
                     struct renew_timer *t);                    /* nothing when it is in no heap */
struct renew_timer *renew_heap_top(const struct renew_heap *h); /* NULL when empty */
void renew_heap_free(struct renew_heap *h);

#endif

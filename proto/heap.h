/* What waits, by when it is due: the earliest on top. Pure.
 *
 * A timer is a part of the object that waits, and belongs to the caller; it knows its own place in
 * the heap, so that its time can be changed and it can be removed. It must not be moved or freed
 * while it is in a heap. Setting and dropping cost the logarithm of how many there are; the top is
 * at hand. */
#ifndef CK_HEAP_H
#define CK_HEAP_H

#include <stddef.h>
#include <stdint.h>

/* Zero-initialise: it is in no heap. */
struct ck_timer {
  int64_t at;     /* when it is due, in the caller's unit */
  uint64_t order; /* of those that are due at the same time, the least is first */
  size_t place;   /* 1 to count; 0: in no heap */
};

/* Zero-initialise. */
struct ck_heap {
  struct ck_timer **v; /* v[0] is place 1 */
  size_t count, room;
  uint64_t orders;   /* given so far */
  uint64_t compared; /* pairs of timers so far: what all the calls have cost */
};

/* Enters the timer, or changes its time. It must be in no other heap. Of those that are due at the
 * same time, the one that was set first is first. Setting the time that it has changes nothing, so
 * it keeps its order. */
void ck_heap_set(struct ck_heap *h, struct ck_timer *t, int64_t at);
/* The same, but the caller says the order. A heap has all its timers by one of the two. */
void ck_heap_set_in_order(struct ck_heap *h, struct ck_timer *t, int64_t at, uint64_t order);
/* Removes it; does nothing if it is in no heap. */
void ck_heap_drop(struct ck_heap *h, struct ck_timer *t);
/* The one that is due first; NULL: the heap is empty. */
struct ck_timer *ck_heap_top(const struct ck_heap *h);
/* Frees the heap, which can be used again; the timers still in it must not be. */
void ck_heap_free(struct ck_heap *h);

#endif

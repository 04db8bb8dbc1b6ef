/* What waits for an answer of the store or for a receipt, and belongs to nobody else. The daemon
 * owns the list, so that what still waits at the end is freed. */
#ifndef RENEWD_WAITER_H
#define RENEWD_WAITER_H

/* The first member of what waits. */
struct renew_waiter {
  struct renew_waiter *next, **at; /* at: where this one is pointed to */
  void (*free)(struct renew_waiter *w);
};

/* free: called with w by renew_waiters_free, after w was taken out of the list. */
static inline void renew_waiter_add(struct renew_waiter **all, struct renew_waiter *w,
                                    void (*free)(struct renew_waiter *w)) {
  *w = (struct renew_waiter){.next = *all, .at = all, .free = free};
  if (w->next) w->next->at = &w->next;
  *all = w;
}

/* w must be in a list. */
static inline void renew_waiter_remove(struct renew_waiter *w) {
  *w->at = w->next;
  if (w->next) w->next->at = w->at;
}

/* Frees all that are in the list. After whatever would call them back is freed. */
static inline void renew_waiters_free(struct renew_waiter **all) {
  for (struct renew_waiter *w; (w = *all);) {
    renew_waiter_remove(w);
    w->free(w);
  }
}

#endif

/* The heap of what is due. */
#include <criterion/criterion.h>

#include "proto/heap.h"

Test(heap, soonest_first_and_movable) {
  struct ck_heap h = {0};
  struct ck_timer t[200] = {{0}};
  uint32_t dice = 7;
  cr_expect_null(ck_heap_top(&h));
  for (int i = 0; i < 200; i++) ck_heap_set(&h, &t[i], (dice = dice * 1103515245u + 12345u) >> 20);
  for (int i = 0; i < 200; i += 3)
    ck_heap_set(&h, &t[i], (dice = dice * 1103515245u + 12345u) >> 20);
  for (int i = 1; i < 200; i += 5) ck_heap_drop(&h, &t[i]);
  ck_heap_drop(&h, &t[1]); /* it is in none */
  cr_expect_eq(h.count, 160);
  int64_t last = -1;
  size_t n = 0;
  for (struct ck_timer *top; (top = ck_heap_top(&h)); n++) {
    cr_assert_geq(top->at, last);
    last = top->at;
    ck_heap_drop(&h, top);
    cr_assert_eq(top->place, 0);
  }
  cr_assert_eq(n, 160);
  ck_heap_free(&h);
}

Test(heap, the_one_that_waited_longer_comes_first) {
  struct ck_heap h = {0};
  struct ck_timer t[5] = {{0}};
  for (int i = 0; i < 5; i++) ck_heap_set(&h, &t[i], 10);
  ck_heap_set(&h, &t[0], 10); /* no change */
  for (int i = 0; i < 5; i++) {
    cr_assert_eq(ck_heap_top(&h), &t[i]);
    ck_heap_drop(&h, &t[i]);
  }
  ck_heap_free(&h);
}

/* Against the plainest way to say which is first. */
Test(heap, of_all_that_wait_the_top_is_first) {
  enum { ALL = 50, STEPS = 20000 };
  struct ck_heap h = {0};
  struct ck_timer t[ALL] = {{0}};
  uint32_t dice = 11;
  for (int step = 0; step < STEPS; step++) {
    struct ck_timer *one = &t[((dice = dice * 1103515245u + 12345u) >> 16) % ALL];
    if ((dice = dice * 1103515245u + 12345u) >> 31)
      ck_heap_drop(&h, one);
    else
      ck_heap_set(&h, one, dice >> 20 & 31);
    const struct ck_timer *first = NULL;
    size_t n = 0;
    for (int i = 0; i < ALL; i++) {
      if (!t[i].place) continue;
      n++;
      if (!first || t[i].at < first->at || (t[i].at == first->at && t[i].order < first->order))
        first = &t[i];
    }
    cr_assert_eq(ck_heap_top(&h), first);
    cr_assert_eq(h.count, n);
  }
  ck_heap_free(&h);
}

Test(heap, costs_the_logarithm) {
  enum { ALL = 4096, DEEP = 12 };
  static struct ck_timer t[ALL];
  struct ck_heap h = {0};
  for (int i = ALL; i-- > 0;) ck_heap_set(&h, &t[i], i);
  while (ck_heap_top(&h)) ck_heap_drop(&h, ck_heap_top(&h));
  cr_expect_leq(h.compared, (uint64_t)ALL * (DEEP + 2 * DEEP + 3), "%llu",
                (unsigned long long)h.compared);
  ck_heap_free(&h);
}

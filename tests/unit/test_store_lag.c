/* The lag: never reported smaller than it is, and not much larger. */
#include "store/mirror/lag.h"

#include <criterion/criterion.h>

Test(lag, the_oldest_change_above_the_cursor_counts) {
  struct lag *p = lag_new(0, 1000);
  cr_expect_eq(lag_behind(p, 0, 5000), 0, "an empty database is not behind");
  lag_commit(p, 5, 2000);
  lag_commit(p, 9, 3000);
  cr_expect_eq(lag_behind(p, 0, 5000), 3000);
  cr_expect_eq(lag_behind(p, 4, 5000), 3000);
  cr_expect_eq(lag_behind(p, 5, 5000), 2000);
  cr_expect_eq(lag_behind(p, 9, 5000), 0);
  cr_expect_eq(lag_since_ended(p, 5000), 4000);
  lag_ended(p, 5, 4500);
  cr_expect_eq(lag_since_ended(p, 5000), 500);
  lag_free(&p);
  p = lag_new(100, 1000);
  cr_expect_eq(lag_behind(p, 40, 3000), 2000,
               "changes that were not mirrored at the start are as old as the start");
  lag_free(&p);
}

Test(lag, an_hour_of_commits_is_remembered_well_enough) {
  struct lag *p = lag_new(0, 0);
  uint64_t head = 0;
  for (int64_t now = 1; now <= 3600000; now += 7) lag_commit(p, ++head, now);
  for (uint64_t cursor = 0; cursor < head; cursor += 997) {
    int64_t truth = 3600000 - (int64_t)cursor * 7 - 1, said = lag_behind(p, cursor, 3600000);
    cr_assert(said >= truth - 7 && said <= truth + 36000, "%lld said, %lld true", (long long)said,
              (long long)truth);
  }
  lag_free(&p);
}

/* One batch does not succeed and holds the cursor while others end. */
Test(lag, a_stuck_cursor_is_seen_though_batches_end) {
  struct lag *p = lag_new(0, 1000);
  lag_commit(p, 5, 2000);
  lag_ended(p, 3, 3000);
  lag_ended(p, 3, 9000);
  cr_expect_eq(lag_since_ended(p, 10000), 1000);
  cr_expect_eq(lag_since_moved(p, 10000), 7000);
  lag_ended(p, 5, 10000);
  cr_expect_eq(lag_since_moved(p, 10000), 0);
  lag_free(&p);
}

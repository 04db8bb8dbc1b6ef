/* How long the mirror is behind: never said to be less than it is, and not much more. */
#include "store/progress.h"

#include <criterion/criterion.h>

Test(progress, the_oldest_change_behind_the_cursor_counts) {
  struct progress *p = progress_new(0, 1000);
  cr_expect_eq(progress_behind(p, 0, 5000), 0, "an empty database is not behind");
  progress_commit(p, 5, 2000);
  progress_commit(p, 9, 3000);
  cr_expect_eq(progress_behind(p, 0, 5000), 3000);
  cr_expect_eq(progress_behind(p, 4, 5000), 3000);
  cr_expect_eq(progress_behind(p, 5, 5000), 2000);
  cr_expect_eq(progress_behind(p, 9, 5000), 0);
  cr_expect_eq(progress_still(p, 5000), 4000);
  progress_ended(p, 5, 4500);
  cr_expect_eq(progress_still(p, 5000), 500);
  progress_free(&p);
  p = progress_new(100, 1000);
  cr_expect_eq(progress_behind(p, 40, 3000), 2000, "what was behind at the start is as old as the start");
  progress_free(&p);
}

Test(progress, an_hour_of_commits_is_remembered_well_enough) {
  struct progress *p = progress_new(0, 0);
  uint64_t head = 0;
  for (int64_t now = 1; now <= 3600000; now += 7) progress_commit(p, ++head, now);
  for (uint64_t cursor = 0; cursor < head; cursor += 997) {
    int64_t truth = 3600000 - (int64_t)cursor * 7 - 1, said = progress_behind(p, cursor, 3600000);
    cr_assert(said >= truth - 7 && said <= truth + 36000, "%lld said, %lld true", (long long)said, (long long)truth);
  }
  progress_free(&p);
}

/* One batch holds the cursor while others end. */
Test(progress, who_holds_the_cursor_is_seen_though_others_end) {
  struct progress *p = progress_new(0, 1000);
  progress_commit(p, 5, 2000);
  progress_ended(p, 3, 3000);
  progress_ended(p, 3, 9000);
  cr_expect_eq(progress_still(p, 10000), 1000);
  cr_expect_eq(progress_stuck(p, 10000), 7000);
  progress_ended(p, 5, 10000);
  cr_expect_eq(progress_stuck(p, 10000), 0);
  progress_free(&p);
}

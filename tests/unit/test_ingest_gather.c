/* When changesets go to the store. */
#include <criterion/criterion.h>

#include "ingest/gather.h"

/* So many come in each ms, until `until`. Returns how many groups went. */
static int stream(struct ingest_gather *g, uint64_t *durable, int64_t *now, int64_t until,
                  uint64_t each) {
  int groups = 0;
  for (; *now < until; ++*now) {
    uint64_t gone = g->gone;
    *durable += each;
    ingest_gather_upto(g, *durable, *now);
    groups += g->gone != gone;
  }
  return groups;
}

Test(ingest_gather, a_lone_one_goes_at_once) {
  struct ingest_gather g = {0};
  for (int64_t i = 1; i < 500; ++i)
    cr_assert_eq(ingest_gather_upto(&g, (uint64_t)i, 100000 + 5 * i), (uint64_t)i);
  cr_assert_eq(ingest_gather_until(&g), INT64_MAX);
}

Test(ingest_gather, few_in_a_burst_go_at_once) {
  struct ingest_gather g = {0};
  uint64_t durable = 0;
  int64_t now = 100000;
  cr_assert_eq(stream(&g, &durable, &now, now + 10, 10), 10);
}

Test(ingest_gather, many_go_in_groups) {
  struct ingest_gather g = {0};
  uint64_t durable = 0;
  int64_t now = 100000;
  stream(&g, &durable, &now, now + 300, 12);
  int groups = stream(&g, &durable, &now, now + 600, 12);
  cr_assert_eq(groups, 100, "%d", groups); /* 72 of them each, after 6 ms */
  stream(&g, &durable, &now, now + 300, 5);
  groups = stream(&g, &durable, &now, now + 900, 5);
  cr_assert_eq(groups, 100, "%d", groups); /* the first has waited 8 ms: 45 of them */
}

Test(ingest_gather, none_waits_when_no_more_comes) {
  struct ingest_gather g = {0};
  uint64_t durable = 0;
  int64_t now = 100000;
  stream(&g, &durable, &now, now + 301, 12);
  while (ingest_gather_upto(&g, durable + 12, now) == durable + 12) durable += 12, ++now;
  durable += 12;
  int64_t until = ingest_gather_until(&g);
  cr_assert_eq(until, now + INGEST_GATHER_QUIET);
  cr_assert_lt(ingest_gather_upto(&g, durable, until - 1), durable);
  cr_assert_eq(ingest_gather_upto(&g, durable, until), durable);
  cr_assert_eq(ingest_gather_until(&g), INT64_MAX);
}

/* After a pause a lone one goes at once again. */
Test(ingest_gather, forgets_the_press) {
  struct ingest_gather g = {0};
  uint64_t durable = 0;
  int64_t now = 100000;
  stream(&g, &durable, &now, now + 300, 50);
  now += 2 * INGEST_GATHER_BURST;
  cr_assert_eq(ingest_gather_upto(&g, durable + 1, now), durable + 1);
}

/* A spool that was skipped on by a store that is ahead. */
Test(ingest_gather, a_jump_of_the_numbers_goes) {
  struct ingest_gather g = {0};
  const uint64_t far = UINT64_C(1) << 60;
  cr_assert_eq(ingest_gather_upto(&g, far, 100000), far);
  cr_assert_eq(ingest_gather_upto(&g, far + 100, 100001), far + 100);
}

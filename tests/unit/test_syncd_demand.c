/* A worker demands from the store as much as it can use, again if nothing comes, and nothing that
 * it does not need. */
#include "syncd/demand.h"

#include <criterion/criterion.h>

static struct ck_demand said;

static bool says(struct sync_demand *w, uint64_t batches, uint64_t requests, int64_t now) {
  return sync_demand_say(w, batches, requests, false, now, &said);
}

Test(syncd_demand, batches_are_asked_for_once_and_again_when_nothing_comes) {
  struct sync_demand w = {0};
  cr_assert(says(&w, 2, 0, 0));
  cr_expect(said.batches == 2 && said.tokens == 0 && said.request == 1 && !said.probe &&
            !said.hold);
  cr_expect_not(says(&w, 2, 0, 999));
  cr_expect(says(&w, 2, 0, 1000), "it may have been lost");
  sync_demand_batch(&w, true, 1000);
  cr_expect_not(says(&w, 1, 0, 1000), "one came, one is still wanted");
  cr_expect(says(&w, 2, 0, 1001), "room for one more");
  cr_expect(says(&w, 0, 0, 1002), "it takes back what it does not want any more");
  cr_expect_not(says(&w, 0, 0, 60000), "who wants nothing is silent");
}

Test(syncd_demand, a_batch_brings_the_right_to_one_request) {
  struct sync_demand w = {.counted = true};
  cr_expect_not(sync_demand_may_send(&w, 0));
  sync_demand_batch(&w, false, 0);
  cr_expect_not(sync_demand_may_send(&w, 0), "an empty one needs none");
  sync_demand_batch(&w, true, 0);
  cr_expect(sync_demand_may_send(&w, CK_TOKEN_MS - 1));
  cr_expect_not(sync_demand_may_send(&w, CK_TOKEN_MS), "not for ever");
  cr_expect_not(says(&w, 0, 1, 5), "no token is asked for where there is one");
  sync_demand_sent(&w);
  cr_expect_not(sync_demand_may_send(&w, 1));
  struct sync_demand free_of_it = {0};
  cr_expect(sync_demand_may_send(&free_of_it, 0));
}

Test(syncd_demand, tokens_are_asked_for_what_has_none) {
  struct sync_demand w = {.counted = true};
  sync_demand_batch(&w, true, 0);
  cr_assert(says(&w, 0, 3, 1));
  cr_expect_eq(said.tokens, 2);
  struct ck_grant g = {.tokens = 2, .ms = 4000};
  sync_demand_grant(&w, &g, 2);
  cr_expect_eq(w.allowed, 3);
  for (int i = 0; i < 3; ++i, sync_demand_sent(&w)) cr_expect(sync_demand_may_send(&w, 3));
  cr_expect_not(sync_demand_may_send(&w, 3));
  sync_demand_grant(&w, &g, 10);
  cr_expect(sync_demand_may_send(&w, 4009) && !sync_demand_may_send(&w, 4010));
  sync_demand_grant(&w, &g, 5000);
  cr_expect_eq(w.allowed, 2, "the old ones are gone");
}

Test(syncd_demand, a_hold_is_told_once_and_not_when_it_is_over) {
  struct sync_demand w = {.counted = true};
  sync_demand_hold(&w, 5000);
  sync_demand_hold(&w, 4000);
  cr_assert(says(&w, 0, 0, 1000));
  cr_expect_eq(said.hold, 4000);
  cr_expect_not(says(&w, 0, 0, 1001));
  sync_demand_hold(&w, 2000);
  cr_expect_not(says(&w, 0, 0, 3000));
}

Test(syncd_demand, a_probe_is_asked_for_where_requests_are_counted) {
  struct sync_demand w = {.counted = true}, free_of_it = {0};
  cr_expect(sync_demand_say(&w, 0, 0, true, 0, &said) && said.probe);
  cr_expect_not(sync_demand_say(&w, 0, 0, true, 10, &said));
  struct ck_grant g = {.tokens = 1, .ms = CK_TOKEN_MS};
  sync_demand_grant(&w, &g, 20);
  cr_expect(sync_demand_may_send(&w, 20));
  cr_expect_not(sync_demand_say(&w, 0, 0, true, 30, &said), "it has its token");
  cr_expect_not(sync_demand_say(&free_of_it, 0, 0, true, 0, &said));
}

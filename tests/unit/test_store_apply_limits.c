/* The limits of accounts, as the store keeps them. */
#include "test_store_apply.h"

#include <string.h>

#include "proto/map.h"

static struct ck_mutation limit_of(const char *account, int64_t until, int64_t at) {
  struct ck_mutation m = {.kind = CK_OP_LIMIT};
  m.as.limit = (struct ck_limit){.account = ck_str_of(account),
                                 .until = until,
                                 .since = 1000,
                                 .times = 2,
                                 .reason = CK_LIT("no more today"),
                                 .at = at};
  return m;
}

static struct ck_mutation unlimit_of(const char *account) {
  struct ck_mutation m = {.kind = CK_OP_UNLIMIT};
  m.as.unlimit.account = ck_str_of(account);
  return m;
}

/* As renewd reads it. */
static int64_t limit_left(const char *account) {
  struct ck_buf rows = {0}, cursor = {0};
  struct ck_err err = {{0}};
  const char *code = "";
  struct ck_str row;
  uint32_t n = 0;
  struct list_answer answer = {&rows, &cursor};
  cr_assert_eq(sh_query(&s, &(struct ck_query){.table = CK_LIT("limits")}, &answer, &code, &err), 0,
               "%s: %s", code, err.text);
  struct ck_reader r = ck_reader_of(ck_buf_view(&rows));
  cr_assert_eq(ck_read_array(&r, &n), 0);
  cr_assert_eq(n, 1);
  cr_assert_eq(ck_read_raw(&r, &row), 0);
  cr_assert(ck_str_is(ck_map_str(row, "account"), account));
  int64_t left = ck_map_int(row, "left", INT64_MIN);
  ck_buf_free(&rows);
  ck_buf_free(&cursor);
  return left;
}

Test(apply, limits_are_kept) {
  cr_expect_eq(ap_mutate(limit_of("x", 9000, 5)), 'u', "%s", s.reason.text);
  cr_expect_eq(ap_mutate(limit_of("y", 7000, 5)), 'u');
  cr_expect_eq(ap_mutate(limit_of("x", 8000, 4)), '=', "an older one");
  sh_commit(&s);
  sh_reopen(&s);
  cr_expect_eq(sh_int(&s, "SELECT until FROM limits WHERE account = 'x' AND NOT over"), 9000);
  cr_expect_eq(ap_mutate(limit_of("x", 8000, 6)), 'u');
  cr_expect_eq(sh_int(&s, "SELECT until FROM limits WHERE account = 'x' AND times = 2"), 8000);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM limits"), 2);
}

Test(apply, a_person_ends_a_limit) {
  ap_mutate(limit_of("x", INT64_C(9000000000000), 5));
  cr_expect_eq(ap_mutate(unlimit_of("y")), '=');
  cr_expect_eq(ap_mutate(unlimit_of("x")), 'u');
  cr_expect_eq(ap_mutate(unlimit_of("x")), '=');
  cr_expect_eq(sh_int(&s, "SELECT until FROM limits WHERE NOT over AND at = 5"), s.now,
               "a delivery is to show whether it is over");
  ap_refused(unlimit_of(""), "unlimit.account: must have 1 to 512 bytes");
  ap_refused(limit_of("", 1, 1), "limit.account");
}

/* Its receipt was lost, so renewd tells it again. */
Test(apply, a_limit_told_twice_does_not_undo_what_a_person_did) {
  static const int64_t ends[] = {INT64_C(9000000000000), 0};
  for (int64_t i = 0; i < 2; i++) {
    ap_mutate(limit_of("x", ends[i], 5 + i));
    cr_expect_eq(ap_mutate(unlimit_of("x")), 'u');
    cr_expect_eq(ap_mutate(limit_of("x", ends[i], 5 + i)), '=');
    cr_expect_eq(sh_int(&s, "SELECT until FROM limits WHERE account = 'x'"), s.now);
  }
  cr_expect_eq(ap_mutate(limit_of("x", 9000, 7)), 'u', "another one");
}

Test(apply, a_limit_without_an_end) {
  ap_mutate(limit_of("x", 0, 5));
  s.now += 31 * 24 * INT64_C(3600000);
  ap_mutate(limit_of("y", s.now, s.now));
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM limits WHERE until = 0"), 1, "it is not deleted");
  cr_expect_eq(ap_mutate(unlimit_of("x")), 'u');
  cr_expect_eq(sh_int(&s, "SELECT until FROM limits WHERE account = 'x'"), s.now);
}

Test(apply, limits_that_are_long_over_are_deleted) {
  const int64_t month = 30 * 24 * INT64_C(3600000);
  struct ck_mutation over = limit_of("over", 9000, 500);
  over.as.limit.over = true;
  ap_mutate(over);
  ap_mutate(limit_of("ended", 900, 500));
  ap_mutate(limit_of("lasts", month, 500));
  s.now = month + 1000;
  ap_mutate(limit_of("x", 5, month));
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM limits"), 4);
  s.now += 1000;
  cr_expect_eq(ap_mutate(limit_of("x", 6, month + 1)), 'u');
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM limits WHERE account IN ('lasts', 'x')"), 2);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM limits"), 2);
}

/* One that runs is kept, however far the clock is stepped, and so is one that was over just now. */
Test(apply, no_step_of_the_clock_deletes_a_limit) {
  const int64_t step = 3650 * 24 * INT64_C(3600000);
  struct ck_mutation over = limit_of("over", 9000, 500);
  over.as.limit.over = true;
  ap_mutate(over);
  ap_mutate(limit_of("runs", s.now + 60000, 500));
  s.now += step;
  s.behind -= step;
  ap_mutate(limit_of("x", s.now + 1000, s.now));
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM limits"), 3);
  sh_machine_starts(&s, "another", 1000);
  s.now += step;
  ap_mutate(limit_of("x", s.now + 1000, s.now + step));
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM limits"), 1, "after all that time they are");
}

/* The clock was ten years ahead. */
Test(apply, a_limit_after_another_start_of_the_machine) {
  const int64_t ahead = INT64_C(315360000000);
  sh_machine_starts(&s, "first", ahead);
  ap_mutate(limit_of("x", ahead + 60000, ahead));
  for (int i = 0; i < 3; i++) {
    sh_machine_starts(&s, i % 2 ? "second" : "third", 1000);
    cr_expect_eq(limit_left("x"), 60000, "no longer than it was to be");
    s.now += 59000;
    cr_expect_eq(limit_left("x"), 1000);
  }
  s.now += 1000;
  cr_expect_leq(limit_left("x"), 0);
}

/* Both or none. */
Test(apply, a_limit_with_the_end_of_an_attempt) {
  sh_conversation(&s, "c1", "");
  sh_message(&s, "m1", 10, "");
  sh_job(&s, "j1", "c1", "m1", "");
  ap_mutate(ap_claim_of("j1", "t1", 2000));
  struct ck_mutation end = ap_end_of("j1", 1, "other", "released"), limit = limit_of("x", 9000, 5);
  for (int right = 0; right < 2; right++) {
    if (right) end.as.end.token = CK_LIT("t1");
    sh_mutate(&s, &end);
    sh_mutate(&s, &limit);
    cr_expect_eq(sh_apply(&s), right ? 'u' : 'r', "%s", s.reason.text);
    sh_commit(&s);
    cr_expect_eq(sh_int(&s, "SELECT count(*) FROM limits"), right);
  }
}

/* What is left does not depend on the wall clock, and a person ends all of it. */
Test(apply, a_person_ends_a_limit_after_a_step_of_the_clock) {
  static const int64_t steps[] = {7200000, 36000000, -36000000};
  for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
    ap_mutate(limit_of("x", s.now + 18000000, 5 + (int64_t)i));
    s.now += 60000 + steps[i];
    s.behind -= steps[i];
    cr_expect_eq(limit_left("x"), 17940000);
    cr_expect_eq(ap_mutate(unlimit_of("x")), 'u', "after a step by %lld ms", (long long)steps[i]);
    cr_expect_eq(limit_left("x"), 0);
    cr_expect_eq(ap_mutate(unlimit_of("x")), '=');
  }
  ap_mutate(limit_of("x", 0, 50));
  s.now += INT64_C(31536000000);
  s.behind -= INT64_C(31536000000);
  cr_expect_eq(ap_mutate(unlimit_of("x")), 'u');
  cr_expect_eq(limit_left("x"), 0);
}

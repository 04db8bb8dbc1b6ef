/* Steps of the wall clock: what waits for a calendar time follows it; a wait, a lease and the age
 * of a delivery do not. */
#include <criterion/criterion.h>

#include "test_renewd_core.h"

#define MINUTE INT64_C(60000)
#define HOUR (60 * MINUTE)
#define YEAR (365 * 24 * HOUR)

/* Renewd's own job for m1 fails for a while. */
static const char *id;
static void retries(int64_t step) {
  core_begin();
  core.set.rules.backoff = MINUTE;
  id = automatic("m1");
  row_conversation("c", "auto", "m1", 0);
  row_job((struct row_of_job){.id = id, .of = "c", .message = "m1"});
  claims(id);
  result(sends(id, TARGET), RENEW_RETRY);
  const struct renew_effect *end = told(CK_OP_END);
  int64_t next = end->as.tell.mutation.as.end.next_attempt_at, wait = next - at.wall;
  at.wall += step;
  receipt(end, 'u', 3);
  row_job((struct row_of_job){.id = id,
                              .of = "c",
                              .message = "m1",
                              .attempts = 1,
                              .next = ck_int(next),
                              .last_attempt_at = 1});
  follow(3);
  if (wait > 1) {
    pass(wait - 1);
    cr_assert_null(queried(PAST), "the wait has become shorter");
    pass(1);
  }
  pass(core.set.spacing);
  claims(id);
  core_end();
}

Test(renewd_clocks, a_backoff_whose_row_comes_after_a_step) {
  retries(0);
  retries(10 * YEAR);
  retries(-10 * YEAR);
}

/* The next job waits for a rest, and behind it is one for a calendar time. */
Test(renewd_clocks, a_calendar_job_behind_another_one, .init = core_begin, .fini = core_end) {
  row_conversation("c", "auto", "m2", at.wall + HOUR);
  row_job((struct row_of_job){
      .id = automatic("m2"), .of = "c", .message = "m2", .next = ck_int(at.wall + HOUR)});
  row_job((struct row_of_job){
      .id = "hand", .of = "c", .message = "m1", .next = ck_int(at.wall + YEAR)});
  claims(NULL);
  at.wall += 2 * YEAR;
  pass(500);
  claims("hand");
}

/* A clock that was ahead when a rest began, and is not any more when renewd starts. */
Test(renewd_clocks, a_rest_is_no_longer_than_one_may_be, .init = core_begin, .fini = core_end) {
  int64_t longest = CK_CLIENT_TIME_MAX_MS;
  row_conversation("c", "auto", "m1", at.wall + 10 * YEAR);
  row_job((struct row_of_job){.id = automatic("m1"), .of = "c", .message = "m1"});
  pass(longest - 1);
  claims(NULL);
  pass(1);
  claims(automatic("m1"));
}

/* A job that is made in the rest is due at its end, by the clock as it is then. */
Test(renewd_clocks, a_job_that_is_made_after_a_step, .init = core_begin, .fini = core_end) {
  row_conversation("c", "auto", "m1", at.wall + HOUR);
  at.wall -= 10 * MINUTE;
  happen(RENEW_TICK);
  answer(queried(TURN), (struct renew_answer){.facts = {.found = true,
                                                        .role = CK_LIT("assistant"),
                                                        .created_at = at.wall,
                                                        .observed_at = at.wall - 1,
                                                        .live = true,
                                                        .since = 1}});
  const struct renew_effect *put = told(CK_OP_PUT);
  cr_assert_not_null(put);
  cr_assert_eq(ck_row_int(put->as.tell.row, CK_JOBS_NEXT_ATTEMPT_AT, 0), at.wall + HOUR);
}

/* The clock goes back after the 60th delivery, by more than an hour. */
Test(renewd_clocks, a_rate_ends, .init = core_begin, .fini = core_end) {
  int64_t sixtieth = at.wall - 10 * MINUTE;
  const struct renew_answer braked = {.past = {.has_sixtieth = true, .sixtieth_at = sixtieth}};
  row_job((struct row_of_job){.id = "j", .of = "c", .message = "m", .attempts = 1});
  claims("j");
  answer(past_query(), braked);
  cr_assert_null(told(CK_OP_CLAIM));
  at.wall -= 10 * YEAR;
  pass(50 * MINUTE - 1);
  claims(NULL);
  pass(1);
  claims("j");
  answer(past_query(), braked);
  cr_assert_not_null(told(CK_OP_CLAIM), "the 60th delivery stays young");
}

/* The store said nothing about the lease: nothing was sent, so the attempt is released. */
Test(renewd_clocks, a_lease_that_cannot_be_read, .init = core_begin, .fini = core_end) {
  row_job((struct row_of_job){.id = "j", .of = "c", .message = "m", .attempts = 2});
  claims("j");
  answer(past_query(), (struct renew_answer){0});
  receipt(told(CK_OP_CLAIM), 'u', 1);
  answer(queried(LEASE), (struct renew_answer){.problem = "no answer"});
  cr_assert_null(sent());
  const struct renew_effect *end = told(CK_OP_END);
  cr_assert_not_null(end);
  cr_assert(ck_str_is(end->as.tell.mutation.as.end.outcome, "released"));
  cr_assert_eq(end->as.tell.mutation.as.end.attempt, 3);
}

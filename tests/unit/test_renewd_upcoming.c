/* Jobs by hand that were not tried yet: which of them renewd holds, and how it asks for the rest.
 */
#include "test_renewd_core.h"

#include <criterion/criterion.h>

#define MINUTE INT64_C(60000)

static struct renew_job_row upcoming(uint64_t version, const char *id, int64_t in) {
  return listed(version, (struct row_of_job){
                             .id = id, .of = id, .message = id, .next = ck_int(at.wall + in)});
}

static void put(const char *id, int64_t in) {
  row_job((struct row_of_job){.id = id, .of = id, .message = id, .next = ck_int(at.wall + in)});
}

static void over(const char *id) {
  row_job((struct row_of_job){.id = id, .of = id, .message = id, .status = "done"});
}

static bool held(const char *id) { return renew_core_job(&core, ck_str_of(id)); }

/* Two are held ahead; the first page ends with c, which is due in an hour. */
static void begin(void) {
  core_new();
  core.set.ahead = 2;
  happen(RENEW_CONNECTED);
  follow(10);
  const struct renew_job_row rows[] = {upcoming(1, "a", 0), upcoming(2, "b", 30 * MINUTE),
                                       upcoming(3, "c", 60 * MINUTE)};
  const struct renew_effect *q = queried(RENEW_ABOUT_UPCOMING);
  answer(q, (struct renew_answer){.jobs = rows, .n = 3, .cursor = CK_LIT("after c")});
  answer(queried(RENEW_ABOUT_OFFERS), (struct renew_answer){0});
  answer(queried(RENEW_ABOUT_LIMITS), (struct renew_answer){0});
}

Test(renewd_upcoming, beyond_the_horizon, .init = begin, .fini = core_end) {
  cr_assert(held("a") && held("b") && held("c"));
  claims("a");
  cr_assert_null(queried(RENEW_ABOUT_UPCOMING), "two are held, and they are far away");
  put("near", 59 * MINUTE);
  put("far", 61 * MINUTE);
  row_job(
      (struct row_of_job){.id = "tried", .of = "tried", .attempts = 1, .next = ck_int(INT64_MAX)});
  row_job((struct row_of_job){
      .id = "job_x", .of = "x", .message = "m", .next = ck_int(at.wall + 61 * MINUTE)});
  row_job((struct row_of_job){.id = "never", .of = "never", .next = ck_null()});
  cr_assert(held("near"));
  cr_assert(held("tried"), "no page would have it");
  cr_assert(held("job_x"), "likewise");
  cr_assert_not(held("far"));
  cr_assert_not(held("never"));
  put("near", 62 * MINUTE);
  cr_assert(held("near"), "what is held stays so");
  row_job((struct row_of_job){.id = "far", .of = "far", .status = "running"});
  cr_assert(held("far"));
}

/* A minute before the horizon is reached, and as soon as fewer than two are held. */
Test(renewd_upcoming, the_next_page, .init = begin, .fini = core_end) {
  pass(58 * MINUTE);
  happen(RENEW_TICK);
  cr_assert_null(queried(RENEW_ABOUT_UPCOMING));
  cr_assert_leq(renew_core_wakes(&core), at.boot + MINUTE);
  pass(MINUTE);
  happen(RENEW_TICK);
  const struct renew_effect *q = queried(RENEW_ABOUT_UPCOMING);
  cr_assert(q && ck_str_is(q->as.query.cursor, "after c"));
  cr_assert_eq(q->as.query.since, at.wall + MINUTE);
  answer(q, (struct renew_answer){.problem = "busy"});
  happen(RENEW_TICK);
  cr_assert_null(queried(RENEW_ABOUT_UPCOMING), "not before a second has passed");
  pass(1000);
  happen(RENEW_TICK);
  const struct renew_job_row d = upcoming(4, "d", 90 * MINUTE);
  answer(queried(RENEW_ABOUT_UPCOMING),
         (struct renew_answer){.jobs = &d, .n = 1, .cursor = CK_LIT("after d")});
  cr_assert(held("d"));
  over("a"), over("b"), over("d");
  happen(RENEW_TICK);
  answer(queried(RENEW_ABOUT_UPCOMING), (struct renew_answer){0});
  put("last", 3000 * MINUTE);
  cr_assert(held("last"), "the last page has been read");
  happen(RENEW_TICK);
  cr_assert_null(queried(RENEW_ABOUT_UPCOMING));
}

/* The wall clock is stepped. */
Test(renewd_upcoming, a_step_of_the_clock, .init = begin, .fini = core_end) {
  at.wall += 100 * MINUTE;
  cr_assert_leq(renew_core_wakes(&core), at.boot + 500);
  pass(500);
  happen(RENEW_TICK);
  cr_assert_not_null(queried(RENEW_ABOUT_UPCOMING));
}

/* Rows that come while a page is on its way are newer than the page, or not in it. */
Test(renewd_upcoming, while_a_page_is_asked_for, .init = begin, .fini = core_end) {
  core.set.ahead = 3;
  over("b"), over("c");
  happen(RENEW_TICK);
  const struct renew_effect *q = queried(RENEW_ABOUT_UPCOMING);
  put("beyond", 200 * MINUTE);
  cr_assert(held("beyond"));
  put("ended", 70 * MINUTE);
  over("ended");
  over("unheard of");
  put("again", 70 * MINUTE);
  over("again");
  put("again", 75 * MINUTE);
  follow(20);
  const struct renew_job_row rows[] = {
      upcoming(5, "unheard of", 65 * MINUTE), upcoming(5, "ended", 70 * MINUTE),
      upcoming(5, "again", 70 * MINUTE), upcoming(21, "not followed", 80 * MINUTE),
      upcoming(6, "d", 90 * MINUTE)};
  answer(q, (struct renew_answer){.jobs = rows, .n = 5, .cursor = CK_LIT("after d")});
  cr_assert(held("d") && held("again"));
  cr_assert_not(held("ended"));
  cr_assert_not(held("unheard of"));
  cr_assert_not(held("not followed"), "its row comes");
  const struct renew_job *again = renew_core_job(&core, CK_LIT("again"));
  cr_assert_eq(again->next_attempt_at, at.wall + 75 * MINUTE);
  put("not followed", 80 * MINUTE);
  cr_assert(held("not followed"));
  cr_assert_eq(core.upcoming.over.count, 0);
}

/* What is under way with one when another history begins goes on to its end; a page of the new one
 * has it all the same. */
Test(renewd_upcoming, one_of_a_former_history, .init = begin, .fini = core_end) {
  claims("a");
  const struct renew_effect *past = past_query();
  happen(RENEW_RESET);
  follow(10);
  const struct renew_job_row a = upcoming(1, "a", 0);
  answer(queried(RENEW_ABOUT_UPCOMING), (struct renew_answer){.jobs = &a, .n = 1});
  answer(queried(RENEW_ABOUT_OFFERS), (struct renew_answer){0});
  answer(queried(RENEW_ABOUT_LIMITS), (struct renew_answer){0});
  answer(past, (struct renew_answer){.head = 10});
  cr_assert(held("a"));
  cr_assert(told(CK_OP_CLAIM));
}

/* However many are made: four, and those that are due within a minute. */
Test(renewd_upcoming, very_many, .init = begin, .fini = core_end) {
  put("soon 0", 59 * MINUTE);
  put("soon 1", 58 * MINUTE);
  cr_assert_not(held("soon 1"));
  put("sooner", 57 * MINUTE);
  cr_assert_not(held("sooner"));
  put("now", 0);
  put("at once", MINUTE);
  cr_assert(held("now") && held("at once"));
  pass(56 * MINUTE);
  happen(RENEW_TICK);
  const struct renew_effect *q = queried(RENEW_ABOUT_UPCOMING);
  cr_assert(q && q->as.query.cursor.n == 0);
  cr_assert_eq(q->as.query.since, at.wall + MINUTE - 1);
  const struct renew_job_row rows[] = {
      upcoming(11, "sooner", MINUTE), upcoming(12, "soon 1", 2 * MINUTE),
      upcoming(13, "soon 0", 3 * MINUTE), upcoming(3, "c", 4 * MINUTE)};
  follow(20);
  answer(q, (struct renew_answer){.jobs = rows, .n = 4});
  cr_assert(held("sooner"));
}

/* What is due may be on many pages. */
Test(renewd_upcoming, nothing_is_claimed_before_it_is_there, .init = core_new, .fini = core_end) {
  core.set.ahead = 1;
  happen(RENEW_CONNECTED);
  follow(10);
  answer(queried(RENEW_ABOUT_LIMITS), (struct renew_answer){0});
  const struct renew_job_row rows[] = {upcoming(1, "a", -2000), upcoming(2, "b", -1000),
                                       upcoming(3, "c", MINUTE)};
  answer(queried(RENEW_ABOUT_UPCOMING),
         (struct renew_answer){.jobs = rows, .n = 2, .cursor = CK_LIT("after b")});
  cr_assert_null(queried(RENEW_ABOUT_OFFERS));
  claims(NULL);
  answer(queried(RENEW_ABOUT_UPCOMING), (struct renew_answer){.jobs = rows + 2, .n = 1});
  claims(NULL);
  answer(queried(RENEW_ABOUT_OFFERS), (struct renew_answer){0});
  claims("a");
}

/* Its time was reached before the clock was set back. */
Test(renewd_upcoming, a_far_one_that_is_offered, .init = begin, .fini = core_end) {
  happen(RENEW_RESET);
  follow(10);
  answer(queried(RENEW_ABOUT_UPCOMING),
         (struct renew_answer){.jobs = (struct renew_job_row[]){upcoming(1, "a", 60 * MINUTE)},
                               .n = 1,
                               .cursor = CK_LIT("after a")});
  struct renew_job_row offered = listed(
      5, (struct row_of_job){.id = "x", .of = "x", .target = CLIENTS, .next = ck_int(INT64_MAX)});
  answer(queried(RENEW_ABOUT_OFFERS),
         (struct renew_answer){.jobs = &offered, .n = 1, .cursor = CK_LIT("after x")});
  cr_assert_eq(phase("x"), RENEW_WITHDRAWING);
  const struct renew_effect *q = queried(RENEW_ABOUT_OFFERS);
  cr_assert(q && ck_str_is(q->as.query.cursor, "after x"));
}

/* Steps of the wall clock: what waits for a calendar time follows it; a wait, a lease and the age
 * of a delivery do not. */
#include <criterion/criterion.h>

#include <stdio.h>

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

/* What the rows say is of long ago, and the clock was stepped since: the store knows. */
Test(renewd_clocks, after_a_restart, .init = core_new, .fini = core_end) {
  knows_waits = false;
  int64_t until = at.wall + 10 * YEAR;
  const char *done = automatic("m1"), *off = automatic("m4");
  row_conversation("c", "auto", "m1", until);
  row_job((struct row_of_job){.id = done, .of = "c", .message = "m1"});
  row_job((struct row_of_job){
      .id = "over", .of = "o", .message = "m2", .attempts = 1, .next = ck_int(until)});
  row_job((struct row_of_job){
      .id = "waits", .of = "w", .message = "m3", .attempts = 1, .next = ck_int(at.wall - 1)});
  row_conversation("s", "auto", "m4", 0);
  row_job((struct row_of_job){.id = off, .of = "s", .message = "m4", .next = ck_int(until)});
  core_connect();
  claims(NULL);
  const struct renew_wait_row rows[] = {
      {.number = 3, .id = CK_LIT("c"), .until = until, .left = MINUTE},
      {.number = 7, .of_job = true, .id = CK_LIT("waits"), .until = at.wall - 1, .left = HOUR},
      {.number = 8, .of_job = true, .id = ck_str_of(off), .until = until, .calendar = true}};
  answer(queried(RENEW_ABOUT_WAITS), (struct renew_answer){.problem = "busy"});
  pass(1000);
  happen(RENEW_TICK);
  answer(queried(RENEW_ABOUT_WAITS), (struct renew_answer){.waits = rows, .n = 3});
  claims("over");
  claims(NULL);
  pass(MINUTE);
  claims(done);
  claims(NULL);
  pass(HOUR - MINUTE);
  claims("waits");
  claims(NULL);
  at.wall += 10 * YEAR;
  pass(500);
  claims(off);
}

/* Each page begins behind the last row of the one before; a row that comes meanwhile is asked about
 * in another round. */
Test(renewd_clocks, pages_of_waits, .init = core_new, .fini = core_end) {
  static struct renew_wait_row rows[RENEW_PAGE];
  knows_waits = false;
  for (int i = 0; i < RENEW_PAGE; i++) rows[i].number = (uint64_t)(10 + 2 * i);
  row_conversation("c", "auto", "m1", at.wall + HOUR);
  core_connect();
  const struct renew_effect *first = queried(RENEW_ABOUT_WAITS);
  answer(first, (struct renew_answer){.waits = rows, .n = RENEW_PAGE});
  const struct renew_effect *second = queried(RENEW_ABOUT_WAITS);
  cr_assert(second && second->as.query.number == rows[RENEW_PAGE - 1].number + 1);
  row_conversation("d", "auto", "m2", at.wall + HOUR);
  id = automatic("m2");
  row_job((struct row_of_job){.id = id, .of = "d", .message = "m2"});
  answer(second, (struct renew_answer){0});
  claims(NULL);
  first = queried(RENEW_ABOUT_WAITS);
  cr_assert(first && first->as.query.number == 0);
  happen(RENEW_LOST);
  happen(RENEW_CONNECTED);
  answer(first, (struct renew_answer){0});
  claims(NULL);
  answer(queried(RENEW_ABOUT_WAITS), (struct renew_answer){0});
  claims(NULL);
  answer(queried(RENEW_ABOUT_WAITS), (struct renew_answer){0});
  claims(id);
}

/* The last message gets a job, which is due then. */
static void is_made_for(int64_t due) {
  answer(queried(TURN), (struct renew_answer){.facts = {.found = true,
                                                        .role = CK_LIT("assistant"),
                                                        .created_at = at.wall,
                                                        .observed_at = at.wall - 1,
                                                        .live = true,
                                                        .on_auto = true}});
  const struct renew_effect *put = told(CK_OP_PUT);
  cr_assert_not_null(put);
  cr_assert_eq(ck_row_int(put->as.tell.row, CK_JOBS_NEXT_ATTEMPT_AT, 0), due);
}

/* A job that is made in the rest is due at its end, by the clock as it is then. */
Test(renewd_clocks, a_job_that_is_made_after_a_step, .init = core_begin, .fini = core_end) {
  row_conversation("c", "auto", "m1", at.wall + HOUR);
  at.wall -= 10 * MINUTE;
  happen(RENEW_TICK);
  is_made_for(at.wall + HOUR);
}

/* The clock was set back by ten days while it rested, and renewd started again: the row's deadline
 * is ten days ahead. The job is made once the store has told what is left of the rest. */
Test(renewd_clocks, a_job_that_is_made_after_a_restart, .init = core_new, .fini = core_end) {
  knows_waits = false;
  int64_t until = at.wall + 240 * HOUR;
  row_conversation("c", "auto", "m1", until);
  core_connect();
  happen(RENEW_TICK);
  cr_assert_null(queried(TURN));
  const struct renew_wait_row rest = {.number = 1, .id = CK_LIT("c"), .until = until, .left = HOUR};
  answer(queried(RENEW_ABOUT_WAITS), (struct renew_answer){.waits = &rest, .n = 1});
  is_made_for(at.wall + HOUR);
}

/* A rest that another one has written comes while the message is assessed. */
Test(renewd_clocks, a_rest_that_comes_while_it_is_assessed, .init = core_begin, .fini = core_end) {
  row_conversation("c", "auto", "m1", 0);
  happen(RENEW_TICK);
  const struct renew_effect *asked = queried(TURN);
  cr_assert_not_null(asked);
  knows_waits = false;
  row_conversation("c", "auto", "m1", at.wall + HOUR);
  answer(asked, (struct renew_answer){.facts = {.found = true}});
  cr_assert_null(told(CK_OP_PUT));
  cr_assert_null(queried(TURN));
  const struct renew_effect *wait = queried(RENEW_ABOUT_WAITS);
  cr_assert(wait && ck_str_is(wait->as.query.conversation_id, "c"));
  answer(wait, (struct renew_answer){0});
  cr_assert_not_null(queried(TURN));
}

/* Renewd's own job for m1, which was tried. */
static void waits_until(int64_t until) {
  row_job((struct row_of_job){
      .id = id, .of = "c", .message = "m1", .attempts = 1, .next = ck_int(until)});
}

/* How long it waits is asked, because another has written its row. */
static const struct renew_effect *asks_about_a_job(void) {
  knows_waits = false;
  id = automatic("m1");
  row_conversation("c", "auto", "m1", 0);
  waits_until(at.wall + HOUR);
  happen(RENEW_TICK);
  return queried(RENEW_ABOUT_WAITS);
}

/* Of a row that comes later the store is asked alone, however many waits it has. */
Test(renewd_clocks, a_wait_that_another_has_written, .init = core_begin, .fini = core_end) {
  const struct renew_effect *asked = asks_about_a_job();
  cr_assert(asked && ck_str_is(asked->as.query.job_id, id));
  waits_until(at.wall + 2 * HOUR);
  answer(asked, (struct renew_answer){.problem = "busy"});
  pass(1000);
  happen(RENEW_TICK);
  asked = queried(RENEW_ABOUT_WAITS);
  cr_assert(asked && ck_str_is(asked->as.query.job_id, id));
  happen(RENEW_LOST);
  happen(RENEW_CONNECTED);
  answer(asked, (struct renew_answer){0});
  claims(NULL);
  asked = queried(RENEW_ABOUT_WAITS);
  const struct renew_wait_row row = {.number = 900000,
                                     .of_job = true,
                                     .id = ck_str_of(id),
                                     .until = at.wall - 1000 + 2 * HOUR,
                                     .left = MINUTE};
  answer(asked, (struct renew_answer){.waits = &row, .n = 1});
  claims(NULL);
  cr_assert_null(queried(RENEW_ABOUT_WAITS));
  pass(MINUTE);
  claims(id);
}

/* Its row came before that of its job, and was left out: nothing is held of what is on manual. */
Test(renewd_clocks, the_rest_of_a_conversation_on_manual, .init = core_begin, .fini = core_end) {
  knows_waits = false;
  id = automatic("m1");
  row_conversation("c", "manual", "m1", at.wall + HOUR);
  row_job((struct row_of_job){.id = id, .of = "c", .message = "m1"});
  happen(RENEW_TICK);
  const struct renew_effect *asked = queried(RENEW_ABOUT_WAITS);
  cr_assert(asked && ck_str_is(asked->as.query.conversation_id, "c"));
  receipt(told(CK_OP_SUPERSEDE), '=', 1); /* a person wants it anyway */
  claims(NULL);
  const struct renew_wait_row rest = {
      .number = 1, .id = CK_LIT("c"), .until = at.wall + HOUR, .left = MINUTE};
  answer(asked, (struct renew_answer){.waits = &rest, .n = 1});
  answer(queried(RENEW_ABOUT_WAITS), (struct renew_answer){0}); /* and the job's own wait */
  claims(NULL);
  pass(MINUTE);
  claims(id);
}

/* It is asked about again if its row comes while the answer is on its way. */
Test(renewd_clocks, a_wait_whose_row_comes_while_it_is_asked_for, .init = core_begin,
     .fini = core_end) {
  const struct renew_effect *asked = asks_about_a_job();
  waits_until(at.wall + 2 * HOUR);
  answer(asked, (struct renew_answer){0});
  claims(NULL);
  answer(queried(RENEW_ABOUT_WAITS), (struct renew_answer){0});
  claims(id);
}

/* Of very many at once all waits are asked for. */
Test(renewd_clocks, very_many_rows_at_once, .init = core_begin, .fini = core_end) {
  knows_waits = false;
  for (int i = 0; i <= RENEW_PAGE; i++) {
    char name[16];
    snprintf(name, sizeof name, "c%d", i);
    row_conversation(name, "auto", "m1", at.wall + HOUR);
  }
  happen(RENEW_TICK);
  const struct renew_effect *asked = queried(RENEW_ABOUT_WAITS);
  cr_assert(asked && !asked->as.query.conversation_id.n);
  answer(asked, (struct renew_answer){0});
  cr_assert_null(queried(RENEW_ABOUT_WAITS));
}

/* Also if all are of one conversation. */
Test(renewd_clocks, very_many_jobs_of_one_conversation, .init = core_begin, .fini = core_end) {
  knows_waits = false;
  row_conversation("c", "auto", "m0", 0);
  for (int i = 0; i <= RENEW_PAGE; i++) {
    char name[16], message[16];
    snprintf(name, sizeof name, "j%d", i);
    snprintf(message, sizeof message, "n%d", i);
    row_job((struct row_of_job){
        .id = name, .of = "c", .message = message, .attempts = 1, .next = ck_int(at.wall + HOUR)});
  }
  happen(RENEW_TICK);
  const struct renew_effect *asked = queried(RENEW_ABOUT_WAITS);
  cr_assert(asked && !asked->as.query.conversation_id.n && !asked->as.query.job_id.n);
  answer(asked, (struct renew_answer){0});
  cr_assert_null(queried(RENEW_ABOUT_WAITS));
  row_conversation("d", "auto", "m1", at.wall + HOUR);
  happen(RENEW_TICK);
  asked = queried(RENEW_ABOUT_WAITS);
  cr_assert(asked && ck_str_is(asked->as.query.conversation_id, "d"), "few are asked about alone");
}

/* The newest attempts of a former run, page by page until one is old; after another start of the
 * machine with a clock that has gone back all of them look new. */
Test(renewd_clocks, attempts_of_a_former_run, .init = core_new, .fini = core_end) {
  static struct renew_job_row page[RENEW_PAGE];
  core.pace.spacing = MINUTE;
  row_job((struct row_of_job){.id = "j", .of = "c", .message = "m"});
  for (int i = 0; i < RENEW_PAGE; i++)
    page[i] = listed(1, (struct row_of_job){.id = "old", .of = "o", .message = "n"});
  core_connect();
  for (int pages = 0; pages < 5; pages++)
    answer(queried(RENEW_ABOUT_BEGUN),
           (struct renew_answer){.jobs = page, .n = RENEW_PAGE, .cursor = CK_LIT("more")});
  cr_assert_null(queried(RENEW_ABOUT_BEGUN));
  claims(NULL);
  pass(MINUTE);
  claims("j");
  core_end();

  core_new();
  core.pace.spacing = MINUTE;
  row_job((struct row_of_job){.id = "j", .of = "c", .message = "m"});
  core_connect();
  page[0].age = MINUTE - 10;
  page[1].age = MINUTE;
  answer(queried(RENEW_ABOUT_BEGUN),
         (struct renew_answer){.jobs = page, .n = 2, .cursor = CK_LIT("more")});
  cr_assert_null(queried(RENEW_ABOUT_BEGUN));
  claims(NULL);
  pass(10);
  claims("j");
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

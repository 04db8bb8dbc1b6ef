/* What the core knows of conversations and jobs, and when a job has its turn. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>

#include "test_renewd_core.h"

static void conversation(const char *id, const char *automation, const char *last,
                         int64_t cooldown_until) {
  row_conversation(id, automation, last, cooldown_until);
}

static void job(const char *id, const char *of, const char *message, const char *status,
                int64_t attempts, struct ck_value next) {
  row_job((struct row_of_job){.id = id,
                              .of = of,
                              .message = message,
                              .status = status,
                              .attempts = attempts,
                              .next = next});
}

/* After a refusal. */
#define RENEW_AGAIN 1000

/* The store says so of the past of the conversation whose job has its turn. */
static void brakes(struct renew_past past) {
  answer(past_query(), (struct renew_answer){.past = past});
}

static int64_t due(void) {
  happen(RENEW_TICK);
  return renew_core_due(&core);
}

Test(renewd_state, when_a_job_may_be_claimed, .init = core_begin, .fini = core_end) {
  job("hand", "c", "m1", "pending", 0, ck_int(at.wall + 50));
  claims(NULL);
  cr_assert_eq(due(), at.boot + 50);
  pass(49);
  claims(NULL);
  pass(1);
  claims("hand");
  claims(NULL);
  cr_assert_eq(due(), RENEW_NEVER);
}

Test(renewd_state, no_next_attempt_is_never, .init = core_begin, .fini = core_end) {
  job("hand", "c", "m1", "pending", 0, ck_null());
  cr_assert_eq(due(), RENEW_NEVER);
  pass(INT64_C(100000000000));
  claims(NULL);
  job("far", "d", "m2", "pending", 0, ck_int(INT64_MAX));
  cr_assert_eq(due(), RENEW_NEVER);
  job("early", "e", "m3", "pending", 0, ck_int(INT64_MIN));
  claims("early");
}

Test(renewd_state, a_job_without_a_target_waits, .init = core_begin, .fini = core_end) {
  row_job((struct row_of_job){.id = "hand", .of = "c", .message = "m1", .target = "{}"});
  cr_assert_eq(due(), RENEW_NEVER);
  claims(NULL);
  job("other", "c", "m2", "pending", 0, ck_int(at.wall));
  claims("other"); /* it holds up no other */
  ends("other", RENEW_DONE, "done");
  const struct renew_effect *link = queried(RENEW_ABOUT_LINK);
  answer(link, (struct renew_answer){0});
  cr_assert(strstr(renew_core_job(&core, CK_LIT("hand"))->no_target, "no active link"));
  claims(NULL);
  row_job((struct row_of_job){.id = "hand", .of = "c", .message = "m1", .target = "{}"});
  cr_assert(strstr(renew_core_job(&core, CK_LIT("hand"))->no_target, "no active link"));
  job("hand", "c", "m1", "pending", 0, ck_int(at.wall));
  cr_assert_null(renew_core_job(&core, CK_LIT("hand"))->no_target);
  claims("hand");
}

Test(renewd_state, a_link_comes, .init = core_begin, .fini = core_end) {
  row_job((struct row_of_job){.id = "j", .of = "c", .message = "m1", .target = "{}"});
  happen(RENEW_TICK);
  const struct renew_effect *link = queried(RENEW_ABOUT_LINK);
  row_link("c");
  row_link("another");
  const struct renew_answer it = {
      .has_link = true, .link = {.target_kind = CK_LIT("exec"), .target_id = CK_LIT("it")}};
  answer(link, it); /* it was there before the link came */
  cr_assert_null(told(CK_OP_UPDATE));
  answer(queried(RENEW_ABOUT_LINK), it);
  const struct renew_effect *update = told(CK_OP_UPDATE);
  cr_assert_not_null(update);
  cr_assert(ck_str_is(ck_row_key(update->as.tell.row), "j"));
  cr_assert(ck_str_is(ck_row_text(update->as.tell.row, CK_JOBS_TARGET_SNAPSHOT), TARGET));
  claims(NULL); /* not before its row has come */
  job("j", "c", "m1", "pending", 0, ck_int(at.wall));
  claims("j");
  cr_assert_null(queried(RENEW_ABOUT_LINK));
}

Test(renewd_state, automatic_jobs_need_auto_others_only_no_pause, .init = core_begin,
     .fini = core_end) {
  job(automatic("m1"), "c", "m1", "pending", 0, ck_int(at.wall));
  job("hand", "d", "m2", "pending", 0, ck_int(at.wall));
  claims("hand");
  claims(NULL);
  conversation("c", "paused", "m1", 0);
  claims(NULL);
  conversation("c", "auto", "m1", 0);
  claims(automatic("m1"));
  job("hand2", "e", "m3", "pending", 0, ck_int(at.wall));
  conversation("e", "paused", "m3", 0);
  claims(NULL);
  conversation("e", "manual", "m3", 0);
  claims("hand2");
}

Test(renewd_state, one_at_a_time_in_a_conversation, .init = core_begin, .fini = core_end) {
  job("a", "c", "m1", "pending", 0, ck_int(at.wall - 10));
  job("b", "c", "m2", "pending", 0, ck_int(at.wall - 20));
  claims("b");
  claims(NULL);
  const struct renew_effect *send = sends("b", TARGET);
  job("b", "c", "m2", "running", 1, ck_int(at.wall - 20));
  claims(NULL);
  result(send, RENEW_DONE);
  job("b", "c", "m2", "done", 1, ck_null());
  claims(NULL);
  receipt(told(CK_OP_END), 'u', 9);
  claims(NULL);
  follow(8);
  cr_assert_not_null(renew_core_job(&core, CK_LIT("b")));
  claims(NULL);
  follow(9);
  cr_assert_null(renew_core_job(&core, CK_LIT("b")));
  claims("a");
}

Test(renewd_state, a_retry_is_not_overtaken, .init = core_begin, .fini = core_end) {
  job("tried", "c", "m1", "pending", 1, ck_int(at.wall + 100));
  job("fresh", "c", "m2", "pending", 0, ck_int(at.wall));
  claims(NULL);
  pass(100);
  claims("tried");
  ends("tried", RENEW_FAILED, "failed");
  claims("fresh");
}

Test(renewd_state, an_unknown_end_holds_up_nobody, .init = core_begin, .fini = core_end) {
  job("unknown", "c", "m1", "running", 1, ck_int(at.wall));
  claims(NULL);
  answer(queried(LOOK), (struct renew_answer){.lease = {.unknown = true}});
  job("next", "c", "m2", "pending", 0, ck_int(at.wall));
  claims("next");
}

Test(renewd_state, a_conversation_rests, .init = core_begin, .fini = core_end) {
  conversation("c", "auto", "m1", at.wall + 500);
  job(automatic("m1"), "c", "m1", "pending", 0, ck_int(at.wall));
  job("hand", "d", "m2", "pending", 0, ck_int(at.wall));
  conversation("d", "manual", "m2", at.wall + 500);
  claims("hand");
  claims(NULL);
  pass(500);
  claims(automatic("m1"));
}

Test(renewd_state, no_more_than_there_are_slots, .init = core_begin, .fini = core_end) {
  char id[4] = "j0", of[4] = "c0", message[4] = "m0";
  for (char i = '0'; i < '6'; i++) {
    id[1] = of[1] = message[1] = i;
    job(id, of, message, "pending", 0, ck_int(at.wall));
  }
  for (char i = '0'; i < '3'; i++) claims((id[1] = i, id));
  claims("j3");
  claims(NULL);
  cr_assert_eq(due(), RENEW_NEVER);
  ends("j3", RENEW_DONE, "done");
  claims("j4");
  ends("j4", RENEW_DONE, "done");
  claims("j5");
  claims(NULL);
}

static void job_to(const char *id, const char *target) {
  row_job((struct row_of_job){.id = id, .of = id, .message = id, .target = target});
}

Test(renewd_state, each_target_has_its_own_pace, .init = core_begin, .fini = core_end) {
  core.pace.spacing = 2000;
  job_to("a1", "{\"kind\":\"exec\",\"id\":\"a\"}");
  job_to("a2", "{\"kind\":\"exec\",\"id\":\"a\"}");
  claims("a1");
  claims(NULL);
  job_to("b1", "{\"kind\":\"exec\",\"id\":\"b\"}");
  sends("a1", TARGET);
  claims("b1");
  cr_assert_eq(due(), at.boot + 2000);
  pass(1000);
  /* A job whose target changes goes at that target's pace. */
  sends("b1", TARGET);
  job_to("a2", "{\"kind\":\"exec\",\"id\":\"b\"}");
  cr_assert_eq(due(), at.boot + 2000);
  job_to("a2", "{\"kind\":\"exec\",\"id\":\"c\"}");
  claims("a2");
}

/* What a dead run began, by the store's list: a while ago, and ahead of a clock that was set back.
 */
Test(renewd_state, the_spacing_outlives_renewd, .init = core_new, .fini = core_end) {
  core.pace.spacing = 2000;
  job("next", "c", "m1", "pending", 0, ck_int(at.wall));
  happen(RENEW_CONNECTED);
  follow(9);
  page();
  answer(queried(RENEW_ABOUT_LIMITS), (struct renew_answer){0});
  answer(queried(RENEW_ABOUT_OFFERS), (struct renew_answer){0});
  claims(NULL);
  const struct renew_effect *begun = queried(RENEW_ABOUT_BEGUN);
  struct renew_job_row before = listed(
      1, (struct row_of_job){
             .id = "over", .of = "over", .status = "done", .last_attempt_at = at.wall - 500});
  before.age = 500;
  answer(begun, (struct renew_answer){.jobs = &before, .n = 1, .cursor = CK_LIT("after over")});
  claims(NULL);
  begun = queried(RENEW_ABOUT_BEGUN);
  cr_assert(begun && ck_str_is(begun->as.query.cursor, "after over"));
  const struct renew_job_row ahead = listed(1, (struct row_of_job){.id = "ahead",
                                                                   .of = "ahead",
                                                                   .status = "done",
                                                                   .target = REPEATABLE,
                                                                   .last_attempt_at = 1ll << 50});
  answer(begun, (struct renew_answer){.jobs = &ahead, .n = 1});
  claims(NULL);
  cr_assert_eq(due(), at.boot + 1500);
  row_job((struct row_of_job){.id = "far", .of = "far", .message = "far", .target = REPEATABLE});
  pass(1500);
  claims("next");
  pass(499);
  claims(NULL);
  pass(1);
  claims("far");
}

/* The rest began before the clock went back, the job came after that. */
Test(renewd_state, a_step_back_does_not_stretch_a_rest, .init = core_begin, .fini = core_end) {
  int64_t until = at.wall + 1000;
  conversation("c", "auto", "m1", until);
  claims(NULL);
  at.wall -= 86400000;
  job(automatic("m1"), "c", "m1", "pending", 0, ck_int(until));
  cr_assert_eq(due(), at.boot + 1000);
  pass(1000);
  claims(automatic("m1"));
}

Test(renewd_state, calendar_times_follow_the_wall_and_rests_do_not, .init = core_begin,
     .fini = core_end) {
  conversation("c", "auto", "m1", 0);
  job(automatic("m1"), "c", "m1", "pending", 0, ck_int(at.wall + 1000));
  job("hand", "d", "m2", "pending", 0, ck_int(at.wall + 1000));
  at.wall -= 86400000;
  cr_assert_eq(due(), at.boot + 1000);
  pass(1000);
  claims(automatic("m1"));
  claims(NULL);
  cr_assert_eq(due(), at.boot + 86400000);
  /* The wall clock is looked at now and then. */
  cr_assert_eq(renew_core_wakes(&core), at.boot + 500);
  at.wall += 86400000;
  claims("hand");
}

/* ---- the brake ---- */

Test(renewd_state, a_stopped_conversation_waits_for_its_next_row, .init = core_begin,
     .fini = core_end) {
  conversation("c", "auto", "m1", 0);
  job(automatic("m1"), "c", "m1", "pending", 0, ck_int(at.wall));
  claims(automatic("m1"));
  brakes((struct renew_past){.in_a_row = 10});
  claims(NULL);
  cr_assert_eq(due(), RENEW_NEVER);
  job("hand", "c", "m0", "pending", 0, ck_int(at.wall));
  claims("hand");
  ends("hand", RENEW_DONE, "done");
  claims(NULL);
  conversation("c", "auto", "m1", 0);
  claims(automatic("m1"));
  /* A row that came while the store was asked may be a person's: asked again. */
  conversation("c", "auto", "m1", 0);
  brakes((struct renew_past){.in_a_row = 10});
  claims(automatic("m1"));
}

/* What its owner was asked may have been answered, though the text is the same. */
Test(renewd_state, a_row_of_the_message_ends_its_stop, .init = core_begin, .fini = core_end) {
  conversation("c", "auto", "m1", 0);
  job(automatic("m1"), "c", "m1", "pending", 0, ck_int(at.wall));
  claims(automatic("m1"));
  brakes((struct renew_past){.waits = CK_LIT("permission")});
  cr_assert(said("stopped"));
  claims(NULL);
  row_message("m2", "another one");
  claims(NULL);
  row_message("m1", "text");
  claims(automatic("m1"));
  brakes((struct renew_past){.waits = CK_LIT("permission")});
  row_message("m1", "text");
  claims(automatic("m1"));
}

/* What a person wants anyway is not stopped, also if he says so while the store is asked. */
Test(renewd_state, a_row_of_its_job_ends_its_stop, .init = core_begin, .fini = core_end) {
  conversation("c", "auto", "m1", 0);
  job(automatic("m1"), "c", "m1", "pending", 0, ck_int(at.wall));
  claims(automatic("m1"));
  cr_assert(ck_str_is(past_query()->as.query.job_id, automatic("m1")));
  job(automatic("m1"), "c", "m1", "pending", 0, ck_int(at.wall));
  brakes((struct renew_past){.in_a_row = 10});
  claims(automatic("m1"));
  brakes((struct renew_past){.in_a_row = 10});
  claims(NULL);
  job(automatic("m1"), "c", "m1", "pending", 0, ck_int(at.wall));
  claims(automatic("m1"));
  brakes((struct renew_past){.in_a_row = 10, .anyway = true});
  cr_assert_not_null(told(CK_OP_CLAIM));
}

/* A job by hand goes also on a day that has had its number. */
Test(renewd_state, so_many_a_day, .init = core_begin, .fini = core_end) {
  conversation("c", "auto", "m1", 0);
  job(automatic("m1"), "c", "m1", "pending", 0, ck_int(at.wall));
  claims(automatic("m1"));
  brakes((struct renew_past){.per_day = 5, .day_age = 86395000});
  cr_assert(said("braked"));
  claims(NULL);
  job("hand", "c", "m0", "pending", 0, ck_int(at.wall));
  claims("hand");
  ends("hand", RENEW_DONE, "done");
  claims(NULL);
  pass(4999);
  claims(NULL);
  pass(1);
  claims(automatic("m1"));
}

static const struct ck_zone *utc(const void *self, struct ck_str name, struct ck_err *err) {
  (void)self;
  static struct ck_zone *zone;
  return zone ? zone : (zone = ck_zone_open(name, err));
}

/* A step of the wall clock may end them, or begin them again. */
Test(renewd_state, quiet_hours_follow_the_clock, .init = core_begin, .fini = core_end) {
  core.set.stops.zone = utc;
  core.set.stops.quiet = CK_LIT("00:00-07:00 UTC");
  conversation("c", "auto", "m1", 0);
  job(automatic("m1"), "c", "m1", "pending", 0, ck_int(at.wall));
  claims(automatic("m1"));
  brakes((struct renew_past){0});
  cr_assert(said("braked"));
  claims(NULL);
  cr_assert_eq(due(), at.boot + 25200000 - at.wall);
  at.wall += 25200000;
  pass(500);
  claims(automatic("m1"));
}

Test(renewd_state, sixty_an_hour, .init = core_begin, .fini = core_end) {
  job("hand", "c", "m1", "pending", 0, ck_int(at.wall));
  claims("hand");
  brakes((struct renew_past){.has_sixtieth = true, .sixtieth_age = 3595000});
  cr_assert(said("braked"));
  claims(NULL);
  cr_assert_eq(due(), at.boot + 5000);
  pass(4999);
  claims(NULL);
  pass(1);
  claims("hand");
}

/* ---- what is forgotten ---- */

Test(renewd_state, unneeded_conversations_are_forgotten, .init = core_begin, .fini = core_end) {
  char id[16];
  for (int i = 0; i < 1000; i++) {
    snprintf(id, sizeof id, "c%d", i);
    conversation(id, "manual", "m", 0);
    job("j", id, "m", "done", 1, ck_null());
    job(id, id, id, "pending", 0, ck_int(at.wall));
    job(id, id, id, "failed", 1, ck_null());
  }
  happen(RENEW_TICK);
  cr_assert_null(told(CK_OP_SUPERSEDE));
  cr_assert_eq(core.conversations.count, 0);
  cr_assert_eq(core.jobs.count, 0);
}

Test(renewd_state, another_history, .init = core_begin, .fini = core_end) {
  conversation("c", "auto", "m1", 0);
  job("mine", "c", "m1", "pending", 0, ck_int(at.wall));
  job("waiting", "d", "m2", "pending", 0, ck_int(at.wall + 9));
  claims("mine");
  const struct renew_effect *send = sends("mine", TARGET);
  happen(RENEW_RESET);
  cr_assert_null(renew_core_job(&core, CK_LIT("waiting")));
  follow(1);
  core_connect();
  cr_assert_null(queried(TURN));
  /* The other history has the same job: it must not have its turn while the old attempt is under
   * way. */
  job("mine", "c", "m1", "pending", 0, ck_int(at.wall));
  claims(NULL);
  result(send, RENEW_DONE);
  receipt(told(CK_OP_END), 'r', 1);
  claims(NULL); /* not at once after a refusal */
  pass(RENEW_AGAIN);
  claims("mine");
}

/* Our own END waits for a version of the old history. */
Test(renewd_state, another_history_has_other_versions, .init = core_begin, .fini = core_end) {
  job("mine", "c", "m1", "pending", 0, ck_int(at.wall));
  claims("mine");
  result(sends("mine", TARGET), RENEW_DONE);
  receipt(told(CK_OP_END), 'u', 100);
  happen(RENEW_RESET);
  cr_assert_not_null(renew_core_job(&core, CK_LIT("mine")));
  follow(1);
  cr_assert_null(renew_core_job(&core, CK_LIT("mine")));
}

/* What renewd knows of conversations and jobs, and when a job may be claimed. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>

#include "renewd/state.h"

/* ---- rows ---- */

static struct renew_state st;
static struct renew_now at; /* both clocks advance together unless a test steps one */

static void begin(void) {
  memset(&st, 0, sizeof st);
  at = (struct renew_now){1000000, 5000};
}

static void pass(int64_t ms) {
  at.wall += ms;
  at.boot += ms;
}

static void conversation(const char *id, const char *automation, const char *last,
                         int64_t cooldown_until) {
  struct ck_row row = {.table = CK_CONVERSATIONS};
  row.v[CK_CONVERSATIONS_LOCAL_CONVERSATION_ID] = ck_textz(id);
  row.v[CK_CONVERSATIONS_AUTOMATION_STATUS] = ck_textz(automation);
  row.v[CK_CONVERSATIONS_LAST_MESSAGE_ID] = ck_textz(last);
  row.v[CK_CONVERSATIONS_COOLDOWN_UNTIL] = cooldown_until ? ck_int(cooldown_until) : ck_null();
  renew_state_row(&st, &row, at);
}

static void job(const char *id, const char *of, const char *message, const char *status,
                int64_t attempts, struct ck_value next) {
  struct ck_row row = {.table = CK_JOBS};
  row.v[CK_JOBS_JOB_ID] = ck_textz(id);
  row.v[CK_JOBS_LOCAL_CONVERSATION_ID] = ck_textz(of);
  row.v[CK_JOBS_MESSAGE_ID] = ck_textz(message);
  row.v[CK_JOBS_STATUS] = ck_textz(status);
  row.v[CK_JOBS_ATTEMPT_COUNT] = ck_int(attempts);
  row.v[CK_JOBS_NEXT_ATTEMPT_AT] = next;
  row.v[CK_JOBS_CREATED_AT] = ck_int(1000);
  renew_state_row(&st, &row, at);
}

static const char *automatic(const char *message) {
  static char id[37];
  ck_job_id(id, ck_str_of(message));
  return id;
}

static void claims(const char *id) {
  struct renew_job *j = renew_state_claim(&st, at);
  if (id)
    cr_assert(j && strcmp(j->node.id, id) == 0, "claims %s, not %s", j ? j->node.id : "none", id);
  else
    cr_assert_null(j, "claims %s", j->node.id);
}

Test(renewd_state, when_a_job_may_be_claimed, .init = begin) {
  job("hand", "c", "m1", "pending", 0, ck_int(at.wall + 50));
  claims(NULL);
  cr_assert_eq(renew_state_due(&st, at), at.boot + 50);
  pass(49);
  claims(NULL);
  pass(1);
  claims("hand");
  claims(NULL);
  cr_assert_eq(renew_state_due(&st, at), RENEW_NEVER);
  renew_state_free(&st);
}

Test(renewd_state, no_next_attempt_is_never, .init = begin) {
  job("hand", "c", "m1", "pending", 0, ck_null());
  cr_assert_eq(renew_state_due(&st, at), RENEW_NEVER);
  pass(INT64_C(100000000000));
  claims(NULL);
  job("far", "d", "m2", "pending", 0, ck_int(INT64_MAX));
  cr_assert_eq(renew_state_due(&st, at), RENEW_NEVER);
  job("early", "e", "m3", "pending", 0, ck_int(INT64_MIN));
  claims("early");
  renew_state_free(&st);
}

Test(renewd_state, a_job_without_a_target_waits, .init = begin) {
  job("hand", "c", "m1", "pending", 0, ck_int(at.wall));
  renew_state_target(&st, renew_state_job(&st, CK_LIT("hand")), "no link", at);
  cr_assert_eq(renew_state_due(&st, at), RENEW_NEVER);
  claims(NULL);
  job("other", "c", "m2", "pending", 0, ck_int(at.wall));
  claims("other"); /* it holds up no other */
  job("other", "c", "m2", "done", 1, ck_null());
  renew_state_settle(&st, CK_LIT("other"), 0, at);
  struct renew_job *j = renew_state_job(&st, CK_LIT("hand"));
  renew_state_target(&st, j, j->no_target, at);
  cr_assert_str_eq(j->no_target, "no link");
  claims(NULL);
  renew_state_target(&st, j, NULL, at);
  claims("hand");
  renew_state_free(&st);
}

Test(renewd_state, automatic_jobs_need_auto_others_only_no_pause, .init = begin) {
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
  renew_state_free(&st);
}

Test(renewd_state, one_at_a_time_in_a_conversation, .init = begin) {
  job("a", "c", "m1", "pending", 0, ck_int(at.wall - 10));
  job("b", "c", "m2", "pending", 0, ck_int(at.wall - 20));
  claims("b");
  claims(NULL);
  job("b", "c", "m2", "running", 1, ck_int(at.wall - 20));
  claims(NULL);
  job("b", "c", "m2", "done", 1, ck_null());
  claims(NULL);
  renew_state_settle(&st, CK_LIT("b"), 0, at);
  cr_assert_null(renew_state_job(&st, CK_LIT("b")));
  claims("a");
  renew_state_free(&st);
}

Test(renewd_state, a_retry_is_not_overtaken, .init = begin) {
  job("tried", "c", "m1", "pending", 1, ck_int(at.wall + 100));
  job("fresh", "c", "m2", "pending", 0, ck_int(at.wall));
  claims(NULL);
  pass(100);
  claims("tried");
  job("tried", "c", "m1", "failed", 2, ck_null());
  renew_state_settle(&st, CK_LIT("tried"), 0, at);
  claims("fresh");
  renew_state_free(&st);
}

Test(renewd_state, an_unknown_end_holds_up_nobody, .init = begin) {
  job("unknown", "c", "m1", "running", 1, ck_int(at.wall));
  job("next", "c", "m2", "pending", 0, ck_int(at.wall));
  claims("next");
  renew_state_free(&st);
}

Test(renewd_state, a_conversation_rests, .init = begin) {
  conversation("c", "auto", "m1", at.wall + 500);
  job(automatic("m1"), "c", "m1", "pending", 0, ck_int(at.wall));
  job("hand", "d", "m2", "pending", 0, ck_int(at.wall));
  conversation("d", "manual", "m2", at.wall + 500);
  claims("hand");
  claims(NULL);
  pass(500);
  claims(automatic("m1"));
  renew_state_free(&st);
}

/* Jobs without a target are in one lane, which has four slots. */
Test(renewd_state, no_more_than_there_are_slots, .init = begin) {
  char id[4] = "j0", of[4] = "c0", message[4] = "m0";
  for (char i = '0'; i < '6'; i++) {
    id[1] = of[1] = message[1] = i;
    job(id, of, message, "pending", 0, ck_int(at.wall));
  }
  for (char i = '0'; i < '4'; i++) claims((id[1] = i, id));
  claims(NULL);
  cr_assert_eq(renew_state_due(&st, at), RENEW_NEVER);
  renew_state_settle(&st, CK_LIT("j0"), at.boot + 1000, at);
  claims("j4");
  renew_state_settle(&st, CK_LIT("j1"), at.boot + 1000, at);
  claims("j5");
  renew_state_settle(&st, CK_LIT("j2"), at.boot + 1000, at);
  claims(NULL);
  cr_assert_eq(renew_state_due(&st, at), at.boot + 1000);
  renew_state_free(&st);
}

static void job_to(const char *id, const char *target) {
  struct ck_row row = {.table = CK_JOBS};
  row.v[CK_JOBS_JOB_ID] = row.v[CK_JOBS_LOCAL_CONVERSATION_ID] = row.v[CK_JOBS_MESSAGE_ID] =
      ck_textz(id);
  row.v[CK_JOBS_STATUS] = ck_textz("pending");
  row.v[CK_JOBS_ATTEMPT_COUNT] = ck_int(0);
  row.v[CK_JOBS_NEXT_ATTEMPT_AT] = ck_int(at.wall);
  row.v[CK_JOBS_TARGET_SNAPSHOT] = ck_textz(target);
  renew_state_row(&st, &row, at);
}

Test(renewd_state, each_target_has_its_own_pace, .init = begin) {
  st.pace.spacing = 2000;
  job_to("a1", "{\"kind\":\"exec\",\"id\":\"a\"}");
  job_to("a2", "{\"kind\":\"exec\",\"id\":\"a\"}");
  claims("a1");
  claims(NULL);
  job_to("b1", "{\"kind\":\"exec\",\"id\":\"b\"}");
  claims("b1");
  renew_state_begin(&st, CK_LIT("a1"), at);
  cr_assert_eq(renew_state_due(&st, at), at.boot + 2000);
  pass(1000);
  /* A job whose target changes goes at that target's pace. */
  renew_state_begin(&st, CK_LIT("b1"), at);
  job_to("a2", "{\"kind\":\"exec\",\"id\":\"b\"}");
  cr_assert_eq(renew_state_due(&st, at), at.boot + 2000);
  job_to("a2", "{\"kind\":\"exec\",\"id\":\"c\"}");
  claims("a2");
  renew_state_free(&st);
}

/* The rows tell what a dead run began. */
Test(renewd_state, the_spacing_outlives_renewd, .init = begin) {
  st.pace.spacing = 2000;
  struct ck_row row = {.table = CK_JOBS};
  row.v[CK_JOBS_JOB_ID] = row.v[CK_JOBS_LOCAL_CONVERSATION_ID] = row.v[CK_JOBS_MESSAGE_ID] =
      ck_textz("over");
  row.v[CK_JOBS_STATUS] = ck_textz("done");
  row.v[CK_JOBS_LAST_ATTEMPT_AT] = ck_int(at.wall - 500);
  renew_state_row(&st, &row, at);
  job("next", "c", "m1", "pending", 0, ck_int(at.wall));
  claims(NULL);
  cr_assert_eq(renew_state_due(&st, at), at.boot + 1500);
  pass(1500);
  claims("next");
  renew_state_free(&st);
}

/* The rest began before the clock went back, the job came after that. */
Test(renewd_state, a_step_back_does_not_stretch_a_rest, .init = begin) {
  int64_t until = at.wall + 1000;
  conversation("c", "auto", "m1", until);
  at.wall -= 86400000;
  job(automatic("m1"), "c", "m1", "pending", 0, ck_int(until));
  cr_assert_eq(renew_state_due(&st, at), at.boot + 1000);
  pass(1000);
  claims(automatic("m1"));
  renew_state_free(&st);
}

Test(renewd_state, calendar_times_follow_the_wall_and_rests_do_not, .init = begin) {
  conversation("c", "auto", "m1", 0);
  job(automatic("m1"), "c", "m1", "pending", 0, ck_int(at.wall + 1000));
  job("hand", "d", "m2", "pending", 0, ck_int(at.wall + 1000));
  at.wall -= 86400000;
  cr_assert_eq(renew_state_due(&st, at), at.boot + 1000);
  pass(1000);
  claims(automatic("m1"));
  claims(NULL);
  cr_assert_eq(renew_state_due(&st, at), at.boot + 86400000);
  at.wall += 86400000;
  claims("hand");
  renew_state_free(&st);
}

/* ---- the brake ---- */

Test(renewd_state, a_stopped_conversation_waits_for_its_next_row, .init = begin) {
  conversation("c", "auto", "m1", 0);
  job(automatic("m1"), "c", "m1", "pending", 0, ck_int(at.wall));
  claims(automatic("m1"));
  renew_state_brake(&st, ck_str_of(automatic("m1")),
                    (struct renew_braked){RENEW_STOPPED, RENEW_NEVER}, at);
  claims(NULL);
  cr_assert_eq(renew_state_due(&st, at), RENEW_NEVER);
  job("hand", "c", "m0", "pending", 0, ck_int(at.wall));
  claims("hand");
  job("hand", "c", "m0", "done", 1, ck_null());
  renew_state_settle(&st, CK_LIT("hand"), 0, at);
  claims(NULL);
  conversation("c", "auto", "m1", 0);
  claims(automatic("m1"));
  /* A row that came while the store was asked may be a person's: asked again. */
  conversation("c", "auto", "m1", 0);
  renew_state_brake(&st, ck_str_of(automatic("m1")),
                    (struct renew_braked){RENEW_STOPPED, RENEW_NEVER}, at);
  claims(automatic("m1"));
  renew_state_free(&st);
}

Test(renewd_state, sixty_an_hour, .init = begin) {
  job("hand", "c", "m1", "pending", 0, ck_int(at.wall));
  claims("hand");
  renew_state_brake(&st, CK_LIT("hand"), (struct renew_braked){RENEW_HOURLY, at.boot + 5000}, at);
  claims(NULL);
  cr_assert_eq(renew_state_due(&st, at), at.boot + 5000);
  pass(5000);
  claims("hand");
  renew_state_free(&st);
}

/* ---- considering ---- */

static void considers(const char *id) {
  struct renew_conversation *c = renew_state_consider(&st, at);
  if (id)
    cr_assert(c && strcmp(c->node.id, id) == 0, "considers %s, not %s", c ? c->node.id : "none",
              id);
  else
    cr_assert_null(c, "considers %s", c->node.id);
}

Test(renewd_state, what_is_considered, .init = begin) {
  conversation("manual", "manual", "m1", 0);
  conversation("paused", "paused", "m2", 0);
  conversation("empty", "auto", NULL, 0);
  conversation("a", "auto", "m3", 0);
  conversation("a", "auto", "m4", 0);
  conversation("b", "auto", "m5", 0);
  considers("a");
  considers("b");
  considers(NULL);
  conversation("a", "auto", "m6", 0);
  considers(NULL); /* not before its first queries are answered */
  renew_state_considered(&st, CK_LIT("a"), true, RENEW_NOT_DECLINED, at);
  considers("a");
  considers(NULL);
  renew_state_considered(&st, CK_LIT("a"), true, RENEW_NOT_DECLINED, at);
  considers(NULL);
  conversation("b", "auto", "m5", 99);
  renew_state_considered(&st, CK_LIT("b"), true, RENEW_NOT_DECLINED, at);
  conversation("b", "manual", "m5", 99);
  considers(NULL);
  renew_state_free(&st);
}

Test(renewd_state, unneeded_conversations_are_forgotten, .init = begin) {
  char id[16];
  for (int i = 0; i < 1000; i++) {
    snprintf(id, sizeof id, "c%d", i);
    conversation(id, "manual", "m", 0);
    job("j", id, "m", "done", 1, ck_null());
    job(id, id, id, "pending", 0, ck_int(at.wall));
    job(id, id, id, "failed", 1, ck_null());
  }
  cr_assert_null(renew_state_supersede(&st));
  cr_assert_eq(st.conversations.count, 0);
  cr_assert_eq(st.jobs.count, 0);
  renew_state_free(&st);
}

Test(renewd_state, another_history, .init = begin) {
  conversation("c", "auto", "m1", 0);
  job("mine", "c", "m1", "pending", 0, ck_int(at.wall));
  job("waiting", "d", "m2", "pending", 0, ck_int(at.wall + 9));
  claims("mine");
  renew_state_reset(&st);
  cr_assert_null(renew_state_job(&st, CK_LIT("waiting")));
  considers(NULL);
  /* The other history has the same job: it must not be claimed while the old attempt is under
   * way. */
  job("mine", "c", "m1", "pending", 0, ck_int(at.wall));
  claims(NULL);
  renew_state_settle(&st, CK_LIT("mine"), 0, at);
  claims("mine");
  renew_state_free(&st);
}

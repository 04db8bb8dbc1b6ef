/* Changesets with jobs that wait: superseded, cancelled and requeued ones, and what a claim is
 * refused for. */
#include "test_store_apply.h"

#include <stdlib.h>

static char automatic[37]; /* the id of renewd's own job for m1 */

static void answer(const char *id, const char *role) {
  char *more = ck_sprintf(",'role':'%s'", role),
       *last = ck_sprintf(",'last_message_id':'%s','last_message_at':20", id);
  sh_message(&s, id, 20, more);
  sh_conversation(&s, "c1", last);
  free(more);
  free(last);
}

/* A conversation on auto whose last message has a job: renewd's own, and one made by hand for the
 * message before. */
static void a_turn(void) {
  sh_message(&s, "m0", 5, "");
  sh_message(&s, "m1", 10, "");
  sh_conversation(&s, "c1",
                  ",'automation_status':'auto','last_message_id':'m1','last_message_at':10");
  ck_job_id(automatic, CK_LIT("m1"));
  cr_assert_eq(sh_job(&s, automatic, "c1", "m1", ",'target_snapshot':'[]'"), 'n');
  cr_assert_eq(sh_job(&s, "by_hand", "c1", "m0", ""), 'n');
}

static void is_over(const char *reason) {
  sh_is(&s, CK_JOBS, automatic, "status", "failed");
  sh_is(&s, CK_JOBS, automatic, "last_error", reason);
  sh_is(&s, CK_JOBS, automatic, "next_attempt_at", "NULL");
  sh_is(&s, CK_JOBS, automatic, "finished_at", "3000");
  sh_is(&s, CK_JOBS, automatic, "attempt_count", "0");
}

Test(apply, a_job_is_superseded_by_an_answer) {
  a_turn();
  ap_refused(ap_supersede_of(automatic, 3000), "supersede.job_id: the job is not superseded");
  answer("m2", "user");
  ap_refused(ap_claim_of(automatic, "t1", 2000), "superseded: somebody answered");
  cr_expect_eq(ap_mutate(ap_supersede_of(automatic, 3000)), 'u', "%s", s.reason.text);
  is_over("superseded: somebody answered");
  ap_refused(ap_supersede_of(automatic, 3000), "the job is failed, not pending");
}

Test(apply, a_job_is_superseded_by_a_later_message) {
  a_turn();
  answer("m2", "assistant");
  ap_refused(ap_claim_of(automatic, "t1", 2000), "superseded: another message is the last one");
  cr_expect_eq(ap_mutate(ap_supersede_of(automatic, 3000)), 'u', "%s", s.reason.text);
  is_over("superseded: another message is the last one");
}

Test(apply, a_job_is_superseded_when_its_conversation_leaves_auto) {
  a_turn();
  sh_conversation(&s, "c1", ",'automation_status':'manual'");
  ap_refused(ap_claim_of(automatic, "t1", 2000), "superseded: the conversation is not on auto");
  cr_expect_eq(ap_mutate(ap_supersede_of(automatic, 3000)), 'u', "%s", s.reason.text);
  is_over("superseded: the conversation is not on auto");
}

Test(apply, a_pause_ends_no_job_but_lets_none_be_claimed) {
  a_turn();
  sh_conversation(&s, "c1", ",'automation_status':'paused'");
  ap_refused(ap_claim_of(automatic, "t1", 2000), "paused");
  ap_refused(ap_claim_of("by_hand", "t1", 2000), "paused");
  ap_refused(ap_supersede_of(automatic, 3000), "the job is not superseded");
  answer("m2", "human");
  cr_expect_eq(ap_mutate(ap_supersede_of(automatic, 3000)), 'u', "%s", s.reason.text);
  is_over("superseded: somebody answered");
}

Test(apply, what_a_person_made_is_never_superseded) {
  a_turn();
  answer("m2", "user");
  sh_conversation(&s, "c1", ",'automation_status':'manual'");
  ap_refused(ap_supersede_of("by_hand", 3000), "the job is not superseded");
  cr_expect_eq(ap_mutate(ap_claim_of("by_hand", "t1", 2000)), 'u', "%s", s.reason.text);
}

Test(apply, a_running_job_is_not_superseded) {
  a_turn();
  cr_expect_eq(ap_mutate(ap_claim_of(automatic, "t1", 2000)), 'u', "%s", s.reason.text);
  answer("m2", "user");
  ap_refused(ap_supersede_of(automatic, 3000), "the job is running, not pending");
  ap_refused(ap_cancel_of(automatic, "x", 3000), "the job is running, not pending");
  ap_refused(ap_requeue_of(automatic, true, 3000), "the job is running, not pending or failed");
  /* Released and superseded in one changeset, or not at all. */
  struct ck_mutation end = ap_end_of(automatic, 1, "t1", "released"),
                     over = ap_supersede_of(automatic, 3000);
  sh_mutate(&s, &end);
  sh_mutate(&s, &over);
  cr_expect_eq(sh_apply(&s), 'u', "%s", s.reason.text);
  sh_commit(&s);
  is_over("superseded: somebody answered");
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM leases"), 0);
}

Test(apply, a_superseded_job_goes_again_only_anyway) {
  a_turn();
  answer("m2", "user");
  ap_refused(ap_requeue_of(automatic, false, 4000), "superseded: somebody answered");
  ap_mutate(ap_supersede_of(automatic, 3000));
  ap_refused(ap_requeue_of(automatic, false, 4000), "superseded: somebody answered");
  cr_expect_eq(ap_mutate(ap_requeue_of(automatic, true, 4000)), 'u', "%s", s.reason.text);
  sh_is(&s, CK_JOBS, automatic, "status", "pending");
  sh_is(&s, CK_JOBS, automatic, "next_attempt_at", "4000");
  sh_is(&s, CK_JOBS, automatic, "last_error", "NULL");
  sh_is(&s, CK_JOBS, automatic, "finished_at", "NULL");
  sh_is(&s, CK_JOBS, automatic, "target_snapshot", "NULL");
  sh_reopen(&s);
  cr_expect_eq(ap_mutate(ap_supersede_of(automatic, 5000)), '=', "a person wants it");
  cr_expect_eq(ap_mutate(ap_claim_of(automatic, "t1", 5000)), 'u', "%s", s.reason.text);
  cr_expect_eq(ap_mutate(ap_end_of(automatic, 1, "t1", "retry")), 'u', "%s", s.reason.text);
  cr_expect_eq(ap_mutate(ap_claim_of(automatic, "t2", 5000)), 'u', "%s", s.reason.text);
  cr_expect_eq(ap_mutate(ap_end_of(automatic, 2, "t2", "failed")), 'u', "%s", s.reason.text);
  ap_refused(ap_requeue_of(automatic, false, 6000), "superseded: somebody answered");
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM anyway"), 0, "used up");
}

Test(apply, a_failed_job_is_requeued) {
  a_turn();
  ap_mutate(ap_claim_of(automatic, "t1", 2000));
  ap_mutate(ap_end_of(automatic, 1, "t1", "failed"));
  cr_expect_eq(ap_mutate(ap_requeue_of(automatic, false, 4000)), 'u', "%s", s.reason.text);
  sh_is(&s, CK_JOBS, automatic, "status", "pending");
  sh_is(&s, CK_JOBS, automatic, "attempt_count", "0");
  ap_mutate(ap_claim_of(automatic, "t2", 4000));
  ap_mutate(ap_end_of(automatic, 1, "t2", "retry"));
  cr_expect_eq(ap_mutate(ap_requeue_of(automatic, false, 5000)), 'u', "%s", s.reason.text);
  sh_is(&s, CK_JOBS, automatic, "attempt_count", "1");
  sh_is(&s, CK_JOBS, automatic, "next_attempt_at", "5000");
  ap_mutate(ap_claim_of(automatic, "t3", 5000));
  ap_mutate(ap_end_of(automatic, 2, "t3", "done"));
  ap_refused(ap_requeue_of(automatic, true, 6000), "the job is done, not pending or failed");
  ap_refused(ap_requeue_of("j9", true, 6000), "there is no 'j9'");
}

Test(apply, a_job_that_waits_is_due_later) {
  a_turn();
  ap_mutate(ap_claim_of(automatic, "t1", 2000));
  ap_mutate(ap_end_of(automatic, 1, "t1", "unreached"));
  struct ck_mutation m = ap_requeue_of(automatic, false, 4000);
  m.as.requeue.due_only = true;
  cr_expect_eq(ap_mutate(m), 'u', "%s", s.reason.text);
  sh_is(&s, CK_JOBS, automatic, "next_attempt_at", "4000");
  sh_is(&s, CK_JOBS, automatic, "target_snapshot", "[]");
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM unreached"), 1, "it goes on to give up");
  ap_mutate(ap_claim_of(automatic, "t2", 4000));
  ap_mutate(ap_end_of(automatic, 1, "t2", "failed"));
  ap_refused(m, "not pending");
}

Test(apply, a_job_that_waits_is_cancelled) {
  a_turn();
  ap_refused(ap_cancel_of(automatic, " ", 3000), "cancel.reason: must not be blank");
  cr_expect_eq(ap_mutate(ap_cancel_of(automatic, "cancelled by hand", 3000)), 'u', "%s",
               s.reason.text);
  is_over("cancelled by hand");
  ap_refused(ap_cancel_of(automatic, "again", 3000), "the job is failed, not pending");
  ap_refused(ap_cancel_of("j9", "x", 3000), "there is no 'j9'");
}

/* ---- times ahead of the clock, and unknown ones ---- */

static void said(const char *id, const char *time, const char *last_at) {
  char *message =
           ck_sprintf("{'id':'%s','platform':'p','role':'assistant','raw_text':'t',%s}", id, time),
       *conversation = ck_sprintf(
           "{'local_conversation_id':'c1','platform':'p','last_message_id':'%s',%s}", id, last_at);
  sh_put(&s, CK_MESSAGES, message);
  sh_put(&s, CK_CONVERSATIONS, conversation);
  cr_assert_neq(sh_apply(&s), 'r', "%s", s.reason.text);
  sh_commit(&s);
  free(message);
  free(conversation);
}

/* Somebody's clock is a minute ahead. */
Test(apply, a_time_ahead_of_the_clock_decides_nothing) {
  s.now = 10000000;
  said("m1", "'observed_at':9999000", "'last_message_at':9999000");
  said("m2", "'observed_at':10060000", "'last_message_at':10060000");
  sh_is(&s, CK_MESSAGES, "m2", "observed_at", "10060000");
  sh_is(&s, CK_CONVERSATIONS, "c1", "last_message_id", "m2");
  sh_is(&s, CK_CONVERSATIONS, "c1", "last_message_at", "10000000");
  s.now += 1000;
  said("m2", "'observed_at':10060000", "'last_message_at':10060000");
  sh_is(&s, CK_CONVERSATIONS, "c1", "last_message_at", "10000000");
  said("m3", "'observed_at':10000500", "'last_message_at':10000500");
  sh_is(&s, CK_CONVERSATIONS, "c1", "last_message_id", "m3");
  sh_is(&s, CK_CONVERSATIONS, "c1", "last_message_at", "10000500");
  sh_is(&s, CK_CONVERSATIONS, "c1", "newest_at", "10060000");
}

#define OF_2099 "4070908800000"
#define SESSION "{'id':'p@1970-01-01','platform':'p','started_at':%s,'last_activity_at':%s}"

static void said_in_session(const char *id, const char *at) {
  char *time = ck_sprintf("'observed_at':%s", at), *last = ck_sprintf("'last_message_at':%s", at),
       *session = ck_sprintf(SESSION, at, at);
  sh_put(&s, CK_SESSIONS, session);
  cr_assert_neq(sh_apply(&s), 'r', "%s", s.reason.text);
  said(id, time, last);
  free(time);
  free(last);
  free(session);
}

/* What a file says of the year 2099 is the same whenever it is imported, and is below all that
 * others say: of whichever comes first. */
Test(apply, a_time_far_ahead_is_below_all_others) {
  static const char *const ids[] = {"m1", "m2"}, *const at[] = {"9999000", OF_2099};
  for (int first = 0; first < 2; ++first) {
    sh_close(&s);
    sh_open(&s);
    for (int i = 0; i < 2; ++i) {
      s.now = 10000000 + i * INT64_C(864000000);
      said_in_session(ids[first ^ i], at[first ^ i]);
      if (first && !i) sh_is(&s, CK_CONVERSATIONS, "c1", "last_message_at", "NULL");
      if (first && !i) sh_is(&s, CK_SESSIONS, "p@1970-01-01", "last_activity_at", OF_2099);
    }
    sh_is(&s, CK_MESSAGES, "m2", "observed_at", OF_2099);
    sh_is(&s, CK_CONVERSATIONS, "c1", "last_message_id", "m1");
    sh_is(&s, CK_CONVERSATIONS, "c1", "last_message_at", "9999000");
    sh_is(&s, CK_CONVERSATIONS, "c1", "newest_at", "9999000");
    sh_is(&s, CK_SESSIONS, "p@1970-01-01", "started_at", "9999000");
    sh_is(&s, CK_SESSIONS, "p@1970-01-01", "last_activity_at", "9999000");
  }
}

/* What a file says of this evening, imported at noon and again the next day; or the other way round
 * with what is observed meanwhile. */
Test(apply, what_was_said_keeps_a_time_that_is_ahead) {
  static const char *const ids[] = {"m1", "m2"}, *const at[] = {"9999000", "46000000"};
  for (int first = 0; first < 2; ++first) {
    sh_close(&s);
    sh_open(&s);
    for (int i = 0; i < 2; ++i) {
      s.now = 10000000;
      said_in_session(ids[first ^ i], at[first ^ i]);
    }
    s.now += first * INT64_C(86400000);
    said_in_session("m2", at[1]);
    sh_is(&s, CK_MESSAGES, "m2", "observed_at", at[1]);
    sh_is(&s, CK_SESSIONS, "p@1970-01-01", "started_at", at[0]);
    sh_is(&s, CK_SESSIONS, "p@1970-01-01", "last_activity_at", at[1]);
    sh_is(&s, CK_CONVERSATIONS, "c1", "newest_at", at[1]);
  }
  sh_is(&s, CK_CONVERSATIONS, "c1", "last_message_at", at[1]);
}

static void said_as(const char *id, const char *role) {
  char *message = ck_sprintf("{'id':'%s','platform':'p','role':'%s','raw_text':'t','observed_at':"
                             "9999000}",
                             id, role),
       *conversation = ck_sprintf("{'local_conversation_id':'c1','platform':'p',"
                                  "'last_message_id':'%s','last_message_at':9999000}",
                                  id);
  sh_put(&s, CK_MESSAGES, message);
  sh_put(&s, CK_CONVERSATIONS, conversation);
  cr_assert_neq(sh_apply(&s), 'r', "%s", s.reason.text);
  free(message);
  free(conversation);
}

/* A question and its answer, observed in one millisecond: in whichever order they come, and
 * whatever their ids are. */
Test(apply, of_messages_of_one_time_the_answer_is_the_last) {
  static const struct {
    const char *id, *role;
  } said_at_once[] = {{"z", "system"}, {"y", "user"}, {"x", "model"}, {"w", "assistant"}};
  s.now = 10000000;
  for (int first = 0; first < 4; ++first) {
    sh_close(&s);
    sh_open(&s);
    for (int i = 0; i < 4; ++i) {
      said_as(said_at_once[(first + i) % 4].id, said_at_once[(first + i) % 4].role);
      if (i % 2) sh_commit(&s);
    }
    sh_is(&s, CK_CONVERSATIONS, "c1", "last_message_id", "x");
  }
}

/* The clock was a year ahead once. */
Test(apply, a_clock_that_was_ahead_holds_nothing_up) {
  s.now = INT64_C(40000000000);
  said("m1", "'observed_at':39999999000", "'last_message_at':39999999000");
  s.now = 10000000;
  said("old", "'observed_at':1000", "'last_message_at':1000");
  sh_is(&s, CK_CONVERSATIONS, "c1", "last_message_id", "m1");
  said("m2", "'observed_at':9999000", "'last_message_at':9999000");
  sh_is(&s, CK_CONVERSATIONS, "c1", "last_message_id", "m2");
  sh_is(&s, CK_CONVERSATIONS, "c1", "last_message_at", "9999000");
}

/* created_at tells whether an observation said when it was made. */
Test(apply, an_unknown_time_is_told_from_a_known_one) {
  s.now = 10000000;
  said("m1", "'created_at':9999000", "'created_at':9999000");
  sh_is(&s, CK_MESSAGES, "m1", "created_at", "9999000");
  sh_is(&s, CK_MESSAGES, "m1", "observed_at", "9999000");
  said("m2", "'observed_at':10000000", "'last_message_at':10000000");
  sh_is(&s, CK_MESSAGES, "m2", "created_at", "10000001");
  said("m3", "'observed_at':10000000,'created_at':10000000", "'last_message_at':10000000");
  sh_is(&s, CK_MESSAGES, "m3", "created_at", "10000001");
  said("m4", "'observed_at':9999999", "'last_message_at':9999999");
  sh_is(&s, CK_MESSAGES, "m4", "created_at", "10000000");
}

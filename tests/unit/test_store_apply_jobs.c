/* Changesets with renewal jobs: claims, ends and leases; where the automation of a conversation
 * begins. */
#include "test_store_apply.h"

#include <string.h>

static void one_job(const char *more) {
  sh_conversation(&s, "c1", "");
  sh_message(&s, "m1", 10, "");
  cr_assert_eq(sh_job(&s, "j1", "c1", "m1", more), 'n');
}

Test(apply, a_message_is_followed_up_at_most_once) {
  one_job("");
  cr_expect_eq(sh_job(&s, "j1", "c1", "m1", ",'max_attempts':7"), '=',
               "the same again is no update");
  sh_refused(&s, "renewal_jobs.message_id: the message already has a job (j1)", CK_JOBS,
             "{'job_id':'j2','local_conversation_id':'c1','message_id':'m1','payload':'x'}");
  sh_message(&s, "m2", 10, "");
  sh_refused(&s, "renewal_jobs.message_id: this id belongs to a job with another message_id",
             CK_JOBS,
             "{'job_id':'j1','local_conversation_id':'c1','message_id':'m2','payload':'x'}");
  sh_refused(&s, "renewal_jobs.message_id: 'm9' is not in messages", CK_JOBS,
             "{'job_id':'j2','local_conversation_id':'c1','message_id':'m9','payload':'x'}");
  sh_refused(&s, "renewal_jobs.local_conversation_id: 'c9' is not in local_conversations", CK_JOBS,
             "{'job_id':'j2','local_conversation_id':'c9','message_id':'m2','payload':'x'}");
  sh_reopen(&s);
  sh_refused(&s, "the message already has a job (j1)", CK_JOBS,
             "{'job_id':'j2','local_conversation_id':'c1','message_id':'m1','payload':'x'}");
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM renewal_jobs"), 1);
}

/* Who thinks that he has made it would wait for another follow-up than the one that goes out. */
Test(apply, the_id_of_another_job_is_refused_with_what_differs) {
  static const char *const others[][2] = {
      {"renewal_jobs.payload: this id belongs to a job with another payload (job_id j1)",
       "{'job_id':'j1','local_conversation_id':'c1','message_id':'m1','payload':'go '}"},
      {"renewal_jobs.payload_kind: this id belongs to a job with another payload_kind (job_id j1)",
       "{'job_id':'j1','local_conversation_id':'c1','message_id':'m1','payload':'go',"
       "'payload_kind':'json'}"},
      {"renewal_jobs.local_conversation_id: this id belongs to a job with another",
       "{'job_id':'j1','local_conversation_id':'c2','message_id':'m1','payload':'go'}"},
      {"renewal_jobs.payload: must not be NULL",
       "{'job_id':'j1','local_conversation_id':'c1','message_id':'m1','payload':null}"}};
  sh_conversation(&s, "c2", "");
  one_job("");
  sh_update(&s, CK_JOBS, "{'job_id':'j1','payload':'go'}");
  sh_apply(&s);
  sh_commit(&s);
  for (size_t i = 0; i < sizeof others / sizeof *others; ++i) {
    sh_refused(&s, others[i][0], CK_JOBS, others[i][1]);
    sh_reopen(&s);
    sh_refused(&s, others[i][0], CK_JOBS, others[i][1]);
  }
  cr_expect_eq(sh_write(&s, CK_JOBS,
                        "{'job_id':'j1','local_conversation_id':'c1','message_id':'m1',"
                        "'payload':'go','payload_kind':'text','target_snapshot':'{}'}"),
               '=');
  sh_is(&s, CK_JOBS, "j1", "payload", "go");
  sh_is(&s, CK_JOBS, "j1", "target_snapshot", "NULL");
}

Test(apply, a_job_is_updated_only_if_it_exists) {
  one_job("");
  sh_update(&s, CK_JOBS, "{'job_id':'j9','status':'done'}");
  cr_expect_eq(sh_apply(&s), 'r');
  cr_expect(strstr(s.reason.text, "renewal_jobs.job_id: there is no 'j9' to update"), "%s",
            s.reason.text);
  sh_update(&s, CK_JOBS, "{'job_id':'j1','status':'done','created_at':1}");
  cr_expect_eq(sh_apply(&s), 'u');
  sh_update(&s, CK_JOBS, "{'job_id':'j1','message_id':'m2'}");
  cr_expect_eq(sh_apply(&s), 'r');
  sh_commit(&s);
  sh_is(&s, CK_JOBS, "j1", "status", "done");
  sh_is(&s, CK_JOBS, "j1", "created_at", "1000");
}

/* In a batch that goes on. */
static void mutate(struct ck_mutation m, char letter) {
  sh_mutate(&s, &m);
  cr_assert_eq(sh_apply(&s), letter);
}

/* *c: the next of what the receipt says that claims have found. */
static bool found(struct ck_reader *claims, struct ck_claimed *c) {
  struct ck_err err;
  return claims->p < claims->end && ck_claimed_decode(claims, c, &err) == 0;
}

/* The clock was ten years ahead. */
Test(apply, how_long_it_was_not_reached_after_another_start_of_the_machine) {
  struct ck_claimed c;
  const int64_t ahead = INT64_C(315360000000);
  sh_machine_starts(&s, "first", ahead);
  one_job("");
  mutate(ap_claim_of("j1", "t1", s.now), 'u');
  struct ck_mutation end = ap_end_of("j1", 1, "t1", "unreached");
  end.as.end.at = s.now;
  mutate(end, 'u');
  sh_machine_starts(&s, "second", 1000);
  for (int64_t i = 0; i < 2; i++, s.now += 3600000) {
    producers_receipted(s.producers);
    mutate(ap_claim_of("j1", "t", s.now), 'u');
    struct ck_reader r = ck_reader_of(ck_buf_view(&s.producer->claims));
    cr_assert(found(&r, &c));
    cr_expect_eq(c.unreached_age, i * 3600000);
    mutate(ap_end_of("j1", 1, "t", "unreached"), 'u');
  }
}

Test(apply, the_receipt_of_a_claim_says_what_it_found) {
  struct ck_claimed c;
  one_job("");
  sh_update(&s, CK_CONVERSATIONS, "{'local_conversation_id':'c1','automation_status':'auto'}");
  cr_assert_eq(sh_apply(&s), 'u');
  mutate(ap_claim_of("j1", "t1", 2000), 'u');
  mutate(ap_end_of("j1", 1, "t1", "unreached"), 'u');
  mutate(ap_claim_of("j1", "t2", 3000), 'u');
  mutate(ap_claim_of("j1", "t3", 3000), 'r');
  struct ck_reader r = ck_reader_of(ck_buf_view(&s.producer->claims));
  cr_assert(found(&r, &c));
  cr_expect(ck_str_is(c.token, "t1") && c.attempt == 1 && c.unreached == 0);
  cr_assert(found(&r, &c));
  cr_expect_eq(c.number, s.number - 1);
  cr_expect(ck_str_is(c.job_id, "j1") && ck_str_is(c.token, "t2"));
  cr_expect(c.attempt == 1 && c.max_attempts == 3);
  cr_expect(c.unreached == 1 && c.unreached_age >= 0);
  cr_expect(ck_str_is(c.message_id, "m1") && c.payload.n > 0);
  cr_expect(ck_str_is(c.payload_kind, "text") && ck_str_is(c.automation_status, "auto"));
  cr_expect_not(found(&r, &c), "nothing of what is refused");
  producers_receipted(s.producers);
  cr_expect_eq(s.producer->claim_count, 0, "it is said once");
}

Test(apply, a_receipt_does_not_carry_large_jobs) {
  char *payload = ck_sprintf("%040000d", 7), *json = ck_sprintf(",'payload':'%s'", payload);
  one_job(json);
  mutate(ap_claim_of("j1", "t1", 2000), 'u');
  cr_expect_eq(s.producer->claim_count, 0);
  free(payload);
  free(json);
}

Test(apply, a_job_s_life) {
  one_job("");
  ap_refused(ap_end_of("j1", 1, "t1", "done"),
             "end.token: the attempt is not the job's current one");
  ap_refused(ap_claim_of("j1", "", 2000), "claim.token");
  ap_refused(ap_claim_of("j9", "t1", 2000), "there is no 'j9'");
  cr_expect_eq(ap_mutate(ap_claim_of("j1", "t1", 2000)), 'u');
  sh_is(&s, CK_JOBS, "j1", "status", "running");
  sh_is(&s, CK_JOBS, "j1", "attempt_count", "1");
  sh_is(&s, CK_JOBS, "j1", "started_at", "2000");
  sh_is(&s, CK_JOBS, "j1", "last_attempt_at", "2000");
  ap_refused(ap_claim_of("j1", "t2", 2000), "renewal_jobs.status: the job is running, not pending");
  ap_refused(ap_end_of("j1", 1, "t2", "done"), "end.token");
  ap_refused(ap_end_of("j1", 2, "t1", "done"), "end.token");
  ap_refused(ap_end_of("j1", 1, "t1", "well"), "end.outcome: 'well' is not one of");
  struct ck_mutation retry = ap_end_of("j1", 1, "t1", "retry");
  retry.as.end.error = CK_LIT(" timeout ");
  retry.as.end.next_attempt_at = 7000;
  retry.as.end.log_path = CK_LIT("logs/x");
  cr_expect_eq(ap_mutate(retry), 'u');
  sh_is(&s, CK_JOBS, "j1", "status", "pending");
  sh_is(&s, CK_JOBS, "j1", "next_attempt_at", "7000");
  sh_is(&s, CK_JOBS, "j1", "last_error", "timeout");
  sh_is(&s, CK_JOBS, "j1", "log_path", "logs/x");
  ap_refused(retry, "end.token");
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM leases"), 0);
  cr_expect_eq(ap_mutate(ap_claim_of("j1", "t2", 8000)), 'u');
  struct ck_mutation done = ap_end_of("j1", 2, "t2", "done");
  done.as.end.cooldown_until = 9000;
  cr_expect_eq(ap_mutate(done), 'u');
  sh_is(&s, CK_JOBS, "j1", "status", "done");
  sh_is(&s, CK_JOBS, "j1", "attempt_count", "2");
  sh_is(&s, CK_JOBS, "j1", "started_at", "2000");
  sh_is(&s, CK_JOBS, "j1", "finished_at", "5000");
  sh_is(&s, CK_JOBS, "j1", "next_attempt_at", "NULL");
  sh_is(&s, CK_JOBS, "j1", "last_error", "NULL");
  sh_is(&s, CK_CONVERSATIONS, "c1", "cooldown_until", "9000");
  ap_refused(ap_claim_of("j1", "t3", 9000), "the job is done, not pending");
}

Test(apply, an_attempt_whose_end_is_unknown_waits) {
  one_job("");
  ap_mutate(ap_claim_of("j1", "t1", 2000));
  cr_expect_eq(ap_mutate(ap_end_of("j1", 1, "t1", "unknown")), 'u');
  sh_is(&s, CK_JOBS, "j1", "status", "running");
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM leases WHERE state = 'unknown' AND attempt = 1"),
               1);
  ap_refused(ap_claim_of("j1", "t2", 3000), "not pending");
  sh_reopen(&s);
  struct ck_mutation released = ap_end_of("j1", 1, "t1", "released");
  released.as.end.next_attempt_at = 6000;
  cr_expect_eq(ap_mutate(released), 'u');
  sh_is(&s, CK_JOBS, "j1", "status", "pending");
  sh_is(&s, CK_JOBS, "j1", "attempt_count", "0");
  sh_is(&s, CK_JOBS, "j1", "next_attempt_at", "6000");
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM leases"), 0);
}

/* Not charged, and counted until an attempt arrives or the job is over. */
Test(apply, attempts_that_reach_nobody_are_counted) {
  one_job("");
  for (int64_t i = 1; i <= 3; i++) {
    ap_mutate(ap_claim_of("j1", "t1", 2000));
    struct ck_mutation end = ap_end_of("j1", 1, "t1", "unreached");
    end.as.end.at = 5000 + i;
    end.as.end.next_attempt_at = 6000 + i;
    cr_expect_eq(ap_mutate(end), 'u', "%s", s.reason.text);
    sh_is(&s, CK_JOBS, "j1", "status", "pending");
    sh_is(&s, CK_JOBS, "j1", "attempt_count", "0");
    cr_expect_eq(sh_int(&s, "SELECT count FROM unreached WHERE since = 5001"), i);
  }
  sh_is(&s, CK_JOBS, "j1", "next_attempt_at", "6003");
  ap_mutate(ap_claim_of("j1", "t1", 2000));
  ap_mutate(ap_end_of("j1", 1, "t1", "released"));
  cr_expect_eq(sh_int(&s, "SELECT count FROM unreached"), 3, "nothing was tried");
  ap_mutate(ap_claim_of("j1", "t1", 2000));
  ap_mutate(ap_end_of("j1", 1, "t1", "retry"));
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM unreached"), 0);
  ap_mutate(ap_claim_of("j1", "t1", 2000));
  ap_mutate(ap_end_of("j1", 2, "t1", "unreached"));
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM unreached"), 1);
  sh_update(&s, CK_JOBS, "{'job_id':'j1','status':'failed'}");
  cr_expect_eq(sh_apply(&s), 'u');
  sh_commit(&s);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM unreached"), 0);
}

Test(apply, the_later_of_two_rests_counts) {
  one_job("");
  static const struct {
    int64_t until;
    const char *rest;
  } ends[] = {{8000, "8000"}, {7000, "8000"}, {0, "8000"}, {9000, "9000"}};
  for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
    ap_mutate(ap_claim_of("j1", "t1", 2000));
    struct ck_mutation end = ap_end_of("j1", (uint64_t)i + 1, "t1", "retry");
    end.as.end.cooldown_until = ends[i].until;
    cr_expect_eq(ap_mutate(end), 'u', "%s", s.reason.text);
    sh_is(&s, CK_CONVERSATIONS, "c1", "cooldown_until", ends[i].rest);
  }
}

/* An update that ends a running job ends its attempt too: a late END of the attempt is refused. */
Test(apply, an_update_that_ends_a_job_ends_its_attempt) {
  one_job("");
  ap_mutate(ap_claim_of("j1", "t1", 2000));
  ap_mutate(ap_end_of("j1", 1, "t1", "unknown"));
  sh_update(&s, CK_JOBS, "{'job_id':'j1','status':'failed','attempt_count':0}");
  cr_expect_eq(sh_apply(&s), 'u');
  sh_commit(&s);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM leases"), 0);
  ap_refused(ap_end_of("j1", 1, "t1", "done"), "end.token");
  sh_is(&s, CK_JOBS, "j1", "status", "failed");
}

Test(apply, released_never_makes_the_count_negative) {
  one_job("");
  ap_mutate(ap_claim_of("j1", "t1", 2000));
  sh_update(&s, CK_JOBS, "{'job_id':'j1','attempt_count':0}");
  cr_expect_eq(sh_apply(&s), 'u');
  sh_commit(&s);
  cr_expect_eq(ap_mutate(ap_end_of("j1", 1, "t1", "released")), 'u', "%s", s.reason.text);
  sh_is(&s, CK_JOBS, "j1", "attempt_count", "0");
}

/* Claimed, released and ended by hand in one changeset: the lease begins and ends within it, and a
 * refusal undoes it. */
Test(apply, leases_obey_their_changeset) {
  one_job("");
  struct ck_mutation claim = ap_claim_of("j1", "t1", 2000),
                     end = ap_end_of("j1", 1, "t1", "released"),
                     wrong = ap_end_of("j1", 1, "t9", "done");
  sh_mutate(&s, &claim);
  sh_mutate(&s, &wrong);
  cr_expect_eq(sh_apply(&s), 'r');
  sh_commit(&s);
  sh_is(&s, CK_JOBS, "j1", "status", "pending");
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM leases"), 0);
  sh_mutate(&s, &claim);
  sh_mutate(&s, &end);
  sh_update(&s, CK_JOBS, "{'job_id':'j1','status':'failed'}");
  cr_expect_eq(sh_apply(&s), 'u', "%s", s.reason.text);
  sh_commit(&s);
  sh_is(&s, CK_JOBS, "j1", "status", "failed");
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM leases"), 0);
}

/* ---- automation ---- */

Test(apply, automation_begins_at_a_version) {
  sh_conversation(&s, "c1", ",'last_message_id':'m5','last_message_at':10");
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM automation"), 0);
  sh_conversation(&s, "c1", ",'automation_status':'auto'");
  int64_t since = sh_int(&s, "SELECT since FROM automation");
  cr_expect_eq(since, (int64_t)apply_head(s.apply));
  sh_conversation(&s, "c1", ",'last_message_id':'m6','last_message_at':20");
  cr_expect_eq(sh_int(&s, "SELECT since FROM automation"), since, "stays while it is on auto");
  sh_conversation(&s, "c1", ",'automation_status':'paused'");
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM automation"), 0);
  sh_conversation(&s, "c1", ",'automation_status':'auto'");
  cr_expect_eq(sh_int(&s, "SELECT since FROM automation"), (int64_t)apply_head(s.apply));
}

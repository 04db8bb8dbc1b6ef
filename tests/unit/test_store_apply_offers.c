/* Changesets with offers: what a client may claim, how long it may take, and how it ends. */
#include "test_store_apply.h"

#include <stdio.h>
#include <string.h>

static void offered_job(void) {
  sh_conversation(&s, "c1", "");
  sh_message(&s, "m1", 10, "");
  cr_assert_eq(sh_job(&s, "j1", "c1", "m1", ",'next_attempt_at':1000"), 'n');
}

static struct ck_mutation offer_of(const char *client, const char *offer, const char *body) {
  struct ck_mutation m = {.kind = CK_OP_OFFER};
  m.as.offer =
      (struct ck_offer){CK_LIT("j1"), ck_str_of(client),   ck_str_of(offer), ck_str_of(body),
                        3000,         apply_head(s.apply), CK_LIT("")};
  return m;
}

static struct ck_mutation withdraw_of(const char *job) {
  struct ck_mutation m = {.kind = CK_OP_WITHDRAW};
  m.as.withdraw.job_id = ck_str_of(job);
  return m;
}

static struct ck_mutation client_claim(const char *client, const char *offer, uint64_t lease) {
  struct ck_mutation m = ap_claim_of("j1", "t1", 77);
  m.as.claim.client = ck_str_of(client);
  m.as.claim.offer = ck_str_of(offer);
  m.as.claim.lease = lease;
  return m;
}

static struct ck_mutation extend_of(uint64_t attempt, const char *token, uint64_t lease) {
  struct ck_mutation m = {.kind = CK_OP_EXTEND};
  m.as.extend = (struct ck_extend){CK_LIT("j1"), attempt, ck_str_of(token), lease};
  return m;
}

static void claimed_job(uint64_t lease) {
  offered_job();
  ap_mutate(offer_of("ff1", "o1", "{}"));
  cr_assert_eq(ap_mutate(client_claim("ff1", "o1", lease)), 'u', "%s", s.reason.text);
}

static int64_t until(void) { return sh_int(&s, "SELECT until FROM leases"); }

Test(apply, an_offer_leaves_the_job_as_it_is_and_is_published_once) {
  offered_job();
  struct ck_mutation m = offer_of("ff1", "o1", "{}");
  sh_mutate(&s, &m);
  cr_assert_eq(sh_apply(&s), '=', "%s", s.reason.text);
  size_t n;
  const struct ck_delivery *d = apply_published(s.apply, &n);
  cr_assert_eq(n, 1);
  cr_expect(ck_str_is(d->client, "ff1") && ck_str_is(d->job_id, "j1") &&
            ck_str_is(d->offer, "o1") && ck_str_is(d->body, "{}"));
  cr_assert_eq(sh_commit(&s), 0);
  sh_is(&s, CK_JOBS, "j1", "status", "pending");
  sh_is(&s, CK_JOBS, "j1", "attempt_count", "0");
  m = offer_of("ff1", "o2", "{}");
  sh_mutate(&s, &m);
  cr_assert_eq(sh_apply(&s), '=');
  apply_published(s.apply, &n);
  cr_expect_eq(n, 0, "the same again is no other offer");
  cr_assert_eq(sh_commit(&s), 0);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM offers WHERE offer = 'o1'"), 1);
  ap_mutate(offer_of("ff1", "o3", "{1}"));
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM offers WHERE offer = 'o3'"), 1);
  ap_refused(offer_of("", "o4", "{}"), "must not be blank");
  ap_refused(offer_of("ff1", "", "{}"), "must not be blank");
}

Test(apply, only_its_client_claims_an_offer_and_only_the_open_one) {
  offered_job();
  ap_refused(client_claim("ff1", "o1", 0), "claim.client: the job is not offered to ff1");
  ap_mutate(offer_of("ff1", "o1", "{}"));
  ap_refused(client_claim("ff10", "o1", 0), "claim.client: the job is offered to ff1");
  ap_refused(ap_claim_of("j1", "t1", 1), "claim.client: the job is offered to ff1");
  ap_refused(client_claim("ff1", "o0", 0), "claim.offer: the job was offered again since");
  ap_mutate(withdraw_of("j1"));
  ap_refused(client_claim("ff1", "o1", 0), "claim.client: the job is not offered to ff1");
  ap_mutate(offer_of("ff1", "o2", "{}"));
  cr_expect_eq(ap_mutate(client_claim("ff1", "o2", 0)), 'u', "%s", s.reason.text);
  ap_refused(client_claim("ff1", "o2", 0), "the job is running, not pending");
  ap_refused(offer_of("ff1", "o3", "{}"), "the job is running, not pending");
  sh_is(&s, CK_JOBS, "j1", "attempt_count", "1");
  sh_is(&s, CK_JOBS, "j1", "started_at", "1000");
  sh_is(&s, CK_JOBS, "j1", "last_attempt_at", "1000");
  cr_expect_eq(until(), 1000 + CK_CLIENT_LEASE_MS);
}

/* Its account is that of the offer, whatever renewd knows by then. */
Test(apply, no_client_claims_what_a_paused_account_is_charged_with) {
  struct ck_mutation offer, pause = {.kind = CK_OP_PAUSE}, unpause = {.kind = CK_OP_UNPAUSE};
  pause.as.pause = (struct ck_pause){CK_LIT("account"), CK_LIT("a"), 0};
  unpause.as.unpause = (struct ck_unpause){CK_LIT("account"), CK_LIT("a")};
  offered_job();
  offer = offer_of("ff1", "o1", "{}");
  offer.as.offer.account = CK_LIT("a");
  cr_assert_eq(ap_mutate(offer), '=', "%s", s.reason.text);
  cr_assert_eq(ap_mutate(pause), 'u', "%s", s.reason.text);
  ap_refused(client_claim("ff1", "o1", 0), "paused: the account is paused");
  cr_assert_eq(ap_mutate(unpause), 'u', "%s", s.reason.text);
  cr_expect_eq(ap_mutate(client_claim("ff1", "o1", 0)), 'u', "%s", s.reason.text);
}

Test(apply, whatever_changes_a_job_withdraws_its_offer) {
  offered_job();
  ap_mutate(offer_of("ff1", "o1", "{}"));
  sh_update(&s, CK_JOBS, "{'job_id':'j1','payload':'other words'}");
  cr_assert_eq(sh_apply(&s), 'u');
  sh_commit(&s);
  ap_refused(client_claim("ff1", "o1", 0), "not offered");
  ap_mutate(offer_of("ff1", "o2", "{}"));
  sh_update(&s, CK_JOBS, "{'job_id':'j1','status':'failed'}");
  cr_assert_eq(sh_apply(&s), 'u');
  sh_commit(&s);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM offers"), 0);
  ap_refused(client_claim("ff1", "o2", 0), "the job is failed, not pending");
}

Test(apply, a_refused_changeset_leaves_the_offer) {
  offered_job();
  ap_mutate(offer_of("ff1", "o1", "{}"));
  struct ck_mutation claim = client_claim("ff1", "o1", 0), wrong = ap_end_of("j1", 1, "t9", "done");
  sh_mutate(&s, &claim);
  sh_mutate(&s, &wrong);
  cr_expect_eq(sh_apply(&s), 'r');
  sh_commit(&s);
  cr_expect_eq(ap_mutate(claim), 'u', "%s", s.reason.text);
}

Test(apply, a_client_extends_its_lease_up_to_a_limit) {
  claimed_job(2000);
  cr_expect_eq(until(), 3000);
  ap_refused(extend_of(1, "t2", 0), "extend.token");
  ap_refused(extend_of(1, "", 0), "extend.token");
  ap_refused(extend_of(2, "t1", 0), "extend.token");
  s.now = 2500;
  cr_expect_eq(ap_mutate(extend_of(1, "t1", 700)), '=', "%s", s.reason.text);
  cr_expect_eq(until(), 3200);
  ap_mutate(extend_of(1, "t1", UINT64_MAX));
  cr_expect_eq(until(), 2500 + CK_CLIENT_LEASE_MAX_MS);
  s.now = 1000 + CK_CLIENT_ATTEMPT_MAX_MS - 1;
  ap_mutate(extend_of(1, "t1", 0));
  cr_expect_eq(until(), 1000 + CK_CLIENT_ATTEMPT_MAX_MS);
  const int64_t year = 365 * INT64_C(86400000);
  s.now += year, s.behind -= year; /* a step of the wall clock */
  ap_mutate(extend_of(1, "t1", 0));
  cr_expect_eq(until(), 1000 + year + CK_CLIENT_ATTEMPT_MAX_MS);
  s.now++;
  ap_refused(extend_of(1, "t1", 0), "extend: the attempt has lasted as long as one may");
  sh_is(&s, CK_JOBS, "j1", "status", "running");
}

Test(apply, renewd_s_own_attempt_has_no_lease_to_extend) {
  offered_job();
  ap_mutate(ap_claim_of("j1", "t1", 2000));
  ap_refused(extend_of(1, "t1", 0), "not a client's");
  ap_refused(ap_end_of("j1", 1, "", "unknown"), "end.token");
}

Test(apply, a_lease_that_ran_out_can_be_ended_without_its_token) {
  claimed_job(2000);
  s.now = 2999;
  ap_refused(ap_end_of("j1", 1, "", "unknown"), "end.token");
  s.now = 3000;
  cr_expect_eq(ap_mutate(ap_end_of("j1", 1, "", "unknown")), 'u', "%s", s.reason.text);
  sh_is(&s, CK_JOBS, "j1", "status", "running");
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM leases WHERE state = 'unknown' AND at = 3000"), 1);
  ap_refused(extend_of(1, "t1", 0), "extend: the attempt is unknown");
  ap_refused(ap_end_of("j1", 2, "", "released"), "end.token");
}

Test(apply, a_lease_lasts_as_long_after_the_clock_has_gone_back) {
  claimed_job(2000);
  s.now = 100;
  s.behind = 1000 + 1999 - 100;
  ap_refused(ap_end_of("j1", 1, "", "unknown"), "end.token");
  s.behind++;
  cr_expect_eq(ap_mutate(ap_end_of("j1", 1, "", "unknown")), 'u', "%s", s.reason.text);
}

/* The clock was ten years ahead. */
Test(apply, a_lease_ends_after_another_start_of_the_machine) {
  sh_machine_starts(&s, "first", INT64_C(315360000000));
  claimed_job(2000);
  sh_machine_starts(&s, "second", 1000);
  ap_refused(ap_end_of("j1", 1, "", "unknown"), "end.token");
  s.now += 1999;
  ap_refused(ap_end_of("j1", 1, "", "unknown"), "end.token");
  s.now++;
  cr_expect_eq(ap_mutate(ap_end_of("j1", 1, "", "unknown")), 'u', "%s", s.reason.text);
}

/* The client knows better than the store, also when it comes late; but not after a person. */
Test(apply, a_client_s_late_end_counts_until_somebody_else_has_decided) {
  claimed_job(2000);
  s.now = 4000;
  ap_mutate(ap_end_of("j1", 1, "", "unknown"));
  cr_expect_eq(ap_mutate(ap_end_of("j1", 1, "t1", "done")), 'u', "%s", s.reason.text);
  sh_is(&s, CK_JOBS, "j1", "status", "done");
  sh_is(&s, CK_JOBS, "j1", "finished_at", "4000");
  ap_refused(ap_end_of("j1", 1, "t1", "done"), "end.token");
}

Test(apply, a_client_s_late_word_that_nothing_was_sent_is_a_proof) {
  claimed_job(2000);
  s.now = 4000;
  ap_mutate(ap_end_of("j1", 1, "", "unknown"));
  cr_expect_eq(ap_mutate(ap_end_of("j1", 1, "t1", "released")), 'u', "%s", s.reason.text);
  cr_expect_eq(sh_int(&s, "SELECT charged FROM attempts"), 0);
}

Test(apply, a_person_decides_about_an_unknown_attempt_of_a_client) {
  claimed_job(2000);
  s.now = 4000;
  ap_mutate(ap_end_of("j1", 1, "", "unknown"));
  struct ck_mutation released = ap_end_of("j1", 1, "", "released");
  released.as.end.next_attempt_at = 4100;
  cr_expect_eq(ap_mutate(released), 'u', "%s", s.reason.text);
  cr_expect_eq(sh_int(&s, "SELECT charged FROM attempts"), 1, "it may have arrived");
  sh_is(&s, CK_JOBS, "j1", "status", "pending");
  sh_is(&s, CK_JOBS, "j1", "attempt_count", "0");
  sh_is(&s, CK_JOBS, "j1", "next_attempt_at", "4100");
  ap_refused(ap_end_of("j1", 1, "t1", "done"), "end.token");
}

/* Offers and claims the job, and ends it as not sent. Returns how long it waits from now. */
static int64_t released_again(int64_t not_before) {
  static int n = 1;
  char offer[16], token[16];
  snprintf(offer, sizeof offer, "o%d", ++n);
  snprintf(token, sizeof token, "t%d", n);
  cr_assert_eq(ap_mutate(offer_of("ff1", offer, "{}")), '=', "%s", s.reason.text);
  struct ck_mutation claim = client_claim("ff1", offer, 0);
  claim.as.claim.token = ck_str_of(token);
  cr_assert_eq(ap_mutate(claim), 'u', "%s", s.reason.text);
  struct ck_mutation end = ap_end_of("j1", 1, token, "released");
  end.as.end.next_attempt_at = not_before;
  end.as.end.error = CK_LIT("the page is not open");
  cr_assert_eq(ap_mutate(end), 'u', "%s", s.reason.text);
  return sh_int(&s, "SELECT next_attempt_at FROM renewal_jobs") - s.now;
}

Test(apply, what_a_client_does_not_send_waits_longer_each_time) {
  offered_job();
  for (int64_t wait = CK_CLIENT_WAIT_MS; wait < CK_CLIENT_WAIT_MAX_MS; wait *= 2)
    cr_expect_eq(released_again(0), wait);
  cr_expect_eq(released_again(0), CK_CLIENT_WAIT_MAX_MS);
  cr_expect_eq(released_again(0), CK_CLIENT_WAIT_MAX_MS);
  cr_expect_eq(released_again(s.now + 7200000), 7200000, "not before, as the client said");
  cr_expect_eq(released_again(INT64_MAX), CK_CLIENT_TIME_MAX_MS);
  sh_is(&s, CK_JOBS, "j1", "attempt_count", "0");
  sh_is(&s, CK_JOBS, "j1", "last_error", "the page is not open");
}

Test(apply, a_client_has_three_ends) {
  claimed_job(0);
  ap_refused(ap_end_of("j1", 1, "t1", "retry"), "a client ends an attempt as done, released or");
  ap_refused(ap_end_of("j1", 1, "t1", "failed"), "a client ends an attempt as done, released or");
  ap_refused(ap_end_of("j1", 1, "t2", "done"), "end.token");
  cr_expect_eq(ap_mutate(ap_end_of("j1", 1, "t1", "unknown")), 'u', "%s", s.reason.text);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM leases WHERE state = 'unknown'"), 1);
}

static void done_with(int64_t cooldown_until, const char *message) {
  claimed_job(0);
  struct ck_mutation done = ap_end_of("j1", 1, "t1", "done");
  done.as.end.cooldown_until = cooldown_until;
  done.as.end.message_id = ck_str_of(message);
  cr_assert_eq(ap_mutate(done), 'u', "%s", s.reason.text);
}

Test(apply, after_a_client_s_delivery_the_conversation_rests) {
  done_with(0, "");
  sh_is(&s, CK_CONVERSATIONS, "c1", "cooldown_until", "4000");
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM sent"), 0);
}

Test(apply, the_client_s_own_rest_counts_if_it_is_longer) {
  done_with(9000, "m2");
  sh_is(&s, CK_CONVERSATIONS, "c1", "cooldown_until", "9000");
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM sent WHERE message_id = 'm2' AND job_id = 'j1'"),
               1);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM offers"), 0);
}

Test(apply, a_rest_is_never_shortened) {
  offered_job();
  sh_update(&s, CK_CONVERSATIONS, "{'local_conversation_id':'c1','cooldown_until':50000}");
  cr_assert_eq(sh_apply(&s), 'u');
  sh_commit(&s);
  ap_mutate(ap_claim_of("j1", "t1", 2000));
  struct ck_mutation done = ap_end_of("j1", 1, "t1", "done");
  done.as.end.cooldown_until = 9000;
  ap_mutate(done);
  sh_is(&s, CK_CONVERSATIONS, "c1", "cooldown_until", "50000");
}

Test(apply, offers_outlive_a_restart) {
  offered_job();
  ap_mutate(offer_of("ff1", "o1", "{}"));
  sh_reopen(&s);
  cr_expect_eq(ap_mutate(client_claim("ff1", "o1", 2000)), 'u', "%s", s.reason.text);
  sh_reopen(&s);
  cr_expect_eq(ap_mutate(extend_of(1, "t1", 5000)), '=', "%s", s.reason.text);
  sh_reopen(&s);
  cr_expect_eq(ap_mutate(ap_end_of("j1", 1, "t1", "done")), 'u', "%s", s.reason.text);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM leases"), 0);
}

/* ---- cancelled while it runs ---- */

static struct ck_mutation cancel_running(void) {
  struct ck_mutation m = ap_cancel_of("j1", "cancelled by hand", 9000);
  m.as.cancel.running = true;
  return m;
}

Test(apply, a_job_that_runs_can_be_cancelled_and_says_that_it_may_have_arrived) {
  offered_job();
  ap_mutate(ap_claim_of("j1", "t1", 77));
  cr_assert_eq(ap_mutate(cancel_running()), 'u', "%s", s.reason.text);
  sh_is(&s, CK_JOBS, "j1", "status", "failed");
  sh_is(&s, CK_JOBS, "j1", "last_error",
        "cancelled by hand while an attempt was under way: it may have arrived");
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM leases"), 0);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM attempts WHERE outcome = 'unknown' AND charged = 1"
                          " AND error LIKE 'cancelled by hand while%'"),
               1);
  ap_refused(ap_end_of("j1", 1, "t1", "done"), "cancelled: ");
  ap_refused(cancel_running(), "the job is failed, not pending");
}

Test(apply, a_clients_attempt_that_is_cancelled_is_taken_away_and_logged) {
  claimed_job(60000);
  cr_assert_eq(ap_mutate(cancel_running()), 'u', "%s", s.reason.text);
  ap_refused(extend_of(1, "t1", 0), "cancelled: ");
  ap_refused(ap_end_of("j1", 1, "t1", "done"), "cancelled: ");
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM attempts WHERE outcome = 'unknown'"
                          " AND why = 'its owner cancelled it'"),
               1);
}

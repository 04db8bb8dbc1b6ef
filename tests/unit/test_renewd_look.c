/* Attempts of somebody else: what a dead run left, and what a client has. And offers. */
#include <criterion/criterion.h>

#include <string.h>

#include "test_renewd_core.h"

static void runs(const char *id, const char *target) {
  row_job((struct row_of_job){
      .id = id, .of = id, .message = id, .status = "running", .attempts = 1, .target = target});
}

static void waits(const char *id, const char *target) {
  row_job((struct row_of_job){.id = id, .of = id, .message = id, .target = target});
}

/* The lease of a run of renewd; or of a client, for so long. */
static struct renew_answer lease(const char *target, const char *client, int64_t left) {
  struct renew_answer a = {.head = 3};
  a.lease = (struct renew_lease){.running = true, .client = ck_str_of(client), .left = left};
  a.lease.token = client ? (struct ck_str){0} : CK_LIT("its token");
  a.lease.attempt = 1;
  a.job.snapshot = ck_str_of(target);
  return a;
}

static const struct ck_end *end_told(const char *outcome) {
  const struct renew_effect *tell = told(CK_OP_END);
  cr_assert_not_null(tell);
  cr_assert(ck_str_is(tell->as.tell.mutation.as.end.outcome, outcome), "%s, not %s",
            tell->as.tell.mutation.as.end.outcome.s, outcome);
  return &tell->as.tell.mutation.as.end;
}

/* ---- a dead run ---- */

Test(renewd_look, what_a_dead_run_left, .init = core_new, .fini = core_end) {
  runs("blind", TARGET);
  runs("again", REPEATABLE);
  waits("next", TARGET);
  happen(RENEW_TICK);
  cr_assert_null(queried(LOOK), "before all rows are there");
  follow(1);
  happen(RENEW_CONNECTED);
  page();
  const struct renew_effect *q[2] = {queried(LOOK), queried(LOOK)};
  claims(NULL);
  for (int i = 0; i < 2; i++) {
    bool blind = ck_str_is(q[i]->as.query.job_id, "blind");
    answer(q[i], lease(blind ? TARGET : REPEATABLE, NULL, 0));
    const struct ck_end *e = end_told(blind ? "unknown" : "released");
    cr_assert(ck_str_is(e->token, "its token"));
    cr_assert_eq(e->attempt, 1);
    claims(NULL);
  }
  const struct renew_effect *offers = queried(RENEW_ABOUT_OFFERS);
  cr_assert_null(offers, "before the ENDs have their receipts");
  receipt(&(struct renew_effect){.ticket = core.tickets.given}, 'u', 5);
  receipt(&(struct renew_effect){.ticket = core.tickets.given - 1}, 'u', 4);
  offers = queried(RENEW_ABOUT_OFFERS);
  claims(NULL);
  answer(offers, (struct renew_answer){0});
  claims(NULL);
  answer(queried(RENEW_ABOUT_LIMITS), (struct renew_answer){0});
  claims("next");
}

Test(renewd_look, an_unknown_end_stays_so, .init = core_new, .fini = core_end) {
  runs("j", TARGET);
  core_connect();
  answer(queried(LOOK), (struct renew_answer){.lease = {.unknown = true}});
  cr_assert_null(told(CK_OP_END));
  cr_assert_eq(phase("j"), RENEW_WAITS);
}

/* ---- unknown ends that something may tell ---- */

static void in_doubt(void) {
  core_begin();
  runs("j", TARGET);
  answer(queried(LOOK), (struct renew_answer){.lease = {.unknown = true}});
  happen(RENEW_TICK);
}

static void doubts(int64_t said, int64_t captured) {
  const struct renew_doubt d[] = {{CK_LIT("gone"), 9, 9}, {CK_LIT("j"), said, captured}};
  const struct renew_effect *q = queried(RENEW_ABOUT_DOUBTS);
  cr_assert_not_null(q);
  answer(q, (struct renew_answer){.doubts = d, .n = 2});
}

static void proposes(void) {
  const struct renew_effect *tell = told(CK_OP_RESOLVE);
  cr_assert_not_null(tell);
  const struct ck_resolve *m = &tell->as.tell.mutation.as.resolve;
  cr_assert(ck_str_is(m->job_id, "j") && m->at == at.wall && m->rest == 60000);
  receipt(tell, '=', 1);
  cr_assert_null(told(CK_OP_RESOLVE), "of a job that is not there");
}

Test(renewd_look, what_may_tell_an_unknown_end_is_looked_at_once, .init = in_doubt,
     .fini = core_end) {
  doubts(0, 0);
  cr_assert_null(told(CK_OP_RESOLVE));
  cr_assert_eq(renew_core_wakes(&core), at.boot + 2000);
  pass(2000);
  happen(RENEW_TICK);
  doubts(7, 0);
  proposes();
  pass(4000);
  happen(RENEW_TICK);
  doubts(7, 0);
  cr_assert_null(told(CK_OP_RESOLVE), "nothing new");
  pass(8000);
  happen(RENEW_TICK);
  doubts(7, at.wall + 5000);
  cr_assert_null(told(CK_OP_RESOLVE), "it is ahead of the clock");
  row_message("m", "more");
  cr_assert_eq(renew_core_wakes(&core), at.boot + 2000, "a row may tell something");
  pass(5000);
  happen(RENEW_TICK);
  doubts(7, at.wall);
  proposes();
}

Test(renewd_look, an_end_that_is_known_is_not_asked_about, .init = in_doubt, .fini = core_end) {
  row_job((struct row_of_job){.id = "j", .of = "j", .message = "j", .status = "done"});
  doubts(7, 0);
  cr_assert_null(told(CK_OP_RESOLVE));
  pass(60000);
  happen(RENEW_TICK);
  cr_assert_null(queried(RENEW_ABOUT_DOUBTS));
}

/* The store applies it late. */
Test(renewd_look, a_claim_that_comes_late, .init = core_begin, .fini = core_end) {
  waits("j", TARGET);
  runs("j", TARGET);
  answer(queried(LOOK), lease(TARGET, NULL, 0));
  end_told("unknown");
}

Test(renewd_look, without_an_answer_it_is_looked_again, .init = core_begin, .fini = core_end) {
  runs("j", TARGET);
  answer(queried(LOOK), (struct renew_answer){.problem = "no answer"});
  cr_assert_null(told(CK_OP_END));
  cr_assert_eq(renew_core_wakes(&core), at.boot + 1000);
  pass(1000);
  happen(RENEW_TICK);
  answer(queried(LOOK), lease(TARGET, NULL, 0));
  end_told("unknown");
}

/* The lease is away before its row has come: it has ended. */
Test(renewd_look, no_lease_any_more, .init = core_begin, .fini = core_end) {
  runs("j", TARGET);
  answer(queried(LOOK), (struct renew_answer){.head = 7});
  cr_assert_eq(phase("j"), RENEW_FOLLOWING);
  row_job((struct row_of_job){.id = "j", .of = "j", .message = "j"});
  claims(NULL);
  follow(7);
  cr_assert_null(said("running_without_lease"));
  claims("j");
}

Test(renewd_look, a_job_that_runs_without_a_lease, .init = core_begin, .fini = core_end) {
  runs("j", TARGET);
  answer(queried(LOOK), (struct renew_answer){.head = 7});
  follow(7);
  cr_assert(said("running_without_lease"));
  cr_assert_eq(phase("j"), RENEW_WAITS);
}

Test(renewd_look, a_refused_end_is_not_told_at_once_again, .init = core_begin, .fini = core_end) {
  runs("j", TARGET);
  answer(queried(LOOK), lease(TARGET, NULL, 0));
  const struct renew_effect *end = told(CK_OP_END);
  receipt(end, 'r', 1);
  follow(1);
  answer(queried(LOOK), lease(TARGET, NULL, 0));
  cr_assert_null(told(CK_OP_END));
  pass(1000);
  happen(RENEW_TICK);
  answer(queried(LOOK), lease(TARGET, NULL, 0));
  end_told("unknown");
}

/* ---- offers ---- */

/* The job `j` is offered, and the client may claim it. */
static void open_offer(void) {
  core_begin();
  waits("j", CLIENTS);
  claims("j");
  answer(past_query(), (struct renew_answer){0});
  struct renew_answer a = leased("j", CLIENTS);
  a.head = 12;
  a.job.head = 11;
  answer(queried(OFFER), a);
  const struct renew_effect *offer = told(CK_OP_OFFER);
  const struct ck_offer *o = &offer->as.tell.mutation.as.offer;
  cr_assert(ck_str_is(o->client, "ff1"));
  cr_assert_eq(o->version, 11, "the version at which the job was read");
  cr_assert_eq(o->rest, 60000);
  cr_assert(strstr(o->body.s, "\"client_id\":\"ff1\""));
  receipt(offer, 'n', 0);
  cr_assert_eq(phase("j"), RENEW_OPEN);
}

Test(renewd_offer, needs_no_slot, .init = open_offer, .fini = core_end) {
  cr_assert_eq(core.pace.ours, 0);
  claims(NULL);
}

Test(renewd_offer, holds_up_its_conversation_only, .init = open_offer, .fini = core_end) {
  row_job((struct row_of_job){.id = "k", .of = "j", .message = "m"});
  claims(NULL);
  waits("other", TARGET);
  claims("other");
}

Test(renewd_offer, is_withdrawn_if_it_must_wait, .init = open_offer, .fini = core_end) {
  row_conversation("j", "paused", "j", 0);
  happen(RENEW_TICK);
  const struct renew_effect *withdraw = told(CK_OP_WITHDRAW);
  cr_assert_eq(phase("j"), RENEW_WITHDRAWING);
  receipt(withdraw, 'u', 3);
  follow(3);
  claims(NULL);
  row_conversation("j", "auto", "j", 0);
  claims("j");
}

Test(renewd_offer, that_was_refused_is_made_again, .init = core_begin, .fini = core_end) {
  waits("j", CLIENTS);
  claims("j");
  answer(past_query(), (struct renew_answer){0});
  answer(queried(OFFER), leased("j", CLIENTS));
  receipt(told(CK_OP_OFFER), 'r', 0);
  pass(999);
  claims(NULL);
  pass(1);
  claims("j");
}

/* Its row has changed: whatever does that withdraws its offer. */
Test(renewd_offer, of_a_job_that_changed, .init = open_offer, .fini = core_end) {
  waits("j", CLIENTS);
  claims("j");
  cr_assert_null(told(CK_OP_WITHDRAW));
}

Test(renewd_offer, that_no_client_could_read, .init = core_begin, .fini = core_end) {
  waits("j", CLIENTS);
  claims("j");
  answer(past_query(), (struct renew_answer){0});
  struct renew_answer a = leased("j", CLIENTS);
  a.job.payload_kind = CK_LIT("json");
  answer(queried(OFFER), a);
  cr_assert_null(told(CK_OP_OFFER));
  cr_assert_not_null(told(CK_OP_CANCEL));
}

Test(renewd_offer, of_a_former_run, .init = core_new, .fini = core_end) {
  waits("j", CLIENTS);
  waits("other", TARGET);
  row_conversation("j", "paused", "j", 0);
  happen(RENEW_CONNECTED);
  follow(1);
  page();
  const struct renew_job_row rows[] = {
      listed(9, (struct row_of_job){.id = "gone", .of = "gone", .target = CLIENTS}),
      listed(0, (struct row_of_job){.id = "j", .of = "j", .message = "j", .target = CLIENTS})};
  claims(NULL);
  answer(queried(RENEW_ABOUT_LIMITS), (struct renew_answer){0});
  answer(queried(RENEW_ABOUT_OFFERS), (struct renew_answer){.jobs = rows, .n = 2});
  cr_assert_not_null(told(CK_OP_WITHDRAW), "it is paused");
  claims("other");
}

/* Its row is not kept, and may name an account that is paused. */
Test(renewd_offer, of_a_former_run_on_manual, .init = core_new, .fini = core_end) {
  waits("j", CLIENTS);
  happen(RENEW_CONNECTED);
  follow(1);
  page();
  const struct renew_job_row row =
      listed(0, (struct row_of_job){.id = "j", .of = "j", .message = "j", .target = CLIENTS});
  claims(NULL);
  answer(queried(RENEW_ABOUT_LIMITS), (struct renew_answer){0});
  answer(queried(RENEW_ABOUT_OFFERS), (struct renew_answer){.jobs = &row, .n = 1});
  receipt(told(CK_OP_WITHDRAW), '=', 0);
  claims("j");
}

/* ---- a client's attempt ---- */

/* The client has it until at.wall + 5000. */
static void taken(void) {
  open_offer();
  runs("j", CLIENTS);
  answer(queried(LOOK), lease(CLIENTS, "ff1", 5000));
  cr_assert_eq(phase("j"), RENEW_TAKEN);
}

Test(renewd_offer, taken_holds_up_its_conversation, .init = taken, .fini = core_end) {
  row_job((struct row_of_job){.id = "k", .of = "j", .message = "m"});
  claims(NULL);
  row_job((struct row_of_job){.id = "j", .of = "j", .message = "j", .status = "done"});
  claims("k");
}

Test(renewd_offer, whose_lease_runs_out, .init = taken, .fini = core_end) {
  cr_assert_eq(renew_core_wakes(&core), at.boot + 5000);
  pass(4999);
  happen(RENEW_TICK);
  cr_assert_null(queried(LOOK));
  pass(1);
  happen(RENEW_TICK);
  cr_assert_null(told(CK_OP_END), "before the lease is read");
  answer(queried(LOOK), lease(CLIENTS, "ff1", 0));
  const struct ck_end *e = end_told("unknown");
  cr_assert_eq(e->token.n, 0);
}

Test(renewd_offer, whose_lease_was_extended, .init = taken, .fini = core_end) {
  pass(5000);
  happen(RENEW_TICK);
  answer(queried(LOOK), lease(CLIENTS, "ff1", 700));
  cr_assert_null(told(CK_OP_END));
  cr_assert_eq(renew_core_wakes(&core), at.boot + 700);
}

/* An answer that a later look has made old does not count. */
Test(renewd_offer, that_is_looked_at_again, .init = taken, .fini = core_end) {
  pass(5000);
  happen(RENEW_TICK);
  const struct renew_effect *old = queried(LOOK);
  runs("j", CLIENTS);
  answer(old, lease(CLIENTS, "ff1", 0));
  cr_assert_null(told(CK_OP_END));
  answer(queried(LOOK), lease(CLIENTS, "ff1", 100));
  cr_assert_eq(phase("j"), RENEW_TAKEN);
}

Test(renewd_offer, of_a_client_that_outlives_renewd, .init = core_new, .fini = core_end) {
  runs("j", CLIENTS);
  follow(1);
  answer(queried(LOOK), lease(CLIENTS, "ff1", 100));
  cr_assert_null(told(CK_OP_END));
  cr_assert_eq(phase("j"), RENEW_TAKEN);
}

/* Claimed while the offer was being withdrawn. */
Test(renewd_offer, whose_client_was_faster, .init = open_offer, .fini = core_end) {
  row_conversation("j", "paused", "j", 0);
  happen(RENEW_TICK);
  runs("j", CLIENTS);
  receipt(told(CK_OP_WITHDRAW), '=', 2);
  follow(2);
  answer(queried(LOOK), lease(CLIENTS, "ff1", 100));
  cr_assert_eq(phase("j"), RENEW_TAKEN);
}

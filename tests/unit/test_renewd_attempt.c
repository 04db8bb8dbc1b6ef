/* One attempt of renewd's own, from its turn to its end, and what a run before it left. */
#include <criterion/criterion.h>

#include <string.h>

#include "proto/map.h"
#include "test_renewd_core.h"

/* A job that a person made, which has its turn. */
static void begin(void) {
  core_begin();
  row_job((struct row_of_job){.id = "j", .of = "c", .message = "m"});
  claims("j");
}

/* A job that renewd made, and which has its turn. */
static const char *id;
static void begin_automatic(void) {
  core_begin();
  id = automatic("m1");
  row_conversation("c", "auto", "m1", 0);
  row_job((struct row_of_job){.id = id, .of = "c", .message = "m1"});
  claims(id);
}

static const struct ck_end *end_told(const char *outcome) {
  const struct renew_effect *tell = told(CK_OP_END);
  cr_assert_not_null(tell);
  const struct ck_end *e = &tell->as.tell.mutation.as.end;
  cr_assert(ck_str_is(e->outcome, outcome), "%s, not %s", e->outcome.s, outcome);
  return e;
}

/* ---- the order of things ---- */

Test(renewd_attempt, nothing_is_sent_without_the_lease, .init = begin, .fini = core_end) {
  answer(past_query(), (struct renew_answer){0});
  const struct renew_effect *claim = told(CK_OP_CLAIM);
  cr_assert_null(queried(LEASE), "before the claim's receipt");
  receipt(claim, 'u', 1);
  struct renew_answer a = leased("j", TARGET);
  a.lease.token = CK_LIT("another's");
  a.head = 5;
  answer(queried(LEASE), a);
  cr_assert_null(sent());
  cr_assert(said("not_leased"));
  cr_assert_eq(phase("j"), RENEW_FOLLOWING);
  follow(4);
  cr_assert_eq(phase("j"), RENEW_FOLLOWING);
  follow(5);
  claims(NULL);
  pass(1000);
  claims("j");
}

Test(renewd_attempt, an_unknown_receipt_is_no_lease, .init = begin, .fini = core_end) {
  answer(past_query(), (struct renew_answer){0});
  receipt(told(CK_OP_CLAIM), '?', 0);
  struct renew_answer a = leased("j", TARGET);
  a.lease.running = false;
  answer(queried(LEASE), a);
  cr_assert_null(sent());
}

static void row_of_j(const char *status, int64_t attempts) {
  row_job((struct row_of_job){
      .id = "j", .of = "j", .message = "j", .status = status, .attempts = attempts});
}

Test(renewd_attempt, what_the_claim_found_is_not_asked_about, .init = begin, .fini = core_end) {
  answer(past_query(), (struct renew_answer){0});
  const struct renew_effect *claim = told(CK_OP_CLAIM);
  struct renew_answer a = leased("j", TARGET);
  row_of_j("running", 1);
  follow(3);
  receipt_found(claim, 3, a);
  cr_assert_null(queried(LEASE));
  cr_assert_eq(phase("j"), RENEW_SENDING);
  const struct renew_effect *send = sent();
  cr_assert_not_null(send);
  result(send, RENEW_DONE);
  cr_assert_eq(end_told("done")->attempt, 1);
}

/* What came before the claim, such as an answer, may not be known yet. */
Test(renewd_attempt, what_the_claim_found_is_not_enough_before_it_is_followed, .init = begin,
     .fini = core_end) {
  answer(past_query(), (struct renew_answer){0});
  const struct renew_effect *claim = told(CK_OP_CLAIM);
  const struct renew_answer a = leased("j", TARGET);
  row_of_j("running", a.lease.attempt);
  follow(2);
  receipt_found(claim, 3, a);
  cr_assert_null(sent());
  answer(queried(LEASE), a);
  cr_assert_not_null(sent());
}

/* Other hands have changed the job right after the claim, which ended the lease. */
Test(renewd_attempt, what_the_claim_found_is_old, .init = begin, .fini = core_end) {
  static const struct {
    const char *status;
    int64_t attempts;
  } rows[] = {{"pending", 1}, {"running", 2}};
  for (size_t i = 0; i < 2; i++) {
    answer(past_query(), (struct renew_answer){0});
    const struct renew_effect *claim = told(CK_OP_CLAIM);
    struct renew_answer found = leased("j", TARGET), now = found;
    now.lease.running = false;
    row_of_j("running", found.lease.attempt);
    row_of_j(rows[i].status, rows[i].attempts);
    follow(4);
    receipt_found(claim, 4, found);
    cr_assert_null(sent());
    answer(queried(LEASE), now);
    cr_assert_null(sent());
    row_of_j("pending", 0);
    follow(5);
    pass(1000);
    claims("j");
  }
}

Test(renewd_attempt, what_another_s_claim_found, .init = begin, .fini = core_end) {
  answer(past_query(), (struct renew_answer){0});
  struct renew_answer a = leased("j", TARGET);
  a.lease.token = CK_LIT("another's");
  row_of_j("running", 1);
  follow(3);
  receipt_found(told(CK_OP_CLAIM), 3, a);
  cr_assert_null(sent());
  cr_assert(said("not_leased"));
}

Test(renewd_attempt, a_refused_claim_is_left_alone_for_a_while, .init = begin, .fini = core_end) {
  answer(past_query(), (struct renew_answer){0});
  receipt(told(CK_OP_CLAIM), 'r', 0);
  cr_assert(said("claim_refused"));
  cr_assert_null(queried(LEASE));
  pass(999);
  claims(NULL);
  pass(1);
  claims("j");
}

Test(renewd_attempt, the_letter_and_the_end, .init = begin, .fini = core_end) {
  const struct renew_effect *send = sends("j", TARGET);
  cr_assert(ck_str_is(send->as.send.job_id, "j"));
  cr_assert(ck_str_is(send->as.send.snapshot, TARGET));
  cr_assert(strstr(send->as.send.letter.s, "\"payload\":\"go on\""), "%s", send->as.send.letter.s);
  cr_assert(strstr(send->as.send.letter.s, "\"attempt\":1"));
  pass(40);
  result(send, RENEW_DONE);
  const struct ck_end *e = end_told("done");
  cr_assert_eq(e->attempt, 1);
  cr_assert_eq(e->token.n, 32);
  cr_assert_eq(e->cooldown_until, at.wall + 60000);
  cr_assert_eq(ck_map_int(e->result, "took_ms", -1), 40);
  cr_assert(ck_map_str(e->result, "why").n);
  result(send, RENEW_FAILED); /* nobody waits for it */
  cr_assert_null(told(CK_OP_END));
}

/* It is not charged, so nothing but the wait keeps it from being asked without end. */
Test(renewd_attempt, a_target_that_sends_nothing_is_asked_less_and_less, .init = begin,
     .fini = core_end) {
  static const int64_t waits[] = {5000, 10000, 20000};
  for (size_t i = 0; i < 3; i++) {
    result(sends("j", TARGET), RENEW_RELEASED);
    int64_t next = end_told("released")->next_attempt_at;
    cr_assert_eq(next, at.wall + waits[i], "%zu: %lld", i, (long long)(next - at.wall));
    receipt(&(struct renew_effect){.ticket = core.tickets.given}, 'u', 9 + i);
    row_job((struct row_of_job){.id = "j", .of = "c", .message = "m", .next = ck_int(next)});
    follow(9 + i);
    pass(waits[i]);
    claims("j");
  }
  result(sends("j", TARGET), RENEW_RETRY);
  cr_assert_eq(renew_core_job(&core, CK_LIT("j"))->released, 0, "another end ends the row");
}

/* Rows of the attempt that have not come yet must not start another one. */
Test(renewd_attempt, free_once_everything_was_followed, .init = begin, .fini = core_end) {
  result(sends("j", TARGET), RENEW_RETRY);
  end_told("retry");
  receipt(&(struct renew_effect){.ticket = core.tickets.given}, 'u', 9);
  pass(100000);
  claims(NULL);
  row_job((struct row_of_job){.id = "j", .of = "c", .message = "m", .attempts = 1});
  claims(NULL);
  follow(9);
  claims("j");
}

Test(renewd_attempt, not_before_live_rows, .init = begin, .fini = core_end) {
  result(sends("j", TARGET), RENEW_RETRY);
  receipt(told(CK_OP_END), 'u', 9);
  const struct renew_event e = {.kind = RENEW_FOLLOWED, .as.followed = {9, false}};
  renew_step(&core, &e, at, &effects);
  cr_assert_eq(phase("j"), RENEW_FOLLOWING, "more rows of that commit may come");
  follow(9);
  cr_assert_neq(phase("j"), RENEW_FOLLOWING);
}

/* ---- what has happened since the claim ---- */

static void is_released(struct renew_answer a, const char *why) {
  answer(queried(LEASE), a);
  cr_assert_null(sent());
  cr_assert(strstr(end_told("released")->error.s, why));
}

static struct renew_answer granted(void) {
  answer(past_query(), (struct renew_answer){0});
  receipt(told(CK_OP_CLAIM), 'u', 1);
  struct renew_answer a = leased(id, TARGET);
  a.job.message_id = a.last_message_id = CK_LIT("m1");
  return a;
}

Test(renewd_attempt, an_answer_since_the_claim, .init = begin_automatic, .fini = core_end) {
  struct renew_answer a = granted();
  a.last_message_id = CK_LIT("m2");
  is_released(a, "superseded");
}

Test(renewd_attempt, an_answer_that_was_followed, .init = begin_automatic, .fini = core_end) {
  struct renew_answer a = granted();
  row_conversation("c", "auto", "m2", 0);
  is_released(a, "superseded");
}

Test(renewd_attempt, manual_since_the_claim, .init = begin_automatic, .fini = core_end) {
  struct renew_answer a = granted();
  a.manual = true;
  is_released(a, "superseded");
}

Test(renewd_attempt, a_pause_since_the_claim, .init = begin_automatic, .fini = core_end) {
  struct renew_answer a = granted();
  a.paused = true;
  is_released(a, "paused");
}

Test(renewd_attempt, a_pause_that_was_followed, .init = begin_automatic, .fini = core_end) {
  struct renew_answer a = granted();
  row_conversation("c", "paused", "m1", 0);
  is_released(a, "paused");
}

Test(renewd_attempt, a_target_that_changed, .init = begin_automatic, .fini = core_end) {
  struct renew_answer a = granted();
  a.job.snapshot = CK_LIT(CLIENTS);
  is_released(a, "target has changed");
}

Test(renewd_attempt, no_answer_about_the_rest, .init = begin_automatic, .fini = core_end) {
  struct renew_answer a = granted();
  a.problem = "no answer";
  is_released(a, "no answer");
}

Test(renewd_attempt, nobody_has_answered, .init = begin_automatic, .fini = core_end) {
  answer(queried(LEASE), granted());
  cr_assert_null(queried(LEASE));
}

/* What a person sends goes out whatever was said since. */
Test(renewd_attempt, by_hand_after_an_answer, .init = begin, .fini = core_end) {
  answer(past_query(), (struct renew_answer){0});
  receipt(told(CK_OP_CLAIM), 'u', 1);
  struct renew_answer a = leased("j", TARGET);
  a.manual = true;
  a.job.message_id = CK_LIT("m");
  a.last_message_id = CK_LIT("m2");
  answer(queried(LEASE), a);
  cr_assert_not_null(sent());
}

/* It has changed while its conversation's past was asked for. */
Test(renewd_attempt, what_must_wait_is_not_claimed, .init = begin_automatic, .fini = core_end) {
  row_conversation("c", "paused", "m1", 0);
  answer(past_query(), (struct renew_answer){0});
  cr_assert_null(told(CK_OP_CLAIM));
  claims(NULL);
  row_conversation("c", "auto", "m1", 0);
  claims(id);
}

Test(renewd_attempt, a_payload_that_no_letter_can_have, .init = begin, .fini = core_end) {
  answer(past_query(), (struct renew_answer){0});
  receipt(told(CK_OP_CLAIM), 'u', 1);
  struct renew_answer a = leased("j", TARGET);
  a.job.payload_kind = CK_LIT("json");
  answer(queried(LEASE), a);
  cr_assert_null(sent());
  end_told("failed");
}

/* ---- the brake ---- */

Test(renewd_attempt, a_brake_that_is_not_known, .init = begin, .fini = core_end) {
  answer(past_query(), (struct renew_answer){.problem = "no answer"});
  cr_assert_null(told(CK_OP_CLAIM));
  pass(999);
  claims(NULL);
  pass(1);
  claims("j");
}

Test(renewd_attempt, a_person_s_job_is_not_stopped, .init = begin, .fini = core_end) {
  answer(past_query(), (struct renew_answer){.past = {.in_a_row = 10}});
  cr_assert_not_null(told(CK_OP_CLAIM));
}

/* ---- the end of renewd ---- */

Test(renewd_attempt, when_renewd_stops, .init = begin, .fini = core_end) {
  row_job((struct row_of_job){.id = "k", .of = "d", .message = "m2"});
  row_job((struct row_of_job){.id = "l", .of = "e", .message = "m3"});
  const struct renew_effect *send = sends("j", TARGET);
  claims("k");
  const struct renew_effect *k = past_query();
  claims("l");
  answer(past_query(), (struct renew_answer){0});
  receipt(told(CK_OP_CLAIM), 'u', 1);
  happen(RENEW_STOP);
  cr_assert(renew_core_unfinished(&core));
  answer(k, (struct renew_answer){0});
  cr_assert_null(told(CK_OP_CLAIM), "claims nothing more");
  answer(queried(LEASE), leased("l", TARGET));
  cr_assert_null(sent());
  end_told("released");
  receipt(&(struct renew_effect){.ticket = core.tickets.given}, 'u', 2);
  cr_assert(renew_core_unfinished(&core), "one is under way");
  cr_assert_eq(renew_core_wakes(&core), RENEW_NEVER);
  happen(RENEW_END);
  const struct renew_effect *gives_up = abandoned();
  cr_assert(gives_up && gives_up->ticket == send->ticket);
  cr_assert_null(abandoned());
  cr_assert(said("abandoned"));
}

Test(renewd_attempt, it_ends_once_nothing_is_unfinished, .init = begin, .fini = core_end) {
  const struct renew_effect *send = sends("j", TARGET);
  happen(RENEW_STOP);
  result(send, RENEW_DONE);
  cr_assert(renew_core_unfinished(&core));
  receipt(told(CK_OP_END), 'u', 100);
  cr_assert_not(renew_core_unfinished(&core));
}

/* ---- connections ---- */

Test(renewd_attempt, nothing_begins_without_the_store, .init = core_begin, .fini = core_end) {
  happen(RENEW_LOST);
  row_job((struct row_of_job){.id = "j", .of = "c", .message = "m"});
  claims(NULL);
  cr_assert_eq(renew_core_wakes(&core), RENEW_NEVER);
  happen(RENEW_CONNECTED);
  claims("j");
}

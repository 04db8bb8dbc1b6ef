/* Turns: when a last message is judged, and which jobs it supersedes. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>

#include "test_renewd_core.h"

#define DELAY 100

static void begin(void) {
  core_begin();
  core.set.delay = DELAY;
}

static void message(const char *id, const char *text) { row_message(id, text); }

static void conversation(const char *id, const char *automation, const char *last) {
  row_conversation(id, automation, last, 0);
}

/* renewd's own job for the message. */
static const char *job(const char *of, const char *about, const char *status) {
  const char *id = automatic(about);
  row_job((struct row_of_job){.id = id, .of = of, .message = about, .status = status});
  return id;
}

static const struct renew_effect *asked; /* about the conversation that is considered */

static void considers(const char *id) {
  happen(RENEW_TICK);
  const struct renew_effect *q = queried(TURN);
  if (id)
    cr_assert(q && ck_str_is(q->as.query.conversation_id, id), "considers %s",
              q ? q->as.query.conversation_id.s : "none");
  else
    cr_assert_null(q, "considers %s", q->as.query.conversation_id.s);
  asked = q ? q : asked;
}

/* Facts about a last message that is judged so. */
static struct renew_answer facts(enum renew_decline d) {
  struct renew_facts f = {.found = true,
                          .role = CK_LIT("assistant"),
                          .created_at = 900000,
                          .observed_at = 899000,
                          .last_message_at = 899000,
                          .live = true,
                          .on_auto = true};
  if (d == RENEW_HAS_JOB) f.has_job = true;
  if (d == RENEW_NOT_ASSISTANTS) f.role = CK_LIT("user");
  if (d == RENEW_TOO_OLD) f.observed_at = f.last_message_at = -1;
  if (d == RENEW_TURN_OPEN) f.open = true;
  if (d == RENEW_TIME_UNKNOWN) f.observed_at = f.created_at;
  cr_assert_eq(renew_declined(&core.set.rules, &f), d);
  return (struct renew_answer){.facts = f, .has_link = true, .link = {.client_id = CK_LIT("ff1")}};
}

static void judged(enum renew_decline d) { answer(asked, facts(d)); }

static const struct renew_effect *proposal;

static void proposes(const char *id) {
  happen(RENEW_TICK);
  const struct renew_effect *tell = told(CK_OP_SUPERSEDE);
  if (id)
    cr_assert(tell && ck_str_is(tell->as.tell.mutation.as.supersede.job_id, id), "proposes %s",
              tell ? tell->as.tell.mutation.as.supersede.job_id.s : "none");
  else
    cr_assert_null(tell, "proposes %s", tell->as.tell.mutation.as.supersede.job_id.s);
  proposal = tell ? tell : proposal;
}

/* ---- settling ---- */

Test(renewd_turn, a_message_is_judged_once_it_has_settled, .init = begin, .fini = core_end) {
  cr_assert_eq(renew_core_wakes(&core), RENEW_NEVER);
  conversation("c", "auto", "m1");
  considers(NULL);
  cr_assert_eq(renew_core_wakes(&core), at.boot + DELAY);
  pass(DELAY - 1);
  considers(NULL);
  pass(1);
  considers("c");
  considers(NULL);
  judged(RENEW_NOT_DECLINED);
  conversation("c", "auto", "m1");
  pass(DELAY);
  considers(NULL);
  receipt(told(CK_OP_PUT), 'n', 1);
  cr_assert(said("made"));
  pass(DELAY);
  considers(NULL);
}

/* While its turn goes on it is not judged, and its next row begins the delay again. */
Test(renewd_turn, a_turn_that_goes_on, .init = begin, .fini = core_end) {
  conversation("c", "auto", "m1");
  message("m1", "text");
  pass(DELAY);
  considers("c");
  judged(RENEW_TURN_OPEN);
  cr_assert_null(told(CK_OP_PUT));
  pass(100 * DELAY);
  considers(NULL);
  message("m1", "text");
  pass(DELAY - 1);
  considers(NULL);
  pass(1);
  considers("c");
  judged(RENEW_TURN_OPEN);
  conversation("c", "auto", "m2");
  pass(DELAY);
  considers("c");
  judged(RENEW_TURN_OPEN);
  message("m2", "text");
  pass(DELAY);
  considers("c");
  judged(RENEW_NOT_DECLINED);
  cr_assert_not_null(told(CK_OP_PUT));
}

/* What the store says may be older than a row that came meanwhile: asked again. */
Test(renewd_turn, a_turn_that_ends_while_it_is_judged, .init = begin, .fini = core_end) {
  conversation("c", "auto", "m1");
  message("m1", "text");
  pass(DELAY);
  considers("c");
  const struct renew_effect *old = asked;
  message("m1", "text");
  considers("c");
  answer(old, facts(RENEW_TURN_OPEN));
  judged(RENEW_NOT_DECLINED);
  cr_assert_not_null(told(CK_OP_PUT));
}

Test(renewd_turn, the_job_that_is_made, .init = begin, .fini = core_end) {
  row_conversation("c", "auto", "m1", at.wall + 5000);
  pass(DELAY);
  considers("c");
  judged(RENEW_NOT_DECLINED);
  const struct renew_effect *put = told(CK_OP_PUT);
  cr_assert_not_null(put);
  const struct ck_row *row = put->as.tell.row;
  cr_assert(ck_str_is(ck_row_key(row), automatic("m1")));
  cr_assert(ck_str_is(ck_row_text(row, CK_JOBS_LOCAL_CONVERSATION_ID), "c"));
  cr_assert(ck_str_is(ck_row_text(row, CK_JOBS_MESSAGE_ID), "m1"));
  cr_assert(ck_str_is(ck_row_text(row, CK_JOBS_PAYLOAD), "continue"));
  cr_assert(ck_str_is(ck_row_text(row, CK_JOBS_TARGET_SNAPSHOT),
                      "{\"kind\":\"feed\",\"client_id\":\"ff1\"}"));
  cr_assert_eq(ck_row_int(row, CK_JOBS_MAX_ATTEMPTS, 0), 3);
  cr_assert_eq(ck_row_int(row, CK_JOBS_NEXT_ATTEMPT_AT, 0), at.wall + 5000 - DELAY, "rests");
  /* Another message is the last one when the receipt comes: it is judged in its turn. */
  conversation("c", "auto", "m2");
  receipt(put, 'n', 1);
  cr_assert(said("made"));
  pass(DELAY);
  considers("c");
  cr_assert(ck_str_is(asked->as.query.message_id, "m2"));
}

/* What the owner has said of its follow-ups goes before the settings. */
static void makes(const char *renewal, const char *payload, const char *kind) {
  core_end();
  begin();
  conversation("c", "auto", "m1");
  pass(DELAY);
  considers("c");
  struct renew_answer a = facts(RENEW_NOT_DECLINED);
  a.renewal = ck_str_of(renewal);
  a.title = CK_LIT("Fish");
  a.text = CK_LIT("Shall I?");
  a.delivered = 4;
  answer(asked, a);
  const struct ck_row *row = told(CK_OP_PUT)->as.tell.row;
  cr_expect(ck_str_is(ck_row_text(row, CK_JOBS_PAYLOAD), payload), "%s", renewal);
  cr_expect(ck_str_is(ck_row_text(row, CK_JOBS_PAYLOAD_KIND), kind), "%s", renewal);
}

Test(renewd_turn, what_it_says, .init = begin, .fini = core_end) {
  makes("", "continue", "text");
  makes("{\"payload\":\"go on\"}", "go on", "text");
  makes("{\"payload\":\"[1]\",\"payload_kind\":\"json\"}", "[1]", "json");
  makes("{\"payload\":1}", "continue", "text");
  makes("{\"payload\":\"{count}, {title}, {date}: {last}\",\"payload_kind\":\"template\"}",
        "5, Fish, 1970-01-01: Shall I?", "text");
}

Test(renewd_turn, no_more_are_judged_at_once_than_32, .init = begin, .fini = core_end) {
  char id[8];
  for (int i = 0; i < 40; i++) {
    snprintf(id, sizeof id, "c%d", i);
    conversation(id, "auto", id);
  }
  pass(DELAY);
  happen(RENEW_TICK);
  int n = 0;
  while ((asked = queried(TURN))) n++;
  cr_assert_eq(n, 32);
  cr_assert_gt(renew_core_wakes(&core), at.boot);
}

Test(renewd_turn, the_last_of_many_is_judged, .init = begin, .fini = core_end) {
  for (int i = 0; i < 8; i++) {
    conversation("c", "auto", (const char *[]){"a", "b", "c", "d", "e", "f", "g", "h"}[i]);
    pass(DELAY - 1);
    considers(NULL);
  }
  pass(1);
  considers("c");
  cr_assert(ck_str_is(asked->as.query.message_id, "h"));
}

Test(renewd_turn, a_message_that_grows_has_not_settled, .init = begin, .fini = core_end) {
  message("m1", "one");
  conversation("c", "auto", "m1");
  pass(60);
  message("m1", "one two");
  pass(60);
  considers(NULL);
  message("m1", "one two"); /* observed again: no growth */
  message("other", "one two three");
  pass(40);
  considers("c");
  /* It grows while it is asked about: the answers do not count. */
  message("m1", "one two three");
  judged(RENEW_TOO_OLD);
  cr_assert_eq(core.declined, 0);
  considers(NULL);
  pass(DELAY);
  considers("c");
}

Test(renewd_turn, what_is_seen_again_has_not_changed, .init = begin, .fini = core_end) {
  message("m1", "one");
  conversation("c", "auto", "m1");
  for (int i = 0; i < 10; i++, pass(10)) message("m1", "one");
  considers("c");
}

/* At a start the text is not known, so the first time that it is seen may be a change. */
Test(renewd_turn, an_unknown_text_may_have_grown, .init = begin, .fini = core_end) {
  conversation("c", "auto", "m1");
  pass(50);
  message("m1", "one");
  pass(50);
  considers(NULL);
  message("m1", "one");
  pass(50);
  considers("c");
}

Test(renewd_turn, only_on_auto, .init = begin, .fini = core_end) {
  conversation("c", "paused", "m1");
  pass(DELAY);
  considers(NULL);
  conversation("c", "auto", "m1"); /* it has settled meanwhile */
  conversation("c", "paused", "m1");
  considers(NULL);
  conversation("c", "auto", "m1");
  considers("c");
  conversation("c", "manual", "m1");
  judged(RENEW_NOT_DECLINED);
  considers(NULL);
  cr_assert_eq(core.conversations.count, 0);
}

Test(renewd_turn, no_answer_is_no_verdict, .init = begin, .fini = core_end) {
  conversation("c", "auto", "m1");
  pass(DELAY);
  considers("c");
  answer(asked, (struct renew_answer){.problem = "no answer"});
  considers(NULL);
  pass(DELAY);
  considers("c");
}

Test(renewd_turn, what_is_declined_is_known_while_it_is_the_last, .init = begin, .fini = core_end) {
  conversation("c", "auto", "m1");
  conversation("d", "auto", "m2");
  pass(DELAY);
  considers("c");
  judged(RENEW_TIME_UNKNOWN);
  considers("d");
  judged(RENEW_NOT_ASSISTANTS);
  cr_assert_eq(core.declined, 1);
  conversation("c", "paused", "m1");
  cr_assert_eq(core.declined, 1);
  conversation("c", "auto", "m3");
  cr_assert_eq(core.declined, 0);
  pass(DELAY);
  considers("c");
  judged(RENEW_TOO_OLD);
  conversation("c", "manual", "m3");
  cr_assert_eq(core.declined, 0);
}

/* `convkeep renew` sends what was declined. */
Test(renewd_turn, what_has_a_job_is_not_declined, .init = begin, .fini = core_end) {
  conversation("c", "auto", "m1");
  pass(DELAY);
  considers("c");
  judged(RENEW_TOO_OLD);
  cr_assert_eq(core.declined, 1);
  job("c", "m0", "done");
  cr_assert_eq(core.declined, 1);
  job("c", "m1", "pending");
  cr_assert_eq(core.declined, 0);
  /* Nor is it asked about. */
  conversation("d", "auto", "m2");
  job("d", "m2", "done");
  pass(DELAY);
  considers(NULL);
}

/* ---- superseded jobs ---- */

Test(renewd_turn, a_job_waits_while_its_message_grows, .init = begin, .fini = core_end) {
  message("m1", "one");
  conversation("c", "auto", "m1");
  const char *id = job("c", "m1", "pending");
  pass(DELAY - 10);
  claims(NULL);
  message("m1", "one two");
  pass(DELAY - 10);
  claims(NULL);
  cr_assert_eq(renew_core_due(&core), at.boot + 10);
  pass(10);
  claims(id);
}

Test(renewd_turn, an_answer_supersedes, .init = begin, .fini = core_end) {
  conversation("c", "auto", "m1");
  const char *id = job("c", "m1", "pending");
  proposes(NULL);
  conversation("c", "auto", "m2");
  pass(DELAY);
  claims(NULL);
  cr_assert_eq(renew_core_due(&core), RENEW_NEVER);
  proposes(id);
  proposes(NULL); /* not before the first has its receipt */
  conversation("c", "paused", "m2");
  proposes(NULL);
  receipt(proposal, 'r', 0); /* refused, say */
  proposes(NULL);
  conversation("c", "auto", "m2");
  proposes(id);
  job("c", "m1", "failed");
  receipt(proposal, 'u', 0);
  proposes(NULL);
}

Test(renewd_turn, to_leave_auto_supersedes_and_a_pause_does_not, .init = begin, .fini = core_end) {
  conversation("c", "auto", "m1");
  const char *id = job("c", "m1", "pending");
  pass(DELAY);
  conversation("c", "paused", "m1");
  proposes(NULL);
  claims(NULL);
  conversation("c", "manual", "m1");
  claims(NULL);
  proposes(id);
}

Test(renewd_turn, a_person_may_want_it_all_the_same, .init = begin, .fini = core_end) {
  conversation("c", "manual", "m2");
  const char *id = job("c", "m1", "pending");
  proposes(id);
  claims(NULL);
  conversation("c", "paused", "m3");
  receipt(proposal, '=', 0);
  proposes(NULL);
  claims(NULL);
  conversation("c", "manual", "m3");
  claims(id);
}

/* The store died with the receipt: only another proposal tells whether the job is wanted. */
Test(renewd_turn, a_proposal_whose_result_is_lost, .init = begin, .fini = core_end) {
  conversation("c", "manual", "m2");
  const char *id = job("c", "m1", "pending");
  proposes(id);
  const struct renew_effect *first = proposal;
  receipt(first, '?', 0);
  proposes(id);
  receipt(proposal, '=', 0);
  claims(id);
}

/* An attempt that is under way is not disturbed; when it is over, its job is looked at again. */
Test(renewd_turn, an_attempt_is_not_superseded, .init = begin, .fini = core_end) {
  conversation("c", "auto", "m1");
  const char *id = job("c", "m1", "pending");
  pass(DELAY);
  claims(id);
  const struct renew_effect *send = sends(id, TARGET);
  conversation("c", "auto", "m2");
  proposes(NULL);
  job("c", "m1", "running");
  proposes(NULL);
  job("c", "m1", "pending");
  proposes(NULL);
  result(send, RENEW_RETRY);
  receipt(told(CK_OP_END), 'u', 0);
  proposes(id);
  claims(NULL);
}

Test(renewd_turn, another_history_has_other_turns, .init = begin, .fini = core_end) {
  conversation("c", "auto", "m1");
  job("c", "m0", "pending");
  pass(DELAY);
  considers("c");
  proposal = told(CK_OP_SUPERSEDE);
  happen(RENEW_RESET);
  follow(1);
  proposes(NULL);
  conversation("c", "auto", "m1");
  considers(NULL);
  judged(RENEW_NOT_DECLINED); /* of the former one */
  cr_assert_null(told(CK_OP_PUT));
  pass(DELAY);
  considers("c");
}

/* Turns: when a last message is judged, and which jobs it supersedes. */
#include <criterion/criterion.h>

#include <string.h>

#include "renewd/state.h"

#define DELAY 100

static struct renew_state st;
static struct renew_now at;

static void begin(void) {
  memset(&st, 0, sizeof st);
  st.delay = DELAY;
  at = (struct renew_now){1000000, 5000};
}

static void end(void) { renew_state_free(&st); }

static void pass(int64_t ms) {
  at.wall += ms;
  at.boot += ms;
}

static void message(const char *id, const char *text) {
  struct ck_row row = {.table = CK_MESSAGES};
  row.v[CK_MESSAGES_ID] = ck_textz(id);
  row.v[CK_MESSAGES_RAW_TEXT] = ck_textz(text);
  renew_state_row(&st, &row, at);
}

static void conversation(const char *id, const char *automation, const char *last) {
  struct ck_row row = {.table = CK_CONVERSATIONS};
  row.v[CK_CONVERSATIONS_LOCAL_CONVERSATION_ID] = ck_textz(id);
  row.v[CK_CONVERSATIONS_AUTOMATION_STATUS] = ck_textz(automation);
  row.v[CK_CONVERSATIONS_LAST_MESSAGE_ID] = ck_textz(last);
  renew_state_row(&st, &row, at);
}

/* renewd's own job for the message. */
static const char *job(const char *of, const char *message, const char *status) {
  static char id[37];
  struct ck_row row = {.table = CK_JOBS};
  ck_job_id(id, ck_str_of(message));
  row.v[CK_JOBS_JOB_ID] = ck_textz(id);
  row.v[CK_JOBS_LOCAL_CONVERSATION_ID] = ck_textz(of);
  row.v[CK_JOBS_MESSAGE_ID] = ck_textz(message);
  row.v[CK_JOBS_STATUS] = ck_textz(status);
  row.v[CK_JOBS_NEXT_ATTEMPT_AT] = ck_int(at.wall);
  renew_state_row(&st, &row, at);
  return id;
}

static void considers(const char *id) {
  struct renew_conversation *c = renew_state_consider(&st, at);
  if (id)
    cr_assert(c && strcmp(c->node.id, id) == 0, "considers %s", c ? c->node.id : "none");
  else
    cr_assert_null(c, "considers %s", c->node.id);
}

static void judged(const char *id, enum renew_decline verdict) {
  renew_state_considered(&st, ck_str_of(id), true, verdict, at);
}

static struct renew_job *claims(const char *id) {
  struct renew_job *j = renew_state_claim(&st, at);
  if (id)
    cr_assert(j && strcmp(j->node.id, id) == 0, "claims %s", j ? j->node.id : "none");
  else
    cr_assert_null(j, "claims %s", j->node.id);
  return j;
}

static void proposes(const char *id) {
  struct renew_job *j = renew_state_supersede(&st);
  if (id)
    cr_assert(j && strcmp(j->node.id, id) == 0, "proposes %s", j ? j->node.id : "none");
  else
    cr_assert_null(j, "proposes %s", j->node.id);
}

/* ---- settling ---- */

Test(renewd_turn, a_message_is_judged_once_it_has_settled, .init = begin, .fini = end) {
  cr_assert_eq(renew_state_settles(&st), RENEW_NEVER);
  conversation("c", "auto", "m1");
  considers(NULL);
  cr_assert_eq(renew_state_settles(&st), at.boot + DELAY);
  pass(DELAY - 1);
  considers(NULL);
  pass(1);
  considers("c");
  considers(NULL);
  judged("c", RENEW_NOT_DECLINED);
  conversation("c", "auto", "m1");
  pass(DELAY);
  considers(NULL);
}

Test(renewd_turn, the_last_of_many_is_judged, .init = begin, .fini = end) {
  for (int i = 0; i < 8; i++) {
    conversation("c", "auto", (const char *[]){"a", "b", "c", "d", "e", "f", "g", "h"}[i]);
    pass(DELAY - 1);
    considers(NULL);
  }
  pass(1);
  considers("c");
  struct renew_conversation *c = renew_state_conversation(&st, CK_LIT("c"));
  cr_assert(renew_state_is_current(c, CK_LIT("h")));
  cr_assert_not(renew_state_is_current(c, CK_LIT("g")));
}

Test(renewd_turn, a_message_that_grows_has_not_settled, .init = begin, .fini = end) {
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
  cr_assert_not(renew_state_is_current(renew_state_conversation(&st, CK_LIT("c")), CK_LIT("m1")));
  judged("c", RENEW_TOO_OLD);
  cr_assert_eq(st.declined, 0);
  considers(NULL);
  pass(DELAY);
  considers("c");
}

Test(renewd_turn, what_is_seen_again_has_not_changed, .init = begin, .fini = end) {
  message("m1", "one");
  conversation("c", "auto", "m1");
  for (int i = 0; i < 10; i++, pass(10)) message("m1", "one");
  considers("c");
}

/* At a start the text is not known, so the first time that it is seen may be a change. */
Test(renewd_turn, an_unknown_text_may_have_grown, .init = begin, .fini = end) {
  conversation("c", "auto", "m1");
  pass(50);
  message("m1", "one");
  pass(50);
  considers(NULL);
  message("m1", "one");
  pass(50);
  considers("c");
}

Test(renewd_turn, only_on_auto, .init = begin, .fini = end) {
  conversation("c", "paused", "m1");
  pass(DELAY);
  considers(NULL);
  conversation("c", "auto", "m1"); /* it has settled meanwhile */
  conversation("c", "paused", "m1");
  considers(NULL);
  conversation("c", "auto", "m1");
  considers("c");
  conversation("c", "manual", "m1");
  judged("c", RENEW_NOT_DECLINED);
  considers(NULL);
  cr_assert_eq(st.conversations.count, 0);
}

Test(renewd_turn, no_answer_is_no_verdict, .init = begin, .fini = end) {
  conversation("c", "auto", "m1");
  pass(DELAY);
  considers("c");
  renew_state_considered(&st, CK_LIT("c"), false, RENEW_NOT_DECLINED, at);
  considers(NULL);
  pass(DELAY);
  considers("c");
}

Test(renewd_turn, what_is_declined_is_known_while_it_is_the_last, .init = begin, .fini = end) {
  conversation("c", "auto", "m1");
  conversation("d", "auto", "m2");
  pass(DELAY);
  considers("c");
  judged("c", RENEW_TIME_UNKNOWN);
  considers("d");
  judged("d", RENEW_NOT_ASSISTANTS);
  cr_assert_eq(st.declined, 1);
  conversation("c", "paused", "m1");
  cr_assert_eq(st.declined, 1);
  conversation("c", "auto", "m3");
  cr_assert_eq(st.declined, 0);
  pass(DELAY);
  considers("c");
  judged("c", RENEW_TOO_OLD);
  conversation("c", "manual", "m3");
  cr_assert_eq(st.declined, 0);
}

/* `convkeep renew` sends what was declined. */
Test(renewd_turn, what_has_a_job_is_not_declined, .init = begin, .fini = end) {
  conversation("c", "auto", "m1");
  pass(DELAY);
  considers("c");
  judged("c", RENEW_TOO_OLD);
  cr_assert_eq(st.declined, 1);
  job("c", "m0", "done");
  cr_assert_eq(st.declined, 1);
  job("c", "m1", "pending");
  cr_assert_eq(st.declined, 0);
  /* Nor is it asked about. */
  conversation("d", "auto", "m2");
  job("d", "m2", "done");
  pass(DELAY);
  considers(NULL);
}

/* ---- superseded jobs ---- */

Test(renewd_turn, a_job_waits_while_its_message_grows, .init = begin, .fini = end) {
  message("m1", "one");
  conversation("c", "auto", "m1");
  const char *id = job("c", "m1", "pending");
  pass(DELAY - 10);
  claims(NULL);
  message("m1", "one two");
  pass(DELAY - 10);
  claims(NULL);
  cr_assert_eq(renew_state_due(&st, at), at.boot + 10);
  pass(10);
  claims(id);
}

Test(renewd_turn, an_answer_supersedes, .init = begin, .fini = end) {
  conversation("c", "auto", "m1");
  const char *id = job("c", "m1", "pending");
  proposes(NULL);
  conversation("c", "auto", "m2");
  pass(DELAY);
  claims(NULL);
  cr_assert_eq(renew_state_due(&st, at), RENEW_NEVER);
  proposes(id);
  proposes(NULL); /* not before the first has its receipt */
  conversation("c", "paused", "m2");
  proposes(NULL);
  renew_state_superseded(&st, ck_str_of(id), false, at); /* refused, say */
  proposes(NULL);
  conversation("c", "auto", "m2");
  proposes(id);
  job("c", "m1", "failed");
  renew_state_superseded(&st, ck_str_of(id), false, at);
  proposes(NULL);
}

Test(renewd_turn, to_leave_auto_supersedes_and_a_pause_does_not, .init = begin, .fini = end) {
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

Test(renewd_turn, a_person_may_want_it_all_the_same, .init = begin, .fini = end) {
  conversation("c", "manual", "m2");
  const char *id = job("c", "m1", "pending");
  proposes(id);
  claims(NULL);
  renew_state_superseded(&st, ck_str_of(id), true, at);
  proposes(NULL);
  conversation("c", "paused", "m3");
  proposes(NULL);
  claims(NULL);
  conversation("c", "manual", "m3");
  claims(id);
}

/* An attempt that is under way is not disturbed; when it is over, its job is looked at again. */
Test(renewd_turn, an_attempt_is_not_superseded, .init = begin, .fini = end) {
  conversation("c", "auto", "m1");
  const char *id = job("c", "m1", "pending");
  pass(DELAY);
  struct renew_job *j = claims(id);
  cr_assert_not(renew_state_is_superseded(j));
  conversation("c", "auto", "m2");
  cr_assert(renew_state_is_superseded(j));
  proposes(NULL);
  job("c", "m1", "running");
  proposes(NULL);
  job("c", "m1", "pending");
  proposes(NULL);
  renew_state_settle(&st, ck_str_of(id), 0, at);
  proposes(id);
  claims(NULL);
}

Test(renewd_turn, another_history_has_other_turns, .init = begin, .fini = end) {
  conversation("c", "auto", "m1");
  job("c", "m0", "pending");
  pass(DELAY);
  considers("c");
  renew_state_reset(&st);
  proposes(NULL);
  conversation("c", "auto", "m1");
  considers(NULL);
  judged("c", RENEW_NOT_DECLINED);
  pass(DELAY);
  considers("c");
}

/* Unknown ends that are told by what is observed afterwards: done only with a proof, sent again
 * only if a source says that nothing arrived. */
#include "test_store_apply.h"

#include <stdlib.h>
#include <string.h>

#define BEGUN INT64_C(1000000)
#define ENDED (BEGUN + 5000)

static void says(const char *id, const char *role, const char *text, int64_t at, const char *more) {
  char *all = ck_sprintf(",'conversation_id':'r1','role':'%s','raw_text':'%s'%s", role, text, more);
  cr_assert_neq(sh_message(&s, id, at, all), 'r', "%s", s.reason.text);
  free(all);
}

static void attempt(const char *job, const char *token, int64_t at, const char *outcome) {
  s.now = at;
  cr_assert_eq(ap_mutate(ap_claim_of(job, token, at)), 'u', "%s", s.reason.text);
  struct ck_mutation m = ap_end_of(job, 1, token, outcome);
  s.now = m.as.end.at = at + 5000;
  cr_assert_eq(ap_mutate(m), 'u', "%s", s.reason.text);
}

/* An attempt at r1 whose end is unknown. */
static void unknown(void) {
  s.now = BEGUN - 1000;
  sh_conversation(&s, "c1", "");
  sh_link(&s, "l1", "c1", "r1", "");
  says("m1", "assistant", "shall I?", BEGUN - 2000, "");
  cr_assert_eq(sh_job(&s, "j1", "c1", "m1", ""), 'n');
  attempt("j1", "t1", BEGUN, "unknown");
}

static struct ck_mutation resolve_of(const char *job) {
  struct ck_mutation m = {.kind = CK_OP_RESOLVE};
  m.as.resolve = (struct ck_resolve){ck_str_of(job), s.now, 3000};
  return m;
}

static char captured(int64_t age) {
  struct ck_mutation m = {.kind = CK_OP_CAPTURED};
  m.as.captured = (struct ck_captured){CK_LIT("p"), CK_LIT("r1"), age};
  return ap_mutate(m);
}

static bool is(const char *job, const char *outcome) {
  char *sql = ck_sprintf("SELECT count(*) FROM attempts WHERE job_id = '%s' AND outcome = '%s'"
                         " AND ended = %lld",
                         job, outcome, (long long)ENDED);
  int64_t n = sh_int(&s, sql);
  free(sql);
  return n == 1;
}

static void stays_unknown(void) {
  cr_expect_eq(ap_mutate(resolve_of("j1")), '=', "%s", s.reason.text);
  cr_expect(is("j1", "unknown"));
  sh_is(&s, CK_JOBS, "j1", "status", "running");
}

Test(apply, without_anything_an_unknown_end_stays_so) {
  unknown();
  stays_unknown();
  ap_refused(resolve_of("j9"), "there is no 'j9'");
}

Test(apply, our_text_in_the_conversation_is_a_delivery) {
  unknown();
  says("m2", "user", " go  on", BEGUN, "");
  s.now = ENDED + 100;
  cr_expect_eq(ap_mutate(resolve_of("j1")), 'u', "%s", s.reason.text);
  cr_expect(is("j1", "done"));
  sh_is(&s, CK_JOBS, "j1", "status", "done");
  sh_is(&s, CK_CONVERSATIONS, "c1", "cooldown_until", "1008100");
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM sent WHERE message_id = 'm2' AND job_id = 'j1'"),
               1);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM attempts WHERE sent_message_id = 'm2'"), 1);
  cr_expect_eq(ap_mutate(resolve_of("j1")), '=', "twice");
}

/* It is seen before the attempt has ended. */
Test(apply, our_text_during_the_attempt) {
  s.now = BEGUN - 1000;
  sh_conversation(&s, "c1", "");
  sh_link(&s, "l1", "c1", "r1", "");
  says("m1", "assistant", "shall I?", BEGUN - 2000, "");
  sh_job(&s, "j1", "c1", "m1", "");
  s.now = BEGUN;
  ap_mutate(ap_claim_of("j1", "t1", BEGUN));
  says("m2", "user", "go on", BEGUN + 10, "");
  cr_expect_eq(ap_mutate(resolve_of("j1")), '=', "it runs");
  struct ck_mutation m = ap_end_of("j1", 1, "t1", "unknown");
  m.as.end.at = ENDED;
  ap_mutate(m);
  cr_expect_eq(ap_mutate(resolve_of("j1")), 'u', "%s", s.reason.text);
  cr_expect(is("j1", "done"));
}

Test(apply, what_is_no_delivery_of_ours) {
  unknown();
  says("m2", "user", "no, stop", BEGUN + 10, "");
  says("m3", "assistant", "go on", BEGUN + 20, "");
  says("m4", "user", "go on", BEGUN + 30, ",'details':{'kind':'context'}");
  says("m5", "user", "go on", BEGUN - 120000, "");
  stays_unknown();
  sh_link(&s, "l2", "c1", "r2", "");
  sh_conversation(&s, "c2", "");
  sh_link(&s, "l3", "c2", "r3", "");
  cr_assert_neq(
      sh_message(&s, "m6", BEGUN + 40, ",'conversation_id':'r3','role':'user','raw_text':'go on'"),
      'r');
  stays_unknown();
}

/* One message proves one attempt. */
Test(apply, our_text_is_one_attempt_s) {
  unknown();
  says("m9", "assistant", "another", BEGUN - 1500, "");
  cr_assert_eq(sh_job(&s, "j2", "c1", "m9", ""), 'n');
  attempt("j2", "t2", BEGUN, "unknown");
  says("m2", "user", "go on", BEGUN + 10, "");
  cr_expect_eq(ap_mutate(resolve_of("j2")), 'u');
  cr_expect(is("j2", "done"));
  stays_unknown();
  says("m3", "user", "go on", BEGUN + 20, "");
  cr_expect_eq(ap_mutate(resolve_of("j1")), 'u');
  cr_expect(is("j1", "done"));
}

Test(apply, an_answer_to_the_message_that_its_client_named) {
  unknown();
  cr_assert_eq(ap_mutate((struct ck_mutation){CK_OP_END,
                                              {.end = {.job_id = CK_LIT("j1"),
                                                       .attempt = 1,
                                                       .token = CK_LIT("t1"),
                                                       .outcome = CK_LIT("unknown"),
                                                       .at = ENDED,
                                                       .message_id = CK_LIT("m7")}}}),
               'u', "%s", s.reason.text);
  stays_unknown();
  says("m8", "assistant", "gone on", BEGUN + 50, ",'parent_id':'m7'");
  cr_expect_eq(ap_mutate(resolve_of("j1")), 'u', "%s", s.reason.text);
  cr_expect(is("j1", "done"));
}

Test(apply, a_later_capture_without_it_says_that_nothing_was_sent) {
  unknown();
  s.now = ENDED + 100000;
  captured(ENDED + 59999);
  stays_unknown();
  captured(ENDED + 60000);
  captured(BEGUN);
  cr_expect_eq(ap_mutate(resolve_of("j1")), 'u', "%s", s.reason.text);
  cr_expect(is("j1", "released"));
  sh_is(&s, CK_JOBS, "j1", "status", "pending");
  sh_is(&s, CK_JOBS, "j1", "attempt_count", "0");
  sh_is(&s, CK_JOBS, "j1", "next_attempt_at", "1105000");
  cr_expect_eq(ap_mutate(resolve_of("j1")), '=', "twice");
  ap_refused(ap_end_of("j1", 1, "t1", "done"), "end.token");
}

/* Its time is a little before the attempt: the platform's clock may be behind, or a person was
 * faster. */
Test(apply, what_may_be_ours_leaves_it_to_a_person) {
  unknown();
  says("m2", "user", "go on", BEGUN - 1, "");
  s.now = ENDED + 100000;
  captured(ENDED + 60000);
  stays_unknown();
}

Test(apply, a_capture_ahead_of_the_clock_does_not_count_yet) {
  unknown();
  captured(s.now + INT64_C(2) * 86400000);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM captures"), 0);
  captured(ENDED + 80000);
  captured(ENDED + 70000);
  stays_unknown();
  s.now = ENDED + 70000;
  cr_expect_eq(ap_mutate(resolve_of("j1")), 'u');
}

Test(apply, captures_of_conversations_without_attempts_are_not_kept) {
  s.now = BEGUN;
  sh_conversation(&s, "c1", "");
  sh_link(&s, "l1", "c1", "r1", "");
  captured(BEGUN);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM captures"), 0);
}

Test(apply, a_person_s_decision_comes_first) {
  unknown();
  says("m2", "user", "go on", BEGUN + 10, "");
  struct ck_mutation m = ap_end_of("j1", 1, "t1", "failed");
  cr_assert_eq(ap_mutate(m), 'u');
  cr_expect_eq(ap_mutate(resolve_of("j1")), '=');
  sh_is(&s, CK_JOBS, "j1", "status", "failed");
}

/* Pauses, as the store keeps them and asks about them at each claim. */
#include "test_store_apply.h"

static struct ck_mutation pause_of(const char *kind, const char *name, int64_t until) {
  struct ck_mutation m = {.kind = CK_OP_PAUSE};
  m.as.pause = (struct ck_pause){ck_str_of(kind), ck_str_of(name), until};
  return m;
}

static struct ck_mutation unpause_of(const char *kind, const char *name) {
  struct ck_mutation m = {.kind = CK_OP_UNPAUSE};
  m.as.unpause = (struct ck_unpause){ck_str_of(kind), ck_str_of(name)};
  return m;
}

static void two_jobs(void) {
  sh_conversation(&s, "c1", "");
  sh_message(&s, "m1", 10, "");
  sh_message(&s, "m2", 10, "");
  cr_assert_eq(sh_job(&s, "j1", "c1", "m1", ",'next_attempt_at':1000"), 'n');
  cr_assert_eq(sh_job(&s, "j2", "c1", "m2", ",'next_attempt_at':1000"), 'n');
}

static void check_paused(const char *kind, const char *name, const char *reason) {
  cr_assert_eq(ap_mutate(pause_of(kind, name, 0)), 'u', "%s", s.reason.text);
  ap_refused(ap_claim_of("j1", "t", 5000), reason);
  sh_is(&s, CK_JOBS, "j1", "attempt_count", "0");
  cr_assert_eq(ap_mutate(unpause_of(kind, name)), 'u', "%s", s.reason.text);
  cr_expect_eq(ap_mutate(unpause_of(kind, name)), '=', "it was ended twice");
}

Test(apply, no_claim_is_taken_during_a_pause) {
  two_jobs();
  check_paused("everything", "", "paused: everything is paused");
  check_paused("platform", "p", "paused: the platform is paused");
  check_paused("conversation", "c1", "paused: the conversation is paused");
  check_paused("job", "j1", "paused: the job is paused");
  cr_expect_eq(ap_mutate(ap_claim_of("j1", "t", 5000)), 'u', "%s", s.reason.text);
}

Test(apply, no_claim_of_a_paused_account_is_taken) {
  two_jobs();
  ap_mutate(pause_of("account", "a", 0));
  struct ck_mutation claim = ap_claim_of("j1", "t", 5000);
  claim.as.claim.account = CK_LIT("a");
  ap_refused(claim, "paused: the account is paused");
  claim.as.claim.account = CK_LIT("b");
  cr_expect_eq(ap_mutate(claim), 'u', "%s", s.reason.text);
}

Test(apply, a_pause_of_one_leaves_the_others) {
  two_jobs();
  ap_mutate(pause_of("platform", "another", 0));
  sh_conversation(&s, "c2", "");
  cr_assert_eq(ap_mutate(pause_of("conversation", "c2", 0)), 'u', "%s", s.reason.text);
  ap_mutate(pause_of("job", "j2", 0));
  ap_refused(ap_claim_of("j2", "t", 5000), "paused: the job is paused");
  cr_expect_eq(ap_mutate(ap_claim_of("j1", "t", 5000)), 'u', "%s", s.reason.text);
}

Test(apply, a_pause_ends_by_itself_and_is_forgotten) {
  two_jobs();
  ap_refused(pause_of("everything", "", s.now), "pause.until: has passed");
  cr_assert_eq(ap_mutate(pause_of("everything", "", s.now + 1000)), 'u');
  ap_mutate(pause_of("everything", "", s.now + 2000));
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM pauses"), 1, "the same again is no other");
  s.now += 1999;
  ap_refused(ap_claim_of("j1", "t", 5000), "paused: everything");
  s.now += 1;
  cr_expect_eq(ap_mutate(ap_claim_of("j1", "t", 5000)), 'u', "%s", s.reason.text);
  ap_mutate(pause_of("job", "j2", 0));
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM pauses WHERE kind = 'everything'"), 0);
}

Test(apply, what_cannot_be_paused_is_refused) {
  ap_refused(pause_of("world", "x", 0), "pause.kind: must be everything|");
  ap_refused(pause_of("everything", "x", 0), "pause.name: must be empty");
  ap_refused(pause_of("platform", "", 0), "pause.name: must be there");
  ap_refused(unpause_of("job", ""), "unpause.name: must be there");
}

/* A pause of a job ends with it; one of what is not there would stay for ever. */
Test(apply, only_what_can_go_out_is_paused) {
  two_jobs();
  ap_refused(pause_of("conversation", "cx", 0), "pause.name: there is no such conversation");
  ap_refused(pause_of("job", "jx", 0), "pause.name: there is no such job");
  cr_assert_eq(ap_mutate(pause_of("job", "j1", 0)), 'u', "%s", s.reason.text);
  uint64_t before = apply_pauses(s.apply);
  cr_assert_eq(ap_mutate(ap_cancel_of("j1", "not any more", 5000)), 'u', "%s", s.reason.text);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM pauses"), 0);
  cr_expect_neq(apply_pauses(s.apply), before);
  ap_refused(pause_of("job", "j1", 0), "pause.name: the job is over (failed)");
}

/* Followers ask again when the number has changed. */
Test(apply, each_change_of_the_pauses_has_another_number) {
  two_jobs();
  uint64_t first = apply_pauses(s.apply);
  ap_mutate(pause_of("job", "j1", 0));
  uint64_t second = apply_pauses(s.apply);
  cr_expect_neq(first, second);
  ap_mutate(unpause_of("job", "j2"));
  cr_expect_eq(apply_pauses(s.apply), second, "there was no such pause");
  ap_mutate(unpause_of("job", "j1"));
  cr_expect_neq(apply_pauses(s.apply), second);
  cr_expect_neq(apply_pauses(s.apply), first);
}

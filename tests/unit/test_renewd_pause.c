/* Pauses in the core: what waits, since when and until when, and what is told of it. */
#include "test_renewd_core.h"

#include <criterion/criterion.h>

static void pauses(const struct renew_pause_row *rows, size_t n) {
  renew_step(&core, &(struct renew_event){.kind = RENEW_PAUSES, .as.pauses = {rows, n}}, at,
             &effects);
}

static void pause_one(const char *kind, const char *name, int64_t until) {
  const struct renew_pause_row row = {ck_str_of(kind), ck_str_of(name), until};
  pauses(&row, 1);
}

static void resume(void) { pauses(NULL, 0); }

static void row_of_platform(const char *id, const char *platform) {
  struct ck_row r = {.table = CK_CONVERSATIONS};
  r.v[CK_CONVERSATIONS_LOCAL_CONVERSATION_ID] = ck_textz(id);
  r.v[CK_CONVERSATIONS_AUTOMATION_STATUS] = ck_textz("auto");
  r.v[CK_CONVERSATIONS_PLATFORM] = ck_textz(platform);
  renew_step(&core, &(struct renew_event){.kind = RENEW_ROW, .as.row = &r}, at, &effects);
}

static void begin(void) {
  core_begin();
  row_of_platform("c", "x");
  row_job((struct row_of_job){.id = "j", .of = "c", .message = "m"});
}

static void check_held(const char *job, const char *reason, int64_t until) {
  struct renew_held h;
  cr_assert(renew_is_held(&h, &core, renew_core_job(&core, ck_str_of(job)), at));
  cr_expect_str_eq(h.state, "paused");
  cr_expect_str_eq(h.reason, reason);
  cr_expect_eq(h.until, until);
}

static void check_waits(const char *kind, const char *name, const char *reason) {
  begin();
  pause_one(kind, name, RENEW_NEVER);
  follow(1);
  cr_expect_eq(phase("j"), RENEW_WAITS, "%s", kind);
  cr_expect_null(queried(PAST), "%s", kind);
  check_held("j", reason, RENEW_NEVER);
  cr_expect_eq(renew_core_due(&core), RENEW_NEVER);
  resume();
  claims("j");
}

Test(renewd_pause, holds_at_each_height, .fini = core_end) {
  check_waits("everything", "", "everything is paused");
  check_waits("platform", "x", "the platform x is paused");
  check_waits("conversation", "c", "the conversation c is paused");
  check_waits("job", "j", "the job j is paused");
}

Test(renewd_pause, of_one_leaves_the_others, .init = begin, .fini = core_end) {
  const struct renew_pause_row rows[] = {{CK_LIT("platform"), CK_LIT("y"), RENEW_NEVER},
                                         {CK_LIT("conversation"), CK_LIT("d"), RENEW_NEVER},
                                         {CK_LIT("job"), CK_LIT("i"), RENEW_NEVER}};
  pauses(rows, 3);
  follow(1);
  claims("j");
}

Test(renewd_pause, ends_by_itself_and_the_longest_counts, .init = begin, .fini = core_end) {
  const struct renew_pause_row rows[] = {{CK_LIT("everything"), CK_LIT(""), at.wall + 1000},
                                         {CK_LIT("job"), CK_LIT("j"), at.wall + 5000},
                                         {CK_LIT("platform"), CK_LIT("x"), at.wall + 3000}};
  pauses(rows, 3);
  follow(1);
  check_held("j", "the job j is paused", at.boot + 5000);
  cr_expect_eq(renew_core_due(&core), at.boot + 5000);
  pass(4999);
  happen(RENEW_TICK);
  cr_expect_eq(phase("j"), RENEW_WAITS);
  pass(1);
  claims("j");
}

/* Its end is a calendar time. */
Test(renewd_pause, follows_a_step_of_the_clock, .init = begin, .fini = core_end) {
  pause_one("everything", "", at.wall + 3600000);
  follow(1);
  at.wall += 3600000;
  pass(500);
  cr_assert_leq(renew_core_wakes(&core), at.boot);
  happen(RENEW_TICK);
  cr_expect_eq(phase("j"), RENEW_QUERIED);
}

/* What comes later is paused, too. */
Test(renewd_pause, holds_for_what_comes_later, .init = begin, .fini = core_end) {
  pause_one("platform", "x", RENEW_NEVER);
  row_of_platform("d", "x");
  row_job((struct row_of_job){.id = "k", .of = "d", .message = "n"});
  follow(1);
  check_held("k", "the platform x is paused", RENEW_NEVER);
}

/* The row of a conversation on manual is not kept, so its platform comes with its past. */
Test(renewd_pause, of_a_platform_holds_for_jobs_by_hand, .fini = core_end) {
  core_begin();
  row_job((struct row_of_job){.id = "j", .of = "c", .message = "m"});
  pause_one("platform", "x", RENEW_NEVER);
  follow(1);
  answer(queried(PAST), (struct renew_answer){.past = {.platform = CK_LIT("x")}});
  cr_expect_null(told(CK_OP_CLAIM));
  cr_expect_eq(phase("j"), RENEW_WAITS);
  check_held("j", "the platform x is paused", RENEW_NEVER);
}

Test(renewd_pause, between_claim_and_sending_sends_nothing, .init = begin, .fini = core_end) {
  follow(1);
  claims("j");
  answer(past_query(), (struct renew_answer){0});
  const struct renew_effect *claim = told(CK_OP_CLAIM);
  pause_one("everything", "", RENEW_NEVER);
  receipt(claim, 'u', 2);
  answer(queried(LEASE), leased("j", TARGET));
  cr_expect_null(sent());
  const struct renew_effect *end = told(CK_OP_END);
  cr_assert_not_null(end);
  cr_expect(ck_str_is(end->as.tell.mutation.as.end.outcome, "released"));
  cr_expect(ck_str_is(end->as.tell.mutation.as.end.error, "it was paused"));
}

Test(renewd_pause, withdraws_an_offer, .fini = core_end) {
  core_begin();
  row_of_platform("c", "x");
  row_job((struct row_of_job){.id = "j", .of = "c", .message = "m", .target = CLIENTS});
  follow(1);
  claims("j");
  answer(past_query(), (struct renew_answer){0});
  answer(queried(OFFER), (struct renew_answer){.job = {.snapshot = CK_LIT(CLIENTS),
                                                       .payload = CK_LIT("go on"),
                                                       .payload_kind = CK_LIT("text")}});
  const struct renew_effect *offer = told(CK_OP_OFFER);
  cr_expect(ck_str_is(offer->as.tell.mutation.as.offer.account, "client:ff1"));
  receipt(offer, '=', 0);
  cr_assert_eq(phase("j"), RENEW_OPEN);
  pause_one("everything", "", RENEW_NEVER);
  cr_expect_not_null(told(CK_OP_WITHDRAW));
}

/* Whether there is an offer is not known: it is withdrawn, and made anew. */
Test(renewd_pause, an_offer_whose_receipt_is_lost, .init = core_begin, .fini = core_end) {
  row_of_platform("c", "x");
  row_job((struct row_of_job){.id = "j", .of = "c", .message = "m", .target = CLIENTS});
  follow(1);
  claims("j");
  answer(past_query(), (struct renew_answer){0});
  answer(queried(OFFER), leased("j", CLIENTS));
  receipt(told(CK_OP_OFFER), '?', 0);
  cr_assert_eq(phase("j"), RENEW_WITHDRAWING);
  receipt(told(CK_OP_WITHDRAW), '=', 1);
  follow(1);
  claims("j");
}

/* A job that was tried before goes first, but not while it is paused. */
Test(renewd_pause, of_a_job_leaves_those_behind_it, .init = core_begin, .fini = core_end) {
  row_of_platform("c", "x");
  row_job((struct row_of_job){.id = "j", .of = "c", .message = "m", .attempts = 1});
  row_job((struct row_of_job){.id = "k", .of = "c", .message = "n"});
  pause_one("job", "j", at.wall + 3600000);
  follow(1);
  check_held("j", "the job j is paused", at.boot + 3600000);
  claims("k");
}

/* One that waits to be tried again goes first, and whoever waits for it says so. */
Test(renewd_pause, behind_a_job_that_is_tried_again, .init = core_begin, .fini = core_end) {
  row_of_platform("c", "x");
  row_job((struct row_of_job){
      .id = "j", .of = "c", .message = "m", .attempts = 1, .next = ck_int(at.wall + 60000)});
  row_job((struct row_of_job){.id = "k", .of = "c", .message = "n"});
  follow(1);
  struct renew_held h;
  cr_assert(renew_is_held(&h, &core, renew_core_job(&core, CK_LIT("k")), at));
  cr_expect_str_eq(h.state, "busy");
}

/* Nor while its conversation rests: a job by hand does not wait for that. */
Test(renewd_pause, behind_a_job_that_rests, .init = core_begin, .fini = core_end) {
  row_conversation("c", "auto", "m", at.wall + 3600000);
  row_job((struct row_of_job){.id = automatic("m"), .of = "c", .message = "m", .attempts = 1});
  row_job((struct row_of_job){.id = "k", .of = "c", .message = "n"});
  follow(1);
  claims("k");
}

/* The store refuses claims of an offer by its account, which is not that any more. */
Test(renewd_pause, an_offer_whose_account_is_another_one, .init = core_begin, .fini = core_end) {
  row_of_platform("c", "x");
  row_job((struct row_of_job){.id = "j", .of = "c", .message = "m", .target = CLIENTS});
  follow(1);
  claims("j");
  answer(past_query(), (struct renew_answer){0});
  answer(queried(OFFER), leased("j", CLIENTS));
  receipt(told(CK_OP_OFFER), '=', 0);
  struct ck_row r = {.table = CK_CONVERSATIONS};
  r.v[CK_CONVERSATIONS_LOCAL_CONVERSATION_ID] = ck_textz("c");
  r.v[CK_CONVERSATIONS_AUTOMATION_STATUS] = ck_textz("auto");
  r.v[CK_CONVERSATIONS_RENEWAL] = ck_textz("{\"account\":\"work\"}");
  renew_step(&core, &(struct renew_event){.kind = RENEW_ROW, .as.row = &r}, at, &effects);
  receipt(told(CK_OP_WITHDRAW), '=', 2);
  follow(2);
  claims("j");
  answer(past_query(),
         (struct renew_answer){.past = {.renewal = CK_LIT("{\"account\":\"work\"}")}});
  answer(queried(OFFER), leased("j", CLIENTS));
  const struct renew_effect *offer = told(CK_OP_OFFER);
  cr_assert_not_null(offer);
  cr_expect(ck_str_is(offer->as.tell.mutation.as.offer.account, "work"));
}

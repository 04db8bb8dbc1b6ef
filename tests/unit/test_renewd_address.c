/* What the store is asked of a conversation besides its turns: the link of one of which a job has
 * nowhere to go, and whose account it is, if a limit holds up one on manual. */
#include <criterion/criterion.h>

#include "test_renewd_core.h"

#define HOUR INT64_C(3600000)
#define X "{\"kind\":\"exec\",\"id\":\"it\",\"payload\":{\"account\":\"x\"}}"
#define ACCOUNT (RENEW_ABOUT_LINK | RENEW_ABOUT_CONVERSATION)
#define ILL ((struct renew_answer){.problem = "the database is ill"})

/* The store knows a limit of the account x, which has no end. */
static void begin(void) {
  core_new();
  const struct renew_limit_row row = {
      CK_LIT("x"), CK_LIT("no more"), {0, at.wall, 1, at.wall, false}, 0};
  happen(RENEW_CONNECTED);
  follow(1);
  page();
  answer(queried(RENEW_ABOUT_OFFERS), (struct renew_answer){0});
  answer(queried(RENEW_ABOUT_LIMITS), (struct renew_answer){.limits = &row, .n = 1});
  pass(10);
}

static void job(const char *id, const char *target, int64_t next) {
  row_job((struct row_of_job){.id = id,
                              .of = id,
                              .message = id,
                              .target = target,
                              .created_at = at.wall - 1,
                              .next = ck_int(next)});
}

static void owner_says(const char *renewal) {
  happen(RENEW_TICK);
  answer(queried(ACCOUNT), (struct renew_answer){.renewal = ck_str_of(renewal)});
}

/* No row has told that its owner names another account. */
Test(renewd_address, a_job_by_hand_of_another_account, .init = begin, .fini = core_end) {
  job("hand", X, at.wall);
  claims(NULL);
  owner_says("{\"account\":\"y\"}");
  cr_expect_null(told(CK_OP_LIMIT), "it is of another account");
  claims("hand");
}

Test(renewd_address, a_job_by_hand_of_that_account, .init = begin, .fini = core_end) {
  job("hand", X, at.wall);
  claims(NULL);
  cr_expect_null(told(CK_OP_LIMIT), "whose it is, is not known yet");
  owner_says("");
  const struct renew_effect *tell = told(CK_OP_LIMIT);
  cr_assert(tell && tell->as.tell.mutation.as.limit.until == at.wall);
  claims("hand");
}

/* That is known when its turn comes. */
Test(renewd_address, a_job_by_hand_to_a_target_of_none, .init = begin, .fini = core_end) {
  job("hand", TARGET, at.wall);
  claims("hand");
  answer(past_query(), (struct renew_answer){.past = {.renewal = CK_LIT("{\"account\":\"x\"}")}});
  cr_assert_null(told(CK_OP_CLAIM));
  const struct renew_effect *tell = told(CK_OP_LIMIT);
  cr_assert(tell && tell->as.tell.mutation.as.limit.until == at.wall);
  claims("hand");
}

/* One for later ends no limit, and is not held up by another account's. */
Test(renewd_address, what_waits_for_another_s_limit, .init = begin, .fini = core_end) {
  job("hand", X, at.wall + HOUR);
  owner_says("{\"account\":\"y\"}");
  pass(HOUR);
  claims("hand");
}

static void row_says(const char *renewal) {
  struct ck_row row = {.table = CK_CONVERSATIONS};
  row.v[CK_CONVERSATIONS_LOCAL_CONVERSATION_ID] = ck_textz("hand");
  row.v[CK_CONVERSATIONS_AUTOMATION_STATUS] = ck_textz("manual");
  row.v[CK_CONVERSATIONS_RENEWAL] = ck_textz(renewal);
  renew_step(&core, &(struct renew_event){.kind = RENEW_ROW, .as.row = &row}, at, &effects);
}

/* Its row came while that was asked for, and is newer. */
Test(renewd_address, a_row_comes_before_the_answer, .init = begin, .fini = core_end) {
  job("hand", X, at.wall);
  happen(RENEW_TICK);
  const struct renew_effect *asked = queried(ACCOUNT);
  row_says("{\"account\":\"y\"}");
  answer(asked, (struct renew_answer){.renewal = CK_LIT("{\"account\":\"x\"}")});
  cr_expect_null(told(CK_OP_LIMIT));
  claims("hand");
}

/* The same of its past. */
Test(renewd_address, a_row_comes_before_the_past, .init = begin, .fini = core_end) {
  job("hand", TARGET, at.wall);
  claims("hand");
  const struct renew_past past = {.renewal = CK_LIT("{\"account\":\"x\"}")};
  row_says("{\"account\":\"y\"}");
  follow(3);
  answer(past_query(), (struct renew_answer){.head = 2, .past = past});
  claims("hand"); /* its turn was that of a target without an account */
  answer(past_query(), (struct renew_answer){.head = 4, .past = past});
  cr_assert_null(told(CK_OP_CLAIM), "another row is on its way");
  claims("hand");
  cr_assert_not_null(told(CK_OP_LIMIT));
}

/* Without an answer it is asked again. */
Test(renewd_address, whose_account_is_not_said, .init = begin, .fini = core_end) {
  job("hand", X, at.wall);
  happen(RENEW_TICK);
  answer(queried(ACCOUNT), ILL);
  cr_expect_leq(renew_core_wakes(&core), at.boot + 1000);
  pass(999);
  happen(RENEW_TICK);
  cr_assert_null(queried(ACCOUNT));
  pass(1);
  owner_says("");
  cr_assert_not_null(told(CK_OP_LIMIT));
}

Test(renewd_address, a_link_that_could_not_be_read, .init = core_begin, .fini = core_end) {
  row_job((struct row_of_job){.id = "j", .of = "c", .message = "m1", .target = "{}"});
  happen(RENEW_TICK);
  answer(queried(RENEW_ABOUT_LINK), ILL);
  cr_assert_null(queried(RENEW_ABOUT_LINK));
  pass(1000);
  happen(RENEW_TICK);
  answer(queried(RENEW_ABOUT_LINK),
         (struct renew_answer){.has_link = true,
                               .link = {.target_kind = CK_LIT("exec"), .target_id = CK_LIT("it")}});
  cr_assert_not_null(told(CK_OP_UPDATE));
}

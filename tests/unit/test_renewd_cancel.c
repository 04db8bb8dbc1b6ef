/* A job that is cancelled while an attempt of ours is under way. */
#include "test_renewd_core.h"

#include <criterion/criterion.h>

static const struct renew_effect *cancelled_send(void) {
  for (size_t i = 0; i < effects.n; i++)
    if (effects.v[i].kind == RENEW_CANCEL) return &effects.v[i];
  return NULL;
}

static void begin(void) {
  core_begin();
  row_conversation("c", "auto", NULL, 0);
  row_job((struct row_of_job){.id = "j", .of = "c", .message = "m"});
  follow(1);
  claims("j");
}

static void row_is_failed(void) {
  row_job((struct row_of_job){.id = "j", .of = "c", .message = "m", .status = "failed"});
  follow(5);
}

Test(renewd_cancel, its_delivery_is_made_to_end_and_its_conversation_waits_for_that, .init = begin,
     .fini = core_end) {
  const struct renew_effect *send = sends("j", TARGET);
  row_is_failed();
  const struct renew_effect *cancel = cancelled_send();
  cr_assert_not_null(cancel);
  cr_expect_eq(cancel->ticket, send->ticket);
  row_job((struct row_of_job){.id = "k", .of = "c", .message = "n"});
  follow(6);
  claims(NULL);
  result(send, RENEW_UNKNOWN);
  cr_expect_null(told(CK_OP_END), "the store knows nothing of it any more");
  cr_expect_not_null(said("attempted"));
  cr_expect_null(renew_core_job(&core, CK_LIT("j")));
  claims("k");
}

Test(renewd_cancel, what_did_not_arrive_is_not_tried_again, .init = begin, .fini = core_end) {
  const struct renew_effect *send = sends("j", TARGET);
  row_is_failed();
  result(send, RENEW_RETRY);
  cr_expect_null(told(CK_OP_END));
  follow(7);
  claims(NULL);
}

/* The lease was read before it was cancelled. */
Test(renewd_cancel, between_claim_and_sending_sends_nothing, .init = begin, .fini = core_end) {
  answer(past_query(), (struct renew_answer){0});
  receipt(told(CK_OP_CLAIM), 'u', 2);
  const struct renew_effect *lease = queried(LEASE);
  struct renew_answer known = leased("j", TARGET);
  row_is_failed();
  answer(lease, known);
  cr_expect_null(sent());
  cr_expect_null(told(CK_OP_END));
  cr_expect_null(renew_core_job(&core, CK_LIT("j")));
}

/* Another history begins: that is no reason to end what is under way. */
Test(renewd_cancel, another_history_cancels_nothing, .init = begin, .fini = core_end) {
  const struct renew_effect *send = sends("j", TARGET);
  happen(RENEW_RESET);
  cr_expect_null(cancelled_send());
  result(send, RENEW_DONE);
  cr_expect_not_null(told(CK_OP_END));
}

/* It is sent again once the attempt is over. */
Test(renewd_cancel, and_retried_waits_for_the_end, .init = begin, .fini = core_end) {
  const struct renew_effect *send = sends("j", TARGET);
  row_is_failed();
  row_job((struct row_of_job){.id = "j", .of = "c", .message = "m"});
  follow(6);
  claims(NULL);
  result(send, RENEW_UNKNOWN);
  cr_expect_null(told(CK_OP_END));
  claims("j");
}

/* Its row comes before the receipt of END: it is done, not cancelled. */
Test(renewd_cancel, a_row_that_is_done_cancels_nothing, .init = begin, .fini = core_end) {
  const struct renew_effect *send = sends("j", TARGET);
  row_job((struct row_of_job){.id = "j", .of = "c", .message = "m", .status = "done"});
  follow(5);
  cr_expect_null(said("cancelled"));
  cr_expect_null(cancelled_send());
  result(send, RENEW_DONE);
  cr_expect_not_null(told(CK_OP_END));
  row_is_failed();
  cr_expect_null(said("cancelled"), "it has ended");
}

/* What a person does is no error of renewd's. */
Test(renewd_cancel, is_no_error, .init = begin, .fini = core_end) {
  const struct renew_effect *send = sends("j", TARGET);
  struct renew_result r;
  row_is_failed();
  renew_result_set(&r, RENEW_UNKNOWN, "cancelled, so it was stopped");
  renew_step(&core, &(struct renew_event){RENEW_RESULT, send->ticket, {.result = &r}}, at,
             &effects);
  cr_expect_str_eq(core.last_error, "");
}

/* A limit that an account reaches while one of its jobs has its turn. */
#include <criterion/criterion.h>

#include <stdio.h>

#include "test_renewd_core.h"

#define X "{\"kind\":\"exec\",\"id\":\"%s\",\"payload\":{\"account\":\"x\"}}"

/* Each has a target of its own. */
static const char *target_of(const char *id) {
  static char texts[4][96];
  static unsigned n;
  char *text = texts[n++ % 4];
  snprintf(text, sizeof texts[0], X, id);
  return text;
}

static void job(const char *id) {
  row_job((struct row_of_job){.id = id, .of = id, .message = id, .target = target_of(id)});
}

static const struct renew_effect *begins(const char *id) {
  job(id);
  claims(id);
  return sends(id, target_of(id));
}

/* It is over before the answer about the past is there; but a delivery that began before it is
 * under way still, and one at a time tries whether it is over. */
Test(renewd_limits_turn, comes_and_ends_during_a_turn, .init = core_begin, .fini = core_end) {
  core.pace.account_slots = 3;
  const struct renew_effect *first = begins("first"), *second = begins("second");
  job("third");
  claims("third");
  struct renew_result r;
  renew_result_set(&r, RENEW_RELEASED, "%s", "no more");
  r.limit = true;
  r.limit_until = at.wall + 3;
  renew_step(&core, &(struct renew_event){RENEW_RESULT, first->ticket, {.result = &r}}, at,
             &effects);
  pass(3);
  answer(past_query(), (struct renew_answer){0});
  cr_expect_null(told(CK_OP_CLAIM));
  result(second, RENEW_DONE);
  claims("third");
  answer(past_query(), (struct renew_answer){0});
  cr_assert_not_null(told(CK_OP_CLAIM));
}

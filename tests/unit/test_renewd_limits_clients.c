/* The limits of accounts whose follow-ups clients deliver: one offer tries whether it is over. */
#include <criterion/criterion.h>

#include <string.h>

#include "test_renewd_core.h"

#define HOUR INT64_C(3600000)

#define X "{\"kind\":\"exec\",\"id\":\"it\",\"payload\":{\"account\":\"x\"}}"
#define ONE "{\"kind\":\"feed\",\"client_id\":\"ff1\",\"payload\":{\"account\":\"x\"}}"
#define TWO "{\"kind\":\"feed\",\"client_id\":\"ff2\",\"payload\":{\"account\":\"x\"}}"

static void row(const char *id, const char *target, const char *status) {
  row_job((struct row_of_job){.id = id,
                              .of = id,
                              .message = id,
                              .target = target,
                              .status = status,
                              .last_attempt_at = status ? at.wall : 0});
}

/* The account x had a limit for an hour, which is over now. */
static void begin(void) {
  core_begin();
  row("x", X, NULL);
  claims("x");
  const struct renew_effect *send = sends("x", X);
  struct renew_result r;
  renew_result_set(&r, RENEW_RELEASED, "%s", "no more today");
  r.limit = true;
  r.limit_until = at.wall + HOUR;
  renew_step(&core, &(struct renew_event){RENEW_RESULT, send->ticket, {.result = &r}}, at,
             &effects);
  receipt(told(CK_OP_END), 'u', 9);
  row("x", X, "failed"); /* by a person */
  follow(9);
  pass(HOUR);
}

/* It has its turn, and is offered. */
static void is_offered(const char *id, const char *target) {
  claims(id);
  answer(past_query(), (struct renew_answer){0});
  answer(queried(OFFER), leased(id, target));
  receipt(told(CK_OP_OFFER), 'u', 10);
  cr_assert_eq(phase(id), RENEW_OPEN);
}

static void is_claimed(const char *id, const char *target) {
  row(id, target, "running");
  answer(queried(LOOK),
         (struct renew_answer){
             .lease = {.running = true, .client = CK_LIT("ff"), .attempt = 1, .left = 60000}});
  cr_assert_eq(phase(id), RENEW_TAKEN);
}

static void is_held(const char *id) {
  struct renew_held h = {0};
  claims(NULL);
  cr_assert(renew_is_held(&h, &core, renew_core_job(&core, ck_str_of(id)), at));
  cr_expect_str_eq(h.state, "limited");
}

Test(renewd_limits_clients, one_offer_tries_it, .init = begin, .fini = core_end) {
  row("a", ONE, NULL);
  row("b", ONE, NULL);
  is_offered("a", ONE);
  is_held("b");
  is_claimed("a", ONE);
  is_held("b");
  row("a", ONE, "done");
  const struct renew_effect *over = told(CK_OP_LIMIT);
  cr_assert(over && over->as.tell.mutation.as.limit.over);
  row("c", ONE, NULL);
  is_offered("b", ONE);
  is_offered("c", ONE);
}

/* What the client gives back shows nothing, and is its turn again. */
Test(renewd_limits_clients, one_that_is_given_back, .init = begin, .fini = core_end) {
  row("a", ONE, NULL);
  row("b", ONE, NULL);
  is_offered("a", ONE);
  is_claimed("a", ONE);
  row_job((struct row_of_job){.id = "a",
                              .of = "a",
                              .message = "a",
                              .target = ONE,
                              .attempts = 1,
                              .next = ck_int(at.wall + 5000)});
  is_offered("b", ONE);
  pass(5000);
  is_held("a");
}

/* Another client is not held up by one that is closed; nor is what renewd delivers itself, but
 * while that tries it, nothing is offered. */
Test(renewd_limits_clients, several_clients, .init = begin, .fini = core_end) {
  row("a", ONE, NULL);
  row("b", TWO, NULL);
  is_offered("a", ONE);
  is_offered("b", TWO);
  row("c", X, NULL);
  claims("c");
  row("d", TWO, NULL);
  is_held("d");
}

/* Another target, while it is offered. */
Test(renewd_limits_clients, one_that_goes_elsewhere, .init = begin, .fini = core_end) {
  row("a", ONE, NULL);
  is_offered("a", ONE);
  row("a", TWO, NULL);
  is_offered("a", TWO);
  row("b", ONE, NULL);
  is_offered("b", ONE);
}

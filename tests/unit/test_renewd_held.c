/* Why a job that is due does not go, for people. */
#include <criterion/criterion.h>

#include <string.h>

#include "test_renewd_core.h"

static void conversation(const char *id, const char *automation, int64_t cooldown_until) {
  row_conversation(id, automation, id, cooldown_until);
}

/* A job of the conversation of that name, for the message of that name. */
static const char *job(const char *of, bool renewds, const char *target) {
  const char *id = renewds ? automatic(of) : of;
  row_job((struct row_of_job){.id = id, .of = of, .message = of, .target = target});
  return id;
}

#define A "{\"kind\":\"exec\",\"id\":\"a\"}"

static void held(const char *id, const char *state) {
  struct renew_held h = {.state = NULL};
  bool is = renew_is_held(&h, &core, renew_core_job(&core, ck_str_of(id)), at);
  cr_expect_eq(is, state != NULL, "%s is %sheld: %s", id, is ? "" : "not ", is ? h.state : "");
  if (is && state) cr_expect_str_eq(h.state, state, "%s: %s, not %s", id, h.state, state);
}

Test(renewd_held, offered, .init = core_begin, .fini = core_end) {
  const char *id = job("c1", false, CLIENTS);
  claims(id);
  held(id, NULL);
  answer(past_query(), (struct renew_answer){0});
  held(id, "offered");
  answer(queried(OFFER), leased(id, CLIENTS));
  held(id, "offered");
  receipt(told(CK_OP_OFFER), 'u', 1);
  held(id, "offered");
  claims(NULL);
  job("c1", false, CLIENTS);
  held(id, NULL);
}

Test(renewd_held, slots_and_spacing, .init = core_begin, .fini = core_end) {
  core.pace.spacing = 2000;
  char name[4] = "c0";
  for (char i = '0'; i < '6'; i++) job((name[1] = i, name), false, A);
  claims("c0");
  held("c0", NULL);
  held("c5", "spacing");
  cr_expect(renew_goes_soon(&core, renew_core_job(&core, CK_LIT("c5")), at));
  cr_expect_not(renew_goes_soon(&core, renew_core_job(&core, CK_LIT("c0")), at), "it is under way");
  sends("c0", A);
  held("c5", "spacing");
  for (char i = '1'; i < '0' + RENEW_SLOTS_OF_A_TARGET; i++) {
    pass(2000);
    held("c5", NULL);
    claims((name[1] = i, name));
    sends(name, A);
  }
  held("c5", "slots");
}

Test(renewd_held, what_its_conversation_waits_for, .init = core_begin, .fini = core_end) {
  conversation("c", "auto", at.wall + 500);
  const char *id = job("c", true, A);
  claims(NULL);
  held(id, "resting");
  pass(500);
  held(id, NULL);
  claims(id);
  answer(past_query(), (struct renew_answer){.past = {.in_a_row = 10}});
  held(id, "stopped");
  cr_expect_not(renew_goes_soon(&core, renew_core_job(&core, ck_str_of(id)), at));
  conversation("c", "paused", 0);
  held(id, "paused");
  cr_expect_not(renew_goes_soon(&core, renew_core_job(&core, ck_str_of(id)), at));
  conversation("c", "auto", 0);
  held(id, NULL);
  cr_expect(renew_goes_soon(&core, renew_core_job(&core, ck_str_of(id)), at));
}

/* Its row is due by the clock that no step moves. */
static void due_after_a_step(int64_t step) {
  const char *id = automatic("c");
  conversation("c", "auto", 0);
  row_job((struct row_of_job){.id = id,
                              .of = "c",
                              .message = "c",
                              .target = A,
                              .attempts = 1,
                              .next = ck_int(at.wall + 1000)});
  claims(NULL);
  conversation("c", "paused", 0);
  at.wall += step;
  pass(999);
  held(id, NULL);
  pass(1);
  held(id, "paused");
}

Test(renewd_held, after_a_step_back, .init = core_begin, .fini = core_end) {
  due_after_a_step(-INT64_C(86400000));
}

Test(renewd_held, after_a_step_forward, .init = core_begin, .fini = core_end) {
  due_after_a_step(INT64_C(86400000));
}

#define T1 "{\"kind\":\"exec\",\"id\":\"one\"}"
#define T2 "{\"kind\":\"exec\",\"id\":\"two\"}"

/* A conversation waits in one lane, and by the time of its turn there another of its jobs goes
 * first: that one has its turn when its own lane has one to give. */
Test(renewd_held, another_job_goes_first_by_now, .init = core_begin, .fini = core_end) {
  core.pace.spacing = 1000;
  row_job((struct row_of_job){.id = "x2", .of = "x2", .message = "x2", .target = T2});
  claims("x2");
  sends("x2", T2);
  row_conversation("c", "auto", "m", at.wall + 500);
  row_job((struct row_of_job){
      .id = automatic("m"), .of = "c", .message = "m", .target = T1, .attempts = 1});
  row_job((struct row_of_job){.id = "b", .of = "c", .message = "n", .target = T2});
  row_job((struct row_of_job){.id = "x1", .of = "x1", .message = "x1", .target = T1});
  claims("x1");
  pass(600);
  claims(NULL);
  pass(400);
  claims(NULL);
  sends("x1", T1);
  pass(1000);
  claims(automatic("m"));
}

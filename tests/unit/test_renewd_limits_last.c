/* Limits of accounts that time does not end: what makes one, and what ends it. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>

#include "test_renewd_core.h"

#define MINUTE INT64_C(60000)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

#define X "{\"kind\":\"exec\",\"id\":\"it\",\"payload\":{\"account\":\"x\"}}"
#define MONEY "You're out of extra usage."

static void job_made(const char *id, int64_t created_at, int64_t next) {
  row_job((struct row_of_job){.id = id,
                              .of = id,
                              .message = id,
                              .target = X,
                              .created_at = created_at,
                              .next = ck_int(next)});
}

static void job(const char *id) { job_made(id, 0, at.wall); }

/* That is asked of each conversation on manual. */
static void owner_says_nothing(void) {
  happen(RENEW_TICK);
  for (const struct renew_effect *q; (q = queried(RENEW_ABOUT_LINK | RENEW_ABOUT_CONVERSATION));)
    answer(q, (struct renew_answer){0});
}

static struct renew_result refused(const char *text, int64_t until) {
  struct renew_result r;
  renew_result_set(&r, RENEW_RELEASED, "%s", text);
  r.limit = true;
  r.limit_until = until;
  snprintf(r.text, sizeof r.text, "%s", text);
  return r;
}

static struct renew_result delivered(void) {
  struct renew_result r;
  renew_result_set(&r, RENEW_DONE, "%s", "");
  return r;
}

/* The delivery comes back so; what is told of the account, NULL: nothing. */
static const struct ck_limit *comes_back(const struct renew_effect *send, struct renew_result r) {
  cr_assert_not_null(send);
  renew_step(&core, &(struct renew_event){RENEW_RESULT, send->ticket, {.result = &r}}, at,
             &effects);
  const struct renew_effect *end = told(CK_OP_END);
  cr_assert_not_null(end);
  const struct ck_mutation *limit = end->as.tell.limit;
  struct ck_str id = end->as.tell.mutation.as.end.job_id;
  receipt(end, 'u', 9);
  row_job((struct row_of_job){.id = id.s,
                              .of = id.s,
                              .message = id.s,
                              .target = X,
                              .status = r.limit ? "pending" : "done",
                              .next = ck_int(at.wall)});
  follow(9);
  return limit ? &limit->as.limit : NULL;
}

static const struct ck_limit *limit_x(const char *id) {
  job(id);
  claims(id);
  return comes_back(sends(id, X), refused(MONEY, 0));
}

static void held(const char *id, const char *state) {
  struct renew_held h = {0};
  bool is = renew_is_held(&h, &core, renew_core_job(&core, ck_str_of(id)), at);
  cr_expect_eq(is, state != NULL, "%s: %s", id, is ? h.state : "goes");
  if (is && state) cr_expect_str_eq(h.state, state);
  if (is && state) cr_expect_eq(h.until, RENEW_NEVER);
}

static struct renew_answer stored(int64_t until) {
  static struct renew_limit_row row;
  row = (struct renew_limit_row){
      CK_LIT("x"), CK_LIT(MONEY), {until, at.wall, 1, at.wall, false}, until - at.wall};
  return (struct renew_answer){.limits = &row, .n = 1};
}

/* ---- times ---- */

static struct renew_limited l;
static int64_t now;

static void begin_times(void) {
  l = (struct renew_limited){0};
  now = INT64_C(1796000000000);
}

Test(renewd_limits_last, no_time_ends_it, .init = begin_times) {
  renew_limit_take_lasting(&l, now);
  cr_expect(renew_limit_lasts(&l));
  cr_expect_eq(l.times, 1);
  cr_expect_eq(l.since, now);
  l.until = now += DAY; /* a person ended it */
  cr_expect_not(renew_limit_lasts(&l));
  renew_limit_take_lasting(&l, now + 1);
  cr_expect_eq(l.times, 2);
  cr_expect_eq(l.since, now - DAY);
  l.over = true;
  cr_expect_not(renew_limit_lasts(&l));
  renew_limit_take(&l, now + HOUR, now + 2);
  cr_expect_eq(l.times, 1, "something arrived: that is another row");
}

/* Two weeks of honest limits are none. */
Test(renewd_limits_last, one_that_is_told_again_and_again_is_hopeless, .init = begin_times) {
  for (int i = 0; i < 2; i++) {
    renew_limit_take(&l, now + 7 * DAY, now);
    cr_expect_not(renew_limit_is_hopeless(&l, 12 * HOUR, now));
    now = l.until + 1;
  }
  begin_times();
  int64_t began = now;
  while (renew_limit_take(&l, now + HOUR, now),
         l.times < 99 && !renew_limit_is_hopeless(&l, 12 * HOUR, now))
    now = l.until;
  cr_expect_eq(now - began, 12 * HOUR, "%lld h", (long long)((now - began) / HOUR));
  begin_times();
  while (renew_limit_take(&l, 0, now), l.times < 99 && !renew_limit_is_hopeless(&l, 0, now))
    now = l.until;
  cr_expect_eq(l.times, 6);
}

/* ---- in the core ---- */

Test(renewd_limits_last, holds_up_the_account, .init = core_begin, .fini = core_end) {
  const struct ck_limit *told = limit_x("a");
  cr_assert_not_null(told);
  cr_expect(ck_str_is(told->account, "x"));
  cr_expect_eq(told->until, 0);
  cr_expect(ck_str_is(told->reason, MONEY));
  job("b");
  pass(30 * DAY);
  claims(NULL);
  held("a", "limited");
  held("b", "limited");
  cr_assert_eq(renew_core_due(&core), RENEW_NEVER);
}

Test(renewd_limits_last, after_a_restart, .init = core_new, .fini = core_end) {
  job("a");
  happen(RENEW_CONNECTED);
  follow(1);
  page();
  answer(queried(RENEW_ABOUT_OFFERS), (struct renew_answer){0});
  answer(queried(RENEW_ABOUT_LIMITS), stored(0));
  pass(30 * DAY);
  claims(NULL);
  held("a", "limited");
  happen(RENEW_PAUSES);
  answer(queried(RENEW_ABOUT_LIMITS), stored(at.wall)); /* a person has ended it */
  claims("a");
}

/* It is the job's own, and ends as that. */
Test(renewd_limits_last, without_an_account, .init = core_begin, .fini = core_end) {
  row_job((struct row_of_job){.id = "a", .of = "a", .message = "a"});
  claims("a");
  struct renew_result r = refused(MONEY, 0);
  const struct renew_effect *send = sends("a", TARGET);
  renew_step(&core, &(struct renew_event){RENEW_RESULT, send->ticket, {.result = &r}}, at,
             &effects);
  const struct renew_effect *end = told(CK_OP_END);
  cr_assert(end && ck_str_is(end->as.tell.mutation.as.end.outcome, "failed"));
  cr_expect_null(end->as.tell.limit);
}

/* The words have its end. */
Test(renewd_limits_last, a_time_without_an_account, .init = core_begin, .fini = core_end) {
  row_job((struct row_of_job){.id = "a", .of = "a", .message = "a"});
  claims("a");
  struct renew_result r = refused("You've hit your usage limit. Try again in 3 hours.", 0);
  const struct renew_effect *send = sends("a", TARGET);
  renew_step(&core, &(struct renew_event){RENEW_RESULT, send->ticket, {.result = &r}}, at,
             &effects);
  const struct renew_effect *end = told(CK_OP_END);
  cr_assert(end && ck_str_is(end->as.tell.mutation.as.end.outcome, "released"));
  cr_expect_eq(end->as.tell.mutation.as.end.next_attempt_at, at.wall + 3 * HOUR);
}

/* One that was under way says nothing of it, whatever it says. */
Test(renewd_limits_last, what_was_under_way, .init = core_begin, .fini = core_end) {
  job("b");
  claims("b");
  const struct renew_effect *b = sends("b", X);
  job("c");
  claims("c");
  const struct renew_effect *c = sends("c", X);
  core.pace.account_slots = 9;
  limit_x("a");
  cr_expect_null(comes_back(b, refused("in an hour", at.wall + HOUR)),
                 "it could undo what a person has done meanwhile");
  cr_expect_null(comes_back(c, delivered()));
  claims(NULL);
}

/* A person's job for now asks whether it is over; one that was there before does not, nor one for
 * tomorrow. */
Test(renewd_limits_last, a_job_by_hand_tries_it, .init = core_begin, .fini = core_end) {
  int64_t reached = at.wall;
  limit_x("a");
  job_made("later", reached + 5, at.wall + DAY);
  claims(NULL);
  pass(10);
  job_made("hand", reached + 5, at.wall);
  owner_says_nothing();
  const struct renew_effect *tell = told(CK_OP_LIMIT);
  cr_assert(tell && tell->as.tell.mutation.as.limit.until == at.wall);
  claims("a");
  claims(NULL);
  const struct ck_limit *again = comes_back(sends("a", X), refused(MONEY, 0));
  cr_assert(again && again->until == 0 && again->times == 2);
  job_made("hand", reached + 5, at.wall); /* its row comes again */
  claims(NULL);
  pass(10);
  job_made("other", at.wall - 1, at.wall);
  owner_says_nothing();
  claims("a");
  const struct ck_limit *over = comes_back(sends("a", X), delivered());
  cr_assert(over && over->over);
  claims("hand");
}

/* Also while a delivery tries it: nobody is told anew. */
Test(renewd_limits_last, it_stands_until_it_is_over, .init = core_begin, .fini = core_end) {
  cr_expect_not(renew_core_limited(&core, CK_LIT("x")));
  limit_x("a");
  pass(10);
  job_made("hand", at.wall - 1, at.wall);
  owner_says_nothing();
  claims("a");
  const struct renew_effect *probe = sends("a", X);
  cr_expect(renew_core_limited(&core, CK_LIT("x")));
  comes_back(probe, delivered());
  cr_expect_not(renew_core_limited(&core, CK_LIT("x")));
}

/* It is for tomorrow also when that has come. */
Test(renewd_limits_last, a_job_by_hand_for_later_does_not, .init = core_begin, .fini = core_end) {
  int64_t reached = at.wall;
  limit_x("a");
  pass(DAY + 10);
  job_made("later", reached + 5, reached + DAY);
  owner_says_nothing();
  claims(NULL);
}

Test(renewd_limits_last, a_job_by_hand_that_is_paused_does_not, .init = core_begin,
     .fini = core_end) {
  limit_x("a");
  pass(10);
  row_conversation("hand", "paused", "m", 0);
  job_made("hand", at.wall - 1, at.wall);
  cr_expect_null(told(CK_OP_LIMIT));
  claims(NULL);
}

/* The limit was reached while the clock was ahead. */
Test(renewd_limits_last, a_clock_that_was_ahead, .init = core_begin, .fini = core_end) {
  at.wall += 365 * DAY;
  limit_x("a");
  at.wall -= 365 * DAY;
  pass(10);
  job_made("hand", at.wall - 1, at.wall);
  owner_says_nothing();
  const struct renew_effect *tell = told(CK_OP_LIMIT);
  cr_assert(tell && tell->as.tell.mutation.as.limit.until == at.wall);
  claims("hand");
}

/* It was made before that, and has another row since: whether before the limit is not known. */
Test(renewd_limits_last, a_job_that_is_ahead_of_the_clock, .init = core_begin, .fini = core_end) {
  limit_x("a");
  pass(10);
  job_made("hand", at.wall + DAY, at.wall);
  owner_says_nothing();
  cr_expect_null(told(CK_OP_LIMIT));
  claims(NULL);
}

/* Also if that was another run. */
Test(renewd_limits_last, a_clock_that_was_ahead_before_the_start, .init = core_new,
     .fini = core_end) {
  happen(RENEW_CONNECTED);
  follow(1);
  page();
  answer(queried(RENEW_ABOUT_OFFERS), (struct renew_answer){0});
  at.wall += 365 * DAY;
  struct renew_answer ahead = stored(0);
  at.wall -= 365 * DAY;
  answer(queried(RENEW_ABOUT_LIMITS), ahead);
  pass(10);
  job_made("hand", at.wall - 1, at.wall);
  owner_says_nothing();
  claims("hand");
}

/* A job that was made while renewd was down. */
Test(renewd_limits_last, a_job_by_hand_before_the_start, .init = core_new, .fini = core_end) {
  job_made("hand", at.wall + 1, at.wall);
  happen(RENEW_CONNECTED);
  follow(1);
  page();
  answer(queried(RENEW_ABOUT_OFFERS), (struct renew_answer){0});
  answer(queried(RENEW_ABOUT_LIMITS), stored(0));
  owner_says_nothing();
  claims("hand");
}

/* ---- answers ---- */

static const struct ck_zone *utc(const void *self, struct ck_str name, struct ck_err *err) {
  (void)self, (void)name;
  ck_fail(err, "UTC");
  return NULL;
}

/* What is told of the job of an answer that came then. */
static const struct renew_effect *judged(const char *text, struct renew_refusal refusal,
                                         int64_t created_at) {
  static char message[2] = "l";
  struct renew_answer a = {.facts = {.found = true,
                                     .role = CK_LIT("assistant"),
                                     .created_at = created_at,
                                     .observed_at = created_at - 10,
                                     .last_message_at = at.wall,
                                     .live = true,
                                     .on_auto = true},
                           .text = ck_str_of(text),
                           .refusal = refusal,
                           .has_link = true,
                           .link = {.target_kind = CK_LIT("exec"),
                                    .target_id = CK_LIT("it"),
                                    .target_payload = CK_LIT("{\"account\":\"x\"}")}};
  message[0]++;
  core.set.stops.zone = utc;
  row_conversation("c", "auto", message, 0);
  happen(RENEW_TICK);
  answer(queried(TURN), a);
  const struct renew_effect *put = told(CK_OP_PUT);
  cr_assert_not_null(put);
  return put;
}

static const struct ck_limit *told_of(const char *text, struct renew_refusal refusal) {
  const struct renew_effect *put = judged(text, refusal, at.wall);
  return put->as.tell.limit ? &put->as.tell.limit->as.limit : NULL;
}

Test(renewd_limits_last, observed, .init = core_begin, .fini = core_end) {
  const struct ck_limit *told = told_of("You hit your spend cap.", (struct renew_refusal){0});
  cr_assert(told && told->until == 0);
  job("b");
  claims(NULL);
}

/* What the source says goes before the words. */
Test(renewd_limits_last, what_the_source_says, .init = core_begin, .fini = core_end) {
  const struct renew_refusal until = {true, false, at.wall + 3 * HOUR};
  const struct ck_limit *told =
      told_of("You've hit your usage limit. Try again at 7:58 PM.", until);
  cr_assert(told && told->until == at.wall + 3 * HOUR);
}

Test(renewd_limits_last, that_it_is_about_money, .init = core_begin, .fini = core_end) {
  const struct ck_limit *told = told_of("In other words.", (struct renew_refusal){true, true, 0});
  cr_assert(told && told->until == 0);
}

Test(renewd_limits_last, a_refusal_in_other_words, .init = core_begin, .fini = core_end) {
  const struct ck_limit *told = told_of("Not now.", (struct renew_refusal){true, false, 0});
  cr_assert(told && told->until == at.wall + 15 * MINUTE);
}

/* An answer in another conversation of the account, which came after it. */
Test(renewd_limits_last, an_answer_tries_it, .init = core_begin, .fini = core_end) {
  pass(1000);
  limit_x("a");
  const struct renew_effect *put =
      judged("What was under way has come to its end.", (struct renew_refusal){0}, at.wall - 10);
  cr_assert_null(put->as.tell.limit);
  receipt(put, 'u', 10);
  claims(NULL);
  pass(10);
  const struct ck_limit *told = told_of("I have paid.", (struct renew_refusal){0});
  cr_assert(told && told->until == at.wall && !told->over);
  claims("a");
  claims(NULL);
}

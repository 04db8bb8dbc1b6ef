/* renewd's decisions: which messages get a follow-up, and what follows from an attempt. */
#include <criterion/criterion.h>

#include <string.h>

#include "proto/records.h"
#include "renewd/core/due.h"

static const struct renew_rules rules = {.max_age = 5000,
                                         .cooldown = 60000,
                                         .backoff = 1000,
                                         .backoff_max = 8000,
                                         .max_attempts = 3,
                                         .give_up = 12 * 3600 * INT64_C(1000)};

static const struct renew_facts fresh = {.found = true,
                                         .live = true,
                                         .role = CK_LIT("assistant"),
                                         .created_at = 100000,
                                         .observed_at = 99000,
                                         .last_message_at = 99000,
                                         .on_auto = true};

static void verdict(const struct renew_facts *f, enum renew_decline expected, bool told) {
  enum renew_decline d = renew_declined(&rules, f);
  cr_assert_eq(d, expected, "%s, not %s", renew_decline_reason(d), renew_decline_reason(expected));
  cr_assert_eq(renew_decline_is_told(d), told);
}

Test(renewd_due, which_message_gets_a_follow_up) {
  struct renew_facts f = fresh;
  verdict(&f, RENEW_NOT_DECLINED, false);
  f.role = CK_LIT("model");
  verdict(&f, RENEW_NOT_DECLINED, false);
  f.role = CK_LIT("user");
  verdict(&f, RENEW_NOT_ASSISTANTS, false);
  f.role = CK_LIT("Assistant");
  verdict(&f, RENEW_NOT_ASSISTANTS, false);
  f = fresh;
  f.found = false;
  verdict(&f, RENEW_NO_MESSAGE, false);
  f = fresh;
  f.older = true;
  verdict(&f, RENEW_BEFORE_AUTO, false);
  f = fresh;
  f.on_auto = false;
  verdict(&f, RENEW_BEFORE_AUTO, false);
  f = fresh;
  f.has_job = true;
  verdict(&f, RENEW_HAS_JOB, false);
}

/* renew.max_age is 5 s here. */
Test(renewd_due, which_message_is_new) {
  struct renew_facts f = fresh;
  f.observed_at = f.last_message_at = f.created_at - 5000;
  verdict(&f, RENEW_NOT_DECLINED, false);
  f.observed_at = f.last_message_at = f.created_at - 5001;
  verdict(&f, RENEW_TOO_OLD, true);
  f.observed_at = f.last_message_at = INT64_MIN;
  verdict(&f, RENEW_TOO_OLD, true);
  f.observed_at = f.last_message_at = f.created_at;
  verdict(&f, RENEW_TIME_UNKNOWN, true);
  /* It grew after it came. */
  f.observed_at = f.last_message_at = f.created_at + 600000;
  verdict(&f, RENEW_NOT_DECLINED, false);
}

Test(renewd_due, what_came_with_an_export_is_never_new) {
  struct renew_facts f = fresh;
  f.live = false;
  verdict(&f, RENEW_NOT_LIVE, true);
}

/* A program says what its turn has failed with as nobody's message. */
Test(renewd_due, a_turn_that_has_failed) {
  struct renew_facts f = fresh;
  f.role = CK_LIT("system");
  verdict(&f, RENEW_NOT_ASSISTANTS, false);
  f.failed = true;
  verdict(&f, RENEW_NOT_DECLINED, false);
}

/* What will never be followed up is judged at once. */
Test(renewd_due, a_turn_that_goes_on) {
  struct renew_facts f = fresh;
  f.open = true;
  verdict(&f, RENEW_TURN_OPEN, false);
  f.live = false;
  verdict(&f, RENEW_NOT_LIVE, true);
}

/* The conversation's time is never ahead of the clock, so it tells that the message's is. */
Test(renewd_due, a_time_ahead_of_the_clock) {
  struct renew_facts f = fresh;
  f.observed_at = f.last_message_at + CK_AHEAD_MS;
  verdict(&f, RENEW_NOT_DECLINED, false);
  f.observed_at = f.last_message_at + CK_AHEAD_MS + 1;
  verdict(&f, RENEW_TIME_AHEAD, true);
  f.observed_at = INT64_MAX;
  verdict(&f, RENEW_TIME_AHEAD, true);
  f.last_message_at = 0; /* it has none */
  verdict(&f, RENEW_TIME_AHEAD, true);
  f.observed_at = f.created_at - 1;
  verdict(&f, RENEW_NOT_DECLINED, false);
}

Test(renewd_due, first_due) {
  cr_assert_eq(renew_first_due(1000, 0), 1000);
  cr_assert_eq(renew_first_due(1000, 999), 1000);
  cr_assert_eq(renew_first_due(1000, 9000), 9000);
}

Test(renewd_due, http) {
  static const struct {
    int status;
    enum renew_outcome outcome;
  } cases[] = {{200, RENEW_DONE},   {201, RENEW_DONE},   {204, RENEW_DONE},   {299, RENEW_DONE},
               {301, RENEW_FAILED}, {307, RENEW_FAILED}, {400, RENEW_FAILED}, {401, RENEW_FAILED},
               {403, RENEW_FAILED}, {404, RENEW_FAILED}, {408, RENEW_RETRY},  {409, RENEW_FAILED},
               {410, RENEW_FAILED}, {425, RENEW_RETRY},  {429, RENEW_RETRY},  {500, RENEW_RETRY},
               {502, RENEW_RETRY},  {503, RENEW_RETRY},  {599, RENEW_RETRY},  {600, RENEW_FAILED},
               {0, RENEW_FAILED}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    cr_assert_eq(renew_http_outcome(cases[i].status), cases[i].outcome, "%d", cases[i].status);
}

static struct renew_verdict judge(struct ck_random *random, enum renew_outcome o, int64_t attempt,
                                  int64_t retry_after) {
  struct renew_result r = {.outcome = o, .retry_after = retry_after, .exit_code = -1};
  struct renew_count count = {.attempt = attempt, .max_attempts = 10};
  return renew_judge(&rules, random, &r, &count, 1000000);
}

Test(renewd_due, backoff_doubles_with_full_jitter_up_to_the_cap) {
  struct ck_random random = {1};
  static const int64_t most[] = {1000, 2000, 4000, 8000, 8000, 8000};
  for (int64_t attempt = 1; attempt <= 6; attempt++) {
    int64_t least_seen = INT64_MAX, most_seen = 0;
    for (int i = 0; i < 2000; i++) {
      struct renew_verdict v = judge(&random, RENEW_RETRY, attempt, 0);
      cr_assert_eq(v.outcome, RENEW_RETRY);
      int64_t wait = v.next_attempt_at - 1000000;
      if (wait < least_seen) least_seen = wait;
      if (wait > most_seen) most_seen = wait;
    }
    cr_assert(least_seen >= 0 && least_seen < most[attempt - 1] / 20,
              "attempt %d waits at least %d", (int)attempt, (int)least_seen);
    cr_assert(most_seen <= most[attempt - 1] && most_seen > most[attempt - 1] * 19 / 20,
              "attempt %d waits at most %d", (int)attempt, (int)most_seen);
  }
}

Test(renewd_due, the_target_may_delay_the_next_attempt) {
  struct ck_random random = {1};
  cr_assert_eq(judge(&random, RENEW_RETRY, 1, 20000).next_attempt_at, 1020000);
  cr_assert_leq(judge(&random, RENEW_RETRY, 1, 1).next_attempt_at, 1001000);
  cr_assert_eq(judge(&random, RENEW_RETRY, 1, INT64_MAX).next_attempt_at,
               1000000 + INT64_C(2678400000));
}

Test(renewd_due, ends) {
  struct ck_random random = {1};
  struct renew_verdict v = judge(&random, RENEW_DONE, 1, 0);
  cr_assert(v.outcome == RENEW_DONE && v.cooldown_until == 1060000 && v.next_attempt_at == 0);
  v = judge(&random, RENEW_RETRY, 10, 0);
  cr_assert(v.outcome == RENEW_FAILED && v.next_attempt_at == 0 && strstr(v.why, "last of 10"));
  v = judge(&random, RENEW_FAILED, 1, 5000);
  cr_assert(v.outcome == RENEW_FAILED && v.next_attempt_at == 0);
  v = judge(&random, RENEW_UNKNOWN, 1, 5000);
  cr_assert(v.outcome == RENEW_UNKNOWN && v.next_attempt_at == 0);
  v = judge(&random, RENEW_RELEASED, 10, 0);
  cr_assert(v.outcome == RENEW_RELEASED && v.next_attempt_at == 1000000);
}

static int64_t released_wait(int64_t times, int64_t retry_after) {
  struct ck_random random = {1};
  struct renew_result r = {.outcome = RENEW_RELEASED, .retry_after = retry_after};
  struct renew_count count = {.attempt = 1, .max_attempts = 10, .released = times};
  return renew_judge(&rules, &random, &r, &count, 1000000).next_attempt_at - 1000000;
}

Test(renewd_due, what_a_target_releases_waits_from_5_s_to_30_min) {
  static const int64_t waits[] = {5, 10, 20, 40, 80, 160, 320, 640, 1280, 1800, 1800};
  for (int64_t times = 1; times <= 11; times++)
    cr_assert_eq(released_wait(times, 0), 1000 * waits[times - 1], "%d", (int)times);
  cr_assert_eq(released_wait(INT64_MAX, 0), 1800000);
  cr_assert_eq(released_wait(1, 1), 5000, "an end that is always near is none");
  cr_assert_eq(released_wait(3, 900000), 900000);
  cr_assert_eq(released_wait(0, 0), 0, "renewd itself did");
}

static struct renew_verdict unreached(struct ck_random *random, int64_t before, int64_t age,
                                      int64_t now) {
  struct renew_result r = {.outcome = RENEW_UNREACHED, .exit_code = -1};
  struct renew_count count = {
      .attempt = 9, .max_attempts = 3, .unreached = before, .unreached_age = age};
  return renew_judge(&rules, random, &r, &count, now);
}

Test(renewd_due, what_did_not_reach_its_target_waits_from_30_s_to_30_min) {
  struct ck_random random = {1};
  static const int64_t most[] = {30, 60, 120, 240, 480, 960, 1800, 1800, 1800};
  for (int64_t before = 0; before < 9; before++) {
    int64_t least_seen = INT64_MAX, most_seen = 0, limit = 1000 * most[before];
    for (int i = 0; i < 2000; i++) {
      struct renew_verdict v = unreached(&random, before, 0, 1000000);
      cr_assert_eq(v.outcome, RENEW_UNREACHED);
      int64_t wait = v.next_attempt_at - 1000000;
      if (wait < least_seen) least_seen = wait;
      if (wait > most_seen) most_seen = wait;
    }
    cr_assert(least_seen >= limit / 2 && least_seen < limit * 11 / 20, "%d: at least %d",
              (int)before, (int)least_seen);
    cr_assert(most_seen <= limit && most_seen > limit * 19 / 20, "%d: at most %d", (int)before,
              (int)most_seen);
  }
}

Test(renewd_due, what_is_never_reached_is_given_up) {
  struct ck_random random = {1};
  int64_t since = 5000000, now = since, attempts = 0;
  struct renew_verdict v;
  while ((v = unreached(&random, attempts, now - since, now)).outcome == RENEW_UNREACHED) {
    cr_assert(v.next_attempt_at > now && v.next_attempt_at <= since + rules.give_up);
    now = v.next_attempt_at;
    attempts++;
  }
  cr_assert_eq(v.outcome, RENEW_FAILED);
  cr_assert_eq(now, since + rules.give_up);
  cr_assert(strstr(v.why, "renew.give_up"), "%s", v.why);
  cr_assert(attempts >= 28 && attempts < 60, "%d attempts", (int)attempts);
}

Test(renewd_due, what_a_dead_run_left) {
  struct renew_verdict v = renew_recover(true, 77);
  cr_assert(v.outcome == RENEW_RELEASED && v.next_attempt_at == 77);
  v = renew_recover(false, 77);
  cr_assert(v.outcome == RENEW_UNKNOWN && v.next_attempt_at == 0);
}

Test(renewd_due, chance_repeats_from_its_seed) {
  struct ck_random a = {42}, b = {42}, c = {43};
  int same = 0;
  for (int i = 0; i < 100; i++) {
    uint64_t x = ck_random_next(&a);
    cr_assert_eq(x, ck_random_next(&b));
    same += x == ck_random_next(&c);
  }
  cr_assert_eq(same, 0);
  cr_assert_eq(ck_random_upto(&a, 0), 0);
  cr_assert_eq(ck_random_upto(&a, -5), 0);
}

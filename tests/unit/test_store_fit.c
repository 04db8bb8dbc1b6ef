/* When the mirror's contents are compared by themselves. */
#include <criterion/criterion.h>

#include "proto/wire.h"
#include "store/mirror/fit.h"

#define HOUR INT64_C(3600000)
#define DAY (24 * HOUR)

static struct fit *fit;

static void begin(void) {
  fit = fit_new("0123456789abcdef", false);
  fit_compared(fit, true, false, "", 0);
}
static void end(void) { fit_free(&fit); }
TestSuite(store_fit, .init = begin, .fini = end);

/* The clocks on the wall show UTC. */
static const char *due(int64_t wall, uint64_t cursor, int64_t now) {
  const char *task = fit_task_due(fit, cursor, now, wall, wall);
  return task ? task : "";
}

Test(store_fit, once_a_night_and_by_day_if_that_was_missed) {
  fit_checked(fit, &(struct fit_check){.at = 1000 * DAY + 4 * HOUR}, 1);
  cr_expect_str_eq(due(1000 * DAY + 5 * HOUR, 0, 1), "");
  cr_expect_str_eq(due(1000 * DAY + 23 * HOUR, 0, 1), "");
  cr_expect_str_eq(due(1001 * DAY + 1 * HOUR, 0, 1), "");
  cr_expect_str_eq(due(1001 * DAY + 2 * HOUR, 0, 1), CK_TASK_VERIFY);
  cr_expect_str_eq(due(1001 * DAY + 7 * HOUR, 0, 1), "");
  cr_expect_str_eq(due(1002 * DAY + 12 * HOUR, 0, 1), CK_TASK_VERIFY);
  fit_task_asked(fit, 1);
  cr_expect_str_eq(due(1002 * DAY + 12 * HOUR, 0, 2), "", "it was asked for just now");
  cr_expect_str_eq(due(1002 * DAY + 12 * HOUR, 0, 2 + HOUR), CK_TASK_VERIFY);
  fit_compared(fit, false, false, "", 0);
  cr_expect_str_eq(due(1002 * DAY + 12 * HOUR, 0, 2 + HOUR), "", "the mirror is another's");
}

/* A clock that was ahead for a while does not put it off by as long. */
Test(store_fit, the_last_one_lies_ahead_of_the_clock) {
  fit_checked(fit, &(struct fit_check){.at = 30000 * DAY}, 1);
  cr_expect_str_eq(due(1000 * DAY + 12 * HOUR, 0, 1), "");
  cr_expect_str_eq(due(1001 * DAY + 2 * HOUR, 0, 1), CK_TASK_VERIFY);
}

Test(store_fit, what_is_unproven_is_repaired_once_it_has_everything) {
  fit_checked(fit, &(struct fit_check){.at = 1000 * DAY, .unproven = true, .behind = 50}, 1);
  cr_expect_str_eq(due(1000 * DAY, 49, 1), "");
  cr_expect_str_eq(due(1000 * DAY, 50, 1), CK_TASK_REPAIR);
}

/* On D1 each try is paid for. */
Test(store_fit, what_cannot_be_repaired_is_tried_less_and_less) {
  struct fit_check left = {.at = 1000 * DAY, .unproven = true, .left = true};
  int64_t now = 1, wait = HOUR / 4;
  fit_checked(fit, &(struct fit_check){.at = 1000 * DAY, .unproven = true}, now);
  for (int i = 0; i < 10; ++i) {
    cr_expect_str_eq(due(1000 * DAY, 0, now), CK_TASK_REPAIR);
    fit_task_asked(fit, now);
    fit_checked(fit, &left, now + 5);
    cr_expect_str_eq(due(1000 * DAY, 0, now + 4 + wait), "");
    now += 5 + wait;
    wait = wait * 2 < DAY ? wait * 2 : DAY;
  }
  cr_expect_eq(wait, DAY);
  /* A person takes it over once more. */
  fit_forget(fit);
  fit_compared(fit, true, false, "", 0);
  cr_expect_str_eq(due(1000 * DAY, 0, now - DAY + 10), CK_TASK_REPAIR);
}

Test(store_fit, a_run_that_begins_does_not_try_again_at_once) {
  fit_checked(fit, &(struct fit_check){.at = 1, .unproven = true, .left = true}, 1);
  cr_expect_str_eq(due(1000 * DAY, 0, 2), "");
  cr_expect_str_eq(due(1000 * DAY, 0, 2 + HOUR / 4), CK_TASK_REPAIR);
}

Test(store_fit, a_worker_that_does_not_tell_is_not_asked_every_time) {
  fit_checked(fit, &(struct fit_check){.at = 1000 * DAY}, 1);
  fit_task_asked(fit, 1);
  cr_expect_str_eq(due(1002 * DAY, 0, 1 + HOUR / 4), CK_TASK_VERIFY);
  fit_task_asked(fit, 1 + HOUR / 4);
  cr_expect_str_eq(due(1002 * DAY, 0, 1 + HOUR / 2), "");
  cr_expect_str_eq(due(1002 * DAY, 0, 1 + HOUR), CK_TASK_VERIFY);
}

Test(store_fit, that_the_database_was_set_back_holds_until_it_fits_or_is_taken_over) {
  cr_expect_not(fit_set_back(fit));
  fit_compared(fit, false, true, "", 0);
  cr_expect(fit_set_back(fit));
  fit_compared(fit, true, false, "", 0);
  cr_expect_not(fit_set_back(fit));
  fit_compared(fit, false, true, "", 0);
  fit_forget(fit);
  cr_expect_not(fit_set_back(fit));
  struct fit *next = fit_new("0123456789abcdef", true);
  cr_expect(fit_set_back(next), "not before it was compared in this run");
  fit_free(&next);
}

Test(store_fit, a_sink_without_a_witness_is_never_compared) {
  struct fit *null = fit_new("", false);
  struct fit_view v;
  fit_read(null, &v);
  cr_expect_eq(v.state, FIT_YES);
  fit_checked(null, &(struct fit_check){.at = 1, .unproven = true}, 1);
  cr_expect_null(fit_task_due(null, 100, 1, 1000 * DAY, 1000 * DAY));
  fit_free(&null);
}

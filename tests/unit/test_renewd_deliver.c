/* See test_renewd_deliver.h. */
#include "tests/unit/test_renewd_deliver.h"

#include <criterion/criterion.h>

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "proto/clock.h"

struct ck_settings *test_settings;

void test_set(const char *name, const char *value) {
  struct ck_err err;
  cr_assert_eq(ck_settings_flag(test_settings, name, value, &err), 0, "%s", err.text);
}

void test_deliver_begin(void) {
  struct ck_err err;
  setenv("CONVKEEP_D1_TOKEN", "secret", 1);
  setenv("CONVKEEP_POSTGRES_PASSWORD", "secret", 1);
  signal(SIGPIPE, SIG_IGN);
  ck_settings_free(&test_settings);
  test_settings = ck_settings_load("/nonexistent", &err);
  cr_assert_not_null(test_settings, "%s", err.text);
}

void test_deliver_end(void) { ck_settings_free(&test_settings); }

static void wait_once(const struct renew_channel *c, void *open, int64_t until) {
  struct pollfd p = {c->fd(open), POLLIN, 0};
  if (c->until(open) < until) until = c->until(open);
  int64_t left = until - ck_boot_ms();
  poll(&p, 1, left < 0 ? 0 : left > 10000 ? 10000 : (int)left);
  c->pump(open);
}

struct renew_result test_deliver_with(const struct renew_channel *c, const char *target,
                                      const char *body, const char *payload, int64_t stop_after) {
  struct ck_err err = {{0}};
  struct renew_channels all = {.env = {test_settings, NULL}};
  struct renew_target t;
  struct renew_result r = {.exit_code = -1};
  if (ck_set_has_exec(test_settings)) all.env.launcher = renew_launcher_start(test_settings, &err);
  cr_assert_str_empty(err.text);
  cr_assert_eq(renew_target_parse(&t, ck_str_of(target), &err), 0, "%s", err.text);
  void *open = renew_channel_open(&all, c, &err);
  cr_assert_not_null(open, "%s", err.text);
  const struct renew_parcel parcel = {"job_1", &t, ck_str_of(body), ck_str_of(payload)};
  int64_t stop_at = stop_after < 0 ? INT64_MAX : ck_boot_after(stop_after);
  void *d = c->start(open, &parcel, &r);
  while (d && !c->over(d, &r)) {
    wait_once(c, open, stop_at);
    if (ck_boot_ms() < stop_at) continue;
    stop_at = INT64_MAX;
    renew_channels_stop(&all);
  }
  renew_channels_close(&all);
  renew_launcher_end(&all.env.launcher);
  renew_target_free(&t);
  return r;
}

struct renew_result test_deliver(const struct renew_channel *c, const char *target,
                                 const char *body) {
  return test_deliver_with(c, target, body, "", -1);
}

void test_result_is(struct renew_result r, enum renew_outcome outcome, const char *part) {
  cr_assert_eq(r.outcome, outcome, "%s, not %s: %s", renew_outcome_name(r.outcome),
               renew_outcome_name(outcome), r.error);
  cr_assert(strstr(r.error, part), "'%s' is not in '%s'", part, r.error);
}

/* Printing times (cli/time.c). */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "cli/time.h"

#define NOW INT64_C(1795380000000) /* 2026-11-22T20:40:00Z */

static void expect_text(void (*append)(struct ck_buf *, int64_t), int64_t ms, const char *want) {
  struct ck_buf b = {0};
  append(&b, ms);
  cr_expect_str_eq(ck_buf_cstr(&b), want);
  ck_buf_free(&b);
}

Test(cli_time, tells_lengths_in_their_two_largest_units) {
  expect_text(cli_duration_text, 0, "0 ms");
  expect_text(cli_duration_text, 40, "40 ms");
  expect_text(cli_duration_text, 5999, "5 s");
  expect_text(cli_duration_text, 60000, "1 min");
  expect_text(cli_duration_text, 61000, "1 min 1 s");
  expect_text(cli_duration_text, 11520000, "3 h 12 min");
  expect_text(cli_duration_text, -90000, "1 min 30 s");
  expect_text(cli_duration_text, 86400000 * INT64_C(3) + 3600000, "3 d 1 h");
  expect_text(cli_seconds_text, 999, "0 s");
  expect_text(cli_seconds_text, 1999, "1 s");
}

/* A zone that needs no file of the machine's. */
static void live_in(const char *zone) {
  setenv("TZ", zone, 1);
  tzset();
}

Test(cli_time, shows_the_time_of_the_place) {
  live_in("UTC0");
  expect_text(cli_time_text, NOW + 123, "2026-11-22 20:40:00");
  expect_text(cli_minute_text, NOW + 123, "2026-11-22 20:40");
  expect_text(cli_time_text, -1, "1969-12-31 23:59:59");
  live_in("CST-8");
  expect_text(cli_time_text, NOW, "2026-11-23 04:40:00");
  live_in("CET-1CEST,M3.5.0,M10.5.0/3");
  expect_text(cli_time_text, INT64_C(1782900000000), "2026-07-01 12:00:00");
  expect_text(cli_time_text, NOW, "2026-11-22 21:40:00");
}

Test(cli_time, tells_how_far_away_a_time_is) {
  static const struct {
    int64_t away;
    const char *want;
  } cases[] = {{0, "now"}, {999, "now"}, {-999, "now"}, {5000, "in 5 s"}, {-180000, "3 min ago"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
    struct ck_buf b = {0};
    cli_relative_text(&b, NOW + cases[i].away, NOW);
    cr_expect_str_eq(ck_buf_cstr(&b), cases[i].want);
    ck_buf_free(&b);
  }
}

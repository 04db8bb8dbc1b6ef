/* Reading and printing times (cli/time.c). */
#include <criterion/criterion.h>
#include <string.h>
#include "cli/time.h"

#define NOW INT64_C(1795380000000) /* 2026-11-22T20:40:00Z */

static int64_t parsed(const char *text) {
  int64_t ms = -1;
  struct ck_err err = {{0}};
  cr_assert_eq(cli_time_parse(text, NOW, &ms, &err), 0, "%s: %s", text, err.text);
  return ms;
}

Test(cli_time, takes_every_way_of_saying_it) {
  cr_expect_eq(parsed("now"), NOW);
  cr_expect_eq(parsed("0"), 0);
  cr_expect_eq(parsed("1795380000123"), INT64_C(1795380000123));
  cr_expect_eq(parsed("+10min"), NOW + 600000);
  cr_expect_eq(parsed("+1h30min"), NOW + 5400000);
  cr_expect_eq(parsed("+250ms"), NOW + 250);
  cr_expect_eq(parsed("-2d"), NOW - 172800000);
  cr_expect_eq(parsed("2026-11-22T20:40:00Z"), NOW);
  cr_expect_eq(parsed("2026-11-22T21:40:00+01:00"), NOW);
  cr_expect_eq(parsed("2026-11-22T20:40:00"), NOW);
  cr_expect_eq(parsed("2026-11-22"), INT64_C(1795305600000));
}

Test(cli_time, refuses_what_is_no_time_and_says_how_to_write_one) {
  static const char *const bad[] = {"",
                                    "soon",
                                    "+",
                                    "+10",
                                    "+10x",
                                    "+min",
                                    "10min",
                                    "12 ",
                                    " 12",
                                    "+1h 2min",
                                    "99999999999999999999999",
                                    "+99999999999d",
                                    "2026-13-01",
                                    "--1d"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i) {
    int64_t ms;
    struct ck_err err = {{0}};
    cr_expect_eq(cli_time_parse(bad[i], NOW, &ms, &err), -1, "%s", bad[i]);
    cr_expect(strstr(err.text, "is not a time; write"), "%s: %s", bad[i], err.text);
  }
}

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
  expect_text(cli_time_text, NOW + 123, "2026-11-22 20:40:00Z");
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

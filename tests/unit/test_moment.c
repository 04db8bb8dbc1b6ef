/* Reading times (proto/moment.c). */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "proto/moment.h"

#define NOW INT64_C(1795380000000) /* 2026-11-22T20:40:00Z */

static int64_t parsed(const char *text) {
  int64_t ms = -1;
  struct ck_err err = {{0}};
  cr_assert_eq(ck_moment_parse(text, NOW, &ms, &err), 0, "%s: %s", text, err.text);
  return ms;
}

Test(moment, takes_every_way_of_saying_it) {
  cr_expect_eq(parsed("now"), NOW);
  cr_expect_eq(parsed("0"), 0);
  cr_expect_eq(parsed("1795380000123"), INT64_C(1795380000123));
  cr_expect_eq(parsed("+10min"), NOW + 600000);
  cr_expect_eq(parsed("+1h30min"), NOW + 5400000);
  cr_expect_eq(parsed("+250ms"), NOW + 250);
  cr_expect_eq(parsed("-2d"), NOW - 172800000);
  cr_expect_eq(parsed("2026-11-22T20:40:00Z"), NOW);
  cr_expect_eq(parsed("2026-11-22T21:40:00+01:00"), NOW);
}

/* A zone that needs no file of the machine's. */
static void live_in(const char *zone) {
  setenv("TZ", zone, 1);
  tzset();
}

Test(moment, without_a_zone_it_is_the_time_of_the_place) {
  live_in("UTC0");
  cr_expect_eq(parsed("2026-11-22T20:40:00"), NOW);
  cr_expect_eq(parsed("2026-11-22"), INT64_C(1795305600000));
  cr_expect_eq(parsed("2026-11"), INT64_C(1793491200000));
  cr_expect_eq(parsed("2026"), INT64_C(1767225600000));
  live_in("CST-8");
  cr_expect_eq(parsed("2026-11-23 04:40"), NOW);
  cr_expect_eq(parsed("2026-11-23"), NOW - (4 * 60 + 40) * 60000);
  cr_expect_eq(parsed("2026-11"), INT64_C(1793491200000) - 8 * 3600000);
  cr_expect_eq(parsed("2026-11-23T04:40:00.250"), NOW + 250);
  cr_expect_eq(parsed("2026-11-22T20:40:00Z"), NOW);
  cr_expect_eq(parsed("2026-11-22 21:40+01:00"), NOW);
  live_in("CET-1CEST,M3.5.0,M10.5.0/3");
  cr_expect_eq(parsed("2026-07-01 12:00"), INT64_C(1782900000000));
  cr_expect_eq(parsed("2026-11-22 21:40"), NOW);
}

Test(moment, refuses_what_is_no_time_and_says_how_to_write_one) {
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
                                    "2026-13",
                                    "2026-1",
                                    "--1d"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i) {
    int64_t ms;
    struct ck_err err = {{0}};
    cr_expect_eq(ck_moment_parse(bad[i], NOW, &ms, &err), -1, "%s", bad[i]);
    cr_expect(strstr(err.text, "is not a time; write"), "%s: %s", bad[i], err.text);
  }
}

Test(moment, lengths_of_time) {
  int64_t ms;
  struct ck_err err;
  cr_expect_eq(ck_length_parse("90min", &ms, &err), 0);
  cr_expect_eq(ms, 5400000);
  cr_expect_eq(ck_length_parse("1h30min", &ms, &err), 0);
  cr_expect_eq(ms, 5400000);
  cr_expect_eq(ck_length_parse("0s", &ms, &err), 0);
  cr_expect_eq(ms, 0);
  cr_expect_eq(ck_length_parse("1x", &ms, &err), -1);
  cr_expect_str_eq(err.text,
                   "1x is not a length of time; write 90min, 2d or 1h30min (ms, s, min, h, d)");
  static const char *const bad[] = {"", "5", "+5min", "min", "99999999999999d"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i)
    cr_expect_eq(ck_length_parse(bad[i], &ms, &err), -1, "%s", bad[i]);
}

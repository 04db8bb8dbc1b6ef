/* The clocks, and times as text. */
#include "proto/clock.h"

#include <criterion/criterion.h>
#include <string.h>
#include <time.h>

static int64_t fixed(void) { return 42; }

Test(clock, can_be_replaced_and_restored) {
  ck_clock_replace(fixed, fixed);
  cr_assert_eq(ck_now_ms(), 42);
  cr_assert_eq(ck_boot_ms(), 42);
  ck_clock_replace(NULL, NULL);
  cr_assert(ck_now_ms() > INT64_C(1600000000000));
  int64_t boot = ck_boot_ms(), mono = ck_mono_us();
  cr_assert(boot >= 0 && mono >= 0);
  cr_assert(ck_boot_ms() >= boot);
  cr_assert(ck_mono_us() >= mono);
}

/* Whatever part of a millisecond has passed when it is asked: never early. */
Test(clock, a_deadline_is_never_early) {
  for (int i = 0; i < 20; i++) {
    int64_t began = ck_mono_us(), at = ck_boot_after(2);
    while (ck_boot_ms() < at) continue;
    int64_t took = ck_mono_us() - began;
    cr_assert(took >= 2000, "after %lld us, not 2000", (long long)took);
  }
}

static void text_is(int64_t ms, const char *expected) {
  char text[CK_TIME_TEXT];
  ck_time_text(text, ms);
  cr_expect_str_eq(text, expected, "%s, not %s", text, expected);
}

Test(clock, writes_any_time) {
  text_is(0, "1970-01-01T00:00:00.000Z");
  text_is(-1, "1969-12-31T23:59:59.999Z");
  text_is(INT64_C(1795377720123), "2026-11-22T20:02:00.123Z");
  text_is(INT64_C(951782400000), "2000-02-29T00:00:00.000Z");
  text_is(INT64_C(-62167219200000), "0000-01-01T00:00:00.000Z");
  text_is(INT64_MAX, "292278994-08-17T07:12:55.807Z");
  text_is(INT64_MIN, "-292275055-05-16T16:47:04.192Z");
}

/* Against the C library, at times about 40 days apart over 600 years. */
Test(clock, agrees_with_the_library) {
  for (int64_t s = INT64_C(-9000000000); s < INT64_C(10000000000); s += 3456789) {
    char text[CK_TIME_TEXT], theirs[CK_TIME_TEXT];
    struct tm tm;
    time_t t = (time_t)s;
    gmtime_r(&t, &tm);
    strftime(theirs, sizeof theirs, "%Y-%m-%dT%H:%M:%S.000Z", &tm);
    ck_time_text(text, s * 1000);
    cr_assert_str_eq(text, theirs);
    int64_t back;
    cr_assert_eq(ck_time_parse(text, strlen(text), &back), 0);
    cr_assert_eq(back, s * 1000);
  }
}

static void parses(const char *text, int64_t expected) {
  int64_t ms = -1;
  cr_expect_eq(ck_time_parse(text, strlen(text), &ms), 0, "%s", text);
  cr_expect_eq(ms, expected, "%s: %lld", text, (long long)ms);
}

Test(clock, reads_iso_8601) {
  parses("1970-01-01", 0);
  parses("1970-01-02T00:00", 86400000);
  parses("1970-01-01T00:00:01", 1000);
  parses("1970-01-01 00:00:01.5Z", 1500);
  parses("1970-01-01T00:00:01,123456789z", 1123);
  parses("1970-01-01T01:00:00+01:00", 0);
  parses("1970-01-01T00:00:00-0130", 5400000);
  parses("1970-01-01T02:00:00+02", 0);
  parses("2024-02-29T12:00:00.000Z", INT64_C(1709208000000));
  parses("2016-12-31T23:59:60Z", INT64_C(1483228800000));
}

Test(clock, refuses_what_is_no_time) {
  static const char *const bad[] = {"",
                                    "1970",
                                    "1970-1-1",
                                    "1970-13-01",
                                    "1970-02-30",
                                    "2023-02-29",
                                    "1970-01-01T",
                                    "1970-01-01T24:00",
                                    "1970-01-01T00:60",
                                    "1970-01-01T00:00:61",
                                    "1970-01-01T00:00:00.",
                                    "1970-01-01T00:00:00+",
                                    "1970-01-01T00:00:00Zx",
                                    "1970-01-01T00:00:00+1",
                                    "x970-01-01",
                                    "1970-01-01x",
                                    "1970-01-01T0",
                                    "1900-02-29",
                                    "1970-00-10",
                                    "1970-01-00",
                                    "-970-01-01"};
  int64_t ms;
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    cr_expect_eq(ck_time_parse(bad[i], strlen(bad[i]), &ms), -1, "%s", bad[i]);
  cr_expect_eq(ck_time_parse("1970-01-01\0", 11, &ms), -1);
  cr_expect_eq(ck_time_parse(NULL, 0, &ms), -1);
}

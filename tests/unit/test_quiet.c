/* Hours in which nothing is to be done. */
#include <criterion/criterion.h>

#include <string.h>

#include "proto/clock.h"
#include "proto/quiet.h"

static struct ck_err err;

static int64_t ms(const char *time) {
  int64_t at;
  cr_assert_eq(ck_time_parse(time, strlen(time), &at), 0, "%s", time);
  return at;
}

/* until: NULL: these are not the hours. */
static void at(const char *hours, const char *now, const char *until) {
  struct ck_quiet q;
  cr_assert_eq(ck_quiet_read(&q, ck_str_of(hours), &err), 0, "%s", err.text);
  struct ck_zone *zone = ck_zone_open(q.zone, &err);
  cr_assert_not_null(zone, "%s", err.text);
  int64_t end = ck_quiet_until(&q, zone, ms(now)), expected = until ? ms(until) : 0;
  cr_expect_eq(end, expected, "%s at %s: %lld, not %lld", hours, now, (long long)end,
               (long long)expected);
  ck_zone_free(&zone);
}

Test(quiet, hours) {
  at("23:00-07:00 UTC", "2026-11-30T22:59:59Z", NULL);
  at("23:00-07:00 UTC", "2026-11-30T23:00Z", "2026-12-01T07:00Z");
  at("23:00-07:00 UTC", "2026-12-01T06:59:59Z", "2026-12-01T07:00Z");
  at("23:00-07:00 UTC", "2026-12-01T07:00Z", NULL);
  at("12:00-13:30 UTC", "2026-12-01T13:00Z", "2026-12-01T13:30Z");
  at("12:00-13:30 UTC", "2026-12-01T13:30Z", NULL);
  at(" 23:00-07:00  Europe/Berlin ", "2026-12-01T05:59Z", "2026-12-01T06:00Z");
  at("23:00-07:00 Europe/Berlin", "2026-07-01T21:30Z", "2026-07-02T05:00Z");
  at("23:00-07:00 Asia/Kolkata", "2026-07-01T17:30Z", "2026-07-02T01:30Z");
}

/* Nights that are an hour longer or shorter, and an end that the clocks skip or show twice. */
Test(quiet, summer_time) {
  at("23:00-07:00 Europe/Berlin", "2026-03-28T22:00Z", "2026-03-29T05:00Z");
  at("23:00-07:00 Europe/Berlin", "2026-10-24T22:00Z", "2026-10-25T06:00Z");
  at("23:00-02:30 Europe/Berlin", "2026-03-28T23:00Z", "2026-03-29T01:30Z");
  at("23:00-02:30 Europe/Berlin", "2026-10-24T23:00Z", "2026-10-25T00:30Z");
  /* The second time that they show 02:10. */
  at("23:00-02:30 Europe/Berlin", "2026-10-25T01:10Z", "2026-10-25T01:11Z");
}

Test(quiet, what_is_none) {
  static const char *const wrong[] = {"",         "23:00",        "23:00-",
                                      "23-7",     "24:00-07:00",  "23:00-07:60",
                                      "7:00-8:0", "07:00-07:00",  "23:00-07:00Europe/Berlin",
                                      "x",        "23:00 - 07:00"};
  struct ck_quiet q;
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
    cr_expect_eq(ck_quiet_read(&q, ck_str_of(wrong[i]), &err), -1, "%s", wrong[i]);
  cr_expect(strstr(err.text, "as in 23:00-07:00 Europe/Berlin, not"), "%s", err.text);
}

/* The words of a limit, and the times in them. */
#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

#include "proto/clock.h"
#include "renewd/core/limit.h"

static struct ck_zone *zones[8];
static const char *const names[8] = {"", "UTC", "Europe/Berlin", "America/New_York",
                                     "Asia/Kolkata"};

/* This machine's clocks are those of Berlin. */
static const struct ck_zone *zone(const void *self, struct ck_str name, struct ck_err *err) {
  (void)self;
  for (size_t i = 0; i < 5; i++) {
    if (!ck_str_is(name, names[i])) continue;
    if (!zones[i]) zones[i] = ck_zone_open(ck_str_of(i ? names[i] : "Europe/Berlin"), err);
    return zones[i];
  }
  ck_fail(err, "no such zone");
  return NULL;
}
static const struct renew_clocks clocks = {zone, NULL};

static int64_t ms(const char *time) {
  int64_t at;
  cr_assert_eq(ck_time_parse(time, strlen(time), &at), 0, "%s", time);
  return at;
}

#define SAID "2026-11-30T12:34:56Z" /* a Monday */

static void expect(const char *text, bool rejected, const char *said, enum renew_limit_kind kind,
                   const char *until) {
  struct renew_limit l = renew_limit_read(ck_str_of(text), rejected, ms(said), &clocks);
  int64_t expected = until ? ms(until) : 0;
  cr_expect_eq(l.kind, kind, "%s: %d", text, l.kind);
  cr_expect_eq(l.until, expected, "%s: %lld, not %lld", text, (long long)l.until,
               (long long)expected);
}

static void passes(const char *text, const char *until) {
  expect(text, false, SAID, RENEW_LIMIT_PASSES, until);
}
static void lasts(const char *text) { expect(text, false, SAID, RENEW_LIMIT_LASTS, NULL); }
static void none(const char *text) { expect(text, false, SAID, RENEW_NO_LIMIT, NULL); }

/* A time that names no second is at the end of its minute. */
Test(limit, claude_code) {
  passes("You've hit your session limit · resets 4:20pm (Europe/Berlin)", "2026-11-30T15:21Z");
  passes("You've hit your session limit · resets 1:10am (UTC)", "2026-12-01T01:11Z");
  passes("You've hit your weekly limit · resets Dec 4, 10am (America/New_York)",
         "2026-12-04T15:01Z");
  passes("You've hit your weekly limit · resets Dec 4 at 10am (America/New_York)",
         "2026-12-04T15:01Z");
  passes("You’ve hit your usage limit ∙ resets 3pm (Asia/Kolkata)", "2026-12-01T09:31Z");
  passes("You've hit your limit · resets 3pm (Asia/Kolkata)\n", "2026-12-01T09:31Z");
  passes("You've hit your Opus limit · resets Jan 2, 10am (UTC)", "2027-01-02T10:01Z");
  passes("5-hour limit reached ∙ resets 3pm", "2026-11-30T14:01Z");
  passes("Session limit reached · resets 4am (UTC)\n     /upgrade to increase your usage limit.",
         "2026-12-01T04:01Z");
  passes("Weekly limit reached ∙ resets Dec 9 at 5pm", "2026-12-09T16:01Z");
  passes("Claude usage limit reached. Your limit will reset at 7pm (America/New_York).",
         "2026-12-01T00:01Z");
  passes("Claude AI usage limit reached|1796050000", "2026-11-30T14:46:40Z");
  passes("Claude AI usage limit reached|1796050000123", "2026-11-30T14:46:40.123Z");
  passes("You've hit your session limit", NULL);
  passes("You've hit your session limit · resets tomorrow at 9am (UTC)", "2026-12-01T09:01Z");
  passes("You're out of extra usage · resets 3pm (UTC)", "2026-11-30T15:01Z");
}

Test(limit, codex) {
  passes("You've hit your usage limit. Upgrade to Pro (https://openai.com/chatgpt/pricing), visit "
         "https://chatgpt.com/codex/settings/usage to purchase more credits or try again at 7:58 "
         "PM.",
         "2026-11-30T18:59Z");
  passes("You've hit your usage limit. Upgrade to Plus to continue using Codex "
         "(https://openai.com/chatgpt/pricing), or try again at Sep 3rd, 2027 7:58 PM.",
         "2027-09-03T17:59Z");
  passes("You've hit your usage limit. To get more access now, send a request to your admin or try "
         "again at 1:05 PM.",
         "2026-12-01T12:06Z");
  passes("You've hit your usage limit. Try again later.", NULL);
  passes("You've hit your usage limit. Please try again later.", NULL);
  passes("You've hit your usage limit for GPT-5.1-Codex-Max. Switch to another model now, or try "
         "again at 7:58 PM.",
         "2026-11-30T18:59Z");
  passes("You've hit your usage limit. Try again in 3 days 4 hours 5 minutes.",
         "2026-12-03T16:39:56Z");
  passes("You've hit your usage limit. Try again in 2h 5m.", "2026-11-30T14:39:56Z");
  passes("You've hit your usage limit. Try again in less than a minute.", "2026-11-30T12:35:56Z");
}

Test(limit, what_waiting_does_not_cure) {
  lasts("You're out of extra usage");
  lasts("You've hit your session limit · /usage-credits to continue");
  lasts("You've hit your session limit\n/extra-usage to finish what you're working on.");
  lasts("You hit your spend cap. Increase your spend cap to continue.");
  lasts("You've hit your org's monthly spend limit");
  lasts("Your workspace is out of credits. Ask your admin to add more credits.");
  lasts("Quota exceeded. Check your plan and billing details.");
  lasts("You exceeded your current quota, please check your plan and billing details.");
  lasts("Credit balance is too low");
  lasts(
      "To use Codex with your ChatGPT plan, upgrade to Plus: https://openai.com/chatgpt/pricing.");
}

Test(limit, what_merely_speaks_of_one) {
  none("");
  none("You've used 90% of your session limit · resets 3pm (UTC)");
  none("You're now using extra usage · Your session limit resets 3pm (UTC)");
  none("Approaching usage limit · resets at 3pm");
  none("You've hit your session limit because the loop never ends.");
  none("You've hit your session limit. I would wait until it is over.");
  none("The message \"You've hit your session limit · resets 3pm\" comes from Claude Code.");
  none("I see: \"You've hit your usage limit. Try again later.\"");
  none("You've hit your usage limit. Try again later.\n\nThat is what Codex prints; to go on, "
       "wait.");
  none("You've hit your stride");
  none("Limit reached in the third test, so I raised it.");
  none("Quota exceeded in the test, which I have mended.");
  none("Your rate limit is 3 a minute");
  none("resets 3pm (UTC)");
}

/* Its source says so: then its beginning suffices. */
Test(limit, rejected_in_other_words) {
  expect("You've hit your session limit. Everything rests a while · resets 3pm (UTC)", true, SAID,
         RENEW_LIMIT_PASSES, "2026-11-30T15:01Z");
  expect("Error: You've hit your usage limit. Something reworded.", true, SAID, RENEW_LIMIT_PASSES,
         NULL);
  expect("API Error: 500 Internal server error", true, SAID, RENEW_NO_LIMIT, NULL);
  expect("I stopped because you've hit your session limit", true, SAID, RENEW_NO_LIMIT, NULL);
}

/* The next such time after the words were said, however late they are read; or one that has just
 * passed. */
Test(limit, times_of_the_day) {
  const char *text = "You've hit your session limit · resets 3pm (UTC)";
  expect(text, false, "2026-11-30T15:08Z", RENEW_LIMIT_PASSES, "2026-11-30T15:01Z");
  expect(text, false, "2026-11-30T15:11Z", RENEW_LIMIT_PASSES, "2026-12-01T15:01Z");
  expect(text, false, "2026-11-30T14:59:59Z", RENEW_LIMIT_PASSES, "2026-11-30T15:01Z");
  text = "You've hit your session limit · resets 12am (UTC)";
  expect(text, false, "2026-11-30T23:59Z", RENEW_LIMIT_PASSES, "2026-12-01T00:01Z");
  expect(text, false, "2026-12-01T00:02Z", RENEW_LIMIT_PASSES, "2026-12-01T00:01Z");
  text = "You've hit your session limit · resets 11:55pm (UTC)";
  expect(text, false, "2026-12-01T00:02Z", RENEW_LIMIT_PASSES, "2026-11-30T23:56Z");
  text = "You've hit your session limit · resets 12pm (UTC)";
  expect(text, false, SAID, RENEW_LIMIT_PASSES, "2026-12-01T12:01Z");
}

/* A night with an hour that the clocks show twice, and one with an hour that they skip. */
Test(limit, summer_time) {
  const char *text = "You've hit your session limit · resets 2:30am (Europe/Berlin)";
  expect(text, false, "2026-10-24T20:00Z", RENEW_LIMIT_PASSES, "2026-10-25T00:31Z");
  expect(text, false, "2026-03-28T20:00Z", RENEW_LIMIT_PASSES, "2026-03-29T01:31Z");
}

Test(limit, dates) {
  expect("You've hit your weekly limit · resets Dec 30, 10am (UTC)", false, "2027-01-02T00:00Z",
         RENEW_LIMIT_PASSES, "2026-12-30T10:01Z");
  passes("You've hit your weekly limit · resets Oct 9, 10am (UTC)", "2027-10-09T10:01Z");
  passes("You've hit your weekly limit · resets 2026-12-09 15:00 (UTC)", "2026-12-09T15:01Z");
  passes("You've hit your weekly limit · resets Dec 9 (UTC)", "2026-12-09T00:01Z");
  passes("You've hit your weekly limit · resets December 9th, 2026 at 10:30 p.m. (UTC)",
         "2026-12-09T22:31Z");
}

/* A zone that is not known counts as none. */
Test(limit, zones) {
  passes("You've hit your session limit · resets 4pm (Mars/Olympus)", "2026-11-30T15:01Z");
  passes("You've hit your session limit · resets 4pm UTC", "2026-11-30T16:01Z");
  passes("You've hit your session limit · resets 4pm ( UTC )", "2026-11-30T16:01Z");
}

/* What is no time makes it no limit's text; where the source says so, one without an end. */
Test(limit, times_that_are_none) {
  static const char *const times[] = {"3",     "25:00",        "13pm", "0am", "3:60pm", "Foo 9",
                                      "(UTC)", "in 3 bananas", "in",   "Dec", "pm"};
  for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
    char *text = ck_sprintf("You've hit your session limit · resets %s", times[i]);
    none(text);
    expect(text, true, SAID, RENEW_LIMIT_PASSES, NULL);
    free(text);
  }
}

/* Cut anywhere, with any byte changed: it ends, and reads nothing outside. */
Test(limit, any_bytes) {
  static const char text[] =
      "You’ve hit your usage limit for GPT-5. Switch to another model now, or "
      "try again at Sep 3rd, 2027 7:58 PM (Europe/Berlin).";
  for (size_t n = 0; n <= sizeof text - 1; n++)
    for (int byte = 0; byte < 256; byte += 5) {
      char *copy = ck_alloc(n ? n : 1);
      memcpy(copy, text, n);
      if (n) copy[n / 2] = (char)byte;
      renew_limit_read((struct ck_str){copy, n}, byte & 1, 0, &clocks);
      free(copy);
    }
}

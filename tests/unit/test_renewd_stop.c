/* The brake and the stop rules. */
#include <criterion/criterion.h>

#include <string.h>

#include "renewd/core/stop.h"

#define NOW INT64_C(1796000000000)
#define HOUR INT64_C(3600000)

static struct renew_stop_rules rules;
static struct renew_past past;

static struct ck_zone *utc;

static const struct ck_zone *zone(const void *self, struct ck_str name, struct ck_err *err) {
  (void)self;
  if (!ck_str_is(name, "UTC")) {
    ck_fail(err, "no such zone");
    return NULL;
  }
  return utc ? utc : (utc = ck_zone_open(name, err));
}

static void begin(void) {
  rules = (struct renew_stop_rules){.question = true, .question_ok = CK_LIT("continue, go on")};
  rules.zone = zone;
  past = (struct renew_past){.text = CK_LIT("Done.")};
}

static void is(bool automatic, enum renew_brake brake, const char *why) {
  struct renew_stop s = renew_stop(&rules, &past, automatic, NOW);
  cr_expect_eq(s.brake, brake, "%d, not %d: %s", s.brake, brake, s.why);
  cr_expect(strstr(s.why, why), "'%s' is not in '%s'", why, s.why);
  cr_expect(brake == RENEW_FREELY ? !s.why[0] : s.why[0], "%s", s.why);
}

Test(renewd_stop, freely, .init = begin) { is(true, RENEW_FREELY, ""); }

Test(renewd_stop, in_a_row, .init = begin) {
  past.in_a_row = 10;
  is(true, RENEW_STOPPED, "10 deliveries in a row with no person in between");
  is(false, RENEW_FREELY, "");
}

Test(renewd_stop, sixty_within_an_hour, .init = begin) {
  past.has_sixtieth = true;
  past.sixtieth_age = HOUR - 7;
  is(true, RENEW_BRAKED, "60 deliveries within an hour");
  is(false, RENEW_BRAKED, "60 deliveries within an hour");
  cr_expect_eq(renew_stop(&rules, &past, true, NOW).wait, 7);
  past.sixtieth_age = HOUR;
  is(true, RENEW_FREELY, "");
}

Test(renewd_stop, so_many_a_day, .init = begin) {
  past.per_day = 5;
  past.day_age = 23 * HOUR;
  is(true, RENEW_BRAKED, "5 deliveries in 24 hours");
  cr_expect_eq(renew_stop(&rules, &past, true, NOW).wait, HOUR);
  is(false, RENEW_FREELY, "");
  past.day_age = 24 * HOUR;
  is(true, RENEW_FREELY, "");
}

Test(renewd_stop, a_budget, .init = begin) {
  past.cost_per_day = 2500000;
  past.cost_age = 23 * HOUR;
  is(true, RENEW_BRAKED, "its deliveries cost 2.5 or more in 24 hours");
  cr_expect_eq(renew_stop(&rules, &past, true, NOW).wait, HOUR);
  is(false, RENEW_FREELY, "");
  past.tokens_per_day = 500000;
  past.tokens_age = 20 * HOUR;
  is(true, RENEW_BRAKED, "its deliveries used 500000 tokens or more in 24 hours");
  cr_expect_eq(renew_stop(&rules, &past, true, NOW).wait, 4 * HOUR, "the longer wait counts");
  past.cost_age = 19 * HOUR;
  is(true, RENEW_BRAKED, "cost 2.5");
  cr_expect_eq(renew_stop(&rules, &past, true, NOW).wait, 5 * HOUR);
  past.cost_age = past.tokens_age = 24 * HOUR;
  is(true, RENEW_FREELY, "");
}

/* NOW is 00:53:20. */
Test(renewd_stop, quiet_hours, .init = begin) {
  rules.quiet = CK_LIT("23:00-01:00 UTC");
  is(true, RENEW_BRAKED, "its quiet hours, 23:00-01:00 UTC");
  struct renew_stop s = renew_stop(&rules, &past, true, NOW);
  cr_expect(s.wait == 400000 && s.calendar && !s.all, "%lld", (long long)s.wait);
  is(false, RENEW_FREELY, "");
  past.renewal = CK_LIT("{\"quiet\":\"\"}");
  is(true, RENEW_FREELY, "");
  past.renewal = CK_LIT("{\"quiet\":\"01:00-02:00 UTC\"}");
  is(true, RENEW_FREELY, "");
  past.renewal = CK_LIT("{\"quiet\":\"01:00-02:00 Nowhere\"}");
  is(true, RENEW_STOPPED, "its quiet hours: no such zone");
}

Test(renewd_stop, until, .init = begin) {
  past.renewal = CK_LIT("{\"until\":1796000000001}");
  is(true, RENEW_FREELY, "");
  past.renewal = CK_LIT("{\"until\":1796000000000}");
  is(true, RENEW_STOPPED, "the time has come until which it was to go on");
  past.resumed = true;
  is(true, RENEW_STOPPED, "until");
  is(false, RENEW_FREELY, "");
}

/* A question, whoever says that it is one. */
Test(renewd_stop, questions, .init = begin) {
  past.text = CK_LIT("Shall I delete it?");
  is(true, RENEW_STOPPED, "ends with a question");
  past.text = CK_LIT("Shall I continue?");
  is(true, RENEW_FREELY, "");
  past.waits = CK_LIT("permission");
  is(true, RENEW_STOPPED, "a permission waits for its owner");
  past.resumed = true;
  is(true, RENEW_FREELY, "");
  past.resumed = false;
  past.renewal = CK_LIT("{\"question\":false}");
  is(true, RENEW_FREELY, "");
  rules.question = false;
  past.renewal = CK_LIT("");
  is(true, RENEW_FREELY, "");
  past.renewal = CK_LIT("{\"question\":true}");
  is(true, RENEW_STOPPED, "a permission waits");
}

/* What waits for its owner is not at work. */
Test(renewd_stop, turns, .init = begin) {
  past.turn = CK_LIT("open");
  is(true, RENEW_STOPPED, "its turn goes on");
  is(false, RENEW_FREELY, "");
  past.resumed = true;
  is(true, RENEW_FREELY, "");
  past.resumed = false;
  past.waits = CK_LIT("plan");
  is(true, RENEW_STOPPED, "a plan waits for its owner");
  rules.question = false;
  is(true, RENEW_FREELY, "");
  past.waits = CK_LIT("");
  past.turn = CK_LIT("interrupted");
  is(true, RENEW_STOPPED, "somebody has interrupted its turn");
  past.turn = CK_LIT("failed");
  past.came_at = NOW - HOUR / 4 + 1;
  is(true, RENEW_BRAKED, "its turn has ended with an error: it waits 15 minutes");
  cr_expect_eq(renew_stop(&rules, &past, true, NOW).wait, 1);
  is(false, RENEW_FREELY, "");
  past.came_at = NOW - HOUR / 4;
  is(true, RENEW_FREELY, "");
  past.came_at = NOW + HOUR / 4;
  cr_expect_eq(renew_stop(&rules, &past, true, NOW).wait, HOUR / 4, "not longer than it was to be");
  past.came_at = NOW + HOUR / 4 + 1;
  is(true, RENEW_FREELY, "");
  past.renewal = CK_LIT("{\"until\":1}");
  is(true, RENEW_STOPPED, "the time has come");
}

Test(renewd_stop, texts, .init = begin) {
  rules.text = CK_LIT("/^Done/");
  is(true, RENEW_STOPPED, "the answer has /^Done/");
  past.resumed = true;
  is(true, RENEW_FREELY, "");
  past.resumed = false;
  past.renewal = CK_LIT("{\"text\":\"\"}");
  is(true, RENEW_FREELY, "");
  past.renewal = CK_LIT("{\"text\":\"one\"}");
  is(true, RENEW_STOPPED, "the answer has one");
  past.renewal = CK_LIT("{\"text\":\"/(/\"}");
  is(true, RENEW_STOPPED, "/(/ is no pattern");
}

/* The text is what is said, also in the last answer that is allowed. */
Test(renewd_stop, a_text_goes_before_a_number, .init = begin) {
  rules.text = CK_LIT("Done");
  past.in_a_row = 3;
  past.alike = 2;
  is(true, RENEW_STOPPED, "the answer has Done");
  rules.text = CK_LIT("");
  is(true, RENEW_STOPPED, "2 answers are alike");
  past.alike = 0;
  is(true, RENEW_STOPPED, "3 deliveries in a row");
}

Test(renewd_stop, rules_that_cannot_be_read, .init = begin) {
  past.renewal = CK_LIT("{\"until\":true}");
  is(true, RENEW_STOPPED, "renewal.until: must be an integer");
  is(false, RENEW_FREELY, "");
}

/* A limit's text is no answer: neither is it a question, nor are two of them alike. */
Test(renewd_stop, limits, .init = begin) {
  past.text = CK_LIT("You've hit your session limit \xc2\xb7 resets 3pm (UTC)");
  past.alike = 3;
  rules.text = CK_LIT("session");
  is(true, RENEW_FREELY, "");
  past.in_a_row = 10;
  is(true, RENEW_STOPPED, "in a row");
  past.in_a_row = 0;
  past.text = CK_LIT("Your workspace is out of credits. Something reworded");
  is(true, RENEW_STOPPED, "alike");
  past.turn = CK_LIT("failed");
  is(true, RENEW_STOPPED, "waiting does not cure it: Your workspace is out of credits");
  is(false, RENEW_FREELY, "");
  past.resumed = true;
  is(true, RENEW_FREELY, "");
}

/* Nothing of it may be cut within a character: the store drops what is not UTF-8. */
Test(renewd_stop, long_reasons_are_text, .init = begin) {
  struct ck_buf b = {0};
  for (int before = 0; before < 4; before++) {
    ck_buf_clear(&b);
    ck_buf_text(&b, "{\"quiet\":\"");
    for (int i = 0; i < before; i++) ck_buf_text(&b, "2");
    for (int i = 0; i < 150; i++) ck_buf_text(&b, "\xc3\xbc");
    ck_buf_text(&b, "\"}");
    past.renewal = ck_buf_view(&b);
    struct renew_stop s = renew_stop(&rules, &past, true, NOW);
    cr_expect_eq(s.brake, RENEW_STOPPED);
    cr_expect(ck_utf8_ok(ck_str_of(s.why)), "%s", s.why);
    cr_expect_gt(strlen(s.why), sizeof s.why - 5);
  }
  ck_buf_free(&b);
}

/* See stop.h. */
#include "renewd/core/stop.h"

#include <stdarg.h>
#include <stdio.h>

#include "proto/calendar.h"
#include "proto/cost.h"
#include "proto/pattern.h"
#include "renewd/core/limit.h"
#include "renewd/core/result.h"
#include "renewd/core/sentence.h"

#define HOUR_MS INT64_C(3600000)
#define ERROR_MS (HOUR_MS / 4)

__attribute__((format(printf, 3, 4))) static void stop(struct renew_stop *s, enum renew_brake brake,
                                                       const char *fmt, ...) {
  va_list ap;
  s->brake = brake;
  va_start(ap, fmt);
  vsnprintf(s->why, sizeof s->why, fmt, ap);
  va_end(ap);
  renew_make_utf8(s->why);
}

static void stop_at_text(struct renew_stop *s, struct ck_str wanted, struct ck_str text) {
  struct ck_err err;
  int found = ck_pattern_in(text, wanted, &err);
  int shown = (int)ck_utf8_cut(wanted, 60).n;
  if (found > 0) stop(s, RENEW_STOPPED, "the answer has %.*s", shown, wanted.s);
  if (found < 0) stop(s, RENEW_STOPPED, "%.*s %s", shown, wanted.s, err.text);
}

/* ---- the rules, in the order in which they are asked ---- */

/* It waits until what is so old is as old as `span`. */
static void wait_for_age(struct renew_stop *s, int64_t age, int64_t span) {
  if (age >= span) return;
  s->brake = RENEW_BRAKED;
  s->wait = span - age;
}

/* What waits for its owner stops as that, if at all. An error may pass by itself. */
static void stop_in_turn(struct renew_stop *s, const struct renew_past *past, int64_t now) {
  if (ck_str_is(past->turn, "open") && !past->waits.n)
    stop(s, RENEW_STOPPED, "its turn goes on");
  else if (ck_str_is(past->turn, "interrupted"))
    stop(s, RENEW_STOPPED, "somebody has interrupted its turn");
  if (!ck_str_is(past->turn, "failed")) return;
  /* If the clock went back since, nobody knows its age; but it is not waited for that clock. */
  int64_t age = now - past->came_at;
  wait_for_age(s, age < -ERROR_MS ? ERROR_MS : age < 0 ? 0 : age, ERROR_MS);
  if (s->brake) stop(s, RENEW_BRAKED, "its turn has ended with an error: it waits 15 minutes");
}

static void stop_at_question(struct renew_stop *s, const struct renew_stop_rules *rules,
                             const struct renew_past *past, enum ck_wished wished) {
  if (wished == CK_UNWISHED || (wished == CK_AS_SET && !rules->question)) return;
  if (past->waits.n)
    stop(s, RENEW_STOPPED, "a %.*s waits for its owner", (int)ck_utf8_cut(past->waits, 20).n,
         past->waits.s);
  else if (renew_is_question(past->text, rules->question_ok))
    stop(s, RENEW_STOPPED, "the answer ends with a question");
}

static void stop_after(struct renew_stop *s, int64_t until, int64_t now) {
  if (until && now >= until)
    stop(s, RENEW_STOPPED, "the time has come until which it was to go on");
}

/* Hours that cannot be read stop it. */
static void wait_for_day(struct renew_stop *s, const struct renew_stop_rules *rules,
                         struct ck_str quiet, int64_t now) {
  struct ck_quiet q;
  struct ck_err err;
  if (!quiet.n) return;
  const struct ck_zone *zone =
      ck_quiet_read(&q, quiet, &err) ? NULL : rules->zone(rules->zones, q.zone, &err);
  int64_t until = zone ? ck_quiet_until(&q, zone, now) : 0;
  if (!zone) stop(s, RENEW_STOPPED, "its quiet hours: %s", err.text);
  if (!until) return;
  stop(s, RENEW_BRAKED, "these are its quiet hours, %.*s", (int)ck_utf8_cut(quiet, 60).n, quiet.s);
  s->wait = until - now;
  s->calendar = true;
}

static void wait_for_number(struct renew_stop *s, const struct renew_past *past) {
  if (!past->per_day) return;
  wait_for_age(s, past->day_age, CK_DAY_MS);
  if (s->brake)
    stop(s, RENEW_BRAKED, "it had %lld %s in 24 hours", (long long)past->per_day,
         ck_noun((uint64_t)past->per_day, "delivery", "deliveries"));
}

/* Of two that are used up, that which lasts longer. */
static void wait_for_budget(struct renew_stop *s, const struct renew_past *past) {
  struct ck_buf cost = {0};
  bool of_cost =
      past->cost_per_day && (!past->tokens_per_day || past->cost_age <= past->tokens_age);
  if (!past->cost_per_day && !past->tokens_per_day) return;
  wait_for_age(s, of_cost ? past->cost_age : past->tokens_age, CK_DAY_MS);
  ck_cost_text(&cost, past->cost_per_day);
  if (s->brake && of_cost)
    stop(s, RENEW_BRAKED, "its deliveries cost %s or more in 24 hours", ck_buf_cstr(&cost));
  else if (s->brake)
    stop(s, RENEW_BRAKED, "its deliveries used %lld tokens or more in 24 hours",
         (long long)past->tokens_per_day);
  ck_buf_free(&cost);
}

/* An answer that is a limit's text is no answer: nothing in it stops the conversation, but a limit
 * that waiting does not cure, if there is no account that it could stop. True: it is one. */
static bool stop_at_limit(struct renew_stop *s, const struct renew_stop_rules *rules,
                          const struct renew_past *past, int64_t now) {
  const struct renew_clocks clocks = {rules->zone, rules->zones};
  struct renew_limit l =
      renew_limit_of(past->text, &past->refusal, ck_str_is(past->turn, "failed"), now, &clocks);
  if (l.kind == RENEW_LIMIT_LASTS && !past->resumed && !past->has_account)
    stop(s, RENEW_STOPPED, "waiting does not cure it: %.*s", (int)ck_utf8_cut(past->text, 120).n,
         past->text.s);
  return l.kind != RENEW_NO_LIMIT;
}

static void apply(struct renew_stop *s, const struct renew_stop_rules *rules,
                  const struct renew_past *past, const struct ck_renewal *own, int64_t now) {
  struct ck_str text = own->text ? ck_str_of(own->text) : rules->text;
  bool limit = stop_at_limit(s, rules, past, now), answer = !past->resumed && !limit;
  if (!s->brake) stop_after(s, own->until, now);
  if (!s->brake && answer) stop_in_turn(s, past, now);
  if (!s->brake && answer) stop_at_question(s, rules, past, own->question);
  if (!s->brake && answer && text.n) stop_at_text(s, text, past->text);
  if (!s->brake && answer && past->alike)
    stop(s, RENEW_STOPPED, "%lld answers are alike", (long long)past->alike);
  if (!s->brake && past->in_a_row)
    stop(s, RENEW_STOPPED, "%lld %s with no person in between", (long long)past->in_a_row,
         ck_noun((uint64_t)past->in_a_row, "delivery", "deliveries in a row"));
  if (!s->brake) wait_for_day(s, rules, own->quiet ? ck_str_of(own->quiet) : rules->quiet, now);
  if (!s->brake) wait_for_number(s, past);
  if (!s->brake) wait_for_budget(s, past);
}

struct renew_stop renew_stop(const struct renew_stop_rules *rules, const struct renew_past *past,
                             bool automatic, int64_t now) {
  struct renew_stop s = {0};
  struct ck_renewal own;
  struct ck_err err;
  int unreadable = ck_renewal_read(&own, past->renewal, &err);
  if (automatic && unreadable) stop(&s, RENEW_STOPPED, "%s", err.text);
  if (automatic && !unreadable) apply(&s, rules, past, &own, now);
  ck_renewal_free(&own);
  if (s.brake || !past->has_sixtieth) return s;
  wait_for_age(&s, past->sixtieth_age, HOUR_MS);
  if (s.brake) stop(&s, RENEW_BRAKED, "it had 60 deliveries within an hour");
  s.all = s.brake != RENEW_FREELY;
  return s;
}

/* Follow-ups, first times, outcomes and backoff. */
#include "renewd/core/due.h"

#include <stdio.h>
#include <string.h>

#include "proto/records.h"

/* The longest wait that a target can ask for: 31 days. */
#define RETRY_AFTER_MAX INT64_C(2678400000)
/* The waits after attempts of which the target said that nothing was sent, and after those that did
 * not reach it, in milliseconds. */
#define RELEASED_FIRST 5000
#define RELEASED_LONGEST 1800000
#define UNREACHED_FIRST 30000
#define UNREACHED_LONGEST 1800000

enum renew_decline renew_declined(const struct renew_rules *r, const struct renew_facts *f) {
  if (!f->found) return RENEW_NO_MESSAGE;
  if (f->has_job) return RENEW_HAS_JOB;
  bool is_answer = ck_str_is(f->role, "assistant") || ck_str_is(f->role, "model");
  if (!is_answer && !f->failed) return RENEW_NOT_ASSISTANTS;
  if (!f->on_auto || f->older) return RENEW_BEFORE_AUTO;
  if (!f->live) return RENEW_NOT_LIVE;
  if (f->observed_at == f->created_at) return RENEW_TIME_UNKNOWN;
  int64_t clock = f->last_message_at ? f->last_message_at : f->created_at;
  if (f->observed_at < 0) return RENEW_TOO_OLD;
  if (f->observed_at - CK_AHEAD_MS > clock) return RENEW_TIME_AHEAD;
  if (f->created_at - f->observed_at > r->max_age) return RENEW_TOO_OLD;
  return f->open ? RENEW_TURN_OPEN : RENEW_NOT_DECLINED;
}

const char *renew_decline_reason(enum renew_decline d) {
  static const char *const reasons[] = {
      "not declined",
      "no such message",
      "has a job",
      "not the assistant's",
      "older than auto",
      "its turn goes on",
      "not seen live: it came with an export, a log or a database",
      "too old: it was observed longer than renew.max_age before it came",
      "not known to be new: its observation had no time",
      "not known to be new: its time is ahead of the clock"};
  return reasons[d];
}

bool renew_decline_is_told(enum renew_decline d) { return d >= RENEW_NOT_LIVE; }

int64_t renew_first_due(int64_t now, int64_t cooldown_until) {
  return cooldown_until > now ? cooldown_until : now;
}

const char *renew_outcome_name(enum renew_outcome o) {
  static const char *const names[] = {"done",    "retry",    "failed",
                                      "unknown", "released", "unreached"};
  return names[o];
}

enum renew_outcome renew_http_outcome(int status) {
  if (status >= 200 && status < 300) return RENEW_DONE;
  if (status == 408 || status == 425 || status == 429 || (status >= 500 && status < 600))
    return RENEW_RETRY;
  return RENEW_FAILED;
}

/* The longest wait after attempt number n. */
static int64_t backoff_limit(int64_t first, int64_t longest, int64_t n) {
  int64_t most = first;
  for (int64_t i = 1; i < n && most < longest; i++) most *= 2;
  return most < longest ? most : longest;
}

static int64_t asked_wait(const struct renew_result *result) {
  return result->retry_after < RETRY_AFTER_MAX ? result->retry_after : RETRY_AFTER_MAX;
}

static void judge_retry(struct renew_verdict *v, const struct renew_rules *r,
                        struct ck_random *random, const struct renew_result *result,
                        const struct renew_count *count, int64_t now) {
  if (count->attempt >= count->max_attempts) {
    v->outcome = RENEW_FAILED;
    snprintf(v->why, sizeof v->why, "that was the last of %lld attempts",
             (long long)count->max_attempts);
    return;
  }
  int64_t most = backoff_limit(r->backoff, r->backoff_max, count->attempt);
  int64_t wait = ck_random_upto(random, most);
  int64_t asked = asked_wait(result);
  v->next_attempt_at = now + (asked > wait ? asked : wait);
  if (asked > wait)
    snprintf(v->why, sizeof v->why, "again in %lld ms, as the target asked", (long long)asked);
  else
    snprintf(v->why, sizeof v->why, "again in %lld ms, chosen at random from 0 to %lld",
             (long long)wait, (long long)most);
}

/* No other limit holds for what is not charged, so it is the wait that keeps a target that never
 * sends anything from being asked without end. */
static void judge_released(struct renew_verdict *v, const struct renew_result *result,
                           const struct renew_count *count, int64_t now) {
  int64_t asked = asked_wait(result), wait = 0;
  if (count->released) wait = backoff_limit(RELEASED_FIRST, RELEASED_LONGEST, count->released);
  bool as_asked = asked > wait;
  if (as_asked) wait = asked;
  v->next_attempt_at = now + wait;
  snprintf(v->why, sizeof v->why, "nothing was sent; not charged");
  if (wait)
    snprintf(v->why, sizeof v->why, "nothing was sent; not charged; again in %lld ms%s",
             (long long)wait, as_asked ? ", as it said" : "");
}

static void judge_unreached(struct renew_verdict *v, const struct renew_rules *r,
                            struct ck_random *random, const struct renew_count *count,
                            int64_t now) {
  int64_t age = count->unreached ? count->unreached_age : 0, left = r->give_up - age;
  if (left <= 0) {
    v->outcome = RENEW_FAILED;
    snprintf(v->why, sizeof v->why, "the target was not reached for %lld ms (renew.give_up)",
             (long long)age);
    return;
  }
  int64_t most = backoff_limit(UNREACHED_FIRST, UNREACHED_LONGEST, count->unreached + 1);
  int64_t wait = most / 2 + ck_random_upto(random, most - most / 2);
  if (wait > left) wait = left;
  v->next_attempt_at = now + wait;
  snprintf(v->why, sizeof v->why, "nothing reached the target; not charged; again in %lld ms",
           (long long)wait);
}

struct renew_verdict renew_judge(const struct renew_rules *r, struct ck_random *random,
                                 const struct renew_result *result, const struct renew_count *count,
                                 int64_t now) {
  struct renew_verdict v = {.outcome = result->outcome};
  switch (v.outcome) {
  case RENEW_DONE:
    v.cooldown_until = r->cooldown > 0 ? now + r->cooldown : 0;
    snprintf(v.why, sizeof v.why, "delivered; the conversation rests %lld ms",
             (long long)r->cooldown);
    break;
  case RENEW_RETRY:
    judge_retry(&v, r, random, result, count, now);
    break;
  case RENEW_UNREACHED:
    judge_unreached(&v, r, random, count, now);
    break;
  case RENEW_RELEASED:
    judge_released(&v, result, count, now);
    break;
  case RENEW_FAILED:
    snprintf(v.why, sizeof v.why, "trying again would not help");
    break;
  case RENEW_UNKNOWN:
    snprintf(v.why, sizeof v.why, "it may have arrived; waits for a person");
    break;
  }
  return v;
}

struct renew_verdict renew_recover(bool repeatable, int64_t now) {
  struct renew_verdict v = {.outcome = repeatable ? RENEW_RELEASED : RENEW_UNKNOWN,
                            .next_attempt_at = repeatable ? now : 0};
  snprintf(v.why, sizeof v.why, "%s",
           repeatable ? "the target recognises a delivery it already has"
                      : "it may have arrived; waits for a person");
  return v;
}

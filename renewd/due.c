/* Follow-ups, first times, outcomes and backoff. */
#include "renewd/due.h"

#include <stdio.h>
#include <string.h>

/* The longest wait that a target can ask for: 31 days. */
#define RETRY_AFTER_MAX INT64_C(2678400000)

const char *renew_declined(const struct renew_facts *f) {
  if (!f->found) return "no such message";
  if (f->has_job) return "has a job";
  if (!f->since || f->created_at <= f->since) return "older than auto";
  if (!ck_str_is(f->role, "assistant") && !ck_str_is(f->role, "model"))
    return "not the assistant's";
  return NULL;
}

int64_t renew_first_due(const struct renew_rules *r, int64_t created_at, int64_t cooldown_until) {
  int64_t due = created_at + r->delay;
  return cooldown_until > due ? cooldown_until : due;
}

const char *renew_outcome_name(enum renew_outcome o) {
  static const char *const names[] = {"done", "retry", "failed", "unknown", "released"};
  return names[o];
}

enum renew_outcome renew_http_outcome(int status) {
  if (status >= 200 && status < 300) return RENEW_DONE;
  if (status == 408 || status == 425 || status == 429 || (status >= 500 && status < 600))
    return RENEW_RETRY;
  return RENEW_FAILED;
}

/* The longest wait after this attempt. */
static int64_t backoff_limit(const struct renew_rules *r, int64_t attempt) {
  int64_t most = r->backoff;
  for (int64_t i = 1; i < attempt && most < r->backoff_max; i++) most *= 2;
  return most < r->backoff_max ? most : r->backoff_max;
}

struct renew_verdict renew_judge(const struct renew_rules *r, struct ck_random *random,
                                 const struct renew_result *result, int64_t attempt,
                                 int64_t max_attempts, int64_t now) {
  struct renew_verdict v = {.outcome = result->outcome};
  if (v.outcome == RENEW_DONE) {
    v.cooldown_until = r->cooldown > 0 ? now + r->cooldown : 0;
    snprintf(v.why, sizeof v.why, "delivered; the conversation rests %lld ms",
             (long long)r->cooldown);
  } else if (v.outcome == RENEW_RETRY && attempt >= max_attempts) {
    v.outcome = RENEW_FAILED;
    snprintf(v.why, sizeof v.why, "that was the last of %lld attempts", (long long)max_attempts);
  } else if (v.outcome == RENEW_RETRY) {
    int64_t most = backoff_limit(r, attempt), wait = ck_random_upto(random, most);
    int64_t asked = result->retry_after < RETRY_AFTER_MAX ? result->retry_after : RETRY_AFTER_MAX;
    v.next_attempt_at = now + (asked > wait ? asked : wait);
    if (asked > wait)
      snprintf(v.why, sizeof v.why, "again in %lld ms, as the target asked", (long long)asked);
    else
      snprintf(v.why, sizeof v.why, "again in %lld ms, chosen at random from 0 to %lld",
               (long long)wait, (long long)most);
  } else if (v.outcome == RENEW_RELEASED) {
    v.next_attempt_at = now;
    snprintf(v.why, sizeof v.why, "nothing was sent; not charged");
  } else {
    snprintf(v.why, sizeof v.why, "%s",
             v.outcome == RENEW_FAILED ? "trying again would not help"
                                       : "it may have arrived; waits for a person");
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

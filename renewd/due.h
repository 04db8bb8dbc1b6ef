/* The decisions: what becomes of a message, and of an attempt. Pure functions of what is known and
 * of `now`. When a job is due is in state.h. */
#ifndef RENEWD_DUE_H
#define RENEWD_DUE_H

#include "proto/random.h"
#include "proto/text.h"

/* All ms, but max_attempts. */
struct renew_rules {
  int64_t delay, cooldown, backoff, backoff_max, max_attempts;
};

/* What the store says of a conversation's last message. */
struct renew_facts {
  bool found; /* the message is there */
  struct ck_str role;
  bool baseline; /* it was the last one when the conversation was put on auto */
  bool has_job;
};
/* NULL when the message gets a follow-up, else why not. */
const char *renew_declined(const struct renew_facts *f);
/* created_at: when the store first had the message; cooldown_until: 0 for none. */
int64_t renew_first_due(const struct renew_rules *r, int64_t created_at, int64_t cooldown_until);

enum renew_outcome { RENEW_DONE, RENEW_RETRY, RENEW_FAILED, RENEW_UNKNOWN, RENEW_RELEASED };
const char *renew_outcome_name(enum renew_outcome o); /* as END has it */

/* What came of an attempt, as its channel saw it. */
struct renew_result {
  enum renew_outcome outcome;
  int64_t retry_after; /* ms the target asked for; 0 for nothing */
  int http_status;     /* 0: none came */
  int exit_code;       /* of exec; -1: none */
  bool elsewhere;  /* the job's end was told to the store by somebody else, who holds the browser */
  char error[400]; /* empty for none */
};

/* What an HTTP status says of a delivery. */
enum renew_outcome renew_http_outcome(int status);

/* What the store is told of it. */
struct renew_verdict {
  enum renew_outcome outcome;
  int64_t next_attempt_at; /* wall; 0 unless retried or released */
  int64_t cooldown_until;  /* wall; 0 unless done */
  char why[120];
};
/* attempt: this one, from 1. Doubling backoff with full jitter and a cap; a longer Retry-After
 * counts. */
struct renew_verdict renew_judge(const struct renew_rules *r, struct ck_random *random,
                                 const struct renew_result *result, int64_t attempt,
                                 int64_t max_attempts, int64_t now);

/* An attempt that a dead run left: sent again where that is known to do no harm, else it waits for
 * a person. */
struct renew_verdict renew_recover(bool repeatable, int64_t now);

#endif

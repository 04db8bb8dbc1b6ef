/* The decisions: does a message get a follow-up, and what follows from an attempt? Pure functions
 * of the facts and of `now`, wall time in milliseconds. When a job is due is decided in state.h. */
#ifndef RENEWD_CORE_DUE_H
#define RENEWD_CORE_DUE_H

#include "proto/random.h"
#include "proto/text.h"

/* From the settings renew.*: milliseconds, except max_attempts. */
struct renew_rules {
  int64_t max_age, cooldown, backoff, backoff_max, max_attempts, give_up;
};

/* A conversation's last message, as the store has it. All times are wall time. */
struct renew_facts {
  bool found; /* the store has the message */
  struct ck_str role;
  int64_t created_at;      /* when it came */
  int64_t observed_at;     /* created_at itself: the observation had no time */
  int64_t last_message_at; /* the conversation's, which the store keeps from being ahead of the
                              clock by more than CK_AHEAD_MS; 0: none */
  bool live;               /* it was observed when it was said; not read from an export or a log */
  bool open;               /* its turn goes on by itself, as its source says: it waits for nobody */
  bool failed;             /* its turn has ended with it, an error */
  bool on_auto;            /* its conversation is */
  bool older;              /* it had come before its conversation was put on auto */
  bool has_job;
};

/* Why a message gets no follow-up; after RENEW_TURN_OPEN it is judged again. The last four are told
 * to people: the message is the assistant's and came while the conversation was on auto, but it is
 * not new. */
enum renew_decline {
  RENEW_NOT_DECLINED,
  RENEW_NO_MESSAGE,
  RENEW_HAS_JOB,
  RENEW_NOT_ASSISTANTS,
  RENEW_BEFORE_AUTO,
  RENEW_TURN_OPEN,
  RENEW_NOT_LIVE,
  RENEW_TOO_OLD,
  RENEW_TIME_UNKNOWN,
  RENEW_TIME_AHEAD
};
/* Does the message get a follow-up? The answer does not depend on when this is asked. */
enum renew_decline renew_declined(const struct renew_rules *r, const struct renew_facts *f);
/* For people. */
const char *renew_decline_reason(enum renew_decline d);
/* Are people told about it? True for the last three. */
bool renew_decline_is_told(enum renew_decline d);

/* When the first attempt of a job that is made now is due. cooldown_until: the conversation's; 0:
 * none. All wall time. */
int64_t renew_first_due(int64_t now, int64_t cooldown_until);

/* Unreached: nothing got to the target. Released: nothing was tried. Neither is charged. */
enum renew_outcome {
  RENEW_DONE,
  RENEW_RETRY,
  RENEW_FAILED,
  RENEW_UNKNOWN,
  RENEW_RELEASED,
  RENEW_UNREACHED
};
const char *renew_outcome_name(enum renew_outcome o); /* as END has it */

/* Bytes of a target's words (result.h), with the terminator. */
#define RENEW_WORDS 304

/* The result of an attempt, as its channel saw it. */
struct renew_result {
  enum renew_outcome outcome;
  int64_t
      retry_after; /* of retry and released: milliseconds that the target asked to wait; 0: none */
  bool limit;      /* the account's limit is reached; the outcome is for one without account */
  int64_t limit_until;    /* wall: its end, as the target told it; 0: it did not */
  int http_status;        /* 0: none */
  int exit_code;          /* of exec; -1: none */
  char error[400];        /* empty: none */
  double cost;            /* what it cost, as the target says; negative: it does not */
  int64_t tokens;         /* likewise how many it used */
  char text[RENEW_WORDS]; /* the beginning of what was answered; empty: not known */
};

/* The meaning of an HTTP status for a delivery. */
enum renew_outcome renew_http_outcome(int status);

/* The facts about an attempt that go to the store. */
struct renew_verdict {
  enum renew_outcome outcome;
  int64_t next_attempt_at; /* wall; 0 unless the job is pending again */
  int64_t cooldown_until;  /* wall; 0 unless done */
  char why[120];           /* for the log of attempts */
};
/* What is known about the job before this attempt's end; all but `released` by the store. */
struct renew_count {
  int64_t attempt; /* the number of this one, from 1 */
  int64_t max_attempts;
  int64_t unreached;     /* how many attempts before this one did not reach the target, in a row */
  int64_t unreached_age; /* how long ago the first of those ended, in milliseconds */
  int64_t released; /* how often in a row, with this one, its target said that nothing was sent; 0:
                       it is renewd itself that sent nothing */
};
/* The wait before a retry is random, from 0 to a limit that doubles with each attempt up to
 * backoff_max; a longer retry_after counts instead. The wait after an unreached attempt is random,
 * from half of a limit to all of it; the limit is 30 s and doubles up to 30 min. The last attempt
 * is give_up after the first of the row: if that is unreached too, the job fails. What renewd
 * itself released is due at once; what the target released waits 5 s, which doubles up to 30 min,
 * or for retry_after if that is longer. */
struct renew_verdict renew_judge(const struct renew_rules *r, struct ck_random *random,
                                 const struct renew_result *result, const struct renew_count *count,
                                 int64_t now);

/* For an attempt that a dead run left. repeatable: sending it again does no harm, so it is
 * released; otherwise its end is unknown and it waits for a person. */
struct renew_verdict renew_recover(bool repeatable, int64_t now);

#endif

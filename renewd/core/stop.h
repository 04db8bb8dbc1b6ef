/* The brake and the stop rules: may a conversation's next delivery go, as far as its earlier ones,
 * its owner's wishes and its last answer are concerned? Pure. */
#ifndef RENEWD_CORE_STOP_H
#define RENEWD_CORE_STOP_H

#include <stdbool.h>

#include "proto/quiet.h"
#include "proto/renewal.h"
#include "renewd/core/limit.h"

/* The settings. Texts are borrowed. */
struct renew_stop_rules {
  int64_t in_a_row, alike, per_day;     /* 0: does not count */
  int64_t cost_per_day, tokens_per_day; /* likewise; a cost in millionths (proto/cost.h) */
  bool question;
  struct ck_str question_ok, text;
  struct ck_str quiet; /* hours without automatic deliveries (proto/quiet.h); empty: none */
  /* The time zone of that name; NULL with the reason. A pure function of the name. */
  const struct ck_zone *(*zone)(const void *self, struct ck_str name, struct ck_err *err);
  const void *zones; /* its self */
};

/* What the store knows (the QUERY `brakes`). Texts are borrowed. */
struct renew_past {
  struct ck_str platform;
  struct ck_str renewal; /* the conversation's own rules, which go before the settings */
  bool has_sixtieth;
  int64_t sixtieth_age;             /* how long ago the 60th newest delivery began, ms */
  int64_t in_a_row, per_day, alike; /* the rule that applies; 0: none does */
  int64_t day_age;                  /* of per_day: how long ago the oldest began */
  int64_t cost_per_day, cost_age;   /* what was reached, else 0; and how long ago the oldest of the
                                       newest deliveries began that cost so much together */
  int64_t tokens_per_day, tokens_age; /* likewise */
  struct ck_str text, waits, turn;    /* of the message that is followed up */
  struct renew_refusal refusal;       /* likewise */
  bool has_account;                   /* whose limit holds up all of its conversations */
  int64_t came_at;                    /* wall: when that message came */
  bool resumed;                       /* a person let it go on after that message */
  bool anyway;                        /* a person wants the job, whatever would stop it */
};

enum renew_brake {
  RENEW_FREELY,
  RENEW_BRAKED, /* it waits, and then goes by itself */
  RENEW_STOPPED /* it waits for a person */
};
struct renew_stop {
  enum renew_brake brake;
  bool all;      /* it holds for jobs by hand, too */
  bool calendar; /* it goes at a time of the day */
  int64_t wait;  /* of RENEW_BRAKED: milliseconds; never more than a day, wherever the clock is */
  char why[200]; /* a sentence for people, UTF-8, without a full stop; empty if it goes */
};

/* automatic: renewd made the job, and no person wants it anyway; only such a job is stopped by a
 * rule. A pattern that is none, or takes too long, stops it, and says so. now: wall time. */
struct renew_stop renew_stop(const struct renew_stop_rules *rules, const struct renew_past *past,
                             bool automatic, int64_t now);

#endif

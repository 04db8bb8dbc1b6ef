/* renewd's copy of the store's state: the conversations on auto or paused, and the jobs that are
 * pending or running, each with the time at which it may be claimed. Built from followed rows at
 * every start. Pure: no clock, no I/O.
 *
 * Two clocks. A stored deadline is wall time. One that a person set for a calendar time
 * (`renew --at`) is compared with the wall clock each time, so it follows a step of that clock. A
 * wait (delay, cooldown, backoff) is converted to CLOCK_BOOTTIME when its row arrives, so a step
 * neither lengthens nor shortens it.
 */
#ifndef RENEWD_STATE_H
#define RENEWD_STATE_H

#include "proto/heap.h"
#include "proto/records.h"
#include "renewd/due.h"
#include "renewd/index.h"
#include "renewd/pace.h"

/* Wall: milliseconds since the Unix epoch. Boot: milliseconds of CLOCK_BOOTTIME. */
struct renew_now {
  int64_t wall, boot; /* ck_now_ms(), ck_boot_ms() */
};

enum renew_automation { RENEW_MANUAL, RENEW_AUTO, RENEW_PAUSED };

/* What this process does with a job. Blank: cannot happen.
 *
 *               claimed  row: done or    row: pending   settled    recovery    recovery
 *                        failed; reset   or running                begins      is over
 *   FREE        OURS     (dropped)       FREE                      RECOVERING
 *   RECOVERING           (dropped)       RECOVERING                            FREE
 *   OURS                 GONE            OURS           FREE
 *   GONE                 GONE            OURS           (dropped)
 *
 * A dropped job may come back with its next row, as FREE. A recovery that began before that does
 * not count for it.
 *
 * A job that is FREE or OURS becomes OFFERED when it is left to its client, and FREE when that is
 * over; it needs no slot meanwhile. Done, failed or reset, it is dropped. */
enum renew_job_state {
  RENEW_JOB_FREE,
  RENEW_JOB_RECOVERING, /* a dead run's, and running: queries about it are out */
  RENEW_JOB_OURS,       /* claimed by this process */
  RENEW_JOB_OFFERED,    /* waits for its client, or is with it (offer.c) */
  RENEW_JOB_GONE        /* ours, but over, or of a history that was reset */
};

/* How far renewd is with the last message of a conversation on auto, which is judged once, when it
 * has been unchanged for `delay`.
 *
 *                  new, changed,   unchanged     left auto       answered          reset
 *                  or on auto      for `delay`
 *   QUIET          SETTLING
 *   SETTLING       SETTLING        QUERIED       QUIET                             QUIET
 *   QUERIED        QUERIED_AGAIN                 QUERIED_AGAIN   QUIET, SETTLING
 *   QUERIED_AGAIN  QUERIED_AGAIN                 QUERIED_AGAIN   QUIET, SETTLING   QUERIED */
enum renew_querying {
  RENEW_QUIET,
  RENEW_SETTLING,     /* in the heap `settling` */
  RENEW_QUERIED,      /* the queries are out */
  RENEW_QUERIED_AGAIN /* they are out, and the message has changed since */
};

/* Why a conversation's deliveries wait for a person, or for an hour to pass: decided by
 * renew_brake (due.h) from what the store knows, and forgotten with the conversation's next row. */
struct renew_braked {
  enum renew_brake brake;
  int64_t until; /* boot; RENEW_NEVER: until a person lets it go on */
};

struct renew_conversation;

struct renew_job {
  struct renew_node node; /* its id is job_id; first, so that a node is its job */
  struct renew_conversation *of;
  struct renew_job *next; /* of the same conversation */
  bool automatic;         /* renewd made it, and it may be superseded; a person made the others */
  bool anyway;            /* a person wants it although it is superseded */
  bool proposed;          /* a SUPERSEDE of it has no receipt yet */
  bool running;           /* its status in the store; else pending */
  enum renew_job_state state;
  struct renew_lane *lane; /* of its target */
  struct renew_lane *slot; /* while it is ours: the lane in which it was claimed; else NULL */
  bool begun;              /* ours, and its delivery has begun */
  int64_t next_attempt_at; /* wall; RENEW_NEVER: none */
  int64_t due;             /* boot: next_attempt_at, converted when its row came */
  int64_t hold;            /* boot: not to be claimed before */
  int64_t created_at;
  int64_t attempt_count;
  char *client;    /* who delivers it (target.h); NULL: renewd does */
  char *no_target; /* why nothing can be sent (resolve.h); NULL: it has a target */
};

struct renew_conversation {
  struct renew_node node;  /* its id is local_conversation_id; first */
  struct ck_timer timer;   /* boot: when its next job may be claimed, but for the lane's pace */
  struct renew_lane *lane; /* the lane of that job, where the timer is; NULL: there is none */
  enum renew_automation automation;
  /* The last message; it has been unchanged for `delay` at boot time `settled`. */
  struct renew_node last; /* its id: NULL for none */
  char last_job_id[37];   /* that of its automatic job */
  uint64_t last_text;     /* a hash of its text; 0: not known */
  int64_t settled;
  struct ck_timer settling;
  enum renew_querying querying;
  bool judged;
  enum renew_decline declined; /* as it was judged */

  int64_t cooldown_until; /* wall, 0 for none */
  int64_t rest;           /* boot: cooldown_until, converted when its row came */
  struct renew_job *jobs;
  struct ck_timer braked_timer; /* in the state's heap of those that are braked */
  struct renew_braked braked;
  bool changed;  /* its row has come since its last claim */
  bool calendar; /* its next job waits for a calendar time */
  bool checking; /* queued: some job may be superseded */
  struct renew_conversation *next_checked;
};

/* Zero-initialise, then set pace.spacing and delay. */
struct renew_state {
  int64_t delay; /* milliseconds */
  struct renew_index conversations, jobs;
  struct renew_pace pace;
  struct ck_heap braked;
  struct renew_index lasts; /* conversations by their last message */
  struct ck_heap settling;
  struct renew_conversation *checks, **checks_end;
  size_t declined; /* conversations whose last message was declined for a reason that people are
                      told */
  struct {
    uint32_t id;
    uint64_t text;
  } seen;           /* hashes of the message whose row came last */
  size_t calendars; /* conversations whose next job waits for a calendar time */
  int64_t offset;   /* wall − boot when those were last placed in their lanes */
};

/* Takes a row from the follower. A job that is done or failed is dropped. Of messages, only rows
 * that are new or change need to come: they tell that a message still grows. */
void renew_state_row(struct renew_state *st, const struct ck_row *row, struct renew_now now);
/* Another history begins: forgets everything, but jobs that are ours stay so until they are
 * settled. */
void renew_state_reset(struct renew_state *st);
/* Frees everything, also what is ours. */
void renew_state_free(struct renew_state *st);

/* Takes the next job that may be claimed, which is ours from then on. NULL when none is due, or
 * none of those that are has its turn (pace.h). The job stays valid until it is settled. */
struct renew_job *renew_state_claim(struct renew_state *st, struct renew_now now);
/* The boot time at which renew_state_claim will have a job; RENEW_NEVER when that takes a row or a
 * free slot first. */
int64_t renew_state_due(struct renew_state *st, struct renew_now now);
/* The delivery of a job that is ours begins. */
void renew_state_begin(struct renew_state *st, struct ck_str job_id, struct renew_now now);
/* The attempt is over and its rows have been followed. The job is not ours any more; if it is still
 * pending it may be claimed again, not before boot time `hold`. */
void renew_state_settle(struct renew_state *st, struct ck_str job_id, int64_t hold,
                        struct renew_now now);

/* The job, which is FREE or OURS, is left to its client: its conversation has no other delivery. */
void renew_state_offer(struct renew_state *st, struct renew_job *j, struct renew_now now);
/* The job's client is done with it, or its offer was withdrawn: it may be claimed again, not before
 * boot time `hold`. A job that is not OFFERED stays as it is. */
void renew_state_offered(struct renew_state *st, struct ck_str job_id, int64_t hold,
                         struct renew_now now);
/* May the job, which is OFFERED, be delivered now, as far as its row and conversation say? */
bool renew_state_may_go(const struct renew_job *j, struct renew_now now);

/* Sets why the job has nowhere to go, so that it is not claimed; NULL: it has a target. */
void renew_state_target(struct renew_state *st, struct renew_job *j, const char *no_target,
                        struct renew_now now);

/* Ends a claim before anything was sent, because the conversation is braked. If the conversation's
 * row has come meanwhile, the brake is not set: the job may be claimed again, which asks again. */
void renew_state_brake(struct renew_state *st, struct ck_str job_id, struct renew_braked braked,
                       struct renew_now now);

/* Begins the recovery of a job that is running and not ours. False: it is not such a job, or its
 * recovery has begun already. */
bool renew_state_recover(struct renew_job *j);
/* The recovery is over, with whatever result. */
void renew_state_recovered(struct renew_state *st, struct ck_str job_id, struct renew_now now);

/* ---- turns: state_turn.c ---- */

/* Takes the next conversation whose last message has settled, to be asked about; NULL for none. It
 * comes again only after its last message has changed and renew_state_considered was called. */
struct renew_conversation *renew_state_consider(struct renew_state *st, struct renew_now now);
/* The boot time at which renew_state_consider will have one; RENEW_NEVER when that takes a row. */
int64_t renew_state_settles(const struct renew_state *st);
/* The queries about it are answered. judged: the verdict counts; else the message is asked about
 * again after the delay. */
void renew_state_considered(struct renew_state *st, struct ck_str conversation_id, bool judged,
                            enum renew_decline verdict, struct renew_now now);
/* True while the message that is asked about is the last one, has not changed since, and the
 * conversation is on auto. c may be NULL. */
bool renew_state_is_current(const struct renew_conversation *c, struct ck_str message_id);

/* Nobody wants the job any more, as far as is known here: another message is the conversation's
 * last one, or it is manual. */
bool renew_state_is_superseded(const struct renew_job *j);
/* Takes the next superseded job that waits, to be proposed to the store. NULL for none. */
struct renew_job *renew_state_supersede(struct renew_state *st);
/* The proposal has its receipt. anyway: the store keeps the job, because a person wants it. */
void renew_state_superseded(struct renew_state *st, struct ck_str job_id, bool anyway,
                            struct renew_now now);

/* ---- looking ---- */

/* True when one of its jobs is ours, or with its client. */
bool renew_state_busy(const struct renew_conversation *c);
/* NULL: not known, which means manual and without jobs. */
struct renew_conversation *renew_state_conversation(const struct renew_state *st, struct ck_str id);
/* NULL: done, failed, or unknown. */
struct renew_job *renew_state_job(const struct renew_state *st, struct ck_str id);

#endif

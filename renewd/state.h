/* What renewd knows of the store: the conversations that are on auto or paused, and the jobs that
 * are not over, each with the time at which it may be claimed. Filled from followed rows; made
 * again at every start. Pure: no clock, no I/O.
 *
 * Two clocks: a stored deadline is wall time. What a person set for a calendar time (`renew --at`)
 * is held against the wall clock at every look, so that it follows a step of that clock. A rest
 * (delay, cooldown, backoff) is turned into CLOCK_BOOTTIME when its row arrives, so that a step
 * neither stretches nor cuts it.
 */
#ifndef RENEWD_STATE_H
#define RENEWD_STATE_H

#include "proto/records.h"
#include "renewd/heap.h"
#include "renewd/index.h"

#define RENEW_NEVER INT64_MAX

struct renew_now {
  int64_t wall, boot; /* ck_now_ms(), ck_boot_ms() */
};

enum renew_automation { RENEW_MANUAL, RENEW_AUTO, RENEW_PAUSED };

/* What this process does with a job. Blank: it cannot happen.
 *
 *               claimed  its row: over,  its row: pending  settled    recovery  recovery
 *                        new history     or running                   begins    is over
 *   FREE        OURS     (dropped)       FREE                         RECOVERING
 *   RECOVERING           (dropped)       RECOVERING                             FREE
 *   OURS                 GONE            OURS              FREE
 *   GONE                 GONE            OURS              (dropped)
 *
 * A job that was dropped may come back with its next row, as FREE; a recovery that began before is
 * over for it too, then. */
enum renew_job_state {
  RENEW_JOB_FREE,
  RENEW_JOB_RECOVERING, /* running, and a dead run's: what became of it is being asked */
  RENEW_JOB_OURS,       /* claimed by this process */
  RENEW_JOB_GONE        /* over or forgotten while ours */
};

/* Whether a conversation's last message is being asked about.
 *
 *                its row changed   its turn               answered
 *   QUIET        QUEUED
 *   QUEUED       QUEUED            ASKED; QUIET where it is not on auto any more
 *   ASKED        ASKED_AGAIN                              QUIET
 *   ASKED_AGAIN  ASKED_AGAIN       ASKED_AGAIN, at the end of the queue once more
 *                                                         QUEUED
 * A new history takes all out of the queue: QUEUED becomes QUIET, ASKED_AGAIN ASKED. */
enum renew_querying { RENEW_QUIET, RENEW_QUEUED, RENEW_ASKED, RENEW_ASKED_AGAIN };

struct renew_conversation;

struct renew_job {
  struct renew_node node; /* job_id; first, so that a node is its job */
  struct renew_conversation *of;
  struct renew_job *next; /* of the same conversation */
  bool automatic; /* renewd made it, so it waits unless its conversation is on auto; others are a
                     person's */
  bool running;   /* as the store has it */
  enum renew_job_state state;
  int64_t next_attempt_at; /* wall; RENEW_NEVER: not due */
  int64_t due;             /* next_attempt_at as boot time, of when it was learnt */
  int64_t hold;            /* boot; not before */
  int64_t created_at;
  int64_t attempt_count;
};

struct renew_conversation {
  struct renew_node node;   /* local_conversation_id; first */
  struct renew_timer timer; /* the boot time at which its next job may be claimed */
  enum renew_automation automation;
  char *last_message_id;  /* NULL for none */
  int64_t cooldown_until; /* wall, 0 for none */
  int64_t rest;           /* cooldown_until as boot time */
  struct renew_job *jobs;
  bool calendar; /* its next job waits for the wall clock */
  enum renew_querying asking;
  struct renew_conversation *next_queued;
};

/* Zero-initialise, then set slots. */
struct renew_state {
  unsigned slots; /* jobs that may be ours at once */
  unsigned ours;
  struct renew_index conversations, jobs;
  struct renew_heap heap;
  struct renew_conversation *queue, **queue_end;
  size_t calendars; /* conversations that wait for the wall clock */
  int64_t offset;   /* wall − boot when those were last placed */
};

/* Rows as they come from the follower; of job rows only what is pending or running is kept. */
void renew_state_row(struct renew_state *st, const struct ck_row *row, struct renew_now now);
/* Another history begins: everything is forgotten, except that what is ours stays so until it is
 * settled. */
void renew_state_reset(struct renew_state *st);
void renew_state_free(struct renew_state *st);

/* The next job to be claimed, which is ours from then on; NULL when none is due, or all slots are
 * taken. */
struct renew_job *renew_state_claim(struct renew_state *st, struct renew_now now);
/* The boot time at which renew_state_claim will have one; RENEW_NEVER when only a change can bring
 * one. */
int64_t renew_state_due(struct renew_state *st, struct renew_now now);
/* The attempt is over and its rows have been followed: the job, if it still is one, may be claimed
 * again, not before boot time `hold`. */
void renew_state_settle(struct renew_state *st, struct ck_str job_id, int64_t hold,
                        struct renew_now now);

/* A job that is running and not ours is to be recovered. false: it is no such job, or it is being
 * recovered already. */
bool renew_state_recover(struct renew_job *j);
/* The recovery is over, whatever came of it. */
void renew_state_recovered(struct renew_state *st, struct ck_str job_id, struct renew_now now);

/* The next conversation whose last message is to be asked about, NULL for none; it comes again only
 * if it changes, and not before it was released. */
struct renew_conversation *renew_state_consider(struct renew_state *st);
void renew_state_considered(struct renew_state *st, struct ck_str conversation_id);

/* One of its jobs is ours. */
bool renew_state_busy(const struct renew_conversation *c);
struct renew_conversation *
renew_state_conversation(const struct renew_state *st,
                         struct ck_str id); /* NULL: not known, so manual */
struct renew_job *renew_state_job(const struct renew_state *st,
                                  struct ck_str id); /* NULL: over, or never was */

#endif

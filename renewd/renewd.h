/* The daemon around the core (core/core.h), which decides. The daemon listens, and does what the
 * core says:
 *
 *   follow, query ──► events ──► renew_step ──► effects ─┬─► query       the store is asked
 *   outcomes, sending ─┘                                 ├─► outcomes    the store is told
 *                                                        └─► sending     a channel delivers
 *
 * The log of attempts (attempts.h) is made from the store's rows, whatever the core does.
 */
#ifndef RENEWD_RENEWD_H
#define RENEWD_RENEWD_H

#include "proto/clock.h"
#include "proto/follow.h"
#include "proto/histogram.h"
#include "renewd/attempts.h"
#include "renewd/channel.h"
#include "renewd/core/core.h"
#include "renewd/outcomes.h"
#include "renewd/question.h"

/* The tables whose rows it keeps to; of others it gets what is new. */
#define RENEW_FOLLOWS (1u << CK_CONVERSATIONS | 1u << CK_JOBS | 1u << CK_FORGOTTEN)

struct renewd {
  const struct ck_settings *settings;
  struct renew_core core;
  struct renew_effects effects; /* that are to be done */
  struct ck_follow *follow;
  struct renew_outcomes *outcomes;
  struct renew_queries *queries;
  struct renew_paused *paused;
  struct renew_notify *notify;     /* NULL: nobody is told */
  struct renew_log *log;           /* of attempts */
  struct renew_launcher *launcher; /* NULL: no renew.exec.NAME is set */
  struct renew_channels channels;
  struct renew_sending *sending;  /* the deliveries under way */
  struct ck_histogram deliveries; /* how long they took, from SEND to RESULT */
  struct ck_histogram lateness;   /* from when a job was due until it was claimed */
  bool connected;                 /* as the core was told */
  bool live;                      /* as it was told */
  struct ck_buf held;             /* the report's part about jobs that are due and do not go */
  int64_t held_at;                /* boot: when to look at them again */
  int64_t ahead; /* of `plan`: how far the core's clocks are ahead of the real ones */
  int follow_wait, outcomes_wait, queries_wait; /* ms until the next step of each; -1: no limit */
  int64_t stop_by, report_at;                   /* boot time; stop_by 0: it was not asked to stop */
};

/* Both clocks, read now. */
static inline struct renew_now renew_now(void) {
  return (struct renew_now){ck_now_ms(), ck_boot_ms()};
}

/* Tells the core. What follows is in `effects`. */
void renew_happens(struct renewd *r, const struct renew_event *event);

/* ---- settings.c ---- */

/* The settings must outlive what it returns. */
struct renew_settings renew_settings_of(const struct ck_settings *s);

/* ---- effects.c ---- */

/* Does what is in `effects`, and what follows from that. False: there was nothing. */
bool renew_do_effects(struct renewd *r);

/* ---- sending.c: deliveries, from SEND to RESULT ---- */

/* Begins the delivery of this SEND. */
void renew_sending_begin(struct renewd *r, const struct renew_effect *send);
/* Pumps the channels, and tells the core of the results. */
void renew_sending_step(struct renewd *r);
/* Makes the delivery with that ticket end soon. */
void renew_sending_cancel(struct renewd *r, uint64_t ticket);
/* Gives the delivery with that ticket up. */
void renew_sending_abandon(struct renewd *r, uint64_t ticket);
/* Gives all up, and closes the channels. */
void renew_sending_end(struct renewd *r);

/* ---- report.c ---- */

/* Appends the map `info` of renewd's REPORT. live: it follows the store and can tell it things. */
void renew_put_report(struct renewd *r, bool live, struct ck_buf *b);

/* ---- plan.c ---- */

/* The task `plan UNTIL`, a wall time in ms: what would be sent by then if nobody said anything. It
 * writes nothing: the core of a renewd of its own follows the store and asks it, but what it tells
 * and sends goes no further, and its clocks run ahead of the real ones. Says a line for each
 * delivery, in order, and for each job that waits:
 *
 *   {"goes":  {"at", "job_id", "local_conversation_id", "automatic", "made", "payload",
 * "snapshot"}} made: the job does not exist yet; a client's: it would be offered
 *   {"waits": {"job_id", "local_conversation_id", "automatic", "made", "state", "reason", "until",
 *              "due"}}            as core/held.h has them; also running; unknown: its attempt
 *                                may have arrived; failed: it would fail
 *   {"result": {}} or {"error": "…"} at the end
 *
 * Returns the exit code. */
int renew_plan_main(const struct ck_settings *s, int argc, char **argv);

/* ---- task.c ---- */

/* The task `target CONVERSATION`: says, as one line of JSON, where a follow-up of that local
 * conversation would go now, or what is missing:
 *
 *   {"result": {"snapshot": "…", "missing": "…"}}
 *                    the target, left out if there is none; why nothing can be sent there, left out
 *                    if something can
 *   {"error": "…"}   the store did not answer
 *
 * Returns the exit code: 0, or 1 after an error. */
int renew_task_main(const struct ck_settings *s, int argc, char **argv);

#endif

/* renewd's parts, and who drives them:
 *
 *   follow ──rows──► state ──► consider ──► PUT job            (a message gets its follow-up)
 *                      │  └──► deliver ──► CLAIM ─ channel ─ END (a job gets its attempt)
 *                      └─────► recover ──► END                  (what a dead run left, before anything is claimed)
 */
#ifndef RENEWD_RENEWD_H
#define RENEWD_RENEWD_H

#include "proto/clock.h"
#include "proto/daemon.h"
#include "proto/follow.h"
#include "renewd/query.h"
#include "renewd/channel.h"
#include "renewd/due.h"
#include "renewd/outcomes.h"
#include "renewd/state.h"

struct renewd {
  const struct ck_settings *settings;
  struct renew_rules rules;
  struct ck_random random;
  struct renew_state state;
  struct ck_follow *follow;
  struct renew_outcomes *outcomes;
  struct renew_query *query;
  struct renew_channels channels;

  struct renew_delivery *deliveries;
  unsigned considering; /* conversations that are being asked about */
  unsigned recovering;  /* dead run's jobs that are being asked about */
  bool recovered;       /* since this store's history is followed */
  bool stopping;
  int follow_wait, outcomes_wait, query_wait; /* ms until the next step of each; -1: none */
  int64_t stop_by, report_at;                 /* boot */
};

extern const struct ck_daemon renewd_daemon;

static inline struct renew_now renew_now(void) {
  return (struct renew_now){ck_now_ms(), ck_boot_ms()};
}

/* deliver.c: claims what is due. */
void renew_claim(struct renewd *r);
/* Takes what the channels have brought, and lets go of what has been followed. */
void renew_deliver(struct renewd *r);
/* The job's row has changed. */
void renew_delivery_row(struct renewd *r, uint64_t version, const struct ck_row *row);
/* Another history begins: what is waiting to be followed is not in it. */
void renew_delivery_reset(struct renewd *r);
/* Something was claimed whose end the store has not receipted. */
bool renew_unfinished(const struct renewd *r);
/* Lets go of everything that is under way, whatever becomes of it. */
void renew_abandon(struct renewd *r);

/* consider.c: asks about the last messages of conversations on auto, and makes the jobs. */
void renew_consider(struct renewd *r);

/* recover.c: ends the attempts of dead runs. Claim nothing until `recovered` and not `recovering`.
 */
void renew_recover_all(struct renewd *r);
/* A job's row came: a dead run's claim that the store took behind that. */
void renew_recover_row(struct renewd *r, const struct ck_row *row);

#endif

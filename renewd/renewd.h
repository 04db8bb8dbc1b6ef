/* renewd's parts and how they work together:
 *
 *   follow ──rows──► state ──► consider ──► PUT job             a message gets its follow-up
 *                      │  ├──► resolve ──► UPDATE job           a job gets its target
 *                      │  ├──► deliver ──► CLAIM, send, END     a job gets its attempt
 *                      │  ├──► offer ───► OFFER, WITHDRAW, END  or is left to its client,
 *                      │  └──► ended ───► LOGGED                whose ends are logged
 *                      ├─────► supersede ► SUPERSEDE            nobody wants a job any more
 *                      └─────► recover ──► END                  attempts that a dead run left;
 *                                                               nothing is claimed before
 *
 * They are run by the daemon's loop in main.c. Queries to the store go through `queries`,
 * everything that it is told through `outcomes`.
 */
#ifndef RENEWD_RENEWD_H
#define RENEWD_RENEWD_H

#include "proto/clock.h"
#include "proto/follow.h"
#include "renewd/query.h"
#include "renewd/channel.h"
#include "renewd/due.h"
#include "renewd/outcomes.h"
#include "renewd/resolve.h"
#include "renewd/state.h"
#include "renewd/waiter.h"

/* The jobs that wait for their clients, or are with them. Zero-initialise. */
struct renew_offers {
  struct renew_index all;
  bool loading, loaded; /* those that a former run made */
  bool reset;           /* the answer that is to come is about the old history */
  uint64_t pages;       /* of them that have come */
  bool changed;         /* a row came: some offer may have to be withdrawn */
  int64_t at;           /* boot: when a lease runs out */
};

/* The ends of clients' attempts that are not in the log. Zero-initialise. */
struct renew_ended {
  bool look;    /* there may be some in the store */
  unsigned out; /* answers and receipts to come */
};

struct renewd {
  const struct ck_settings *settings;
  struct renew_rules rules;
  struct ck_random random;
  struct renew_state state;
  struct ck_follow *follow;
  struct renew_outcomes *outcomes;
  struct renew_queries *queries;
  struct renew_launcher *launcher; /* NULL: no renew.exec.NAME is set */
  struct renew_channels channels;
  struct renew_resolving resolving;
  struct renew_offers offers;
  struct renew_ended ended;

  struct renew_delivery *deliveries;
  struct renew_waiter *waiters;
  unsigned considering; /* conversations about which queries are out */
  unsigned recovering;  /* a dead run's jobs about which queries are out */
  bool recovered;       /* renew_recover_all has run for this store's history */
  bool stopping;
  struct ck_buf held; /* the report's part about jobs that are due and do not go */
  int64_t held_at;    /* boot: when to look at them again */
  int follow_wait, outcomes_wait, queries_wait; /* ms until the next step of each; -1: no limit */
  int64_t stop_by, report_at;                   /* boot time */
};

/* Both clocks, read now. */
static inline struct renew_now renew_now(void) {
  return (struct renew_now){ck_now_ms(), ck_boot_ms()};
}

/* ---- deliver.c: attempts, from the claim to the end ---- */

/* Claims the jobs that are due, as many as there are free slots; those of clients are offered. */
void renew_claim(struct renewd *r);
/* Pumps the channels, ends attempts that are over, and frees the deliveries whose results have been
 * followed. */
void renew_deliver(struct renewd *r);
/* Another history begins: no delivery waits for versions of the old one. */
void renew_delivery_reset(struct renewd *r);
/* True while the store has not given a receipt for the end of some claimed job. */
bool renew_unfinished(const struct renewd *r);
/* Gives up all deliveries, wherever they are. */
void renew_abandon(struct renewd *r);

/* ---- offer.c: jobs that their clients deliver ---- */

/* Offers the job, which is ours, to its client. */
void renew_offer(struct renewd *r, struct renew_job *j);
/* A client has claimed this running job: waits for the end of its attempt. */
void renew_offer_taken(struct renewd *r, struct renew_job *j);
/* Asks the store for the offers that a former run has made. Nothing may be claimed before
 * offers.loaded. */
void renew_offers_load(struct renewd *r);
/* A job's row came. After renew_state_row. */
void renew_offer_row(struct renewd *r, const struct ck_row *row);
/* Withdraws offers that must not go out now, and ends attempts whose lease has run out. */
void renew_offers_step(struct renewd *r);
/* Another history begins: all offers are those of the old one. */
void renew_offers_reset(struct renewd *r);
/* Frees everything. After renew_queries_free and renew_outcomes_free. */
void renew_offers_free(struct renewd *r);

/* ---- ended.c: the ends of clients' attempts, for the log ---- */

/* A job's row came. Before renew_state_row, which may forget the job. */
void renew_ended_row(struct renewd *r, const struct ck_row *row);
/* Logs those that the store has kept. */
void renew_ended_step(struct renewd *r);

/* ---- consider.c: which messages get a follow-up ---- */

/* Asks about the last messages that have settled in conversations on auto, and makes their jobs. */
void renew_consider(struct renewd *r);

/* ---- supersede.c: jobs that nobody wants any more ---- */

/* Proposes to the store that they end. */
void renew_supersede(struct renewd *r);

/* ---- recover.c: attempts that a dead run left ---- */

/* Ends them all. Nothing may be claimed until this has run and `recovering` is 0 again. */
void renew_recover_all(struct renewd *r);
/* A job's row came. After renew_recover_all, it may show a claim of the dead run that the store
 * applied late. */
void renew_recover_row(struct renewd *r, const struct ck_row *row);

/* ---- report.c ---- */

/* Appends the map `info` of renewd's REPORT. live: it follows the store and can tell it things. */
void renew_put_report(struct renewd *r, bool live, struct ck_buf *b);

#endif

/* Where every observation goes through, from whatever door or file: shaped, spooled, counted; and
 * what could not be taken is kept beside. */
#ifndef INGEST_ACCEPT_H
#define INGEST_ACCEPT_H

#include "ingest/quarantine.h"
#include "ingest/observation.h"
#include "ingest/spool.h"

struct ingest_acceptor {
  struct ingest_spool *spool;
  struct ingest_quarantine
      refused; /* spool/refused.jsonl: what the store refused, and what never was an observation */
  struct ingest_quarantine
      unknown; /* spool/unknown.jsonl: observations with names that are not known */
  uint64_t refused_count, rejected_count, unknown_count;
  char last_error[320];
  int64_t last_error_at; /* ck_now_ms() */
  bool broken;           /* the spool cannot go on */
  bool full;             /* the disk has no room */
  int64_t retry_at;      /* ck_boot_ms() at which a full disk is tried again */
  struct ck_buf packed, line, raw;
  struct ck_arena arena;
};

void ingest_accept_init(struct ingest_acceptor *t, struct ingest_spool *spool, const char *dir);
void ingest_accept_free(struct ingest_acceptor *t);

/* Takes one observation into the spool (durable only after ingest_accept_sync). 0, or -1: err says
 * why; it is counted and kept. from: who or what file; place: where in it, may be "". */
int ingest_accept(struct ingest_acceptor *t, const struct ingest_observation *o, const char *from,
                  const char *place, uint64_t *number, struct ck_err *err);

/* Counts and keeps what is no observation. */
void ingest_reject(struct ingest_acceptor *t, const char *from, const char *place,
                   const char *reason, struct ck_str raw);

/* The observation as it came, as JSON; empty where there is none. Valid until the next call. */
struct ck_str ingest_accept_raw(struct ingest_acceptor *t, const struct ingest_observation *o);

/* True: everything that was taken is durable. False: no room (t->full), or the end (t->broken). */
bool ingest_accept_sync(struct ingest_acceptor *t);

/* Keeps what the store refused. place: which message it was, for people. */
void ingest_refused(struct ingest_acceptor *t, uint64_t number, struct ck_str reason,
                    struct ck_buf *place);

#endif

/* The acceptor: every observation passes it, whether it came by the door or in a file. It makes the
 * changeset, adds it to the spool and counts it. Inputs it cannot accept, and changesets the store
 * refuses, go to quarantine files. */
#ifndef INGEST_ACCEPT_H
#define INGEST_ACCEPT_H

#include "proto/quarantine.h"
#include "ingest/observation.h"
#include "ingest/spool.h"

struct ingest_acceptor {
  struct ingest_spool *spool;
  /* spool/refused.jsonl: changesets the store refused, and inputs that are not observations. */
  struct ck_quarantine refused;
  /* spool/unknown.jsonl: observations with unknown names, or a target without a conversation. */
  struct ck_quarantine unknown;
  uint64_t refused_count, rejected_count, unknown_count;
  char last_error[320];
  int64_t last_error_at; /* ck_now_ms() */
  bool broken;           /* the spool has failed: end the process */
  bool full;             /* the disk has no room */
  int64_t retry_at;      /* ck_boot_ms() of the next try while the disk is full */
  struct ck_buf packed, line, raw;
  struct ck_arena arena;
};

/* spool is borrowed; dir is its folder, where the quarantine files go. */
void ingest_accept_init(struct ingest_acceptor *a, struct ingest_spool *spool, const char *dir);
void ingest_accept_free(struct ingest_acceptor *a);

/* Adds one observation to the spool and sets *number to its changeset's number. It is durable only
 * after ingest_accept_sync. -1: it cannot be accepted, err says why; it is counted and quarantined.
 * from: the door or the file it came from; place: where in the file, may be "". */
int ingest_accept(struct ingest_acceptor *a, const struct ingest_observation *o, const char *from,
                  const char *place, uint64_t *number, struct ck_err *err);

/* Counts and quarantines an input that is not an observation. raw: the input, may be empty. */
void ingest_reject(struct ingest_acceptor *a, const char *from, const char *place,
                   const char *reason, struct ck_str raw);

/* The observation as it was sent, as JSON; empty if the source keeps none. Valid until the next
 * call. */
struct ck_str ingest_accept_raw(struct ingest_acceptor *a, const struct ingest_observation *o);

/* Makes everything accepted so far durable. False: the disk is full (a->full), or the spool has
 * failed (a->broken). */
bool ingest_accept_sync(struct ingest_acceptor *a);

/* Quarantines a changeset that the store refused. Sets *place to the message or execution it was
 * about, for people. */
void ingest_refused(struct ingest_acceptor *a, uint64_t number, struct ck_str reason,
                    struct ck_buf *place);

#endif

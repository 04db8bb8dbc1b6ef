/* The acceptor: every observation passes it, whether it came by the door or in a file. It makes the
 * changeset, adds it to the spool and counts it. Inputs it cannot accept, and changesets the store
 * refuses, go to quarantine files. */
#ifndef INGEST_ACCEPT_H
#define INGEST_ACCEPT_H

#include "ingest/changeset.h"
#include "ingest/notes.h"
#include "proto/quarantine.h"
#include "ingest/spool/spool.h"

/* Who gives a conversation to the acceptor, and hears what becomes of it. */
struct ingest_giver {
  void *self;
  const char *from; /* the file, for people */
  /* A changeset with so many messages and executions was added to the spool. */
  void (*spooled)(void *self, uint64_t number, unsigned messages, unsigned executions);
  /* Something that cannot go in; it is quarantined already. */
  void (*failed)(void *self, const char *place, const char *reason);
  void (*note)(void *self, const char *kind, uint64_t n);
};

struct ingest_acceptor {
  struct ingest_spool *spool;
  /* spool/refused.jsonl: changesets the store refused, and inputs that are not observations. */
  struct ck_quarantine refused;
  /* spool/unknown.jsonl: observations with unknown names, or a target without a conversation. */
  struct ck_quarantine unknown;
  int64_t assumed_at; /* the time of the last observation that came without one; 0: none came */
  uint64_t refused_count, rejected_count, unknown_count;
  /* What keeps it from accepting anything: a matter for the owner. An input that is refused is
   * none: it is counted. */
  char last_error[320];
  int64_t last_error_at;     /* ck_now_ms() */
  bool broken;               /* the spool has failed: end the process */
  bool full;                 /* the disk has no room */
  int64_t retry_at;          /* ck_boot_ms() of the next try while the disk is full */
  struct ingest_notes notes; /* since the start */
  struct ck_buf line, raw;
  struct ck_buf message_id; /* of the observation that was accepted last */
  struct ck_arena arena;
  struct ingest_changeset alone; /* an observation that stands alone */
  struct ingest_changeset many;  /* the conversation that is being given */
  struct ck_buf rows, row;       /* that are adopted: of a changeset, and the last one */
  const struct ingest_giver *giver;
};

/* spool is borrowed; dir is its folder, where the quarantine files go. */
void ingest_accept_init(struct ingest_acceptor *a, struct ingest_spool *spool, const char *dir);
void ingest_accept_free(struct ingest_acceptor *a);

/* Adds an observation that stands alone to the spool and sets *number to its changeset's number. It
 * is durable only after ingest_accept_sync. -1: it cannot be accepted, err says why; it is counted
 * and quarantined.
 * from: the door or the file it came from; place: where in the file, may be "". original: the id of
 * what it was read from, or empty. age: how new it is if it has no time (ingest_changeset_alone).
 * Observations without a time get different ones, which rise: they are read in the order in which
 * they came. */
int ingest_accept(struct ingest_acceptor *a, const struct ingest_observation *o, const char *from,
                  const char *place, struct ck_str original, int64_t age, uint64_t *number,
                  struct ck_err *err);

/* Adds a conversation: begin, each of its messages (one without text is there already, and has
 * executions), end. It becomes as few changesets as hold it
 * (changeset.h). What is wrong with one row is told to the giver, and the others go in. c, original
 * and giver must last until the end. */
void ingest_accept_begin(struct ingest_acceptor *a, const struct ingest_conversation *c,
                         struct ck_str original, const struct ingest_giver *giver);
void ingest_accept_message(struct ingest_acceptor *a, const struct ingest_observation *o,
                           const char *place);
void ingest_accept_end(struct ingest_acceptor *a);

/* Adds rows that are adopted (docs/records.md), as one changeset if they fit one. original and
 * giver as above. */
void ingest_accept_rows(struct ingest_acceptor *a, const struct ingest_rows *rows,
                        struct ck_str original, const struct ingest_giver *giver,
                        const char *place);

/* Adds one ATTACHMENT mutation, encoded, to the spool, as ingest_accept does with an observation.
 * *last: it is the last part of its attachment. -1: it is none. */
int ingest_accept_attachment(struct ingest_acceptor *a, struct ck_str mutation, uint64_t *number,
                             bool *last, struct ck_err *err);

/* Adds a block of originals to the spool, as one changeset: mutations, an encoded array. Sets
 * *number. */
void ingest_accept_block(struct ingest_acceptor *a, struct ck_str mutations, uint64_t *number);

/* Counts and quarantines an input that is not an observation. raw: the input, may be empty. */
void ingest_reject(struct ingest_acceptor *a, const char *from, const char *place,
                   const char *reason, struct ck_str raw);

/* The observation as it was sent, as JSON; empty if the source keeps none. Valid until the next
 * call. */
struct ck_str ingest_accept_raw(struct ingest_acceptor *a, const struct ingest_observation *o);

/* Makes everything accepted so far durable. False: the disk is full (a->full), or the spool has
 * failed (a->broken). */
bool ingest_accept_sync(struct ingest_acceptor *a);

/* Quarantines a changeset that the store refused. each: called for each message it was about, or
 * each execution if it has no message, or the attachment, with its place for people; may be NULL.
 */
void ingest_refused(struct ingest_acceptor *a, uint64_t number, struct ck_str reason,
                    void (*each)(void *self, const char *place, struct ck_str reason), void *self);

#endif

/* Files that are being read, each on its way to the store: its reader, its originals, and the tally
 * of its changesets. Whoever reads the file (import.c, ingest/watch/) feeds the reader, and has
 * ingest_reading_go called in each turn of the loop. */
#ifndef INGEST_FILES_READING_H
#define INGEST_FILES_READING_H

#include "ingest/accept.h"
#include "ingest/files/blocks.h"
#include "ingest/files/lookup.h"
#include "ingest/files/reader.h"
#include "proto/wire.h"

struct ingest_reading;
struct ingest_sent;

/* All of them. */
struct ingest_readings {
  struct ingest_acceptor *acceptor;
  struct ingest_reading *head;
  struct ZSTD_CCtx_s *zstd; /* of their blocks; freed by ingest_readings_end */
};

struct ingest_reading {
  struct ingest_reading *next;
  struct ingest_readings *all;
  char *name;
  struct ingest_reader *reader;
  struct ingest_blocks blocks;
  struct ingest_notes notes;
  /* Of observations: added to the spool; of these, with a receipt; and what became of them. */
  uint64_t taken, receipted, added, updated, unchanged, failed;
  struct ck_buf failures; /* packed entries of struct ck_failure, failures_kept of them */
  uint32_t failures_kept;
  /* ---- its own ---- */
  bool followed; /* as ingest_reading_follow says: */
  int64_t live_since;
  uint64_t question; /* that the store has not answered; 0: none */
  int64_t asked_at;  /* ck_boot_ms() */
  bool in_conversation;
  struct ingest_sent *sent; /* changesets without a receipt, ascending: sent_first to sent_end */
  size_t sent_first, sent_end, sent_room;
  struct ingest_giver giver;
};

/* name: of the file; copied. again, first: as in ingest_reader_originals. Free with
 * ingest_reading_free, which forgets what it has not sent. */
struct ingest_reading *ingest_reading_new(struct ingest_readings *all, struct ck_str name,
                                          bool again, uint64_t first);
void ingest_reading_free(struct ingest_reading **reading);

/* The file is followed: its messages are live that come after its first `history` bytes, and were
 * not said before `since`, milliseconds since the epoch. Call before anything is fed. */
void ingest_reading_follow(struct ingest_reading *reading, uint64_t history, int64_t since);

/* Reads what can be read, and asks the store about the rest. lookup: NULL if the store does not
 * answer now; then all is read without asking. */
void ingest_reading_go(struct ingest_reading *reading, struct ingest_lookup *lookup);
/* Every changeset that was sent has its receipt. */
bool ingest_reading_receipted(const struct ingest_reading *reading);
/* ck_boot_ms() by which ingest_reading_go must be called again; INT64_MAX: it need not. */
int64_t ingest_reading_until(const struct ingest_reading *reading);

/* How much memory it keeps between two calls. */
size_t ingest_reading_memory(const struct ingest_reading *reading);

/* Something of the file that does not go in. */
void ingest_reading_failed(struct ingest_reading *reading, struct ck_str place,
                           struct ck_str reason);
/* A changeset with so many observations was added to the spool. */
void ingest_reading_sent(struct ingest_reading *reading, uint64_t number, unsigned observations);

/* Call when none is left. */
void ingest_readings_end(struct ingest_readings *all);

/* A changeset has its receipt, as struct ingest_spool_ops says it. If it was refused, it is
 * quarantined. */
void ingest_readings_receipt(struct ingest_readings *all, uint64_t number, char result,
                             struct ck_str reason, const struct ck_counts *counts);
/* The store's answer to a question of ingest_lookup_ask. */
void ingest_readings_had(struct ingest_readings *all, uint64_t question, struct ck_str had);
/* The spool has added `by` to every number from `from` on. */
void ingest_readings_renumbered(struct ingest_readings *all, uint64_t from, uint64_t by);

#endif

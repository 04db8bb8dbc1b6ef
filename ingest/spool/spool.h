/* The spool: changesets without a receipt, on this disk, so that nothing is lost while the store is
 * away.
 *
 *   spool/TAG-NUMBER.seg   segments (segment.h): the producer's tag, the first number in the file
 *   spool/producer         the producer's id
 *   spool/released         the last number with a receipt; a hint, the store knows better
 *   spool/unsent           the first number that was never sent to a store; exists only if records
 *                          were added before the store's first answer
 *   spool/renounced        a producer id that another process uses, too
 *   spool/refused.jsonl    what was refused, with the reason (proto/quarantine.h)
 *   spool/unknown.jsonl    copies of observations with unknown names
 *   spool/damaged/         segments, and tails of segments, that cannot be read
 *
 * A record gets its number when it is added. The store sees it only after ingest_spool_sync has
 * made it durable.
 */
#ifndef INGEST_SPOOL_SPOOL_H
#define INGEST_SPOOL_SPOOL_H

#include "proto/histogram.h"
#include "proto/push.h"

/* A changeset in its frame must fit through any door. */
#define INGEST_RECORD_MAX ((8u << 20) - 4096)

struct ingest_spool;

struct ingest_spool_ops {
  void *self;
  /* A number has its receipt (result and reason as in struct ck_unacked). counts: of its messages;
   * NULL unless it has many and the store says them. ingest_spool_get still finds the record during
   * the call. */
  void (*receipt)(void *self, uint64_t number, char result, struct ck_str reason,
                  const struct ck_counts *counts);
  /* All numbers from `from` on have grown by `by`. None of them was durable. */
  void (*renumbered)(void *self, uint64_t from, uint64_t by);
};

/* Opens the spool in dir, which must exist, and repairs what a crash left. NULL: err says why. */
struct ingest_spool *ingest_spool_open(const char *dir, const struct ingest_spool_ops *ops,
                                       struct ck_err *err);
void ingest_spool_close(struct ingest_spool **spool);

/* Adds an encoded array of mutations; the bytes are copied. -1: it is larger than
 * INGEST_RECORD_MAX. */
int ingest_spool_add(struct ingest_spool *spool, struct ck_str mutations, uint64_t *number,
                     struct ck_err *err);

enum ingest_sync { INGEST_SYNCED, INGEST_NO_ROOM, INGEST_BROKEN };
/* Makes all added records durable. INGEST_NO_ROOM: the disk is full; they stay in memory, and the
 * next call tries again. INGEST_BROKEN: the process must end. err says why. */
enum ingest_sync ingest_spool_sync(struct ingest_spool *spool, struct ck_err *err);

/* Bytes that were added but are not durable yet. */
size_t ingest_spool_unsynced(const struct ingest_spool *spool);
/* Changesets without a receipt, durable or not. */
uint64_t ingest_spool_pending(const struct ingest_spool *spool);
/* Bytes that the spool has on the disk, some of them with receipts. */
uint64_t ingest_spool_bytes(const struct ingest_spool *spool);
/* The last number that is durable. */
uint64_t ingest_spool_durable(const struct ingest_spool *spool);
/* How long making a batch durable took: the fdatasync alone. */
const struct ck_histogram *ingest_spool_syncs(const struct ingest_spool *s);
/* True if a segment could not be read back: end the process, and the next start moves it to
 * damaged/. */
bool ingest_spool_broken(const struct ingest_spool *spool);
const char *ingest_spool_producer(const struct ingest_spool *spool);
/* Updates spool/released if it has changed. */
void ingest_spool_note(struct ingest_spool *spool);
/* When everything has its receipt: begins a new segment, so that nothing of what was taken is left
 * in the spool. If that fails, the next call tries again. */
void ingest_spool_rest(struct ingest_spool *spool);
/* Finds a durable changeset without a receipt, as ck_unacked.get does. The bytes are valid until
 * the next call. */
bool ingest_spool_get(struct ingest_spool *spool, uint64_t number, struct ck_str *mutations);

/* Gives up the producer's id, because another process uses it or used it: a copy of this spool, or
 * this spool before it was restored from a backup. The next ingest_spool_open takes a new id, under
 * which it keeps all records without a receipt. -1: err says why. */
int ingest_spool_renounce(struct ingest_spool *spool, struct ck_err *err);

/* The spool as ck_push sees it (proto/push.h). */
struct ck_unacked ingest_spool_unacked(struct ingest_spool *spool);

#endif

/* The spool: what was taken and has no receipt so far, on this disk, so that a store that is away loses nothing.
 *
 * spool/TAG-NUMBER.seg   segments (segment.h), named by the producer's tag and the first number in them
 * spool/producer         the producer's id
 * spool/released         the last number that has a receipt; a hint, the store knows better
 * spool/unsent           the first number that no store has been sent; there while something is taken before the store has answered for the first time
 * spool/renounced        a producer id that somebody else uses, too
 * spool/refused.jsonl    what the store refused, with its reason
 * spool/damaged/         segments, and tails of segments, that a crash or the disk made unreadable
 *
 * Numbers are bound when something is added; they are seen by the store only after spool_sync has made them durable.
 */
#ifndef INGEST_SPOOL_H
#define INGEST_SPOOL_H

#include "proto/push.h"

struct ingest_spool;

struct ingest_spool_ops {
  void *self;
  /* A number has its receipt (as in struct ck_unacked); ingest_spool_get still gives it during the
   * call. */
  void (*receipt)(void *self, uint64_t number, char result, struct ck_str reason);
  /* Numbers from `from` on, none of them durable so far, have become greater by `by`. */
  void (*renumbered)(void *self, uint64_t from, uint64_t by);
};

/* dir must exist. Recovers what a crash left. NULL: err says why. */
struct ingest_spool *ingest_spool_open(const char *dir, const struct ingest_spool_ops *ops,
                                       struct ck_err *err);
void ingest_spool_close(struct ingest_spool **spool);

/* Adds an encoded array of mutations; the bytes are copied. 0, or -1 when it is larger than any
 * door lets through. */
int ingest_spool_add(struct ingest_spool *spool, struct ck_str mutations, uint64_t *number,
                     struct ck_err *err);

enum ingest_sync { INGEST_SYNCED, INGEST_NO_ROOM, INGEST_BROKEN };
/* Makes durable what was added. NO_ROOM: the disk is full; it stays in memory and is tried again at
 * the next call. BROKEN: this process must end, err says why.
 */
enum ingest_sync ingest_spool_sync(struct ingest_spool *spool, struct ck_err *err);

/* Bytes that were added and are not durable so far. */
size_t ingest_spool_unsynced(const struct ingest_spool *spool);
/* Changesets without a receipt, durable or not. */
uint64_t ingest_spool_pending(const struct ingest_spool *spool);
/* The last number that is durable. */
uint64_t ingest_spool_durable(const struct ingest_spool *spool);
/* A segment could not be read back: end the process, the next start sets it aside. */
bool ingest_spool_broken(const struct ingest_spool *spool);
const char *ingest_spool_producer(const struct ingest_spool *spool);
/* Writes spool/released, when it has changed. */
void ingest_spool_note(struct ingest_spool *spool);
/* Any changeset without a receipt, as ck_unacked.get gives it. */
bool ingest_spool_get(struct ingest_spool *spool, uint64_t number, struct ck_str *mutations);

/* Another uses this producer's id, or used it: a copy of this spool, or this very spool before it
 * was set back to an older state. The next ingest_spool_open takes a new id, and keeps under it
 * what has no receipt. 0 or -1. */
int ingest_spool_renounce(struct ingest_spool *spool, struct ck_err *err);

struct ck_unacked ingest_spool_unacked(struct ingest_spool *spool);

#endif

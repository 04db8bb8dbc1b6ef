/* The store's writer without a daemon around it, for faults below SQLite: a stream of changesets,
 * each of which is known from its number and the seed alone, and what must be stored when the first
 * so many of them have been applied. */
#ifndef CK_TESTS_POWER_STORE_H
#define CK_TESTS_POWER_STORE_H

#include "proto/error.h"
#include "store/write/apply.h"
#include "store/database/checkpoint.h"

struct power_store {
  sqlite3 *db;
  struct checkpoint *checkpoint; /* NULL: the writer checkpoints by itself */
  struct system_tables *system;
  struct leases *leases;
  struct apply *apply;
  struct producers *producers;
  struct producer *producer;
};

/* Chance; the seed is CONVKEEP_TEST_SEED, else the clock, and is said. */
uint64_t power_below(uint64_t n);
/* What the changesets are from now on: another stream. size: their texts are up to 2 KiB times
 * this. */
void power_stream(uint64_t stream, unsigned size);

/* In the working directory. -1: err says why; close it all the same. */
int power_open(struct power_store *s, struct ck_err *err);
void power_close(struct power_store *s);
/* From now on the WAL is copied as the store copies it, from so many pages on, beside the writer
 * (thread) or by it. */
int power_checkpoint(struct power_store *s, unsigned due, bool thread, struct ck_err *err);
/* The next n changesets, in one commit. 0: they are acknowledged. -1: as the store does, everything
 * is rolled back and the numbers are read again. */
int power_batch(struct power_store *s, unsigned n, struct ck_err *err);
uint64_t power_applied(const struct power_store *s);
/* Fails the test unless the database is sound and holds exactly what the first power_applied()
 * changesets make, which are `acknowledged` at least. */
void power_verify(struct power_store *s, uint64_t acknowledged);

/* A folder for the test, which becomes the working directory. */
void power_folder(void);
void power_folder_gone(void);

#endif

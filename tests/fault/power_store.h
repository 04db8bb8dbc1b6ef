/* The store's writer without a daemon, for faults below SQLite. It applies a stream of changesets,
 * each of which follows from its number and the seed alone, so that the test knows what must be
 * stored after the first n. */
#ifndef CK_TESTS_POWER_STORE_H
#define CK_TESTS_POWER_STORE_H

#include "proto/error.h"
#include "store/write/apply.h"
#include "store/database/checkpoint.h"

struct power_store {
  sqlite3 *db;
  struct checkpoint *checkpoint; /* NULL: the writer checkpoints by itself */
  struct system_tables *system;
  struct ck_settings *settings;
  struct mirrors *mirrors;
  struct apply *apply;
  struct producers *producers;
  struct producer *producer;
};

/* A random number below n. The seed is CONVKEEP_TEST_SEED, else from the clock, and is printed. */
uint64_t power_below(uint64_t n);
/* Selects another stream of changesets. Their texts have up to size times 2 KiB. */
void power_stream(uint64_t stream, unsigned size);

/* Opens the store in the working directory. 0, or -1 with the reason; call power_close in either
 * case. */
int power_open(struct power_store *s, struct ck_err *err);
void power_close(struct power_store *s);
/* From now on the WAL is copied as in the store, at `due` pages, by a thread or by the writer. */
int power_checkpoint(struct power_store *s, unsigned due, bool thread, struct ck_err *err);
/* Applies the next n changesets in one commit. 0: they are acknowledged. -1: like in the store,
 * everything is rolled back and the producers are read again. */
int power_batch(struct power_store *s, unsigned n, struct ck_err *err);
uint64_t power_applied(const struct power_store *s);
/* Fails the test unless the database is sound and holds exactly what the first power_applied()
 * changesets make, which must be at least `acknowledged`. */
void power_verify(struct power_store *s, uint64_t acknowledged);

/* Makes a folder for the test, which becomes the working directory; removes it. */
void power_folder(void);
void power_folder_gone(void);

#endif

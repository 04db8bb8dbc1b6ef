/* SQLite in one process, without doors, rules, receipts or anybody who listens. The store's own
 * schema, indexes and pragmas (store/database/db.c opens the file), the rows that the store would
 * write, made before anything is measured, statements prepared once. It copies its WAL itself, on
 * the same thread.
 */
#ifndef BENCH_BARE_H
#define BENCH_BARE_H

#include <sqlite3.h>

#include "bench/common.h"
#include "bench/observation.h"

enum bench_bare_rows {
  BENCH_BARE_ONCE, /* each record that a commit changes, once: no way to the same end state is
                      leaner */
  BENCH_BARE_EACH  /* every changeset's rows, and its producer's */
};

struct bench_bared {
  double rate;          /* changesets a second */
  struct bench_use use; /* of its one thread, a changeset */
};

/* In the working directory. commit_ms gets every commit's time. */
struct bench_bared bench_bare(const struct bench_load *load, unsigned per_commit,
                              enum bench_bare_rows how, struct bench_series *commit_ms);

/* The same file and statements for those who commit in another way. Opened in the working
 * directory. */
struct bench_bare;
struct bench_bare *bench_bare_open(const struct bench_load *load);
sqlite3 *bench_bare_db(struct bench_bare *b);
/* Writes row k (0 to BENCH_ROWS - 1) of changeset i, in a transaction of its own unless one is
 * open. Returns the row, which is the load's. */
const struct ck_row *bench_bare_write(struct bench_bare *b, size_t i, int k);
void bench_bare_close(struct bench_bare **b);

#endif

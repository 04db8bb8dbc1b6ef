/* SQLite in one process, without doors, rules, receipts or followers: the leanest way to do what
 * the store does. It has the store's schema, indexes and pragmas (store/database/db.c opens the
 * file) and writes the rows that the store would write. Rows and statements are prepared before
 * anything is measured. Checkpoints run on the same thread.
 */
#ifndef BENCH_BARE_H
#define BENCH_BARE_H

#include <sqlite3.h>

#include "bench/common.h"
#include "bench/observation.h"

enum bench_bare_rows {
  BENCH_BARE_ONCE, /* each record that a commit changes, once: the leanest way to the same state */
  BENCH_BARE_EACH  /* every changeset's rows, and its producer's number */
};

struct bench_bared {
  double rate;          /* changesets a second */
  struct bench_use use; /* per changeset, of its only thread */
};

/* Writes the load to a database in the working directory. Adds each commit's time to commit_ms. */
struct bench_bared bench_bare(const struct bench_load *load, unsigned per_commit,
                              enum bench_bare_rows how, struct bench_series *commit_ms);

/* The same database and statements, for callers that commit in their own way. Opened in the working
 * directory. */
struct bench_bare;
struct bench_bare *bench_bare_open(const struct bench_load *load);
sqlite3 *bench_bare_db(struct bench_bare *b);
/* Writes row k (0 to BENCH_ROWS - 1) of changeset i, in a transaction of its own unless one is
 * open. Returns the row; the load owns it. */
const struct ck_row *bench_bare_write(struct bench_bare *b, size_t i, int k);
void bench_bare_close(struct bench_bare **b);

#endif

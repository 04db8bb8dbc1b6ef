/* The ceiling: SQLite in one process, without doors, rules, receipts or anybody who listens. The store's own schema, indexes and pragmas (store/db.c opens the
 * file), the rows that the store would write, statements prepared once. */
#ifndef BENCH_BARE_H
#define BENCH_BARE_H

#include <sqlite3.h>

#include "bench/common.h"
#include "bench/observation.h"

enum bench_bare_rows {
  BENCH_BARE_EACH, /* every changeset writes its rows, and its producer's */
  BENCH_BARE_ONCE  /* what one commit writes to one record is written once, as the store does */
};

/* In the working directory. Returns changesets a second; commit_ms gets every commit's time. */
double bench_bare(const struct bench_load *load, unsigned per_commit, enum bench_bare_rows how, struct bench_series *commit_ms);

/* The same file and statements for those who commit in another way. Opened in the working directory. */
struct bench_bare;
struct bench_bare *bench_bare_open(const struct bench_load *load);
sqlite3 *bench_bare_db(struct bench_bare *b);
/* Writes row k (0 to BENCH_ROWS - 1) of changeset i, in a transaction of its own unless one is open. Returns the row, which is the load's. */
const struct ck_row *bench_bare_write(struct bench_bare *b, size_t i, int k);
void bench_bare_close(struct bench_bare **b);

#endif

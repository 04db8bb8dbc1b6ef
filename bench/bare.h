/* The ceiling: SQLite in one process, without doors, rules, receipts or anybody who listens. The store's own schema, indexes and pragmas (store/db.c opens the
 * file), the rows that the store would write, statements prepared once. */
#ifndef BENCH_BARE_H
#define BENCH_BARE_H

#include "bench/common.h"
#include "bench/observation.h"

enum bench_bare {
  BENCH_BARE_EACH, /* every changeset writes its rows, and its producer's */
  BENCH_BARE_ONCE  /* what one commit writes to one record is written once, as the store does */
};

/* In the working directory. Returns changesets a second; commit_ms gets every commit's time. */
double bench_bare(const struct bench_load *load, unsigned per_commit, enum bench_bare how, struct bench_series *commit_ms);

#endif

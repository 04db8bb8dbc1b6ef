/* PostgreSQL at its best for this work: one connection writes many changesets in one transaction,
 * as the store does, each record once. There is one prepared statement per table, with a parameter
 * per column that holds all its values, and one pipeline per transaction, so one round trip.
 * Everything sent is prepared before anything is measured.
 */
#ifndef BENCH_POSTGRES_GROUP_H
#define BENCH_POSTGRES_GROUP_H

#include "bench/observation.h"
#include "bench/postgres.h"

/* Empties the tables, then sends the load. Returns changesets a second. */
double bench_postgres_group(struct bench_postgres *p, const struct bench_load *load,
                            unsigned per_commit);

#endif

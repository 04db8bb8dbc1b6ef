/* The way of the system that this one succeeds: one process, a commit a record, what is to be
 * mirrored queued in a second commit, two files a message. */
#ifndef BENCH_PREDECESSOR_H
#define BENCH_PREDECESSOR_H

#include <stdbool.h>

#include "bench/observation.h"

/* In the working directory. Returns changesets a second. full: synchronous = FULL, as the store;
 * else NORMAL, which is what better-sqlite3 makes of a WAL unless told otherwise, and which loses
 * the newest commits in a power cut. The files are not synced in either. */
double bench_predecessor(const struct bench_load *load, bool full);

#endif

/* How the predecessor of convkeep works: one process, one commit per record, a second commit that
 * queues it for the mirror, and two files per message. */
#ifndef BENCH_PREDECESSOR_H
#define BENCH_PREDECESSOR_H

#include <stdbool.h>

#include "bench/observation.h"

/* Writes the load in the working directory. Returns changesets a second. full: synchronous = FULL,
 * like the store; otherwise NORMAL, better-sqlite3's default with a WAL, which loses the newest
 * commits in a power cut. The files are never synced. */
double bench_predecessor(const struct bench_load *load, bool full);

#endif

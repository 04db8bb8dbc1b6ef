/* The search beside a store that is written to. */
#ifndef BENCH_SEARCH_LIVE_H
#define BENCH_SEARCH_LIVE_H

#include <sqlite3.h>
#include <stdint.h>

/* Puts a message of the made-up language into the database, with this version. */
typedef void search_live_put(sqlite3 *db, int64_t version);

/* Prints rows of the table: how soon 200 messages a second are found, and what writers lose. */
void search_live(search_live_put *put);

#endif

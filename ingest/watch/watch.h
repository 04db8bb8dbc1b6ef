/* Follows folders of logs: what programs write there is given to the store a moment later
 * (docs/watch.md). Nothing here waits or has a thread: ingest's loop waits for the descriptor and
 * the time that it is told, and calls ingest_watch_step. */
#ifndef INGEST_WATCH_WATCH_H
#define INGEST_WATCH_WATCH_H

#include "ingest/files/reading.h"
#include "proto/watched.h"

struct ingest_watch;

#define INGEST_WATCH_MEMORY (256u << 20)

/* dir: the folder where the table of known files is kept. readings must outlive it. */
struct ingest_watch *ingest_watch_new(struct ingest_readings *readings, const char *dir);
void ingest_watch_free(struct ingest_watch **watch);

/* How much memory may be kept for all files together (docs/watch.md), instead of
 * INGEST_WATCH_MEMORY: for tests. */
void ingest_watch_memory(struct ingest_watch *watch, size_t bytes);

/* Follows these folders from now on, and no others; n 0: none. The list is copied. */
void ingest_watch_follow(struct ingest_watch *watch, const struct ck_watched *list, size_t n);

/* What the loop waits for: a descriptor that becomes readable, -1: none; and ck_boot_ms() at which
 * to call ingest_watch_step at the latest, INT64_MAX: no limit. */
int ingest_watch_fd(const struct ingest_watch *watch);
int64_t ingest_watch_until(const struct ingest_watch *watch);

/* Takes what has happened in the folders, and reads on, for some milliseconds. store: the store's
 * id, "": unknown yet. lookup: NULL if the store does not answer now; then nothing is read. room:
 * the spool is not so full that it has to wait for the store. */
void ingest_watch_step(struct ingest_watch *watch, const char *store, struct ingest_lookup *lookup,
                       bool room);

/* Appends what INFO says of it: an array with a map for each folder. */
void ingest_watch_encode(struct ck_buf *out, const struct ingest_watch *watch);

#endif

/* When changesets go to the store. Each goes at once, but while many come one by one, they go in
 * groups: a commit of the store then has many of them, and costs each of them, and the disk, less.
 * Nobody waits for it: an observation is answered when it is durable in the spool. Pure: the times
 * are ck_boot_ms. */
#ifndef INGEST_GATHER_H
#define INGEST_GATHER_H

#include <stdint.h>

/* More changesets a second than RATE are many, once that lasts longer than BURST milliseconds. They
 * go when there are GROUP of them, or the first has waited for MS, or none has come for QUIET. */
#define INGEST_GATHER_RATE 2000
#define INGEST_GATHER_BURST 100
#define INGEST_GATHER_GROUP 64
#define INGEST_GATHER_MS 8
#define INGEST_GATHER_QUIET 2

/* Zero-initialise. */
struct ingest_gather {
  uint64_t seen, gone;       /* the last number that has come, and that may go */
  int64_t first_at, last_at; /* when the first of those that wait came, and the last one */
  int64_t pressed_until;     /* us */
};

/* Everything up to the number `durable` is in the spool. Returns the number up to which it may go;
 * the rest waits, until ingest_gather_until at the latest. */
uint64_t ingest_gather_upto(struct ingest_gather *g, uint64_t durable, int64_t now);
/* When what waits is to go; INT64_MAX: nothing waits. */
int64_t ingest_gather_until(const struct ingest_gather *g);

#endif

/* Which ranges of versions are with a sync worker. The work thread grants them and the writer ends
 * them; locked inside. Times are ck_boot_ms.
 *
 * A range is granted, and is in flight until its outcome comes with the current generation. Then it
 * is ending until the commit that contains the outcome is durable, and then done. The cursor moves
 * past a range when it and all ranges before it are done. If no HELD names a lease for CK_LEASE_MS,
 * it expires and is granted again with a new generation. leases.c has the table of all states.
 *
 * All of this is in memory only. The store persists one cursor (all changes up to it are mirrored),
 * and leases again from there after a restart.
 *
 * A backlog is a range that is skipped: later ranges are granted first, and the backlog is granted
 * beside them, piece by piece. The cursor waits before it until all of it is done. It is created by
 * `sync backfill`, or when workers postpone ranges that need a person to act; postponed ranges are
 * granted again only when no worker would postpone them again.
 */
#ifndef CK_STORE_LEASES_H
#define CK_STORE_LEASES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct leases;

/* cursor: as persisted. run: counts the starts of this database; makes generations unique. */
struct leases *leases_new(uint64_t cursor, uint64_t run);
void leases_free(struct leases **l);

/* The range (after, upto]. Each grant has a generation of its own. */
struct lease {
  uint64_t generation, after, upto;
};

/* ---- granting ---- */

/* Grants a range whose lease has expired once more, with a new generation. false: there is none. */
bool leases_regrant(struct leases *l, int64_t now, struct lease *again);
/* The version after which nothing has been granted yet. *in_flight: how many ranges are with a
 * worker, or were when it was last heard. */
uint64_t leases_next(struct leases *l, size_t *in_flight);
/* True while so many ranges wait for an earlier one that no more can be granted. */
bool leases_full(struct leases *l);
/* Grants (after, upto], where `after` comes from leases_next or leases_backlog_next. Not to be
 * called when full. The generation is 0, and nothing is granted, if the range has become invalid
 * since. */
struct lease leases_grant(struct leases *l, uint64_t after, uint64_t upto, int64_t now);
/* Shortens a lease in flight to `upto`; the rest of its range becomes a lease that has expired.
 * false: it cannot be split there, or there is no room for another range; nothing changed. */
bool leases_split(struct leases *l, uint64_t generation, uint64_t upto);
/* When the next lease expires; 0: one has; INT64_MAX: none will. */
int64_t leases_deadline(struct leases *l);

/* ---- backlogs ---- */

/* Makes everything up to `upto` that has not been granted yet a backlog. */
void leases_add_backlog(struct leases *l, uint64_t upto);
/* Nothing is mirrored any more: the cursor is 0, and everything up to `upto` is a backlog. Leases
 * in flight become invalid. */
void leases_restart(struct leases *l, uint64_t upto);
/* The first backlog, (*after, *upto]; a postponed one only if `postponed`. false: there is none. */
bool leases_backlog_next(struct leases *l, bool postponed, uint64_t *after, uint64_t *upto);
/* How many versions are in backlogs, postponed ones included. */
uint64_t leases_backlog_left(struct leases *l);

/* ---- what a worker says ---- */

/* A lease could not be sent, or a worker returned it. The range is free again if it is the last one
 * that was granted; otherwise it expires at once. false: it is not in flight; nothing changed. */
bool leases_return(struct leases *l, uint64_t generation);
/* A worker postpones it: the range becomes a backlog, merged with postponed neighbours so that any
 * number of them takes one slot. false: it is not in flight; nothing changed. */
bool leases_postpone(struct leases *l, uint64_t generation);
/* A worker still holds it: it lasts CK_LEASE_MS from `now`. Ignored if no worker has it. */
void leases_extend(struct leases *l, uint64_t generation, int64_t now);

/* ---- outcomes: ended within a transaction, then committed or rolled back ---- */

/* The range is mirrored. *cursor: the cursor to be persisted in the same transaction. false: `done`
 * is not the current lease of its range; nothing changed. */
bool leases_end(struct leases *l, const struct lease *done, uint64_t *cursor);
/* The transaction failed: the lease is in flight as before. */
void leases_rolled_back(struct leases *l, uint64_t generation);
/* The transaction is durable: all leases that are ending are done. */
void leases_committed(struct leases *l);
uint64_t leases_cursor(struct leases *l);

#endif

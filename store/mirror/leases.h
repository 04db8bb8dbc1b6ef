/* Which ranges of changes are with a sync worker. Kept in memory only: the store persists one cursor (all changes up to it are mirrored), and after a restart
 * it simply leases again. Shared by the work thread, which grants, and the writer, which ends; locked inside.
 * leases.c has the table of all states and what may follow on what.
 *
 *            grant             outcome with the current generation          its commit is durable
 *   (free) ────────► in flight ──────────────────────────────────► ending ───────────────────────► done ──► cursor moves when all before it are done
 *                      │  ▲  ▲                                       │
 *        no HELD names │  │  └───────────────────────────────────────┘ the commit failed, the changeset was refused
 *      it for 10 s     ▼  │ granted again with the next generation
 *                    expired
 *
 * A backlog is a range that is passed over: what comes behind it is granted first, and the backlog piece by piece beside it. The cursor stands before it until
 * all of it is done. It comes to be by `sync backfill`; and by what workers put off because it waits for a person, which is only granted again when they would
 * not put it off again.
 */
#ifndef CK_STORE_LEASES_H
#define CK_STORE_LEASES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct leases;

struct leases *leases_new(uint64_t cursor, uint64_t run);
void leases_free(struct leases **l);

struct lease {
  uint64_t generation, after, upto;
};

/* A range whose lease ran out at `now` (ck_boot_ms), granted again. false: none. */
bool leases_expired(struct leases *l, int64_t now, struct lease *again);
/* The version behind which nothing has been granted yet, and how many ranges are with a worker, or
 * were when it was heard last. */
uint64_t leases_next(struct leases *l, size_t *in_flight);
/* True while so many wait for an earlier one that none may be granted. */
bool leases_full(struct leases *l);
/* Grants (after, upto], where after is what leases_next or leases_backlog_next said; not when full.
 * Its generation is 0 when that is not so any more. */
struct lease leases_grant(struct leases *l, uint64_t after, uint64_t upto, int64_t now);
/* Makes a backlog of what was not granted up to there. */
void leases_backlog(struct leases *l, uint64_t upto);
/* Nothing is mirrored: the cursor is 0, everything up to there a backlog; what is in flight does
 * not count any more. */
void leases_restart(struct leases *l, uint64_t upto);
/* The first backlog, (after, upto]; one that was put off only where `postponed`. false: there is
 * none. */
bool leases_backlog_next(struct leases *l, bool postponed, uint64_t *after, uint64_t *upto);
/* Versions in backlogs of both kinds. */
uint64_t leases_backlog_left(struct leases *l);
/* What could not be sent, or is returned, is free again if it is the last that was granted; else it
 * expires at once. false: it is not in flight, and nothing changed. */
bool leases_unsent(struct leases *l, uint64_t generation);
/* A worker puts it off: it becomes a backlog, and one with those beside it, so that any number of
 * them takes one place. false: it is not in flight. */
bool leases_postpone(struct leases *l, uint64_t generation);
/* Only the part up to there is sent; the rest of the range is as if it had expired. false: there is
 * no room for another range, and nothing changed. */
bool leases_cut(struct leases *l, uint64_t generation, uint64_t upto);
/* A worker says that it still holds it. What it does not hold stays as it is. */
void leases_held(struct leases *l, uint64_t generation, int64_t now);
/* The range is mirrored. false: not the current generation. *cursor: what is to be persisted in the
 * transaction that says so. */
bool leases_end(struct leases *l, const struct lease *done, uint64_t *cursor);
void leases_take_back(struct leases *l,
                      uint64_t generation); /* it was not persisted: in flight as before */
void leases_settle(struct leases *l);       /* all that are ending have been persisted */
uint64_t leases_cursor(struct leases *l);
/* ck_boot_ms of the next expiry; INT64_MAX: none. */
int64_t leases_deadline(struct leases *l);

#endif

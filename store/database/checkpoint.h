/* The checkpoint: what the WAL holds goes into the database file, beside the commits and not between them.
 *
 *   ┌──────┐ the WAL has many pages  ┌──────┐ little is left   ┌──────┐
 *   │ rest ├────────────────────────►│ bulk ├─────────────────►│ last │  the writer copies the little that is left, between two commits;
 *   └──▲───┘                         └──────┘  (its thread)    └──┬───┘  the next commit begins the WAL anew
 *      └──────────────────────────────────────────────────────────┘
 *
 * The bulk is copied by a thread of its own, and made durable there. Why two connections may do this with an SQLite that has the WAL-reset bug is said in
 * docs/architecture.md, rule 9: while the thread's checkpoint runs, a read transaction of its own that began before keeps the WAL from being begun anew.
 */
#ifndef CK_STORE_CHECKPOINT_H
#define CK_STORE_CHECKPOINT_H

#include "store/database/db.h"

struct checkpoint;

/* From how many pages on the store copies its WAL. */
#define CHECKPOINT_PAGES 4000u

/* Takes the writer's automatic checkpoint over. due: from how many pages on the WAL is copied.
 * There is no thread yet, and without one checkpoint_turn does its work too. NULL with the reason.
 */
struct checkpoint *checkpoint_new(sqlite3 *writer, unsigned due, struct ck_err *err);
int checkpoint_start(struct checkpoint *c, struct ck_err *err);
/* Ends the thread; before the writer's connection is closed. What is left in the WAL is the closing
 * connection's. */
void checkpoint_free(struct checkpoint **c);

/* The writer's part: after every commit, when nobody waits for an answer any more, and outside a
 * transaction. Returns at once, but for the last few pages of a checkpoint, and where the WAL has
 * grown so much faster than it can be copied that it must not grow further: then it waits for 100
 * ms at most. True: it must not grow yet, and this is to be called again first. */
bool checkpoint_turn(struct checkpoint *c);

/* The writer's too: the WAL is copied once more by the next turns, however little came since the
 * last time. */
void checkpoint_again(struct checkpoint *c);

/* The thread's part, which it repeats until little is left: one round of copying. *left: the WAL's
 * pages that are not in the database file after it. 1, and *left as it was: busy, to be tried
 * again; a commit was writing the WAL index's header while it was read, or another process
 * checkpoints. -1 with the reason; does not return where an fsync failed. */
int checkpoint_bulk(struct checkpoint *c, unsigned *left, struct ck_err *err);

/* How many pages the WAL has, as of the last commit; how many of them are not in the database file,
 * as of the last copying. Any thread. */
unsigned checkpoint_wal_pages(const struct checkpoint *c);
unsigned checkpoint_left(const struct checkpoint *c);

#endif

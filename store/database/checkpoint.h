/* The checkpoint: copies the WAL into the database file while commits go on.
 *
 *   ┌──────┐ the WAL has many pages ┌──────┐ few pages are left ┌──────┐
 *   │ REST ├───────────────────────►│ BULK ├───────────────────►│ LAST │
 *   └──▲───┘                        └──────┘                    └──┬───┘
 *      │                            a thread copies and            │ the writer copies the rest
 *      │                            syncs most of it               │ between two commits; the next
 *      └───────────────────────────────────────────────────────────┘ commit restarts the WAL
 *
 * Why two connections may checkpoint although SQLite may have the WAL-reset bug is proved in
 * docs/architecture.md, rule 9. In short: while the thread's checkpoint runs, a read transaction
 * that the thread began before it (the pin) keeps the WAL from being restarted.
 */
#ifndef CK_STORE_CHECKPOINT_H
#define CK_STORE_CHECKPOINT_H

#include "store/database/db.h"

struct checkpoint;

/* The store's `due`: pages in the WAL at which a checkpoint begins. */
#define CHECKPOINT_PAGES 4000u

/* Replaces the writer's automatic checkpoint. due: pages in the WAL at which a checkpoint begins.
 * Starts no thread; without one, checkpoint_turn does its work too. NULL with the reason. */
struct checkpoint *checkpoint_new(sqlite3 *writer, unsigned due, struct ck_err *err);
/* Starts the thread. 0, or -1 with the reason. */
int checkpoint_start(struct checkpoint *c, struct ck_err *err);
/* Ends the thread. Call it before the writer's connection is closed, which then copies what is left
 * in the WAL. */
void checkpoint_free(struct checkpoint **c);

/* The writer's part. Call it after every commit, once the receipts are out, outside a transaction.
 * Returns at once in most cases. It copies the last few pages of a checkpoint itself; and if the
 * WAL has grown too large because commits outran the thread, it waits up to 100 ms for the thread.
 * True: the WAL is still too large; write nothing and call again. */
bool checkpoint_turn(struct checkpoint *c);

/* The writer's part too: makes the next turn begin a checkpoint, unless one is under way,
 * however small the WAL is. */
void checkpoint_again(struct checkpoint *c);

/* The writer's part too: what was deleted must leave the WAL. As soon as no reader needs it, a turn
 * copies all of it and cuts it to no byte; until then the turns try it again. */
void checkpoint_empty(struct checkpoint *c);
/* Is that still to be done? Any thread. */
bool checkpoint_emptying(const struct checkpoint *c);

/* The thread's part: one round of copying, which it repeats until little is left. *left: pages of
 * the WAL that are not in the database file after it. 0; 1: busy, try again, *left is unchanged (a
 * commit was writing the WAL index's header, or another process checkpoints); -1 with the reason.
 * Does not return if an fsync failed. */
int checkpoint_bulk(struct checkpoint *c, unsigned *left, struct ck_err *err);

/* Pages in the WAL, as of the last commit. Any thread. */
unsigned checkpoint_wal_pages(const struct checkpoint *c);
/* How many of them are not in the database file, as of the last round of copying. Any thread. */
unsigned checkpoint_left(const struct checkpoint *c);

#endif

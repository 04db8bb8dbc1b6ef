/* Limits the WAL while a read transaction stays open.
 *
 * As long as a read transaction is open, SQLite cannot restart the WAL, nor copy what is newer than
 * the transaction. The store's own are short, but another process's (`sqlite3 artifact.db` with a
 * BEGIN) may last for days. So:
 *
 * - At an eighth of store.wal_limit, but not below 64 MiB, log and status name that process.
 * - At store.wal_limit the store writes nothing that comes to its intake until the WAL could be
 *   copied, which it keeps trying. No receipt goes out, so the producers send it again.
 * - A task of the store's own that reads for long is interrupted well before (WAL_GIVE_WAY_MIB).
 */
#ifndef CK_STORE_WAL_GUARD_H
#define CK_STORE_WAL_GUARD_H

#include "store/database/checkpoint.h"

enum wal_alarm { WAL_WELL, WAL_GROWS, WAL_FULL, WAL_ALARMS };
extern const char *const wal_alarms[WAL_ALARMS]; /* "", "grows", "full" */

struct wal_view {
  uint64_t bytes, limit; /* of the WAL's frames: now, and at most */
  enum wal_alarm alarm;
  int64_t pid;      /* if alarm: the process with the read transaction; the store's own pid if no
                       other was found */
  char program[32]; /* its name */
};

struct wal_guard;

struct wal_guard *wal_guard_new(unsigned limit_mib);
void wal_guard_free(struct wal_guard **g);

enum wal_decision {
  WAL_GO,   /* write */
  WAL_WAIT, /* write nothing before the next turn, and take that at once */
  WAL_HOLD, /* write nothing; it may last */
};
/* The writer's turn, in place of checkpoint_turn, which it calls. now: ck_boot_ms. */
enum wal_decision wal_guard_turn(struct wal_guard *g, struct checkpoint *c, int64_t now);

/* The size of the WAL at which a long reader is interrupted: half of what the WAL may come to under
 * load, so that the reader has time to end. */
#define WAL_GIVE_WAY_MIB 32
/* Until wal_guard_read_end, interrupts this connection (sqlite3_interrupt) at each turn of the
 * writer's that finds the WAL larger than WAL_GIVE_WAY_MIB. Call wal_guard_read_end before the
 * connection is closed. One connection at a time. Any thread. */
void wal_guard_read(struct wal_guard *g, sqlite3 *reader);
void wal_guard_read_end(struct wal_guard *g);
/* Was the connection of the last wal_guard_read interrupted? Also after wal_guard_read_end. */
bool wal_guard_interrupted(struct wal_guard *g);

/* Copies the present state to *v. Any thread. */
void wal_guard_look(struct wal_guard *g, struct wal_view *v);

/* Finds in the text of /proc/locks a process other than `self` that has a read transaction open on
 * the database whose -shm file has this inode, or checkpoints it. Of several, `before` if it is
 * among them. 0: none. */
int64_t wal_guard_holder(const char *locks, uint64_t inode, int64_t self, int64_t before);

#endif

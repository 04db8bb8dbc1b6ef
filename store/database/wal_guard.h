/* How large the WAL may get while a read transaction stays open.
 *
 * SQLite cannot begin a WAL anew, and copies nothing of it that is newer than the oldest open read
 * transaction. The store's own are short. A stranger's
 * (`sqlite3 artifact.db` with a BEGIN) may last for days. So: from an eighth of store.wal_limit on,
 * and 64 MiB at least, it is said who that is (log, status); at the limit the store takes nothing
 * from its intake until the WAL could be copied, which is tried all the time. Nobody has a receipt
 * for what is not taken.
 *
 * A task of the store's own that reads for long gives way: it is interrupted long before that.
 */
#ifndef CK_STORE_WAL_GUARD_H
#define CK_STORE_WAL_GUARD_H

#include "store/database/checkpoint.h"

enum wal_alarm { WAL_WELL, WAL_GROWS, WAL_FULL, WAL_ALARMS };
extern const char *const wal_alarms[WAL_ALARMS]; /* "", "grows", "full" */

struct wal_view {
  uint64_t bytes, limit; /* what the WAL's frames take now, and may take */
  enum wal_alarm alarm;
  int64_t pid; /* alarm: the process that has a read transaction open; this one, where no other was
                  found */
  char program[32]; /* … its name */
};

struct wal_guard;

struct wal_guard *wal_guard_new(unsigned limit_mib);
void wal_guard_free(struct wal_guard **g);

enum wal_may { WAL_GO, WAL_WAIT, WAL_HOLD };
/* The writer's turn at the checkpoint, in place of checkpoint_turn. now: ck_boot_ms. Whether
 * anything may be written: WAIT, until the next turn says so, which is at once; HOLD, who knows for
 * how long. */
enum wal_may wal_guard_turn(struct wal_guard *g, struct checkpoint *c, int64_t now);
/* The WAL from which on a long reader is interrupted: half of what it may come to under load, so
 * that the reader has time to end in, whatever it is at. */
#define WAL_GIVE_WAY_MIB 32
/* From now on the statements of this connection are interrupted (sqlite3_interrupt) at every turn
 * of the writer's at which the WAL is larger than that, until wal_guard_read_end, which comes
 * before the connection is closed. One connection at a time. Any thread. */
void wal_guard_read(struct wal_guard *g, sqlite3 *reader);
void wal_guard_read_end(struct wal_guard *g);
/* Whether this connection, or if it has ended the last, was. */
bool wal_guard_interrupted(struct wal_guard *g);

/* Any thread. */
void wal_guard_look(struct wal_guard *g, struct wal_view *v);

/* Of the text of /proc/locks: the process other than `self` that has a read transaction open on the
 * database whose -shm file has this inode, or checkpoints it; `before`, if it is one of several. 0:
 * none. */
int64_t wal_guard_holder(const char *locks, uint64_t inode, int64_t self, int64_t before);

#endif

/* A copy of the database by the connection that writes, a few pages between two commits.
 *
 * A reader that copies needs one read transaction from the first page to the last, and the WAL
 * cannot begin anew before its end: it would hold everything that is written meanwhile. SQLite's
 * backup knows what its own connection writes and brings pages that it has copied already up to
 * date. So the writer copies, nothing holds the WAL, and the copy is of the moment at which its
 * last page was written.
 *
 * One copy at a time. Asked for in any thread, made in the writer's.
 */
#ifndef CK_STORE_BACKUP_COPY_H
#define CK_STORE_BACKUP_COPY_H

#include <stdatomic.h>

#include "store/database/db.h"

#define BACKUP_COPY_GIVEN_UP "the copy was given up before it was complete, and removed"

struct backup_copy;

struct backup_copy *backup_copy_new(void);
/* The writer ends: what is under way is given up, what is asked from now on is refused. Before the
 * writer's connection is closed. */
void backup_copy_close(struct backup_copy *c);
void backup_copy_free(struct backup_copy **c);

/* What the asker gives: the open, empty database that the copy goes into, which is the writer's
 * until backup_copy_run returns, and its file, which is synced meanwhile so that no large amount is
 * flushed at once. Filled in as it goes: pages, of how many. */
struct backup_request {
  sqlite3 *to;
  int fd;
  bool (*ends)(const void *task); /* give it up */
  const void *task;
  _Atomic uint64_t *done, *total;
  uint64_t head; /* the version that the copy stands at */
};

/* Blocks until the copy is complete. -1: given up or failed, err says which. */
int backup_copy_run(struct backup_copy *c, struct backup_request *copy, struct ck_err *err);

enum backup_copy_next { BACKUP_COPY_NOTHING, BACKUP_COPY_SOON, BACKUP_COPY_NOW };
/* The writer's part, outside a transaction. head: the newest committed version. When it wants its
 * next turn. */
enum backup_copy_next backup_copy_turn(struct backup_copy *c, sqlite3 *writer, uint64_t head);

#endif

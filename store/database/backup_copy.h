/* A copy of the database, made by the connection that writes: a few pages between two commits.
 *
 * A copy made by a reader would need one read transaction from the first page to the last. The WAL
 * cannot restart while that is open, so it would grow by everything that is written meanwhile. But
 * SQLite's backup follows the writes of its own connection: it copies changed pages again. So the
 * writer copies, no transaction holds the WAL, and the copy shows the moment of its last page.
 *
 * One copy at a time. Any thread may ask for it; the writer's thread makes it.
 */
#ifndef CK_STORE_BACKUP_COPY_H
#define CK_STORE_BACKUP_COPY_H

#include <stdatomic.h>

#include "store/database/db.h"

#define BACKUP_COPY_GIVEN_UP "the copy was given up before it was complete, and removed"

struct backup_copy;

struct backup_copy *backup_copy_new(void);
/* The writer ends: gives up the copy under way and refuses later requests. Call it before the
 * writer's connection is closed. */
void backup_copy_close(struct backup_copy *c);
void backup_copy_free(struct backup_copy **c);

struct backup_request {
  sqlite3 *to; /* open and empty; the writer uses it until backup_copy_run returns */
  int fd; /* its file, which the caller's thread syncs on the way: little is left for the end */
  bool (*ends)(const void *task); /* true: give the copy up */
  const void *task;
  _Atomic uint64_t *done, *total; /* filled in as it goes: pages copied, and pages in all */
  uint64_t head;                  /* filled in: the version that the copy shows */
};

/* Blocks until the copy is complete: 0. -1: given up or failed, err says which. */
int backup_copy_run(struct backup_copy *c, struct backup_request *copy, struct ck_err *err);

enum backup_copy_next { BACKUP_COPY_NOTHING, BACKUP_COPY_SOON, BACKUP_COPY_NOW };
/* The writer's part: copies the next pages. Call it outside a transaction; head: the newest
 * committed version. Returns when it wants its next turn. */
enum backup_copy_next backup_copy_turn(struct backup_copy *c, sqlite3 *writer, uint64_t head);

#endif

/* clang-format off */
/* Puts a finished database in place of the present one, whatever interrupts it:
 *
 *   FILE                     whole and durable
 *        │ rename
 *        ▼
 *   artifact.db.swap-TIME    the decision: from here on the swap is completed, whatever happens
 *        │
 *        │ rename artifact.db-wal and -shm, and the embedded mirror, to ….before-TIME;
 *        │ give artifact.db that name too; for a new store, rename the readable files as well;
 *        │ remove the witness of the former database
 *        ▼ rename, over the former artifact.db
 *   artifact.db
 *
 * After a crash the next start goes on: the names say which steps are done. At no moment is the new
 * database beside the WAL of the old one.
 *
 * FILE is locked (proto/lock.h) before it gets the name artifact.db, and at each moment something
 * that this process has locked has that name. So no other store comes in between. `lock` is that of
 * artifact.db, and passes to FILE.
 */
/* clang-format on */
#ifndef CK_STORE_SWAP_H
#define CK_STORE_SWAP_H

#include "store/format/restore.h"

#define SWAP_DECIDED CK_PLACE_DATABASE ".swap-"

/* Decides for FILE, in the working directory, and puts it in place. r->state, r->before and
 * r->mirror_before say what came of it. 0. -1: the disk does not let it be completed; the store
 * must not start. */
int swap_in(const struct ck_settings *s, struct ck_lock *lock, const char *file, struct restored *r,
            struct ck_err *err);

/* Completes a swap that was decided, if there is one. 0 or -1, as swap_in. */
int swap_pending(const struct ck_settings *s, struct ck_lock *lock, struct restored *r,
                 struct ck_err *err);

#endif

/* Puts a finished database in place of the present one, whatever interrupts it:
 *
 *   FILE                     whole and durable
 *        │ rename
 *        ▼
 *   artifact.db.swap-TIME    the decision: from here on the swap is completed, whatever happens
 *        │
 *        │ rename artifact.db, its -wal and -shm, and the embedded mirror to ….before-TIME; for a
 *        │ new store the readable files too; remove the witness of the former database
 *        ▼ rename
 *   artifact.db
 *
 * After a crash the next start goes on: the names say which steps are done. At no moment is the new
 * database beside the WAL of the old one.
 */
#ifndef CK_STORE_SWAP_H
#define CK_STORE_SWAP_H

#include "store/format/restore.h"

#define SWAP_DECIDED CK_PLACE_DATABASE ".swap-"

/* Decides for FILE, in the working directory, and puts it in place. r->state, r->before and
 * r->mirror_before say what came of it. 0. -1: the disk does not let it be completed; the store
 * must not start. */
int swap_in(const struct ck_settings *s, const char *file, struct restored *r, struct ck_err *err);

/* Completes a swap that was decided, if there is one. 0 or -1, as swap_in. */
int swap_pending(const struct ck_settings *s, struct restored *r, struct ck_err *err);

#endif

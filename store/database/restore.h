/* A copy of the database put in place of the present one. Done when the store starts, under its lock, before anything else opens the file.
 *
 *   artifact.db.restore        the command line has staged a copy here, whole and durable
 *        │ checked, brought to the present format, made a store of its own (new id, versions above all that were ever given, nothing mirrored,
 *        │ nothing delivered by itself)                          not good: removed, and the store goes on with what it has
 *        ▼ rename
 *   artifact.db.swap-TIME      decided
 *        │ artifact.db, -wal, -shm and the embedded mirror become ….before-TIME, then rename
 *        ▼
 *   artifact.db
 *
 * Each step is done again after a crash and finds what is left of it to do, because the names say how far it came: no moment leaves the new database beside the
 * old one's WAL.
 */
#ifndef CK_STORE_RESTORE_H
#define CK_STORE_RESTORE_H

#include <sqlite3.h>

#include "proto/error.h"
#include "proto/settings.h"
#include "proto/text.h"

#define RESTORE_STAGED "artifact.db.restore"
#define RESTORE_SWAP "artifact.db.swap-"

/* Versions that a database which cannot be asked may have given since the backup was made. */
#define RESTORE_JUMP UINT64_C(1000000000)

enum restored_state { RESTORED_NOTHING, RESTORED_REFUSED, RESTORED_DONE };

struct restored {
  enum restored_state state;
  struct ck_err reason;             /* of a refusal */
  uint64_t version, backup_version; /* the head now, and the copy's */
  uint64_t paused;                  /* conversations that could have sent something */
  char before[96];                  /* where the former database is now; "" where there was none */
  char mirror_before[160];          /* … and the embedded mirror */
};

/* Puts in place what waits for it, in the working directory. -1: something is half done and the
 * disk does not let it be completed; the store must not start. */
int restore_pending(const struct ck_settings *s, struct restored *r, struct ck_err *err);

/* A database that was put back by hand, with the WAL damaged, or by a disk that was set back, says
 * nothing of it: only the readable files, made behind its commits, tell that it has been further.
 * It is treated as a copy that was restored: what it wrote in the time that is lost may be in the
 * mirror and with followers, under versions that would be given again, and follow-ups that are due
 * in it may have been sent. Call it on the writer's connection, before anything else has read from
 * it. 0, or -1 with the reason. */
int restore_set_back(sqlite3 *db, struct restored *r, struct ck_err *err);

#endif

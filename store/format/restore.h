/* Restoring: puts a copy of the database in place of the present one. Done when the store starts,
 * under its lock, before anything else opens the file.
 *
 *   artifact.db.restore      a whole, durable copy, staged here by the command line
 *        │
 *        │ check it, migrate it to the present format, and make it a store of its own: a new id,
 *        │ versions above all that were ever given, nothing mirrored, automation paused
 *        │                   (if it is no good: remove it and keep the present database)
 *        ▼
 *   it is swapped in (store/format/swap.h)
 */
#ifndef CK_STORE_RESTORE_H
#define CK_STORE_RESTORE_H

#include <sqlite3.h>

#include "proto/error.h"
#include "proto/lock.h"
#include "proto/places.h"
#include "proto/settings.h"
#include "proto/text.h"

#define RESTORE_STAGED CK_PLACE_STAGED

/* How many versions a database that cannot be read may have given since the backup was made. */
#define RESTORE_JUMP UINT64_C(1000000000)

enum restored_state { RESTORED_NOTHING, RESTORED_REFUSED, RESTORED_DONE };

struct restored {
  enum restored_state state;
  struct ck_err reason;             /* of a refusal */
  uint64_t version, backup_version; /* the head now, and the copy's */
  uint64_t paused;                  /* conversations that might have sent a follow-up */
  unsigned damaged;                 /* pages of the copy that are not as convkeep wrote them */
  char before[96];                  /* the former database's new name; "" if there was none */
  char mirror_before[160];          /* the former embedded mirror's; likewise */
};

/* Restores the copy that is staged in the working directory, if there is one; *r says what came of
 * it. lock: that of artifact.db, which must not be open; it passes to what takes its place. 0, also
 * if the copy was refused. -1: a swap is half done and the disk does not let it be completed; the
 * store must not start. */
int restore_pending(const struct ck_settings *s, struct ck_lock *lock, struct restored *r,
                    struct ck_err *err);

/* Begins a new store if `convkeep up --new-store` has asked for one: a store id of its own, and
 * versions above all that the folder's witnesses know. The files of the former store get other
 * names; its spool stays, and what has no receipt there goes into the new store. Call it after
 * restore_pending. 0, also if nobody asked. -1: there is a database, or the disk does not let it be
 * done; the store must not start. */
int restore_new(const struct ck_settings *s, struct ck_lock *lock, struct restored *r,
                struct ck_err *err);

/* Detects a database that was rewound without our help: replaced by hand, cut short by a damaged or
 * lost WAL, or on a disk that was reset. It does not show in the database itself, but the folder's
 * witnesses know better (store/format/witness.h). Such a database is treated like a restored copy,
 * for two reasons: what it wrote in the lost time may be in the mirror and with followers, under
 * versions that would be given again; and follow-ups that are due in it may have been sent. Call it
 * on the writer's connection, before anything else reads from it. cut: what is known to be lost
 * (store/database/wal_mend.h), "": nothing. 0, or -1 with the reason. What a witness knows better,
 * or what is lost, is in the database as its alarm. */
int restore_rewound(sqlite3 *db, const char *cut, struct restored *r, struct ck_err *err);

#endif

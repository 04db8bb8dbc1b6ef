/* Whether the names of the data folder and of the database's files are still those of the files
 * that the store has open. If one was removed, renamed or replaced, what the store commits goes
 * where nobody will look for it.
 */
#ifndef CK_STORE_NAMES_H
#define CK_STORE_NAMES_H

#include "store/database/db.h"

struct names;

/* Notes what the names stand for now. Call it when the database and its WAL are open, in the data
 * folder. NULL with the reason. */
struct names *names_new(struct ck_err *err);
void names_free(struct names **n);

enum names_lost { NAMES_KEPT, NAMES_LOST_WAL, NAMES_LOST_DATABASE, NAMES_LOST_FOLDER };

/* Looks at all of them; a few system calls. err: what has happened to which, if not NAMES_KEPT.
 * NAMES_LOST_WAL: artifact.db is in its place, and only its -wal or -shm is not. NAMES_LOST_FOLDER:
 * the folder's path is another's, and the files are in their places in the folder. */
enum names_lost names_look(const struct names *n, struct ck_err *err);

/* Rescues what the open database holds, when a name was lost. NAMES_LOST_DATABASE: makes a copy of
 * it in the data folder (which is made again if it was removed), whole and durable, and its name is
 * in copy. Otherwise copies the WAL into artifact.db, which is then complete. 0, or -1 with the
 * reason. */
int names_rescue(const struct names *n, enum names_lost lost, sqlite3 *db, char copy[96],
                 struct ck_err *err);

#endif

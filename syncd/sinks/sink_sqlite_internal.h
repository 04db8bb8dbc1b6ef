/* Shared by the two files of the sqlite sink: the file, and who may write to it. For these two
 * only.
 */
#ifndef SYNCD_SINK_SQLITE_INTERNAL_H
#define SYNCD_SINK_SQLITE_INTERNAL_H

#include <sqlite3.h>
#include <sys/types.h>

#include "syncd/sinks/sink.h"

/* The statements for a row: the second and third only if another record may have what is unique;
 * the last one of what was forgotten, which deletes from a table. */
enum sqlite_statement { UPSERT, RELEASE, UPSERT_UNIQUE, FORGET, STATEMENTS };

#define SQLITE_BESIDE 2
#define LOCK_RETRY_MS 2 /* until the lock is tried again */

struct sqlite_sink {
  char *file;
  sqlite3 *db;                                     /* NULL: not open */
  sqlite3_stmt *statements[STATEMENTS][CK_TABLES]; /* prepared when first needed */
  ino_t beside[SQLITE_BESIDE]; /* the files beside it: the WAL, its index; 0: unknown */
  int lock;
  bool empties; /* the WAL has what was deleted */
  struct sync_slice *slice;
  struct sync_query *query;
};

/* Nobody else opens, writes or checkpoints the file meanwhile. False: somebody does. */
bool sqlite_file_lock(struct sqlite_sink *k);
void sqlite_file_unlock(struct sqlite_sink *k);

/* Opens the file, and makes what it lacks. 0; or -1 with the reason, and it is not open. */
int sqlite_file_open(struct sqlite_sink *k, struct ck_err *err);
void sqlite_file_close(struct sqlite_sink *k);
/* False: its name is that of another file now, or of none, so nobody would find what is written. */
bool sqlite_file_has_name(struct sqlite_sink *k);

#endif

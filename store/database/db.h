/* The database file: opening it, its migrations, prepared statements, and rows in and out of them.
 *
 * One connection writes. It checkpoints too, and where there is a checkpoint thread
 * (store/database/checkpoint.h), that thread's connection before it; every other is opened by
 * db_open_reader, which can do neither: SQLite before 3.51.3 can damage a WAL that is checkpointed
 * while it is begun anew (https://sqlite.org/wal.html#walresetbug), and Debian's is older.
 */
#ifndef CK_STORE_DB_H
#define CK_STORE_DB_H

#include <sqlite3.h>

#include "proto/error.h"
#include "proto/records.h"
#include "store/database/migrations.h"

#define DB_FILE "artifact.db"
/* How long a statement waits for a stranger's lock. */
#define DB_BUSY_MS 2000

/* Opens or makes the file, brings it up to the newest format and counts this run in `store`.
 * cache_mib: page cache. -1: err says what is wrong (a newer format than this program's, an
 * unreleased one, another program's or a damaged file, which stay as they are; no room). */
int db_open_writer(sqlite3 **db, int cache_mib, struct ck_err *err);
/* Makes the WAL as large as it will be, where there is room (store/database/wal_file.h). Before
 * anything is committed that somebody waits for. */
int db_grow_wal(sqlite3 *db, struct ck_err *err);
int db_open_reader(sqlite3 **db, struct ck_err *err);
int db_open_backup_copy(sqlite3 **db, struct ck_err *err); /* for store/database/checkpoint.c */
void db_close(sqlite3 **db);

/* Fills err with SQLite's own words and the extended code. Returns -1. Does not return where it was
 * an fsync that failed: the process ends. */
int db_fail(sqlite3 *db, const char *doing, struct ck_err *err);
int db_fail_code(int code, const char *doing,
                 struct ck_err *err); /* likewise, of an extended code that no connection has */

int db_exec(sqlite3 *db, const char *sql, struct ck_err *err);
/* A statement that is kept (SQLITE_PREPARE_PERSISTENT). NULL with the reason. */
sqlite3_stmt *db_prepare(sqlite3 *db, const char *sql, struct ck_err *err);
/* One integer of one row; `otherwise` when there is no row or it is NULL. -1 on an error. */
int db_int(sqlite3 *db, const char *sql, int64_t otherwise, int64_t *out, struct ck_err *err);

void db_bind_str(sqlite3_stmt *s, int at, struct ck_str text); /* borrowed until reset */
void db_bind_value(sqlite3_stmt *s, int at,
                   const struct ck_value *v);      /* likewise; CK_LEFT_OUT binds NULL */
struct ck_str db_str(sqlite3_stmt *s, int column); /* valid until the next step or reset */

/* "a, b, c" of the table's columns, each with the prefix (may be ""). */
void db_columns(struct ck_buf *sql, enum ck_table t, const char *prefix);
/* The table's columns, starting at result column `from`. Text is valid until the next step or
 * reset. */
void db_row(sqlite3_stmt *s, int from, enum ck_table t, struct ck_row *row);

/* The newest version of all tables in the connection's present view or, where that is higher, the
 * one behind which a restored database goes on; 0 when empty. */
int db_head(sqlite3 *db, uint64_t *head, struct ck_err *err);

/* ---- the format ----
 *
 * A format is a number from 1 (PRAGMA user_version) in a file that carries the store's mark (PRAGMA
 * application_id). A step leads from one number to the next inside one transaction, with the
 * number: whatever ends it, the file is of the one format or of the other. */

/* "ckdb". */
#define DB_MARK 0x636b6462

/* The number of the newest format that these steps make. */
int db_newest_format(migration *const *steps);
/* Reads the format of an open database, 0 for an empty one, and changes nothing. -1: it cannot be
 * read, was made by an unreleased convkeep or by another program, or is newer than the steps. */
int db_format(sqlite3 *db, migration *const *steps, int *format, struct ck_err *err);
/* Runs the steps that the database still needs. -1: as db_format; or a step failed, and the
 * database has the format before it. */
int db_migrate(sqlite3 *db, migration *const *steps, struct ck_err *err);

#endif

/* The database file: opening it, migrating it, prepared statements, and rows in and out of them.
 *
 * One connection writes, and only it and the checkpoint thread's (store/database/checkpoint.h)
 * checkpoint. Every other connection is opened by db_open_reader and can do neither: SQLite before
 * 3.51.3 can damage a WAL that one connection checkpoints while another restarts it
 * (https://sqlite.org/wal.html#walresetbug), and Debian's SQLite is older than that.
 *
 * Functions that return int return 0, or -1 with the reason in err, unless they say otherwise.
 */
#ifndef CK_STORE_DB_H
#define CK_STORE_DB_H

#include <sqlite3.h>

#include "proto/error.h"
#include "proto/places.h"
#include "proto/records.h"

#define DB_FILE CK_PLACE_DATABASE
/* How the store's files are opened for writing. Not through symbolic links. */
#define DB_OPEN_FLAGS (SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW)
/* How long a statement waits for another process's lock, in milliseconds. */
#define DB_BUSY_MS 2000

/* A step from one format to the next (below): appends its SQL, without BEGIN and COMMIT. Lists of
 * steps end with NULL. */
typedef void migration(struct ck_buf *sql);

/* Opens or creates the file in the working directory, migrates it to the format that `steps` lead
 * to, and counts this run in `store`. cache_mib: the page cache. -1: err says what is wrong, *db is
 * to be closed. A file of a newer or an unreleased format, with a foreign schema
 * (store/database/schema.h), of another program or damaged stays as it is. */
int db_open_writer(sqlite3 **db, migration *const *steps, int cache_mib, struct ck_err *err);
/* Makes the WAL as large as it will be, if there is room (store/database/wal_file.h). Call it
 * before the first commit that anybody waits for. */
int db_grow_wal(sqlite3 *db, struct ck_err *err);
/* A connection that only reads, for one thread. */
int db_open_reader(sqlite3 **db, struct ck_err *err);
/* The same for who makes something else of what it reads: files, the index, a mirror's batches. A
 * page that is not as written cannot be read (proto/sqlite_pages.h), so that nothing is made of it
 * that would look right. */
int db_open_maker(sqlite3 **db, struct ck_err *err);
/* The checkpoint thread's connection: it checkpoints and changes nothing else. */
int db_open_checkpointer(sqlite3 **db, struct ck_err *err);
/* For any other connection to a database that may be a stranger's: what its schema holds does not
 * run. Sets extended result codes too. */
void db_harden(sqlite3 *db);
/* Finalizes the statements that are left and closes. None may be left that reads a table of FTS5.
 * *db may be NULL, and is NULL afterwards. */
void db_close(sqlite3 **db);

/* Fills err with SQLite's message and extended code. Returns -1. Does not return if an fsync
 * failed: the process ends. */
int db_fail(sqlite3 *db, const char *doing, struct ck_err *err);
/* The same for an extended code that is not a connection's last error. */
int db_fail_code(int code, const char *doing, struct ck_err *err);
/* The words of both. system: errno of the failed call, or 0; why: SQLite's message. A full disk and
 * a folder that cannot be written are said as such. Returns -1. */
int db_fail_words(int code, int system, const char *doing, const char *why, struct ck_err *err);

int db_exec(sqlite3 *db, const char *sql, struct ck_err *err);
/* Prepares a statement for long use (SQLITE_PREPARE_PERSISTENT); the caller finalizes it. NULL with
 * the reason. */
sqlite3_stmt *db_prepare(sqlite3 *db, const char *sql, struct ck_err *err);
/* *out: the integer in the first column of the first row; `otherwise` if there is no row, or it is
 * NULL there. */
int db_int(sqlite3 *db, const char *sql, int64_t otherwise, int64_t *out, struct ck_err *err);

/* Binds parameter `at` (from 1). Borrows text until the next binding. CK_LEFT_OUT binds NULL. */
void db_bind_str(sqlite3_stmt *s, int at, struct ck_str text);
void db_bind_value(sqlite3_stmt *s, int at, const struct ck_value *v);
/* The text of a result column (from 0), valid until the next step or reset. */
struct ck_str db_str(sqlite3_stmt *s, int column);

/* Appends the table's columns as "a, b, c", each with the prefix (may be ""). */
void db_columns(struct ck_buf *sql, enum ck_table t, const char *prefix);
/* Reads the table's columns, starting at result column `from`. Text is valid until the next step or
 * reset. */
void db_row(sqlite3_stmt *s, int from, enum ck_table t, struct ck_row *row);

/* The newest version of all tables as this connection sees them, or the store's version_floor if
 * that is higher (a restored database continues above it). 0: the database is empty. */
int db_head(sqlite3 *db, uint64_t *head, struct ck_err *err);

/* ---- the format ----
 *
 * A format is a number from 1 (PRAGMA user_version) in a file with the store's mark (PRAGMA
 * application_id). A step leads from one number to the next. It and the new number are one
 * transaction, so a crash leaves the file in the one format or in the other. */

/* "ckdb". */
#define DB_MARK 0x636b6462

/* The format that these steps lead to. */
int db_newest_format(migration *const *steps);
/* Reads the format of an open database, 0 for an empty one; changes nothing. -1: the file cannot be
 * read, is of an unreleased convkeep or another program, or is newer than the steps. */
int db_format(sqlite3 *db, migration *const *steps, int *format, struct ck_err *err);
/* Runs the steps that the database still needs. -1: as db_format; or a step failed, and the
 * database has the format that it had before this step. */
int db_migrate(sqlite3 *db, migration *const *steps, struct ck_err *err);

#endif

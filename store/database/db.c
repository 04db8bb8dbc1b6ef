/* See db.h. Opening and the pragmas are in the middle, the format's rules before them. */
#include "store/database/db.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "proto/file.h"
#include "proto/log.h"
#include "proto/sqlite_pages.h"
#include "store/database/checkpoint.h"
#include "store/database/moment.h"
#include "store/database/schema.h"
#include "store/database/statements.h"
#include "store/database/wal_file.h"

/* The pages at which a checkpoint is due (CHECKPOINT_PAGES), and what is written while it runs. */
#define WAL_BYTES (24 << 20)

/* After a failed fsync the kernel may have dropped the pages, so this process no longer knows what
 * the file holds. It ends at once: exit() would first run handlers that wait for open sockets. */
static void end_if_unsynced(int code) {
  if (code != SQLITE_IOERR_FSYNC && code != SQLITE_IOERR_DIR_FSYNC) return;
  ck_log(CK_ERROR, DB_FILE, "fsync_failed", "reason=%s code=%d", ck_quotedz(sqlite3_errstr(code)),
         code);
  quick_exit(1);
}

/* Also for a full tmpfs, of which SQLite only says "disk I/O error": there its shared memory cannot
 * grow. */
static bool is_full(int code, int system) {
  int kind = code & 0xff;
  return kind == SQLITE_FULL || code == SQLITE_IOERR_SHMSIZE ||
         (kind == SQLITE_IOERR && (system == ENOSPC || system == EDQUOT));
}

static bool is_read_only(int code, int system) {
  int kind = code & 0xff;
  return kind == SQLITE_READONLY ||
         (kind == SQLITE_CANTOPEN && (system == EROFS || system == EACCES || system == EPERM));
}

int db_fail_words(int code, int system, const char *doing, const char *why, struct ck_err *err) {
  char said[80];
  if (!is_full(code, system) && !is_read_only(code, system))
    return ck_fail(err, "%.120s: %s (%d)", doing, why, code);
  snprintf(said, sizeof said, "%.60s, %d", why, code);
  ck_fail_write(err, DB_FILE, is_full(code, system) ? ENOSPC : EROFS, said);
  return ck_fail_in(err, "%.80s", doing); /* so that the reason fits */
}

/* The first page that it has met, if that is what it failed for; 0: it is not. */
static unsigned damaged_page(sqlite3 *db, int code) {
  struct ck_sqlite_pages seen;
  if ((code & 0xff) != SQLITE_CORRUPT || !ck_sqlite_pages_seen(db, "main", &seen)) return 0;
  return seen.count ? seen.pages[0] : 0;
}

int db_fail(sqlite3 *db, const char *doing, struct ck_err *err) {
  int code = db ? sqlite3_extended_errcode(db) : SQLITE_OK;
  end_if_unsynced(code);
  unsigned page = damaged_page(db, code);
  if (page)
    return ck_fail(err,
                   "%.80s: page %u is not as written, convkeep doctor says what to do: %s (%d)",
                   doing, page, sqlite3_errmsg(db), code);
  return db_fail_words(code, db ? sqlite3_system_errno(db) : 0, doing,
                       db ? sqlite3_errmsg(db) : "no connection", err);
}

int db_fail_code(int code, const char *doing, struct ck_err *err) {
  end_if_unsynced(code);
  return db_fail_words(code, 0, doing, sqlite3_errstr(code), err);
}

int db_exec(sqlite3 *db, const char *sql, struct ck_err *err) {
  if (sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK) return 0;
  return db_fail(db, "SQL", err);
}

sqlite3_stmt *db_prepare(sqlite3 *db, const char *sql, struct ck_err *err) {
  sqlite3_stmt *s = NULL;
  if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &s, NULL) == SQLITE_OK) return s;
  db_fail(db, sql, err);
  return NULL;
}

int db_prepare_all(sqlite3 *db, const char *const *texts, int count, sqlite3_stmt **s,
                   struct ck_err *err) {
  for (int i = 0; i < count; ++i)
    if (!(s[i] = db_prepare(db, texts[i], err))) return -1;
  return 0;
}

void db_finalize_all(sqlite3_stmt *const *s, int count) {
  for (int i = 0; i < count; ++i) sqlite3_finalize(s[i]);
}

int db_int(sqlite3 *db, const char *sql, int64_t otherwise, int64_t *out, struct ck_err *err) {
  sqlite3_stmt *s = db_prepare(db, sql, err);
  if (!s) return -1;
  int rc = sqlite3_step(s);
  *out = rc == SQLITE_ROW && sqlite3_column_type(s, 0) != SQLITE_NULL ? sqlite3_column_int64(s, 0)
                                                                      : otherwise;
  int bad = rc != SQLITE_ROW && rc != SQLITE_DONE ? db_fail(db, sql, err) : 0;
  sqlite3_finalize(s);
  return bad;
}

int db_newest_format(migration *const *steps) {
  int n = 0;
  while (steps[n]) ++n;
  return n;
}

/* A file without the mark: 0 if it is empty. */
static int unmarked(sqlite3 *db, int64_t number, struct ck_err *err) {
  int64_t things, own;
  if (db_int(db, "SELECT count(*) FROM sqlite_schema", 0, &things, err) ||
      db_int(db,
             "SELECT count(*) FROM sqlite_schema WHERE type = 'table'"
             " AND name IN ('messages', 'renewal_jobs', 'producers', 'store')",
             0, &own, err))
    return -1;
  if (things == 0 && number == 0) return 0;
  if (own == 4 && number > 0)
    return ck_fail(err, "this database was made by an unreleased convkeep, before the first "
                        "format, and cannot be used by this one; nothing was changed");
  return ck_fail(err, "it is not a database of convkeep's store");
}

int db_format(sqlite3 *db, migration *const *steps, int *format, struct ck_err *err) {
  int64_t mark, number;
  *format = 0;
  if (db_int(db, "PRAGMA application_id", 0, &mark, err) ||
      db_int(db, "PRAGMA user_version", 0, &number, err))
    return -1;
  if (mark == 0) return unmarked(db, number, err);
  if (mark != DB_MARK || number < 1)
    return ck_fail(err, "it is not a database of convkeep's store");
  if (number > db_newest_format(steps))
    return ck_fail(err,
                   "format %lld is newer than this program, which knows %d; install the newer one",
                   (long long)number, db_newest_format(steps));
  *format = (int)number;
  return 0;
}

static int run_step(sqlite3 *db, migration *step, int number, struct ck_err *err) {
  struct ck_buf sql = {0};
  ck_buf_text(&sql, "BEGIN IMMEDIATE;");
  step(&sql);
  ck_buf_printf(&sql, ";PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT", DB_MARK,
                number);
  int rc = db_exec(db, ck_buf_cstr(&sql), err);
  ck_buf_free(&sql);
  if (rc) {
    sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return ck_fail_in(err, "migration %04d", number);
  }
  ck_log(CK_INFO, DB_FILE, "migrated", "number=%04d", number);
  return 0;
}

int db_migrate(sqlite3 *db, migration *const *steps, struct ck_err *err) {
  int at;
  if (db_format(db, steps, &at, err)) return -1;
  if (!steps[at]) return 0;
  /* A step may sort ten million rows for an index: too many for memory. */
  if (db_exec(db, "PRAGMA temp_store = FILE", err)) return -1;
  for (; steps[at]; ++at)
    if (run_step(db, steps[at], at + 1, err)) return -1;
  return db_exec(db, "PRAGMA temp_store = MEMORY", err);
}

/* Does what SQLite's automatic checkpoint does, but that would hide a failed fsync. After any other
 * failure the next commit tries again. */
static int checkpoint(void *unused, sqlite3 *db, const char *name, int pages) {
  (void)unused;
  if (pages >= (int)CHECKPOINT_PAGES &&
      sqlite3_wal_checkpoint_v2(db, name, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL) != SQLITE_OK)
    end_if_unsynced(sqlite3_extended_errcode(db));
  return SQLITE_OK;
}

/* The store has no triggers and calls no functions from its schema, so nothing that somebody put
 * there runs. DEFENSIVE: SQL cannot write the schema's own table, nor switch the journal off. */
void db_harden(sqlite3 *db) {
  static const struct {
    int option, value;
  } options[] = {{SQLITE_DBCONFIG_DEFENSIVE, 1},
                 {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
                 {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0}};
  sqlite3_extended_result_codes(db, 1);
  for (size_t i = 0; i < sizeof options / sizeof *options; ++i)
    sqlite3_db_config(db, options[i].option, options[i].value, NULL);
}

/* Page size stays SQLite's 4096: 8192 measured slower. Until checkpoint_new takes over, this
 * connection checkpoints. */
static int set_up_writer(sqlite3 *db, int cache_mib, struct ck_err *err) {
  char cache[64];
  sqlite3_wal_hook(db, checkpoint, NULL);
  snprintf(cache, sizeof cache, "PRAGMA cache_size = -%d", cache_mib * 1024);
  return db_exec(db,
                 "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
                 "PRAGMA journal_size_limit = 67108864; PRAGMA temp_store = MEMORY;"
                 "PRAGMA secure_delete = ON;"
                 "PRAGMA mmap_size = 0",
                 err) ||
         db_exec(db, cache, err);
}

/* SQLite opens whatever has the name: for a FIFO it would wait for the other end when it reads, and
 * report an I/O error when it writes. */
static int check_kinds(struct ck_err *err) {
  static const char *const files[] = {DB_FILE, DB_FILE "-wal", DB_FILE "-shm", DB_FILE "-journal"};
  for (size_t i = 0; i < sizeof files / sizeof *files; ++i)
    if (ck_no_other_kind(AT_FDCWD, files[i], err)) return ck_fail_in(err, "%s", files[i]);
  return 0;
}

/* On such a file system flock becomes a lock of byte ranges, which collides with SQLite's own; and
 * SQLite's WAL needs memory that all processes share. */
static int check_file_system(struct ck_err *err) {
  static const struct {
    long type;
    const char *name;
  } networks[] = {{0x6969, "NFS"}, {0x517b, "SMB"}, {0xff534d42, "SMB"}, {0xfe534d42, "SMB"}};
  struct statfs fs;
  if (statfs(".", &fs)) return ck_fail(err, "the data folder: %s", strerror(errno));
  for (size_t i = 0; i < sizeof networks / sizeof *networks; ++i)
    if ((uint32_t)fs.f_type == (uint32_t)networks[i].type)
      return ck_fail(err,
                     "the data folder is on a network file system (%s), where SQLite's locks "
                     "do not work: use a folder on a local disk",
                     networks[i].name);
  return 0;
}

int db_open_writer(sqlite3 **db, migration *const *steps, int cache_mib, struct ck_err *err) {
  if (check_file_system(err) || check_kinds(err)) return -1;
  if (sqlite3_open_v2(DB_FILE, db, DB_OPEN_FLAGS | SQLITE_OPEN_CREATE, wal_file_vfs()) != SQLITE_OK)
    return db_fail(*db, DB_FILE, err);
  ck_sqlite_pages_guard(*db);
  db_harden(*db);
  sqlite3_busy_timeout(*db, DB_BUSY_MS);
  if (moment_sql(*db, err)) return -1;
  int format;
  if (db_format(*db, steps, &format, err) || (format && schema_check(*db, steps, format, err))) {
    /* A file that is not ours stays as it is, and so does its WAL. */
    sqlite3_db_config(*db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    return ck_fail_in(err, DB_FILE);
  }
  if (set_up_writer(*db, cache_mib, err) || db_migrate(*db, steps, err) ||
      db_exec(*db, "UPDATE store SET runs = runs + 1", err))
    return ck_fail_in(err, DB_FILE);
  return 0;
}

int db_grow_wal(sqlite3 *db, struct ck_err *err) {
  int rc = wal_file_grow(db, WAL_BYTES);
  return rc == SQLITE_OK ? 0 : db_fail_code(rc, DB_FILE "-wal", err);
}

int db_open_reader(sqlite3 **db, struct ck_err *err) {
  const int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW;
  if (sqlite3_open_v2(DB_FILE, db, flags, ck_sqlite_pages_vfs()) != SQLITE_OK)
    return db_fail(*db, DB_FILE, err);
  db_harden(*db);
  sqlite3_busy_timeout(*db, DB_BUSY_MS);
  sqlite3_db_config(*db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
  if (moment_sql(*db, err)) return -1;
  return db_exec(*db, "PRAGMA query_only = ON; PRAGMA cache_size = -1024; PRAGMA mmap_size = 0",
                 err);
}

int db_open_maker(sqlite3 **db, struct ck_err *err) {
  if (db_open_reader(db, err)) return -1;
  ck_sqlite_pages_strict(*db);
  return 0;
}

/* SQLite lets only a connection that may write checkpoint. query_only keeps this one from writing
 * anything else. */
int db_open_checkpointer(sqlite3 **db, struct ck_err *err) {
  if (sqlite3_open_v2(DB_FILE, db, DB_OPEN_FLAGS, ck_sqlite_pages_vfs()) != SQLITE_OK)
    return db_fail(*db, DB_FILE, err);
  db_harden(*db);
  sqlite3_db_config(*db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
  return db_exec(*db,
                 "PRAGMA query_only = ON; PRAGMA synchronous = FULL; PRAGMA cache_size = 16;"
                 "PRAGMA mmap_size = 0",
                 err);
}

void db_close(sqlite3 **db) {
  sqlite3_stmt *s;
  /* Even if sqlite3_close fails, it disconnects virtual tables, and FTS5 finalizes its own
   * statements with them. What is left is ours. */
  if (sqlite3_close(*db) != SQLITE_OK) {
    while ((s = sqlite3_next_stmt(*db, NULL))) sqlite3_finalize(s);
    sqlite3_close(*db);
  }
  *db = NULL;
}

void db_bind_str(sqlite3_stmt *s, int at, struct ck_str text) {
  sqlite3_bind_text64(s, at, text.n ? text.s : "", text.n, SQLITE_STATIC, SQLITE_UTF8);
}

void db_bind_value(sqlite3_stmt *s, int at, const struct ck_value *v) {
  if (v->state == CK_INT)
    sqlite3_bind_int64(s, at, v->as.i);
  else if (v->state == CK_TEXT)
    db_bind_str(s, at, v->as.s);
  else
    sqlite3_bind_null(s, at);
}

struct ck_str db_str(sqlite3_stmt *s, int column) {
  const char *text = (const char *)sqlite3_column_text(s, column);
  return (struct ck_str){text, (size_t)sqlite3_column_bytes(s, column)};
}

void db_columns(struct ck_buf *sql, enum ck_table t, const char *prefix) {
  for (int c = 0; c < ck_tables[t].columns; ++c)
    ck_buf_printf(sql, "%s%s%s", c ? ", " : "", prefix, ck_tables[t].fields[c].name);
}

void db_row(sqlite3_stmt *s, int from, enum ck_table t, struct ck_row *row) {
  row->table = t;
  for (int c = 0; c < ck_tables[t].columns; ++c) {
    int type = sqlite3_column_type(s, from + c);
    if (type == SQLITE_NULL)
      row->v[c] = ck_null();
    else if (type == SQLITE_INTEGER)
      row->v[c] = ck_int(sqlite3_column_int64(s, from + c));
    else
      row->v[c] = ck_text(db_str(s, from + c));
  }
}

int db_head(sqlite3 *db, uint64_t *head, struct ck_err *err) {
  struct ck_buf sql = {0};
  ck_buf_text(&sql, "SELECT max((SELECT version_floor FROM store)");
  for (int t = 0; t < CK_TABLES; ++t)
    ck_buf_printf(&sql, ", (SELECT coalesce(max(version), 0) FROM %s)", ck_tables[t].name);
  ck_buf_text(&sql, ")");
  int64_t value;
  int rc = db_int(db, ck_buf_cstr(&sql), 0, &value, err);
  ck_buf_free(&sql);
  if (rc == 0) *head = (uint64_t)value;
  return rc;
}

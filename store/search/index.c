/* The file: opening it, and throwing it away; see index.h. */
#include "store/search/index_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/file.h"
#include "proto/log.h"
#include "proto/sqlite_pages.h"
#include "store/search/fts.h"

/* Below this many dead entries the index is not made again. */
#define WORN_MIN 10000
#define WORN_SHARE 5  /* made again when one in so many is dead */
#define BUSY_MS 10000 /* doctor holds the file's lock while it looks at the words */

#define SCHEMA \
  "CREATE TABLE entries (entry INTEGER PRIMARY KEY, version INTEGER NOT NULL, at INTEGER," \
  " place INTEGER NOT NULL, role INTEGER, sum INTEGER NOT NULL);" \
  "CREATE TABLE dead (entry INTEGER PRIMARY KEY);" \
  "CREATE TABLE keys (key INTEGER PRIMARY KEY, entry INTEGER NOT NULL);" \
  "CREATE TABLE places (place INTEGER PRIMARY KEY, kind INTEGER NOT NULL, platform TEXT NOT NULL," \
  " conversation TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL," \
  " UNIQUE (kind, platform, conversation));" \
  "CREATE TABLE roles (role INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);" \
  "CREATE TABLE blocks (block INTEGER PRIMARY KEY, oldest INTEGER NOT NULL," \
  " newest INTEGER NOT NULL);" \
  "CREATE TABLE search_state (store_id TEXT NOT NULL, cursor INTEGER NOT NULL," \
  " next INTEGER NOT NULL, dead INTEGER NOT NULL, merged INTEGER NOT NULL," \
  " since INTEGER NOT NULL);"

/* ---- opening ---- */

int index_fail(struct search_index *x, const char *doing, struct ck_err *err) {
  int kind = sqlite3_errcode(x->db) & 0xff;
  x->damaged |= kind == SQLITE_CORRUPT || kind == SQLITE_NOTADB || kind == SQLITE_CONSTRAINT;
  char what[100];
  snprintf(what, sizeof what, SEARCH_FILE ": %.80s", doing);
  return db_fail_words(sqlite3_extended_errcode(x->db), sqlite3_system_errno(x->db), what,
                       sqlite3_errmsg(x->db), err);
}

int index_exec(struct search_index *x, const char *sql, struct ck_err *err) {
  return sqlite3_exec(x->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : index_fail(x, "SQL", err);
}

int search_index_drop(struct ck_err *err) {
  static const char *const files[] = {SEARCH_FILE "-wal", SEARCH_FILE "-shm",
                                      SEARCH_FILE "-journal", SEARCH_FILE};
  for (size_t i = 0; i < sizeof files / sizeof *files; ++i)
    if (unlink(files[i]) && errno != ENOENT)
      return ck_fail(err, "%s: %s", files[i], strerror(errno));
  return 0;
}

/* synchronous = NORMAL: a power cut takes the last commits, and their records are read again. */
static int connect(struct search_index *x, struct ck_err *err) {
  if (ck_no_other_kind(AT_FDCWD, SEARCH_FILE, err)) return -1;
  if (sqlite3_open_v2(SEARCH_FILE, &x->db, DB_OPEN_FLAGS | SQLITE_OPEN_CREATE,
                      ck_sqlite_pages_vfs()) != SQLITE_OK)
    return index_fail(x, "opening", err);
  ck_sqlite_pages_guard(x->db);
  ck_sqlite_pages_strict(x->db);
  db_harden(x->db);
  sqlite3_busy_timeout(x->db, BUSY_MS);
  if (search_fts_register(x->db, err)) return -1;
  return index_exec(
      x,
      "PRAGMA synchronous = NORMAL; PRAGMA temp_store = MEMORY;"
      "PRAGMA cache_size = -4096; PRAGMA mmap_size = 0; PRAGMA wal_autocheckpoint = 2000;"
      "PRAGMA journal_size_limit = 16777216",
      err);
}

static int make(struct search_index *x, const char *store_id, struct ck_err *err) {
  char *state = ck_sprintf("INSERT INTO search_state VALUES ('%s', 0, 1, 0, 0, 0);"
                           "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
                           store_id, SEARCH_MARK, SEARCH_VERSION);
  int rc = index_exec(x, "PRAGMA journal_mode = WAL; BEGIN IMMEDIATE;" SCHEMA, err) ||
                   index_exec(x, state, err)
               ? -1
               : 0;
  free(state);
  return rc;
}

/* 1: it is an index of this version; 0: it is empty or anything else; -1. */
static int is_ours(sqlite3 *db, struct ck_err *err) {
  int64_t mark, version;
  if (db_int(db, "PRAGMA application_id", 0, &mark, err) ||
      db_int(db, "PRAGMA user_version", 0, &version, err))
    return -1;
  struct ck_sqlite_pages seen;
  return mark == SEARCH_MARK && version == SEARCH_VERSION &&
         ck_sqlite_pages_seen(db, "main", &seen) && seen.sealed;
}

static int note_file(struct search_index *x, struct ck_err *err) {
  struct stat st;
  if (stat(SEARCH_FILE, &st)) return ck_fail(err, SEARCH_FILE ": %s", strerror(errno));
  x->device = st.st_dev;
  x->inode = st.st_ino;
  return 0;
}

/* -1 with x->damaged: what is there is not this store's index. */
static int open_file(struct search_index *x, const char *store_id, uint64_t *cursor, bool fresh,
                     struct ck_err *err) {
  bool known = false;
  if (connect(x, err)) return -1;
  int ours = fresh ? 0 : is_ours(x->db, err);
  if (ours < 0) return index_fail(x, "opening", err);
  if (!ours && !fresh) {
    x->damaged = true;
    return ck_fail(err, SEARCH_FILE ": another version's, or no index");
  }
  if ((fresh && make(x, store_id, err)) || index_prepare(x, err) ||
      index_read_state(x, store_id, cursor, &known, err) || note_file(x, err))
    return -1;
  if (known) return 0;
  x->damaged = true;
  return ck_fail(err, SEARCH_FILE ": another store's");
}

static struct search_index *open_one(const char *store_id, uint64_t *cursor, bool fresh,
                                     bool *damaged, struct ck_err *err) {
  struct search_index *x = ck_zalloc(sizeof *x);
  if (open_file(x, store_id, cursor, fresh, err)) {
    *damaged = x->damaged;
    search_index_close(&x);
  }
  return x;
}

struct search_index *search_index_open(const char *store_id, uint64_t *cursor, struct ck_err *err) {
  bool damaged = false, there = access(SEARCH_FILE, F_OK) == 0;
  struct search_index *x = NULL;
  if (there) x = open_one(store_id, cursor, false, &damaged, err);
  if (x || (there && !damaged)) return x;
  if (there) ck_log(CK_WARN, SEARCH_FILE, "search_made_again", "reason=%s", ck_quotedz(err->text));
  return search_index_drop(err) ? NULL : open_one(store_id, cursor, true, &damaged, err);
}

void search_index_close(struct search_index **x) {
  if (!*x) return;
  index_unprepare(*x);
  index_words_close(*x);
  db_close(&(*x)->db);
  free(*x);
  *x = NULL;
}

bool search_index_same(const struct search_index *x) {
  struct stat st;
  return stat(SEARCH_FILE, &st) == 0 && st.st_dev == x->device && st.st_ino == x->inode;
}

bool search_index_damaged(const struct search_index *x) { return x->damaged; }

bool search_index_worn(const struct search_index *x) {
  return x->state.dead >= WORN_MIN && x->state.dead >= x->state.next / WORN_SHARE;
}

/* ---- reading ---- */

int search_index_reader(sqlite3 **db, struct ck_err *err) {
  const int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW;
  if (ck_no_other_kind(AT_FDCWD, SEARCH_FILE, err)) return -1;
  if (access(SEARCH_FILE, F_OK) && errno == ENOENT) return 1;
  if (sqlite3_open_v2(SEARCH_FILE, db, flags, ck_sqlite_pages_vfs()) != SQLITE_OK)
    return ck_fail(err, SEARCH_FILE ": %s", sqlite3_errmsg(*db));
  ck_sqlite_pages_strict(*db);
  db_harden(*db);
  sqlite3_busy_timeout(*db, DB_BUSY_MS);
  sqlite3_db_config(*db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
  int ours =
      search_fts_register(*db, err) ||
              db_exec(*db,
                      "PRAGMA query_only = ON; PRAGMA cache_size = -16384; PRAGMA mmap_size = 0",
                      err)
          ? -1
          : is_ours(*db, err);
  /* A rollback journal is there only while the file is being made. */
  bool half_made = ours < 0 && sqlite3_extended_errcode(*db) == SQLITE_READONLY_ROLLBACK;
  return ours > 0 ? 0 : ours == 0 || half_made ? 1 : -1;
}

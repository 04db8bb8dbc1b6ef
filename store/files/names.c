/* See names.h. */
#include "store/files/names.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "proto/file.h"
#include "proto/sqlite_pages.h"
#include "proto/log.h"
#include "proto/words.h"
#include "store/database/statements.h"

#define MARK 0x636b6e6d /* "cknm" */
#define MARK_TEXT "1667985005"

/* stale: see names_stale. key: of a name, the name in lower case; of a record, a hash of its table
 * and id. place: of the conversation that it belongs to. md: see names_written. */
#define SCHEMA \
  "PRAGMA journal_mode = WAL; BEGIN IMMEDIATE;" \
  "CREATE TABLE names (place INTEGER PRIMARY KEY, conversation TEXT NOT NULL UNIQUE, name TEXT," \
  " key TEXT UNIQUE, stale INTEGER NOT NULL DEFAULT 0, md INTEGER);" \
  "CREATE INDEX stale_names ON names (place) WHERE stale;" \
  "CREATE TABLE members (key INTEGER PRIMARY KEY, place INTEGER NOT NULL);" \
  "PRAGMA application_id = " MARK_TEXT "; COMMIT"

#define STATEMENTS(S) \
  S(FIND, "SELECT name FROM names WHERE conversation = ?1 AND name IS NOT NULL") \
  S(TAKEN, "SELECT conversation FROM names WHERE key = ?2 AND conversation <> ?1") \
  S(SET, "INSERT INTO names (conversation, name, key) VALUES (?1, ?2, ?3)" \
         " ON CONFLICT (conversation) DO UPDATE SET name = ?2, key = ?3") \
  S(TAKE, "DELETE FROM names WHERE place = (SELECT place FROM names WHERE name IS NOT NULL" \
          " LIMIT 1) RETURNING name") \
  S(DROP, "DELETE FROM names WHERE conversation = ?1 RETURNING name") \
  S(MEMBER, "SELECT conversation FROM members JOIN names USING (place) WHERE members.key = ?1") \
  S(ADD, "INSERT INTO names (conversation) VALUES (?1) ON CONFLICT (conversation) DO NOTHING") \
  S(MOVE, "INSERT OR REPLACE INTO members" \
          " VALUES (?1, coalesce((SELECT place FROM names WHERE conversation = ?2), 0))") \
  S(LEFT, "UPDATE names SET stale = 1 WHERE conversation = ?1") \
  S(STALE, "SELECT conversation, place FROM names WHERE stale AND place > ?1 ORDER BY place" \
           " LIMIT 1") \
  S(WRITTEN, "UPDATE names SET stale = 0, md = ?2 WHERE conversation = ?1") \
  S(MD, "SELECT md FROM names WHERE conversation = ?1 AND md IS NOT NULL") \
  S(CHECK, "SELECT integrity_check FROM pragma_integrity_check(1) WHERE integrity_check <> 'ok'") \
  S(BEGIN, "BEGIN") \
  S(COMMIT, "COMMIT")

DB_STATEMENTS(STATEMENTS)

struct names {
  sqlite3 *db;
  sqlite3_stmt *s[STATEMENT_COUNT];
  bool begun, damaged;
  struct ck_buf key;
};

static int fail(struct names *n, struct ck_err *err) {
  int kind = sqlite3_errcode(n->db) & 0xff;
  n->damaged |= kind == SQLITE_CORRUPT || kind == SQLITE_NOTADB || kind == SQLITE_ERROR;
  return ck_fail(err, NAMES_FILE ": %s (%d)", sqlite3_errmsg(n->db),
                 sqlite3_extended_errcode(n->db));
}

int names_drop(struct ck_err *err) {
  static const char *const files[] = {NAMES_FILE "-wal", NAMES_FILE "-shm", NAMES_FILE};
  for (size_t i = 0; i < sizeof files / sizeof *files; ++i)
    if (unlink(files[i]) && errno != ENOENT)
      return ck_fail(err, "%s: %s", files[i], strerror(errno));
  return 0;
}

/* synchronous = NORMAL: a power cut takes the last commits, and their conversations are written
 * again. */
static int connect_to(struct names *n, int flags, struct ck_err *err) {
  if (ck_no_other_kind(AT_FDCWD, NAMES_FILE, err)) return ck_fail_in(err, NAMES_FILE);
  if (sqlite3_open_v2(NAMES_FILE, &n->db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW,
                      ck_sqlite_pages_vfs()) != SQLITE_OK)
    return fail(n, err);
  ck_sqlite_pages_guard(n->db);
  ck_sqlite_pages_strict(n->db);
  db_harden(n->db);
  sqlite3_busy_timeout(n->db, DB_BUSY_MS);
  return sqlite3_exec(n->db,
                      "PRAGMA synchronous = NORMAL; PRAGMA mmap_size = 0;"
                      "PRAGMA secure_delete = ON;"
                      "PRAGMA journal_size_limit = 4194304",
                      NULL, NULL, NULL) == SQLITE_OK
             ? 0
             : fail(n, err);
}

/* Sets *damaged if it is no such database. */
static struct names *open_one(int flags, bool fresh, bool *damaged, struct ck_err *err) {
  struct names *n = ck_zalloc(sizeof *n);
  int64_t mark = 0;
  int rc = connect_to(n, flags, err);
  if (rc == 0 && fresh && sqlite3_exec(n->db, SCHEMA, NULL, NULL, NULL) != SQLITE_OK)
    rc = fail(n, err);
  if (rc == 0) rc = db_int(n->db, "PRAGMA application_id", 0, &mark, err);
  if (rc == 0 && mark != MARK)
    rc = ck_fail(err, NAMES_FILE ": it is something else"), *damaged = true;
  if (rc == 0) rc = db_prepare_all(n->db, texts, STATEMENT_COUNT, n->s, err);
  if (rc == 0) return n;
  int kind = n->db ? sqlite3_errcode(n->db) & 0xff : 0;
  *damaged |= kind == SQLITE_CORRUPT || kind == SQLITE_NOTADB || kind == SQLITE_ERROR;
  names_close(&n);
  return NULL;
}

struct names *names_open(bool *fresh, struct ck_err *err) {
  bool damaged = false, there = access(NAMES_FILE, F_OK) == 0;
  struct names *n = there ? open_one(SQLITE_OPEN_READWRITE, false, &damaged, err) : NULL;
  *fresh = !n;
  if (n || (there && !damaged)) return n;
  if (there) ck_log(CK_WARN, NAMES_FILE, "names_made_again", "reason=%s", ck_quotedz(err->text));
  if (names_drop(err)) return NULL;
  return open_one(SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, true, &damaged, err);
}

struct names *names_reader(struct ck_err *err) {
  bool damaged = false;
  return open_one(SQLITE_OPEN_READONLY, false, &damaged, err);
}

bool names_damaged(const struct names *n) { return n->damaged; }

void names_close(struct names **n) {
  if (!*n) return;
  db_finalize_all((*n)->s, STATEMENT_COUNT);
  sqlite3_close((*n)->db);
  ck_buf_free(&(*n)->key);
  free(*n);
  *n = NULL;
}

/* 1: a row, of which the first column is appended to `out`, unless that is NULL; 0: none; -1. */
static int run(struct names *n, enum statement which, struct ck_buf *out, struct ck_err *err) {
  int rc = sqlite3_step(n->s[which]);
  int result = rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : fail(n, err);
  if (result > 0 && out) ck_buf_str(out, db_str(n->s[which], 0));
  while (rc == SQLITE_ROW) rc = sqlite3_step(n->s[which]);
  sqlite3_reset(n->s[which]);
  return result;
}

/* Writes are gathered until names_commit. */
static int begin(struct names *n, struct ck_err *err) {
  if (n->begun) return 0;
  if (run(n, BEGIN, NULL, err)) return -1;
  n->begun = true;
  return 0;
}

int names_commit(struct names *n, struct ck_err *err) {
  if (!n->begun) return 0;
  n->begun = false;
  if (sqlite3_get_autocommit(n->db)) /* SQLite has rolled back by itself, for want of room */
    return ck_fail(err, NAMES_FILE ": what was noted could not be written");
  if (run(n, COMMIT, NULL, err) == 0) return 0;
  sqlite3_exec(n->db, "ROLLBACK", NULL, NULL, NULL);
  return -1;
}

int names_empty_wal(struct names *n, struct ck_err *err) {
  if (names_commit(n, err)) return -1;
  int rc = sqlite3_wal_checkpoint_v2(n->db, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
  if (rc != SQLITE_OK) return fail(n, err);
  sqlite3_db_release_memory(n->db); /* as proto/sqlite_pages.h says */
  return 0;
}

static void make_key(struct names *n, struct ck_str name) {
  ck_buf_clear(&n->key);
  ck_buf_lower(&n->key, name);
}

int names_find(struct names *n, struct ck_str conversation, struct ck_buf *name,
               struct ck_err *err) {
  ck_buf_clear(name);
  db_bind_str(n->s[FIND], 1, conversation);
  return run(n, FIND, name, err);
}

int names_taken(struct names *n, struct ck_str conversation, struct ck_str name,
                struct ck_err *err) {
  make_key(n, name);
  db_bind_str(n->s[TAKEN], 1, conversation);
  db_bind_str(n->s[TAKEN], 2, ck_buf_view(&n->key));
  return run(n, TAKEN, NULL, err);
}

int names_set(struct names *n, struct ck_str conversation, struct ck_str name, struct ck_err *err) {
  if (begin(n, err)) return -1;
  make_key(n, name);
  db_bind_str(n->s[SET], 1, conversation);
  db_bind_str(n->s[SET], 2, name);
  db_bind_str(n->s[SET], 3, ck_buf_view(&n->key));
  return run(n, SET, NULL, err);
}

static int64_t key_of(const struct ck_row *record) {
  const struct ck_str parts[] = {ck_str_of(ck_tables[record->table].name), ck_row_key(record)};
  char hash[33];
  ck_hash_id(hash, parts, 2);
  hash[16] = '\0';
  return (int64_t)strtoull(hash, NULL, 16);
}

int names_move(struct names *n, const struct ck_row *record, struct ck_str conversation,
               struct ck_buf *former, struct ck_err *err) {
  int64_t key = key_of(record);
  ck_buf_clear(former);
  sqlite3_bind_int64(n->s[MEMBER], 1, key);
  int had = run(n, MEMBER, former, err);
  if (had < 0 || ck_str_eq(ck_buf_view(former), conversation)) return had < 0 ? -1 : 0;
  db_bind_str(n->s[ADD], 1, conversation);
  sqlite3_bind_int64(n->s[MOVE], 1, key);
  db_bind_str(n->s[MOVE], 2, conversation);
  db_bind_str(n->s[LEFT], 1, ck_buf_view(former));
  if (begin(n, err) || (conversation.n && run(n, ADD, NULL, err)) || run(n, MOVE, NULL, err) ||
      (had && run(n, LEFT, NULL, err)))
    return -1;
  return had;
}

int names_drop_conversation(struct names *n, struct ck_str conversation, struct ck_buf *name,
                            struct ck_err *err) {
  ck_buf_clear(name);
  db_bind_str(n->s[DROP], 1, conversation);
  if (begin(n, err) || run(n, DROP, name, err) < 0) return -1;
  return name->len > 0;
}

int names_stale(struct names *n, int64_t *place, struct ck_buf *conversation, struct ck_err *err) {
  sqlite3_stmt *s = n->s[STALE];
  ck_buf_clear(conversation);
  sqlite3_bind_int64(s, 1, *place);
  int rc = sqlite3_step(s);
  if (rc == SQLITE_ROW) {
    ck_buf_str(conversation, db_str(s, 0));
    *place = sqlite3_column_int64(s, 1);
  }
  sqlite3_reset(s);
  return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : fail(n, err);
}

int names_written(struct names *n, struct ck_str conversation, uint32_t md, struct ck_err *err) {
  if (begin(n, err)) return -1;
  db_bind_str(n->s[WRITTEN], 1, conversation);
  sqlite3_bind_int64(n->s[WRITTEN], 2, md);
  return run(n, WRITTEN, NULL, err);
}

int names_md(struct names *n, struct ck_str conversation, uint32_t *md, struct ck_err *err) {
  db_bind_str(n->s[MD], 1, conversation);
  int rc = sqlite3_step(n->s[MD]);
  if (rc == SQLITE_ROW) *md = (uint32_t)sqlite3_column_int64(n->s[MD], 0);
  int result = rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : fail(n, err);
  sqlite3_reset(n->s[MD]);
  return result;
}

int names_check(struct names *n, struct ck_err *err) {
  struct ck_buf found = {0};
  int rc = run(n, CHECK, &found, err);
  if (rc > 0) rc = ck_fail(err, NAMES_FILE ": %s", ck_buf_cstr(&found));
  ck_buf_free(&found);
  return rc;
}

int names_take_any(struct names *n, struct ck_buf *name, struct ck_err *err) {
  ck_buf_clear(name);
  return begin(n, err) ? -1 : run(n, TAKE, name, err);
}

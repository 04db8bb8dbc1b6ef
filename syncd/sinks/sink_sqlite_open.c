/* The file of the sqlite sink: opened, made, brought up, locked. */
#include "syncd/sinks/sink_sqlite_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/file.h"
#include "proto/lock.h"
#include "proto/log.h"
#include "proto/places.h"
#include "proto/sqlite_pages.h"
#include "syncd/sql/mirror.h"

#define CACHE_KIB 4096
#define BUSY_MS 500 /* another transaction holds it: a person at the sqlite3 prompt */
#define OPEN_TRIES 1500
#define CLOSE_TRIES 200

/* ---- the lock ---- */

bool sqlite_file_lock(struct sqlite_sink *k) { return ck_turn_try(k->lock); }
void sqlite_file_unlock(struct sqlite_sink *k) { ck_turn_end(k->lock); }

static bool lock_patiently(struct sqlite_sink *k, int tries) {
  while (!sqlite_file_lock(k)) {
    if (--tries == 0) return false;
    usleep(LOCK_RETRY_MS * 1000);
  }
  return true;
}

/* ---- the files beside it ---- */

static const char *const beside[SQLITE_BESIDE] = {"-wal", "-shm"};

static ino_t inode_beside(const struct sqlite_sink *k, int which) {
  struct stat st;
  char *path = ck_sprintf("%s%s", k->file, beside[which]);
  ino_t inode = lstat(path, &st) == 0 ? st.st_ino : 0;
  free(path);
  return inode;
}

static void note_beside(struct sqlite_sink *k) {
  for (int i = 0; i < SQLITE_BESIDE; ++i) k->beside[i] = inode_beside(k, i);
}

/* The file has lost its name. What has the name must share neither of these with those who still
 * have the file open: SQLite would take one's WAL for the other's. */
static void remove_beside(struct sqlite_sink *k) {
  for (int i = 0; i < SQLITE_BESIDE; ++i) {
    if (!k->beside[i] || inode_beside(k, i) != k->beside[i]) continue;
    char *path = ck_sprintf("%s%s", k->file, beside[i]);
    unlink(path);
    free(path);
  }
}

/* ---- opening ---- */

static int failed(struct sqlite_sink *k, const char *what, struct ck_err *err) {
  return ck_fail(err, "%s: %s", what, sqlite3_errmsg(k->db));
}

/* A trigger of somebody else's may change what is mirrored. It is not removed, because a mirror may
 * have some of a person's own; but nobody should have to look for it. */
static void name_triggers(struct sqlite_sink *k, const char *file) {
  sqlite3_stmt *s = NULL;
  sqlite3_prepare_v2(k->db,
                     "SELECT group_concat(substr(name, 1, 60), ', ') FROM (SELECT name"
                     " FROM sqlite_schema WHERE type = 'trigger' ORDER BY name LIMIT 10)",
                     -1, &s, NULL);
  if (sqlite3_step(s) == SQLITE_ROW && sqlite3_column_type(s, 0) != SQLITE_NULL)
    ck_log(CK_WARN, file, "triggers", "names=%s",
           ck_quotedz((const char *)sqlite3_column_text(s, 0)));
  sqlite3_finalize(s);
}

/* Notes one row of ck_mirror_what_is_there. */
static int note(void *self, int n, char **cells, char **names) {
  (void)names;
  enum ck_table t = n == 4 && cells[1] ? ck_table_named(ck_str_of(cells[1])) : CK_TABLES;
  if (t != CK_TABLES)
    ck_mirror_note(self, t, ck_str_of(cells[0]), ck_str_of(cells[2]),
                   ck_str_of(cells[3] ? cells[3] : ""));
  return 0;
}

static int make(struct sqlite_sink *k) {
  struct ck_buf sql = {0};
  ck_mirror_schema(&sql, CK_MIRROR_EMBEDDED, false);
  int rc = sqlite3_exec(k->db, ck_buf_cstr(&sql), NULL, NULL, NULL);
  ck_buf_free(&sql);
  return rc;
}

#define NAMED_MAX 3

static int name_row(void *self, int n, char **cells, char **names) {
  struct ck_buf *rows = self;
  (void)names;
  if (n < 3 || !cells[0] || !cells[1] || !cells[2]) return 0;
  ck_buf_printf(rows, "%s%.60s (%.60s)", rows->len ? ", " : "", cells[0], cells[1]);
  return 0;
}

static int take_total(void *self, int n, char **cells, char **names) {
  (void)names;
  if (n == 3 && cells[2]) *(long long *)self = atoll(cells[2]);
  return 0;
}

/* Names the rows that are in the way of a unique index that is missing, if that is what failed. */
static void name_rows(struct sqlite_sink *k, const struct ck_mirror_there *there,
                      struct ck_err *err) {
  for (enum ck_table t = 0; t < CK_TABLES; ++t)
    for (int i = 0; i < 2; ++i) {
      struct ck_buf sql = {0}, rows = {0}, unique = {0};
      long long total = 0;
      ck_unique_names(&unique, t);
      if (there->table[t].there && !there->table[t].unique[i] && (i == 0 || unique.len)) {
        ck_mirror_in_the_way(&sql, t, i == 0, NAMED_MAX);
        sqlite3_exec(k->db, ck_buf_cstr(&sql), name_row, &rows, NULL);
        sqlite3_exec(k->db, ck_buf_cstr(&sql), take_total, &total, NULL);
      }
      if (total)
        ck_fail(err,
                "%s: %lld rows share their %s, which must be unique: %s%s; change all but one of"
                " each",
                ck_tables[t].name, total,
                i ? ck_buf_cstr(&unique) : ck_tables[t].fields[ck_tables[t].key].name,
                ck_buf_cstr(&rows), total > NAMED_MAX ? ", …" : "");
      ck_buf_free(&sql);
      ck_buf_free(&rows);
      ck_buf_free(&unique);
      if (total) return;
    }
}

/* Adds what a mirror of an earlier version lacks. The views show the columns that there were when
 * they were made, so they are made again. */
static int bring_up(struct sqlite_sink *k, struct ck_err *err) {
  struct ck_mirror_there there = {0};
  struct ck_buf sql = {0}, what = {0};
  unsigned lacks = 0;
  ck_mirror_what_is_there(&sql);
  int rc = sqlite3_exec(k->db, ck_buf_cstr(&sql), note, &there, NULL);
  ck_buf_clear(&sql);
  for (enum ck_table t = 0; t < CK_TABLES; ++t) {
    lacks += ck_mirror_missing(&sql, &what, CK_MIRROR_EMBEDDED, t, &there, false);
    ck_buf_printf(&sql, "DROP VIEW IF EXISTS %s_iso;\n", ck_tables[t].name);
  }
  if (rc == SQLITE_OK && lacks) rc = sqlite3_exec(k->db, ck_buf_cstr(&sql), NULL, NULL, NULL);
  if (rc == SQLITE_CONSTRAINT) {
    ck_fail(err, "%s", sqlite3_errmsg(k->db));
    name_rows(k, &there, err);
  }
  if (rc == SQLITE_OK && lacks) rc = make(k);
  ck_buf_free(&sql);
  ck_buf_free(&what);
  return rc;
}

/* How many tables of the mirror there are. */
static int count_tables(struct sqlite_sink *k) {
  struct ck_buf sql = {0};
  sqlite3_stmt *s = NULL;
  ck_buf_text(&sql, "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN ("
                    "'" CK_MIRROR_WITNESS "'");
  for (int t = 0; t < CK_TABLES; ++t) ck_buf_printf(&sql, ", '%s'", ck_tables[t].name);
  ck_buf_text(&sql, ")");
  sqlite3_prepare_v2(k->db, ck_buf_cstr(&sql), -1, &s, NULL);
  int n = sqlite3_step(s) == SQLITE_ROW ? sqlite3_column_int(s, 0) : 0;
  sqlite3_finalize(s);
  ck_buf_free(&sql);
  return n;
}

/* A table that somebody has dropped is made anew, and the witness says that it lacks its rows. An
 * empty file is filled only if a person says so. */
static int refill(struct sqlite_sink *k, int tables) {
  struct ck_buf sql = {0};
  if (tables == 0 || tables == CK_TABLES + 1) return SQLITE_OK;
  ck_mirror_witness_refill(&sql, false);
  int rc = sqlite3_exec(k->db, ck_buf_cstr(&sql), NULL, NULL, NULL);
  ck_buf_free(&sql);
  return rc;
}

/* err is filled if there is a better reason than SQLite's. */
static int prepare(struct sqlite_sink *k, struct ck_err *err) {
  struct sqlite3 *db = k->db;
  sqlite3_busy_timeout(db, BUSY_MS);
  sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
  sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
  char begin[200];
  snprintf(begin, sizeof begin,
           "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = OFF;"
           " PRAGMA secure_delete = ON; PRAGMA cache_size = -%d; BEGIN IMMEDIATE",
           CACHE_KIB);
  int rc = sqlite3_exec(db, begin, NULL, NULL, NULL);
  int tables = rc == SQLITE_OK ? count_tables(k) : 0;
  if (rc == SQLITE_OK) rc = make(k);
  if (rc == SQLITE_OK) rc = bring_up(k, err);
  if (rc == SQLITE_OK) rc = refill(k, tables);
  return rc == SQLITE_OK ? sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) : rc;
}

static int open_files(struct sqlite_sink *k, struct ck_err *err) {
  const char *file = k->file;
  char *lock = ck_place_mirror_lock(file);
  k->lock = ck_turn_open(lock, true, err);
  int rc = k->lock < 0 ? -1 : 0;
  if (!rc && !lock_patiently(k, OPEN_TRIES))
    rc = ck_fail(err, "%s: another syncd keeps it locked", lock);
  free(lock);
  if (rc) return -1;
  int flags =
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
  /* Elsewhere, the folders on the way may be links. */
  if (*file != '/') flags |= SQLITE_OPEN_NOFOLLOW;
  struct ck_err why = {{0}};
  bool open = sqlite3_open_v2(file, &k->db, flags, ck_sqlite_pages_vfs()) == SQLITE_OK;
  if (open) ck_sqlite_pages_guard(k->db);
  if (!open || prepare(k, &why) != SQLITE_OK)
    rc = why.text[0] ? ck_fail(err, "%s: %s", file, why.text) : failed(k, file, err);
  else
    name_triggers(k, file);
  if (rc == 0) note_beside(k);
  sqlite_file_unlock(k);
  return rc;
}

/* What the WAL has goes into the file that it belongs to, also if that has lost its name. */
static void close_database(struct sqlite_sink *k) {
  bool named = sqlite_file_has_name(k), locked = k->lock >= 0 && lock_patiently(k, CLOSE_TRIES);
  for (int what = 0; what < STATEMENTS; ++what)
    for (enum ck_table t = 0; t < CK_TABLES; ++t) {
      sqlite3_finalize(k->statements[what][t]);
      k->statements[what][t] = NULL;
    }
  if (locked && !named)
    sqlite3_wal_checkpoint_v2(k->db, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
  /* Closing the last connection checkpoints. */
  if (!locked || !named) sqlite3_db_config(k->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
  sqlite3_close(k->db);
  k->db = NULL;
  if (!named) remove_beside(k);
  if (locked) sqlite_file_unlock(k);
}

void sqlite_file_close(struct sqlite_sink *k) {
  if (k->db) close_database(k);
  if (k->lock >= 0) close(k->lock);
  k->lock = -1;
}

int sqlite_file_open(struct sqlite_sink *k, struct ck_err *err) {
  int rc = open_files(k, err);
  if (rc) sqlite_file_close(k);
  return rc;
}

bool sqlite_file_has_name(struct sqlite_sink *k) {
  int moved = 0;
  return sqlite3_file_control(k->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK && !moved;
}

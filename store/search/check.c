/* Versions of records and of entries are read in the same order, side by side. */
#include "store/search/check.h"

#include <string.h>

#include "proto/sqlite_pages.h"
#include "store/search/fts.h"
#include "store/search/index.h"

#define PIECE "4096" /* records that are read at once */

struct checking {
  sqlite3 *database, *index;
  bool (*goes_on)(void *self);
  void *self;
  struct search_checked *out;
};

static int check_part(sqlite3 *db, const char *sql, int64_t part, struct ck_err *err) {
  sqlite3_stmt *s = search_index_part(db, sql, part, err);
  int rc = !s ? -1 : sqlite3_step(s) == SQLITE_DONE ? 0 : db_fail(db, SEARCH_FILE, err);
  sqlite3_finalize(s);
  return rc;
}

static int check_parts(sqlite3 *db, struct ck_err *err) {
  int64_t parts;
  int rc = search_index_parts(db, &parts, err);
  for (int64_t i = 0; i < parts && rc == 0; ++i)
    rc = check_part(db, "INSERT INTO words# (words#) VALUES ('integrity-check')", i, err) ||
                 check_part(db, "INSERT INTO runs# (runs#) VALUES ('integrity-check')", i, err)
             ? -1
             : 0;
  return rc;
}

/* The words have a check of their own in FTS5, which wants a connection that may write. */
static int check_words(struct ck_err *err) {
  sqlite3 *db = NULL;
  int rc = -1;
  if (sqlite3_open_v2(SEARCH_FILE, &db, DB_OPEN_FLAGS, ck_sqlite_pages_vfs()) != SQLITE_OK) {
    ck_fail(err, SEARCH_FILE ": %s", sqlite3_errmsg(db));
  } else {
    ck_sqlite_pages_strict(db);
    db_harden(db);
    sqlite3_busy_timeout(db, DB_BUSY_MS);
    sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    rc = search_fts_register(db, err) ||
                 db_exec(db, "PRAGMA wal_autocheckpoint = 0; BEGIN IMMEDIATE", err) ||
                 check_parts(db, err) || db_exec(db, "ROLLBACK", err)
             ? -1
             : 0;
  }
  db_close(&db);
  return rc;
}

static int check_pages(struct checking *c, struct ck_err *err) {
  sqlite3_stmt *s = db_prepare(c->index, "PRAGMA integrity_check(1)", err);
  if (!s) return -1;
  int rc = sqlite3_step(s);
  struct ck_str said = rc == SQLITE_ROW ? db_str(s, 0) : (struct ck_str){0};
  int bad = rc != SQLITE_ROW        ? db_fail(c->index, SEARCH_FILE, err)
            : ck_str_is(said, "ok") ? 0
                                    : ck_fail(err, SEARCH_FILE ": %.*s", (int)said.n, said.s);
  sqlite3_finalize(s);
  return bad;
}

/* Compares the records of a piece with the entries, which go on where they are. *after: the version
 * of the last one. 1: there are more; 0: there are none; -1. */
static int check_piece(struct checking *c, sqlite3_stmt *records, sqlite3_stmt *entries,
                       int64_t *entry, int64_t *after, struct ck_err *err) {
  int rc, n = 0;
  sqlite3_bind_int64(records, 1, *after);
  for (; (rc = sqlite3_step(records)) == SQLITE_ROW; ++n) {
    *after = sqlite3_column_int64(records, 0);
    while (*entry < *after)
      *entry = sqlite3_step(entries) == SQLITE_ROW ? sqlite3_column_int64(entries, 0) : INT64_MAX;
    if (*entry != *after && c->out->missing++ == 0) c->out->first_missing = *after;
  }
  sqlite3_reset(records);
  return rc == SQLITE_DONE ? n > 0 : db_fail(c->database, "reading", err);
}

static int check_records(struct checking *c, const char *read_records, const char *read_entries,
                         struct ck_err *err) {
  sqlite3_stmt *records = db_prepare(c->database, read_records, err);
  sqlite3_stmt *entries = records ? db_prepare(c->index, read_entries, err) : NULL;
  int64_t entry = -1, after = 0;
  int rc = entries ? 1 : -1;
  if (entries) sqlite3_bind_int64(records, 2, (int64_t)c->out->cursor);
  while (rc > 0) {
    rc = check_piece(c, records, entries, &entry, &after, err);
    if (rc > 0 && !c->goes_on(c->self)) rc = ck_fail(err, "cancelled");
  }
  sqlite3_finalize(records);
  sqlite3_finalize(entries);
  return rc;
}

static int check_both(struct checking *c, struct ck_err *err) {
  int64_t cursor, messages, titles;
  if (db_int(c->index, "SELECT cursor FROM search_state", 0, &cursor, err) ||
      db_int(c->index, "SELECT count(*) FROM entries WHERE role NOTNULL", 0, &messages, err) ||
      db_int(c->index, "SELECT count(*) FROM entries WHERE role ISNULL", 0, &titles, err))
    return -1;
  c->out->cursor = (uint64_t)cursor;
  c->out->messages = (uint64_t)messages;
  c->out->titles = (uint64_t)titles;
  return check_records(c,
                       "SELECT version FROM messages"
                       " WHERE version > ?1 AND +version > ?1 AND version <= ?2"
                       " ORDER BY version LIMIT " PIECE,
                       "SELECT version FROM entries WHERE role NOTNULL ORDER BY version", err) ||
                 check_records(c,
                               "SELECT version FROM local_conversations"
                               " WHERE version > ?1 AND +version > ?1 AND version <= ?2"
                               " ORDER BY version LIMIT " PIECE,
                               "SELECT version FROM entries WHERE role ISNULL ORDER BY version",
                               err)
             ? -1
             : 0;
}

int search_check(sqlite3 *database, bool (*goes_on)(void *self), void *self,
                 struct search_checked *out, struct ck_err *err) {
  struct checking c = {.database = database, .goes_on = goes_on, .self = self, .out = out};
  *out = (struct search_checked){0};
  int rc = search_index_reader(&c.index, err);
  if (rc == 0)
    rc = check_pages(&c, err) || check_words(err) || db_exec(c.index, "BEGIN", err) ||
                 check_both(&c, err)
             ? -1
             : 0;
  db_close(&c.index);
  if (rc < 0 && !strstr(err->text, SEARCH_FILE)) ck_fail_in(err, SEARCH_FILE);
  return rc < 0 ? -1 : 0;
}

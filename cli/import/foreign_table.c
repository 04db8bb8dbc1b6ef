/* See foreign_table.h. */
#include "cli/import/foreign_table.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "cli/import/send.h"
#include "proto/wire.h"

/* Of SQLite's memory. Records, its cache and the notes take less; a damaged length in a small file
 * may ask for 72 MiB at once, as the list of a record's pages. */
#define HEAP_MAX (64 << 20)
#define SQL_MAX 1000000 /* bytes of one statement of the schema */

/* ---- opening ---- */

static void harden(sqlite3 *db) {
  static const struct {
    int option, value;
  } options[] = {{SQLITE_DBCONFIG_DEFENSIVE, 1},
                 {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
                 {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0},
                 {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0},
                 {SQLITE_DBCONFIG_ENABLE_VIEW, 0},
                 {SQLITE_DBCONFIG_DQS_DDL, 0},
                 {SQLITE_DBCONFIG_DQS_DML, 0}};
  static const int limits[][2] = {{SQLITE_LIMIT_LENGTH, CK_FRAME_MAX},
                                  {SQLITE_LIMIT_SQL_LENGTH, SQL_MAX},
                                  {SQLITE_LIMIT_ATTACHED, 0},
                                  {SQLITE_LIMIT_WORKER_THREADS, 0}};
  for (size_t i = 0; i < sizeof options / sizeof *options; ++i)
    sqlite3_db_config(db, options[i].option, options[i].value, NULL);
  for (size_t i = 0; i < sizeof limits / sizeof *limits; ++i)
    sqlite3_limit(db, limits[i][0], limits[i][1]);
}

static int is_over(void *self) {
  (void)self;
  return cli_interrupted();
}

const char *foreign_why(sqlite3 *db) {
  if (sqlite3_errcode(db) != SQLITE_NOMEM) return sqlite3_errmsg(db);
  return "it takes more than 64 MiB of memory to read";
}

/* Opens the file for writing, because the WAL beside it may have to be recovered; nothing else of
 * it is written. */
int foreign_open(const char *file, sqlite3 **db, struct ck_err *err) {
  static const char setup[] = "PRAGMA locking_mode = EXCLUSIVE; PRAGMA cell_size_check = ON;"
                              "PRAGMA mmap_size = 0; PRAGMA cache_size = -8192;"
                              "PRAGMA query_only = ON; SELECT count(*) FROM main.sqlite_schema";
  sqlite3_hard_heap_limit64(HEAP_MAX);
  int rc = sqlite3_open_v2(file, db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW, NULL);
  if (rc == SQLITE_OK) {
    harden(*db);
    rc = sqlite3_exec(*db, setup, NULL, NULL, NULL);
  }
  if (rc == SQLITE_OK) {
    sqlite3_progress_handler(*db, FOREIGN_STEP, is_over, NULL);
    return 0;
  }
  ck_fail(err, "it cannot be read: %s", *db ? foreign_why(*db) : sqlite3_errstr(rc));
  sqlite3_close(*db);
  *db = NULL;
  return -1;
}

sqlite3_stmt *foreign_prepare(sqlite3 *db, const char *sql, struct ck_err *err) {
  sqlite3_stmt *s = NULL;
  if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK) return s;
  ck_fail(err, "%s", foreign_why(db));
  return NULL;
}

/* ---- what it is ---- */

static void __attribute__((format(printf, 2, 3)))
set_fault(struct foreign_table *t, const char *fmt, ...) {
  va_list ap;
  char text[200];
  va_start(ap, fmt);
  vsnprintf(text, sizeof text, fmt, ap);
  va_end(ap);
  free(t->fault);
  t->fault = ck_strdup(text);
}

int foreign_is_plain(sqlite3 *db, const char *name, const char **is, struct ck_err *err) {
  static const char sql[] = "SELECT type = 'table', rootpage > 0 FROM main.sqlite_schema"
                            " WHERE type IN ('table', 'view') AND name = ?1 COLLATE NOCASE";
  *is = NULL;
  sqlite3_stmt *s = foreign_prepare(db, sql, err);
  if (!s) return -1;
  sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
  int rc = sqlite3_step(s);
  bool table = rc == SQLITE_ROW && sqlite3_column_int(s, 0),
       plain = table && sqlite3_column_int(s, 1);
  if (rc == SQLITE_ROW && !plain) *is = table ? "a virtual table" : "a view";
  if (rc != SQLITE_ROW && rc != SQLITE_DONE) ck_fail(err, "its schema: %s", foreign_why(db));
  sqlite3_finalize(s);
  return rc == SQLITE_ROW || rc == SQLITE_DONE ? plain : -1;
}

/* Which columns it has, and by which name its rowid goes: a column can have that name too.
 * Generated columns count as missing, because reading them runs what the schema says. */
static int look_at_columns(sqlite3 *db, struct foreign_table *t, struct ck_err *err) {
  static const char *const rowids[] = {"rowid", "_rowid_", "oid"};
  bool taken[3] = {false};
  char *sql = ck_sprintf("PRAGMA main.table_xinfo(\"%s\")", ck_tables[t->table].name);
  sqlite3_stmt *s = foreign_prepare(db, sql, err);
  free(sql);
  if (!s) return -1;
  int rc;
  while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
    const char *name = (const char *)sqlite3_column_text(s, 1);
    if (!name) continue;
    for (int i = 0; i < 3; ++i) taken[i] |= strcasecmp(name, rowids[i]) == 0;
    for (int c = 0; c < ck_tables[t->table].columns; ++c)
      if (strcasecmp(name, ck_tables[t->table].fields[c].name) == 0)
        t->has[c] = sqlite3_column_int(s, 6) == 0;
  }
  if (rc != SQLITE_DONE) ck_fail(err, "its schema: %s", foreign_why(db));
  sqlite3_finalize(s);
  for (int i = 0; rc == SQLITE_DONE && !t->rowid && i < 3; ++i) {
    if (taken[i]) continue;
    t->rowid = rowids[i];
    s = foreign_table_rows(db, t, false, NULL);
    if (!s) t->rowid = NULL;
    sqlite3_finalize(s);
  }
  return rc == SQLITE_DONE ? 0 : -1;
}

int foreign_table_look(sqlite3 *db, enum ck_table table, struct foreign_table *t,
                       struct ck_err *err) {
  const struct ck_table_info *info = &ck_tables[table];
  *t = (struct foreign_table){.table = table};
  const char *is;
  int rc = foreign_is_plain(db, info->name, &is, err);
  if (is) set_fault(t, "%s is %s: only plain tables are read", info->name, is);
  if (rc <= 0) return rc;
  if (look_at_columns(db, t, err)) return -1;
  t->there = true;
  for (int c = 0; c < info->columns; ++c) {
    if (t->has[c] || !(info->fields[c].flags & CK_REQUIRED)) continue;
    if (t->there) set_fault(t, "%s has no column %s", info->name, info->fields[c].name);
    t->there = false;
  }
  return 0;
}

void foreign_table_free(struct foreign_table *t) {
  free(t->fault);
  t->fault = NULL;
}

sqlite3_stmt *foreign_table_rows(sqlite3 *db, const struct foreign_table *t, bool columns,
                                 struct ck_err *err) {
  const struct ck_table_info *info = &ck_tables[t->table];
  struct ck_buf sql = {0};
  ck_buf_printf(&sql, "SELECT %s", t->rowid ? t->rowid : "NULL");
  for (int c = 0; columns && c < info->columns; ++c)
    if (t->has[c]) ck_buf_printf(&sql, ", \"%s\"", info->fields[c].name);
  ck_buf_printf(&sql, " FROM main.\"%s\" NOT INDEXED", info->name);
  if (t->rowid) ck_buf_printf(&sql, " WHERE %s >= ?1 ORDER BY %s", t->rowid, t->rowid);
  sqlite3_stmt *s = foreign_prepare(db, ck_buf_cstr(&sql), err);
  ck_buf_free(&sql);
  return s;
}

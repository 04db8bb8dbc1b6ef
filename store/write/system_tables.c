/* See system_tables.h. */
#include "store/write/system_tables.h"

#include <stdarg.h>
#include <stdlib.h>

#include "store/files/attachments.h"

struct system_tables {
  sqlite3 *db;
  sqlite3_stmt *stmt[SYSTEM_STATEMENTS];
};

static const char *const texts[] = {
#define SYSTEM_TEXT(NAME, sql) sql,
    SYSTEM_LIST(SYSTEM_TEXT)
#undef SYSTEM_TEXT
};

struct system_tables *system_new(sqlite3 *db, struct ck_err *err) {
  struct system_tables *l = ck_zalloc(sizeof *l);
  l->db = db;
  if (attachment_sql(db, err)) {
    system_free(&l);
    return NULL;
  }
  for (int i = 0; i < SYSTEM_STATEMENTS; ++i)
    if (!(l->stmt[i] = db_prepare(db, texts[i], err))) {
      system_free(&l);
      return NULL;
    }
  return l;
}

void system_free(struct system_tables **l) {
  if (!*l) return;
  for (int i = 0; i < SYSTEM_STATEMENTS; ++i) sqlite3_finalize((*l)->stmt[i]);
  free(*l);
  *l = NULL;
}

static void bind_all(sqlite3_stmt *s, const char *types, va_list args) {
  for (int i = 0; types[i]; ++i) {
    if (types[i] == 's')
      db_bind_str(s, i + 1, va_arg(args, struct ck_str));
    else if (types[i] == 'd')
      sqlite3_bind_double(s, i + 1, va_arg(args, double));
    else
      sqlite3_bind_int64(s, i + 1, va_arg(args, int64_t));
  }
}

int system_run(struct system_tables *l, enum system_statement name, struct ck_err *err,
               const char *types, ...) {
  sqlite3_stmt *s = l->stmt[name];
  va_list args;
  va_start(args, types);
  bind_all(s, types, args);
  va_end(args);
  int rc = sqlite3_step(s);
  int bad = rc == SQLITE_DONE || rc == SQLITE_ROW ? 0 : db_fail(l->db, texts[name], err);
  sqlite3_reset(s);
  return bad;
}

sqlite3_stmt *system_query(struct system_tables *l, enum system_statement name, const char *types,
                           ...) {
  sqlite3_stmt *s = l->stmt[name];
  sqlite3_reset(s);
  va_list args;
  va_start(args, types);
  bind_all(s, types, args);
  va_end(args);
  return s;
}

int system_step(struct system_tables *l, sqlite3_stmt *s, struct ck_err *err) {
  int rc = sqlite3_step(s);
  if (rc == SQLITE_ROW) return 1;
  return rc == SQLITE_DONE ? 0 : db_fail(l->db, sqlite3_sql(s), err);
}

void system_done(sqlite3_stmt *s) { sqlite3_reset(s); }

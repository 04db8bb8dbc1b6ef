#include "store/local.h"

#include <stdarg.h>
#include <stdlib.h>

struct local {
  sqlite3 *db;
  sqlite3_stmt *stmt[LOCAL_NAMES];
};

static const char *const texts[] = {
#define LOCAL_TEXT(NAME, sql) sql,
    LOCAL_LIST(LOCAL_TEXT)
#undef LOCAL_TEXT
};

struct local *local_new(sqlite3 *db, struct ck_err *err) {
  struct local *l = ck_zalloc(sizeof *l);
  l->db = db;
  for (int i = 0; i < LOCAL_NAMES; ++i)
    if (!(l->stmt[i] = db_prepare(db, texts[i], err))) {
      local_free(&l);
      return NULL;
    }
  return l;
}

void local_free(struct local **l) {
  if (!*l) return;
  for (int i = 0; i < LOCAL_NAMES; ++i) sqlite3_finalize((*l)->stmt[i]);
  free(*l);
  *l = NULL;
}

static void bind_all(sqlite3_stmt *s, const char *types, va_list args) {
  for (int i = 0; types[i]; ++i) {
    if (types[i] == 's')
      db_bind_str(s, i + 1, va_arg(args, struct ck_str));
    else
      sqlite3_bind_int64(s, i + 1, va_arg(args, int64_t));
  }
}

int local_run(struct local *l, enum local_name name, struct ck_err *err, const char *types, ...) {
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

sqlite3_stmt *local_ask(struct local *l, enum local_name name, const char *types, ...) {
  sqlite3_stmt *s = l->stmt[name];
  sqlite3_reset(s);
  va_list args;
  va_start(args, types);
  bind_all(s, types, args);
  va_end(args);
  return s;
}

int local_step(struct local *l, sqlite3_stmt *s, struct ck_err *err) {
  int rc = sqlite3_step(s);
  if (rc == SQLITE_ROW) return 1;
  return rc == SQLITE_DONE ? 0 : db_fail(l->db, sqlite3_sql(s), err);
}

void local_done(sqlite3_stmt *s) { sqlite3_reset(s); }

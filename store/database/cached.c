/* See cached.h. The one that was used least recently makes room for another. */
#include "store/database/cached.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct kept {
  sqlite3_stmt *s;
  uint64_t used; /* 0: there is none */
  bool out;
};

struct db_cached {
  sqlite3 *db;
  uint64_t uses;
  struct kept at[DB_CACHED];
};

struct db_cached *db_cached_new(sqlite3 *db) {
  struct db_cached *c = ck_zalloc(sizeof *c);
  c->db = db;
  return c;
}

void db_cached_free(struct db_cached **c) {
  if (!*c) return;
  for (int i = 0; i < DB_CACHED; ++i) sqlite3_finalize((*c)->at[i].s);
  free(*c);
  *c = NULL;
}

sqlite3 *db_cached_db(const struct db_cached *c) { return c->db; }

/* The place of this text, or the one that it takes. */
static struct kept *place_of(struct db_cached *c, const char *sql) {
  struct kept *oldest = NULL;
  for (int i = 0; i < DB_CACHED; ++i) {
    struct kept *k = &c->at[i];
    if (k->out) continue;
    if (k->s && strcmp(sqlite3_sql(k->s), sql) == 0) return k;
    if (!oldest || k->used < oldest->used) oldest = k;
  }
  return oldest;
}

sqlite3_stmt *db_cached(struct db_cached *c, const char *sql, struct ck_err *err) {
  struct kept *k = place_of(c, sql);
  assert(k);
  if (!k->s || strcmp(sqlite3_sql(k->s), sql) != 0) {
    sqlite3_finalize(k->s);
    *k = (struct kept){.s = db_prepare(c->db, sql, err)};
  }
  k->used = ++c->uses;
  k->out = k->s != NULL;
  return k->s;
}

void db_done(struct db_cached *c, sqlite3_stmt *s) {
  if (!s) return;
  for (int i = 0; i < DB_CACHED; ++i)
    if (c->at[i].s == s) c->at[i].out = false;
  sqlite3_reset(s);
  sqlite3_clear_bindings(s);
}

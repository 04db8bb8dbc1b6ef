/* Both schemas are read in the same order, side by side. */
#include "store/database/schema.h"

#include <stdlib.h>
#include <string.h>

/* A table before what belongs to it, so that its removal is advised first. */
#define ENTRIES \
  "SELECT CASE type WHEN 'table' THEN 0 ELSE 1 END AS rank, type, name, sql, tbl_name" \
  " FROM sqlite_schema" \
  " WHERE sql IS NOT NULL AND name <> 'sqlite_sequence' ORDER BY rank, type, name"

struct side {
  sqlite3 *db;
  sqlite3_stmt *s;
  bool ended;
};

struct comparison {
  struct side real, own; /* the database's; what the steps make */
  schema_found_fn *found;
  void *self;
};

static int advance(struct side *side, struct ck_err *err) {
  int rc = sqlite3_step(side->s);
  side->ended = rc != SQLITE_ROW;
  return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : db_fail(side->db, "sqlite_schema", err);
}

static int begin(struct side *side, struct ck_err *err) {
  side->s = db_prepare(side->db, ENTRIES, err);
  return side->s ? advance(side, err) : -1;
}

/* An empty database with what the steps make. */
static int make_own(sqlite3 **db, migration *const *steps, int format, struct ck_err *err) {
  struct ck_buf sql = {0};
  if (sqlite3_open(":memory:", db) != SQLITE_OK) return db_fail(*db, ":memory:", err);
  for (int i = 0; i < format; ++i) {
    steps[i](&sql);
    ck_buf_text(&sql, ";");
  }
  int rc = db_exec(*db, ck_buf_cstr(&sql), err);
  ck_buf_free(&sql);
  return rc;
}

/* < 0: the database's entry comes first, so it is extra; > 0: one is missing there. */
static int order(const struct comparison *c) {
  if (c->real.ended || c->own.ended) return c->real.ended - c->own.ended;
  int by = sqlite3_column_int(c->real.s, 0) - sqlite3_column_int(c->own.s, 0);
  for (int column = 1; by == 0 && column <= 2; ++column) {
    struct ck_str a = db_str(c->real.s, column), b = db_str(c->own.s, column);
    by = memcmp(a.s, b.s, a.n < b.n ? a.n : b.n);
    if (by == 0) by = (a.n > b.n) - (a.n < b.n);
  }
  return by;
}

/* Appends the name as an identifier of SQL. */
static void add_name(struct ck_buf *b, struct ck_str name) {
  ck_buf_text(b, "\"");
  for (size_t i = 0; i < name.n; ++i) {
    if (name.s[i] == '"') ck_buf_text(b, "\"");
    ck_buf_add(b, name.s + i, 1);
  }
  ck_buf_text(b, "\"");
}

static bool say(const struct comparison *c, sqlite3_stmt *s, const char *is, bool extra) {
  struct ck_str type = db_str(s, 1), name = db_str(s, 2);
  struct ck_buf what = {0}, advice = {0};
  ck_buf_printf(&what, "the %.*s ", (int)type.n, type.s);
  ck_buf_summary(&what, name, 80);
  ck_buf_text(&what, is);
  if (extra) {
    ck_buf_text(&advice, "sqlite3 artifact.db 'DROP ");
    ck_buf_str(&advice, type);
    ck_buf_text(&advice, " ");
    add_name(&advice, name);
    ck_buf_text(&advice, "' removes it");
  } else {
    ck_buf_text(&advice, "convkeep restore BACKUP");
  }
  bool more = c->found(c->self, ck_buf_cstr(&what), ck_buf_cstr(&advice));
  ck_buf_free(&what);
  ck_buf_free(&advice);
  return more;
}

/* One entry of either side, or the same of both. *more: the check goes on. */
static int compare_next(struct comparison *c, bool *more, struct ck_err *err) {
  int by = order(c);
  if (by < 0) *more = say(c, c->real.s, " is not convkeep's", true);
  if (by > 0) *more = say(c, c->own.s, " is missing", false);
  bool same = by != 0 || (ck_str_eq(db_str(c->real.s, 3), db_str(c->own.s, 3)) &&
                          ck_str_eq(db_str(c->real.s, 4), db_str(c->own.s, 4)));
  if (!same) *more = say(c, c->real.s, " is not as convkeep makes it", false);
  if (by <= 0 && advance(&c->real, err)) return -1;
  return by >= 0 ? advance(&c->own, err) : 0;
}

int schema_compare(sqlite3 *db, migration *const *steps, int format, schema_found_fn *found,
                   void *self, struct ck_err *err) {
  struct comparison c = {.real.db = db, .found = found, .self = self};
  bool more = true;
  int rc = make_own(&c.own.db, steps, format, err) || begin(&c.real, err) || begin(&c.own, err);
  while (rc == 0 && more && !(c.real.ended && c.own.ended)) rc = compare_next(&c, &more, err);
  sqlite3_finalize(c.real.s);
  db_close(&c.own.db);
  return rc ? -1 : 0;
}

static bool refuse(void *self, const char *what, const char *advice) {
  ck_fail(self, "its schema is not convkeep's: %s; %s", what, advice);
  return false;
}

int schema_check(sqlite3 *db, migration *const *steps, int format, struct ck_err *err) {
  struct ck_err foreign = {{0}};
  if (schema_compare(db, steps, format, refuse, &foreign, err)) return -1;
  return foreign.text[0] ? ck_fail(err, "%s", foreign.text) : 0;
}

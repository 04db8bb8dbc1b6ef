/* See foreign_names.h. A thread has the name that its user has given it in `name`; where there is
 * no such column, in `title`, which otherwise repeats the first message. */
#include "cli/import/foreign_names.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "cli/import/foreign_table.h"
#include "proto/file.h"

#define FROM(name, time, first) \
  "SELECT id, " name ", " time ", " first " FROM main.threads ORDER BY rowid"

/* What it is called in newer and in older databases. */
static const char *const selects[] = {FROM("name", "updated_at_ms", "NULL"),
                                      FROM("name", "updated_at * 1000", "NULL"),
                                      FROM("title", "updated_at_ms", "first_user_message"),
                                      FROM("title", "updated_at * 1000", "first_user_message")};

static struct ck_str text_at(sqlite3_stmt *s, int column) {
  if (sqlite3_column_type(s, column) != SQLITE_TEXT) return (struct ck_str){0};
  const char *text = (const char *)sqlite3_column_text(s, column);
  struct ck_str all = {text, text ? (size_t)sqlite3_column_bytes(s, column) : 0};
  return ck_utf8_ok(all) ? ck_trim(all) : (struct ck_str){0};
}

static sqlite3_stmt *prepare(sqlite3 *db, struct ck_err *err) {
  sqlite3_stmt *s = NULL;
  for (size_t i = 0; !s && i < sizeof selects / sizeof *selects; ++i)
    s = foreign_prepare(db, selects[i], err);
  return s;
}

static int write_name(int to, struct ck_str id, struct ck_str name, int64_t at,
                      struct ck_err *err) {
  json_t *line = json_pack("{s:s%, s:s%, s:I}", "id", id.s, id.n, "thread_name", name.s, name.n,
                           "updated_at", (json_int_t)at);
  char *text = line ? json_dumps(line, JSON_COMPACT) : NULL;
  int rc = 0;
  if (text && (ck_write_all(to, ck_str_of(text)) || ck_write_all(to, CK_LIT("\n"))))
    rc = ck_fail(err, "run: %s", strerror(errno));
  free(text);
  json_decref(line);
  return rc;
}

static int write_all(sqlite3 *db, sqlite3_stmt *s, int to, uint64_t *count, struct ck_err *err) {
  int rc, bad = 0;
  while (bad == 0 && (rc = sqlite3_step(s)) == SQLITE_ROW) {
    struct ck_str id = text_at(s, 0), name = text_at(s, 1), first = text_at(s, 3);
    if (!id.n || !name.n || ck_str_eq(name, first)) continue;
    bad = write_name(to, id, name, sqlite3_column_int64(s, 2), err);
    *count += bad == 0;
  }
  if (bad == 0 && rc != SQLITE_DONE) bad = ck_fail(err, "threads: %s", foreign_why(db));
  return bad;
}

int foreign_names_write(const char *file, int to, bool *is, uint64_t *count, struct ck_err *err) {
  sqlite3 *db;
  const char *other;
  sqlite3_stmt *s = NULL;
  *count = 0;
  *is = false;
  if (foreign_open(file, &db, err)) return -1;
  int rc = foreign_is_plain(db, "threads", &other, err);
  if (rc > 0 && (s = prepare(db, err))) *is = true;
  if (rc > 0) rc = *is ? write_all(db, s, to, count, err) : 0;
  sqlite3_finalize(s);
  sqlite3_close(db);
  return rc;
}

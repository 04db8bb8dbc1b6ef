/* What a FORGET leaves to be done, in pieces, each of one transaction: everybody else's changesets
 * go on between them. A row of `forgetting` says how far it is, so the next run of the store goes
 * on from there. */
#include <string.h>

#include "store/write/forget.h"

/* What is done one after another (forgetting.step). */
enum step { ROWS, ORIGINALS, FILES, STEPS };

/* ---- the table ---- */

int forget_enter(struct apply *a, struct forget *f, struct ck_err *err) {
  static const char sql[] = "INSERT INTO forgetting (forgotten_with, step, upto, at, messages,"
                            " records) VALUES (?1, 0, 0, ?2, 0, 0)";
  sqlite3_stmt *s = db_prepare(a->db, sql, err);
  if (!s) return apply_failed(a);
  db_bind_str(s, 1, f->with);
  sqlite3_bind_int64(s, 2, a->now);
  int rc = forget_next(a, s, err);
  sqlite3_finalize(s);
  f->number = sqlite3_last_insert_rowid(a->db);
  a->forgetting = true;
  return rc < 0 ? -1 : 0;
}

int forget_count_messages(struct apply *a, const struct forget *f, struct ck_err *err) {
  static const char *const sql[] = {
      "UPDATE forgetting SET messages = (SELECT count(*) FROM forgetting_homes h"
      " CROSS JOIN messages m ON m.conversation_id = h.conversation WHERE h.number = ?3)"
      " WHERE number = ?3"};
  return forget_run(a, sql, 1, f, err);
}

/* The newest one first: what is small does not wait for what is large. 1; 0: nothing is left; -1.
 */
static int load(struct apply *a, struct forget *f, enum step *step, struct ck_buf *with,
                struct ck_err *err) {
  *f = (struct forget){0};
  sqlite3_stmt *s = forget_begin(a,
                                 "SELECT number, forgotten_with, step, upto FROM forgetting"
                                 " ORDER BY number DESC LIMIT 1",
                                 f, err);
  int rc = s ? forget_next(a, s, err) : -1;
  if (rc > 0) {
    ck_buf_clear(with);
    ck_buf_str(with, db_str(s, 1));
    f->number = sqlite3_column_int64(s, 0);
    *step = (enum step)sqlite3_column_int(s, 2);
    f->version = (uint64_t)sqlite3_column_int64(s, 3);
    forget_named(f, ck_buf_view(with));
  }
  sqlite3_finalize(s);
  return rc;
}

static int save(struct apply *a, const struct forget *f, enum step step, uint64_t upto,
                struct ck_err *err) {
  static const char sql[] =
      "UPDATE forgetting SET step = ?1, upto = ?2, records = records + ?3 WHERE number = ?4";
  sqlite3_stmt *s = db_prepare(a->db, sql, err);
  if (!s) return apply_failed(a);
  sqlite3_bind_int64(s, 1, step);
  sqlite3_bind_int64(s, 2, (sqlite3_int64)upto);
  sqlite3_bind_int64(s, 3, f->records);
  sqlite3_bind_int64(s, 4, f->number);
  int rc = forget_next(a, s, err);
  sqlite3_finalize(s);
  return rc < 0 ? -1 : 0;
}

/* Then the pages are free of it, and the WAL is to be emptied. */
static int finish(struct apply *a, const struct forget *f, struct ck_err *err) {
  static const char *const sql[] = {"DELETE FROM forgetting_files WHERE number = ?3",
                                    "DELETE FROM forgetting_homes WHERE number = ?3",
                                    "DELETE FROM forgetting WHERE number = ?3"};
  a->forgot = true;
  return forget_run(a, sql, sizeof sql / sizeof *sql, f, err);
}

/* ---- a piece ---- */

static int originals(struct apply *a, struct forget *f, struct ck_err *err) {
  int rc = originals_forget_some(a->originals, f->with, &f->limit, err);
  a->unnamed = true;
  return rc < 0 ? apply_failed(a) : rc;
}

/* Does some of what is left of one. *budget: how much, in rows; it is lowered. Records are deleted
 * only if the transaction has changed none before: the cache has what it has changed. 1: it did
 * something; 0: nothing is left that can be done in this transaction; -1. */
static int do_some(struct apply *a, int64_t *budget, struct ck_err *err) {
  struct forget f;
  struct ck_buf with = {0};
  enum step step = ROWS;
  size_t dirty;
  cache_dirty(a->cache, &dirty);
  int rc = load(a, &f, &step, &with, err), done = 0;
  a->forgetting = rc != 0;
  if (rc > 0 && step == ROWS && dirty) rc = 0;
  if (rc > 0) {
    f.limit = *budget;
    done = step == ROWS        ? forget_remove(a, &f, err)
           : step == ORIGINALS ? originals(a, &f, err)
                               : forget_files_some(a, &f, err);
    *budget = f.limit;
    step += done > 0;
    if (done < 0 || (step == STEPS ? finish(a, &f, err)
                                   : save(a, &f, step, step == FILES ? f.version : 0, err)))
      rc = -1;
  }
  ck_buf_free(&with);
  return rc;
}

static int do_all(struct apply *a, int64_t budget, struct ck_err *err) {
  int rc = 1;
  while (rc > 0 && budget > 0) rc = do_some(a, &budget, err);
  if (!a->forgetting) forget_end(a);
  return rc < 0 ? -1 : 0;
}

int forget_go_on(struct apply *a, const struct forget *f, bool rows_left, struct ck_err *err) {
  return save(a, f, rows_left ? ROWS : ORIGINALS, 0, err) || do_all(a, f->limit, err) ? -1 : 0;
}

bool apply_forgets(const struct apply *a) { return a->forgetting; }

void apply_resize_forget(struct apply *a, int64_t rows) { a->forget_rows = rows; }

int apply_forget_piece(struct apply *a, int64_t now, struct ck_err *err) {
  apply_start(a, now);
  a->mutations = (struct ck_str){0};
  return do_all(a, a->forget_rows, err) || apply_accept(a, err) ? -1 : 0;
}

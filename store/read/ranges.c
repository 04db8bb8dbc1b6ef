/* One walk over a table's keys; either digests or whole records are made on the way. */
#include "store/read/ranges.h"

#include <stdlib.h>

#include "proto/digest.h"
#include "proto/log.h"
#include "store/keys/keys.h"

#define RECORDS_BYTES 1700000 /* an answer with whole records ends here */

struct walk {
  sqlite3 *db;
  sqlite3_stmt *s;   /* versions and keys, in the order of keys */
  sqlite3_stmt *row; /* one record, by its version */
  enum ck_table table;
  uint64_t rows, limit;
  struct ck_buf *body;
  uint32_t n;       /* entries so far */
  bool more;        /* the limit was reached before the end */
  uint64_t longest; /* bytes of the longest key */
};

/* Reads only keys and versions: from the key's index, which has both; for messages, from the tables
 * in store/keys/. */
static sqlite3_stmt *prepare_keys(const struct walk *w, bool ends, struct ck_err *err) {
  const struct ck_table_info *info = &ck_tables[w->table];
  const char *key = info->fields[info->key].name;
  struct ck_buf sql = {0};
  char *inside = ck_sprintf(ends ? "%s > ?1 AND %s <= ?2" : "%s > ?1", key, key);
  int bad = 0;
  if (w->table == CK_MESSAGES)
    bad = keys_select(w->db, &sql, inside, err);
  else
    ck_buf_printf(&sql, "SELECT version, %s FROM %s WHERE %s", key, info->name, inside);
  free(inside);
  ck_buf_printf(&sql, " ORDER BY %s", key);
  sqlite3_stmt *s = bad ? NULL : db_prepare(w->db, ck_buf_cstr(&sql), err);
  ck_buf_free(&sql);
  return s;
}

static sqlite3_stmt *prepare_row(const struct walk *w, struct ck_err *err) {
  struct ck_buf sql = {0};
  ck_buf_text(&sql, "SELECT ");
  db_columns(&sql, w->table, "");
  ck_buf_printf(&sql, " FROM %s WHERE version = ?1", ck_tables[w->table].name);
  sqlite3_stmt *s = db_prepare(w->db, ck_buf_cstr(&sql), err);
  ck_buf_free(&sql);
  return s;
}

static int prepare(struct walk *w, const struct ck_range *q, struct ck_err *err) {
  if (!(w->s = prepare_keys(w, q->upto.n > 0, err)) || !(w->row = prepare_row(w, err))) return -1;
  db_bind_str(w->s, 1, q->after);
  if (q->upto.n) db_bind_str(w->s, 2, q->upto);
  return 0;
}

static void put_digest(struct walk *w, struct ck_str last, const struct ck_digest *d) {
  ck_put_array(w->body, 4);
  ck_put_str(w->body, last);
  ck_put_uint(w->body, d->count);
  ck_put_int(w->body, d->sum);
  ck_put_int(w->body, d->mix);
  ++w->n;
}

/* A digest is written when the record after its range is read, or at the end. `last` keeps the
 * range's last key until then. */
static int digests(struct walk *w) {
  struct ck_digest d = {0};
  struct ck_buf last = {0};
  int rc;
  while ((rc = sqlite3_step(w->s)) == SQLITE_ROW) {
    if (d.count == w->rows) {
      put_digest(w, ck_buf_view(&last), &d);
      d = (struct ck_digest){0};
      if ((w->more = w->n == w->limit)) break;
    }
    struct ck_str key = db_str(w->s, 1);
    ck_digest_add(&d, key, sqlite3_column_int64(w->s, 0));
    if (w->rows == 1) d.sum = sqlite3_column_int64(w->s, 0);
    if (key.n > w->longest) w->longest = key.n;
    ck_buf_clear(&last);
    ck_buf_str(&last, key);
  }
  if (d.count) put_digest(w, ck_buf_view(&last), &d);
  ck_buf_free(&last);
  return rc;
}

/* false: the record does not fit into the frame any more. A record alone always does. */
static bool put_record(struct walk *w, uint64_t version) {
  size_t before = w->body->len;
  struct ck_row row;
  db_row(w->row, 0, w->table, &row);
  ck_change_encode(w->body, version, &row);
  if (w->n && w->body->len > CK_FRAME_MAX - 4096) {
    w->body->len = before;
    return false;
  }
  if (ck_row_key(&row).n > w->longest) w->longest = ck_row_key(&row).n;
  ++w->n;
  return true;
}

/* A key without a record is damage. */
static int records(struct walk *w) {
  int rc = SQLITE_DONE;
  while (!w->more && (rc = sqlite3_step(w->s)) == SQLITE_ROW) {
    if ((w->more = w->n == w->limit || w->body->len >= RECORDS_BYTES)) break;
    sqlite3_int64 version = sqlite3_column_int64(w->s, 0);
    sqlite3_bind_int64(w->row, 1, version);
    if ((rc = sqlite3_step(w->row)) == SQLITE_ROW) w->more = !put_record(w, (uint64_t)version);
    sqlite3_reset(w->row);
    if (rc != SQLITE_ROW) return rc == SQLITE_DONE ? SQLITE_CORRUPT : rc;
  }
  return rc;
}

int ranges_query(sqlite3 *db, const struct ck_range *q, struct ck_buf *body,
                 struct ck_ranges *answer, const char **code, struct ck_err *err) {
  struct walk w = {.db = db,
                   .table = ck_table_named(q->table),
                   .rows = q->rows,
                   .limit = q->limit,
                   .body = body};
  *code = "bad_request";
  if (w.table == CK_TABLES)
    return ck_fail(err, "range.table: %s is not a table", ck_quoted(q->table));
  if (!w.limit || w.limit > RANGES_RECORDS_MAX || w.rows > RANGES_RECORDS_MAX ||
      w.limit * (w.rows ? w.rows : 1) > RANGES_RECORDS_MAX)
    return ck_fail(err, "range.limit: from 1 record to %d", RANGES_RECORDS_MAX);
  *code = "busy";
  if (prepare(&w, q, err)) {
    sqlite3_finalize(w.s);
    return -1;
  }
  size_t opened = ck_open_array(body);
  int rc = w.rows ? digests(&w) : records(&w);
  int bad = rc == SQLITE_DONE || rc == SQLITE_ROW ? 0 : db_fail(db, ck_tables[w.table].name, err);
  ck_close_array(body, opened, w.n);
  sqlite3_finalize(w.s);
  sqlite3_finalize(w.row);
  answer->longest = w.longest;
  answer->more = w.more;
  answer->ranges = ck_buf_view(body);
  return bad;
}

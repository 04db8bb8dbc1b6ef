/* A merge of six cursors, one per table, each in the order of its versions. */
#include "store/database/scan.h"

#include <stdlib.h>

#include "proto/wire.h"

/* How much of a frame a list of changes may fill. */
#define CHANGES_BYTES (CK_FRAME_MAX - 1024u)

struct cursor {
  sqlite3_stmt *stmt;
  uint64_t version; /* of the current row; 0: after the last */
};

struct scan {
  sqlite3 *db;
  struct cursor at[CK_TABLES];
  int stepped; /* the table whose row was returned last, or -1 */
};

struct scan *scan_new(sqlite3 *db, struct ck_err *err) {
  struct scan *s = ck_zalloc(sizeof *s);
  s->db = db;
  for (int t = 0; t < CK_TABLES; ++t) {
    struct ck_buf sql = {0};
    ck_buf_text(&sql, "SELECT version, ");
    db_columns(&sql, (enum ck_table)t, "");
    ck_buf_printf(&sql, " FROM %s WHERE version > ?1 ORDER BY version", ck_tables[t].name);
    s->at[t].stmt = db_prepare(db, ck_buf_cstr(&sql), err);
    ck_buf_free(&sql);
    if (!s->at[t].stmt) {
      scan_free(&s);
      return NULL;
    }
  }
  return s;
}

void scan_free(struct scan **scan) {
  if (!*scan) return;
  for (int t = 0; t < CK_TABLES; ++t) sqlite3_finalize((*scan)->at[t].stmt);
  free(*scan);
  *scan = NULL;
}

static int advance(struct scan *s, int t, struct ck_err *err) {
  int rc = sqlite3_step(s->at[t].stmt);
  s->at[t].version = rc == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(s->at[t].stmt, 0) : 0;
  return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : db_fail(s->db, ck_tables[t].name, err);
}

void scan_end(struct scan *s) {
  for (int t = 0; t < CK_TABLES; ++t) sqlite3_reset(s->at[t].stmt);
  sqlite3_exec(s->db, "COMMIT", NULL, NULL, NULL);
}

int scan_begin(struct scan *s, uint64_t after, unsigned tables, uint64_t *head,
               struct ck_err *err) {
  if (db_exec(s->db, "BEGIN", err)) return -1;
  s->stepped = -1;
  int rc = db_head(s->db, head, err);
  for (int t = 0; t < CK_TABLES && rc == 0; ++t) {
    s->at[t].version = 0;
    if (tables && !(tables & 1u << t)) continue;
    sqlite3_bind_int64(s->at[t].stmt, 1, (sqlite3_int64)after);
    rc = advance(s, t, err);
  }
  if (rc) scan_end(s);
  return rc;
}

int scan_next(struct scan *s, uint64_t *version, struct ck_row *row, struct ck_err *err) {
  if (s->stepped >= 0 && advance(s, s->stepped, err)) return -1;
  int least = -1;
  for (int t = 0; t < CK_TABLES; ++t)
    if (s->at[t].version && (least < 0 || s->at[t].version < s->at[least].version)) least = t;
  s->stepped = least;
  if (least < 0) return 0;
  *version = s->at[least].version;
  db_row(s->at[least].stmt, 1, (enum ck_table)least, row);
  return 1;
}

bool scan_encode(struct ck_buf *changes, uint64_t version, const struct ck_row *row) {
  size_t before = changes->len;
  ck_change_encode(changes, version, row);
  if (changes->len <= CHANGES_BYTES) return true;
  changes->len = before;
  return false;
}

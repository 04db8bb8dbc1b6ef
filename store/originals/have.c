/* HAVE: is everything there that an original gave? */
#include "store/originals/internal.h"

/* What is recorded of the original. *alone: it is of one conversation. */
static int get(struct originals_reader *r, struct ck_str id, struct ck_str reader,
               struct ck_kept *kept, bool *alone, struct ck_err *err) {
  unsigned char key[ORIGINAL_KEY];
  sqlite3_stmt *s = r->s[READ_GET];
  *kept = (struct ck_kept){0};
  original_key(id, key);
  original_bind(s, key);
  int rc = sqlite3_step(s);
  if (rc == SQLITE_ROW) {
    kept->state = ck_str_eq(db_str(s, 2), reader) ? CK_KEPT_WHOLE : CK_KEPT_BYTES;
    kept->messages = (uint64_t)sqlite3_column_int64(s, 0);
    kept->executions = (uint64_t)sqlite3_column_int64(s, 1);
    *alone = sqlite3_column_int64(s, 3) != 0;
    kept->age = sqlite3_column_int64(s, 4);
  } else if (rc != SQLITE_DONE) {
    return originals_read_failed(r, READ_GET, err);
  }
  sqlite3_reset(s);
  return 0;
}

/* Are all its records there? 1, 0, or -1. */
static int has_records(struct originals_reader *r, struct ck_str id, const struct ck_kept *kept,
                       struct ck_err *err) {
  sqlite3_stmt *s = r->s[READ_COUNT];
  db_bind_str(s, 1, id);
  if (sqlite3_step(s) != SQLITE_ROW) return originals_read_failed(r, READ_COUNT, err);
  bool all = (uint64_t)sqlite3_column_int64(s, 0) == kept->messages &&
             (uint64_t)sqlite3_column_int64(s, 1) == kept->executions;
  sqlite3_reset(s);
  return all;
}

/* Are their conversations there, with links and sessions? Of one conversation, one message tells.
 */
static int has_conversations(struct originals_reader *r, struct ck_str id, bool alone,
                             struct ck_err *err) {
  sqlite3_stmt *s = r->s[READ_INCOMPLETE];
  db_bind_str(s, 1, id);
  sqlite3_bind_int64(s, 2, alone ? 1 : -1);
  int rc = sqlite3_step(s);
  if (rc != SQLITE_ROW && rc != SQLITE_DONE) return originals_read_failed(r, READ_INCOMPLETE, err);
  sqlite3_reset(s);
  return rc == SQLITE_DONE;
}

static int look(struct originals_reader *r, struct ck_str id, struct ck_str reader,
                struct ck_kept *kept, struct ck_err *err) {
  bool alone = false;
  if (get(r, id, reader, kept, &alone, err)) return -1;
  if (kept->state != CK_KEPT_WHOLE) return 0;
  int rc = has_records(r, id, kept, err);
  if (rc > 0) rc = has_conversations(r, id, alone, err);
  if (rc == 0) kept->state = CK_KEPT_BYTES;
  return rc < 0 ? -1 : 0;
}

static int look_at_all(struct originals_reader *r, const struct ck_have *q, struct ck_buf *had,
                       const char **code, struct ck_err *err) {
  struct ck_reader list = ck_reader_of(q->originals);
  struct ck_str id;
  struct ck_kept one;
  uint32_t n;
  *code = "bad_request";
  if (ck_read_array(&list, &n) || n > CK_HAVE_MAX)
    return ck_fail(err, "have.originals: must be an array of at most %d ids", CK_HAVE_MAX);
  ck_put_array(had, n);
  for (; n; --n) {
    *code = "bad_request";
    if (ck_read_str(&list, &id) || !ck_original_is_id(id))
      return ck_fail(err, "have.originals: an id must be %d hexadecimal digits", CK_ORIGINAL_ID);
    *code = "busy";
    if (look(r, id, q->reader, &one, err)) return -1;
    ck_kept_encode(had, &one);
  }
  return 0;
}

int originals_have(struct originals_reader *r, const struct ck_have *q, struct ck_buf *had,
                   const char **code, struct ck_err *err) {
  struct ck_err ignored;
  *code = "busy";
  if (db_exec(r->db, "BEGIN", err)) return -1;
  int rc = look_at_all(r, q, had, code, err);
  db_exec(r->db, "COMMIT", &ignored);
  return rc;
}

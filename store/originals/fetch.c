/* FETCH: the bytes of an original. */
#include <string.h>

#include "store/originals/internal.h"

struct place {
  unsigned char key[ORIGINAL_KEY];
  int64_t block;
  uint64_t at, bytes;
};

static bool is_beginning(struct ck_str s) {
  char whole[CK_ORIGINAL_ID];
  if (s.n < CK_ORIGINAL_BEGINNING || s.n > CK_ORIGINAL_ID) return false;
  memset(whole, '0', sizeof whole);
  memcpy(whole, s.s, s.n);
  return ck_original_is_id((struct ck_str){whole, sizeof whole});
}

/* The least or the greatest key that begins so. */
static void bound(struct ck_str beginning, char rest, unsigned char key[ORIGINAL_KEY]) {
  char whole[CK_ORIGINAL_ID];
  memset(whole, rest, sizeof whole);
  memcpy(whole, beginning.s, beginning.n);
  original_key((struct ck_str){whole, sizeof whole}, key);
}

/* The first row. How many there are, at most 2; -1. */
static int rows(struct originals_reader *r, enum originals_read name, struct place *place,
                struct ck_err *err) {
  sqlite3_stmt *s = r->s[name];
  int n = 0, rc;
  while ((rc = sqlite3_step(s)) == SQLITE_ROW && n++ == 0) {
    if (sqlite3_column_bytes(s, 0) == ORIGINAL_KEY)
      memcpy(place->key, sqlite3_column_blob(s, 0), ORIGINAL_KEY);
    place->block = sqlite3_column_int64(s, 1);
    place->at = (uint64_t)sqlite3_column_int64(s, 2);
    place->bytes = (uint64_t)sqlite3_column_int64(s, 3);
  }
  if (rc != SQLITE_ROW && rc != SQLITE_DONE) return originals_read_failed(r, name, err);
  sqlite3_reset(s);
  return n;
}

/* 1: found; 0: there is none; -1. */
static int find(struct originals_reader *r, const struct ck_fetch *q, struct place *place,
                const char **code, struct ck_err *err) {
  unsigned char least[ORIGINAL_KEY], most[ORIGINAL_KEY];
  int n;
  if (q->original.n) {
    *code = "bad_request";
    if (!is_beginning(q->original))
      return ck_fail(err, "fetch.original: must be %d to %d hexadecimal digits",
                     CK_ORIGINAL_BEGINNING, CK_ORIGINAL_ID);
    bound(q->original, '0', least);
    bound(q->original, 'f', most);
    original_bind(r->s[READ_BETWEEN], least);
    sqlite3_bind_blob(r->s[READ_BETWEEN], 2, most, sizeof most, SQLITE_STATIC);
    n = rows(r, READ_BETWEEN, place, err);
  } else {
    sqlite3_bind_int64(r->s[READ_NEWEST], 1, original_conversation(q->platform, q->conversation));
    n = rows(r, READ_NEWEST, place, err);
  }
  *code = n < 0 ? "busy" : "ambiguous";
  return n > 1 ? ck_fail(err, "several originals begin so: give more digits") : n;
}

/* Appends the data to body, from the place on. */
static int read_piece(struct originals_reader *r, const struct ck_fetch *q,
                      const struct place *place, struct ck_buf *body, const char **code,
                      struct ck_err *err) {
  struct ck_buf data = {0};
  bool damaged = false;
  *code = "bad_request";
  if (q->most > CK_FETCH_MAX) return ck_fail(err, "fetch.most: at most %u", CK_FETCH_MAX);
  uint64_t left = q->at < place->bytes ? place->bytes - q->at : 0;
  size_t n = (size_t)(left < q->most ? left : q->most);
  int rc = n ? unpack_read(r->unpack, place->block, place->at + q->at, n, &data, &damaged, err) : 0;
  *code = damaged ? "damaged" : "busy";
  ck_put_bin(body, ck_buf_view(&data));
  ck_buf_free(&data);
  return rc;
}

/* The id comes first in body, then the data. */
static int fetch(struct originals_reader *r, const struct ck_fetch *q, struct ck_buf *body,
                 struct ck_fetched *answer, const char **code, struct ck_err *err) {
  struct place place = {.block = 0};
  int found = find(r, q, &place, code, err);
  if (found > 0) ck_buf_hex(body, place.key, ORIGINAL_KEY);
  size_t id = body->len;
  if (found < 0 || (found && read_piece(r, q, &place, body, code, err))) return -1;
  if (!found) ck_put_bin(body, (struct ck_str){0});
  struct ck_str all = ck_buf_view(body);
  *answer =
      (struct ck_fetched){q->request, {all.s, id}, place.bytes, q->at, {all.s + id, all.n - id}};
  return 0;
}

int originals_fetch(struct originals_reader *r, const struct ck_fetch *q, struct ck_buf *body,
                    struct ck_fetched *answer, const char **code, struct ck_err *err) {
  struct ck_err ignored;
  *code = "busy";
  if (db_exec(r->db, "BEGIN", err)) return -1;
  int rc = fetch(r, q, body, answer, code, err);
  db_exec(r->db, "COMMIT", &ignored);
  return rc;
}

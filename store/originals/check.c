/* doctor's look at the originals: every block is unpacked, and every original hashed. Each block is
 * read in a transaction of its own, because all of them together may take a while. */
#include <stdlib.h>
#include <string.h>

#include "proto/sha256.h"
#include "store/originals/internal.h"
#include "store/database/statements.h"

#define PIECE (1u << 20)

/* S(NAME, sql) */
#define STATEMENTS(S) \
  S(NEXT_BLOCK, \
    "SELECT block FROM blocks WHERE block > ?1 AND state = 'whole' ORDER BY block LIMIT 1") \
  S(IN_BLOCK, "SELECT id, at, bytes FROM originals WHERE block = ?1 ORDER BY at") \
  S(LOST, "SELECT o.id, o.block FROM originals o LEFT JOIN blocks b USING (block)" \
          " WHERE b.state IS NULL OR b.state = 'gone' LIMIT 100") \
  S(NEXT_NAMED, \
    "SELECT min(id) FROM (SELECT min(original) AS id FROM messages WHERE original > ?1" \
    " UNION ALL SELECT min(original) FROM executions WHERE original > ?1)") \
  S(IS_THERE, "SELECT 1" ORIGINALS_THERE " WHERE o.id = ?1")

DB_STATEMENTS(STATEMENTS)

struct check {
  sqlite3 *db;
  sqlite3_stmt *s[STATEMENT_COUNT];
  struct unpack *unpack;
  const struct originals_check *ops;
  struct ck_buf piece;
};

static int failed(struct check *c, enum statement name, struct ck_err *err) {
  db_fail(c->db, texts[name], err);
  sqlite3_reset(c->s[name]);
  return -1;
}

static void say(struct check *c, const unsigned char *key, const char *what) {
  struct ck_buf b = {0};
  ck_buf_text(&b, "original ");
  ck_buf_hex(&b, key, ORIGINAL_KEY);
  ck_buf_printf(&b, ": %s", what);
  c->ops->damaged(c->ops->self, ck_buf_cstr(&b));
  ck_buf_free(&b);
}

/* ---- the bytes ---- */

struct one {
  unsigned char key[ORIGINAL_KEY];
  uint64_t at, bytes;
};

/* Its bytes have its hash? What is wrong is said. -1: the database failed. */
static int check_one(struct check *c, int64_t block, const struct one *o, struct ck_err *err) {
  unsigned char hash[CK_SHA256_BYTES];
  struct ck_sha256 h;
  bool damaged = false;
  ck_sha256_begin(&h);
  for (uint64_t done = 0; done < o->bytes; done += c->piece.len) {
    uint64_t left = o->bytes - done;
    ck_buf_clear(&c->piece);
    if (unpack_read(c->unpack, block, o->at + done, (size_t)(left < PIECE ? left : PIECE),
                    &c->piece, &damaged, err)) {
      if (damaged) say(c, o->key, err->text);
      return damaged ? 0 : -1;
    }
    ck_sha256_add(&h, ck_buf_view(&c->piece));
  }
  ck_sha256_end(&h, hash);
  if (memcmp(hash, o->key, ORIGINAL_KEY) != 0) say(c, o->key, "its bytes are not those that came");
  return 0;
}

/* *list: the block's originals, n of them; the caller frees. */
static int list_of(struct check *c, int64_t block, struct one **list, size_t *n,
                   struct ck_err *err) {
  sqlite3_stmt *s = c->s[IN_BLOCK];
  int rc;
  *list = NULL;
  *n = 0;
  sqlite3_bind_int64(s, 1, block);
  while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
    *list = ck_realloc(*list, (*n + 1) * sizeof **list);
    struct one *o = &(*list)[(*n)++];
    *o = (struct one){.at = (uint64_t)sqlite3_column_int64(s, 1),
                      .bytes = (uint64_t)sqlite3_column_int64(s, 2)};
    if (sqlite3_column_bytes(s, 0) == ORIGINAL_KEY)
      memcpy(o->key, sqlite3_column_blob(s, 0), ORIGINAL_KEY);
  }
  if (rc != SQLITE_DONE) return failed(c, IN_BLOCK, err);
  sqlite3_reset(s);
  return 0;
}

/* 1: *block is the next one; 0: it was the last; -1. */
static int next_block(struct check *c, int64_t *block, struct ck_err *err) {
  sqlite3_stmt *s = c->s[NEXT_BLOCK];
  sqlite3_bind_int64(s, 1, *block);
  int rc = sqlite3_step(s);
  if (rc == SQLITE_ROW) *block = sqlite3_column_int64(s, 0);
  if (rc != SQLITE_ROW && rc != SQLITE_DONE) return failed(c, NEXT_BLOCK, err);
  sqlite3_reset(s);
  return rc == SQLITE_ROW;
}

static int check_block(struct check *c, int64_t *block, uint64_t *count, struct ck_err *err) {
  struct one *list = NULL;
  size_t n = 0;
  int rc = next_block(c, block, err);
  int bad = rc > 0 ? list_of(c, *block, &list, &n, err) : 0;
  for (size_t i = 0; i < n && bad == 0; ++i) bad = check_one(c, *block, &list[i], err);
  free(list);
  *count += n;
  return bad ? -1 : rc;
}

static int check_blocks(struct check *c, uint64_t *count, struct ck_err *err) {
  struct ck_err ignored;
  int64_t block = 0;
  int rc = 1;
  while (rc > 0) {
    if (db_exec(c->db, "BEGIN", err)) return -1;
    rc = check_block(c, &block, count, err);
    db_exec(c->db, "COMMIT", &ignored);
    if (rc > 0 && !c->ops->goes_on(c->ops->self)) return ck_fail(err, "cancelled");
  }
  return rc;
}

static int check_lost(struct check *c, struct ck_err *err) {
  sqlite3_stmt *s = c->s[LOST];
  int rc;
  while ((rc = sqlite3_step(s)) == SQLITE_ROW)
    if (sqlite3_column_bytes(s, 0) == ORIGINAL_KEY)
      say(c, sqlite3_column_blob(s, 0), "its block is missing");
  if (rc != SQLITE_DONE) return failed(c, LOST, err);
  sqlite3_reset(s);
  return 0;
}

/* ---- the records ---- */

static int is_missing(struct check *c, struct ck_str id, struct ck_err *err) {
  unsigned char key[ORIGINAL_KEY];
  if (!ck_original_is_id(id)) return 1;
  original_key(id, key);
  original_bind(c->s[IS_THERE], key);
  int rc = sqlite3_step(c->s[IS_THERE]);
  if (rc != SQLITE_ROW && rc != SQLITE_DONE) return failed(c, IS_THERE, err);
  sqlite3_reset(c->s[IS_THERE]);
  return rc == SQLITE_DONE;
}

/* Goes through the ids that records name, each once. */
static int check_named(struct check *c, struct ck_err *err) {
  struct ck_buf id = {0};
  int rc = 0;
  for (bool more = true; rc == 0 && more;) {
    sqlite3_stmt *s = c->s[NEXT_NAMED];
    db_bind_str(s, 1, ck_buf_view(&id));
    if (sqlite3_step(s) != SQLITE_ROW) {
      rc = failed(c, NEXT_NAMED, err);
      break;
    }
    more = sqlite3_column_type(s, 0) != SQLITE_NULL && c->ops->goes_on(c->ops->self);
    struct ck_buf found = {0};
    if (more) ck_buf_str(&found, db_str(s, 0));
    sqlite3_reset(s);
    ck_buf_free(&id);
    id = found;
    int missing = more ? is_missing(c, ck_buf_view(&id), err) : 0;
    if (missing > 0) c->ops->missing(c->ops->self, ck_buf_cstr(&id));
    if (missing < 0) rc = -1;
  }
  ck_buf_free(&id);
  return rc;
}

/* ---- all of it ---- */

static int prepare(struct check *c, struct ck_err *err) {
  if (db_prepare_all(c->db, texts, STATEMENT_COUNT, c->s, err)) return -1;
  c->unpack = unpack_new(c->db, err);
  return c->unpack ? 0 : -1;
}

int originals_check(sqlite3 *db, const struct originals_check *ops, uint64_t *count,
                    struct ck_err *err) {
  struct check c = {.db = db, .ops = ops};
  int rc = prepare(&c, err) || (count && (check_blocks(&c, count, err) || check_lost(&c, err))) ||
                   check_named(&c, err)
               ? -1
               : 0;
  db_finalize_all(c.s, STATEMENT_COUNT);
  unpack_free(&c.unpack);
  ck_buf_free(&c.piece);
  return rc;
}

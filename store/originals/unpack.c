/* See unpack.h. */
#include "store/originals/unpack.h"

#include <stdlib.h>
#include <zstd.h>

#define SQL "SELECT data FROM block_parts WHERE block = ?1 AND part = ?2"
#define SKIPPED (128u << 10) /* bytes unpacked at a time on the way to what is wanted */

struct unpack {
  sqlite3 *db;
  sqlite3_stmt *s;
  ZSTD_DStream *stream; /* NULL: nothing is open */
  int64_t block;        /* the open one */
  int64_t part;         /* the next one */
  uint64_t at;          /* bytes unpacked so far */
  struct ck_buf data;   /* of the last part */
  size_t used;          /* of the data */
  bool ended;           /* the frame has ended */
};

struct unpack *unpack_new(sqlite3 *db, struct ck_err *err) {
  struct unpack *u = ck_zalloc(sizeof *u);
  u->db = db;
  if (!(u->s = db_prepare(db, SQL, err))) unpack_free(&u);
  return u;
}

void unpack_rest(struct unpack *u) {
  ZSTD_freeDStream(u->stream);
  u->stream = NULL;
  ck_buf_free(&u->data);
}

bool unpack_continues(const struct unpack *u) { return u->stream; }

void unpack_free(struct unpack **unpack) {
  struct unpack *u = *unpack;
  if (!u) return;
  unpack_rest(u);
  sqlite3_finalize(u->s);
  free(u);
  *unpack = NULL;
}

static int open_block(struct unpack *u, int64_t block, struct ck_err *err) {
  if (!u->stream) u->stream = ZSTD_createDStream();
  if (!u->stream || ZSTD_isError(ZSTD_initDStream(u->stream)))
    return ck_fail(err, "no memory to unpack a block");
  u->block = block;
  u->part = 0;
  u->at = 0;
  u->used = 0;
  u->ended = false;
  ck_buf_clear(&u->data);
  return 0;
}

/* Reads the next part. A statement that stays open would hold the WAL, so the data is copied. */
static int next_part(struct unpack *u, bool *damaged, struct ck_err *err) {
  sqlite3_bind_int64(u->s, 1, u->block);
  sqlite3_bind_int64(u->s, 2, u->part);
  int rc = sqlite3_step(u->s);
  ck_buf_clear(&u->data);
  u->used = 0;
  if (rc == SQLITE_ROW) {
    size_t n = (size_t)sqlite3_column_bytes(u->s, 0);
    if (n) ck_buf_add(&u->data, sqlite3_column_blob(u->s, 0), n);
  } else if (rc == SQLITE_DONE) {
    *damaged = true;
    ck_fail(err, "block %lld: part %lld is missing", (long long)u->block, (long long)u->part);
  } else {
    db_fail(u->db, "block_parts", err);
  }
  sqlite3_reset(u->s);
  ++u->part;
  return rc == SQLITE_ROW ? 0 : -1;
}

/* Unpacks up to n bytes more. *got: how many; at least 1. */
static int step(struct unpack *u, char *to, size_t n, size_t *got, bool *damaged,
                struct ck_err *err) {
  ZSTD_outBuffer out = {to, n, 0};
  while (out.pos == 0) {
    if (u->ended) {
      *damaged = true;
      return ck_fail(err, "block %lld: it ends at byte %llu", (long long)u->block,
                     (unsigned long long)u->at);
    }
    ZSTD_inBuffer in = {u->data.data, u->data.len, u->used};
    size_t rc = ZSTD_decompressStream(u->stream, &out, &in);
    u->used = in.pos;
    u->ended = rc == 0;
    if (ZSTD_isError(rc)) {
      *damaged = true;
      return ck_fail(err, "block %lld: part %lld cannot be unpacked: %s", (long long)u->block,
                     (long long)u->part - 1, ZSTD_getErrorName(rc));
    }
    if (out.pos == 0 && !u->ended && u->used == u->data.len && next_part(u, damaged, err))
      return -1;
  }
  u->at += out.pos;
  *got = out.pos;
  return 0;
}

static int skip(struct unpack *u, uint64_t upto, bool *damaged, struct ck_err *err) {
  char *into = ck_alloc(SKIPPED);
  int rc = 0;
  size_t got;
  while (rc == 0 && u->at < upto)
    rc = step(u, into, upto - u->at < SKIPPED ? (size_t)(upto - u->at) : SKIPPED, &got, damaged,
              err);
  free(into);
  return rc;
}

static int read_bytes(struct unpack *u, int64_t block, uint64_t at, size_t n, struct ck_buf *out,
                      bool *damaged, struct ck_err *err) {
  bool goes_on = u->stream && u->block == block && u->at <= at;
  if (!goes_on && open_block(u, block, err)) return -1;
  if (u->at < at && skip(u, at, damaged, err)) return -1;
  for (size_t got; n; n -= got) {
    if (step(u, ck_buf_room(out, n), n, &got, damaged, err)) return -1;
    out->len += got;
  }
  return 0;
}

int unpack_read(struct unpack *u, int64_t block, uint64_t at, size_t n, struct ck_buf *out,
                bool *damaged, struct ck_err *err) {
  size_t before = out->len;
  *damaged = false;
  if (read_bytes(u, block, at, n, out, damaged, err) == 0) return 0;
  out->len = before;
  unpack_rest(u);
  return -1;
}

/* See pack.h. */
#include "store/originals/pack.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "store/originals/forgotten.h"

#define UNIT (4u << 20)      /* uncompressed bytes after which a pack is full */
#define ALL_MAX (256u << 20) /* of one conversation's originals */
#define PIECE (256u << 10)
#define LEVEL 3
#define LEAST_WINDOW 21 /* of zstd's level, as a power of two */

#define CONVERSATIONS "SELECT conversation FROM originals_grown"
#define VERSIONS \
  "SELECT o.original, o.block, o.at, o.bytes, o.conversation" ORIGINALS_THERE \
  " WHERE o.conversation = ?1 AND o.conversation <> 0 ORDER BY o.age DESC, o.id DESC"
#define REST \
  "SELECT o.original, o.block, o.at, o.bytes, o.conversation FROM originals o" \
  " WHERE o.block = ?1 AND o.conversation NOT IN (SELECT conversation FROM originals_grown)" \
  " ORDER BY o.at"
#define BLOCK_BYTES "SELECT bytes FROM blocks WHERE block = ?1"

void pack_free(struct pack *p) {
  free(p->moves);
  free(p->conversations);
  free(p->joins);
  free(p->seen);
  ck_buf_free(&p->data);
  *p = (struct pack){.count = 0};
}

/* ---- what moves ---- */

/* Where it is among those seen, or the free place for it. */
static int64_t *place_of(const struct pack *p, int64_t original) {
  size_t i = (size_t)((uint64_t)original * UINT64_C(0x9e3779b97f4a7c15) >> 20) % p->seen_room;
  while (p->seen[i] && p->seen[i] != original) i = (i + 1) % p->seen_room;
  return &p->seen[i];
}

static bool has(const struct pack *p, int64_t original) {
  return p->seen_room && *place_of(p, original) == original;
}

static void see(struct pack *p, int64_t original) {
  if (p->seen_room < 2 * (p->count + 1)) {
    free(p->seen);
    p->seen_room = 4 * (p->count + 64);
    p->seen = ck_zalloc(p->seen_room * sizeof *p->seen);
    for (size_t i = 0; i < p->count; ++i) *place_of(p, p->moves[i].original) = p->moves[i].original;
  }
  *place_of(p, original) = original;
}

void pack_add(struct pack *p, const struct pack_move *m) {
  see(p, m->original);
  if (p->count == p->room)
    p->moves = ck_realloc(p->moves, (p->room = p->room * 2 + 64) * sizeof *p->moves);
  p->moves[p->count] = *m;
  p->moves[p->count++].to = p->bytes;
  p->bytes += m->bytes;
}

static void done_with(struct pack *p, int64_t conversation) {
  if (p->conversation_count == p->conversation_room)
    p->conversations =
        ck_realloc(p->conversations, (p->conversation_room = p->conversation_room * 2 + 64) *
                                         sizeof *p->conversations);
  p->conversations[p->conversation_count++] = conversation;
}

/* The rows of VERSIONS or REST. *list: the caller frees. */
static int rows(sqlite3 *db, const char *sql, int64_t of, struct pack_move **list, size_t *n,
                struct ck_err *err) {
  sqlite3_stmt *s = db_prepare(db, sql, err);
  int rc;
  *list = NULL;
  *n = 0;
  if (!s) return -1;
  sqlite3_bind_int64(s, 1, of);
  while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
    *list = ck_realloc(*list, (*n + 1) * sizeof **list);
    (*list)[(*n)++] = (struct pack_move){.original = sqlite3_column_int64(s, 0),
                                         .from = sqlite3_column_int64(s, 1),
                                         .at = (uint64_t)sqlite3_column_int64(s, 2),
                                         .bytes = (uint64_t)sqlite3_column_int64(s, 3),
                                         .conversation = sqlite3_column_int64(s, 4)};
  }
  int bad = rc == SQLITE_DONE ? 0 : db_fail(db, "originals", err);
  sqlite3_finalize(s);
  return bad;
}

/* All originals of a conversation, the newest first, as long as they are not too large. */
static int add_conversation(struct pack *p, sqlite3 *db, int64_t conversation, struct ck_err *err) {
  struct pack_move *list;
  size_t n, fit = 0;
  uint64_t bytes = 0;
  int rc = rows(db, VERSIONS, conversation, &list, &n, err);
  while (fit < n && list[fit].bytes <= PACK_ONE_MAX && bytes + list[fit].bytes <= ALL_MAX)
    bytes += list[fit++].bytes;
  for (size_t i = 0; fit > 1 && i < fit; ++i)
    if (!has(p, list[i].original)) pack_add(p, &list[i]);
  done_with(p, conversation);
  free(list);
  return rc;
}

static int gather(struct pack *p, sqlite3 *db, struct ck_err *err) {
  sqlite3_stmt *s = db_prepare(db, CONVERSATIONS, err);
  int rc = 0, step = SQLITE_DONE;
  if (!s) return -1;
  while (rc == 0 && p->bytes < UNIT && (step = sqlite3_step(s)) == SQLITE_ROW)
    rc = add_conversation(p, db, sqlite3_column_int64(s, 0), err);
  if (rc == 0 && step != SQLITE_DONE && step != SQLITE_ROW)
    rc = db_fail(db, "originals_grown", err);
  sqlite3_finalize(s);
  return rc;
}

/* ---- what is left behind ---- */

static int block_bytes(sqlite3 *db, int64_t block, uint64_t *bytes, struct ck_err *err) {
  sqlite3_stmt *s = db_prepare(db, BLOCK_BYTES, err);
  if (!s) return -1;
  sqlite3_bind_int64(s, 1, block);
  int rc = sqlite3_step(s);
  *bytes = rc == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(s, 0) : 0;
  sqlite3_finalize(s);
  return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : db_fail(db, "blocks", err);
}

/* If less than half of a block would be left, the rest moves too; what waits to be packed itself
 * moves with its own conversation. */
static int add_rest(struct pack *p, sqlite3 *db, int64_t block, struct ck_err *err) {
  struct pack_move *list;
  size_t n;
  uint64_t left = 0, all = 0;
  int rc = rows(db, REST, block, &list, &n, err) || block_bytes(db, block, &all, err) ? -1 : 0;
  for (size_t i = 0; i < n; ++i)
    if (!has(p, list[i].original)) left += list[i].bytes;
  for (size_t i = 0; rc == 0 && left < all / 2 && i < n; ++i)
    if (!has(p, list[i].original)) pack_add(p, &list[i]);
  free(list);
  return rc;
}

static int by_number(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return x < y ? -1 : x > y;
}

static int gather_rests(struct pack *p, sqlite3 *db, struct ck_err *err) {
  size_t n = p->count;
  int64_t *from = ck_alloc((n + 1) * sizeof *from);
  int rc = 0;
  for (size_t i = 0; i < n; ++i) from[i] = p->moves[i].from;
  qsort(from, n, sizeof *from, by_number);
  for (size_t i = 0; i < n && rc == 0 && p->bytes < 4 * (uint64_t)UNIT; ++i)
    if (i == 0 || from[i] != from[i - 1]) rc = add_rest(p, db, from[i], err);
  free(from);
  return rc;
}

/* ---- compressing ---- */

/* Large enough to see the same place of the next newer original. */
static int window_of(const struct pack *p) {
  uint64_t largest = 0;
  int window = LEAST_WINDOW;
  for (size_t i = 0; i < p->count; ++i)
    if (p->moves[i].bytes > largest) largest = p->moves[i].bytes;
  while ((UINT64_C(1) << window) < largest + 1024) ++window;
  return window;
}

static ZSTD_CCtx *compressor(const struct pack *p) {
  ZSTD_CCtx *z = ZSTD_createCCtx();
  if (!z) return NULL;
  ZSTD_CCtx_setParameter(z, ZSTD_c_compressionLevel, LEVEL);
  ZSTD_CCtx_setParameter(z, ZSTD_c_enableLongDistanceMatching, 1);
  ZSTD_CCtx_setParameter(z, ZSTD_c_windowLog, window_of(p));
  ZSTD_CCtx_setParameter(z, ZSTD_c_checksumFlag, 1);
  ZSTD_CCtx_setPledgedSrcSize(z, p->bytes);
  return z;
}

int pack_compress(struct pack *p, ZSTD_CCtx *z, struct ck_str bytes, bool end, struct ck_err *err) {
  ZSTD_inBuffer in = {bytes.s, bytes.n, 0};
  size_t left;
  do {
    size_t room = ZSTD_CStreamOutSize();
    ZSTD_outBuffer out = {ck_buf_room(&p->data, room), room, 0};
    left = ZSTD_compressStream2(z, &out, &in, end ? ZSTD_e_end : ZSTD_e_continue);
    if (ZSTD_isError(left)) return ck_fail(err, "packing: %s", ZSTD_getErrorName(left));
    p->data.len += out.pos;
  } while (end ? left > 0 : in.pos < in.size);
  return 0;
}

int pack_compress_one(struct pack *p, ZSTD_CCtx *z, const struct pack_with *with,
                      const struct pack_move *m, struct ck_err *err) {
  struct ck_buf piece = {0};
  bool damaged;
  int rc = 0;
  for (uint64_t done = 0; rc == 0 && done < m->bytes; done += piece.len) {
    uint64_t left = m->bytes - done;
    size_t n = (size_t)(left < PIECE ? left : PIECE);
    ck_buf_clear(&piece);
    if (atomic_load(with->stop)) rc = ck_fail(err, "the store ends");
    if (rc == 0) rc = unpack_read(with->unpack, m->from, m->at + done, n, &piece, &damaged, err);
    if (rc == 0) rc = pack_compress(p, z, ck_buf_view(&piece), false, err);
  }
  ck_buf_free(&piece);
  return rc;
}

static int compress_all(struct pack *p, const struct pack_with *with, struct ck_err *err) {
  ZSTD_CCtx *z = compressor(p);
  if (!z) return ck_fail(err, "packing: no memory");
  int rc = 0;
  for (size_t i = 0; i < p->count && rc == 0; ++i)
    rc = pack_compress_one(p, z, with, &p->moves[i], err);
  if (rc == 0) rc = pack_compress(p, z, (struct ck_str){0}, true, err);
  ZSTD_freeCCtx(z);
  if (rc == 0) ck_original_id(p->id, ck_buf_view(&p->data));
  return rc;
}

/* If a block is damaged, its conversations stay as they are: doctor says what is wrong with it. */
static int make(struct pack *p, const struct pack_with *with, struct pack_logs logs,
                struct ck_err *err) {
  if (gather(p, with->db, err) || gather_rests(p, with->db, err)) return -1;
  if (p->conversation_count == 0) return pack_join(p, with, logs, err);
  if (p->count && compress_all(p, with, err)) {
    if (atomic_load(with->stop)) return 0;
    p->count = 0;
    ck_buf_clear(&p->data);
  }
  return 1;
}

/* In one transaction, so that what it reads fits together. */
int pack_make(struct pack *p, const struct pack_with *with, struct pack_logs logs,
              struct ck_err *err) {
  struct ck_err ignored;
  p->forgotten = atomic_load(&originals_forgotten);
  if (db_exec(with->db, "BEGIN", err)) return -1;
  int rc = make(p, with, logs, err);
  db_exec(with->db, "COMMIT", &ignored);
  unpack_rest(with->unpack);
  return rc;
}

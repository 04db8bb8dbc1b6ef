/* Joins runs of a log, which is the packing thread's work, too. A log that is captured as it is
 * written comes in runs of one or a few lines; one that is read at once in runs of a window. Those
 * of one window become one original, whatever order they came in and however they overlap: it has
 * the bytes, and the id, that an import of the finished file gives it. They go into one block with
 * other runs of their log that are in small blocks.
 *
 *   window 3:  [40..44] [45..45] [40..45] [46..50]  ──►  [40..50]
 *
 * Only runs are joined of which it is sure that they follow one another in one file (joined.h). So
 * of a file that begins like another, or was written again, the runs become originals of their own
 * from the window on in which it differs: that window has the lines in common twice.
 *
 * Memory: the text that is put together and one run, at most 32 MiB each; of the runs of the log
 * only what is said of them. */
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "store/originals/joined.h"
#include "store/originals/pack.h"

#define SMALL (192 << 10)    /* uncompressed bytes of a block that is not left as it is */
#define UNIT (1u << 20)      /* after which a pack is full */
#define MOVED_MAX (4 * UNIT) /* after which nothing is moved that is not joined */
#define LEVEL 3
#define TEXT_OF(n) TEXT_OF_(n)
#define TEXT_OF_(n) #n

#define NEXT_LOG \
  "SELECT log, runs, upto FROM logs_grown" \
  " WHERE runs >= " TEXT_OF(PACK_RUNS) " OR (?1 AND log > ?2) ORDER BY log LIMIT 1"
#define JOINED \
  "(SELECT window FROM originals WHERE log = ?1 AND log <> 0 AND window > ?2" \
  " GROUP BY window HAVING count(*) > 1)"
#define RUNS \
  "SELECT o.original, o.id, o.block, o.at, o.bytes, o.age, o.lines, o.window, o.chain," \
  " o.chain_end, b.bytes < ?4" ORIGINALS_THERE \
  " WHERE o.log = ?1 AND o.log <> 0 AND o.window <> 0 AND o.bytes <= ?3" \
  " AND (o.window IN " JOINED " OR b.bytes < ?4 OR o.block IN (SELECT block FROM originals" \
  " WHERE log = ?1 AND log <> 0 AND window IN " JOINED "))" \
  " ORDER BY o.window, o.age, o.lines DESC, o.original"

struct run {
  struct joined_run is;
  int64_t original, from; /* its number; the block that it is in */
  uint64_t at, window;
  bool small; /* the block is */
  bool taken; /* it is joined with others, */
  bool part;  /* with those that are put together at this moment */
};

struct join {
  struct pack *p;
  const struct pack_with *with;
  ZSTD_CCtx *z;
  struct run *runs;
  size_t count, room;
  int64_t upto;
  struct joined text;
  struct ck_buf bytes; /* of one run */
};

/* ---- what there is ---- */

/* 1: there is a log; 0; -1. */
static int next_log(struct join *j, struct pack_logs logs, struct ck_err *err) {
  struct pack *p = j->p;
  sqlite3_stmt *s = db_prepare(j->with->db, NEXT_LOG, err);
  if (!s) return -1;
  sqlite3_bind_int(s, 1, logs.after != NULL);
  sqlite3_bind_int64(s, 2, logs.after ? *logs.after : 0);
  int rc = sqlite3_step(s);
  if (rc == SQLITE_ROW) {
    p->log = sqlite3_column_int64(s, 0);
    p->log_runs = sqlite3_column_int64(s, 1);
    j->upto = sqlite3_column_int64(s, 2);
    p->log_upto = INT64_MAX;
  }
  int bad = rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : db_fail(j->with->db, "logs_grown", err);
  sqlite3_finalize(s);
  return bad ? bad : rc == SQLITE_ROW;
}

static void copy(unsigned char *to, size_t n, sqlite3_stmt *s, int column) {
  if ((size_t)sqlite3_column_bytes(s, column) == n) memcpy(to, sqlite3_column_blob(s, column), n);
}

static uint64_t number(sqlite3_stmt *s, int column) {
  return (uint64_t)sqlite3_column_int64(s, column);
}

static void add_run(struct join *j, sqlite3_stmt *s) {
  if (j->count == j->room)
    j->runs = ck_realloc(j->runs, (j->room = j->room * 2 + 64) * sizeof *j->runs);
  struct run *r = &j->runs[j->count++];
  *r = (struct run){.is = {.first = number(s, 5), .lines = number(s, 6), .bytes = number(s, 4)},
                    .original = sqlite3_column_int64(s, 0),
                    .from = sqlite3_column_int64(s, 2),
                    .at = number(s, 3),
                    .window = number(s, 7),
                    .small = sqlite3_column_int(s, 10)};
  copy(r->is.key, sizeof r->is.key, s, 1);
  copy(r->is.chain, sizeof r->is.chain, s, 8);
  copy(r->is.chain_end, sizeof r->is.chain_end, s, 9);
}

/* The next runs of the log, those of a window together; as many as make a pack. Those after them
 * are left for another one. */
static int gather(struct join *j, struct ck_err *err) {
  sqlite3_stmt *s = db_prepare(j->with->db, RUNS, err);
  uint64_t bytes = 0, last = 0;
  int rc;
  if (!s) return -1;
  sqlite3_bind_int64(s, 1, j->p->log);
  sqlite3_bind_int64(s, 2, j->upto);
  sqlite3_bind_int64(s, 3, PACK_ONE_MAX);
  sqlite3_bind_int64(s, 4, SMALL);
  while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
    uint64_t window = (uint64_t)sqlite3_column_int64(s, 7);
    if (bytes >= UNIT && window != last && (int64_t)last > j->upto) break;
    last = window;
    bytes += (uint64_t)sqlite3_column_int64(s, 4);
    add_run(j, s);
  }
  if (rc == SQLITE_ROW) j->p->log_upto = (int64_t)last;
  int bad = rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : db_fail(j->with->db, "originals", err);
  sqlite3_finalize(s);
  return bad;
}

/* ---- joining ---- */

static int read_run(struct join *j, const struct run *r, struct ck_err *err) {
  bool damaged;
  ck_buf_clear(&j->bytes);
  if (atomic_load(j->with->stop)) return ck_fail(err, "the store ends");
  return unpack_read(j->with->unpack, r->from, r->at, (size_t)r->is.bytes, &j->bytes, &damaged,
                     err);
}

static bool same_chain(const unsigned char *a, const unsigned char *b) {
  return memcmp(a, b, CK_ORIGINAL_CHAIN) == 0;
}

/* May b, which does not begin before a, follow it, or overlap it? Without a look at their bytes. */
static bool may_fit(const struct joined_run *a, const struct joined_run *b) {
  if (b->first == a->first) return same_chain(a->chain, b->chain);
  if (b->first == a->first + a->lines) return same_chain(a->chain_end, b->chain);
  return b->first < a->first + a->lines;
}

static bool is_alone(const struct join *j, size_t i, size_t upto) {
  for (size_t k = i + 1;
       k < upto && j->runs[k].is.first <= j->runs[i].is.first + j->runs[i].is.lines; ++k)
    if (!j->runs[k].taken && may_fit(&j->runs[i].is, &j->runs[k].is)) return false;
  return true;
}

/* Does the run become a part of the text? 1, 0, -1. */
static int add_to_text(struct join *j, const struct run *r, struct ck_err *err) {
  size_t at;
  if (joined_holds(&j->text, &r->is, &at)) return 1;
  if (!joined_reaches(&j->text, &r->is)) return 0;
  if (read_run(j, r, err)) return -1;
  return joined_extend(&j->text, &r->is, ck_buf_view(&j->bytes));
}

/* Puts together what begins with run i, and with the lines before it if it forks from the last text
 * of its window. *parts: of how many it is; 0: the run is not what is said of it. */
static int put_together(struct join *j, size_t i, size_t upto, size_t *parts, struct ck_err *err) {
  struct joined *t = &j->text;
  const struct joined_run *r = &j->runs[i].is;
  *parts = 0;
  if (read_run(j, &j->runs[i], err)) return -1;
  struct ck_str bytes = ck_buf_view(&j->bytes);
  if (!(joined_forks(t, r) ? joined_fork(t, r, bytes) : joined_begin(t, r, bytes))) return 0;
  for (size_t k = i; k < upto; ++k) j->runs[k].part = k == i;
  *parts = 1;
  for (size_t k = i + 1; k < upto && j->runs[k].is.first <= t->first + t->count; ++k) {
    int fits = j->runs[k].taken ? 0 : add_to_text(j, &j->runs[k], err);
    if (fits < 0) return -1;
    j->runs[k].part = fits;
    *parts += (size_t)fits;
  }
  return 0;
}

/* ---- into the pack ---- */

static struct pack_move move_of(const struct run *r) {
  struct pack_move m = {
      .original = r->original, .from = r->from, .at = r->at, .bytes = r->is.bytes};
  memcpy(m.key, r->is.key, sizeof m.key);
  return m;
}

/* The row that is the whole already, if there is one, is kept. */
static int add_joined(struct join *j, size_t from, size_t upto, struct ck_err *err) {
  struct pack *p = j->p;
  unsigned char key[ORIGINAL_KEY];
  if (p->join_count == p->join_room)
    p->joins = ck_realloc(p->joins, (p->join_room = p->join_room * 2 + 8) * sizeof *p->joins);
  struct pack_join *join = &p->joins[p->join_count++];
  *join = (struct pack_join){.keeper = p->count,
                             .to = p->bytes,
                             .bytes = j->text.bytes.len,
                             .first = j->text.first,
                             .lines = j->text.count};
  memcpy(join->chain, j->text.chain, sizeof join->chain);
  memcpy(join->chain_end, joined_chain_end(&j->text), sizeof join->chain_end);
  ck_original_id(join->id, ck_buf_view(&j->text.bytes));
  original_key(ck_str_of(join->id), key);
  for (size_t i = from; i < upto; ++i) {
    struct run *r = &j->runs[i];
    if (!r->part) continue;
    struct pack_move m = move_of(r);
    r->taken = true;
    m.join = p->join_count;
    m.bytes = 0; /* its bytes are those of the whole */
    if (r->is.first == j->text.first && memcmp(m.key, key, sizeof key) == 0)
      join->keeper = p->count;
    pack_add(p, &m);
  }
  p->bytes += j->text.bytes.len;
  return pack_compress(p, j->z, ck_buf_view(&j->text.bytes), false, err);
}

/* If the pack is full, the rest of the window is left for the next one. */
static int join_window(struct join *j, size_t from, size_t upto, struct ck_err *err) {
  int rc = 0;
  j->text.count = 0;
  for (size_t i = from, parts; i < upto && rc == 0; ++i) {
    bool forks = joined_forks(&j->text, &j->runs[i].is);
    if (j->runs[i].taken || (!forks && is_alone(j, i, upto))) continue;
    if (j->p->join_count && j->p->bytes >= UNIT) {
      j->p->log_upto = (int64_t)j->runs[i].window - 1;
      return 0;
    }
    rc = put_together(j, i, upto, &parts, err);
    if (rc == 0 && parts > !forks) rc = add_joined(j, i, upto, err);
  }
  return rc;
}

static int join_all(struct join *j, struct ck_err *err) {
  int64_t upto = j->p->log_upto;
  int rc = 0;
  for (size_t from = 0, to; from < j->count && rc == 0 && j->p->log_upto == upto; from = to) {
    for (to = from + 1; to < j->count && j->runs[to].window == j->runs[from].window;) ++to;
    rc = join_window(j, from, to, err);
  }
  return rc;
}

/* ---- what is not joined ---- */

static int by_block(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return x < y ? -1 : x > y;
}

/* The blocks that lose a run, or are small, each once. *n: how many. The caller frees. */
static int64_t *blocks_of(const struct join *j, size_t *n) {
  int64_t *list = ck_alloc((j->count + 1) * sizeof *list);
  size_t all = 0;
  for (size_t i = 0; i < j->count; ++i)
    if (j->runs[i].taken || j->runs[i].small) list[all++] = j->runs[i].from;
  qsort(list, all, sizeof *list, by_block);
  *n = 0;
  for (size_t i = 0; i < all; ++i)
    if (i == 0 || list[i] != list[i - 1]) list[(*n)++] = list[i];
  return list;
}

/* What else is in these blocks goes along. Of one small block there is nothing to gain. */
static int add_others(struct join *j, struct ck_err *err) {
  size_t n;
  int rc = 0;
  int64_t *blocks = blocks_of(j, &n);
  for (size_t i = 0; i < j->count && (n > 1 || j->p->join_count) && rc == 0; ++i) {
    const struct run *r = &j->runs[i];
    if (r->taken || !bsearch(&r->from, blocks, n, sizeof *blocks, by_block)) continue;
    if (j->p->bytes + r->is.bytes > MOVED_MAX) continue;
    struct pack_move m = move_of(r);
    pack_add(j->p, &m);
    rc = pack_compress_one(j->p, j->z, j->with, &m, err);
  }
  free(blocks);
  return rc;
}

static int add_all(struct join *j, struct ck_err *err) {
  j->z = ZSTD_createCCtx();
  if (!j->z) return ck_fail(err, "packing: no memory");
  ZSTD_CCtx_setParameter(j->z, ZSTD_c_compressionLevel, LEVEL);
  ZSTD_CCtx_setParameter(j->z, ZSTD_c_checksumFlag, 1);
  int rc = join_all(j, err);
  if (rc == 0) rc = add_others(j, err);
  if (rc == 0 && j->p->count) rc = pack_compress(j->p, j->z, (struct ck_str){0}, true, err);
  ZSTD_freeCCtx(j->z);
  if (rc == 0) ck_original_id(j->p->id, ck_buf_view(&j->p->data));
  return rc;
}

/* If a block is damaged, the runs stay as they are. */
int pack_join(struct pack *p, const struct pack_with *with, struct pack_logs logs,
              struct ck_err *err) {
  struct join j = {.p = p, .with = with};
  int rc = next_log(&j, logs, err);
  if (rc > 0 && gather(&j, err)) rc = -1;
  if (rc > 0 && j.count > 1 && add_all(&j, err)) {
    if (atomic_load(with->stop)) rc = 0;
    p->count = p->join_count = 0;
    ck_buf_clear(&p->data);
  }
  free(j.runs);
  joined_free(&j.text);
  ck_buf_free(&j.bytes);
  return rc;
}

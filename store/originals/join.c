/* Joins runs of a log, which is the packing thread's work, too. A log that is captured as it is
 * written comes in runs of one or a few lines; one that is read at once in runs of a window. Those
 * of one window become one original, whatever order they came in and however they overlap: it has
 * the bytes, and the id, that an import of the finished file gives it. They go into one block with
 * other runs of their log that are in small blocks.
 *
 *   window 3:  [40..44] [45..45] [40..45] [46..50]  ──►  [40..50]
 *
 * Two runs that say different things of one line are of two files that begin alike, or of one that
 * was written again: all runs of that window stay. */
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "store/originals/pack.h"

#define SMALL (192 << 10)      /* uncompressed bytes of a block that is not left as it is */
#define UNIT (1u << 20)        /* after which a pack is full */
#define WINDOW_MAX (32u << 20) /* of the runs of a window that are joined */
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
  "SELECT o.original, o.id, o.block, o.at, o.bytes, o.age, o.lines, o.window" ORIGINALS_THERE \
  " WHERE o.log = ?1 AND o.log <> 0 AND o.window <> 0 AND o.bytes <= ?3" \
  " AND (o.window IN " JOINED " OR b.bytes < ?4 OR o.block IN (SELECT block FROM originals" \
  " WHERE log = ?1 AND log <> 0 AND window IN " JOINED "))" \
  " ORDER BY o.window, o.age, o.lines DESC, o.original"

struct run {
  struct pack_move move;
  uint64_t first, lines, window;
};

/* The lines of some runs that follow one another. */
struct joined {
  struct ck_buf bytes;
  uint64_t first, lines;
  size_t from, upto; /* among the runs of the window */
};

struct join {
  struct pack *p;
  const struct pack_with *with;
  ZSTD_CCtx *z;
  struct run *runs;
  size_t count;
  int64_t upto;
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

static void add_run(struct join *j, sqlite3_stmt *s) {
  j->runs = ck_realloc(j->runs, (j->count + 1) * sizeof *j->runs);
  struct run *r = &j->runs[j->count++];
  *r = (struct run){.move = {.original = sqlite3_column_int64(s, 0),
                             .from = sqlite3_column_int64(s, 2),
                             .at = (uint64_t)sqlite3_column_int64(s, 3),
                             .bytes = (uint64_t)sqlite3_column_int64(s, 4)},
                    .first = (uint64_t)sqlite3_column_int64(s, 5),
                    .lines = (uint64_t)sqlite3_column_int64(s, 6),
                    .window = (uint64_t)sqlite3_column_int64(s, 7)};
  if (sqlite3_column_bytes(s, 1) == ORIGINAL_KEY)
    memcpy(r->move.key, sqlite3_column_blob(s, 1), ORIGINAL_KEY);
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

/* Is there anything to gain? Not if all is in one block, one run a window. */
static bool gains(const struct join *j) {
  for (size_t i = 1; i < j->count; ++i)
    if (j->runs[i].move.from != j->runs[0].move.from || j->runs[i].window == j->runs[i - 1].window)
      return true;
  return false;
}

/* ---- joining ---- */

static size_t count_lines(struct ck_str s) {
  size_t n = 0;
  for (const char *at = s.s; (at = memchr(at, '\n', s.n - (size_t)(at - s.s))); ++at) ++n;
  return n;
}

/* The bytes of the first n lines of so many that there are. */
static size_t lines_end(struct ck_str s, uint64_t n) {
  const char *at = s.s;
  for (; n; --n) at = (const char *)memchr(at, '\n', s.n - (size_t)(at - s.s)) + 1;
  return (size_t)(at - s.s);
}

static int read_run(const struct join *j, const struct run *r, struct ck_buf *bytes,
                    struct ck_err *err) {
  bool damaged;
  ck_buf_clear(bytes);
  if (atomic_load(j->with->stop)) return ck_fail(err, "the store ends");
  return unpack_read(j->with->unpack, r->move.from, r->move.at, (size_t)r->move.bytes, bytes,
                     &damaged, err);
}

/* Adds a run that begins in it, or right after it. False: it says something else. */
static bool extend(struct joined *to, const struct run *r, struct ck_str bytes) {
  uint64_t both = to->first + to->lines - r->first;
  if (both > r->lines) both = r->lines;
  struct ck_str own = ck_buf_view(&to->bytes);
  size_t at = lines_end(own, r->first - to->first), n = lines_end(bytes, both);
  if (n > own.n - at || memcmp(own.s + at, bytes.s, n) != 0) return false;
  ck_buf_add(&to->bytes, bytes.s + n, bytes.n - n);
  to->lines += r->lines - both;
  return true;
}

static void list_free(struct joined *list, size_t n) {
  for (size_t i = 0; i < n; ++i) ck_buf_free(&list[i].bytes);
  free(list);
}

/* What the runs of a window make together. *n: how many; 0: they do not fit together, or one is not
 * what is said of it. */
static int join_all(const struct join *j, size_t from, size_t upto, struct joined *list, size_t *n,
                    struct ck_err *err) {
  struct ck_buf bytes = {0};
  bool fits = true;
  int rc = 0;
  *n = 0;
  for (size_t i = from; i < upto && fits && rc == 0; ++i) {
    const struct run *r = &j->runs[i];
    if ((rc = read_run(j, r, &bytes, err))) break;
    struct ck_str text = ck_buf_view(&bytes);
    fits = r->lines && count_lines(text) == r->lines && text.s[text.n - 1] == '\n';
    struct joined *last = *n ? &list[*n - 1] : NULL;
    if (fits && last && r->first <= last->first + last->lines) {
      fits = extend(last, r, text);
      last->upto = i + 1;
    } else if (fits) {
      list[(*n)++] =
          (struct joined){.first = r->first, .lines = r->lines, .from = i, .upto = i + 1};
      ck_buf_str(&list[*n - 1].bytes, text);
    }
  }
  ck_buf_free(&bytes);
  if (fits && rc == 0) return 0;
  for (; *n; --*n) ck_buf_free(&list[*n - 1].bytes);
  return rc;
}

/* ---- into the pack ---- */

static int add_as_it_is(struct join *j, const struct run *r, struct ck_err *err) {
  pack_add(j->p, &r->move);
  return pack_compress_one(j->p, j->z, j->with, &r->move, err);
}

/* The row that is the whole already, if there is one, is kept. */
static int add_joined(struct join *j, const struct joined *of, struct ck_err *err) {
  struct pack *p = j->p;
  unsigned char key[ORIGINAL_KEY];
  if (p->join_count == p->join_room)
    p->joins = ck_realloc(p->joins, (p->join_room = p->join_room * 2 + 8) * sizeof *p->joins);
  struct pack_join *join = &p->joins[p->join_count++];
  *join = (struct pack_join){
      .keeper = p->count, .to = p->bytes, .bytes = of->bytes.len, .lines = of->lines};
  ck_original_id(join->id, ck_buf_view(&of->bytes));
  original_key(ck_str_of(join->id), key);
  for (size_t i = of->from; i < of->upto; ++i) {
    struct pack_move m = j->runs[i].move;
    m.join = p->join_count;
    m.bytes = 0; /* its bytes are those of the whole */
    if (j->runs[i].first == of->first && memcmp(m.key, key, sizeof key) == 0)
      join->keeper = p->count;
    pack_add(p, &m);
  }
  p->bytes += of->bytes.len;
  return pack_compress(p, j->z, ck_buf_view(&of->bytes), false, err);
}

static int add_window(struct join *j, size_t from, size_t upto, struct ck_err *err) {
  struct joined *list = ck_alloc((upto - from) * sizeof *list);
  uint64_t bytes = 0;
  size_t n = 0;
  int rc = 0;
  for (size_t i = from; i < upto; ++i) bytes += j->runs[i].move.bytes;
  if (upto - from > 1 && bytes <= WINDOW_MAX) rc = join_all(j, from, upto, list, &n, err);
  for (size_t i = 0; i < n && rc == 0; ++i)
    rc = list[i].upto - list[i].from == 1 ? add_as_it_is(j, &j->runs[list[i].from], err)
                                          : add_joined(j, &list[i], err);
  for (size_t i = from; i < upto && !n && rc == 0; ++i) rc = add_as_it_is(j, &j->runs[i], err);
  list_free(list, n);
  return rc;
}

static int add_all(struct join *j, struct ck_err *err) {
  int rc = 0;
  j->z = ZSTD_createCCtx();
  if (!j->z) return ck_fail(err, "packing: no memory");
  ZSTD_CCtx_setParameter(j->z, ZSTD_c_compressionLevel, LEVEL);
  ZSTD_CCtx_setParameter(j->z, ZSTD_c_checksumFlag, 1);
  for (size_t from = 0, upto; from < j->count && rc == 0; from = upto) {
    for (upto = from + 1; upto < j->count && j->runs[upto].window == j->runs[from].window;) ++upto;
    rc = add_window(j, from, upto, err);
  }
  if (rc == 0) rc = pack_compress(j->p, j->z, (struct ck_str){0}, true, err);
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
  if (rc > 0 && gains(&j) && add_all(&j, err)) {
    if (atomic_load(with->stop)) rc = 0;
    p->count = p->join_count = 0;
    ck_buf_clear(&p->data);
  }
  free(j.runs);
  return rc;
}

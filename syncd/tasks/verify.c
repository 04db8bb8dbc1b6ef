/* Comparing by digests, from coarse ranges to fine ones, and the order of the passes (verify.h). */
#include "syncd/tasks/verify.h"

#include <stdlib.h>
#include <string.h>

#include "proto/clock.h"
#include "proto/lock.h"
#include "proto/map.h"

/* The size of a range (records), and how many ranges are in one question. */
#define COARSE_ROWS 1024
#define COARSE_RANGES 64
#define FINE_ROWS 32
#define FINE_RANGES 2048
#define KEYS_BYTES (256u << 10) /* the keys of one question */
/* Closer looks are collected until there are so many records, or the table ends. */
#define REFINE_ROWS 65536
#define READ_ROWS 20000
/* How often, and for how long without progress, to wait for what is under way. */
#define ROUNDS 5
#define ROUND_MS 10000
#define LOOK_MS 50

/* ---- ranges with their digests on both sides ---- */

struct digests {
  struct ck_arena arena;
  struct sync_range *at;  /* with the mirror's digests */
  struct ck_digest *here; /* the database's digests */
  size_t n, cap, longest, bytes;
};

static void digests_add(struct digests *l, struct ck_str after, struct ck_str upto,
                        struct ck_digest here) {
  if (l->n == l->cap) {
    l->cap = l->cap ? l->cap * 2 : COARSE_RANGES;
    l->at = ck_realloc(l->at, l->cap * sizeof *l->at);
    l->here = ck_realloc(l->here, l->cap * sizeof *l->here);
  }
  l->at[l->n] = (struct sync_range){.after = ck_arena_copy(&l->arena, after),
                                    .upto = ck_arena_copy(&l->arena, upto)};
  l->here[l->n++] = here;
  l->bytes += after.n + upto.n;
}

static void digests_clear(struct digests *l) {
  ck_arena_reset(&l->arena);
  l->n = l->longest = l->bytes = 0;
}

static void digests_free(struct digests *l) {
  ck_arena_free(&l->arena);
  free(l->at);
  free(l->here);
}

/* The last range reaches to the end of what was asked for, unless there is more. */
static int decode(struct digests *l, const struct ck_ranges *a, struct ck_str after,
                  struct ck_str upto, struct ck_err *err) {
  struct ck_reader r = ck_reader_of(a->ranges);
  uint32_t n, four;
  if (ck_read_array(&r, &n)) return ck_fail(err, "the store's digests are no array");
  if (n == 0) digests_add(l, after, upto, (struct ck_digest){0});
  for (uint32_t i = 0; i < n; ++i) {
    struct ck_str key;
    struct ck_digest d;
    if (ck_read_array(&r, &four) || four != 4 || ck_read_str(&r, &key) ||
        ck_read_uint(&r, &d.count) || ck_read_int(&r, &d.sum) || ck_read_int(&r, &d.mix))
      return ck_fail(err, "the store's digests are not understood");
    digests_add(l, after, i + 1 == n && !a->more ? upto : key, d);
    after = key;
  }
  if (a->longest > l->longest) l->longest = a->longest;
  return 0;
}

/* A walk over the keys of the table: which it goes over, how far it is, and how it divides them. */
struct walk {
  struct ck_buf after;  /* everything up to this key is read; empty: nothing */
  struct ck_str upto;   /* the last key; empty: to the table's end */
  unsigned rows, limit; /* rows of a range; ranges of a request */
  bool ended;
};

/* Reads the digests of the walk's next ranges. */
static int gather(struct verify *v, struct digests *l, struct walk *w, struct ck_err *err) {
  struct ck_str after = ck_buf_view(&w->after);
  struct ck_range q = {.table = ck_str_of(ck_tables[v->table].name),
                       .after = after,
                       .upto = w->upto,
                       .rows = w->rows,
                       .limit = w->limit};
  struct ck_ranges a;
  zmq_msg_t frame;
  if (sync_task_range(v->t, &q, &a, &frame, err)) return -1;
  int rc = decode(l, &a, after, w->upto, err);
  zmq_msg_close(&frame);
  w->ended = !a.more;
  if (rc || w->ended) return rc;
  ck_buf_clear(&w->after);
  ck_buf_str(&w->after, l->at[l->n - 1].upto);
  return 0;
}

static int ask_digests(struct verify *v, struct sync_range *ranges, size_t n, size_t longest,
                       struct ck_err *err) {
  struct sync_query query = {.kind = SYNC_QUERY_DIGESTS,
                             .table = v->table,
                             .ranges = ranges,
                             .range_count = n,
                             .longest = longest};
  struct sync_answer a;
  if (n == 0) return 0;
  if (sync_task_query(v->t, &query, &a, err)) return -1;
  if (a.class == SYNC_DONE) return 0;
  if (a.class != SYNC_SPLIT || n == 1) return sync_task_refused(&a, err);
  size_t half = n / 2;
  return ask_digests(v, ranges, half, longest, err) ||
                 ask_digests(v, ranges + half, n - half, longest, err)
             ? -1
             : 0;
}

static void look_closer(struct verify *v, const struct digests *l, size_t i, bool coarse) {
  const struct sync_range *r = &l->at[i];
  bool finely = coarse && r->digest.count && l->here[i].count > FINE_ROWS;
  verify_range_add(finely ? &v->to_refine : &v->to_read, r->after, r->upto,
                   l->here[i].count + r->digest.count, l->longest);
}

static int read_rows_if_due(struct verify *v, bool all, struct ck_err *err) {
  if (!v->to_read.n || (!all && v->to_read.rows < READ_ROWS && v->to_read.bytes < KEYS_BYTES))
    return 0;
  int rc = verify_compare_rows(v, &v->to_read, err);
  verify_ranges_clear(&v->to_read);
  return rc;
}

/* Asks the mirror for its digests, and notes ranges that differ for a closer look. */
static int compare(struct verify *v, struct digests *l, bool coarse, struct ck_err *err) {
  if (ask_digests(v, l->at, l->n, l->longest, err)) return -1;
  for (size_t i = 0; i < l->n; ++i) {
    if (coarse) v->records += l->here[i].count;
    if (!ck_digest_eq(&l->here[i], &l->at[i].digest)) look_closer(v, l, i, coarse);
  }
  digests_clear(l);
  return read_rows_if_due(v, false, err);
}

/* ---- a table ---- */

static int refine_one(struct verify *v, struct digests *l, const struct verify_range *s,
                      struct ck_err *err) {
  struct walk w = {.upto = s->upto, .rows = FINE_ROWS, .limit = FINE_RANGES};
  int rc = 0;
  ck_buf_str(&w.after, s->after);
  while (!w.ended && rc == 0) {
    rc = gather(v, l, &w, err);
    if (rc == 0 && (l->n >= FINE_RANGES || l->bytes >= KEYS_BYTES)) rc = compare(v, l, false, err);
  }
  ck_buf_free(&w.after);
  return rc;
}

static int refine(struct verify *v, bool all, struct ck_err *err) {
  struct digests l = {.n = 0};
  int rc = 0;
  if (!v->to_refine.n || (!all && v->to_refine.rows < REFINE_ROWS)) return 0;
  for (size_t i = 0; i < v->to_refine.n && rc == 0; ++i)
    rc = refine_one(v, &l, &v->to_refine.at[i], err);
  if (rc == 0) rc = compare(v, &l, false, err);
  verify_ranges_clear(&v->to_refine);
  digests_free(&l);
  return rc;
}

static void tell_progress(struct verify *v) {
  v->done = v->records;
  sync_task_progress(v->t, v->done, v->total);
}

static int look_at_table(struct verify *v, struct ck_err *err) {
  struct digests l = {.n = 0};
  struct walk w = {.rows = COARSE_ROWS, .limit = COARSE_RANGES};
  int rc = 0;
  while (!w.ended && rc == 0) {
    rc = gather(v, &l, &w, err);
    if (rc == 0) rc = compare(v, &l, true, err);
    if (rc == 0) rc = refine(v, false, err);
    if (rc == 0) tell_progress(v);
  }
  if (rc == 0) rc = refine(v, true, err);
  if (rc == 0) rc = read_rows_if_due(v, true, err);
  ck_buf_free(&w.after);
  digests_free(&l);
  return rc;
}

/* ---- what was under way ---- */

/* Any answer of the store says the cursor; this is the cheapest. */
static int read_cursor(struct verify *v, struct ck_err *err) {
  struct ck_range q = {.table = CK_LIT("messages"), .rows = 1, .limit = 1};
  struct ck_ranges a;
  zmq_msg_t frame;
  if (sync_task_range(v->t, &q, &a, &frame, err)) return -1;
  zmq_msg_close(&frame);
  return 0;
}

/* Waits until the cursor has reached v->needed, or has not moved for ROUND_MS. */
static int await_cursor(struct verify *v, struct ck_err *err) {
  uint64_t seen = v->t->cursor;
  for (int64_t moved = ck_boot_ms(); v->t->cursor < v->needed && ck_boot_ms() - moved < ROUND_MS;) {
    sync_task_pause(LOOK_MS);
    if (read_cursor(v, err)) return -1;
    if (v->t->cursor > seen) moved = ck_boot_ms();
    seen = v->t->cursor;
  }
  return 0;
}

static bool any(const struct verify_ranges ranges[CK_TABLES]) {
  for (int t = 0; t < CK_TABLES; ++t)
    if (ranges[t].n) return true;
  return false;
}

static int look_again(struct verify *v, struct ck_err *err) {
  int rc = 0;
  v->under_way = 0;
  v->needed = 0;
  for (int t = 0; t < CK_TABLES && rc == 0; ++t) {
    struct verify_ranges ranges = v->again[t];
    v->again[t] = (struct verify_ranges){0};
    v->table = (enum ck_table)t;
    if (ranges.n) rc = verify_compare_rows(v, &ranges, err);
    verify_ranges_free(&ranges);
  }
  return rc;
}

static int settle(struct verify *v, struct ck_err *err) {
  for (int round = 0; round < ROUNDS && v->mirrored && any(v->again); ++round) {
    if (await_cursor(v, err)) return -1;
    if (v->t->cursor < v->needed) return 0; /* no worker is mirroring it */
    if (look_again(v, err)) return -1;
  }
  return 0;
}

/* Repaired rows must be right now, or under way. */
static int look_at_repaired(struct verify *v, struct ck_err *err) {
  int rc = 0;
  v->last = true;
  for (int t = 0; t < CK_TABLES && rc == 0; ++t) {
    v->table = (enum ck_table)t;
    if (v->repaired[t].n) rc = verify_compare_rows(v, &v->repaired[t], err);
    if (rc == 0 && v->deep && v->repaired[t].n) rc = verify_deep_again(v, &v->repaired[t], err);
  }
  return rc ? rc : settle(v, err);
}

/* ---- all ---- */

static int read_status(struct verify *v, struct ck_err *err) {
  struct ck_message request = {.kind = CK_MSG_STATUS}, answer;
  struct ck_reader records, sync, mirror;
  zmq_msg_t frame;
  if (sync_task_store(v->t, &request, &answer, &frame, err)) return -1;
  struct ck_str info = answer.kind == CK_MSG_INFO ? answer.as.info.info : (struct ck_str){0};
  if (ck_map_find(info, "records", &records))
    for (int t = 0; t < CK_TABLES; ++t)
      v->total += ck_map_uint(ck_reader_rest(records), ck_tables[t].name, 0);
  v->mirrored = ck_map_find(info, "sync", &sync) &&
                ck_map_find(ck_reader_rest(sync), v->t->sink->name, &mirror) &&
                ck_map_uint(ck_reader_rest(mirror), "workers", 0) > 0;
  zmq_msg_close(&frame);
  return 0;
}

static void note_table(void *self, const struct ck_str *cells, size_t n) {
  struct verify *v = self;
  enum ck_table t = n == 2 ? ck_table_named(cells[0]) : CK_TABLES;
  if (t < CK_TABLES && ck_str_is(cells[1], "0")) v->old[t] = true;
}

/* Finds the tables that the predecessor made: those of convkeep are STRICT. */
static int read_old(struct verify *v, struct ck_err *err) {
  static const char sql[] = "SELECT name, CAST(strict AS TEXT) AS strict FROM pragma_table_list";
  struct sync_query query = {.kind = SYNC_QUERY_SQL, .sql = sql, .row = note_table, .self = v};
  struct sync_answer a;
  if (v->t->sink->own_schema || v->t->sink->dialect != CK_MIRROR_SQLITE) return 0;
  if (sync_task_query(v->t, &query, &a, err)) return -1;
  return a.class == SYNC_DONE ? 0 : sync_task_refused(&a, err);
}

/* What was forgotten comes first: what the mirror says is gone, and is not, would keep a record
 * away that it lacks. */
static int look_at_all(struct verify *v, struct ck_err *err) {
  if (v->repair && sync_task_witness(v->t, err)) return -1;
  int rc = read_status(v, err) || read_old(v, err) || verify_read_dead_letters(v, err) ? -1 : 0;
  for (int i = 0; i < CK_TABLES && rc == 0; ++i) {
    v->table = (enum ck_table)((i + CK_FORGOTTEN) % CK_TABLES);
    rc = look_at_table(v, err);
    if (rc == 0 && v->repair && v->table == CK_FORGOTTEN) rc = verify_delete(v, err);
  }
  if (rc == 0) rc = settle(v, err);
  if (rc == 0 && v->deep) rc = verify_deep(v, err);
  if (rc == 0 && v->repair) rc = verify_delete(v, err);
  if (rc == 0 && v->repair) rc = look_at_repaired(v, err);
  return rc;
}

static uint64_t wrong(const struct verify *v) {
  uint64_t n = 0;
  for (int h = 0; h < VERIFY_HOWS; ++h) n += v->found[h];
  return n;
}

static void say_result(struct verify *v, int64_t began) {
  const struct {
    const char *name;
    uint64_t n;
  } counts[] = {{"records", v->records},
                {"missing", v->found[VERIFY_MISSING]},
                {"other", v->found[VERIFY_OTHER]},
                {"extra", v->found[VERIFY_EXTRA]},
                {"different", v->found[VERIFY_DIFFERENT]},
                {"under_way", v->under_way},
                {"dead_letters", v->dead_letters},
                {"kept", v->kept},
                {"written", v->written},
                {"left", v->left},
                {"requests", v->t->requests},
                {"ms", (uint64_t)(ck_boot_ms() - began)}};
  struct ck_buf *line = sync_task_line(v->t);
  ck_buf_text(line, "{\"result\":{\"sink\":");
  sync_task_text(line, ck_str_of(v->t->sink->name));
  for (size_t i = 0; i < sizeof counts / sizeof *counts; ++i)
    ck_buf_printf(line, ",\"%s\":%llu", counts[i].name, (unsigned long long)counts[i].n);
  ck_buf_text(line, "}}");
  sync_task_say(v->t);
}

/* One of a kind goes on at a time in a sink: the place of a deep one is noted in one file, and a
 * second one of the others only costs. */
static int lock(struct ck_lock *l, const char *sink, bool deep, struct ck_err *err) {
  char *path = ck_sprintf("run/sync-%s-%s.lock", deep ? "deep" : "verify", sink);
  int rc = ck_lock_file(l, path, err);
  free(path);
  return rc > 0 ? ck_fail(err, "another comparison%s is under way", deep ? " of every column" : "")
                : rc;
}

static int tell_checked(const struct verify *v, struct ck_err *err) {
  static const char *const words[2][2] = {{"verify", "verify deep"}, {"repair", CK_TASK_REPAIR}};
  struct ck_checked c = {ck_str_of(v->t->sink->name), ck_str_of(words[v->repair][v->deep]),
                         v->records, v->repair ? v->left : wrong(v),
                         v->under_way + v->dead_letters + v->kept};
  return sync_task_checked(v->t, &c, err);
}

int sync_verify(struct sync_task *t, bool deep, bool repair, struct ck_err *err) {
  struct verify *v = ck_zalloc(sizeof *v);
  int64_t began = ck_boot_ms();
  v->t = t;
  v->deep = deep;
  v->repair = repair;
  struct ck_lock held = {.fd = -1};
  int rc = lock(&held, t->sink->name, deep, err);
  if (rc == 0) rc = look_at_all(v, err);
  if (rc == 0) rc = tell_checked(v, err);
  if (rc == 0) say_result(v, began);
  ck_lock_end(&held);
  if (rc == 0) rc = (repair ? v->left : wrong(v)) > 0;
  for (int i = 0; i < CK_TABLES; ++i) {
    verify_ranges_free(&v->again[i]);
    verify_ranges_free(&v->repaired[i]);
  }
  verify_ranges_free(&v->to_refine);
  verify_ranges_free(&v->to_read);
  verify_rows_free(&v->dead);
  verify_rows_free(&v->extra);
  free(v);
  return rc;
}

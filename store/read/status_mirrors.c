/* What STATUS says of the mirrors: how far each is, what its workers report, and its alarm. */
#include <stdlib.h>
#include <string.h>

#include "proto/calendar.h"
#include "proto/clock.h"
#include "store/mirror/mirrors.h"
#include "store/read/status_internal.h"

/* The mirror is behind, and no batch has ended for this long. */
#define STALL_MS 5000
/* The mirror is behind, and no batch has moved the cursor for this long, though others end. */
#define STUCK_MS 10000

#define COUNTED_MAX 10000 /* the most records of a table that are counted one by one */

/* ---- what a mirror's workers say ---- */

struct gathered {
  const char *sink;
  unsigned workers;
  struct ck_buf error;
  bool stopped;           /* a worker waits for a person */
  bool paused[CK_TABLES]; /* a worker has paused this table until a person acts */
  int64_t left;           /* requests that the sink says it still accepts; -1: it does not say */
  int64_t held_until;     /* 0: no worker has been told to wait */
  struct ck_buf hold_class, hold_reason; /* of the worker that waits longest */
};

static void gather_paused(struct gathered *g, struct ck_reader r) {
  struct ck_str name;
  uint32_t n;
  if (ck_read_array(&r, &n)) return;
  for (uint32_t i = 0; i < n && ck_read_str(&r, &name) == 0; ++i) {
    enum ck_table t = ck_table_named(name);
    if (t < CK_TABLES) g->paused[t] = true;
  }
}

static void gather_hold(struct gathered *g, struct ck_str hold) {
  int64_t until = ck_map_int(hold, "until", 0);
  if (until <= ck_now_ms() || until <= g->held_until) return;
  g->held_until = until;
  ck_buf_clear(&g->hold_class);
  ck_buf_clear(&g->hold_reason);
  ck_buf_str(&g->hold_class, ck_map_str(hold, "class"));
  ck_buf_str(&g->hold_reason, ck_map_str(hold, "reason"));
}

static void gather_worker(void *self, const struct report_view *v) {
  struct gathered *g = self;
  struct ck_reader r;
  struct ck_str error = ck_map_str(v->info, "last_error");
  int64_t left = ck_map_int(v->info, "left", INT64_MAX);
  if (!ck_str_is(v->name, "syncd") || !ck_str_is(ck_map_str(v->info, "sink"), g->sink)) return;
  ++g->workers;
  if (ck_map_find(v->info, "paused", &r)) gather_paused(g, r);
  if (ck_map_find(v->info, "hold", &r)) gather_hold(g, ck_reader_rest(r));
  g->stopped |= ck_str_is(ck_map_str(v->info, "state"), "stopped");
  if (left != INT64_MAX && (g->left < 0 || left < g->left)) g->left = left;
  if (error.n == 0) return;
  ck_buf_clear(&g->error);
  ck_buf_str(&g->error, error);
}

/* ---- the parts ---- */

/* How many records are newer than the mirror's cursor. The difference of the versions would be
 * cheaper, but versions have gaps: a record that changed ten times is sent once, and a restore
 * raises the head. Exact if no table has COUNTED_MAX such records; otherwise an upper bound: the
 * number of all records or that difference, whichever is smaller. */
static int count_pending(sqlite3 *db, uint64_t head, uint64_t cursor, uint64_t *pending,
                         struct ck_err *err) {
  bool few = true;
  uint64_t all = 0;
  *pending = 0;
  for (int t = 0; t < CK_TABLES && head > cursor; ++t) {
    char *sql = ck_sprintf("SELECT count(*) FROM (SELECT 1 FROM %s WHERE version > %llu LIMIT %d)",
                           ck_tables[t].name, (unsigned long long)cursor, COUNTED_MAX);
    char *sum = ck_sprintf("SELECT %s FROM store", ck_tables[t].name);
    int64_t newer = 0, stored = 0;
    int rc = db_int(db, sql, 0, &newer, err) || db_int(db, sum, 0, &stored, err) ? -1 : 0;
    free(sql);
    free(sum);
    if (rc) return -1;
    few &= newer < COUNTED_MAX;
    *pending += (uint64_t)newer;
    all += (uint64_t)stored;
  }
  if (!few) *pending = all < head - cursor ? all : head - cursor;
  return 0;
}

static void put_rate(struct ck_map *m, struct meter *meter, const struct gathered *g) {
  struct meter_view v;
  meter_read(meter, ck_boot_ms(), &v);
  struct ck_map rate = ck_pair_map(m, "rate");
  ck_pair_uint(&rate, "limit", v.rate);
  ck_pair_uint(&rate, "used", v.used);
  ck_pair_uint(&rate, "left", v.left);
  ck_pair_uint(&rate, "held_ms", (uint64_t)v.pause);
  if (g->left < 0)
    ck_pair_nil(&rate, "sink_left");
  else
    ck_pair_int(&rate, "sink_left", g->left);
  ck_map_close(&rate);
}

/* Why nothing is sent for a while, and until when. The meter obeys what a task was told, too; of
 * that only the end is known. */
static void put_hold(struct ck_map *m, struct meter *meter, const struct gathered *g) {
  struct meter_view v;
  meter_read(meter, ck_boot_ms(), &v);
  if (!g->held_until && !v.pause) {
    ck_pair_nil(m, "hold");
    return;
  }
  struct ck_map hold = ck_pair_map(m, "hold");
  if (g->held_until)
    ck_pair_str(&hold, "class", ck_buf_view(&g->hold_class));
  else
    ck_pair_text(&hold, "class", "wait");
  if (g->held_until)
    ck_pair_str(&hold, "reason", ck_buf_view(&g->hold_reason));
  else
    ck_pair_nil(&hold, "reason");
  ck_pair_int(&hold, "until", g->held_until ? g->held_until : ck_now_ms() + v.pause);
  ck_map_close(&hold);
}

static int put_today(struct ck_map *m, sqlite3 *db, const char *sink, struct ck_err *err) {
  static const char *const columns[] = {"requests", "rows", "written"};
  struct ck_map today = ck_pair_map(m, "today");
  for (int i = 0; i < 3; ++i) {
    /* A D1 mirror is recorded as sink:database. */
    char *sql = ck_sprintf("SELECT coalesce(sum(%s), 0) FROM spent"
                           " WHERE day = %lld AND (sink = '%s' OR sink LIKE '%s:%%')",
                           columns[i], (long long)(ck_now_ms() / CK_DAY_MS), sink, sink);
    int rc = status_query(&today, db, columns[i], sql, err);
    free(sql);
    if (rc) return -1;
  }
  ck_map_close(&today);
  return 0;
}

static void put_paused(struct ck_map *m, const struct gathered *g) {
  uint32_t n = 0;
  ck_pair_name(m, "paused");
  size_t open = ck_open_array(m->b);
  for (int t = 0; t < CK_TABLES; ++t) {
    if (!g->paused[t]) continue;
    ck_put_text(m->b, ck_tables[t].name);
    ++n;
  }
  ck_close_array(m->b, open, n);
}

/* Why the mirror makes no progress, as a word that a program can act on; NULL: it does. */
static const char *alarm_of(const struct gathered *g, int64_t behind, struct lag *lag,
                            int64_t now) {
  for (int t = 0; t < CK_TABLES; ++t)
    if (g->paused[t]) return "table";
  if (g->stopped) return "stopped";
  if (behind >= STALL_MS && lag_since_ended(lag, now) >= STALL_MS)
    return g->workers ? "stalled" : "no_worker";
  return behind >= STUCK_MS && lag_since_moved(lag, now) >= STUCK_MS ? "stuck" : NULL;
}

/* Its witness: whether it fits this store (fit.h), and what a task needs to write. The alarm is a
 * word and a sentence; *word: the word, on the heap, NULL if there is none. */
static int put_witness(struct ck_map *m, sqlite3 *db, const struct context *context,
                       const struct mirror *mirror, char **word, struct ck_err *err) {
  static const char *const states[] = {"unknown", "fits", "alarm"};
  struct fit_view fit;
  sqlite3_stmt *s = db_prepare(db, "SELECT alarm FROM sinks WHERE name = ?1", err);
  if (!s) return -1;
  db_bind_str(s, 1, ck_str_of(mirror->name));
  struct ck_str alarm = sqlite3_step(s) == SQLITE_ROW ? db_str(s, 0) : (struct ck_str){0};
  const char *colon = alarm.n ? memchr(alarm.s, ':', alarm.n) : NULL;
  const struct mirror *by = mirrors_set_back(context->mirrors);
  bool held = by && by != mirror && !colon;
  fit_read(mirror->fit, &fit);
  struct ck_map witness = ck_pair_map(m, "witness");
  ck_pair_text(&witness, "state", held ? "held" : states[fit.state]);
  ck_pair_text(&witness, "run", fit_run(mirror->fit));
  ck_pair_text(&witness, "before", fit.before);
  ck_pair_uint(&witness, "least", fit.least);
  if (colon) {
    ck_pair_str(&witness, "reason",
                (struct ck_str){colon + 2, (size_t)(alarm.s + alarm.n - colon - 2)});
    *word = ck_str_dup((struct ck_str){alarm.s, (size_t)(colon - alarm.s)});
  } else if (held) {
    struct ck_err why;
    ck_fail(&why, "the database was set back, as the mirror in %s shows", by->sink);
    ck_pair_text(&witness, "reason", why.text);
    *word = ck_strdup("held");
  } else {
    ck_pair_nil(&witness, "reason");
  }
  ck_map_close(&witness);
  sqlite3_finalize(s);
  return 0;
}

/* How the last comparison ended, and whether one is wanted. */
static int put_check(struct ck_map *m, sqlite3 *db, const struct mirror *mirror,
                     struct ck_err *err) {
  sqlite3_stmt *s = db_prepare(db,
                               "SELECT c.task, c.at, c.records, c.wrong, c.skipped, s.unproven"
                               " FROM sinks s JOIN checks c ON c.sink = s.name WHERE s.name = ?1",
                               err);
  if (!s) return -1;
  db_bind_str(s, 1, ck_str_of(mirror->name));
  bool known = sqlite3_step(s) == SQLITE_ROW;
  ck_pair_bool(m, "unproven", known && sqlite3_column_int(s, 5));
  if (known && db_str(s, 0).n) {
    struct ck_map check = ck_pair_map(m, "check");
    ck_pair_str(&check, "task", db_str(s, 0));
    ck_pair_int(&check, "at", sqlite3_column_int64(s, 1));
    ck_pair_int(&check, "records", sqlite3_column_int64(s, 2));
    ck_pair_int(&check, "wrong", sqlite3_column_int64(s, 3));
    ck_pair_int(&check, "skipped", sqlite3_column_int64(s, 4));
    ck_map_close(&check);
  } else {
    ck_pair_nil(m, "check");
  }
  sqlite3_finalize(s);
  return 0;
}

static int put_dead_letters(struct ck_map *m, sqlite3 *db, const struct mirror *mirror,
                            struct ck_err *err) {
  sqlite3_stmt *s = db_prepare(db, "SELECT count(*) FROM dead_letters WHERE sink = ?1", err);
  if (!s) return -1;
  db_bind_str(s, 1, ck_str_of(mirror->name));
  int rc = sqlite3_step(s) == SQLITE_ROW ? 0 : db_fail(db, "dead_letters", err);
  if (rc == 0) ck_pair_int(m, "dead_letters", sqlite3_column_int64(s, 0));
  sqlite3_finalize(s);
  return rc;
}

/* ---- one mirror ---- */

/* How far it is. */
struct far {
  uint64_t cursor, pending;
  int64_t behind; /* milliseconds */
};

static int look(sqlite3 *db, const struct context *context, const struct mirror *mirror,
                struct far *far, struct ck_err *err) {
  far->cursor = leases_cursor(mirror->leases);
  far->behind = lag_behind(mirror->lag, far->cursor, ck_boot_ms());
  return count_pending(db, atomic_load(&context->head), far->cursor, &far->pending, err);
}

static void put_far(struct ck_map *m, const struct mirror *mirror, const struct far *far) {
  size_t in_flight;
  leases_next(mirror->leases, &in_flight);
  ck_pair_uint(m, "cursor", far->cursor);
  ck_pair_uint(m, "pending", far->pending);
  ck_pair_uint(m, "behind_ms", far->pending ? (uint64_t)far->behind : 0);
  ck_pair_uint(m, "in_flight", in_flight);
  ck_pair_uint(m, "backlog", leases_backlog_left(mirror->leases));
}

static int put_mirror(struct ck_map *sync, sqlite3 *db, const struct context *context,
                      const struct mirror *mirror, const struct gathered *g, struct ck_err *err) {
  struct far far;
  char *word = NULL;
  if (look(db, context, mirror, &far, err)) return -1;
  struct ck_map m = ck_pair_map(sync, mirror->sink);
  put_far(&m, mirror, &far);
  ck_pair_uint(&m, "workers", g->workers);
  put_rate(&m, mirror->meter, g);
  put_paused(&m, g);
  put_hold(&m, mirror->meter, g);
  if (put_witness(&m, db, context, mirror, &word, err)) return -1;
  const char *alarm = word          ? word
                      : far.pending ? alarm_of(g, far.behind, mirror->lag, ck_boot_ms())
                                    : NULL;
  ck_pair_text_or_nil(&m, "alarm", alarm);
  free(word);
  if (g->error.len)
    ck_pair_str(&m, "last_error", ck_buf_view(&g->error));
  else
    ck_pair_nil(&m, "last_error");
  if (put_check(&m, db, mirror, err) || put_today(&m, db, mirror->sink, err) ||
      put_dead_letters(&m, db, mirror, err))
    return -1;
  ck_map_close(&m);
  return 0;
}

/* ---- all ---- */

static bool is_used(const struct mirrors *mirrors, struct ck_str name) {
  for (size_t i = 0; i < mirrors->n; ++i)
    if (ck_str_is(name, mirrors->at[i].name)) return true;
  return false;
}

/* Mirrors that were filled once, and that sync.sinks does not name: how far each is. */
static int put_unused(struct ck_map *m, sqlite3 *db, const struct mirrors *mirrors,
                      struct ck_err *err) {
  sqlite3_stmt *s = db_prepare(db, "SELECT name, cursor FROM sinks ORDER BY name", err);
  if (!s) return -1;
  uint32_t n = 0;
  ck_pair_name(m, "sync_unused");
  size_t open = ck_open_array(m->b);
  while (sqlite3_step(s) == SQLITE_ROW) {
    if (is_used(mirrors, db_str(s, 0))) continue;
    struct ck_map one = ck_map_open(m->b);
    ck_pair_str(&one, "mirror", db_str(s, 0));
    ck_pair_int(&one, "cursor", sqlite3_column_int64(s, 1));
    ck_map_close(&one);
    ++n;
  }
  ck_close_array(m->b, open, n);
  sqlite3_finalize(s);
  return 0;
}

int status_mirrors(struct ck_map *m, sqlite3 *db, const struct context *context,
                   struct reports *reports, struct ck_err *err) {
  int rc = 0;
  struct ck_map sync = ck_pair_map(m, "sync");
  for (size_t i = 0; i < context->mirrors->n && rc == 0; ++i) {
    const struct mirror *mirror = &context->mirrors->at[i];
    struct gathered g = {.sink = mirror->sink, .left = -1};
    reports_each(reports, gather_worker, &g);
    rc = put_mirror(&sync, db, context, mirror, &g, err);
    ck_buf_free(&g.error);
    ck_buf_free(&g.hold_class);
    ck_buf_free(&g.hold_reason);
  }
  ck_map_close(&sync);
  return rc ? rc : put_unused(m, db, context->mirrors, err);
}

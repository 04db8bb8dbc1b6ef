/* The map of `status`, one put_… function per part of it. */
#include "store/read/status.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/map.h"
#include "proto/daemon.h"
#include "proto/hostname.h"
#include "store/mirror/fit.h"
#include "store/mirror/meter.h"
#include "store/mirror/lag.h"
#include "store/database/wal_guard.h"

/* The mirror is behind, and no batch has ended for this long. */
#define STALL_MS 5000
/* The mirror is behind, and no batch has moved the cursor for this long, though others end. */
#define STUCK_MS 10000
#define DAY_MS 86400000

#define COUNTED_MAX 10000 /* the most records of a table that are counted one by one */

static int put_query(struct ck_map *m, sqlite3 *db, const char *name, const char *sql,
                     struct ck_err *err) {
  int64_t v;
  if (db_int(db, sql, INT64_MIN, &v, err)) return -1;
  if (v == INT64_MIN)
    ck_pair_nil(m, name);
  else
    ck_pair_int(m, name, v);
  return 0;
}

static int put_records(struct ck_map *m, sqlite3 *db, struct ck_err *err) {
  struct ck_map records = ck_pair_map(m, "records");
  for (int t = 0; t < CK_TABLES; ++t) {
    char *sql = ck_sprintf("SELECT %s FROM store", ck_tables[t].name);
    int rc = put_query(&records, db, ck_tables[t].name, sql, err);
    free(sql);
    if (rc) return -1;
  }
  ck_map_close(&records);
  return 0;
}

static int put_producers(struct ck_map *m, sqlite3 *db, struct ck_err *err) {
  sqlite3_stmt *s = db_prepare(db, "SELECT id, applied, refused FROM producers ORDER BY id", err);
  if (!s) return -1;
  ck_pair_name(m, "producers");
  size_t open = ck_open_array(m->b);
  uint32_t n = 0;
  for (; sqlite3_step(s) == SQLITE_ROW; ++n) {
    struct ck_map one = ck_map_open(m->b);
    ck_pair_str(&one, "id", db_str(s, 0));
    ck_pair_uint(&one, "applied", (uint64_t)sqlite3_column_int64(s, 1));
    ck_pair_uint(&one, "refused", (uint64_t)sqlite3_column_int64(s, 2));
    ck_map_close(&one);
  }
  ck_close_array(m->b, open, n);
  sqlite3_finalize(s);
  return 0;
}

/* How many milliseconds overdue the earliest pending job is; 0: none is overdue. */
static int put_lateness(struct ck_map *m, sqlite3 *db, struct ck_err *err) {
  int64_t due, late, now = ck_now_ms();
  if (db_int(db, "SELECT min(next_attempt_at) FROM renewal_jobs WHERE status = 'pending'", now,
             &due, err))
    return -1;
  /* A record's time may be any integer. */
  if (__builtin_sub_overflow(now, due, &late)) late = INT64_MAX;
  ck_pair_uint(m, "lateness", due < now ? (uint64_t)late : 0);
  return 0;
}

#define SUPERSEDED \
  "SELECT count(*) FROM renewal_jobs WHERE status = 'failed'" \
  " AND last_error GLOB '" CK_SUPERSEDED "*'"

/* `running` excludes attempts whose outcome is unknown: those wait for a person. `failed` excludes
 * jobs that nobody wanted any more. */
static int put_jobs(struct ck_map *m, sqlite3 *db, struct ck_err *err) {
  static const char *const counts[][2] = {
      {"pending", "SELECT count(*) FROM renewal_jobs WHERE status = 'pending'"},
      {"running", "SELECT (SELECT count(*) FROM renewal_jobs WHERE status = 'running')"
                  " - (SELECT count(*) FROM leases WHERE state = 'unknown')"},
      {"done", "SELECT count(*) FROM renewal_jobs WHERE status = 'done'"},
      {"failed", "SELECT (SELECT count(*) FROM renewal_jobs WHERE status = 'failed')"
                 " - (" SUPERSEDED ")"},
      {"superseded", SUPERSEDED},
      {"unknown", "SELECT count(*) FROM leases WHERE state = 'unknown'"},
      {"next_due_at", "SELECT min(next_attempt_at) FROM renewal_jobs WHERE status = 'pending'"},
  };
  struct ck_map jobs = ck_pair_map(m, "jobs");
  for (size_t i = 0; i < sizeof counts / sizeof *counts; ++i)
    if (put_query(&jobs, db, counts[i][0], counts[i][1], err)) return -1;
  if (put_lateness(&jobs, db, err)) return -1;
  ck_map_close(&jobs);
  return 0;
}

/* ---- what the daemons say ---- */

struct gathered {
  struct ck_buf *out;
  uint32_t daemons;
  uint64_t spool;
  struct ck_buf sync_error;
  bool stopped;           /* a sync worker waits for a person */
  bool paused[CK_TABLES]; /* a sync worker has paused this table until a person acts */
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

static void gather_worker(struct gathered *g, const struct report_view *v) {
  struct ck_reader r;
  struct ck_str error = ck_map_str(v->info, "last_error");
  int64_t left = ck_map_int(v->info, "left", INT64_MAX);
  if (ck_map_find(v->info, "paused", &r)) gather_paused(g, r);
  if (ck_map_find(v->info, "hold", &r)) gather_hold(g, ck_reader_rest(r));
  g->stopped |= ck_str_is(ck_map_str(v->info, "state"), "stopped");
  if (left != INT64_MAX && (g->left < 0 || left < g->left)) g->left = left;
  if (error.n == 0) return;
  ck_buf_clear(&g->sync_error);
  ck_buf_str(&g->sync_error, error);
}

static void gather(void *self, const struct report_view *v) {
  struct gathered *g = self;
  if (ck_str_is(v->name, "ingest")) g->spool += ck_map_uint(v->info, "spool_pending", 0);
  if (ck_str_is(v->name, "syncd")) gather_worker(g, v);
}

static void put_daemon(struct ck_buf *b, const struct report_view *v) {
  struct ck_map m = ck_map_open(b);
  ck_pair_str(&m, "name", v->name);
  ck_pair_str(&m, "id", v->id);
  ck_pair_str(&m, "host", v->host);
  ck_pair_int(&m, "pid", v->pid);
  ck_pair_int(&m, "up_since", v->up_since);
  ck_pair_int(&m, "seen_at", v->seen_at);
  ck_pair_name(&m, "info");
  if (v->info.n)
    ck_put_raw(b, v->info);
  else
    ck_put_map(b, 0);
  ck_map_close(&m);
}

static void list_daemon(void *self, const struct report_view *v) {
  struct gathered *g = self;
  put_daemon(g->out, v);
  ++g->daemons;
}

/* The store's own trouble, in the form of the other daemons' reports. */
static void put_own_info(struct ck_buf *info, struct context *context) {
  struct trouble t = context_newest_trouble(context);
  struct ck_map m = ck_map_open(info);
  ck_pair_text(&m, "last_error", t.reason.text);
  ck_pair_int(&m, "last_error_at", t.at);
  ck_map_close(&m);
}

static void put_daemons(struct ck_map *m, struct context *context, struct reports *reports) {
  struct gathered g = {.out = m->b};
  struct ck_buf info = {0};
  ck_pair_name(m, "daemons");
  size_t open = ck_open_array(m->b);
  put_own_info(&info, context);
  struct report_view me = {CK_LIT("store"),    CK_LIT("store"), ck_str_of(ck_hostname()),
                           ck_buf_view(&info), getpid(),        ck_up_since(),
                           ck_now_ms()};
  put_daemon(m->b, &me);
  reports_each(reports, list_daemon, &g);
  ck_close_array(m->b, open, g.daemons + 1);
  ck_buf_free(&info);
}

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
                           columns[i], (long long)(ck_now_ms() / DAY_MS), sink, sink);
    int rc = put_query(&today, db, columns[i], sql, err);
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
static const char *alarm_of(const struct gathered *g, unsigned workers, int64_t behind,
                            struct lag *lag, int64_t now) {
  for (int t = 0; t < CK_TABLES; ++t)
    if (g->paused[t]) return "table";
  if (g->stopped) return "stopped";
  if (behind >= STALL_MS && lag_since_ended(lag, now) >= STALL_MS)
    return workers ? "stalled" : "no_worker";
  return behind >= STUCK_MS && lag_since_moved(lag, now) >= STUCK_MS ? "stuck" : NULL;
}

/* The mirror's witness: whether it fits this store (fit.h), and what a task needs to write. The
 * alarm is a word and a sentence; *word: the word, on the heap, NULL if there is none. */
static int put_witness(struct ck_map *m, sqlite3 *db, const struct context *context, char **word,
                       struct ck_err *err) {
  static const char *const states[] = {"unknown", "fits", "alarm"};
  struct fit_view fit;
  char *mirror = ck_settings_mirror(context->settings);
  sqlite3_stmt *s = db_prepare(db, "SELECT alarm FROM sinks WHERE name = ?1", err);
  if (s) db_bind_str(s, 1, ck_str_of(mirror));
  struct ck_str alarm = s && sqlite3_step(s) == SQLITE_ROW ? db_str(s, 0) : (struct ck_str){0};
  const char *colon = alarm.n ? memchr(alarm.s, ':', alarm.n) : NULL;
  fit_read(context->fit, &fit);
  struct ck_map witness = ck_pair_map(m, "witness");
  ck_pair_text(&witness, "state", states[fit.state]);
  ck_pair_text(&witness, "run", fit_run(context->fit));
  ck_pair_text(&witness, "before", fit.before);
  ck_pair_uint(&witness, "least", fit.least);
  if (colon)
    ck_pair_str(&witness, "reason",
                (struct ck_str){colon + 2, (size_t)(alarm.s + alarm.n - colon - 2)});
  else
    ck_pair_nil(&witness, "reason");
  ck_map_close(&witness);
  if (colon) *word = ck_str_dup((struct ck_str){alarm.s, (size_t)(colon - alarm.s)});
  sqlite3_finalize(s);
  free(mirror);
  return s ? 0 : -1;
}

/* How the last comparison ended, and whether one is wanted. */
static int put_check(struct ck_map *m, sqlite3 *db, const struct context *context,
                     struct ck_err *err) {
  char *mirror = ck_settings_mirror(context->settings);
  sqlite3_stmt *s = db_prepare(db,
                               "SELECT c.task, c.at, c.records, c.wrong, c.skipped, s.unproven"
                               " FROM sinks s JOIN checks c ON c.sink = s.name WHERE s.name = ?1",
                               err);
  if (s) db_bind_str(s, 1, ck_str_of(mirror));
  bool known = s && sqlite3_step(s) == SQLITE_ROW;
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
  free(mirror);
  return s ? 0 : -1;
}

/* How far the mirror is. */
struct mirrored {
  const char *sink;
  uint64_t cursor, pending, backlog;
  int64_t behind; /* milliseconds */
  size_t in_flight;
  unsigned workers;
  const char *alarm; /* NULL: none */
};

/* Reads everything but `pending` and `alarm`, which need the database. */
static struct mirrored look_at_mirror(const struct context *context, struct leases *leases,
                                      struct reports *reports, int64_t now) {
  struct mirrored to = {.sink = ck_set_text(context->settings, CK_SET_SYNC_SINK),
                        .cursor = leases_cursor(leases),
                        .backlog = leases_backlog_left(leases),
                        .workers = reports_workers(reports)};
  to.behind = lag_behind(context->lag, to.cursor, now);
  leases_next(leases, &to.in_flight);
  return to;
}

static int put_sync(struct ck_map *m, sqlite3 *db, const struct context *context,
                    const struct mirrored *to, const struct gathered *g, struct ck_err *err) {
  struct ck_map sync = ck_pair_map(m, "sync");
  ck_pair_text(&sync, "sink", to->sink);
  ck_pair_uint(&sync, "cursor", to->cursor);
  ck_pair_uint(&sync, "pending", to->pending);
  ck_pair_uint(&sync, "behind_ms", to->pending ? (uint64_t)to->behind : 0);
  ck_pair_uint(&sync, "in_flight", to->in_flight);
  ck_pair_uint(&sync, "backlog", to->backlog);
  ck_pair_uint(&sync, "workers", to->workers);
  put_rate(&sync, context->meter, g);
  put_paused(&sync, g);
  put_hold(&sync, context->meter, g);
  char *word = NULL;
  if (put_witness(&sync, db, context, &word, err) || put_check(&sync, db, context, err)) return -1;
  ck_pair_text_or_nil(&sync, "alarm", word ? word : to->alarm);
  free(word);
  if (g->sync_error.len)
    ck_pair_str(&sync, "last_error", ck_buf_view(&g->sync_error));
  else
    ck_pair_nil(&sync, "last_error");
  if (put_today(&sync, db, to->sink, err)) return -1;
  if (put_query(&sync, db, "dead_letters", "SELECT count(*) FROM dead_letters", err)) return -1;
  ck_map_close(&sync);
  return 0;
}

static void put_wal(struct ck_map *m, const struct context *context) {
  struct wal_view v;
  wal_guard_look(context->wal, &v);
  struct ck_map wal = ck_pair_map(m, "wal");
  ck_pair_uint(&wal, "bytes", v.bytes);
  ck_pair_uint(&wal, "limit", v.limit);
  ck_pair_text_or_nil(&wal, "alarm", wal_alarms[v.alarm]);
  ck_pair_uint(&wal, "pid", (uint64_t)v.pid);
  ck_pair_text_or_nil(&wal, "program", v.program);
  ck_pair_bool(&wal, "forgetting", atomic_load(&context->forgetting));
  ck_map_close(&wal);
}

static void put_number(struct ck_map *m, const char *name, const char *inner, uint64_t v) {
  struct ck_map one = ck_pair_map(m, name);
  ck_pair_uint(&one, inner, v);
  ck_map_close(&one);
}

static void put_artifacts(struct ck_map *m, const struct context *context) {
  struct ck_map in = ck_pair_map(m, "artifacts");
  ck_pair_uint(&in, "cursor", atomic_load(&context->artifacts_cursor));
  ck_pair_text(&in, "form", ck_set_text(context->settings, CK_SET_ARTIFACTS_FORM));
  ck_map_close(&in);
}

static void put_search(struct ck_map *m, uint64_t head, uint64_t cursor) {
  struct ck_map search = ck_pair_map(m, "search");
  ck_pair_uint(&search, "cursor", cursor);
  ck_pair_uint(&search, "behind", head > cursor ? head - cursor : 0);
  ck_map_close(&search);
}

static int put_originals(struct ck_map *m, sqlite3 *db, struct ck_err *err) {
  struct ck_map originals = ck_pair_map(m, "originals");
  int rc = put_query(&originals, db, "count", "SELECT count(*) FROM originals", err) ||
                   put_query(&originals, db, "bytes",
                             "SELECT coalesce(sum(bytes), 0) FROM originals", err) ||
                   put_query(&originals, db, "waiting",
                             "SELECT (SELECT count(*) FROM originals_grown)"
                             " + (SELECT count(*) FROM blocks WHERE state = 'gone')",
                             err)
               ? -1
               : 0;
  ck_map_close(&originals);
  return rc;
}

int status_info(sqlite3 *db, struct context *context, struct leases *leases,
                struct reports *reports, struct ck_buf *info, struct ck_err *err) {
  uint64_t head = atomic_load(&context->head);
  int64_t now = ck_boot_ms();
  struct mirrored to = look_at_mirror(context, leases, reports, now);
  struct gathered g = {.out = info, .left = -1};
  reports_each(reports, gather, &g);
  struct ck_map m = ck_map_open(info);
  ck_pair_uint(&m, "version", head);
  ck_pair_text(&m, "store_id", context->store_id);
  ck_pair_uint(&m, "floor", 0);
  ck_pair_int(&m, "at", ck_now_ms());
  ck_pair_text_or_nil(&m, "alarm", context->alarm.text);
  ck_pair_uint(&m, "rejected", atomic_load(&context->rejected));
  put_number(&m, "spool", "pending", g.spool);
  put_artifacts(&m, context);
  put_search(&m, head, atomic_load(&context->search_cursor));
  put_wal(&m, context);
  int rc = put_records(&m, db, err) || put_producers(&m, db, err) || put_jobs(&m, db, err) ||
                   count_pending(db, head, to.cursor, &to.pending, err)
               ? -1
               : 0;
  if (to.pending) to.alarm = alarm_of(&g, to.workers, to.behind, context->lag, now);
  if (rc == 0) rc = put_originals(&m, db, err);
  if (rc == 0) rc = put_sync(&m, db, context, &to, &g, err);
  put_daemons(&m, context, reports);
  ck_map_close(&m);
  ck_buf_free(&g.sync_error);
  ck_buf_free(&g.hold_class);
  ck_buf_free(&g.hold_reason);
  return rc;
}

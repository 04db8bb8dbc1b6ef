#include "store/status.h"

#include <stdlib.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/daemon.h"
#include "store/meter.h"
#include "store/progress.h"
#include "store/wal_guard.h"

/* The mirror is behind, and for so long no batch has ended. */
#define STALL_MS 5000
/* … or the others end, and the oldest does not. */
#define STUCK_MS 10000
#define DAY_MS 86400000

#define COUNTED_MAX 10000 /* records of a table that are counted one by one at most */

static void put_uint(struct ck_buf *b, const char *name, uint64_t v) {
  ck_put_text(b, name);
  ck_put_uint(b, v);
}

static int put_query(struct ck_buf *b, sqlite3 *db, const char *name, const char *sql, struct ck_err *err) {
  int64_t v;
  ck_put_text(b, name);
  if (db_int(db, sql, INT64_MIN, &v, err)) return -1;
  if (v == INT64_MIN)
    ck_put_nil(b);
  else
    ck_put_int(b, v);
  return 0;
}

static int put_records(struct ck_buf *b, sqlite3 *db, struct ck_err *err) {
  ck_put_text(b, "records");
  ck_put_map(b, CK_TABLES);
  for (int t = 0; t < CK_TABLES; ++t) {
    char *sql = ck_sprintf("SELECT %s FROM store", ck_tables[t].name);
    int rc = put_query(b, db, ck_tables[t].name, sql, err);
    free(sql);
    if (rc) return -1;
  }
  return 0;
}

static int put_producers(struct ck_buf *b, sqlite3 *db, struct ck_err *err) {
  sqlite3_stmt *s = db_prepare(db, "SELECT id, applied, refused FROM producers ORDER BY id", err);
  if (!s) return -1;
  ck_put_text(b, "producers");
  size_t open = ck_open_array(b);
  uint32_t n = 0;
  for (; sqlite3_step(s) == SQLITE_ROW; ++n) {
    ck_put_map(b, 3);
    ck_put_text(b, "id");
    ck_put_str(b, db_str(s, 0));
    put_uint(b, "applied", (uint64_t)sqlite3_column_int64(s, 1));
    put_uint(b, "refused", (uint64_t)sqlite3_column_int64(s, 2));
  }
  ck_close_array(b, open, n);
  sqlite3_finalize(s);
  return 0;
}

/* How long the job that should have gone out first has been waiting, 0 when none is late. Milliseconds. */
static int put_lateness(struct ck_buf *b, sqlite3 *db, struct ck_err *err) {
  int64_t due, late, now = ck_now_ms();
  if (db_int(db, "SELECT min(next_attempt_at) FROM renewal_jobs WHERE status = 'pending'", now, &due, err)) return -1;
  /* A time may be any integer. */
  if (__builtin_sub_overflow(now, due, &late)) late = INT64_MAX;
  put_uint(b, "lateness", due < now ? (uint64_t)late : 0);
  return 0;
}

/* `running` leaves out the attempts whose end is unknown: they wait for a person. */
static int put_jobs(struct ck_buf *b, sqlite3 *db, struct ck_err *err) {
  static const char *const counts[][2] = {
      {"pending", "SELECT count(*) FROM renewal_jobs WHERE status = 'pending'"},
      {"running", "SELECT (SELECT count(*) FROM renewal_jobs WHERE status = 'running') - (SELECT count(*) FROM leases WHERE state = 'unknown')"},
      {"done", "SELECT count(*) FROM renewal_jobs WHERE status = 'done'"},
      {"failed", "SELECT count(*) FROM renewal_jobs WHERE status = 'failed'"},
      {"unknown", "SELECT count(*) FROM leases WHERE state = 'unknown'"},
      {"next_due_at", "SELECT min(next_attempt_at) FROM renewal_jobs WHERE status = 'pending'"},
  };
  ck_put_text(b, "jobs");
  ck_put_map(b, sizeof counts / sizeof *counts + 1);
  for (size_t i = 0; i < sizeof counts / sizeof *counts; ++i)
    if (put_query(b, db, counts[i][0], counts[i][1], err)) return -1;
  return put_lateness(b, db, err);
}

/* ---- what the daemons say ---- */

struct gathered {
  struct ck_buf *out;
  uint32_t daemons;
  uint64_t spool;
  struct ck_buf sync_error;
  bool stopped;           /* a sync worker waits for a person */
  bool paused[CK_TABLES]; /* … or one of its tables does */
  int64_t left;           /* requests that the sink says it still takes; -1: it says nothing */
};

/* The raw value of one name in a report's map. */
static bool info_value(struct ck_str info, const char *name, struct ck_str *value) {
  struct ck_reader r = ck_reader_of(info);
  uint32_t n;
  if (ck_read_map(&r, &n)) return false;
  for (uint32_t i = 0; i < n; ++i) {
    struct ck_str key;
    if (ck_read_str(&r, &key) || ck_read_raw(&r, value)) return false;
    if (ck_str_is(key, name)) return true;
  }
  return false;
}

static void gather_paused(struct gathered *g, struct ck_str raw) {
  struct ck_reader r = ck_reader_of(raw);
  struct ck_str name;
  uint32_t n;
  if (ck_read_array(&r, &n)) return;
  for (uint32_t i = 0; i < n && ck_read_str(&r, &name) == 0; ++i) {
    enum ck_table t = ck_table_named(name);
    if (t < CK_TABLES) g->paused[t] = true;
  }
}

static void gather_worker(struct gathered *g, const struct report_view *v) {
  struct ck_str raw, text;
  int64_t left;
  if (info_value(v->info, "paused", &raw)) gather_paused(g, raw);
  struct ck_reader r;
  if (info_value(v->info, "state", &raw) && (r = ck_reader_of(raw), ck_read_str(&r, &text) == 0)) g->stopped |= ck_str_is(text, "stopped");
  if (info_value(v->info, "left", &raw) && (r = ck_reader_of(raw), ck_read_int(&r, &left) == 0) && (g->left < 0 || left < g->left)) g->left = left;
  if (!info_value(v->info, "last_error", &raw) || (r = ck_reader_of(raw), ck_read_str(&r, &text)) || text.n == 0) return;
  ck_buf_clear(&g->sync_error);
  ck_buf_str(&g->sync_error, text);
}

static void gather(void *self, const struct report_view *v) {
  struct gathered *g = self;
  struct ck_str raw;
  if (ck_str_is(v->name, "ingest") && info_value(v->info, "spool_pending", &raw)) {
    struct ck_reader r = ck_reader_of(raw);
    uint64_t n;
    if (ck_read_uint(&r, &n) == 0) g->spool += n;
  }
  if (ck_str_is(v->name, "syncd")) gather_worker(g, v);
}

static void put_daemon(struct ck_buf *b, const struct report_view *v) {
  ck_put_map(b, 7);
  ck_put_text(b, "name");
  ck_put_str(b, v->name);
  ck_put_text(b, "id");
  ck_put_str(b, v->id);
  ck_put_text(b, "host");
  ck_put_str(b, v->host);
  ck_put_text(b, "pid");
  ck_put_int(b, v->pid);
  ck_put_text(b, "up_since");
  ck_put_int(b, v->up_since);
  ck_put_text(b, "seen_at");
  ck_put_int(b, v->seen_at);
  ck_put_text(b, "info");
  if (v->info.n)
    ck_put_raw(b, v->info);
  else
    ck_put_map(b, 0);
}

static void list_daemon(void *self, const struct report_view *v) {
  struct gathered *g = self;
  put_daemon(g->out, v);
  ++g->daemons;
}

/* What keeps the store from its work, said as the others say it in their reports. */
static void put_own_info(struct ck_buf *info, struct shared *shared) {
  struct trouble t = shared_newest_trouble(shared);
  ck_put_map(info, 2);
  ck_put_text(info, "last_error");
  ck_put_text(info, t.reason.text);
  ck_put_text(info, "last_error_at");
  ck_put_int(info, t.at);
}

static void put_daemons(struct ck_buf *b, struct shared *shared, struct reports *reports) {
  struct gathered g = {.out = b};
  struct ck_buf info = {0};
  ck_put_text(b, "daemons");
  size_t open = ck_open_array(b);
  put_own_info(&info, shared);
  struct report_view me = {CK_LIT("store"), CK_LIT("store"), ck_str_of(ck_hostname()), ck_buf_view(&info), getpid(), ck_up_since(), ck_now_ms()};
  put_daemon(b, &me);
  reports_each(reports, list_daemon, &g);
  ck_close_array(b, open, g.daemons + 1);
  ck_buf_free(&info);
}

/* How many records are newer than the mirror's cursor. Versions would be cheaper to subtract, but they have gaps: a record that changed ten times is sent once,
 * and a restore lifts the head. Counted where they are few; else bounded by what can be. */
static int count_pending(sqlite3 *db, uint64_t head, uint64_t cursor, uint64_t *pending, struct ck_err *err) {
  bool few = true;
  uint64_t all = 0;
  *pending = 0;
  for (int t = 0; t < CK_TABLES && head > cursor; ++t) {
    char *sql = ck_sprintf("SELECT count(*) FROM (SELECT 1 FROM %s WHERE version > %llu LIMIT %d)", ck_tables[t].name, (unsigned long long)cursor, COUNTED_MAX);
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

static void put_rate(struct ck_buf *b, struct meter *meter, const struct gathered *g) {
  struct meter_view v;
  meter_look(meter, ck_boot_ms(), &v);
  ck_put_text(b, "rate");
  ck_put_map(b, 5);
  put_uint(b, "limit", v.rate);
  put_uint(b, "used", v.used);
  put_uint(b, "left", v.left);
  put_uint(b, "held_ms", (uint64_t)v.held);
  ck_put_text(b, "sink_left");
  if (g->left < 0)
    ck_put_nil(b);
  else
    ck_put_int(b, g->left);
}

static int put_today(struct ck_buf *b, sqlite3 *db, const char *sink, struct ck_err *err) {
  static const char *const columns[] = {"requests", "rows", "written"};
  ck_put_text(b, "today");
  ck_put_map(b, 3);
  for (int i = 0; i < 3; ++i) {
    /* A D1 mirror is kept by sink and database. */
    char *sql = ck_sprintf("SELECT coalesce(sum(%s), 0) FROM spent WHERE day = %lld AND (sink = '%s' OR sink LIKE '%s:%%')", columns[i],
                           (long long)(ck_now_ms() / DAY_MS), sink, sink);
    int rc = put_query(b, db, columns[i], sql, err);
    free(sql);
    if (rc) return -1;
  }
  return 0;
}

static void put_paused(struct ck_buf *b, const struct gathered *g) {
  uint32_t n = 0;
  ck_put_text(b, "paused");
  size_t open = ck_open_array(b);
  for (int t = 0; t < CK_TABLES; ++t) {
    if (!g->paused[t]) continue;
    ck_put_text(b, ck_tables[t].name);
    ++n;
  }
  ck_close_array(b, open, n);
}

/* What keeps the mirror from getting on, as a word that a program can act on; NULL: nothing does. */
static const char *alarm_of(const struct gathered *g, unsigned workers, int64_t behind, struct progress *p, int64_t now) {
  for (int t = 0; t < CK_TABLES; ++t)
    if (g->paused[t]) return "table";
  if (g->stopped) return "stopped";
  if (behind >= STALL_MS && progress_still(p, now) >= STALL_MS) return workers ? "stalled" : "no_worker";
  return behind >= STUCK_MS && progress_stuck(p, now) >= STUCK_MS ? "stuck" : NULL;
}

static int put_sync(struct ck_buf *b, sqlite3 *db, const struct shared *shared, struct leases *leases, struct reports *reports, uint64_t head,
                    const struct gathered *g, struct ck_err *err) {
  const char *sink = ck_set_text(shared->settings, CK_SET_SYNC_SINK);
  uint64_t cursor = leases_cursor(leases), pending;
  size_t in_flight;
  unsigned workers = reports_workers(reports);
  int64_t now = ck_boot_ms(), behind = progress_behind(shared->progress, cursor, now);
  leases_next(leases, &in_flight);
  if (count_pending(db, head, cursor, &pending, err)) return -1;
  const char *alarm = pending ? alarm_of(g, workers, behind, shared->progress, now) : NULL;
  ck_put_text(b, "sync");
  ck_put_map(b, 13);
  ck_put_text(b, "sink");
  ck_put_text(b, sink);
  put_uint(b, "cursor", cursor);
  put_uint(b, "pending", pending);
  put_uint(b, "behind_ms", pending ? (uint64_t)behind : 0);
  put_uint(b, "in_flight", in_flight);
  put_uint(b, "backlog", leases_backlog_left(leases));
  put_uint(b, "workers", workers);
  put_rate(b, shared->meter, g);
  put_paused(b, g);
  ck_put_text(b, "alarm");
  if (alarm)
    ck_put_text(b, alarm);
  else
    ck_put_nil(b);
  ck_put_text(b, "last_error");
  if (g->sync_error.len)
    ck_put_str(b, ck_buf_view(&g->sync_error));
  else
    ck_put_nil(b);
  if (put_today(b, db, sink, err)) return -1;
  return put_query(b, db, "dead", "SELECT count(*) FROM dead_letters", err);
}

static void put_text(struct ck_buf *b, const char *name, const char *text) {
  ck_put_text(b, name);
  if (*text)
    ck_put_text(b, text);
  else
    ck_put_nil(b);
}

static void put_wal(struct ck_buf *b, struct wal_guard *guard) {
  struct wal_view v;
  wal_guard_look(guard, &v);
  ck_put_text(b, "wal");
  ck_put_map(b, 5);
  put_uint(b, "bytes", v.bytes);
  put_uint(b, "limit", v.limit);
  put_text(b, "alarm", wal_alarms[v.alarm]);
  put_uint(b, "pid", (uint64_t)v.pid);
  put_text(b, "program", v.program);
}

int status_info(sqlite3 *db, struct shared *shared, struct leases *leases, struct reports *reports, struct ck_buf *info, struct ck_err *err) {
  uint64_t head = atomic_load(&shared->head);
  struct gathered g = {.out = info, .left = -1};
  reports_each(reports, gather, &g);
  ck_put_map(info, 13);
  put_uint(info, "version", head);
  ck_put_text(info, "store_id");
  ck_put_text(info, shared->store_id);
  put_uint(info, "floor", 0);
  ck_put_text(info, "at");
  ck_put_int(info, ck_now_ms());
  put_uint(info, "rejected", atomic_load(&shared->rejected));
  ck_put_text(info, "spool");
  ck_put_map(info, 1);
  put_uint(info, "pending", g.spool);
  ck_put_text(info, "artifacts");
  ck_put_map(info, 1);
  put_uint(info, "cursor", atomic_load(&shared->artifacts_cursor));
  put_wal(info, shared->wal);
  int rc = put_records(info, db, err) || put_producers(info, db, err) || put_jobs(info, db, err) || put_sync(info, db, shared, leases, reports, head, &g, err)
               ? -1
               : 0;
  put_daemons(info, shared, reports);
  ck_buf_free(&g.sync_error);
  return rc;
}

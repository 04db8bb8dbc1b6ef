/* The map of `status`, one put_… function per part of it. */
#include "store/read/status.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/daemon.h"
#include "proto/hostname.h"
#include "proto/sqlite_pages.h"
#include "store/database/wal_guard.h"
#include "store/read/status_internal.h"

int status_query(struct ck_map *m, sqlite3 *db, const char *name, const char *sql,
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
    int rc = status_query(&records, db, ck_tables[t].name, sql, err);
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

enum { PENDING, RUNNING, DONE, FAILED, SUPERSEDED };

/* Counting many jobs takes longer than all else, and every page of webd asks. A job that changes or
 * comes has a version above all others; one that goes leaves fewer. */
static int count_jobs(struct status_kept *kept, sqlite3 *db, struct ck_err *err) {
  static const char *const sql[STATUS_COUNTS] = {
      [PENDING] = "SELECT count(*) FROM renewal_jobs WHERE status = 'pending'",
      [RUNNING] = "SELECT count(*) FROM renewal_jobs WHERE status = 'running'",
      [DONE] = "SELECT count(*) FROM renewal_jobs WHERE status = 'done'",
      [FAILED] = "SELECT count(*) FROM renewal_jobs WHERE status = 'failed'",
      [SUPERSEDED] = "SELECT count(*) FROM renewal_jobs WHERE status = 'failed'"
                     " AND last_error GLOB '" CK_SUPERSEDED "*'"};
  int64_t newest, records;
  if (db_int(db, "SELECT max(version) FROM renewal_jobs", 0, &newest, err) ||
      db_int(db, "SELECT renewal_jobs FROM store", 0, &records, err))
    return -1;
  if (kept->known && kept->newest == newest && kept->records == records) return 0;
  kept->known = false;
  for (int i = 0; i < STATUS_COUNTS; ++i)
    if (db_int(db, sql[i], 0, &kept->counts[i], err)) return -1;
  kept->newest = newest;
  kept->records = records;
  kept->known = true;
  return 0;
}

/* `running` excludes attempts whose outcome is unknown: those wait for a person. `failed` excludes
 * jobs that nobody wanted any more. */
static int put_jobs(struct ck_map *m, sqlite3 *db, struct status_kept *kept, struct ck_err *err) {
  const int64_t *n = kept->counts;
  int64_t unknown;
  if (count_jobs(kept, db, err) ||
      db_int(db, "SELECT count(*) FROM leases WHERE state = 'unknown'", 0, &unknown, err))
    return -1;
  struct ck_map jobs = ck_pair_map(m, "jobs");
  ck_pair_int(&jobs, "pending", n[PENDING]);
  if (status_query(&jobs, db, "due",
                   "SELECT count(*) FROM renewal_jobs WHERE status = 'pending' AND"
                   " next_attempt_at <= CAST(strftime('%s', 'now') AS INTEGER) * 1000",
                   err))
    return -1;
  ck_pair_int(&jobs, "running", n[RUNNING] - unknown);
  ck_pair_int(&jobs, "done", n[DONE]);
  ck_pair_int(&jobs, "failed", n[FAILED] - n[SUPERSEDED]);
  ck_pair_int(&jobs, "superseded", n[SUPERSEDED]);
  ck_pair_int(&jobs, "unknown", unknown);
  if (status_query(&jobs, db, "next_due_at",
                   "SELECT min(next_attempt_at) FROM renewal_jobs WHERE status = 'pending'", err) ||
      put_lateness(&jobs, db, err))
    return -1;
  ck_map_close(&jobs);
  return 0;
}

/* ---- what the daemons say ---- */

struct gathered {
  struct ck_buf *out;
  uint32_t daemons;
  uint64_t spool;
};

static void gather(void *self, const struct report_view *v) {
  struct gathered *g = self;
  if (ck_str_is(v->name, "ingest")) g->spool += ck_map_uint(v->info, "spool_pending", 0);
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

static void put_times(struct ck_map *m, const struct context *context) {
  struct ck_map times = ck_pair_map(m, "times");
  ck_pair_histogram(&times, "fsync_wal", &context->sync_wal);
  ck_pair_histogram(&times, "fsync_database", &context->sync_database);
  ck_pair_histogram(&times, "commit", &context->commits);
  ck_map_close(&times);
}

/* The store's own trouble, in the form of the other daemons' reports. */
static void put_own_info(struct ck_buf *info, struct context *context) {
  struct trouble t = context_newest_trouble(context);
  struct ck_map m = ck_map_open(info);
  ck_pair_text(&m, "last_error", t.reason.text);
  ck_pair_int(&m, "last_error_at", t.at);
  put_times(&m, context);
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
  int rc = status_query(&originals, db, "count", "SELECT count(*) FROM originals", err) ||
                   status_query(&originals, db, "bytes",
                                "SELECT coalesce(sum(bytes), 0) FROM originals", err) ||
                   status_query(&originals, db, "waiting",
                                "SELECT (SELECT count(*) FROM originals_grown)"
                                " + (SELECT count(*) FROM blocks WHERE state = 'gone')",
                                err)
               ? -1
               : 0;
  ck_map_close(&originals);
  return rc;
}

/* What the writer still has to delete. */
static int put_forgetting(struct ck_map *m, sqlite3 *db, struct ck_err *err) {
  static const char sql[] = "SELECT substr(forgotten_with, instr(forgotten_with, '/') + 1), at,"
                            " messages, records, forgotten_with GLOB 'messages/*' FROM forgetting"
                            " ORDER BY number";
  sqlite3_stmt *s = db_prepare(db, sql, err);
  uint32_t n = 0;
  int rc;
  if (!s) return -1;
  ck_pair_name(m, "forgetting");
  size_t open = ck_open_array(m->b);
  for (; (rc = sqlite3_step(s)) == SQLITE_ROW; ++n) {
    struct ck_map one = ck_map_open(m->b);
    ck_pair_text(&one, "kind", sqlite3_column_int(s, 4) ? "message" : "conversation");
    ck_pair_str(&one, "id", db_str(s, 0));
    ck_pair_int(&one, "at", sqlite3_column_int64(s, 1));
    ck_pair_int(&one, "messages", sqlite3_column_int64(s, 2));
    ck_pair_int(&one, "records", sqlite3_column_int64(s, 3));
    ck_map_close(&one);
  }
  ck_close_array(m->b, open, n);
  sqlite3_finalize(s);
  return rc == SQLITE_DONE ? 0 : db_fail(db, "forgetting", err);
}

int status_info(sqlite3 *db, struct context *context, struct reports *reports,
                struct status_kept *kept, struct ck_buf *info, struct ck_err *err) {
  uint64_t head = atomic_load(&context->head);
  struct gathered g = {.out = info};
  reports_each(reports, gather, &g);
  struct ck_map m = ck_map_open(info);
  ck_pair_uint(&m, "version", head);
  ck_pair_text(&m, "store_id", context->store_id);
  ck_pair_uint(&m, "floor", 0);
  ck_pair_int(&m, "at", ck_now_ms());
  ck_pair_text_or_nil(&m, "alarm", context->alarm.text);
  ck_pair_uint(&m, "damaged", ck_sqlite_pages_met(DB_FILE));
  ck_pair_uint(&m, "rejected", atomic_load(&context->rejected));
  put_number(&m, "spool", "pending", g.spool);
  put_artifacts(&m, context);
  put_search(&m, head, atomic_load(&context->search_cursor));
  put_wal(&m, context);
  int rc = put_records(&m, db, err) || put_producers(&m, db, err) || put_jobs(&m, db, kept, err) ||
                   put_forgetting(&m, db, err) || put_originals(&m, db, err) ||
                   status_mirrors(&m, db, context, reports, err)
               ? -1
               : 0;
  put_daemons(&m, context, reports);
  ck_map_close(&m);
  return rc;
}

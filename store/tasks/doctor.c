/* The doctor task: checks the database, and the files and the mirror that are made from it.
 *
 * The checks are a table. A check that cannot be carried out is reported as wrong, and the others
 * go on. A check of the database runs in one read transaction (doctor_reader.c), so that commits
 * meanwhile do not look like faults. */
#include "store/tasks/doctor_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/clock.h"
#include "store/database/schema.h"
#include "store/format/migrations.h"
#include "store/keys/keys.h"

#define RESTORE_ADVICE \
  "stop the ring, then convkeep restore BACKUP; without a backup: " \
  "sqlite3 artifact.db .recover makes a database of what can be read"
#define PAGES_ADVICE \
  "check the disk; stop the ring, then convkeep restore BACKUP, and import again what came " \
  "since. " \
  "Without a backup: convkeep rebuild messages reads the messages again from the originals; " \
  "mirror.db and the readable files say what the rows were. " \
  "If another program wrote to it on purpose, or all is right again: convkeep rebuild seals"
#define REPORT_ADVICE \
  "this should not be possible: keep a copy of the data folder, and tell the project's makers; " \
  "an older backup may be sound"
#define PROBLEMS_SHOWN 3
#define KEYS_FOUND 1000 /* stop at this many problems with keys: there may be millions */
#define HEAD_WAIT_MS 5000

/* ---- queries that should return no rows ---- */

struct problems {
  unsigned count;
  bool enough;         /* the search was stopped; there may be more */
  struct ck_buf shown; /* the first few, separated by "; " */
};

static void add_problem(struct problems *p, struct ck_str what) {
  if (p->count++ >= PROBLEMS_SHOWN) return;
  if (p->shown.len) ck_buf_text(&p->shown, "; ");
  struct ck_buf one = {0};
  ck_buf_summary(&one, what, 150);
  ck_buf_str(&p->shown, ck_buf_view(&one));
  ck_buf_free(&one);
}

/* Collects the rows' first column, which says what is wrong. -1 with the reason. */
static int collect(struct doctor *d, const char *sql, struct problems *p, struct ck_err *err) {
  sqlite3_stmt *s = db_prepare(d->db, sql, err);
  if (!s) return -1;
  int rc;
  while ((rc = sqlite3_step(s)) == SQLITE_ROW) add_problem(p, db_str(s, 0));
  int bad = rc == SQLITE_DONE ? 0 : db_fail(d->db, "reading", err);
  sqlite3_finalize(s);
  return bad;
}

static void say_problems(struct doctor *d, const char *check, const char *well, const char *advice,
                         struct problems *p) {
  if (p->count == 0)
    doctor_say(d, check, CK_FOUND_OK, "", "%s", well);
  else if (p->count <= PROBLEMS_SHOWN)
    doctor_say(d, check, CK_FOUND_WRONG, advice, "%s", ck_buf_cstr(&p->shown));
  else
    doctor_say(d, check, CK_FOUND_WRONG, advice, "%s; and %u more%s", ck_buf_cstr(&p->shown),
               p->count - PROBLEMS_SHOWN, p->enough ? " at least" : "");
  ck_buf_free(&p->shown);
}

static int no_rows(struct doctor *d, const char *check, const char *sql, const char *well,
                   const char *advice, struct ck_err *err) {
  struct problems p = {0};
  int rc = collect(d, sql, &p, err);
  if (rc == 0) say_problems(d, check, well, advice, &p);
  if (rc) ck_buf_free(&p.shown);
  return rc;
}

/* ---- the checks ---- */

/* Reads every page, so the connection has seen those that are not as they were written. */
static int check_integrity(struct doctor *d, struct ck_err *err) {
  struct problems p = {0};
  struct ck_buf pages = {0};
  int rc = collect(
      d, "SELECT integrity_check FROM pragma_integrity_check(100) WHERE integrity_check <> 'ok'",
      &p, err);
  if (rc && doctor_reader_crowded(d)) return ck_buf_free(&p.shown), -1; /* it is run again */
  doctor_pages(d, "main", DB_FILE, &pages);
  d->damaged = rc || p.count || pages.len;
  if (pages.len) doctor_say(d, "database", CK_FOUND_WRONG, PAGES_ADVICE, "%s", ck_buf_cstr(&pages));
  if (rc == 0 && (p.count || !pages.len))
    say_problems(d, "database", "every page and index is sound", RESTORE_ADVICE, &p);
  else
    ck_buf_free(&p.shown);
  ck_buf_free(&pages);
  return rc;
}

static bool foreign(void *self, const char *what, const char *advice) {
  doctor_say(self, "schema", CK_FOUND_WRONG, advice, "%s", what);
  return ++((struct doctor *)self)->foreign < PROBLEMS_SHOWN;
}

static int check_schema(struct doctor *d, struct ck_err *err) {
  d->foreign = 0;
  if (schema_compare(d->db, store_migrations, db_newest_format(store_migrations), foreign, d, err))
    return -1;
  if (d->foreign == 0)
    doctor_say(d, "schema", CK_FOUND_OK, "", "the database holds nothing but what convkeep makes");
  return 0;
}

/* Messages are found through the tables of store/keys/, so SQLite's own check does not know the
 * references to them. */
static void without_message(struct ck_buf *sql, const struct ck_reference *r) {
  const char *table = ck_tables[r->table].name;
  const char *column = ck_tables[r->table].fields[r->column].name;
  ck_buf_printf(sql,
                " UNION ALL SELECT '%s (version ' || version || ')"
                " points to a record of messages that does not exist'"
                " FROM (SELECT version, %s AS id FROM %s WHERE %s IS NOT NULL) c"
                " WHERE " KEYS_NONE_OF("c.id"),
                table, column, table, column);
}

static int check_references(struct doctor *d, struct ck_err *err) {
  struct ck_buf sql = {0};
  ck_buf_text(&sql, "SELECT k.\"table\" || ' (version ' || k.rowid || ')"
                    " points to a record of ' || k.parent || ' that does not exist'"
                    " FROM pragma_foreign_key_check k");
  for (int i = 0; i < CK_REFERENCES; ++i)
    if (ck_references[i].parent == CK_MESSAGES) without_message(&sql, &ck_references[i]);
  int rc = no_rows(d, "references", ck_buf_cstr(&sql),
                   "every record that another one points to exists", REPORT_ADVICE, err);
  ck_buf_free(&sql);
  return rc;
}

/* *version: UINT64_MAX after the last. */
static int next_version(struct doctor *d, sqlite3_stmt *table, uint64_t *version,
                        struct ck_err *err) {
  int rc = sqlite3_step(table);
  *version = rc == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(table, 0) : UINT64_MAX;
  return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : db_fail(d->db, "reading", err);
}

/* Walks the six tables side by side in version order; each version must be greater than the last.
 * Passes the ids of messages to the check of the keys, so that their pages, which are most of the
 * database, are read once for both checks. */
static int walk_versions(struct doctor *d, sqlite3_stmt *tables[CK_TABLES], uint64_t *last,
                         struct problems *p, struct keys_check *keys, struct ck_err *err) {
  uint64_t at[CK_TABLES], records = 0;
  for (int t = 0; t < CK_TABLES; ++t)
    if (next_version(d, tables[t], &at[t], err)) return ck_fail_in(err, "%s", ck_tables[t].name);
  for (*last = 0;; ++records) {
    int least = 0;
    for (int t = 1; t < CK_TABLES; ++t)
      if (at[t] < at[least]) least = t;
    if (at[least] == UINT64_MAX) return 0;
    if (records % 100000 == 0 && task_cancelled(d->task)) return ck_fail(err, "cancelled");
    if (at[least] <= *last && p->count++ < PROBLEMS_SHOWN)
      ck_buf_printf(&p->shown, "%sversion %llu is given twice, once in %s",
                    p->shown.len ? "; " : "", (unsigned long long)at[least], ck_tables[least].name);
    *last = at[least];
    if (least == CK_MESSAGES)
      keys_check_message(keys, db_str(tables[least], 1), (int64_t)at[least]);
    if (next_version(d, tables[least], &at[least], err))
      return ck_fail_in(err, "%s", ck_tables[least].name);
  }
}

/* The head. A commit is visible here a moment before the writer raises the head, so this waits
 * until it is at least `least`. */
static uint64_t await_head(const struct doctor *d, uint64_t least) {
  int64_t give_up = ck_boot_ms() + HEAD_WAIT_MS;
  uint64_t head;
  while ((head = atomic_load(&d->task->context->head)) < least && ck_boot_ms() < give_up &&
         !task_cancelled(d->task))
    task_pause(1);
  return head;
}

static int check_versions(struct doctor *d, struct problems *p, struct keys_check *keys,
                          struct ck_err *err) {
  sqlite3_stmt *tables[CK_TABLES] = {NULL};
  uint64_t last = 0;
  int rc = 0;
  for (int t = 0; t < CK_TABLES && rc == 0; ++t) {
    char *sql = ck_sprintf("SELECT version, %s FROM %s ORDER BY version",
                           t == CK_MESSAGES ? "id" : "NULL", ck_tables[t].name);
    if (!(tables[t] = db_prepare(d->db, sql, err))) rc = -1;
    free(sql);
  }
  if (rc == 0) rc = walk_versions(d, tables, &last, p, keys, err);
  for (int t = 0; t < CK_TABLES; ++t) sqlite3_finalize(tables[t]);
  uint64_t head = await_head(d, last);
  if (rc == 0 && last > head && p->count++ < PROBLEMS_SHOWN)
    ck_buf_printf(&p->shown, "%sversion %llu is above the head, %llu", p->shown.len ? "; " : "",
                  (unsigned long long)last, (unsigned long long)head);
  return rc;
}

static bool key_is_wrong(void *self, const char *what) {
  struct problems *p = self;
  add_problem(p, ck_str_of(what));
  p->enough = p->count >= KEYS_FOUND;
  return !p->enough;
}

static int check_filter(struct doctor *d, struct problems *p, struct ck_err *err) {
  uint64_t count;
  char *denied;
  int rc = keys_check_filter(d->db, &count, &denied, err);
  if (rc == 0 && count && p->count++ < PROBLEMS_SHOWN)
    ck_buf_printf(&p->shown, "%sthe filter misses %llu ids, one is %s", p->shown.len ? "; " : "",
                  (unsigned long long)count, denied);
  free(denied);
  return rc;
}

static int check_keys_and_versions(struct doctor *d, struct ck_err *err) {
  struct problems keys = {0}, versions = {0};
  struct keys_check *k = keys_check_new(d->db, key_is_wrong, &keys);
  int rc =
      check_versions(d, &versions, k, err) || keys_check_end(k, err) || check_filter(d, &keys, err)
          ? -1
          : 0;
  keys_check_free(&k);
  if (rc == 0) {
    say_problems(d, "keys", "every message is found by its id, and each id belongs to one message",
                 REPORT_ADVICE, &keys);
    say_problems(d, "versions", "each is given once, and none is above the head", REPORT_ADVICE,
                 &versions);
  } else {
    ck_buf_free(&keys.shown);
    ck_buf_free(&versions.shown);
  }
  return rc;
}

static int check_counts(struct doctor *d, struct ck_err *err) {
  struct ck_buf sql = {0}, recount = {0};
  ck_buf_text(&recount, "rows were deleted by hand: import them again, or take a backup; then, with"
                        " the ring down: sqlite3 artifact.db 'UPDATE store SET ");
  for (int t = 0; t < CK_TABLES; ++t) {
    const char *name = ck_tables[t].name;
    ck_buf_printf(&sql,
                  "%sSELECT '%s: ' || iif(n < counted, '%s' || (counted - n) || ' missing, ', '')"
                  " || n ||"
                  " ' are there, ' || counted || ' were counted'"
                  " FROM (SELECT (SELECT count(*) FROM %s) AS n, %s AS counted FROM store)"
                  " WHERE n <> counted",
                  t ? " UNION ALL " : "", name, t == CK_MESSAGES ? "" : "at least ", name, name);
    ck_buf_printf(&recount, "%s%s = (SELECT count(*) FROM %s)", t ? ", " : "", name, name);
  }
  ck_buf_text(&recount, "', and convkeep rebuild seals");
  int rc = no_rows(d, "counts", ck_buf_cstr(&sql),
                   "the tables hold as many records as were counted", ck_buf_cstr(&recount), err);
  ck_buf_free(&recount);
  ck_buf_free(&sql);
  return rc;
}

/* Each running job has a lease of its current attempt, and each lease a running job; so has each
 * attempt that has not ended. */
static int check_leases(struct doctor *d, struct ck_err *err) {
  return no_rows(
      d, "leases",
      "SELECT 'job ' || job_id || ' runs without a lease'"
      " FROM renewal_jobs"
      " WHERE status = 'running' AND job_id NOT IN (SELECT job_id FROM leases)"
      " UNION ALL"
      " SELECT 'the lease of ' || l.job_id || ' has no running job'"
      " FROM leases l"
      " LEFT JOIN renewal_jobs j ON j.job_id = l.job_id AND j.status = 'running'"
      " WHERE j.job_id IS NULL"
      " UNION ALL"
      " SELECT 'the lease of ' || l.job_id || ' is for attempt ' || l.attempt ||"
      " ', but the job is at ' || j.attempt_count"
      " FROM leases l"
      " JOIN renewal_jobs j ON j.job_id = l.job_id AND j.status = 'running'"
      " WHERE j.attempt_count <> l.attempt"
      " UNION ALL"
      " SELECT 'attempt ' || a.attempt || ' of ' || a.job_id || ' has no end, but the job does not"
      " run'"
      " FROM attempts a"
      " LEFT JOIN renewal_jobs j ON j.job_id = a.job_id AND j.status = 'running'"
      " WHERE a.ended IS NULL AND j.job_id IS NULL",
      "every attempt under way belongs to a running job",
      "look at the conversation; convkeep jobs retry JOB or jobs cancel JOB ends the attempt", err);
}

static int check_automation(struct doctor *d, struct ck_err *err) {
  return no_rows(d, "automation",
                 "SELECT 'conversation ' || local_conversation_id ||"
                 " ' is on auto, but has no message from which it starts'"
                 " FROM local_conversations"
                 " WHERE automation_status = 'auto'"
                 " AND local_conversation_id NOT IN (SELECT local_conversation_id FROM automation)"
                 " UNION ALL"
                 " SELECT 'conversation ' || a.local_conversation_id ||"
                 " ' is noted as on auto, but is not'"
                 " FROM automation a"
                 " LEFT JOIN local_conversations c"
                 " ON c.local_conversation_id = a.local_conversation_id"
                 " AND c.automation_status = 'auto'"
                 " WHERE c.version IS NULL",
                 "every conversation on auto has the message from which it starts",
                 "convkeep set CONVERSATION --automation manual, then auto again", err);
}

/* ---- all checks ---- */

#define ALARM_ADVICE \
  "import what was captured since again, or restore a newer copy, before you make the mirror the " \
  "same: it may have what was lost. This is shown for a week"

#define WITNESS_ADVICE \
  "check the disk, and that the newest messages are there. It was made again; this is shown " \
  "until " \
  "the store starts again"

static const struct check {
  const char *names[2]; /* of the lines it reports; the second may be NULL */
  int (*run)(struct doctor *d, struct ck_err *err);
  bool one_transaction; /* the others read the database in pieces */
} checks[] = {
    {{"database"}, check_integrity, true},    {{"schema"}, check_schema, true},
    {{"references"}, check_references, true}, {{"keys", "versions"}, check_keys_and_versions, true},
    {{"counts"}, check_counts, true},         {{"sessions"}, doctor_sessions, true},
    {{"summaries"}, doctor_summaries, false}, {{"leases"}, check_leases, true},
    {{"automation"}, check_automation, true}, {{"artifacts"}, doctor_artifacts, false},
    {{"originals"}, doctor_originals, false}, {{"attachments"}, doctor_attachments, false},
    {{"search"}, doctor_search, false},       {{"mirror"}, doctor_mirror, false},
};
#define CHECKS (sizeof checks / sizeof *checks)

/* If the check had to give way to the WAL, runs it again on a copy. */
static int run_in_transaction(struct doctor *d, const struct check *c, struct ck_err *err) {
  struct ck_err ignored;
  int rc = doctor_reader_begin(d, err) || c->run(d, err) ? -1 : 0;
  bool crowded = doctor_reader_crowded(d);
  if (doctor_reader_end(d, rc ? &ignored : err)) rc = -1;
  if (rc == 0 || !crowded) return rc;
  d->unseen = doctor_reader_copy(d, err) != 0;
  return d->unseen ? -1 : run_in_transaction(d, c, err);
}

/* Runs one check and reports why it could not be carried out. -1 only if the task was cancelled;
 * the lines so far stay. */
static int run_check(struct doctor *d, const struct check *c, struct ck_err *err) {
  struct ck_err why = {{0}};
  int rc = 0;
  if (!c->one_transaction)
    rc = c->run(d, &why);
  else if (!d->unseen)
    rc = run_in_transaction(d, c, &why);
  if (task_cancelled(d->task)) return ck_fail(err, "the examination was cancelled before its end");
  for (int i = 0; i < 2 && c->names[i]; ++i)
    if (d->unseen && c->one_transaction)
      doctor_say(d, c->names[i], CK_FOUND_NOTE, "try again when less is written, or on a backup",
                 "not examined: too much is written meanwhile%s%s", rc ? ", and " : "", why.text);
    else if (rc)
      doctor_say(d, c->names[i], CK_FOUND_WRONG, RESTORE_ADVICE, "it could not be examined: %s",
                 why.text);
  return 0;
}

int task_doctor(struct task *t, struct ck_err *err) {
  struct doctor d = {.task = t};
  int rc = doctor_reader_open(&d, err);
  atomic_store(&t->total, CHECKS);
  for (size_t i = 0; i < CHECKS && rc == 0; ++i) {
    rc = run_check(&d, &checks[i], err);
    atomic_store(&t->total, CHECKS);
    atomic_store(&t->done, i + 1);
  }
  if (t->context->alarm.text[0] && rc == 0)
    doctor_say(&d, "history", CK_FOUND_WRONG, ALARM_ADVICE,
               "the database was put back or cut short: %s", t->context->alarm.text);
  if (t->context->witness_damaged && rc == 0)
    doctor_say(&d, "witness", CK_FOUND_WRONG, WITNESS_ADVICE,
               CK_PLACE_WITNESS ": it was not as written when the store started, so it could not "
                                "tell whether the database is the newest one");
  doctor_reader_close(&d);
  return rc;
}

/* See restore.h: the copy is checked, made a store of its own, then swapped in. */
#include "store/format/restore.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/file.h"
#include "proto/log.h"
#include "proto/sqlite_pages.h"
#include "store/database/db.h"
#include "store/database/schema.h"
#include "store/format/migrations.h"
#include "store/format/swap.h"
#include "store/format/witness.h"
#include "store/keys/keys.h"

#define RUNS_JUMP 1000
#define RUNS_UNKNOWN 1000000 /* runs of a database that nobody can read */
#define RESTORE_DRAFT CK_PLACE_NEW_STORE ".tmp"

/* The known facts about the database to be replaced. */
struct former {
  bool known; /* it could be read */
  char store_id[33];
  int64_t starts;
  uint64_t highest;   /* version that it gave, or that a sink or a follower has seen of it */
  bool noted;         /* the folder's note is of store_id, and the database itself is not known */
  struct ck_buf runs; /* SQL that takes over its runs: what its mirror was filled in */
  char alarm[sizeof((struct ck_err *)0)->text]; /* how it was noticed to be gone; "": on purpose */
};

/* ---- files ---- */

static void remove_with_journals(const char *file) {
  static const char *const endings[] = {"", "-journal", "-wal", "-shm"};
  for (size_t i = 0; i < sizeof endings / sizeof *endings; ++i) {
    char *path = ck_sprintf("%s%s", file, endings[i]);
    unlink(path);
    free(path);
  }
}

/* ---- the copy: is it one? ---- */

/* Runs a query that must answer this one word; any other answer is what is wrong. */
static int expect_answer(sqlite3 *db, const char *sql, const char *word, struct ck_err *err) {
  sqlite3_stmt *s = db_prepare(db, sql, err);
  if (!s) return -1;
  int rc = sqlite3_step(s);
  struct ck_str said = rc == SQLITE_ROW ? db_str(s, 0) : (struct ck_str){0};
  int bad = 0;
  if (rc != SQLITE_ROW && rc != SQLITE_DONE)
    bad = db_fail(db, sql, err);
  else if (!ck_str_is(said, word))
    bad = ck_fail(err, "it is damaged: %.*s", said.n > 200 ? 200 : (int)said.n, said.s);
  sqlite3_finalize(s);
  return bad;
}

static int check_format(sqlite3 *db, struct ck_err *err) {
  int format;
  if (db_format(db, store_migrations, &format, err)) return -1;
  if (format == 0) return ck_fail(err, "it is not a database of convkeep's store");
  if (schema_check(db, store_migrations, format, err)) return -1;
  return db_migrate(db, store_migrations, err);
}

/* What another program made of a database (sqlite3's .recover) may have no room for seals. Call it
 * when all pages were read. */
static int seal(sqlite3 *db, struct restored *r, struct ck_err *err) {
  struct ck_sqlite_pages seen;
  if (ck_sqlite_pages_seen(db, "main", &seen) && seen.sealed) {
    r->damaged = seen.count;
    return 0;
  }
  ck_sqlite_pages_guard(db);
  return db_exec(db, "VACUUM", err);
}

static int check_copy(sqlite3 *db, struct ck_err *err) {
  return expect_answer(db, "PRAGMA integrity_check(1)", "ok", err) || check_format(db, err) ||
                 expect_answer(db, "SELECT \"table\" FROM pragma_foreign_key_check LIMIT 1", "",
                               err)
             ? -1
             : 0;
}

/* ---- versions ---- */

static int highest_of(sqlite3 *db, uint64_t *highest, struct ck_err *err) {
  uint64_t head, indexed;
  int64_t seen, mirrored;
  if (db_head(db, &head, err) || keys_highest(db, &indexed, err) ||
      db_int(db, "SELECT max(cursor) FROM sinks", 0, &mirrored, err))
    return -1;
  if (db_int(db, "SELECT max(version) FROM cursors WHERE store_id = (SELECT store_id FROM store)",
             0, &seen, err))
    return -1;
  *highest = head > indexed ? head : indexed;
  if (mirrored > 0 && (uint64_t)mirrored > *highest) *highest = (uint64_t)mirrored;
  if (seen > 0 && (uint64_t)seen > *highest) *highest = (uint64_t)seen;
  return 0;
}

static int identity_of(sqlite3 *db, char id[33], int64_t *runs, struct ck_err *err) {
  sqlite3_stmt *s = db_prepare(db, "SELECT store_id, runs FROM store", err);
  if (!s) return -1;
  int rc = sqlite3_step(s) == SQLITE_ROW ? 0 : db_fail(db, "store", err);
  if (rc == 0) {
    snprintf(id, 33, "%.*s", (int)db_str(s, 0).n, db_str(s, 0).s);
    *runs = sqlite3_column_int64(s, 1);
  }
  sqlite3_finalize(s);
  return rc;
}

/* Which runs of it filled a mirror, so that its mirror is known to the copy. */
static int read_runs(sqlite3 *db, struct former *f, struct ck_err *err) {
  sqlite3_stmt *s =
      db_prepare(db, "SELECT run, store_id, first, coalesce(last, ?1) FROM runs", err);
  if (!s) return -1;
  sqlite3_bind_int64(s, 1, (sqlite3_int64)f->highest);
  int rc;
  while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
    char *one = sqlite3_mprintf(
        "INSERT OR REPLACE INTO runs (run, store_id, first, last) VALUES (%Q, %Q, %lld, %lld);",
        sqlite3_column_text(s, 0), sqlite3_column_text(s, 1), sqlite3_column_int64(s, 2),
        sqlite3_column_int64(s, 3));
    ck_buf_text(&f->runs, one ? one : "");
    sqlite3_free(one);
  }
  sqlite3_finalize(s);
  return rc == SQLITE_DONE ? 0 : db_fail(db, "runs", err);
}

/* Also checkpoints the WAL, so that the former database is one file. If it cannot be read, its WAL
 * is left to be moved aside with it. */
static void read_database(struct former *f) {
  struct ck_err err;
  sqlite3 *db = NULL;
  bool open = sqlite3_open_v2(DB_FILE, &db, DB_OPEN_FLAGS, ck_sqlite_pages_vfs()) == SQLITE_OK;
  if (open) db_harden(db);
  f->known = open && db_migrate(db, store_migrations, &err) == 0 &&
             identity_of(db, f->store_id, &f->starts, &err) == 0 &&
             highest_of(db, &f->highest, &err) == 0 && read_runs(db, f, &err) == 0;
  if (f->known)
    db_exec(db, "PRAGMA wal_checkpoint(TRUNCATE)", &err);
  else
    sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
  db_close(&db);
}

/* What is known of it besides itself, if it is missing or was set back. */
static void read_former(const struct ck_settings *s, struct former *f) {
  struct remains r;
  struct witness w;
  *f = (struct former){0};
  witness_remains(s, &r);
  witness_read(&w);
  if (r.there) read_database(f);
  if (r.version > f->highest) f->highest = r.version;
  if (w.version > f->highest) f->highest = w.version;
  if ((int64_t)w.run > f->starts) f->starts = (int64_t)w.run;
  f->noted = !f->known && w.store_id[0];
  if (f->noted) snprintf(f->store_id, sizeof f->store_id, "%s", w.store_id);
}

/* ---- the copy becomes a store of its own ---- */

/* Follow-ups that are due in the copy may have been delivered since it was made. So every
 * conversation that might send one is paused until somebody has looked. */
#define WOULD_SEND \
  "SELECT version FROM local_conversations" \
  " WHERE automation_status = 'auto' OR (automation_status <> 'paused'" \
  " AND local_conversation_id IN (SELECT local_conversation_id FROM renewal_jobs" \
  " WHERE status IN ('pending', 'running')))" \
  " ORDER BY version"

static int pause_one(sqlite3 *db, sqlite3_stmt *pause, int64_t old, uint64_t version, int64_t now,
                     struct ck_err *err) {
  sqlite3_bind_int64(pause, 1, old);
  sqlite3_bind_int64(pause, 2, (sqlite3_int64)version);
  sqlite3_bind_int64(pause, 3, now);
  int rc = sqlite3_step(pause) == SQLITE_DONE ? 0 : db_fail(db, "local_conversations", err);
  sqlite3_reset(pause);
  return rc;
}

/* Each change takes the next version, which is the table's order; so the list is complete before
 * the first change. */
static int pause_all(sqlite3 *db, uint64_t *version, uint64_t *paused, struct ck_err *err) {
  static const char text[] =
      "UPDATE local_conversations SET version = ?2, automation_status = 'paused',"
      " paused_at = ?3, updated_at = max(updated_at, ?3) WHERE version = ?1";
  if (db_exec(db, "CREATE TEMP TABLE would_send AS " WOULD_SEND, err)) return -1;
  sqlite3_stmt *list = db_prepare(db, "SELECT version FROM temp.would_send ORDER BY version", err),
               *pause = list ? db_prepare(db, text, err) : NULL;
  int64_t now = ck_now_ms();
  int rc = pause ? SQLITE_ROW : SQLITE_ERROR;
  while (rc == SQLITE_ROW && (rc = sqlite3_step(list)) == SQLITE_ROW) {
    if (pause_one(db, pause, sqlite3_column_int64(list, 0), ++*version, now, err))
      rc = SQLITE_ERROR;
    ++*paused;
  }
  sqlite3_finalize(list);
  sqlite3_finalize(pause);
  if (rc != SQLITE_DONE) return -1;
  return db_exec(db, "DROP TABLE temp.would_send; DELETE FROM automation; DELETE FROM older", err);
}

static int renew_identity(sqlite3 *db, int64_t runs, uint64_t version, const char *alarm,
                          struct ck_err *err) {
  char *sql = sqlite3_mprintf("DELETE FROM sinks; DELETE FROM checks; DELETE FROM dead_letters;"
                              "UPDATE store SET store_id = lower(hex(randomblob(16))),"
                              " runs = %lld, version_floor = %lld, alarm = %Q, alarm_at = %lld",
                              (long long)runs, (long long)version, alarm, (long long)ck_now_ms());
  int rc = sql ? db_exec(db, sql, err) : ck_fail(err, "out of memory");
  sqlite3_free(sql);
  return rc;
}

/* The mirror that the former database filled is the copy's: its runs are known to it. Of a database
 * that only witnesses know, all runs are, as far as it can have come. */
static int take_runs(sqlite3 *db, const struct former *f, const char *id, uint64_t backup_version,
                     uint64_t version, struct ck_err *err) {
  struct ck_buf sql = {0};
  bool any = f->alarm[0] || (f->noted && strcmp(f->store_id, id) == 0);
  ck_buf_printf(&sql, "UPDATE runs SET last = %llu WHERE last IS NULL;",
                (unsigned long long)backup_version);
  ck_buf_str(&sql, ck_buf_view(&f->runs));
  if (any)
    ck_buf_printf(&sql,
                  "INSERT OR REPLACE INTO runs (run, store_id, first, last)"
                  " SELECT '*', store_id, 0, %llu FROM store;",
                  (unsigned long long)version);
  int rc = db_exec(db, ck_buf_cstr(&sql), err);
  ck_buf_free(&sql);
  return rc;
}

static int make_own(sqlite3 *db, const struct former *f, struct restored *r, struct ck_err *err) {
  char id[33];
  int64_t runs;
  uint64_t highest;
  if (identity_of(db, id, &runs, err) || db_head(db, &r->backup_version, err) ||
      highest_of(db, &highest, err))
    return -1;
  bool same = f->known && strcmp(f->store_id, id) == 0;
  if (f->highest > highest) highest = f->highest;
  if (f->starts > runs) runs = f->starts;
  r->version = highest + (same ? 1 : RESTORE_JUMP);
  runs += same ? 1 : RUNS_JUMP;
  r->paused = 0;
  if (db_exec(db, "BEGIN IMMEDIATE", err)) return -1;
  if (pause_all(db, &r->version, &r->paused, err) == 0 &&
      take_runs(db, f, id, r->backup_version, r->version, err) == 0 &&
      renew_identity(db, runs, r->version, f->alarm, err) == 0 &&
      witness_accept_spool(db, err) == 0 && db_exec(db, "COMMIT", err) == 0)
    return 0;
  sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
  return -1;
}

/* Checks the staged copy and makes it ready; it is one durable file afterwards. */
static int prepare(const struct ck_settings *s, struct restored *r, struct ck_err *err) {
  sqlite3 *db = NULL;
  struct former f = {0};
  if (ck_no_other_kind(AT_FDCWD, RESTORE_STAGED, err)) return -1;
  int rc = sqlite3_open_v2(RESTORE_STAGED, &db, DB_OPEN_FLAGS, ck_sqlite_pages_vfs()) == SQLITE_OK
               ? 0
               : db_fail(db, "it cannot be opened", err);
  if (rc == 0) db_harden(db);
  if (rc == 0)
    rc = db_exec(db,
                 "PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL;"
                 "PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16384",
                 err);
  if (rc == 0) rc = check_copy(db, err);
  if (rc == 0) rc = seal(db, r, err);
  if (rc == 0) read_former(s, &f);
  if (rc == 0) rc = make_own(db, &f, r, err);
  ck_buf_free(&f.runs);
  db_close(&db);
  return rc;
}

/* ---- what the command line has staged ---- */

static int refuse(struct restored *r) {
  ck_log(CK_ERROR, RESTORE_STAGED, "restore_refused", "reason=%s", ck_quotedz(r->reason.text));
  r->state = RESTORED_REFUSED;
  remove_with_journals(RESTORE_STAGED);
  return 0;
}

int restore_pending(const struct ck_settings *s, struct ck_lock *lock, struct restored *r,
                    struct ck_err *err) {
  *r = (struct restored){0};
  if (swap_pending(s, lock, r, err)) return -1;
  if (access(RESTORE_STAGED, F_OK)) return 0;
  return prepare(s, r, &r->reason) ? refuse(r) : swap_in(s, lock, RESTORE_STAGED, r, err);
}

/* ---- a new store ---- */

/* Fills the empty database: no version that a witness knows is given again. How far the former
 * database came after their last notes is unknown. */
static int fill_new(sqlite3 *db, const struct remains *known, struct restored *r,
                    struct ck_err *err) {
  bool former = known->what[0];
  r->version = former ? known->version + RESTORE_JUMP : 0;
  uint64_t runs = former ? known->run + RUNS_UNKNOWN : 0;
  char *sql = ck_sprintf("UPDATE store SET runs = %llu, version_floor = %llu",
                         (unsigned long long)runs, (unsigned long long)r->version);
  int rc = db_exec(db, "PRAGMA synchronous = FULL", err) || db_migrate(db, store_migrations, err) ||
                   db_exec(db, sql, err) || witness_accept_spool(db, err)
               ? -1
               : 0;
  free(sql);
  return rc;
}

static int make_new(const struct remains *known, struct restored *r, struct ck_err *err) {
  sqlite3 *db = NULL;
  remove_with_journals(RESTORE_DRAFT);
  int rc = sqlite3_open_v2(RESTORE_DRAFT, &db, DB_OPEN_FLAGS | SQLITE_OPEN_CREATE,
                           ck_sqlite_pages_vfs()) == SQLITE_OK
               ? 0
               : db_fail(db, RESTORE_DRAFT, err);
  if (rc == 0) ck_sqlite_pages_guard(db);
  if (rc == 0) db_harden(db);
  if (rc == 0) rc = fill_new(db, known, r, err);
  db_close(&db);
  if (rc) remove_with_journals(RESTORE_DRAFT);
  return rc;
}

int restore_new(const struct ck_settings *s, struct ck_lock *lock, struct restored *r,
                struct ck_err *err) {
  struct remains known;
  if (access(CK_PLACE_NEW_STORE, F_OK)) return 0;
  witness_remains(s, &known);
  if (known.there) {
    unlink(CK_PLACE_NEW_STORE);
    return ck_fail(err, "--new-store: there is a database, " DB_FILE
                        ": leave the option out, or move that file away first");
  }
  if (make_new(&known, r, err)) return ck_fail_in(err, "--new-store");
  ck_log(CK_WARN, DB_FILE, "new_store", "version=%llu found=%s", (unsigned long long)r->version,
         ck_quotedz(known.what));
  return swap_in(s, lock, RESTORE_DRAFT, r, err);
}

/* ---- a database that was rewound ---- */

/* Somebody may have deleted the newest records by hand: their versions are not given again. */
static int raise_head(sqlite3 *db, struct ck_err *err) {
  uint64_t head, highest;
  if (db_head(db, &head, err) || highest_of(db, &highest, err)) return -1;
  if (highest <= head) return 0;
  ck_log(CK_WARN, DB_FILE, "records_gone", "head=%llu given=%llu", (unsigned long long)head,
         (unsigned long long)highest);
  char *sql = ck_sprintf("UPDATE store SET version_floor = %llu", (unsigned long long)highest);
  int rc = db_exec(db, sql, err);
  free(sql);
  return rc;
}

int restore_rewound(sqlite3 *db, const char *cut, struct restored *r, struct ck_err *err) {
  struct former lost = {0};
  struct ck_err why = {{0}};
  int older = raise_head(db, err) ? -1 : witness_older(db, &lost.highest, &why, err);
  if (older < 0 || (older == 0 && !cut[0])) return older;
  snprintf(lost.alarm, sizeof lost.alarm, "%s", cut[0] ? cut : why.text);
  /* How far it came after the witnesses' last notes is unknown, as if it could not be read. */
  if (make_own(db, &lost, r, err)) return ck_fail_in(err, "rewound");
  r->state = RESTORED_DONE;
  ck_log(CK_ERROR, DB_FILE, "rewound", "reason=%s version=%llu paused=%llu", ck_quotedz(lost.alarm),
         (unsigned long long)r->version, (unsigned long long)r->paused);
  return 0;
}

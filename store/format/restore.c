/* See restore.h: the copy is checked, made a store of its own, then swapped in. */
#include "store/format/restore.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/log.h"
#include "store/files/artifact_folder.h"
#include "store/database/db.h"
#include "store/database/schema.h"
#include "store/format/migrations.h"
#include "store/keys/keys.h"

#define TIME_LETTERS "0123456789TZ"
#define RUNS_JUMP 1000

/* The known facts about the database to be replaced. */
struct former {
  bool known; /* it could be read */
  char store_id[33];
  int64_t runs;
  uint64_t highest; /* version that it gave, or that a sink or a follower has seen of it */
};

/* ---- files ---- */

static int sync_folder(struct ck_err *err) {
  int fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int rc = fd < 0 || fsync(fd) ? ck_fail(err, "the data folder: %s", strerror(errno)) : 0;
  if (fd >= 0) close(fd);
  return rc;
}

static int move(const char *from, const char *to, struct ck_err *err) {
  return rename(from, to) == 0 || errno == ENOENT ? 0
                                                  : ck_fail(err, "%s: %s", from, strerror(errno));
}

static void remove_with_journals(const char *file) {
  static const char *const endings[] = {"", "-journal", "-wal", "-shm"};
  for (size_t i = 0; i < sizeof endings / sizeof *endings; ++i) {
    char *path = ck_sprintf("%s%s", file, endings[i]);
    unlink(path);
    free(path);
  }
}

/* Renames FILE-wal, FILE-shm and FILE to TO-wal, TO-shm and TO: the WAL first, because the old WAL
 * must never be beside the new database. After a crash in between, the next start continues. */
static int move_aside(const char *file, const char *to, struct ck_err *err) {
  static const char *const endings[] = {"-wal", "-shm", ""};
  for (size_t i = 0; i < sizeof endings / sizeof *endings; ++i) {
    char *from = ck_sprintf("%s%s", file, endings[i]), *name = ck_sprintf("%s%s", to, endings[i]);
    int rc = move(from, name, err);
    free(from);
    free(name);
    if (rc) return -1;
  }
  return 0;
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

/* Also checkpoints the WAL, so that the former database is one file. If it cannot be read, its WAL
 * is left to be moved aside with it. */
static void read_former(struct former *f) {
  struct ck_err err;
  sqlite3 *db = NULL;
  *f = (struct former){0};
  if (access(DB_FILE, F_OK)) return;
  bool open =
      sqlite3_open_v2(DB_FILE, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK;
  if (open) db_harden(db);
  f->known = open && db_migrate(db, store_migrations, &err) == 0 &&
             identity_of(db, f->store_id, &f->runs, &err) == 0 &&
             highest_of(db, &f->highest, &err) == 0;
  if (f->known)
    db_exec(db, "PRAGMA wal_checkpoint(TRUNCATE)", &err);
  else
    sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
  db_close(&db);
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
  return db_exec(db, "DROP TABLE temp.would_send; DELETE FROM automation", err);
}

static int renew_identity(sqlite3 *db, int64_t runs, uint64_t version, struct ck_err *err) {
  char *sql = ck_sprintf("DELETE FROM sinks; DELETE FROM dead_letters;"
                         "UPDATE store SET store_id = lower(hex(randomblob(16))),"
                         " runs = %lld, version_floor = %llu",
                         (long long)runs, (unsigned long long)version);
  int rc = db_exec(db, sql, err);
  free(sql);
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
  if (f->runs > runs) runs = f->runs;
  r->version = highest + (same ? 1 : RESTORE_JUMP);
  runs += same ? 1 : RUNS_JUMP;
  r->paused = 0;
  if (db_exec(db, "BEGIN IMMEDIATE", err)) return -1;
  if (pause_all(db, &r->version, &r->paused, err) == 0 &&
      renew_identity(db, runs, r->version, err) == 0 && db_exec(db, "COMMIT", err) == 0)
    return 0;
  sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
  return -1;
}

/* Checks the staged copy and makes it ready; it is one durable file afterwards. */
static int prepare(struct restored *r, struct ck_err *err) {
  sqlite3 *db = NULL;
  struct former f;
  int rc = sqlite3_open_v2(RESTORE_STAGED, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
                           NULL) == SQLITE_OK
               ? 0
               : db_fail(db, "it cannot be opened", err);
  if (rc == 0) db_harden(db);
  if (rc == 0)
    rc = db_exec(db,
                 "PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL;"
                 "PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16384",
                 err);
  if (rc == 0) rc = check_copy(db, err);
  if (rc == 0) read_former(&f);
  if (rc == 0) rc = make_own(db, &f, r, err);
  db_close(&db);
  return rc;
}

/* ---- the swap ---- */

/* The name of a decided copy that is still to be put in place; false: there is none. */
static bool find_swap(char name[96]) {
  DIR *dir = opendir(".");
  bool found = false;
  const size_t prefix = sizeof RESTORE_SWAP - 1;
  for (struct dirent *e; dir && !found && (e = readdir(dir));) {
    const char *time = e->d_name + prefix;
    found = strncmp(e->d_name, RESTORE_SWAP, prefix) == 0 && *time &&
            strspn(time, TIME_LETTERS) == strlen(time) && strlen(e->d_name) < 96;
    if (found) snprintf(name, 96, "%s", e->d_name);
  }
  if (dir) closedir(dir);
  return found;
}

/* The embedded mirror shows the former database, so it moves aside too. syncd fills a new one. */
static int move_mirror_aside(const struct ck_settings *s, const char *time, struct restored *r,
                             struct ck_err *err) {
  const char *file = ck_set_text(s, CK_SET_SYNC_SQLITE_FILE);
  if (strcmp(ck_set_text(s, CK_SET_SYNC_SINK), "sqlite") != 0) return 0;
  char *to = ck_sprintf("%s.before-%s", file, time);
  bool there = access(file, F_OK) == 0;
  int rc = move_aside(file, to, err);
  if (rc == 0 && (there || access(to, F_OK) == 0))
    snprintf(r->mirror_before, sizeof r->mirror_before, "%s", to);
  free(to);
  return rc;
}

static int swap(const struct ck_settings *s, const char *swap_file, struct restored *r,
                struct ck_err *err) {
  const char *time = swap_file + sizeof RESTORE_SWAP - 1;
  char *to = ck_sprintf(DB_FILE ".before-%s", time);
  int rc = move_aside(DB_FILE, to, err) || move_mirror_aside(s, time, r, err) || sync_folder(err) ||
                   move(swap_file, DB_FILE, err) || sync_folder(err)
               ? -1
               : 0;
  if (rc == 0 && access(to, F_OK) == 0) snprintf(r->before, sizeof r->before, "%s", to);
  free(to);
  if (rc) return ck_fail_in(err, "restore");
  r->state = RESTORED_DONE;
  ck_log(CK_WARN, DB_FILE, "restored", "version=%llu paused=%llu before=%s",
         (unsigned long long)r->version, (unsigned long long)r->paused,
         *r->before ? r->before : "-");
  return 0;
}

/* RESTORE_SWAP and the time, such as 20261122T200200Z; some seconds later if a former database has
 * that time in its name already. The caller frees it. */
static char *swap_name(void) {
  for (int64_t at = ck_now_ms();; at += 1000) {
    char text[CK_TIME_TEXT], compact[CK_TIME_TEXT];
    size_t n = 0;
    ck_time_text(text, at);
    for (const char *p = text; *p && *p != '.'; ++p)
      if (*p != '-' && *p != ':') compact[n++] = *p;
    compact[n] = '\0';
    char *before = ck_sprintf(DB_FILE ".before-%sZ", compact);
    bool taken = access(before, F_OK) == 0;
    free(before);
    if (!taken) return ck_sprintf(RESTORE_SWAP "%sZ", compact);
  }
}

static int refuse(struct restored *r) {
  ck_log(CK_ERROR, RESTORE_STAGED, "restore_refused", "reason=%s", ck_quotedz(r->reason.text));
  r->state = RESTORED_REFUSED;
  remove_with_journals(RESTORE_STAGED);
  return 0;
}

int restore_pending(const struct ck_settings *s, struct restored *r, struct ck_err *err) {
  char decided[96];
  *r = (struct restored){0};
  if (find_swap(decided) && swap(s, decided, r, err)) return -1;
  if (access(RESTORE_STAGED, F_OK)) return 0;
  if (prepare(r, &r->reason)) return refuse(r);
  char *name = swap_name();
  int rc = move(RESTORE_STAGED, name, err) || sync_folder(err) || swap(s, name, r, err) ? -1 : 0;
  free(name);
  return rc;
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

int restore_rewound(sqlite3 *db, struct restored *r, struct ck_err *err) {
  struct former lost = {0};
  uint64_t head;
  if (raise_head(db, err) || identity_of(db, lost.store_id, &lost.runs, err) ||
      db_head(db, &head, err))
    return -1;
  lost.highest = artifact_folder_saved_cursor(lost.store_id);
  if (lost.highest <= head) return 0;
  /* How far it came after the files' last note is unknown, as if it could not be read. */
  if (make_own(db, &lost, r, err)) return ck_fail_in(err, "rewound");
  r->state = RESTORED_DONE;
  ck_log(CK_WARN, DB_FILE, "rewound", "head=%llu files=%llu version=%llu paused=%llu",
         (unsigned long long)head, (unsigned long long)lost.highest, (unsigned long long)r->version,
         (unsigned long long)r->paused);
  return 0;
}

/* Two steps of the format, interrupted by a power cut or a kill at places all along the way: the
 * database has the format before or after a step, complete, and the next run goes on from there. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/database/db.h"
#include "tests/fault/power_store.h"
#include "tests/harness/vfs.h"

#define ROWS 2000

static void tidy(void) { power_folder_gone(); }

TestSuite(power_migration, .fini = tidy);

/* ---- two steps ---- */

static void fill(struct ck_buf *sql) {
  ck_buf_printf(sql,
                "CREATE TABLE t (a INTEGER PRIMARY KEY, text TEXT) STRICT;"
                "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
                " INSERT INTO t SELECT i, hex(randomblob(50)) FROM n;",
                ROWS);
}

static void rebuild(struct ck_buf *sql) {
  ck_buf_text(sql, "CREATE TABLE u (a INTEGER PRIMARY KEY, text TEXT, b INTEGER NOT NULL) STRICT; "
                   "INSERT INTO u SELECT a, text, 10 * a FROM t;"
                   "DROP TABLE t; ALTER TABLE u RENAME TO t; CREATE INDEX t_text ON t (text);");
}

static migration *const steps[] = {fill, rebuild, NULL};

static int64_t number(sqlite3 *db, const char *sql) {
  struct ck_err err = {""};
  int64_t n;
  cr_assert_eq(db_int(db, sql, -1, &n, &err), 0, "%s", err.text);
  return n;
}

/* Checks that the database has all of this format and nothing of the next. Returns the format. */
static int expect_whole(sqlite3 *db) {
  struct ck_err err = {""};
  static const int64_t things[] = {0, 1, 2};
  int format;
  cr_assert_eq(db_format(db, steps, &format, &err), 0, "%s", err.text);
  cr_assert_eq(
      number(db, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"), 0);
  cr_assert_eq(number(db, "SELECT count(*) FROM sqlite_schema"), things[format], "format %d",
               format);
  if (format)
    cr_assert_eq(number(db, "SELECT count(*) FROM t WHERE length(text) = 100"), ROWS, "format %d",
                 format);
  if (format == 2) cr_assert_eq(number(db, "SELECT sum(b) FROM t"), INT64_C(5) * ROWS * (ROWS + 1));
  return format;
}

/* ---- the run that is interrupted ---- */

static sqlite3 *open_at(bool wal) {
  sqlite3 *db = NULL;
  struct ck_err err = {""};
  if (sqlite3_open(DB_FILE, &db) == SQLITE_OK &&
      db_exec(db,
              wal ? "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL"
                  : "PRAGMA synchronous = FULL",
              &err) == 0)
    return db;
  db_close(&db);
  return NULL;
}

static int migrate(bool wal) {
  struct ck_err err = {""};
  sqlite3 *db = open_at(wal);
  int rc = db ? db_migrate(db, steps, &err) : -1;
  db_close(&db);
  return rc;
}

/* Counts the format that is found, and migrates to the last. */
static void go_on(bool wal, unsigned found[3]) {
  sqlite3 *db = open_at(wal);
  cr_assert(db);
  ++found[expect_whole(db)];
  db_close(&db);
  cr_assert_eq(migrate(wal), 0);
  db = open_at(wal);
  cr_assert_eq(expect_whole(db), 2);
  db_close(&db);
}

static void say(const char *what, const unsigned found[3]) {
  fprintf(stderr,
          "power: two steps of the format, %s at %u places: %u times none was done, %u times one, "
          "%u times both; all went on\n",
          what, found[0] + found[1] + found[2], found[0], found[1], found[2]);
  cr_expect(found[0] && found[1] && found[2], "not every moment was met");
}

/* ---- power cuts ---- */

/* False: there are no more places. */
static bool cut_at(unsigned nth, bool wal, enum vfs_survives what, unsigned found[3]) {
  vfs_power_on(VFS_ALL); /* while the folder exists */
  power_folder();
  vfs_fail(VFS_CUT, nth, UINT32_MAX);
  int rc = migrate(wal);
  bool came = vfs_failed();
  cr_assert(came || rc == 0);
  vfs_power_on(what);
  if (came) go_on(wal, found);
  return came;
}

Test(power_migration, cuts, .timeout = 600) {
  unsigned found[3] = {0};
  vfs_install(power_below);
  for (int wal = 0; wal < 2; ++wal)
    for (enum vfs_survives what = VFS_SYNCED_ONLY; what <= VFS_SOME; ++what)
      for (unsigned nth = 1; cut_at(nth, wal, what, found); nth += 1 + nth / 16) {
      }
  say("cut", found);
}

/* ---- kill -9 ---- */

static long left;

static int die(void *unused) {
  (void)unused;
  if (--left == 0) kill(getpid(), SIGKILL);
  return 0;
}

static int die_after_commit(void *unused, sqlite3 *db, const char *name, int pages) {
  (void)db, (void)name, (void)pages;
  return die(unused);
}

/* In a process of its own: killed within a statement (every 500 operations of SQLite's virtual
 * machine), before a commit, or after one. */
static bool kill_at(long nth, int moment, unsigned found[3]) {
  int status;
  power_folder();
  pid_t pid = fork();
  cr_assert(pid >= 0);
  if (pid == 0) {
    struct ck_err err = {""};
    sqlite3 *db = open_at(true);
    left = nth;
    if (moment == 0) sqlite3_progress_handler(db, 500, die, NULL);
    if (moment == 1) sqlite3_commit_hook(db, die, NULL);
    if (moment == 2) sqlite3_wal_hook(db, die_after_commit, NULL);
    _exit(db_migrate(db, steps, &err) ? 1 : 0);
  }
  cr_assert_eq(waitpid(pid, &status, 0), pid);
  bool killed = WIFSIGNALED(status);
  cr_assert(killed || (WIFEXITED(status) && WEXITSTATUS(status) == 0), "it ended with %x",
            (unsigned)status);
  if (killed) go_on(true, found);
  return killed;
}

Test(power_migration, kills, .timeout = 600) {
  unsigned found[3] = {0};
  for (int moment = 0; moment < 3; ++moment)
    for (long nth = 1; kill_at(nth, moment, found); nth += 1 + nth / 16) {
    }
  say("killed", found);
}

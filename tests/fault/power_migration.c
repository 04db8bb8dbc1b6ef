/* A database of an older format, whatever ends the start that brings it to this one: it is of the old format, of one between them or of the new one, nothing
 * is lost, and the next start goes on.
 *
 *   CONVKEEP_TEST_CUTS   how many power cuts, and as many kills (100)
 *   CONVKEEP_TEST_SEED   where chance begins
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/clock.h"
#include "store/migrations.h"
#include "tests/fault/power_store.h"
#include "tests/harness/vfs.h"

#define CUTS 100
#define NEWEST_FILE "newest.db"
/* The first that has what the stream writes, and the first with ids in tables of their own, and in a filter too. */
#define OLDEST 2
#define WITH_KEYS 5
#define WITH_FILTER 6
#define WITH_LAYERS 7

static struct power_store s;

static void tidy(void) { power_folder_gone(); }

TestSuite(power_migration, .fini = tidy);

static uint64_t wanted(void) {
  const char *given = getenv("CONVKEEP_TEST_CUTS");
  return given ? strtoull(given, NULL, 10) : CUTS;
}

static bool one_in(uint64_t n) { return power_below(n) == 0; }

static void run(sqlite3 *db, const char *sql) {
  struct ck_err err = {""};
  cr_assert_eq(db_exec(db, sql, &err), 0, "%s", err.text);
}

static void run_made(sqlite3 *db, char *sql) {
  run(db, sql);
  free(sql);
}

/* ---- a database of an older format, with what the newest has ---- */

static void copy_table(sqlite3 *db, const char *table) {
  struct ck_err err = {""};
  char *sql = ck_sprintf("SELECT group_concat(name, ', ') FROM pragma_table_info('%s')", table);
  sqlite3_stmt *q = db_prepare(db, sql, &err);
  cr_assert(q && sqlite3_step(q) == SQLITE_ROW, "%s", err.text);
  const char *columns = (const char *)sqlite3_column_text(q, 0);
  run_made(db, ck_sprintf("DELETE FROM main.%s; INSERT INTO main.%s (%s) SELECT %s FROM newest.%s", table, table, columns, columns, table));
  sqlite3_finalize(q);
  free(sql);
}

static void copy_tables(sqlite3 *db) {
  struct ck_err err = {""};
  sqlite3_stmt *q =
      db_prepare(db, "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name NOT LIKE 'message_keys%'", &err);
  cr_assert(q, "%s", err.text);
  while (sqlite3_step(q) == SQLITE_ROW) copy_table(db, (const char *)sqlite3_column_text(q, 0));
  sqlite3_finalize(q);
}

/* The newest of the older formats, whose filter the store makes. */
static void put_layer(sqlite3 *db) {
  run(db, "INSERT INTO message_keys_sorted SELECT 0, id, version FROM messages WHERE version <= 200;"
          "INSERT INTO message_keys_new SELECT version, id, 0 FROM messages WHERE version > 150;"
          "UPDATE message_keys_pass SET began = 200, upto = 150");
}

/* Ids on every part of their way, some of them twice. */
static void put_keys(sqlite3 *db, int format) {
  int64_t head;
  struct ck_err err = {""};
  cr_assert_eq(db_int(db, "SELECT max(version) FROM messages", 0, &head, &err), 0, "%s", err.text);
  int64_t moved = head * (int64_t)power_below(101) / 100, large = moved * (int64_t)power_below(101) / 100;
  run_made(db,
           ck_sprintf("INSERT INTO message_keys_large SELECT id, version FROM messages WHERE version <= %lld;"
                      "INSERT INTO message_keys_small SELECT id, version FROM messages WHERE version > %lld AND version <= %lld;"
                      "INSERT INTO message_keys_new SELECT version, id FROM messages WHERE version > %lld;"
                      "UPDATE message_keys_pass SET began = %lld, upto = %lld",
                      (long long)large, (long long)large * 9 / 10, (long long)moved, (long long)moved * 8 / 10, (long long)moved, (long long)moved * 8 / 10));
  if (format >= WITH_FILTER)
    run(db, "INSERT INTO message_keys_layers VALUES (0, 999, 4, 4096);"
            "INSERT INTO message_keys_filter VALUES (0, zeroblob(4096)), (1, zeroblob(4096)), (2, zeroblob(4096)), (3, zeroblob(4096))");
}

static int64_t format_of(sqlite3 *db) {
  struct ck_err err = {""};
  int64_t format;
  cr_assert_eq(db_int(db, "PRAGMA user_version", 0, &format, &err), 0, "%s", err.text);
  return format;
}

/* From NEWEST_FILE. What it holds may be in its WAL. */
static void make_format(int format) {
  sqlite3 *db = NULL;
  cr_assert_eq(sqlite3_open(DB_FILE, &db), SQLITE_OK);
  if (one_in(2)) {
    run(db, "PRAGMA journal_mode = WAL");
    sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
  }
  run(db, "ATTACH '" NEWEST_FILE "' AS newest");
  for (int i = 0; i < format; ++i) run(db, store_migrations[i]);
  copy_tables(db);
  if (format >= WITH_LAYERS)
    put_layer(db);
  else if (format >= WITH_KEYS)
    put_keys(db, format);
  run_made(db, ck_sprintf("PRAGMA user_version = %d", format));
  db_close(&db);
}

static int any_format(void) { return one_in(2) ? db_schema_number() - 1 : OLDEST + (int)power_below((uint64_t)db_schema_number() - OLDEST); }

/* Returns its format. *applied: the changesets in it. Nothing of it is only half on the disk. */
static int make_old(uint64_t *applied) {
  struct ck_err err = {""};
  vfs_power_on(VFS_ALL);
  power_folder();
  power_stream(power_below(UINT64_MAX), 1);
  cr_assert_eq(power_open(&s, &err), 0, "%s", err.text);
  for (uint64_t left = 1 + power_below(12); left; --left) cr_assert_eq(power_batch(&s, 40, &err), 0, "%s", err.text);
  *applied = power_applied(&s);
  power_close(&s);
  vfs_power_on(VFS_ALL);
  cr_assert_eq(rename(DB_FILE, NEWEST_FILE), 0);
  int format = any_format();
  make_format(format);
  vfs_power_on(VFS_ALL);
  return format;
}

/* ---- what there is afterwards ---- */

struct tally {
  uint64_t old, between, newest;
};

static void expect_a_format(int old, struct tally *t) {
  sqlite3 *db = NULL;
  cr_assert_eq(sqlite3_open_v2(DB_FILE, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
  sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
  int64_t format = format_of(db);
  db_close(&db);
  cr_assert(format >= old && format <= db_schema_number(), "format %d became %" PRId64, old, format);
  ++*(format == old ? &t->old : format < db_schema_number() ? &t->between : &t->newest);
}

static void expect_all(uint64_t applied) {
  struct ck_err err = {""};
  cr_assert_eq(power_open(&s, &err), 0, "%s", err.text);
  cr_assert_eq(format_of(s.db), db_schema_number());
  cr_assert_eq(power_applied(&s), applied);
  power_verify(&s, applied);
  for (int i = 0; i < 3; ++i) cr_assert_eq(power_batch(&s, 20, &err), 0, "%s", err.text);
  power_verify(&s, applied + 60);
  power_close(&s);
}

static void say(const char *what, uint64_t n, const struct tally *t, int64_t began) {
  fprintf(stderr,
          "power: %" PRIu64 " %s, %" PRIu64 " of them before the first migration's end, %" PRIu64 " between two, %" PRIu64
          " behind the last; all went on, 0 lost, %lld ms\n",
          n, what, t->old, t->between, t->newest, (long long)(ck_boot_ms() - began));
  /* Of a hundred some seven fall between two: a few hundred are sure to have one. */
  cr_expect(t->old && t->newest && (t->between || n < 5 * CUTS), "not every moment was met");
}

/* ---- cuts ---- */

/* False: the power did not go before the end. */
static bool cut_the_start(unsigned nth) {
  struct ck_err err = {""};
  vfs_fail(one_in(4) ? VFS_CUT_SYNC : VFS_CUT, nth, UINT32_MAX);
  int rc = power_open(&s, &err);
  bool came = vfs_failed();
  cr_assert(came ? rc == 0 || err.text[0] : rc == 0, "%s", err.text);
  power_close(&s);
  vfs_power_on((enum vfs_survives[]){VFS_SYNCED_ONLY, VFS_ALL, VFS_SOME, VFS_SOME}[power_below(4)]);
  return came;
}

Test(power_migration, cuts, .timeout = 3600) {
  struct tally t = {0};
  uint64_t cuts = 0, applied;
  int64_t began = ck_boot_ms();
  vfs_install(power_below);
  while (cuts < wanted()) {
    int old = make_old(&applied);
    do {
      if (!cut_the_start(1 + (unsigned)power_below(one_in(4) ? 60 : 10))) break;
      ++cuts;
      expect_a_format(old, &t);
    } while (one_in(3));
    expect_all(applied);
  }
  say("power cuts while a database of an older format is opened", cuts, &t, began);
}

/* ---- kills ---- */

/* Returns the microseconds that it took, or until it was killed; *killed: whether it was. */
static int64_t open_and_kill(int64_t after_us, bool *killed) {
  int status;
  int64_t began = ck_mono_us();
  pid_t pid = fork();
  cr_assert(pid >= 0);
  if (pid == 0) {
    struct ck_err err = {""};
    _exit(power_open(&s, &err) ? 1 : 0);
  }
  if (after_us) {
    usleep((useconds_t)after_us);
    kill(pid, SIGKILL);
  }
  cr_assert_eq(waitpid(pid, &status, 0), pid);
  *killed = WIFSIGNALED(status);
  cr_assert(*killed || (WIFEXITED(status) && WEXITSTATUS(status) == 0), "the start ended with %x", (unsigned)status);
  return ck_mono_us() - began;
}

Test(power_migration, kills, .timeout = 3600) {
  struct tally t = {0};
  uint64_t kills = 0, applied;
  int64_t began = ck_boot_ms(), usual = 20000;
  bool killed;
  while (kills < wanted()) {
    int old = make_old(&applied);
    int64_t took = open_and_kill(1 + (int64_t)power_below((uint64_t)usual), &killed);
    kills += killed;
    if (killed)
      expect_a_format(old, &t);
    else
      usual = took;
    expect_all(applied);
  }
  say("kills while a database of an older format is opened", kills, &t, began);
}

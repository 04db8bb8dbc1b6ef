/* Database files without the bytes of what was deleted from them: what is stored stays whole. */
#include <criterion/criterion.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/file.h"
#include "proto/sqlite_pages.h"
#include "proto/text.h"

static char folder[] = "/tmp/convkeep-pages.XXXXXX";

static void begin(void) {
  cr_assert(mkdtemp(folder));
  cr_assert_eq(chdir(folder), 0);
}

static void end(void) {
  unlink("a.db");
  cr_assert_eq(rmdir(folder), 0);
}

TestSuite(sqlite_pages, .init = begin, .fini = end);

static void run(sqlite3 *db, const char *sql) {
  char *problem = NULL;
  sqlite3_exec(db, sql, NULL, NULL, &problem);
  cr_assert(!problem, "%s: %s", sql, problem);
}

static char *text(sqlite3 *db, const char *sql) {
  sqlite3_stmt *s;
  cr_assert_eq(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK, "%s", sqlite3_errmsg(db));
  cr_assert_eq(sqlite3_step(s), SQLITE_ROW);
  char *got = ck_strdup((const char *)sqlite3_column_text(s, 0));
  sqlite3_finalize(s);
  return got;
}

/* Rows of all lengths come, grow, shrink and go, beside an index; and the file is as SQLite wants
 * it, also for a connection that reads it anew. */
static void live(const char *pragmas) {
  sqlite3 *db;
  struct ck_sqlite_pages seen;
  cr_assert_eq(sqlite3_open_v2("a.db", &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                               ck_sqlite_pages_vfs()),
               SQLITE_OK);
  ck_sqlite_pages_guard(db);
  run(db, pragmas);
  run(db, "PRAGMA secure_delete = ON; CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT, c TEXT);"
          "CREATE INDEX i ON t (c, b)");
  for (int round = 0; round < 4; round++) {
    run(db, "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)"
            " INSERT OR REPLACE INTO t SELECT abs(random() % 9000),"
            " substr(hex(zeroblob(4000)), 1, abs(random() % 200) * (1 + (i % 40 = 0) * 30)),"
            " hex(randomblob(abs(random() % 30))) FROM n");
    run(db,
        "DELETE FROM t WHERE a % 3 = abs(random() % 3); UPDATE t SET c = c || a WHERE a % 7 = 1");
  }
  char *rows = text(db, "SELECT count(*) || ' ' || sum(a) || ' ' || sum(length(b)) FROM t");
  sqlite3_close(db);
  cr_assert_eq(sqlite3_open_v2("a.db", &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
  char *check = text(db, "PRAGMA integrity_check"),
       *again = text(db, "SELECT count(*) || ' ' || sum(a) || ' ' || sum(length(b)) FROM t");
  cr_expect_str_eq(check, "ok");
  cr_expect_str_eq(again, rows);
  sqlite3_close(db);
  free(rows), free(check), free(again);
  cr_assert_eq(sqlite3_open_v2("a.db", &db, SQLITE_OPEN_READWRITE, ck_sqlite_pages_vfs()),
               SQLITE_OK);
  free(text(db, "PRAGMA integrity_check"));
  cr_expect(ck_sqlite_pages_seen(db, "main", &seen) && seen.sealed);
  cr_expect_eq(seen.count, 0, "page %u", seen.pages[0]);
  sqlite3_close(db);
}

Test(sqlite_pages, in_a_wal) { live("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 20"); }
Test(sqlite_pages, with_a_journal) { live("PRAGMA journal_mode = DELETE"); }
Test(sqlite_pages, small_pages) { live("PRAGMA page_size = 512; PRAGMA journal_mode = WAL"); }
Test(sqlite_pages, large_pages) { live("PRAGMA page_size = 65536; PRAGMA journal_mode = WAL"); }

/* Its maps of pages begin like pages of b-trees. */
Test(sqlite_pages, auto_vacuum) { live("PRAGMA auto_vacuum = FULL; PRAGMA journal_mode = WAL"); }
Test(sqlite_pages, auto_vacuum_of_small_pages) {
  for (int i = 0; i < 8; i++) {
    live("PRAGMA page_size = 2048; PRAGMA auto_vacuum = FULL; PRAGMA journal_mode = WAL");
    unlink("a.db");
  }
}

/* ---- seals ---- */

static sqlite3 *open_guarded(void) {
  sqlite3 *db;
  cr_assert_eq(sqlite3_open_v2("a.db", &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                               ck_sqlite_pages_vfs()),
               SQLITE_OK);
  ck_sqlite_pages_guard(db);
  return db;
}

static void make_rows(void) {
  sqlite3 *db = open_guarded();
  run(db, "PRAGMA journal_mode = WAL; CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)");
  run(db, "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400)"
          " INSERT INTO t SELECT i, 'row ' || i || hex(zeroblob(50)) FROM n");
  sqlite3_close(db);
}

/* Turns a bit in the first byte of a row's text. Returns the number of its page. */
static uint32_t turn_bit(const char *found) {
  struct ck_buf file = {0};
  cr_assert_eq(ck_read_file(AT_FDCWD, "a.db", 0, SIZE_MAX, &file, NULL), 0);
  char *at = memmem(file.data, file.len, found, strlen(found));
  cr_assert(at);
  long place = at - file.data;
  char turned = (char)(*at ^ 1);
  int fd = open("a.db", O_RDWR | O_CLOEXEC);
  cr_assert_eq(pwrite(fd, &turned, 1, place), 1);
  close(fd);
  ck_buf_free(&file);
  return (uint32_t)(place / 4096) + 1;
}

static void expect_seen(unsigned count, uint32_t page) {
  sqlite3 *db = open_guarded();
  struct ck_sqlite_pages seen;
  char *check = text(db, "PRAGMA integrity_check");
  cr_expect_str_eq(check, "ok");
  cr_assert(ck_sqlite_pages_seen(db, "main", &seen) && seen.sealed);
  cr_expect_eq(seen.count, count);
  if (count) cr_expect_eq(seen.pages[0], page);
  free(check);
  sqlite3_close(db);
}

/* SQLite does not notice it. It is found after other rows of its page were written, and in a copy,
 * until somebody takes the page as it is. */
Test(sqlite_pages, a_bit_in_a_text) {
  struct ck_err err;
  uint64_t changed;
  make_rows();
  expect_seen(0, 0);
  uint32_t page = turn_bit("row 77");
  expect_seen(1, page);
  sqlite3 *db = open_guarded();
  run(db, "UPDATE t SET b = 'another row' WHERE a = 76");
  sqlite3_close(db);
  expect_seen(1, page);
  db = open_guarded();
  sqlite3 *copy;
  cr_assert_eq(sqlite3_open_v2("b.db", &copy, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                               ck_sqlite_pages_vfs()),
               SQLITE_OK);
  sqlite3_backup *b = sqlite3_backup_init(copy, "main", db, "main");
  cr_assert_eq(sqlite3_backup_step(b, -1), SQLITE_DONE);
  sqlite3_backup_finish(b);
  sqlite3_close(copy);
  cr_assert_eq(ck_sqlite_pages_accept(db, &changed, &err), 0, "%s", err.text);
  cr_expect_eq(changed, 1);
  sqlite3_close(db);
  expect_seen(0, 0);
  cr_assert_eq(rename("b.db", "a.db"), 0);
  expect_seen(1, page);
}

Test(sqlite_pages, a_strict_connection_does_not_read_it) {
  make_rows();
  turn_bit("row 77");
  sqlite3 *db = open_guarded();
  ck_sqlite_pages_strict(db);
  cr_expect_eq(sqlite3_exec(db, "SELECT sum(length(b)) FROM t", NULL, NULL, NULL), SQLITE_CORRUPT);
  sqlite3_close(db);
}

/* Its pages look damaged until they are taken as they are; to it the file is like any other. */
Test(sqlite_pages, another_program_writes) {
  sqlite3 *db;
  struct ck_err err;
  uint64_t changed;
  make_rows();
  cr_assert_eq(sqlite3_open("a.db", &db), SQLITE_OK);
  run(db, "UPDATE t SET b = 'by hand' WHERE a = 5");
  sqlite3_close(db);
  db = open_guarded();
  struct ck_sqlite_pages seen;
  char *got = text(db, "SELECT b FROM t WHERE a = 5");
  cr_expect_str_eq(got, "by hand");
  free(got);
  cr_assert(ck_sqlite_pages_seen(db, "main", &seen));
  cr_expect_eq(seen.count, 1);
  cr_assert_eq(ck_sqlite_pages_accept(db, &changed, &err), 0, "%s", err.text);
  cr_expect_eq(changed, 1);
  sqlite3_close(db);
  expect_seen(0, 0);
}

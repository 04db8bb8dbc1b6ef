/* Database files without the bytes of what was deleted from them: what is stored stays whole. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
  cr_assert_eq(sqlite3_open_v2("a.db", &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                               ck_sqlite_pages_vfs()),
               SQLITE_OK);
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

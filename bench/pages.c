/* What the seals of pages (proto/sqlite_pages.h) and secure_delete cost: the same rows through the
 * same VFS into a file with both, and into files without one of them, by processor time. */
#include <sqlite3.h>
#include <stdio.h>
#include <time.h>

#include "bench/common.h"
#include "proto/sqlite_pages.h"

#define ROWS 60000
#define ROWS_A_COMMIT 100
#define TEXT 500

enum { WRITTEN, CHANGED, READ, PHASES };
static const char *const phase_names[PHASES] = {"written", "changed", "read"};

enum { BOTH, NO_SEALS, NO_SECURE_DELETE, ARMS };
static struct arm {
  bool sealed, secure_delete;
  struct bench_series us[PHASES]; /* a row */
} arms[ARMS] = {[BOTH] = {.sealed = true, .secure_delete = true},
                [NO_SEALS] = {.secure_delete = true},
                [NO_SECURE_DELETE] = {.sealed = true}};
static struct bench_series ratio[ARMS][PHASES]; /* of BOTH to that arm */

static void run(sqlite3 *db, const char *sql) {
  if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
    bench_fail("%s: %s", sql, sqlite3_errmsg(db));
}

static double cpu_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static sqlite3 *open_file(const struct arm *a) {
  sqlite3 *db;
  if (sqlite3_open_v2("pages.db", &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                      ck_sqlite_pages_vfs()) != SQLITE_OK)
    bench_fail("pages.db cannot be opened");
  if (a->sealed) ck_sqlite_pages_guard(db);
  run(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
          "PRAGMA wal_autocheckpoint = 4000; PRAGMA cache_size = -16384");
  run(db, a->secure_delete ? "PRAGMA secure_delete = ON" : "PRAGMA secure_delete = OFF");
  return db;
}

/* Runs a statement for each row, with its number and a text. */
static double each_row(const struct arm *a, const char *sql, char letter) {
  sqlite3 *db = open_file(a);
  sqlite3_stmt *s;
  char text[TEXT];
  memset(text, letter, sizeof text);
  sqlite3_prepare_v2(db, sql, -1, &s, NULL);
  double began = cpu_us();
  for (int i = 0; i < ROWS; i++) {
    if (i % ROWS_A_COMMIT == 0) run(db, "BEGIN");
    sqlite3_bind_int(s, 1, i);
    sqlite3_bind_text(s, 2, text, sizeof text, SQLITE_STATIC);
    if (sqlite3_step(s) != SQLITE_DONE) bench_fail("row %d: %s", i, sqlite3_errmsg(db));
    sqlite3_reset(s);
    if (i % ROWS_A_COMMIT == ROWS_A_COMMIT - 1) run(db, "COMMIT");
  }
  sqlite3_finalize(s);
  sqlite3_close(db);
  return (cpu_us() - began) / ROWS;
}

/* Rows in the order in which they come, and an index of ids in none. */
static double write_rows(const struct arm *a) {
  sqlite3 *db = open_file(a);
  run(db, "CREATE TABLE m (version INTEGER PRIMARY KEY, id TEXT UNIQUE, text TEXT)");
  sqlite3_close(db);
  return each_row(a, "INSERT INTO m VALUES (?1, hex(?1 * 2654435761 % 4294967296), ?2)", 'x');
}

/* As the store does it: a row that changes moves to the end. */
static double change_rows(const struct arm *a) {
  return each_row(a, "UPDATE m SET version = version + 1000000, text = ?2 WHERE version = ?1", 'y');
}

static double read_rows(const struct arm *a) {
  sqlite3 *db = open_file(a);
  double began = cpu_us();
  run(db, "SELECT sum(length(text)) FROM m");
  double us = (cpu_us() - began) / ROWS;
  sqlite3_close(db);
  return us;
}

static void one(struct arm *a, double us[PHASES]) {
  bench_enter("pages");
  us[WRITTEN] = write_rows(a);
  us[CHANGED] = change_rows(a);
  us[READ] = read_rows(a);
  bench_leave();
  for (int p = 0; p < PHASES; p++) bench_add(&a->us[p], us[p]);
}

int main(void) {
  for (int r = 0; r < bench_rounds(); ++r) {
    double us[ARMS][PHASES];
    for (int i = 0; i < ARMS; ++i) one(&arms[(i + r) % ARMS], us[(i + r) % ARMS]);
    for (int a = 0; a < ARMS; ++a)
      for (int p = 0; p < PHASES; ++p) bench_add(&ratio[a][p], us[BOTH][p] / us[a][p]);
  }
  printf(
      "## The seals of pages, and secure_delete\n\n"
      "%d rows of %d bytes with an index of their ids, %d a commit, through the store's VFS; then "
      "each changed, which moves it to the end as in the store; then all of them read from the "
      "file. Processor time in µs a row, of SQLite and all. secure_delete overwrites what a "
      "change or a deletion frees.\n\n"
      "| | with both | without seals | both / it | without secure_delete | both / it |\n"
      "|:--|--:|--:|--:|--:|--:|\n",
      ROWS, TEXT, ROWS_A_COMMIT);
  for (int p = 0; p < PHASES; ++p) {
    printf("| %s | %s |", phase_names[p], bench_cell(&arms[BOTH].us[p], 2));
    for (int a = NO_SEALS; a < ARMS; ++a) {
      printf(" %s |", bench_cell(&arms[a].us[p], 2));
      printf(" **%s** |", bench_cell(&ratio[a][p], 2));
    }
    printf("\n");
  }
  printf("\nWritten, with and without seals: %s.\n",
         bench_verdict("Pages written with seals, processor time of that without",
                       bench_share(&ratio[NO_SEALS][WRITTEN], 0.5), false, 1.1, ""));
  return 0;
}

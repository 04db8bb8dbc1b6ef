/* What the seals of pages cost (proto/sqlite_pages.h): the same rows through the same VFS into a
 * file with and into one without them, and all of them read again, by processor time. */
#include <sqlite3.h>
#include <stdio.h>
#include <time.h>

#include "bench/common.h"
#include "proto/sqlite_pages.h"

#define ROWS 60000
#define ROWS_A_COMMIT 100
#define TEXT 500

static struct arm {
  bool sealed;
  struct bench_series write_us, read_us; /* a row */
} arms[] = {{.sealed = false}, {.sealed = true}};
static struct bench_series written, read_again;

static void run(sqlite3 *db, const char *sql) {
  if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
    bench_fail("%s: %s", sql, sqlite3_errmsg(db));
}

static double cpu_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static sqlite3 *open_file(bool sealed) {
  sqlite3 *db;
  if (sqlite3_open_v2("pages.db", &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                      ck_sqlite_pages_vfs()) != SQLITE_OK)
    bench_fail("pages.db cannot be opened");
  if (sealed) ck_sqlite_pages_guard(db);
  run(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;"
          "PRAGMA wal_autocheckpoint = 4000; PRAGMA cache_size = -16384");
  return db;
}

/* Rows in the order in which they come, and an index of ids in none. */
static double write_rows(bool sealed) {
  sqlite3 *db = open_file(sealed);
  sqlite3_stmt *s;
  run(db, "CREATE TABLE m (version INTEGER PRIMARY KEY, id TEXT UNIQUE, text TEXT)");
  sqlite3_prepare_v2(db, "INSERT INTO m VALUES (?1, hex(?1 * 2654435761 % 4294967296), ?2)", -1, &s,
                     NULL);
  char text[TEXT];
  memset(text, 'x', sizeof text);
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

static double read_rows(bool sealed) {
  sqlite3 *db = open_file(sealed);
  double began = cpu_us();
  run(db, "SELECT sum(length(text)) FROM m");
  double us = (cpu_us() - began) / ROWS;
  sqlite3_close(db);
  return us;
}

static void one(struct arm *a, double *write, double *read) {
  bench_enter("pages");
  *write = write_rows(a->sealed);
  *read = read_rows(a->sealed);
  bench_leave();
  bench_add(&a->write_us, *write);
  bench_add(&a->read_us, *read);
}

int main(void) {
  for (int r = 0; r < bench_rounds(); ++r) {
    double write[2], read[2];
    for (int i = 0; i < 2; ++i) one(&arms[(i + r) % 2], &write[(i + r) % 2], &read[(i + r) % 2]);
    bench_add(&written, write[1] / write[0]);
    bench_add(&read_again, read[1] / read[0]);
  }
  printf(
      "## The seals of pages\n\n"
      "%d rows of %d bytes with an index of their ids, %d a commit, through the store's VFS into "
      "a file with and into one without seals; then all of them read from the file. Processor "
      "time in µs a row, of SQLite and all.\n\n"
      "| | without | with | with / without |\n|:--|--:|--:|--:|\n",
      ROWS, TEXT, ROWS_A_COMMIT);
  printf("| written | %s", bench_cell(&arms[0].write_us, 2));
  printf(" | %s", bench_cell(&arms[1].write_us, 2));
  printf(" | **%s** |\n", bench_cell(&written, 2));
  printf("| read | %s", bench_cell(&arms[0].read_us, 2));
  printf(" | %s", bench_cell(&arms[1].read_us, 2));
  printf(" | **%s** |\n", bench_cell(&read_again, 2));
  printf("\nWritten, ratio: %s.\n",
         bench_verdict("Pages written with seals, processor time of that without",
                       bench_share(&written, 0.5), false, 1.1, ""));
  return 0;
}

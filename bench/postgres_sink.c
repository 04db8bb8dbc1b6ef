/* The mirror in PostgreSQL: how fast syncd writes a backlog from the store's database to an empty
 * mirror, compared with COPY of the same rows with the same guard. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/copy.h"
#include "bench/postgres.h"
#include "bench/producer.h"
#include "proto/clock.h"

#define MESSAGES 40000
#define LOOK_US 2000
#define STALL_MS 120000
#define WORKERS_MAX 2
/* The bound holds if syncd reaches one of the two. */
#define OF_COPY 0.7
#define ROWS_A_SECOND 30000

/* What the store has, so what the mirror must have. */
struct expected {
  int64_t rows, sum;  /* sum: of all versions */
  struct ck_buf last; /* the query for the version of the record written last */
  int64_t version;    /* its expected answer */
};

/* ---- a ring ---- */

static sqlite3_stmt *query(sqlite3 *db, const char *sql) {
  sqlite3_stmt *st;
  if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) || sqlite3_step(st) != SQLITE_ROW)
    bench_fail("artifact.db: %s", sqlite3_errmsg(db));
  return st;
}

static void expect_table(sqlite3 *db, enum ck_table t, struct expected *e) {
  struct ck_buf sql = {0};
  const char *name = ck_tables[t].name, *key = ck_tables[t].fields[ck_tables[t].key].name;
  ck_buf_printf(&sql,
                "SELECT count(*), coalesce(sum(version), 0), coalesce(max(version), 0), (SELECT %s "
                "FROM %s ORDER BY version DESC LIMIT 1) FROM %s",
                key, name, name);
  sqlite3_stmt *st = query(db, ck_buf_cstr(&sql));
  e->rows += sqlite3_column_int64(st, 0);
  e->sum += sqlite3_column_int64(st, 1);
  if (sqlite3_column_int64(st, 2) > e->version) {
    e->version = sqlite3_column_int64(st, 2);
    ck_buf_clear(&e->last);
    ck_buf_printf(&e->last, "SELECT version FROM %s WHERE %s = '%s'", name, key,
                  (const char *)sqlite3_column_text(st, 3));
  }
  sqlite3_finalize(st);
  ck_buf_free(&sql);
}

/* Creates a folder with a store that has the backlog. Each new PostgreSQL database is another
 * mirror, filled from the start, so one store serves many measurements. */
static void open_ring(size_t text, uint64_t seed, struct expected *e) {
  struct bench_load load =
      bench_load_of((struct bench_kind){.n = MESSAGES, .text = text, .seed = seed});
  struct bench_pace pace = {.in_flight = 1000};
  struct bench_pushed pushed;
  sqlite3 *db;
  bench_enter("ring");
  pid_t store = bench_daemon("store");
  bench_push(&load, &pace, &pushed);
  bench_free(&pushed.latency_ms);
  bench_load_free(&load);
  bench_wait_files();
  bench_stop(&store);
  if (sqlite3_open_v2("artifact.db", &db, SQLITE_OPEN_READONLY, NULL))
    bench_fail("artifact.db: %s", sqlite3_errmsg(db));
  for (enum ck_table t = 0; t < CK_TABLES; ++t) expect_table(db, t, e);
  sqlite3_close(db);
}

static void check(PGconn *mirror, const struct expected *e, const char *who) {
  int64_t rows = 0, sum = 0;
  for (enum ck_table t = 0; t < CK_TABLES; ++t) {
    struct ck_buf sql = {0};
    ck_buf_printf(&sql, "SELECT count(*) FROM %s", ck_tables[t].name);
    rows += copy_number(mirror, ck_buf_cstr(&sql));
    ck_buf_clear(&sql);
    ck_buf_printf(&sql, "SELECT sum(version) FROM %s", ck_tables[t].name);
    sum += copy_number(mirror, ck_buf_cstr(&sql));
    ck_buf_free(&sql);
  }
  if (rows != e->rows || sum != e->sum)
    bench_fail("%s: %lld rows in the mirror, not %lld", who, (long long)rows, (long long)e->rows);
}

/* Creates a new mirror on a server that has finished all earlier writes. */
static PGconn *fresh(const char *folder) {
  static unsigned number;
  char name[32];
  PGconn *mirror;
  if (number) {
    snprintf(name, sizeof name, "mirror_%u", number);
    copy_drop(folder, name);
  }
  snprintf(name, sizeof name, "mirror_%u", ++number);
  mirror = copy_database(folder, name);
  setenv("CONVKEEP_SYNC_SINKS", "postgres", 1);
  setenv("CONVKEEP_POSTGRES_HOST", folder, 1);
  setenv("CONVKEEP_POSTGRES_USER", "postgres", 1);
  setenv("CONVKEEP_POSTGRES_DATABASE", name, 1);
  copy_sql(mirror, "CHECKPOINT");
  bench_calm();
  return mirror;
}

/* Whether everything is in the mirror. The last batch alone does not tell: with two workers, it may
 * be written before others. */
static bool is_there(PGconn *mirror, const char *last, const struct expected *e) {
  return copy_number(mirror, last) == e->version &&
         copy_number(mirror, "SELECT count(*) FROM messages") == MESSAGES;
}

/* Returns rows a second, from the start of the workers until a reader sees everything. */
static double drain(PGconn *mirror, const struct expected *e, int workers) {
  pid_t syncd[WORKERS_MAX];
  struct ck_buf last = {0};
  ck_buf_str(&last, ck_buf_view(&e->last));
  pid_t store = bench_daemon("store");
  int64_t began = ck_mono_us(), until = ck_boot_ms() + STALL_MS;
  for (int i = 0; i < workers; ++i) syncd[i] = bench_daemon("syncd");
  while (!is_there(mirror, ck_buf_cstr(&last), e)) {
    if (ck_boot_ms() > until)
      bench_fail("after %d s not everything is in PostgreSQL", STALL_MS / 1000);
    usleep(LOOK_US);
  }
  double rate = (double)e->rows * 1e6 / (double)(ck_mono_us() - began);
  for (int i = 0; i < workers; ++i) bench_stop(&syncd[i]);
  bench_stop(&store);
  ck_buf_free(&last);
  return rate;
}

/* ---- the measurement ---- */

enum { ONCE, PARTS, SYNCD, TWO, WAYS };
static const char *const way_names[WAYS] = {
    "(a) COPY, then one upsert per table, all in one transaction",
    "(b) the same, in syncd's transactions", "syncd, from the database", "two workers"};

static struct size {
  size_t text;
  struct bench_series rate[WAYS], of[WAYS], parts;
} sizes[] = {{.text = 1000}, {.text = 500}};
enum { SIZES = sizeof sizes / sizeof *sizes };

static double copied(const char *folder, const struct copy_load *load, const struct expected *e) {
  PGconn *mirror = fresh(folder);
  double rate = copy_run(mirror, load);
  check(mirror, e, "COPY");
  PQfinish(mirror);
  return rate;
}

static double drained_by_two(const char *folder, const struct expected *e) {
  PGconn *mirror = fresh(folder);
  bench_return("ring");
  double rate = drain(mirror, e, WORKERS_MAX);
  check(mirror, e, "two of syncd");
  PQfinish(mirror);
  return rate;
}

/* syncd's first run of a round gives the rows that COPY then sends, and syncd's transactions. */
static void round_of(const char *folder, struct size *s, const struct expected *e) {
  double got[WAYS];
  PGconn *mirror = fresh(folder);
  bench_return("ring");
  got[SYNCD] = drain(mirror, e, 1);
  check(mirror, e, "syncd");
  struct copy_load once = copy_read(mirror, true), parts = copy_read(mirror, false);
  PQfinish(mirror);
  got[TWO] = drained_by_two(folder, e);
  got[PARTS] = copied(folder, &parts, e);
  got[ONCE] = copied(folder, &once, e);
  for (int w = 0; w < WAYS; ++w) {
    bench_add(&s->rate[w], got[w]);
    bench_add(&s->of[w], got[SYNCD] / got[w]);
  }
  bench_add(&s->parts, (double)parts.n);
  copy_free(&once);
  copy_free(&parts);
}

static void print_size(struct size *s) {
  printf("### Messages of %s bytes\n\n| way | transactions | rows a second | syncd / it "
         "|\n|:--|--:|--:|--:|\n",
         bench_number((double)s->text, 0));
  for (int w = 0; w < WAYS; ++w)
    printf("| %s | %s | %s | %s |\n", way_names[w],
           w == ONCE  ? "1"
           : w == TWO ? ""
                      : bench_cell(&s->parts, 0),
           bench_cell(&s->rate[w], 0), w == SYNCD ? "" : bench_cell(&s->of[w], 2));
  double of = bench_share(&s->of[ONCE], 0.5), rate = bench_share(&s->rate[SYNCD], 0.5);
  printf("\nOf (a): %s, or rows a second: %s.\n\n", bench_verdict(NULL, of, true, OF_COPY, ""),
         bench_verdict(NULL, rate, true, ROWS_A_SECOND, ""));
  char *what = ck_sprintf("PostgreSQL as the mirror, messages of %zu bytes", s->text);
  char *said =
      ck_sprintf("%s of COPY (%s at least), or %s rows a second (%s at least)", bench_number(of, 2),
                 bench_number(OF_COPY, 2), bench_number(rate, 0), bench_number(ROWS_A_SECOND, 0));
  bench_note(what, said, of >= OF_COPY || rate >= ROWS_A_SECOND);
  free(what);
  free(said);
}

int main(void) {
  struct bench_postgres *server = bench_postgres_start();
  const char *folder = bench_postgres_folder(server);
  uint64_t seed = 9000;
  printf(
      "## The mirror in PostgreSQL\n\n"
      "%s, durable (fsync, synchronous_commit), otherwise with default settings, over a Unix "
      "socket. A backlog of %s messages, with their sessions, conversations and links (%d "
      "conversations), is written to an empty mirror with its keys and index. syncd's time "
      "starts when it is started, and the store runs too. COPY is one client that sends the same "
      "rows, prepared, in binary into a temporary table, then upserts with the mirror's guard. "
      "Median of %d rounds (least to most), alternating.\n\n",
      bench_postgres_version(), bench_number(MESSAGES, 0), BENCH_CONVERSATIONS, bench_rounds());
  for (int i = 0; i < SIZES; ++i) {
    struct expected e = {0};
    open_ring(sizes[i].text, ++seed, &e);
    for (int r = 0; r < bench_rounds(); ++r) round_of(folder, &sizes[i], &e);
    bench_leave();
    ck_buf_free(&e.last);
    print_size(&sizes[i]);
  }
  bench_postgres_stop(&server);
  return 0;
}

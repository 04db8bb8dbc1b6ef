/* Changesets a second, through the store's real doors and process, compared with the leanest way to
 * the same end state (bench/bare.h), PostgreSQL, and the predecessor's way.
 * usage: store             everything
 *        store leanest     only the comparison with the leanest way
 *        store paced       only what bench/paced.h prints
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bare.h"
#include "bench/common.h"
#include "bench/paced.h"
#include "bench/postgres.h"
#include "bench/postgres_group.h"
#include "bench/predecessor.h"
#include "bench/producer.h"

#define MANY_CONVERSATIONS 2000
#define POSTGRES_SECONDS 2
#define PREDECESSOR_CHANGESETS 600

/* The store and the leanest way, with the same number of conversations. */
struct beside {
  size_t conversations;
  struct bench_series store, a_commit, lean, ratio;
  /* Per changeset, processor time and bytes passed to write(): of the store's writer thread, of all
   * its threads that write the database, of the leanest way; and the ratio of the last two. */
  struct bench_use_series {
    struct bench_series writer, all, lean, times;
  } cpu_us, written;
  struct bench_series latency_ms, commit_ms;
};

static struct point {
  unsigned in_flight;
  size_t changesets; /* half as many with many conversations, since each makes two files */
  bool clients; /* also PostgreSQL with a connection per changeset in flight; nobody would use 1,000
                 */
  struct beside few, many;
  struct bench_series pg, pg_ratio, group, group_ratio;
} points[] = {{.in_flight = 1, .changesets = 3000, .clients = true},
              {.in_flight = 16, .changesets = 8000, .clients = true},
              {.in_flight = 64, .changesets = 16000, .clients = true},
              {.in_flight = 256, .changesets = 24000, .clients = true},
              {.in_flight = 1000, .changesets = 24000}};
enum { POINTS = sizeof points / sizeof *points, AT_1 = 0, AT_16 = 1, AT_256 = 3 };

/* At 256 in flight: bare SQLite writing every changeset's rows, and the store's rate divided by it.
 */
static struct bench_series each, each_ratio;
/* The best rate of each in a round. */
static struct bench_series best_store, best_pg, best_ratio, best_group, best_group_ratio;
/* The predecessor's way, and the store's rate divided by it, at 1 and at 256 in flight. */
static struct way {
  const char *name;
  bool full;
  struct bench_series rate, at_1, at_256;
} ways[] = {{.name = "FULL: durable, like the store", .full = true},
            {.name = "NORMAL: the newest commits are lost in a power cut", .full = false}};
enum { WAYS = sizeof ways / sizeof *ways };

static double newest(const struct bench_series *s) { return s->at[s->n - 1]; }

/* ---- the leanest way ---- */

/* A digest of the database's content, without times of writing. The caller frees it. */
static char *end_state(void) {
  static const char sql[] =
      "SELECT (SELECT count(*) || ' ' || min(id) || ' ' || max(id) || ' ' || sum(length(raw_text)) "
      "|| ' ' || sum(length(static_path)) FROM messages) || ' ' || (SELECT count(*) || ' ' || "
      "sum(message_count) || ' ' || sum(last_activity_at) FROM sessions) || ' ' || (SELECT "
      "count(*) || ' ' || sum(last_message_at) FROM local_conversations) || ' ' || (SELECT "
      "count(*) || ' ' || sum(observed_at) FROM conversation_links)";
  sqlite3 *db;
  sqlite3_stmt *st;
  if (sqlite3_open_v2("artifact.db", &db, SQLITE_OPEN_READONLY, NULL) ||
      sqlite3_prepare_v2(db, sql, -1, &st, NULL) || sqlite3_step(st) != SQLITE_ROW)
    bench_fail("artifact.db: %s", sqlite3_errmsg(db));
  char *state = ck_sprintf("%s", (const char *)sqlite3_column_text(st, 0));
  sqlite3_finalize(st);
  sqlite3_close(db);
  return state;
}

static void add_use(struct bench_use_series *s, double writer, double all, double lean) {
  bench_add(&s->writer, writer);
  bench_add(&s->all, all);
  bench_add(&s->lean, lean);
  bench_add(&s->times, all / lean);
}

/* Runs the store. Threads that write files, and ZeroMQ's, do not count as writing the database. */
static char *push(struct beside *b, const struct bench_load *load, unsigned in_flight,
                  struct bench_use *writer, struct bench_use *all) {
  static const char *const others[] = {"artifacts", "ZMQ", NULL};
  struct bench_pushed pushed;
  bench_enter("store");
  pid_t store = bench_daemon("store");
  struct bench_use writer_before = bench_use_of(store, store),
                   before = bench_use_but(store, others);
  bench_push(load, &(struct bench_pace){.in_flight = in_flight}, &pushed);
  *writer = bench_use_each(writer_before, bench_use_of(store, store), load->n);
  *all = bench_use_each(before, bench_use_but(store, others), load->n);
  bench_stop(&store);
  bench_add(&b->store, pushed.rate);
  bench_add(&b->a_commit, pushed.a_commit);
  bench_add_all(&b->latency_ms, &pushed.latency_ms);
  char *state = end_state();
  bench_leave();
  return state;
}

/* Runs both, and fails unless they end in the same state. Returns the store's rate. */
static double beside_of(struct beside *b, size_t conversations, const struct point *p,
                        uint64_t seed) {
  size_t changesets = conversations == MANY_CONVERSATIONS ? p->changesets / 2 : p->changesets;
  struct bench_load load = bench_load_of(
      (struct bench_kind){.n = changesets, .conversations = conversations, .seed = seed});
  struct bench_use writer, all;
  b->conversations = conversations;
  char *state = push(b, &load, p->in_flight, &writer, &all);
  bench_enter("bare");
  struct bench_bared lean = bench_bare(&load, p->in_flight, BENCH_BARE_ONCE, &b->commit_ms);
  char *other = end_state();
  bench_leave();
  if (strcmp(state, other) != 0) bench_fail("the two come to different ends: %s; %s", state, other);
  free(state);
  free(other);
  bench_add(&b->lean, lean.rate);
  bench_add(&b->ratio, newest(&b->store) / lean.rate);
  add_use(&b->cpu_us, writer.cpu_us, all.cpu_us, lean.use.cpu_us);
  add_use(&b->written, writer.written / 1024, all.written / 1024, lean.use.written / 1024);
  bench_load_free(&load);
  return newest(&b->store);
}

static void every_row(const struct point *p, uint64_t seed) {
  struct bench_load load = bench_load_make(p->changesets, seed);
  struct bench_series commit_ms = {0};
  bench_enter("bare");
  double rate = bench_bare(&load, p->in_flight, BENCH_BARE_EACH, &commit_ms).rate;
  bench_leave();
  bench_add(&each, rate);
  bench_add(&each_ratio, newest(&p->few.store) / rate);
  bench_free(&commit_ms);
  bench_load_free(&load);
}

/* ---- a round ---- */

static void postgres_point(struct bench_postgres *pg, struct point *p, uint64_t seed) {
  double store = newest(&p->few.store);
  struct bench_load load = bench_load_make(p->changesets, seed);
  bench_add(&p->group, bench_postgres_group(pg, &load, p->in_flight));
  bench_add(&p->group_ratio, store / newest(&p->group));
  bench_load_free(&load);
  if (!p->clients) return;
  bench_add(&p->pg, bench_postgres_run(pg, p->in_flight, POSTGRES_SECONDS));
  bench_add(&p->pg_ratio, store / newest(&p->pg));
}

static void predecessors(uint64_t seed) {
  struct bench_load load = bench_load_make(PREDECESSOR_CHANGESETS, seed);
  for (int i = 0; i < WAYS; ++i) {
    bench_enter("predecessor");
    double rate = bench_predecessor(&load, ways[i].full);
    bench_leave();
    bench_add(&ways[i].rate, rate);
    bench_add(&ways[i].at_1, newest(&points[AT_1].few.store) / rate);
    bench_add(&ways[i].at_256, newest(&points[AT_256].few.store) / rate);
  }
  bench_load_free(&load);
}

static double larger(double a, double b) { return a > b ? a : b; }

/* pg: NULL if only the leanest way is measured. */
static void round_of(struct bench_postgres *pg, uint64_t seed) {
  double store = 0, clients = 0, group = 0;
  for (int i = 0; i < POINTS; ++i) {
    struct point *p = &points[i];
    store = larger(store, beside_of(&p->few, BENCH_CONVERSATIONS, p, seed + (uint64_t)i));
    if (i == AT_256) every_row(p, seed + (uint64_t)i);
    beside_of(&p->many, MANY_CONVERSATIONS, p, seed + (uint64_t)i);
    if (!pg) continue;
    postgres_point(pg, p, seed + (uint64_t)i);
    group = larger(group, newest(&p->group));
    if (p->clients) clients = larger(clients, newest(&p->pg));
  }
  if (!pg) return;
  bench_add(&best_store, store);
  bench_add(&best_pg, clients);
  bench_add(&best_ratio, store / clients);
  bench_add(&best_group, group);
  bench_add(&best_group_ratio, store / group);
  predecessors(seed);
}

/* ---- the report ---- */

static void print_rates(void) {
  printf("| in flight | conversations | the store | the leanest way | store / leanest "
         "| changesets per commit of the store |\n"
         "|--:|--:|--:|--:|--:|--:|\n");
  for (int i = 0; i < 2 * POINTS; ++i) {
    struct point *p = &points[i % POINTS];
    struct beside *b = i < POINTS ? &p->few : &p->many;
    printf("| %s | %s | %s | %s | **%s** | %s |\n", bench_number(p->in_flight, 0),
           bench_number((double)b->conversations, 0), bench_cell(&b->store, 0),
           bench_cell(&b->lean, 0), bench_cell(&b->ratio, 2),
           bench_number(bench_share(&b->a_commit, 0.5), 1));
  }
}

static const char *middle(struct bench_series *s, int decimals) {
  return bench_number(bench_share(s, 0.5), decimals);
}

/* Rates vary widely with the disk; processor time and bytes do not. */
static void print_use(void) {
  printf(
      "\nThe cost of a changeset: processor time, and bytes passed to write(). The writer is the "
      "store's one thread that commits. With its checkpoint thread (and the reading threads, "
      "which are idle) it does what the leanest way does on one thread: writing the WAL, and "
      "copying it into the database. Medians; the last column of each group has the spread of "
      "the rounds.\n\n"
      "| in flight | conversations | µs: the writer | and checkpoint | the leanest way | times "
      "| KiB: the writer | and checkpoint | the leanest way | times |\n"
      "|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n");
  for (int i = 0; i < 2 * POINTS; ++i) {
    struct point *p = &points[i % POINTS];
    struct beside *b = i < POINTS ? &p->few : &p->many;
    printf("| %s | %s |", bench_number(p->in_flight, 0), bench_number((double)b->conversations, 0));
    for (int k = 0; k < 2; ++k) {
      struct bench_use_series *u = k ? &b->written : &b->cpu_us;
      printf(" %s | %s | %s | **%s** |", middle(&u->writer, 1), middle(&u->all, 1),
             middle(&u->lean, 1), bench_cell(&u->times, 2));
    }
    printf("\n");
  }
}

static void print_each(void) {
  printf(
      "\nBare SQLite that writes every changeset's rows instead (%d conversations, 256 in flight): "
      "%s changesets a second. The store has %s of that: %s.\n\n",
      BENCH_CONVERSATIONS, bench_cell(&each, 0), bench_cell(&each_ratio, 2),
      bench_verdict("The store at 256 in flight, of SQLite with every changeset's rows",
                    bench_share(&each_ratio, 0.5), true, 0.7, ""));
}

static void print_latencies(void) {
  printf("| in flight | a receipt: median ms | p99 ms | a commit of the leanest way: median ms | "
         "p99 ms |\n"
         "|--:|--:|--:|--:|--:|\n");
  for (int i = 0; i < POINTS; ++i) {
    struct beside *b = &points[i].few;
    printf("| %s | %s | %s | %s | %s |\n", bench_number(points[i].in_flight, 0),
           middle(&b->latency_ms, 2), bench_number(bench_share(&b->latency_ms, 0.99), 2),
           middle(&b->commit_ms, 2), bench_number(bench_share(&b->commit_ms, 0.99), 2));
  }
}

/* No bound is set on these, and they do not flatter: they are told first. */
static void tell_the_leanest(void) {
  for (int i = AT_256; i < POINTS; ++i) {
    char *what = ck_sprintf("The store at %s in flight, of the leanest way",
                            bench_number(points[i].in_flight, 0));
    char *said = ck_sprintf("%.2f with %d conversations, %.2f with %d",
                            bench_share(&points[i].few.ratio, 0.5), BENCH_CONVERSATIONS,
                            bench_share(&points[i].many.ratio, 0.5), MANY_CONVERSATIONS);
    bench_tell(what, said);
    free(what);
    free(said);
  }
}

static void tell_postgres(void) {
  char *said = ck_sprintf("%.2f at 256 in flight, %.2f at 1,000",
                          bench_share(&points[AT_256].group_ratio, 0.5),
                          bench_share(&points[POINTS - 1].group_ratio, 0.5));
  bench_tell("The store, of PostgreSQL with as many changesets a transaction", said);
  free(said);
}

static void print_leanest(void) {
  printf(
      "## Changesets a second, durable\n\n"
      "A changeset is one message of %d bytes with a random id, with its session, conversation "
      "and link (%d or %s conversations). The leanest way to the same end state is one process "
      "with the store's schema, indexes and pragmas, but no doors, rules, receipts or followers: "
      "N changesets a commit for N in flight, each changed record written once, from prepared "
      "rows, by prepared statements. Both databases are compared at the end. Median of %d rounds "
      "(least to most).\n\n",
      BENCH_TEXT, BENCH_CONVERSATIONS, bench_number(MANY_CONVERSATIONS, 0), bench_rounds());
  print_rates();
  tell_the_leanest();
  print_use();
  print_each();
  print_latencies();
}

static void print_postgres(void) {
  printf(
      "\n### PostgreSQL\n\n"
      "%s, durable (fsync, synchronous_commit), otherwise with default settings. It has the same "
      "records and indexes, and an outbox row for each record that changes, but not the producer's "
      "number, which the store writes too. At its best, one connection sends N changesets a "
      "transaction, each record once, from prepared parameters: one prepared statement per table, "
      "in one pipeline and so one round trip. It applies no rules. With one transaction per "
      "changeset, also in one pipeline, pgbench runs N clients for N in flight, for %d s. Both "
      "over "
      "a Unix socket.\n\n"
      "| in flight | the store | PostgreSQL, N a transaction | store / it | PostgreSQL, N clients "
      "| store / it |\n"
      "|--:|--:|--:|--:|--:|--:|\n",
      bench_postgres_version(), POSTGRES_SECONDS);
  for (int i = 0; i < POINTS; ++i) {
    struct point *p = &points[i];
    printf("| %s | %s | %s | **%s** |", bench_number(p->in_flight, 0), bench_cell(&p->few.store, 0),
           bench_cell(&p->group, 0), bench_cell(&p->group_ratio, 2));
    if (p->clients)
      printf(" %s | **%s** |\n", bench_cell(&p->pg, 0), bench_cell(&p->pg_ratio, 1));
    else
      printf(" | |\n");
  }
  printf("| each at its best | %s | %s | **%s** | %s | **%s** |\n", bench_cell(&best_store, 0),
         bench_cell(&best_group, 0), bench_cell(&best_group_ratio, 2), bench_cell(&best_pg, 0),
         bench_cell(&best_ratio, 1));
  tell_postgres();
  printf("\nRatio to N clients at 16 in flight: %s. To N clients, each at its best: %s.\n",
         bench_verdict("The store at 16 in flight, of PostgreSQL with N clients",
                       bench_share(&points[AT_16].pg_ratio, 0.5), true, 1.5, ""),
         bench_verdict("The store at its best, of PostgreSQL with N clients",
                       bench_share(&best_ratio, 0.5), true, 4, ""));
}

static void print_predecessor(void) {
  printf("\n### The predecessor's way\n\n"
         "One process, SQLite in WAL mode, prepared statements: one commit for each of a "
         "changeset's %d records, a second one that queues it for the mirror, and two files per "
         "message, which are not synced. It always has one changeset in flight. The store writes "
         "its files after the commit, on another thread.\n\n"
         "| synchronous | changesets a second | the store at 1 in flight, times | at 256, times |\n"
         "|:--|--:|--:|--:|\n",
         BENCH_ROWS);
  for (int i = 0; i < WAYS; ++i)
    printf("| %s | %s | **%s** | **%s** |\n", ways[i].name, bench_cell(&ways[i].rate, 0),
           bench_cell(&ways[i].at_1, 2), bench_cell(&ways[i].at_256, 1));
  printf("\nTimes FULL, at 256: %s.\n",
         bench_verdict("The store at 256 in flight, of the predecessor's way",
                       bench_share(&ways[0].at_256, 0.5), true, 15, ""));
}

int main(int argc, char **argv) {
  const char *part = argc > 1 ? argv[1] : "";
  bool all = !*part, leanest = all || strcmp(part, "leanest") == 0;
  struct bench_postgres *pg = all ? bench_postgres_start() : NULL;
  uint64_t seed = 1;
  for (int r = 0; leanest && r < bench_rounds(); ++r, seed += POINTS) round_of(pg, seed);
  if (pg) bench_postgres_stop(&pg);
  if (leanest) print_leanest();
  if (all) {
    print_postgres();
    print_predecessor();
  }
  if (!leanest || all) bench_paced(seed);
  return 0;
}

/* Changesets a second and their latency: a producer, the store's real doors and the store's process, beside SQLite alone, PostgreSQL, and the way of the system
 * that this one succeeds. */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "bench/bare.h"
#include "bench/common.h"
#include "bench/postgres.h"
#include "bench/predecessor.h"
#include "bench/producer.h"

#define ALONE 300
#define ALONE_PAUSE_MS 5
#define OFFERED 10000
#define OFFERED_COMMITS 500
#define OFFERED_COMMIT_BYTES (256u << 10)
#define POSTGRES_SECONDS 2
#define PREDECESSOR_CHANGESETS 600

static struct point {
  unsigned in_flight;
  size_t changesets;
  bool postgres; /* one connection a changeset in flight: 1,000 are nobody's way */
  struct bench_series store, a_commit, latency, each, each_ms, ratio, once, once_ms, once_ratio, pg, pg_ratio;
} points[] = {{.in_flight = 1, .changesets = 3000, .postgres = true},
              {.in_flight = 16, .changesets = 8000, .postgres = true},
              {.in_flight = 64, .changesets = 16000, .postgres = true},
              {.in_flight = 256, .changesets = 24000, .postgres = true},
              {.in_flight = 1000, .changesets = 24000}};
enum { POINTS = sizeof points / sizeof *points, AT_16 = 1, AT_256 = 3 };

/* Each at its best of a round; the predecessor's way, and how many times that the store is at 256 in flight. */
static struct bench_series best_store, best_pg, best_ratio;
static struct way {
  const char *name;
  bool full;
  struct bench_series rate, ratio;
} ways[] = {{.name = "FULL: durable, as the store's", .full = true}, {.name = "NORMAL: the newest commits are lost in a power cut", .full = false}};
enum { WAYS = sizeof ways / sizeof *ways };

static void keep_all(struct bench_series *into, struct bench_series *from) {
  for (size_t i = 0; i < from->n; ++i) bench_add(into, from->at[i]);
  bench_free(from);
}

static void push(const struct bench_load *load, struct bench_pace pace, struct bench_pushed *out) {
  bench_enter("store");
  pid_t store = bench_daemon("store");
  bench_push(load, &pace, out);
  bench_stop(&store);
  bench_leave();
}

static double bare(const struct bench_load *load, unsigned per_commit, enum bench_bare_rows how, struct bench_series *commit_ms) {
  bench_enter("bare");
  double rate = bench_bare(load, per_commit, how, commit_ms);
  bench_leave();
  return rate;
}

/* The store's rate. */
static double point_of(struct point *p, struct bench_postgres *pg, uint64_t seed) {
  struct bench_load load = bench_load_make(p->changesets, seed);
  struct bench_pushed pushed;
  push(&load, (struct bench_pace){.in_flight = p->in_flight}, &pushed);
  double each = bare(&load, p->in_flight, BENCH_BARE_EACH, &p->each_ms), once = bare(&load, p->in_flight, BENCH_BARE_ONCE, &p->once_ms);
  bench_add(&p->store, pushed.rate);
  bench_add(&p->a_commit, pushed.a_commit);
  keep_all(&p->latency, &pushed.latency_ms);
  bench_add(&p->each, each);
  bench_add(&p->ratio, pushed.rate / each);
  bench_add(&p->once, once);
  bench_add(&p->once_ratio, pushed.rate / once);
  bench_load_free(&load);
  if (p->postgres) bench_add(&p->pg, bench_postgres_run(pg, p->in_flight, POSTGRES_SECONDS));
  return pushed.rate;
}

static double newest(const struct bench_series *s) { return s->at[s->n - 1]; }

static void round_of(struct bench_postgres *pg, uint64_t seed) {
  double store = 0, other = 0, at[POINTS];
  for (int i = 0; i < POINTS; ++i) {
    struct point *p = &points[i];
    at[i] = point_of(p, pg, seed + (uint64_t)i);
    if (at[i] > store) store = at[i];
    if (!p->postgres) continue;
    bench_add(&p->pg_ratio, at[i] / newest(&p->pg));
    if (newest(&p->pg) > other) other = newest(&p->pg);
  }
  bench_add(&best_store, store);
  bench_add(&best_pg, other);
  bench_add(&best_ratio, store / other);
  struct bench_load load = bench_load_make(PREDECESSOR_CHANGESETS, seed);
  for (int i = 0; i < WAYS; ++i) {
    bench_enter("predecessor");
    double rate = bench_predecessor(&load, ways[i].full);
    bench_leave();
    bench_add(&ways[i].rate, rate);
    bench_add(&ways[i].ratio, at[AT_256] / rate);
  }
  bench_load_free(&load);
}

static void print_rates(void) {
  printf("| in flight | the store | bare SQLite, every changeset's rows | store / bare | bare SQLite, each record once a commit | store / bare | a commit |\n"
         "|--:|--:|--:|--:|--:|--:|--:|\n");
  for (int i = 0; i < POINTS; ++i) {
    struct point *p = &points[i];
    printf("| %s | %s | %s | **%s** | %s | %s | %s |\n", bench_number(p->in_flight, 0), bench_cell(&p->store, 0), bench_cell(&p->each, 0),
           bench_cell(&p->ratio, 2), bench_cell(&p->once, 0), bench_cell(&p->once_ratio, 2), bench_number(bench_share(&p->a_commit, 0.5), 1));
  }
  printf("\nRatio at 256 in flight: %s.\n\n", bench_verdict(bench_share(&points[AT_256].ratio, 0.5), true, 0.7, ""));
}

static void print_latencies(void) {
  printf("| in flight | a receipt: median ms | p99 ms | a commit of bare SQLite: median ms | p99 ms |\n|--:|--:|--:|--:|--:|\n");
  for (int i = 0; i < POINTS; ++i) {
    struct point *p = &points[i];
    printf("| %s | %s | %s | %s | %s |\n", bench_number(p->in_flight, 0), bench_number(bench_share(&p->latency, 0.5), 2),
           bench_number(bench_share(&p->latency, 0.99), 2), bench_number(bench_share(&p->each_ms, 0.5), 2), bench_number(bench_share(&p->each_ms, 0.99), 2));
  }
}

static void print_postgres(void) {
  printf(
      "\n### PostgreSQL\n\n"
      "%s, durable (fsync, synchronous_commit), else as it comes. The same records and indexes, and an outbox row for each record that changes; one transaction a "
      "changeset, prepared, in one pipeline and so one round trip; by pgbench over a Unix socket, N clients for N in flight, %d s each. The producer's number, which "
      "the store writes too, is left out.\n\n"
      "| in flight | the store | PostgreSQL, N clients | store / PostgreSQL |\n|--:|--:|--:|--:|\n",
      bench_postgres_version(), POSTGRES_SECONDS);
  for (int i = 0; i < POINTS; ++i) {
    struct point *p = &points[i];
    if (p->postgres)
      printf("| %s | %s | %s | **%s** |\n", bench_number(p->in_flight, 0), bench_cell(&p->store, 0), bench_cell(&p->pg, 0), bench_cell(&p->pg_ratio, 1));
  }
  printf("| each at its best | %s | %s | **%s** |\n", bench_cell(&best_store, 0), bench_cell(&best_pg, 0), bench_cell(&best_ratio, 1));
  printf("\nRatio at 16 in flight: %s. Each at its best: %s.\n", bench_verdict(bench_share(&points[AT_16].pg_ratio, 0.5), true, 1.5, ""),
         bench_verdict(bench_share(&best_ratio, 0.5), true, 4, ""));
}

static void print_predecessor(void) {
  printf(
      "\n### The predecessor's way\n\n"
      "One process, SQLite in WAL mode, prepared: a commit for each of a changeset's %d records, a second one that queues it for the mirror, and two files a message, "
      "which are not synced. It has one changeset in flight, always; the ratio is the store's at 256.\n\n"
      "| synchronous | changesets a second | store / predecessor |\n|:--|--:|--:|\n",
      BENCH_ROWS);
  for (int i = 0; i < WAYS; ++i) printf("| %s | %s | **%s** |\n", ways[i].name, bench_cell(&ways[i].rate, 0), bench_cell(&ways[i].ratio, 1));
  printf("\nRatio to FULL: %s.\n", bench_verdict(bench_share(&ways[0].ratio, 0.5), true, 15, ""));
}

/* One at a time on a store that has nothing else to do, by turns with what the disk itself takes. */
static void alone(uint64_t seed) {
  struct bench_load load = bench_load_make(ALONE, seed);
  struct bench_pushed pushed;
  struct bench_probe disk;
  bench_enter("store");
  double in_place = bench_fdatasync(false), appended = bench_fdatasync(true);
  pid_t store = bench_daemon("store");
  bench_probe_open(&disk, 4096, true);
  bench_push(&load, &(struct bench_pace){.in_flight = 1, .pause_ms = ALONE_PAUSE_MS, .beside = &disk}, &pushed);
  bench_probe_close(&disk);
  bench_stop(&store);
  bench_leave();
  double median = bench_share(&pushed.latency_ms, 0.5), paced = bench_share(&disk.us, 0.5), times = median * 1000 / paced;
  printf(
      "\nOne message alone: median %s ms, p99 %s ms. By turns with it, by the same producer and with the same %d ms of rest before each, an fdatasync of 4 KiB appended: "
      "median %s µs, p99 %s. The message takes %s of these (%s). Without the rest, in a loop in which no processor sleeps, an fdatasync takes %s µs appended and %s in "
      "place; no message that comes alone meets such a machine, and it takes %s of the former.\n",
      bench_number(median, 2), bench_number(bench_share(&pushed.latency_ms, 0.99), 2), ALONE_PAUSE_MS, bench_number(paced, 0),
      bench_number(bench_share(&disk.us, 0.99), 0), bench_number(times, 1), bench_verdict(times, false, 2, ""), bench_number(appended, 0),
      bench_number(in_place, 0), bench_number(median * 1000 / appended, 1));
  bench_free(&disk.us);
  bench_free(&pushed.latency_ms);
  bench_load_free(&load);
}

/* What a commit of some 25 changesets writes, as often as they are made. */
static void disk_alone(struct bench_series *us) {
  struct bench_probe disk;
  bench_enter("fdatasync");
  bench_probe_open(&disk, OFFERED_COMMIT_BYTES, false);
  for (int i = 0; i < OFFERED_COMMITS; ++i) {
    poll(NULL, 0, 1);
    bench_probe(&disk);
  }
  bench_probe_close(&disk);
  bench_leave();
  keep_all(us, &disk.us);
}

/* Messages that come whether the store is ready or not, by turns with the disk alone. */
static void offered(uint64_t seed) {
  struct bench_series latency = {0}, rate = {0}, p99s = {0}, disk = {0};
  for (int r = 0; r < bench_rounds(); ++r) {
    struct bench_load load = bench_load_make(2 * OFFERED, seed + (uint64_t)r);
    struct bench_pushed pushed;
    push(&load, (struct bench_pace){.in_flight = 1000, .offered = OFFERED}, &pushed);
    bench_add(&rate, pushed.rate);
    bench_add(&p99s, bench_share(&pushed.latency_ms, 0.99));
    keep_all(&latency, &pushed.latency_ms);
    bench_load_free(&load);
    disk_alone(&disk);
  }
  double p99 = bench_share(&p99s, 0.5);
  printf(
      "\n%s a second offered for 2 s, %d times: %s a second receipted, median %s ms, p99 %s ms (%s). By turns with it the disk alone, %u KiB and an fdatasync a millisecond "
      "after the one before: median %s ms, p99 %s, longest %s.\n",
      bench_number(OFFERED, 0), bench_rounds(), bench_number(bench_share(&rate, 0.5), 0), bench_number(bench_share(&latency, 0.5), 2), bench_cell(&p99s, 1),
      bench_verdict(p99, false, 10, " ms"), OFFERED_COMMIT_BYTES / 1024, bench_number(bench_share(&disk, 0.5) / 1000, 2),
      bench_number(bench_share(&disk, 0.99) / 1000, 2), bench_number(bench_share(&disk, 1) / 1000, 2));
  bench_free(&latency);
  bench_free(&rate);
  bench_free(&p99s);
  bench_free(&disk);
}

static void paced(uint64_t seed) {
  printf("\n### Alone, and paced\n");
  alone(seed);
  offered(seed + 1);
}

/* `store paced`: only those. */
int main(int argc, char **argv) {
  uint64_t seed = 1;
  if (argc > 1 && strcmp(argv[1], "paced") == 0) {
    paced(seed);
    return 0;
  }
  struct bench_postgres *pg = bench_postgres_start();
  for (int r = 0; r < bench_rounds(); ++r, seed += POINTS) round_of(pg, seed);
  bench_postgres_stop(&pg);
  printf(
      "## Changesets a second, durable\n\n"
      "A changeset: one message of %d bytes with a random id, and the session, conversation and link (of %d) that it belongs to. Bare SQLite is one process with the store's "
      "schema, indexes and pragmas, the same rows, prepared, N changesets a commit for N in flight. Median of %d rounds (least to most).\n\n",
      BENCH_TEXT, BENCH_CONVERSATIONS, bench_rounds());
  print_rates();
  print_latencies();
  print_postgres();
  print_predecessor();
  paced(seed);
  return 0;
}

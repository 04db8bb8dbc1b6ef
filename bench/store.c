/* Changesets a second and their latency: a producer, the store's real doors and the store's process, beside SQLite alone. */
#include <stdio.h>

#include "bench/bare.h"
#include "bench/common.h"
#include "bench/producer.h"

#define ALONE 300
#define ALONE_PAUSE_MS 5
#define OFFERED 10000

static struct point {
  unsigned in_flight;
  size_t changesets;
  struct bench_series store, a_commit, latency, each, each_ms, ratio, once, once_ms, once_ratio;
} points[] = {{.in_flight = 1, .changesets = 3000},
              {.in_flight = 16, .changesets = 8000},
              {.in_flight = 64, .changesets = 16000},
              {.in_flight = 256, .changesets = 24000},
              {.in_flight = 1000, .changesets = 24000}};
enum { POINTS = sizeof points / sizeof *points };

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

static double bare(const struct bench_load *load, unsigned per_commit, enum bench_bare how, struct bench_series *commit_ms) {
  bench_enter("bare");
  double rate = bench_bare(load, per_commit, how, commit_ms);
  bench_leave();
  return rate;
}

static void round_of(struct point *p, uint64_t seed) {
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
}

static void print_rates(void) {
  printf("| in flight | the store | bare SQLite, every changeset's rows | store / bare | bare SQLite, each record once a commit | store / bare | a commit |\n"
         "|--:|--:|--:|--:|--:|--:|--:|\n");
  for (int i = 0; i < POINTS; ++i) {
    struct point *p = &points[i];
    printf("| %s | %s | %s | **%s** | %s | %s | %s |\n", bench_number(p->in_flight, 0), bench_cell(&p->store, 0), bench_cell(&p->each, 0),
           bench_cell(&p->ratio, 2), bench_cell(&p->once, 0), bench_cell(&p->once_ratio, 2), bench_number(bench_share(&p->a_commit, 0.5), 1));
  }
  printf("\nRatio at 256 in flight: %s.\n\n", bench_verdict(bench_share(&points[3].ratio, 0.5), true, 0.7, ""));
}

static void print_latencies(void) {
  printf("| in flight | a receipt: median ms | p99 ms | a commit of bare SQLite: median ms | p99 ms |\n|--:|--:|--:|--:|--:|\n");
  for (int i = 0; i < POINTS; ++i) {
    struct point *p = &points[i];
    printf("| %s | %s | %s | %s | %s |\n", bench_number(p->in_flight, 0), bench_number(bench_share(&p->latency, 0.5), 2),
           bench_number(bench_share(&p->latency, 0.99), 2), bench_number(bench_share(&p->each_ms, 0.5), 2), bench_number(bench_share(&p->each_ms, 0.99), 2));
  }
}

/* One at a time on a store that has nothing else to do, beside what the disk itself takes. */
static void alone(uint64_t seed) {
  struct bench_load load = bench_load_make(ALONE, seed);
  struct bench_pushed pushed;
  bench_enter("fdatasync");
  double in_place = bench_fdatasync(false), appended = bench_fdatasync(true);
  bench_leave();
  push(&load, (struct bench_pace){.in_flight = 1, .pause_ms = ALONE_PAUSE_MS}, &pushed);
  double median = bench_share(&pushed.latency_ms, 0.5);
  printf(
      "\nOne message alone (%d ms between them): median %s ms, p99 %s ms. fdatasync of 4 KiB on the same disk: %s µs in place, %s µs appended; the message takes %s of the "
      "latter (%s).\n",
      ALONE_PAUSE_MS, bench_number(median, 2), bench_number(bench_share(&pushed.latency_ms, 0.99), 2), bench_number(in_place, 0), bench_number(appended, 0),
      bench_number(median * 1000 / appended, 1), bench_verdict(median * 1000 / appended, false, 2, ""));
  bench_free(&pushed.latency_ms);
  bench_load_free(&load);
}

static void offered(uint64_t seed) {
  struct bench_load load = bench_load_make(2 * OFFERED, seed);
  struct bench_pushed pushed;
  push(&load, (struct bench_pace){.in_flight = 1000, .offered = OFFERED}, &pushed);
  double p99 = bench_share(&pushed.latency_ms, 0.99);
  printf("\n%s a second offered for 2 s: %s a second receipted, median %s ms, p99 %s ms (%s).\n", bench_number(OFFERED, 0), bench_number(pushed.rate, 0),
         bench_number(bench_share(&pushed.latency_ms, 0.5), 2), bench_number(p99, 2), bench_verdict(p99, false, 10, " ms"));
  bench_free(&pushed.latency_ms);
  bench_load_free(&load);
}

int main(void) {
  uint64_t seed = 1;
  for (int r = 0; r < bench_rounds(); ++r)
    for (int i = 0; i < POINTS; ++i) round_of(&points[i], seed++);
  printf(
      "## Changesets a second, durable\n\n"
      "A changeset: one message of %d bytes with a random id, and the session, conversation and link (of %d) that it belongs to. Bare SQLite is one process with the store's "
      "schema, indexes and pragmas, the same rows, prepared, N changesets a commit for N in flight. Median of %d rounds (least to most).\n\n",
      BENCH_TEXT, BENCH_CONVERSATIONS, bench_rounds());
  print_rates();
  print_latencies();
  alone(seed++);
  offered(seed);
  return 0;
}

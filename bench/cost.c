/* What a message costs the mirror in D1: requests, the bytes of their bodies and of the answers,
 * and the rows that D1 counts as written; and syncd's and the store's processor time. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/cloud.h"
#include "bench/producer.h"
#include "bench/shapes.h"
#include "proto/clock.h"

#define TEXT 500
#define LOOK_US 2000
#define STALL_MS 180000

static const struct load {
  const char *name;
  size_t messages, per_changeset;
  double offered; /* changesets a second while syncd runs; 0: syncd is started afterwards */
} loads[] = {{"40,000 at once", 40000, 200, 0},
             {"200 changesets a second", 4000, 1, 200},
             {"2 changesets a second", 60, 1, 2}};

enum { REQUESTS, BYTES_IN, BYTES_OUT, ROWS_WRITTEN, STATS };
static const char *const stat_names[STATS] = {"requests", "bytes_in", "bytes_out", "rows_written"};

struct cost {
  double stat[STATS], store_us, syncd_us; /* of a message */
};

static void wait_rows(size_t n) {
  int64_t until = ck_boot_ms() + STALL_MS;
  while ((size_t)cloud_rows() < n) {
    if (ck_boot_ms() > until)
      bench_fail("after %d s %lld of %zu messages are in D1", STALL_MS / 1000,
                 (long long)cloud_rows(), n);
    usleep(LOOK_US);
  }
}

static void push(const struct load *l, const struct bench_load *load) {
  struct bench_pace pace = {.in_flight = 256, .offered = l->offered};
  struct bench_pushed pushed;
  bench_push(load, &pace, &pushed);
  bench_free(&pushed.latency_ms);
}

/* The requests with which syncd begins and ends are counted too: they are a few in all. */
static struct cost measure(const struct load *l) {
  struct cost cost;
  struct bench_load load = shapes_load(l->messages, TEXT, l->per_changeset, 7000);
  bench_enter("cost");
  if (!cloud_start()) bench_fail("the D1 peer does not start");
  cloud_use("cost", 0);
  for (int i = 0; i < STATS; ++i) cost.stat[i] = -(double)cloud_stat(stat_names[i]);
  pid_t store = bench_daemon("store"), syncd = 0;
  if (l->offered == 0) push(l, &load);
  double store_began = bench_cpu(store);
  syncd = bench_daemon("syncd");
  if (l->offered > 0) push(l, &load);
  wait_rows(l->messages);
  double n = (double)l->messages;
  cost.store_us = (bench_cpu(store) - store_began) * 1e6 / n;
  cost.syncd_us = bench_cpu(syncd) * 1e6 / n;
  bench_stop(&syncd);
  bench_stop(&store);
  for (int i = 0; i < STATS; ++i)
    cost.stat[i] = (cost.stat[i] + (double)cloud_stat(stat_names[i])) / n;
  bench_load_free(&load);
  cloud_stop();
  bench_leave();
  return cost;
}

/* The messages with their JSON alone, in as few requests as D1 takes. */
static struct cost leanest(size_t n) {
  struct cost cost = {0};
  struct shape_bodies bodies = shapes_make(SHAPE_JSON, n, TEXT, 1600, 1, 7000);
  bench_enter("cost");
  if (!cloud_start()) bench_fail("the D1 peer does not start");
  cloud_use("cost", 0);
  for (int i = 0; i < STATS; ++i) cost.stat[i] = -(double)cloud_stat(stat_names[i]);
  shapes_send(&bodies);
  for (int i = 0; i < STATS; ++i)
    cost.stat[i] = (cost.stat[i] + (double)cloud_stat(stat_names[i])) / (double)n;
  shapes_free(&bodies);
  cloud_stop();
  bench_leave();
  return cost;
}

static void print_stats(const char *name, const struct cost *c) {
  printf("| %s | %s | %s | %s | %s |", name, bench_number(c->stat[REQUESTS] * 1000, 2),
         bench_number(c->stat[BYTES_IN], 0), bench_number(c->stat[BYTES_OUT], 1),
         bench_number(c->stat[ROWS_WRITTEN], 3));
}

int main(void) {
  printf("## What a message costs the mirror\n\n");
  bench_enter("cost");
  bool there = cloud_start();
  if (there) cloud_stop();
  bench_leave();
  if (!there) {
    printf("**Not measured: the D1 peer's packages are not installed.**\n");
    return 0;
  }
  printf("Messages of %d bytes, a record of each, into an empty D1 that runs on this machine, with "
         "the mirror's witness in each batch. Rows written are as D1 counts them: a row and its "
         "entry in each index. The first line is the messages alone, in json_each, 1,600 a "
         "request. The last two columns are processor time.\n\n"
         "| | requests for 1,000 | bytes sent for each | bytes answered | rows written | store, µs "
         "| syncd, µs |\n"
         "|:--|--:|--:|--:|--:|--:|--:|\n",
         TEXT);
  struct cost lean = leanest(loads[0].messages);
  print_stats("plain, 40,000 at once", &lean);
  printf(" | |\n");
  for (size_t i = 0; i < sizeof loads / sizeof *loads; ++i) {
    struct cost cost = measure(&loads[i]);
    print_stats(loads[i].name, &cost);
    printf(" %s | %s |\n", bench_number(cost.store_us, 1), bench_number(cost.syncd_us, 1));
  }
  return 0;
}

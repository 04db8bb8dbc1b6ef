/* The whole way of an observation: through ingest's door, its spool and the store, until its
 * receipt arrives. */
#include <stdio.h>

#include "bench/common.h"
#include "bench/observer.h"

static struct point {
  unsigned in_flight;
  size_t observations;
  struct bench_series rate, taken, taken_99, receipt, receipt_99;
  size_t lost;
} points[] = {{.in_flight = 1, .observations = 2000},
              {.in_flight = 64, .observations = 12000},
              {.in_flight = 256, .observations = 20000}};
enum { POINTS = sizeof points / sizeof *points };

static void round_of(struct point *p, uint64_t seed) {
  struct bench_load load = bench_load_make(p->observations, seed);
  struct bench_observed o;
  bench_enter("road");
  pid_t store = bench_daemon("store"), ingest = bench_daemon("ingest");
  bench_observe(&load, p->in_flight, BENCH_RECEIPT, &o);
  bench_stop(&ingest);
  bench_stop(&store);
  bench_leave();
  p->lost += o.lost;
  bench_add(&p->rate, o.rate);
  bench_add(&p->taken, bench_share(&o.taken_ms, 0.5));
  bench_add(&p->taken_99, bench_share(&o.taken_ms, 0.99));
  bench_add(&p->receipt, bench_share(&o.receipt_ms, 0.5));
  bench_add(&p->receipt_99, bench_share(&o.receipt_ms, 0.99));
  bench_free(&o.taken_ms);
  bench_free(&o.receipt_ms);
  bench_load_free(&load);
}

int main(void) {
  uint64_t seed = 1000;
  for (int r = 0; r < bench_rounds(); ++r)
    for (int i = 0; i < POINTS; ++i) round_of(&points[i], seed++);
  printf("## The whole way: OBSERVE, TAKEN, receipt\n\n"
         "The same observations through ingest's door; an observation is in flight until the "
         "store's receipt. Two durable writes, two processes.\n\n"
         "| in flight | observations a second | TAKEN: median ms | p99 ms | receipt: median ms "
         "| p99 ms |\n"
         "|--:|--:|--:|--:|--:|--:|\n");
  for (int i = 0; i < POINTS; ++i) {
    struct point *p = &points[i];
    printf("| %s | %s | %s | %s | %s | %s |\n", bench_number(p->in_flight, 0),
           bench_cell(&p->rate, 0), bench_number(bench_share(&p->taken, 0.5), 2),
           bench_number(bench_share(&p->taken_99, 0.5), 2),
           bench_number(bench_share(&p->receipt, 0.5), 2),
           bench_number(bench_share(&p->receipt_99, 0.5), 2));
  }
  for (int i = 0; i < POINTS; ++i)
    if (points[i].lost)
      printf("\nAt %u in flight %zu answers of ingest were **lost**.\n", points[i].in_flight,
             points[i].lost);
  return 0;
}

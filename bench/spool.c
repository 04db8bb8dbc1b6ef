/* The spool, where an observation first becomes durable, compared with Redis Streams that sync
 * every write. */
#include <stdio.h>

#include "bench/common.h"
#include "bench/observer.h"
#include "bench/redis.h"

static struct point {
  unsigned in_flight;
  size_t observations, requests;
  struct bench_series spool, p99, clients, pipeline, ratio;
  size_t lost;
} points[] = {{.in_flight = 4, .observations = 8000, .requests = 10000},
              {.in_flight = 64, .observations = 30000, .requests = 80000},
              {.in_flight = 256, .observations = 40000, .requests = 120000}};
enum { POINTS = sizeof points / sizeof *points };

/* ---- the spool ---- */

static double spool(struct point *p, uint64_t seed) {
  struct bench_load load = bench_load_make(p->observations, seed);
  struct bench_observed o;
  bench_enter("spool");
  pid_t ingest = bench_daemon("ingest");
  bench_observe(&load, p->in_flight, BENCH_TAKEN, &o);
  bench_stop(&ingest);
  bench_leave();
  p->lost += o.lost;
  bench_add(&p->spool, o.rate);
  bench_add(&p->p99, bench_share(&o.taken_ms, 0.99));
  bench_free(&o.taken_ms);
  bench_load_free(&load);
  return o.rate;
}

static void round_of(struct point *p, uint64_t seed) {
  double ours = spool(p, seed);
  if (!bench_redis_there()) return;
  double clients = bench_redis(BENCH_REDIS_UNIX, p->requests, p->in_flight, 1);
  double pipeline = bench_redis(BENCH_REDIS_UNIX, p->requests, 1, p->in_flight);
  bench_add(&p->clients, clients);
  bench_add(&p->pipeline, pipeline);
  bench_add(&p->ratio, ours / clients);
}

int main(void) {
  uint64_t seed = 2000;
  for (int r = 0; r < bench_rounds(); ++r)
    for (int i = 0; i < POINTS; ++i) round_of(&points[i], seed++);
  printf(
      "## The spool\n\n"
      "OBSERVE to TAKEN: ingest checks, converts, writes and syncs the observation; no store runs. "
      "Beside it Redis Streams, XADD of %d bytes, appendfsync always, by redis-benchmark over a "
      "Unix socket: N clients with one request each, and one client with N requests in a pipeline. "
      "The ratio is to N clients. NATS JetStream is not compared: the nats-server of Debian 12 "
      "(2.9.10) has no sync_interval, so it acknowledges what is not yet on the disk.\n\n"
      "| in flight | ingest | p99 ms | Redis, N clients | Redis, pipeline of N "
      "| ingest / N clients |\n"
      "|--:|--:|--:|--:|--:|--:|\n",
      BENCH_TEXT);
  for (int i = 0; i < POINTS; ++i) {
    struct point *p = &points[i];
    printf("| %s | %s | %s | %s | %s | **%s** |\n", bench_number(p->in_flight, 0),
           bench_cell(&p->spool, 0), bench_number(bench_share(&p->p99, 0.5), 2),
           bench_redis_there() ? bench_cell(&p->clients, 0) : "not installed",
           bench_redis_there() ? bench_cell(&p->pipeline, 0) : "", bench_cell(&p->ratio, 2));
  }
  for (int i = 0; i < POINTS; ++i)
    if (points[i].lost)
      printf("\nAt %u in flight %zu answers of ingest were **lost**.\n", points[i].in_flight,
             points[i].lost);
  if (bench_redis_there())
    printf("\nRatio at 256 in flight: %s.\n",
           bench_verdict("The spool at 256 in flight, of Redis with N clients",
                         bench_share(&points[2].ratio, 0.5), true, 1, ""));
  return 0;
}

/* Single messages and a fixed rate; see paced.h. */
#include "bench/paced.h"

#include <poll.h>
#include <stdio.h>

#include "bench/common.h"
#include "bench/producer.h"

#define ALONE 300
#define ALONE_PAUSE_MS 5
#define OFFERED 10000
#define OFFERED_COMMITS 500
#define OFFERED_COMMIT_BYTES (256u << 10)

/* One message at a time on an idle store, alternating with an fdatasync of the disk alone. */
static void alone(uint64_t seed) {
  struct bench_load load = bench_load_make(ALONE, seed);
  struct bench_pushed pushed;
  struct bench_probe disk;
  bench_enter("store");
  double in_place = bench_fdatasync(false), appended = bench_fdatasync(true);
  pid_t store = bench_daemon("store");
  bench_probe_open(&disk, 4096, true);
  bench_push(&load,
             &(struct bench_pace){.in_flight = 1, .pause_ms = ALONE_PAUSE_MS, .beside = &disk},
             &pushed);
  bench_probe_close(&disk);
  bench_stop(&store);
  bench_leave();
  double median = bench_share(&pushed.latency_ms, 0.5), paced = bench_share(&disk.us, 0.5),
         times = median * 1000 / paced;
  printf(
      "\nOne message alone: median %s ms, p99 %s ms. Alternating with it, in the same producer and "
      "with the same pause of %d ms before each, an appended fdatasync of 4 KiB: median %s µs, "
      "p99 %s. The message takes %s times as long (%s). Without pauses, in a loop in which no "
      "processor sleeps, an fdatasync takes %s µs appended and %s in place; a single message "
      "never meets such a machine, and takes %s times the former.\n",
      bench_number(median, 2), bench_number(bench_share(&pushed.latency_ms, 0.99), 2),
      ALONE_PAUSE_MS, bench_number(paced, 0), bench_number(bench_share(&disk.us, 0.99), 0),
      bench_number(times, 1),
      bench_verdict("One message alone, in times of an fdatasync", times, false, 2, ""),
      bench_number(appended, 0), bench_number(in_place, 0),
      bench_number(median * 1000 / appended, 1));
  bench_free(&disk.us);
  bench_free(&pushed.latency_ms);
  bench_load_free(&load);
}

/* Writes what a commit of about 25 changesets writes, once a millisecond. */
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
  bench_add_all(us, &disk.us);
}

/* Messages at a fixed rate, whether the store keeps up or not, alternating with the disk alone. */
static void offered(uint64_t seed) {
  struct bench_series latency = {0}, rate = {0}, p99s = {0}, disk = {0};
  for (int r = 0; r < bench_rounds(); ++r) {
    struct bench_load load = bench_load_make(2 * OFFERED, seed + (uint64_t)r);
    struct bench_pushed pushed;
    bench_enter("store");
    pid_t store = bench_daemon("store");
    bench_push(&load, &(struct bench_pace){.in_flight = 1000, .offered = OFFERED}, &pushed);
    bench_stop(&store);
    bench_leave();
    bench_add(&rate, pushed.rate);
    bench_add(&p99s, bench_share(&pushed.latency_ms, 0.99));
    bench_add_all(&latency, &pushed.latency_ms);
    bench_load_free(&load);
    disk_alone(&disk);
  }
  double p99 = bench_share(&p99s, 0.5);
  printf("\n%s a second offered for 2 s, %d times: %s a second receipted, median %s ms, p99 %s ms "
         "(%s). Alternating with it, the disk alone, %u KiB and an fdatasync every millisecond: "
         "median %s ms, p99 %s, longest %s.\n",
         bench_number(OFFERED, 0), bench_rounds(), bench_number(bench_share(&rate, 0.5), 0),
         bench_number(bench_share(&latency, 0.5), 2), bench_cell(&p99s, 1),
         bench_verdict("10,000 a second offered, p99", p99, false, 10, " ms"),
         OFFERED_COMMIT_BYTES / 1024, bench_number(bench_share(&disk, 0.5) / 1000, 2),
         bench_number(bench_share(&disk, 0.99) / 1000, 2),
         bench_number(bench_share(&disk, 1) / 1000, 2));
  bench_free(&latency);
  bench_free(&rate);
  bench_free(&p99s);
  bench_free(&disk);
}

void bench_paced(uint64_t seed) {
  printf("\n### Alone, and paced\n");
  alone(seed);
  offered(seed + 1);
}

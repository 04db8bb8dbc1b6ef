/* The mirror in D1: syncd's speed compared with the plain ways, under Cloudflare's rate limit, and
 * with several workers over a slow connection; and its lag.
 * usage: d1 [speed|workers|limited|lag]     all of it, or one part
 * `d1 write CHANGES RATE SEED` is the writing process that the lag's measurement starts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/cloud.h"
#include "bench/producer.h"
#include "bench/shapes.h"
#include "proto/clock.h"

#define TEXT 500
#define LOOK_US 2000
#define STALL_MS 180000
#define WORKERS_MAX 4
#define ROWS 40000

static uint64_t seed = 5000;

/* ---- a ring of store and workers ---- */

/* Starts D1 and fills a store with `rows` messages. Each new D1 database is another mirror, filled
 * from the start, so one store serves many measurements. */
static void open_ring(size_t rows, size_t text, bool files) {
  struct bench_load load = shapes_load(rows, text, 200, ++seed);
  struct bench_pace pace = {.in_flight = 64};
  struct bench_pushed pushed;
  bench_enter("d1");
  if (!cloud_start()) bench_fail("the D1 peer does not start");
  cloud_use("fill", 0);
  pid_t store = bench_daemon("store");
  bench_push(&load, &pace, &pushed);
  bench_free(&pushed.latency_ms);
  bench_load_free(&load);
  if (files) bench_wait_files();
  bench_stop(&store);
}

static void close_ring(void) {
  cloud_stop();
  bench_leave();
}

static void next_database(int rate) {
  static int number;
  char name[32];
  snprintf(name, sizeof name, "bench-%d", ++number);
  cloud_use(name, rate);
}

/* Waits until n messages are in D1. Returns when that was, in microseconds. */
static int64_t wait_rows(size_t n) {
  int64_t until = ck_boot_ms() + STALL_MS;
  while ((size_t)cloud_rows() < n) {
    if (ck_boot_ms() > until)
      bench_fail("after %d s %lld of %zu messages are in D1", STALL_MS / 1000,
                 (long long)cloud_rows(), n);
    usleep(LOOK_US);
  }
  return ck_mono_us();
}

struct drain {
  size_t from, upto; /* measures between these messages; from 0: from the workers' start */
  int workers, latency_ms, rate, batch; /* rate: d1.rate; batch: sync.batch, 0: its default */
};

/* Returns messages a second from the store's database to D1. */
static double drain(const struct drain *d) {
  pid_t store, workers[WORKERS_MAX];
  char text[64];
  next_database(d->rate);
  snprintf(text, sizeof text, "%d", d->batch);
  if (d->batch) setenv("CONVKEEP_SYNC_BATCH", text, 1);
  store = bench_daemon("store");
  snprintf(text, sizeof text, "{\"latency_ms\":%d}", d->latency_ms);
  cloud_control("settings", text);
  for (int i = 0; i < d->workers; ++i) workers[i] = bench_daemon("syncd");
  int64_t began = d->from ? wait_rows(d->from) : ck_mono_us();
  size_t first = d->from ? (size_t)cloud_rows() : 0;
  int64_t ended = wait_rows(d->upto);
  double rate = (double)((size_t)cloud_rows() - first) * 1e6 / (double)(ended - began);
  for (int i = 0; i < d->workers; ++i) bench_stop(&workers[i]);
  bench_stop(&store);
  unsetenv("CONVKEEP_SYNC_BATCH");
  cloud_control("settings", "{\"latency_ms\":0}");
  return rate;
}

/* ---- speed ---- */

enum { ONE, VALUES, BATCH, CEILING, SYNCD, WAYS };
static const char *const way_names[WAYS] = {
    "(a) one row a request", "(b) VALUES, as many rows as 96 parameters take",
    "(c) a batch of 1,000 one-row statements", "(d) json_each at its best size",
    "syncd, from the database"};
/* The slow ways send fewer rows; that does not change their rate. */
static const size_t way_rows[WAYS] = {600, 4200, 20000, ROWS, ROWS};

static const struct size {
  size_t rows, params;
} sizes[] = {{500, 1}, {1000, 1}, {1600, 1}, {2400, 1}, {4800, 2}};

static double plain(enum shape shape, size_t n, struct size size) {
  struct shape_bodies bodies = shapes_make(shape, n, TEXT, size.rows, size.params, ++seed);
  next_database(0);
  bench_calm();
  double rate = shapes_send(&bodies);
  shapes_free(&bodies);
  return rate;
}

static struct size best_size(void) {
  double most = 0;
  struct size best = sizes[0];
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i) {
    double rate = plain(SHAPE_JSON, 24000, sizes[i]);
    if (rate <= most) continue;
    most = rate;
    best = sizes[i];
  }
  return best;
}

static void speed(void) {
  struct bench_series rate[WAYS] = {0}, of_ceiling = {0}, of_one = {0};
  static const enum shape shapes[] = {SHAPE_ONE, SHAPE_VALUES, SHAPE_BATCH, SHAPE_JSON};
  const struct size best = best_size();
  for (int r = 0; r < bench_rounds(); ++r) {
    double got[WAYS];
    for (int w = 0; w < SYNCD; ++w) got[w] = plain(shapes[w], way_rows[w], best);
    got[SYNCD] = drain(&(struct drain){.upto = way_rows[SYNCD], .workers = 1});
    for (int w = 0; w < WAYS; ++w) bench_add(&rate[w], got[w]);
    bench_add(&of_ceiling, got[SYNCD] / got[CEILING]);
    bench_add(&of_one, got[SYNCD] / got[ONE]);
  }
  printf(
      "Messages of %d bytes, with 15 columns and one index besides the key, into an empty D1 that "
      "runs on this machine. The plain ways use one client that sends prepared bodies, one after "
      "another; the best size was %zu rows in %zu parameter%s. syncd's time starts when it is "
      "started, and the store runs too.\n\n"
      "| way | rows a second | times (a) |\n"
      "|:--|--:|--:|\n",
      TEXT, best.rows, best.params, best.params > 1 ? "s" : "");
  for (int w = 0; w < WAYS; ++w)
    printf("| %s | %s | %s |\n", way_names[w], bench_cell(&rate[w], 0),
           bench_number(bench_share(&rate[w], 0.5) / bench_share(&rate[ONE], 0.5), 1));
  printf("\nOf (a): %s times, %s. ", bench_cell(&of_one, 0),
         bench_verdict("D1: times one row a request", bench_share(&of_one, 0.5), true, 40, ""));
  printf("Of (d): %s, %s.\n", bench_cell(&of_ceiling, 2),
         bench_verdict("D1: of json_each at its best size", bench_share(&of_ceiling, 0.5), true,
                       0.85, ""));
  for (int w = 0; w < WAYS; ++w) bench_free(&rate[w]);
  bench_free(&of_ceiling);
  bench_free(&of_one);
}

static void limited(void) {
  const size_t burst = 25000, rows = 60000;
  open_ring(rows, 1000, false);
  double rate = drain(&(struct drain){.from = burst, .upto = rows, .workers = 1, .rate = 1050});
  close_ring();
  printf(
      "\n### Under Cloudflare's limit\n\nWith `d1.rate` 1050, which is 3.5 requests a second, and "
      "messages of 1,000 bytes: %s rows a second (%s). The first burst, after a rest, is not "
      "counted.\n",
      bench_number(rate, 0),
      bench_verdict("D1: rows a second under the limit", rate, true, 3500, ""));
}

/* ---- several workers, far from D1 ---- */

static void workers(void) {
  static const struct {
    const char *name;
    size_t upto;
    int batch;
  } kinds[] = {{"15,000", 4000, 15000}, {"60,000", 10000, 60000}, {"default", ROWS, 0}};
  printf("\n### Several workers, 60 ms away\n\n"
         "| `sync.batch` | one worker, rows a second | four workers | times |\n"
         "|:--|--:|--:|--:|\n");
  double first = 0;
  for (size_t k = 0; k < sizeof kinds / sizeof *kinds; ++k) {
    struct drain d = {
        .upto = kinds[k].upto, .workers = 1, .latency_ms = 60, .batch = kinds[k].batch};
    double one = drain(&d);
    d.workers = WORKERS_MAX;
    double four = drain(&d);
    printf("| %s | %s | %s | %s |\n", kinds[k].name, bench_number(one, 0), bench_number(four, 0),
           bench_number(four / one, 2));
    if (k == 0) first = four / one;
  }
  printf("\nIf the connection is what takes time: %s. This D1 has a single thread: the larger the "
         "batches, the more of the time it is busy, and with the largest four workers are as fast "
         "as it is.\n",
         bench_verdict("D1: four workers, 60 ms away", first, true, 3.5, ""));
}

/* ---- lag ---- */

#define METER_MS 30000

struct lag {
  const char *name;
  size_t changes;
  double offered; /* a second */
  int rate;
  double p50, p99; /* upper bounds, ms */
};

static void print_lag(const struct lag *l, struct bench_series *committed,
                      struct bench_series *handed) {
  char *median = ck_sprintf("D1: lag, %s, median", l->name),
       *p99 = ck_sprintf("D1: lag, %s, p99", l->name);
  printf("| %s | %s | %s |", l->name, bench_number(bench_share(committed, 0.5), 1),
         bench_number(bench_share(committed, 0.99), 1));
  printf(" %s | %s |", bench_number(bench_share(handed, 0.5), 1),
         bench_number(bench_share(handed, 0.99), 1));
  printf(" %s; %s |\n", bench_verdict(median, bench_share(committed, 0.5), false, l->p50, " ms"),
         bench_verdict(p99, bench_share(committed, 0.99), false, l->p99, " ms"));
  free(median);
  free(p99);
  bench_free(committed);
  bench_free(handed);
}

/* Starts a process that writes the changes and says into writer.out when (write_changes). */
static pid_t start_writer(const struct lag *l) {
  char changes[32], offered[32], load[32];
  snprintf(changes, sizeof changes, "%zu", l->changes);
  snprintf(offered, sizeof offered, "%g", l->offered);
  snprintf(load, sizeof load, "%llu", (unsigned long long)++seed);
  char *self = bench_program("d1");
  pid_t writer =
      bench_spawn("writer.out", (const char *const[]){self, "write", changes, offered, load, NULL});
  free(self);
  return writer;
}

/* Another process writes; this one watches D1: message n has arrived when D1 has n messages. The
 * writer reports when each message was due and receipted. */
static void see_arrivals(const struct lag *l, int64_t *there) {
  int64_t until = ck_boot_ms() + STALL_MS;
  for (size_t seen = 0; seen < l->changes;) {
    size_t now = (size_t)cloud_rows();
    int64_t at = ck_mono_us();
    while (seen < now) there[seen++] = at;
    if (ck_boot_ms() > until)
      bench_fail("after %d s %zu of %zu changes are in D1", STALL_MS / 1000, seen, l->changes);
    usleep(LOOK_US / 2);
  }
}

static void measure_lag(const struct lag *l, const int64_t *there, struct bench_series *committed,
                        struct bench_series *handed) {
  FILE *sent = fopen("writer.out", "re");
  long long first = 0;
  for (size_t i = 0; i < l->changes; ++i) {
    long long at, receipt;
    if (!sent || fscanf(sent, "%lld %lld", &at, &receipt) != 2)
      bench_fail("the writer said too little");
    if (i == 0) first = at;
    /* Leave out the first half minute: the store's meter starts empty (store/mirror/meter.h). */
    if (l->rate && at - first <= METER_MS * 1000ll) continue;
    bench_add(committed, (double)(there[i] - receipt) / 1000);
    bench_add(handed, (double)(there[i] - at) / 1000);
  }
  fclose(sent);
}

static void one_lag(const struct lag *l) {
  struct bench_series committed = {0}, handed = {0};
  bench_enter("d1");
  if (!cloud_start()) bench_fail("the D1 peer does not start");
  next_database(l->rate);
  pid_t store = bench_daemon("store"), syncd = bench_daemon("syncd");
  pid_t writer = start_writer(l);
  int64_t *there = ck_zalloc(l->changes * sizeof *there);
  see_arrivals(l, there);
  int code;
  while (!bench_ended(writer, &code)) usleep(LOOK_US);
  measure_lag(l, there, &committed, &handed);
  free(there);
  print_lag(l, &committed, &handed);
  bench_stop(&syncd);
  bench_stop(&store);
  close_ring();
}

/* The writing process: prints when each change was due and when its receipt was read. */
static int write_changes(size_t n, double offered, uint64_t which) {
  struct bench_load load = shapes_load(n, TEXT, 1, which);
  struct bench_pace pace = {.in_flight = 256, .offered = offered};
  struct bench_pushed pushed;
  int64_t *due = bench_push_due(&load, &pace, &pushed);
  for (size_t i = 0; i < n; ++i)
    printf("%lld %lld\n", (long long)due[i],
           (long long)due[i] + (long long)(pushed.latency_ms.at[i] * 1000));
  free(due);
  bench_free(&pushed.latency_ms);
  bench_load_free(&load);
  return 0;
}

static void lags(void) {
  static const struct lag all[] = {
      {"200 changes a second, `d1.rate` 1050", 12000, 200, 1050, 150, 500},
      {"200 changes a second, no limit", 2000, 200, 0, 150, 500},
      {"2 changes a second, `d1.rate` 1050", 120, 2, 1050, 100, 200}};
  printf("\n### Lag\n\nFrom the commit, that is its receipt, until a reader of D1's file sees the "
         "change; and from when the change was handed to the store. One worker. With a rate, the "
         "first 30 s are left out, in which the store's meter fills.\n\n"
         "| | from the commit, median ms | p99 | from the hand-over, median ms | p99 | |\n"
         "|:--|--:|--:|--:|--:|:--|\n");
  for (size_t i = 0; i < sizeof all / sizeof *all; ++i) one_lag(&all[i]);
}

static bool wanted(int argc, char **argv, const char *part) {
  return argc < 2 || strcmp(argv[1], part) == 0;
}

int main(int argc, char **argv) {
  if (argc == 5 && strcmp(argv[1], "write") == 0)
    return write_changes(strtoul(argv[2], NULL, 10), strtod(argv[3], NULL),
                         strtoul(argv[4], NULL, 10));
  printf("## The mirror in D1\n\n");
  bench_enter("d1");
  if (!cloud_start()) {
    printf("**Not measured: the D1 peer's packages are not installed.**\n");
    return 0;
  }
  close_ring();
  if (wanted(argc, argv, "speed") || wanted(argc, argv, "workers")) open_ring(ROWS, TEXT, true);
  if (wanted(argc, argv, "speed")) speed();
  if (wanted(argc, argv, "workers")) workers();
  if (wanted(argc, argv, "speed") || wanted(argc, argv, "workers")) close_ring();
  if (wanted(argc, argv, "limited")) limited();
  if (wanted(argc, argv, "lag")) lags();
  return 0;
}

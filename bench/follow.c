/* What followers of the feed cost the writers: the rate at 256 in flight with none, one and ten
 * followers. `follow follower` is a follower's process. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/common.h"
#include "bench/producer.h"
#include "proto/clock.h"
#include "proto/follow.h"

#define FOLLOWERS_MAX 10
#define CHANGESETS 20000
#define IN_FLIGHT 256
#define ROUNDS_TIMES \
  2 /* twice the rounds: a run takes only 1 s, and two runs differ by a quarter */

static struct point {
  int followers;
  struct bench_series rate, loss, store, others;
} points[] = {{.followers = 0}, {.followers = 1}, {.followers = FOLLOWERS_MAX}};
enum { POINTS = sizeof points / sizeof *points };

/* ---- a follower: a separate process on the working directory, until it is killed ---- */

static void on_change(void *self, uint64_t version, const struct ck_row *row) {
  (void)version, (void)row;
  ++*(uint64_t *)self;
}

static void on_upto(void *self, const char *store_id, uint64_t version, bool live) {
  (void)self, (void)store_id, (void)version, (void)live;
}

static void on_reset(void *self, const char *store_id) { (void)self, (void)store_id; }

static int follower(void) {
  struct ck_err err;
  uint64_t changes = 0;
  bool said = false;
  const struct ck_follow_ops ops = {&changes, on_change, on_upto, on_reset, NULL};
  struct ck_follow *f = ck_follow_new(bench_settings(), &ops, 0, "", 0, &err);
  if (!f) bench_fail("%s", err.text);
  for (;;) {
    zmq_pollitem_t items[2];
    int ms = ck_follow_step(f);
    if (!said && ck_follow_live(f)) said = printf("live\n") > 0 && fflush(stdout) == 0;
    zmq_poll(items, ck_follow_items(f, items), ms);
  }
}

static pid_t start_follower(const char *self, int k) {
  char said[32];
  struct stat st;
  const char *argv[] = {self, "follower", NULL};
  snprintf(said, sizeof said, "run/follower-%d", k);
  pid_t pid = bench_spawn(said, argv);
  for (int i = 0; i < 500; ++i) {
    if (stat(said, &st) == 0 && st.st_size > 0) return pid;
    usleep(10000);
  }
  bench_fail("a follower does not get to the head");
}

/* ---- the writers ---- */

/* The result of a run: changesets a second; processor time per changeset in microseconds, of the
 * store and of all followers. */
struct run {
  double rate, store, followers;
};

static struct run run_with(int followers, const char *self, uint64_t seed) {
  struct bench_load load = bench_load_make(CHANGESETS, seed);
  struct bench_pushed pushed;
  struct run r = {0};
  pid_t pids[FOLLOWERS_MAX];
  bench_enter("follow");
  pid_t store = bench_daemon("store");
  for (int k = 0; k < followers; ++k) pids[k] = start_follower(self, k);
  bench_push(&load, &(struct bench_pace){.in_flight = IN_FLIGHT}, &pushed);
  r.rate = pushed.rate;
  r.store = bench_use_but(store, (const char *const[]){NULL}).cpu_us / CHANGESETS;
  for (int k = 0; k < followers; ++k) {
    r.followers += bench_use_but(pids[k], (const char *const[]){NULL}).cpu_us / CHANGESETS;
    bench_stop(&pids[k]);
  }
  bench_stop(&store);
  bench_leave();
  bench_free(&pushed.latency_ms);
  bench_load_free(&load);
  return r;
}

static void note(struct point *p, const struct run *r) {
  bench_add(&p->rate, r->rate);
  bench_add(&p->store, r->store);
  bench_add(&p->others, r->followers);
}

/* Runs with none, one, ten, and again no followers. The loss is relative to the mean of the two
 * runs without, because the disk's speed drifts. */
static void round_of(const char *self, uint64_t seed) {
  struct run runs[POINTS], again;
  for (int i = 0; i < POINTS; ++i) {
    runs[i] = run_with(points[i].followers, self, seed + (uint64_t)i);
    note(&points[i], &runs[i]);
  }
  again = run_with(0, self, seed + POINTS);
  note(&points[0], &again);
  for (int i = 1; i < POINTS; ++i)
    bench_add(&points[i].loss, 100 * (1 - runs[i].rate / ((runs[0].rate + again.rate) / 2)));
}

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "follower") == 0) return follower();
  char *self = bench_program("follow");
  int rounds = ROUNDS_TIMES * bench_rounds();
  for (int r = 0; r < rounds; ++r) round_of(self, 3000 + 10 * (uint64_t)r);
  printf(
      "## Followers of the feed\n\nChangesets a second at %d in flight, while this many processes "
      "receive every change; %d rounds of none, one, ten and none again. Also the processor time "
      "per changeset on these %ld cores, of the store with its artifacts, and of all followers "
      "together.\n\n"
      "| followers | changesets a second | less than with none, %% | the store, µs "
      "| followers, µs |\n"
      "|--:|--:|--:|--:|--:|\n",
      IN_FLIGHT, rounds, sysconf(_SC_NPROCESSORS_ONLN));
  for (int i = 0; i < POINTS; ++i)
    printf("| %d | %s | %s | %s | %s |\n", points[i].followers, bench_cell(&points[i].rate, 0),
           i ? bench_cell(&points[i].loss, 0) : "",
           bench_number(bench_share(&points[i].store, 0.5), 1),
           i ? bench_number(bench_share(&points[i].others, 0.5), 1) : "");
  printf("\nOne: %s. Ten: %s.\n",
         bench_verdict("Followers: what one costs the writers", bench_share(&points[1].loss, 0.5),
                       false, 10, " %"),
         bench_verdict("Followers: what ten cost the writers", bench_share(&points[2].loss, 0.5),
                       false, 30, " %"));
  return 0;
}

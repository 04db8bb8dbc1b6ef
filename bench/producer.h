/* An ordinary producer: ck_push over the store's doors, with a given number of changesets in flight
 * or a given rate. */
#ifndef BENCH_PRODUCER_H
#define BENCH_PRODUCER_H

#include "bench/common.h"
#include "bench/observation.h"

struct bench_pushed {
  double rate;     /* changesets a second, receipted */
  double a_commit; /* changesets per commit, on average */
  struct bench_series
      latency_ms; /* of each changeset, from when it was due until its receipt was read */
};

struct bench_pace {
  unsigned in_flight; /* at most */
  /* Changesets a second that are due, whether the store keeps up or not; 0: the next one is due
   * when fewer than in_flight are in flight. */
  double offered;
  int pause_ms; /* with in_flight 1: the pause between a receipt and the next changeset */
  /* With a pause: an fdatasync after it, then another pause. NULL: none. */
  struct bench_probe *beside;
};

/* Pushes the load to the store that runs on the working directory. The caller frees
 * out->latency_ms. */
void bench_push(const struct bench_load *load, const struct bench_pace *pace,
                struct bench_pushed *out);

/* The same. Returns when each changeset was due (ck_mono_us); the caller frees it. */
int64_t *bench_push_due(const struct bench_load *load, const struct bench_pace *pace,
                        struct bench_pushed *out);

/* Waits until the store that runs on the working directory has written the readable files. It does
 * so after the commit, and would take processor time from the next measurement. */
void bench_wait_files(void);

#endif

/* A producer as every other one: ck_push over the store's doors, with so many changesets under way
 * at a time. */
#ifndef BENCH_PRODUCER_H
#define BENCH_PRODUCER_H

#include "bench/common.h"
#include "bench/observation.h"

struct bench_pushed {
  double rate;     /* changesets a second, receipted */
  double a_commit; /* changesets that became durable together, on average */
  struct bench_series
      latency_ms; /* of every changeset, from when it was due until its receipt was read */
};

struct bench_pace {
  unsigned in_flight; /* at most */
  double offered;     /* changesets a second that are due, whatever the store does; 0: the next when
                         there is room in flight */
  int pause_ms;       /* with one in flight: so long between a receipt and the next changeset */
  struct bench_probe *beside; /* with a pause: an fdatasync after it, and another pause: message,
                                 pause, fdatasync, pause, message. NULL: none */
};

/* Pushes the load to the store that runs on the working directory. Free out->latency_ms. */
void bench_push(const struct bench_load *load, const struct bench_pace *pace,
                struct bench_pushed *out);

/* The same; returns when each changeset was due, ck_mono_us, on the heap. */
int64_t *bench_push_due(const struct bench_load *load, const struct bench_pace *pace,
                        struct bench_pushed *out);

/* Waits until the store that runs on the working directory has made the readable files, which is
 * done behind the commit and would take the processor from what is measured next. */
void bench_wait_files(void);

#endif

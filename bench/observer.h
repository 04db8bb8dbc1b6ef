/* Somebody who brings observations to ingest's own door, with so many under way at a time, and
 * listens for the store's receipts. */
#ifndef BENCH_OBSERVER_H
#define BENCH_OBSERVER_H

#include "bench/common.h"
#include "bench/observation.h"

enum bench_until {
  BENCH_TAKEN,  /* an observation is under way until ingest has it in its spool */
  BENCH_RECEIPT /* … until the store's receipt was seen on the feed */
};

struct bench_observed {
  double rate;                              /* observations a second */
  struct bench_series taken_ms, receipt_ms; /* the latter for BENCH_RECEIPT only */
  size_t lost; /* answers that did not come: a later one did, or nothing for a second, and the
                  question was put again */
};

/* ingest (and for BENCH_RECEIPT the store) runs on the working directory. The first observation of
 * the load goes before, unmeasured. Free both series. */
void bench_observe(const struct bench_load *load, unsigned in_flight, enum bench_until until,
                   struct bench_observed *out);

#endif

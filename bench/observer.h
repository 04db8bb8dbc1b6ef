/* A client that sends observations to ingest's door, with a given number in flight, and listens for
 * the store's receipts. */
#ifndef BENCH_OBSERVER_H
#define BENCH_OBSERVER_H

#include "bench/common.h"
#include "bench/observation.h"

enum bench_until {
  BENCH_TAKEN,  /* an observation is in flight until ingest has it in its spool */
  BENCH_RECEIPT /* … until the store's receipt arrives on the feed */
};

struct bench_observed {
  double rate;                              /* observations a second */
  struct bench_series taken_ms, receipt_ms; /* the latter for BENCH_RECEIPT only */
  size_t
      lost; /* missing answers: a later one arrived, or none for 1 s, so the request was repeated */
};

/* Sends the load to ingest (and, for BENCH_RECEIPT, the store), which must run on the working
 * directory. The first observation is sent before the measurement. The caller frees both series. */
void bench_observe(const struct bench_load *load, unsigned in_flight, enum bench_until until,
                   struct bench_observed *out);

#endif

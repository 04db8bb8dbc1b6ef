/* How long something took, how often: counts in ranges, as a daemon tells them in its report, and
 * webd in /metrics. */
#ifndef CK_PROTO_HISTOGRAM_H
#define CK_PROTO_HISTOGRAM_H

#include <stdatomic.h>

#include "proto/map.h"

/* The upper bounds of the ranges in microseconds, each included, rising; one more range is above
 * all of them. */
#define CK_HISTOGRAM_BOUNDS 14
extern const int64_t ck_histogram_us[CK_HISTOGRAM_BOUNDS];

/* Zero-initialise; nothing to free. */
struct ck_histogram {
  _Atomic uint64_t in[CK_HISTOGRAM_BOUNDS + 1];
  _Atomic uint64_t us; /* all together */
};

/* One more took so many microseconds. Any thread, also beside the two below. */
void ck_histogram_note(struct ck_histogram *h, int64_t us);
/* How many there were. */
uint64_t ck_histogram_count(const struct ck_histogram *h);
/* A pair whose value is {"count", "us": all together, "within": [[bound, how many took at most so
 * many microseconds], …]}. */
void ck_pair_histogram(struct ck_map *m, const char *name, const struct ck_histogram *h);

#endif

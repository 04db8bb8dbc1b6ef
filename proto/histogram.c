/* See histogram.h. */
#include "proto/histogram.h"

const int64_t ck_histogram_us[CK_HISTOGRAM_BOUNDS] = {100,    250,     500,     1000,    2500,
                                                      5000,   10000,   25000,   50000,   100000,
                                                      250000, 1000000, 5000000, 30000000};

void ck_histogram_note(struct ck_histogram *h, int64_t us) {
  int i = 0;
  if (us < 0) us = 0;
  while (i < CK_HISTOGRAM_BOUNDS && us > ck_histogram_us[i]) ++i;
  atomic_fetch_add_explicit(&h->in[i], 1, memory_order_relaxed);
  atomic_fetch_add_explicit(&h->us, (uint64_t)us, memory_order_relaxed);
}

static uint64_t in_range(const struct ck_histogram *h, int i) {
  return atomic_load_explicit(&h->in[i], memory_order_relaxed);
}

uint64_t ck_histogram_count(const struct ck_histogram *h) {
  uint64_t n = 0;
  for (int i = 0; i <= CK_HISTOGRAM_BOUNDS; ++i) n += in_range(h, i);
  return n;
}

void ck_pair_histogram(struct ck_map *m, const char *name, const struct ck_histogram *h) {
  uint64_t n = 0;
  struct ck_map one = ck_pair_map(m, name);
  ck_pair_name(&one, "within");
  ck_put_array(one.b, CK_HISTOGRAM_BOUNDS);
  for (int i = 0; i < CK_HISTOGRAM_BOUNDS; ++i) {
    n += in_range(h, i);
    ck_put_array(one.b, 2);
    ck_put_int(one.b, ck_histogram_us[i]);
    ck_put_uint(one.b, n);
  }
  ck_pair_uint(&one, "count", n + in_range(h, CK_HISTOGRAM_BOUNDS));
  ck_pair_uint(&one, "us", atomic_load_explicit(&h->us, memory_order_relaxed));
  ck_map_close(&one);
}

/* Counts in ranges. */
#include <criterion/criterion.h>

#include "proto/histogram.h"
#include "proto/json.h"

static json_t *said(const struct ck_histogram *h) {
  struct ck_buf b = {0};
  struct ck_map m = ck_map_open(&b);
  ck_pair_histogram(&m, "x", h);
  ck_map_close(&m);
  json_t *value = ck_json_of(ck_buf_view(&b));
  cr_assert_not_null(value);
  json_t *one = json_incref(json_object_get(value, "x"));
  json_decref(value);
  ck_buf_free(&b);
  return one;
}

static int64_t number(const json_t *from, const char *name) {
  return json_integer_value(json_object_get(from, name));
}

/* How many took at most the bound of that index. */
static int64_t within(const json_t *h, size_t i, int64_t bound) {
  const json_t *pair = json_array_get(json_object_get(h, "within"), i);
  cr_assert_eq(json_integer_value(json_array_get(pair, 0)), bound);
  return json_integer_value(json_array_get(pair, 1));
}

Test(histogram, counts_in_ranges_with_their_bounds) {
  struct ck_histogram h = {0};
  const int64_t took[] = {-5, 0, 100, 101, 250, 30000000, 30000001};
  for (size_t i = 0; i < sizeof took / sizeof *took; ++i) ck_histogram_note(&h, took[i]);
  cr_assert_eq(ck_histogram_count(&h), 7);
  json_t *x = said(&h);
  cr_assert_eq(number(x, "count"), 7);
  cr_assert_eq(number(x, "us"), 100 + 101 + 250 + 30000000 + 30000001);
  cr_assert_eq(json_array_size(json_object_get(x, "within")), CK_HISTOGRAM_BOUNDS);
  cr_assert_eq(within(x, 0, 100), 3);
  cr_assert_eq(within(x, 1, 250), 5);
  cr_assert_eq(within(x, 12, 5000000), 5);
  cr_assert_eq(within(x, 13, 30000000), 6);
  json_decref(x);
}

Test(histogram, nothing_noted) {
  struct ck_histogram h = {0};
  json_t *x = said(&h);
  cr_assert_eq(number(x, "count"), 0);
  cr_assert_eq(within(x, 13, 30000000), 0);
  json_decref(x);
}

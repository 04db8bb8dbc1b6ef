/* What something costs, as a person writes it. */
#include <criterion/criterion.h>

#include <math.h>

#include "proto/cost.h"

static void is(const char *text, int64_t millionths, const char *again) {
  struct ck_err err;
  struct ck_buf b = {0};
  int64_t cost = -7;
  cr_assert_eq(ck_cost_parse(ck_str_of(text), &cost, &err), 0, "%s: %s", text, err.text);
  cr_expect_eq(cost, millionths, "%s is %lld", text, (long long)cost);
  ck_cost_text(&b, cost);
  cr_expect_str_eq(ck_buf_cstr(&b), again);
  ck_buf_free(&b);
}

Test(cost, is_read_and_written) {
  is("0", 0, "0");
  is("2.5", 2500000, "2.5");
  is("0.000001", 1, "0.000001");
  is("0.05", 50000, "0.05");
  is("10", 10000000, "10");
  is("1000000", CK_COST_MAX, "1000000");
  is("007.10", 7100000, "7.1");
}

Test(cost, what_is_none) {
  const char *const wrong[] = {"",        "-1",         "2,5",      ".5",       "2.",
                               "1e3",     " 1",         "1 ",       "nan",      "1.2.3",
                               "1000001", "1000000.01", "99999999", "0.0000001"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    struct ck_err err;
    int64_t cost;
    cr_expect_eq(ck_cost_parse(ck_str_of(wrong[i]), &cost, &err), -1, "'%s' is a cost", wrong[i]);
  }
}

Test(cost, of_a_number) {
  cr_expect_eq(ck_cost_of(0.7), 700000);
  cr_expect_eq(ck_cost_of(0.1) * 3, 300000);
  cr_expect_eq(ck_cost_of(-1), 0);
  cr_expect_eq(ck_cost_of(NAN), 0);
  cr_expect_eq(ck_cost_of(1e300), CK_COST_MAX);
}

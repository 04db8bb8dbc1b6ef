/* Writing maps without counting their pairs, and looking a pair up. */
#include "proto/map.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct ck_buf b, expected;

static void end(void) {
  ck_buf_free(&b);
  ck_buf_free(&expected);
}

TestSuite(map, .fini = end);

static void same_bytes(void) {
  cr_assert(ck_str_eq(ck_buf_view(&b), ck_buf_view(&expected)), "%zu bytes, not %zu", b.len,
            expected.len);
}

/* For so many pairs, the bytes are those of ck_put_map, which is told the number beforehand. */
Test(map, the_head_is_the_shortest_there_is) {
  static const uint32_t counts[] = {0, 1, 15, 16, 17, 255, 65535, 65536, 70000};
  for (size_t i = 0; i < sizeof counts / sizeof *counts; ++i) {
    ck_buf_clear(&b), ck_buf_clear(&expected);
    ck_put_text(&b, "in front"), ck_put_text(&expected, "in front");
    struct ck_map m = ck_map_open(&b);
    ck_put_map(&expected, counts[i]);
    for (uint32_t k = 0; k < counts[i]; ++k) {
      ck_pair_uint(&m, "name", k);
      ck_put_text(&expected, "name"), ck_put_uint(&expected, k);
    }
    ck_map_close(&m);
    same_bytes();
  }
}

Test(map, pairs_of_every_kind_and_maps_inside) {
  struct ck_map m = ck_map_open(&b);
  ck_pair_nil(&m, "nil");
  ck_pair_bool(&m, "bool", true);
  ck_pair_int(&m, "int", -70000);
  ck_pair_uint(&m, "uint", UINT64_MAX);
  ck_pair_str(&m, "str", CK_LIT("a"));
  ck_pair_text(&m, "text", "b");
  ck_pair_text_or_nil(&m, "some", "c");
  ck_pair_text_or_nil(&m, "empty", "");
  ck_pair_text_or_nil(&m, "null", NULL);
  struct ck_map inner = ck_pair_map(&m, "map");
  for (int i = 0; i < 20; ++i) ck_pair_int(&inner, "i", i);
  ck_map_close(&inner);
  ck_pair_name(&m, "list");
  ck_put_array(&b, 1), ck_put_int(&b, 1);
  ck_map_close(&m);

  struct ck_str map = ck_buf_view(&b);
  struct ck_reader r;
  uint32_t n;
  cr_assert_eq(ck_scan(map.s, map.n, NULL), 0, "exactly one value");
  cr_assert(ck_map_bool(map, "bool"));
  cr_assert_eq(ck_map_int(map, "int", 5), -70000);
  cr_assert_eq(ck_map_uint(map, "uint", 5), UINT64_MAX);
  cr_assert(ck_str_is(ck_map_str(map, "str"), "a") && ck_str_is(ck_map_str(map, "text"), "b"));
  cr_assert(ck_str_is(ck_map_str(map, "some"), "c"));
  cr_assert(ck_map_find(map, "empty", &r) && ck_map_find(map, "null", &r));
  cr_assert(ck_map_find(map, "map", &r) && ck_read_map(&r, &n) == 0 && n == 20);
  cr_assert(ck_map_find(map, "list", &r) && ck_read_array(&r, &n) == 0 && n == 1);
  cr_assert(ck_read_int(&r, &(int64_t){0}) == 0 && r.p == r.end, "the value and nothing after it");
}

Test(map, what_is_not_there_has_no_value) {
  struct ck_map m = ck_map_open(&b);
  ck_pair_int(&m, "a", 1);
  ck_pair_text(&m, "b", "text");
  ck_pair_int(&m, "a", 2);
  ck_map_close(&m);
  struct ck_str map = ck_buf_view(&b);
  struct ck_reader r;
  cr_assert_not(ck_map_find(map, "c", &r));
  cr_assert_not(ck_map_find(map, "", &r));
  cr_assert_eq(ck_map_int(map, "a", 0), 1, "the first of that name");
  cr_assert_eq(ck_map_int(map, "b", 7), 7, "text is no number");
  cr_assert_eq(ck_map_uint(map, "b", 7), 7);
  cr_assert_not(ck_map_bool(map, "a"));
  cr_assert_eq(ck_map_str(map, "a").n, 0);
  cr_assert_eq(ck_map_int((struct ck_str){0}, "a", 7), 7, "no bytes are no map");
  cr_assert_not(ck_map_find(CK_LIT("\x91\x01"), "a", &r), "an array is none");
  cr_assert_not(ck_map_find(CK_LIT("\x82\x01\x01\xa1z\x01"), "z", &r), "a name that is no text");
  for (size_t n = 0; n < map.n; ++n) {
    struct ck_str cut = {map.s, n};
    cr_assert_eq(ck_map_int(cut, "c", 7), 7, "cut at %zu", n);
  }
}

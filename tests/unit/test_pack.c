/* MessagePack: values come back, and no bytes make a reader leave its bounds. */
#include "proto/pack.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BYTES(...) \
  ((struct ck_str){(const char *)(const unsigned char[]){__VA_ARGS__}, \
                   sizeof((unsigned char[]){__VA_ARGS__})})

static int scan(struct ck_str s) { return ck_scan(s.s, s.n, NULL); }

static const char *json_of(struct ck_str s) {
  static char text[4096];
  struct ck_buf b = {0};
  struct ck_reader r = ck_reader_of(s);
  if (ck_read_json(&r, &b)) {
    cr_expect_eq(b.len, 0);
    ck_buf_free(&b);
    return NULL;
  }
  snprintf(text, sizeof text, "%s", ck_buf_cstr(&b));
  ck_buf_free(&b);
  return text;
}

/* The borders of each form of an integer. */
static const int64_t ints[] = {0,
                               1,
                               -1,
                               127,
                               128,
                               255,
                               256,
                               -32,
                               -33,
                               -128,
                               -129,
                               65535,
                               65536,
                               -32768,
                               -32769,
                               UINT32_MAX,
                               (int64_t)UINT32_MAX + 1,
                               INT32_MIN,
                               (int64_t)INT32_MIN - 1,
                               INT64_MAX,
                               INT64_MIN};
#define INTS (sizeof ints / sizeof *ints)

static void write_every_type(struct ck_buf *b) {
  ck_put_array(b, 9 + INTS);
  ck_put_nil(b);
  ck_put_bool(b, true);
  ck_put_bool(b, false);
  ck_put_uint(b, UINT64_MAX);
  ck_put_float(b, 1.5);
  ck_put_text(b, "é");
  ck_put_map(b, 1);
  ck_put_text(b, "k");
  ck_put_str(b, (struct ck_str){NULL, 0});
  ck_put_uint(b, 7);
  ck_put_raw(b, BYTES(0x91, 0xc0));
  for (size_t i = 0; i < INTS; i++) ck_put_int(b, ints[i]);
}

static void read_ints(struct ck_reader *r) {
  uint64_t u;
  int64_t v;
  for (size_t i = 0; i < INTS; i++) {
    struct ck_reader before = *r;
    cr_assert_eq(ck_read_uint(r, &u), ints[i] < 0 ? -1 : 0);
    *r = before;
    cr_assert(ck_read_int(r, &v) == 0 && v == ints[i]);
  }
}

Test(pack, reads_back_what_it_writes) {
  struct ck_buf b = {0};
  write_every_type(&b);
  cr_assert_eq(scan(ck_buf_view(&b)), 0);
  struct ck_reader r = ck_reader_of(ck_buf_view(&b));
  struct ck_item it;
  struct ck_str s;
  uint32_t n;
  uint64_t u;
  int64_t v;
  cr_assert_eq(ck_read_map(&r, &n), -1, "an array is no map, and stays unread");
  cr_assert_eq(ck_read_array(&r, &n), 0);
  cr_assert_eq(n, 9 + INTS);
  cr_assert(ck_read(&r, &it) == 0 && it.type == CK_T_NIL);
  cr_assert(ck_read(&r, &it) == 0 && it.type == CK_T_BOOL && it.as.b);
  cr_assert(ck_read(&r, &it) == 0 && it.type == CK_T_BOOL && !it.as.b);
  cr_assert_eq(ck_read_int(&r, &v), -1);
  cr_assert(ck_read_uint(&r, &u) == 0 && u == UINT64_MAX);
  cr_assert(ck_read(&r, &it) == 0 && it.type == CK_T_FLOAT && it.as.f == 1.5);
  cr_assert(ck_read_str(&r, &s) == 0 && ck_str_is(s, "é"));
  cr_assert(ck_read_map(&r, &n) == 0 && n == 1);
  cr_assert(ck_read_str(&r, &s) == 0 && ck_read_str(&r, &s) == 0 && s.n == 0);
  cr_assert(ck_read_uint(&r, &u) == 0 && u == 7);
  cr_assert(ck_read_raw(&r, &s) == 0 && s.n == 2);
  read_ints(&r);
  cr_assert_eq(ck_read(&r, &it), -1);
  ck_buf_free(&b);
}

/* Every possible first byte, with enough and with too few bytes after it. */
Test(pack, every_form_is_bounded) {
  for (int lead = 0; lead < 256; lead++)
    for (size_t n = 1; n < 40; n++) {
      /* On the heap, exactly as long as claimed, so that a sanitizer sees a read beyond it. */
      unsigned char *bytes = calloc(n, 1);
      bytes[0] = (unsigned char)lead;
      int ok = ck_scan(bytes, n, NULL) == 0;
      struct ck_str s = {(char *)bytes, n}, raw;
      struct ck_reader r = ck_reader_of(s);
      int whole = ck_read_raw(&r, &raw) == 0 && raw.n == n;
      cr_assert_eq(ok, whole, "lead 0x%02x, %zu bytes", lead, n);
      free(bytes);
    }
}

Test(pack, scan_refuses) {
  struct ck_err err;
  cr_assert_eq(ck_scan("", 0, &err), -1);
  cr_assert_eq(scan(BYTES(0xc1)), -1);
  cr_assert_eq(scan(BYTES(0xc0, 0xc0)), -1);
  cr_assert_eq(scan(BYTES(0xdd, 0xff, 0xff, 0xff, 0xff)), -1);
  cr_assert_eq(scan(BYTES(0xdf, 0xff, 0xff, 0xff, 0xff)), -1);
  cr_assert_eq(scan(BYTES(0xdf, 0x80, 0, 0, 0)), -1);
  cr_assert_eq(scan(BYTES(0xdb, 0xff, 0xff, 0xff, 0xff, 'a')), -1);
  cr_assert_eq(scan(BYTES(0x92, 0x01)), -1);
  cr_assert_eq(scan(BYTES(0x81, 0x01)), -1);
  cr_assert_eq(scan(BYTES(0xc7, 0x02, 0x01, 0x00)), -1);
  cr_assert_eq(scan(BYTES(0xd4, 0x01)), -1);
  unsigned char claims[] = {0x93, 0x01, 0xdd, 0, 0, 0, 9, 0};
  cr_assert_eq(ck_scan(claims, sizeof claims, &err), -1);
  cr_assert_not_null(strstr(err.text, "byte 2"), "%s", err.text);
}

Test(pack, depth_is_limited) {
  unsigned char deep[CK_DEPTH_MAX + 2];
  memset(deep, 0x91, sizeof deep);
  deep[CK_DEPTH_MAX] = 0xc0;
  cr_assert_eq(ck_scan(deep, CK_DEPTH_MAX + 1, NULL), 0);
  cr_assert_not_null(json_of((struct ck_str){(char *)deep, CK_DEPTH_MAX + 1}));
  deep[CK_DEPTH_MAX] = 0x91;
  deep[CK_DEPTH_MAX + 1] = 0xc0;
  cr_assert_eq(ck_scan(deep, CK_DEPTH_MAX + 2, NULL), -1);
  cr_assert_null(json_of((struct ck_str){(char *)deep, CK_DEPTH_MAX + 2}));
  deep[CK_DEPTH_MAX] = 0x90;
  cr_assert_eq(ck_scan(deep, CK_DEPTH_MAX + 1, NULL), -1, "an empty array is one too");
  unsigned char *bomb = malloc(1 << 20);
  memset(bomb, 0x91, 1 << 20);
  cr_assert_eq(ck_scan(bomb, 1 << 20, NULL), -1);
  struct ck_str raw;
  struct ck_reader r = ck_reader_of((struct ck_str){(char *)bomb, 1 << 20});
  cr_assert_eq(ck_read_raw(&r, &raw), -1);
  free(bomb);
}

Test(pack, scan_takes_empty_containers_and_siblings) {
  cr_assert_eq(scan(BYTES(0x90)), 0);
  cr_assert_eq(scan(BYTES(0x80)), 0);
  cr_assert_eq(scan(BYTES(0x93, 0x90, 0x81, 0x90, 0x80, 0x91, 0x92, 0x01, 0x02)), 0);
  cr_assert_eq(scan(BYTES(0xd8, 1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)), 0);
}

Test(pack, json) {
  struct ck_buf b = {0};
  ck_put_map(&b, 3);
  ck_put_text(&b, "a\"");
  ck_put_int(&b, -3);
  ck_put_uint(&b, 7);
  size_t list = ck_open_array(&b);
  ck_put_float(&b, 0.1);
  ck_put_float(&b, 1);
  ck_put_float(&b, NAN);
  ck_put_float(&b, -INFINITY);
  ck_put_float(&b, 1e300);
  ck_put_uint(&b, UINT64_MAX);
  ck_put_bool(&b, true);
  ck_put_nil(&b);
  ck_put_raw(&b, BYTES(0xc4, 2, 0xde, 0xad));
  ck_put_raw(&b, BYTES(0xd4, 1, 0x7f));
  ck_put_raw(&b, BYTES(0xca, 0x3f, 0xc0, 0, 0));
  ck_put_map(&b, 0);
  ck_put_array(&b, 0);
  ck_close_array(&b, list, 13);
  ck_put_nil(&b);
  ck_put_text(&b, "");
  cr_assert_eq(scan(ck_buf_view(&b)), 0);
  cr_assert_str_eq(json_of(ck_buf_view(&b)),
                   "{\"a\\\"\":-3,\"7\":[0.1,1,null,null,1e+300,18446744073709551615,true,null,"
                   "\"dead\",\"7f\",1.5,{},[]],\"null\":\"\"}");
  ck_buf_free(&b);
}

Test(pack, json_refuses) {
  cr_assert_null(json_of(BYTES(0xa1, 0xff)));
  cr_assert_null(json_of(BYTES(0x81, 0x90, 0x01)), "a container as a key");
  cr_assert_null(json_of(BYTES(0x92, 0x01)));
  cr_assert_null(json_of((struct ck_str){NULL, 0}));
}

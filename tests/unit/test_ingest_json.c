/* Parsing untrusted JSON, and the fast parser against jansson. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/parse/json.h"
#include "proto/json_build.h"

static json_t *parse(struct ck_str text, unsigned *replaced, struct ck_err *err) {
  char *copy = ck_alloc(text.n);
  if (text.n) memcpy(copy, text.s, text.n);
  json_t *value = ingest_json_parse(copy, text.n, 1000, replaced, NULL, err);
  free(copy);
  return value;
}

static void reads(const char *text, const char *bytes, size_t n, unsigned wanted) {
  unsigned replaced = 0;
  struct ck_err err = {""};
  json_t *value = parse(ck_str_of(text), &replaced, &err);
  cr_assert_not_null(value, "%s: %s", text, err.text);
  struct ck_str got = ingest_json_str(value);
  cr_assert(got.n == n && memcmp(got.s, bytes, n) == 0, "%s gives %zu bytes: %s", text, got.n,
            got.s);
  cr_assert_eq(replaced, wanted, "%s: %u replaced", text, replaced);
  json_decref(value);
}

static void fails(struct ck_str text, const char *why) {
  struct ck_err err = {""};
  cr_assert_null(parse(text, NULL, &err), "%.*s", (int)text.n, text.s);
  cr_assert(strstr(err.text, why), "\"%s\" is not in: %s", why, err.text);
}

Test(ingest_json, surrogates) {
  reads("\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80", 4, 0);
  reads("\"a\\ud83d\"", "a\xef\xbf\xbd", 4, 1);
  reads("\"\\ude00b\"",
        "\xef\xbf\xbd"
        "b",
        4, 1);
  reads("\"\\ud83d\\ud83d\\ude00\"", "\xef\xbf\xbd\xf0\x9f\x98\x80", 7, 1);
  reads("\"\\uD83D\\n\"", "\xef\xbf\xbd\n", 4, 1);
  reads("\"\\\\ud83d\"", "\\ud83d", 6, 0);
  reads("\"\\u0000x\"", "\0x", 2, 0);
}

/* jansson ends a name at its NUL, so that is read as U+FFFD; what else is there stays. */
Test(ingest_json, nul_in_a_name) {
  struct ck_err err = {""};
  unsigned replaced = 0;
  json_t *value =
      parse(CK_LIT("{\"\\u0000a\\u0000\\u0000b\":\"\\u0000\",\"c\":1}"), &replaced, &err);
  cr_assert_not_null(value, "%s", err.text);
  cr_assert_eq(replaced, 3);
  struct ck_str text = ingest_json_text(value, "\xef\xbf\xbd"
                                               "a\xef\xbf\xbd\xef\xbf\xbd"
                                               "b");
  cr_assert(text.n == 1 && text.s[0] == '\0', "in text it stays");
  cr_assert_eq(json_integer_value(json_object_get(value, "c")), 1);
  json_decref(value);
  fails(CK_LIT("{\"\\u0000\":1,}"), "byte 1013 of the file:");
}

Test(ingest_json, what_it_refuses) {
  fails(CK_LIT("{\"a\":\"\xff\"}"), "byte 1006 of the file: not UTF-8");
  fails(CK_LIT("{\"a\":\"\xc3\""), "byte 1006 of the file: not UTF-8");
  fails(CK_LIT("\"\xed\xa0\x80\""), "byte 1001 of the file: not UTF-8");
  fails(CK_LIT("{\"a\":"), "byte 1005 of the file:");
  fails(CK_LIT("{\"a\":1}}"), "byte 100");
  fails(CK_LIT("\"\\ud8"), "byte 10");
  fails(CK_LIT("\"\\"), "byte 10");
  fails(CK_LIT(""), "byte 1000");
  struct ck_buf deep = {0};
  for (int i = 0; i < 100000; ++i) ck_buf_text(&deep, "[");
  fails(ck_buf_view(&deep), "byte 1256 of the file: nested deeper than 256");
  ck_buf_clear(&deep);
  ck_buf_text(&deep, "[");
  for (int i = 0; i < 3000000; ++i) ck_buf_text(&deep, "1,");
  fails(ck_buf_view(&deep), "more than 2750000 values in 6000001 bytes");
  ck_buf_free(&deep);
}

/* Every byte that ends a run of text, at every position of the eight that are tested together. */
Test(ingest_json, plain_text_ends) {
  static const char special[] = {'"', '\\', '\n', '\0', 0x1f},
                    plain[] = {' ',    '!',    '#',    '[',    ']',   '\x7f',
                               '\x80', '\xff', '\xa2', '\xdc', '\x9f'};
  char text[41];
  for (size_t at = 0; at < 40; ++at)
    for (size_t i = 0; i < sizeof special * sizeof plain; ++i) {
      memset(text, plain[i % sizeof plain], 40);
      text[at] = special[i / sizeof plain];
      for (size_t from = 0; from <= at; ++from) {
        cr_assert_eq(ck_json_plain(text + from, text + 40) - text, (ptrdiff_t)at);
        cr_assert_eq(ck_json_plain(text + from, text + at) - text, (ptrdiff_t)at);
      }
    }
}

static const char *const good[] = {
    "{}",
    " [ ] ",
    "\"\"",
    "{\"a\":1,\"b\":{\"c\":[null,true,false]},\"a\":\"last\"}",
    "-0",
    "0.5",
    "1e5",
    "-1.5E-3",
    "[1,2.25,\n\t3]",
    "9223372036854775807",
    "-9223372036854775808",
    "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\u20ac\\ud83d\\ude00\\u0000\"",
    "\"\u00e9 as it is\""};
static const char *const bad[] = {"",
                                  " ",
                                  "{",
                                  "[1,]",
                                  "[1 2]",
                                  "{\"a\"}",
                                  "{\"a\":}",
                                  "{\"a\":1,}",
                                  "{a:1}",
                                  "01",
                                  "1.",
                                  ".5",
                                  "1e",
                                  "+1",
                                  "-",
                                  "tru",
                                  "truex",
                                  "[]]",
                                  "[}",
                                  "\"a\nb\"",
                                  "\"\\x\"",
                                  "\"\\ud83d\"",
                                  "\"\\ude00\"",
                                  "\"\\u12",
                                  "\"a",
                                  "{\"\\u0000\":1}",
                                  "NaN",
                                  "1e999",
                                  "[[[[1]]]]"};

static json_t *build(const char *text, unsigned depth, size_t values, unsigned *replaced) {
  const struct ck_json_text from = {text, strlen(text), depth, values, replaced, NULL, NULL, 0};
  return ck_json_build(&from, NULL);
}

/* Valid JSON gives the same value as jansson; invalid JSON, and only that, is left to jansson. */
Test(ingest_json, built_as_jansson_does) {
  for (size_t i = 0; i < sizeof good / sizeof *good; ++i) {
    unsigned replaced = 0;
    json_t *built = build(good[i], 3, 50, i % 2 ? &replaced : NULL),
           *loaded = json_loads(good[i], JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    cr_assert(built && loaded && json_equal(built, loaded), "%s", good[i]);
    json_decref(built);
    json_decref(loaded);
  }
  for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i)
    cr_assert_null(build(bad[i], 3, 50, NULL), "%s", bad[i]);
}

/* jansson would read [9]. */
Test(ingest_json, a_zero_byte_between_values) {
  struct ck_err err = {""};
  cr_assert_null(parse(CK_LIT("[9\0]"), NULL, &err));
  cr_assert_str_eq(err.text, "byte 1002 of the file: not valid JSON");
}

/* Exactly so deep, and so many values: what pass_all() in json.c counts. */
Test(ingest_json, built_within_its_limits) {
  static const struct {
    const char *text;
    unsigned depth;
    size_t values;
  } limits[] = {{"1", 0, 0},     {"[]", 1, 1},        {"[[]]", 2, 2},
                {"[1,2]", 1, 2}, {"{\"a\":1}", 1, 2}, {"{\"a\":[1,2],\"b\":\",[:\"}", 2, 6}};
  for (size_t i = 0; i < sizeof limits / sizeof *limits; ++i) {
    const char *text = limits[i].text;
    unsigned depth = limits[i].depth;
    size_t values = limits[i].values;
    json_t *built = build(text, depth, values, NULL);
    cr_assert(built, "%s", text);
    json_decref(built);
    cr_assert(!depth || !build(text, depth - 1, values, NULL), "%s", text);
    cr_assert(!values || !build(text, depth, values - 1, NULL), "%s", text);
  }
}

/* One number that is too large does not turn the others into fractions. */
Test(ingest_json, large_numbers) {
  struct ck_err err;
  json_t *value =
      parse(CK_LIT("{\"a\":123456789012345678901234567890,\"b\":7,\"c\":9223372036854775808}"),
            NULL, &err);
  cr_assert_not_null(value);
  cr_assert_float_eq(json_real_value(json_object_get(value, "a")), 123456789012345678901234567890.0,
                     1e15);
  cr_assert_eq(json_integer_value(json_object_get(value, "b")), 7);
  cr_assert_float_eq(json_real_value(json_object_get(value, "c")), 9223372036854775808.0, 1);
  json_decref(value);
}

static void is_time(const char *text, bool ok, int64_t ms) {
  struct ck_err err;
  int64_t at = -1;
  json_t *value = parse(ck_str_of(text), NULL, &err);
  cr_assert_eq(ingest_json_time(value, &at), ok, "%s", text);
  cr_assert_eq(at, ok ? ms : -1, "%s is %lld", text, (long long)at);
  json_decref(value);
}

Test(ingest_json, times) {
  is_time("1695326273.968528", true, 1695326273969);
  is_time("1695326335.1914", true, 1695326335191);
  is_time("1784164500", true, 1784164500000);
  is_time("1784164500123", true, 1784164500123);
  is_time("1784164500123456", true, 1784164500123);
  is_time("1784164500123456789", true, 1784164500123);
  is_time("253402300799", true, 253402300799000);
  is_time("253402300800", true, 253402300800);
  is_time("\"1784164500.25\"", true, 1784164500250);
  is_time("\" 1784164500123 \"", true, 1784164500123);
  is_time("\"1784164500.2.5\"", false, 0);
  is_time("\"-1784164500\"", false, 0);
  is_time("\"1784164500s\"", false, 0);
  is_time("true", false, 0);
  is_time("\"2024-10-18T05:30:20.458713Z\"", true, 1729229420458);
  is_time("\"2025-01-20T15:00:00+01:00\"", true, 1737381600000);
  is_time("null", false, 0);
  is_time("0", false, 0);
  is_time("-5", false, 0);
  is_time("1e300", false, 0);
  is_time("\"soon\"", false, 0);
  is_time("\"\"", false, 0);
}

static void cleans(const char *text, size_t room, const char *expected) {
  char buf[64];
  struct ck_str got = ingest_clean(buf, room, ck_str_of(text));
  cr_assert_str_eq(buf, expected);
  cr_assert(got.n == strlen(expected) && ck_utf8_ok(got));
}

Test(ingest_json, text_for_an_answer) {
  cleans("plain", 64, "plain");
  cleans("", 64, "");
  cleans("d\xc3\xa9j\xc3\xa0", 6, "d\xc3\xa9j");
  cleans("\xff\xfe"
         "a\xc3",
         64, "??a?");
  cleans("\xe2\x82", 64, "??");
  struct ck_err err = {""};
  struct ck_buf b = {0};
  ck_buf_text(&b, "{\"a\":");
  for (int i = 0; i < 200; ++i) ck_buf_text(&b, "\xe2\x82\xac");
  for (int i = 0; i < 4; ++i) { /* wherever jansson cuts its quotation */
    ck_buf_text(&b, " ");
    cr_assert_null(parse(ck_buf_view(&b), NULL, &err));
    cr_assert(ck_utf8_ok(ck_str_of(err.text)), "%s", err.text);
  }
  ck_buf_free(&b);
}

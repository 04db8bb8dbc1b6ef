/* JSON text as jansson's values, as jansson itself reads it, and as MessagePack and back. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "proto/json.h"

static const char *const good[] = {
    "{}",
    "0",
    "\"\"",
    " [1, -2.5, true, false, null, \"\\u0000\\u00e9\\ud83d\\ude00\"] ",
    "{\"a\": {\"b\": [[[]]]}, \"a\": \"the last one\"}",
    "[9223372036854775807, -9223372036854775808, 1e300]"};

Test(json, text_is_read_as_jansson_does) {
  json_error_t error;
  for (size_t i = 0; i < sizeof good / sizeof *good; ++i) {
    json_t *value = ck_json_parse(ck_str_of(good[i]), &error),
           *loaded = json_loads(good[i], JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    cr_assert(value && loaded && json_equal(value, loaded), "%s", good[i]);
    json_decref(value);
    json_decref(loaded);
  }
}

/* jansson says what is wrong, and where. */
Test(json, what_is_wrong_is_said) {
  static const struct {
    struct ck_str text;
    int line, column;
  } bad[] = {{{"", 0}, 1, 0},
             {{"{\n\"a\" 1}", 8}, 2, 5},
             {{"[1] 2", 5}, 1, 5},
             {{"\"\xff\"", 3}, 1, 1},
             {{"\"\\ud800\"", 8}, 1, 8}};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i) {
    json_error_t error = {0};
    json_t *value = ck_json_parse(bad[i].text, &error);
    cr_expect_null(value, "%s", bad[i].text.s);
    cr_expect(error.text[0] && error.line == bad[i].line && error.column == bad[i].column,
              "%s: line %d, column %d: %s", bad[i].text.s, error.line, error.column, error.text);
    json_decref(value);
  }
}

/* What is deeper than the fast parser goes is read all the same; a byte order mark is skipped. */
Test(json, deep_and_marked) {
  enum { DEPTH = 1000 };
  char deep[2 * DEPTH + 1] = "";
  json_error_t error;
  memset(deep, '[', DEPTH);
  memset(deep + DEPTH, ']', DEPTH);
  json_t *value = ck_json_parse(ck_str_of(deep), &error);
  cr_assert(json_is_array(value), "%s", error.text);
  json_decref(value);
  value = ck_json_parse(CK_LIT("\xef\xbb\xbf{\"a\": 1}"), &error);
  cr_assert_eq(json_integer_value(json_object_get(value, "a")), 1);
  json_decref(value);
}

Test(json, packed_and_back) {
  json_error_t error;
  for (size_t i = 0; i < sizeof good / sizeof *good; ++i) {
    struct ck_buf packed = {0};
    json_t *value = ck_json_parse(ck_str_of(good[i]), &error);
    cr_assert_eq(ck_put_json(&packed, value), 0);
    json_t *back = ck_json_of(ck_buf_view(&packed));
    cr_assert(back && json_equal(value, back), "%s", good[i]);
    json_decref(value);
    json_decref(back);
    ck_buf_free(&packed);
  }
}

/* What a text says that may be JSON (store/search/decode.c). */
#include "store/search/decode.h"

#include <criterion/criterion.h>

static void says(const char *text, const char *want) {
  struct ck_buf b = {0};
  ck_buf_text(&b, "|");
  search_decode(&b, ck_str_of(text));
  cr_expect_str_eq(ck_buf_cstr(&b) + 1, want, "%s: \"%s\", not \"%s\"", text, ck_buf_cstr(&b) + 1,
                   want);
  ck_buf_free(&b);
}

Test(search_decode, decodes_the_strings_of_json) {
  says("{\"a\\nb\":[\"c\\td\",-1.5e+3,true,false,null]}",
       "{\"a\nb\":[\"c\td\",-1.5e+3,true,false,null]}");
  says(" \n[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]", " \n[\"\"\\/\b\f\n\r\t\"]");
  says("[\"\\u00e9\\u4e2D\\ud83d\\ude00\"]", "[\"é中😀\"]");
  says("[\"\\ud83dx\\ude00\\u0000\\ud83d\\u0041\"]", "[\"\uFFFDx\uFFFD\uFFFD\uFFFDA\"]");
}

Test(search_decode, also_of_json_that_is_cut_off) {
  says("{\"a\":\"b\\nc", "{\"a\":\"b\nc");
  says("[\"b\\nc\\", "[\"b\nc");
  says("[\"b\\nc\\u00e", "[\"b\nc");
  says("[\"b\\nc\\ud83d", "[\"b\nc\uFFFD");
  says("[\"b\\n\",\"c\",", "[\"b\n\",\"c\",");
}

Test(search_decode, leaves_what_is_none) {
  static const char *const same[] = {"",
                                     "a\\nb",
                                     "\"a\\nb\"",
                                     "C:\\new",
                                     "[x] \"a\\nb\"",
                                     "{\"a\\nb\"; \"c\"}",
                                     "{ printf(\"a\\nb\"); }",
                                     "[\"a\\nb\\xc\"]",
                                     "[\"a\\nb\\u12g4\"]",
                                     "{\"a\":1}"};
  for (size_t i = 0; i < sizeof same / sizeof *same; ++i) says(same[i], same[i]);
}

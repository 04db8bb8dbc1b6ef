/* Whether what was said is the text of a follow-up. */
#include <criterion/criterion.h>

#include "store/read/echo.h"

static bool same(const char *a, const char *b) { return echo_same(ck_str_of(a), ck_str_of(b)); }

Test(store_echo, white_space_is_white_space) {
  cr_expect(same("go on", "go on"));
  cr_expect(same("\t go on\n", "go\r\n  on"));
  cr_expect(same("go\u00a0on", "go on\u3000"));
  cr_expect(same("", " \n"));
  cr_expect_not(same("go on", "goon"));
  cr_expect_not(same("goon", "go on"));
  cr_expect_not(same("go on", "go on now"));
  cr_expect_not(same("go on now", "go on"));
  cr_expect_not(same("go on", "go in"));
}

static bool of(const char *payload, const char *kind, const char *text) {
  return echo_of(ck_str_of(payload), ck_str_of(kind), ck_str_of(text));
}

Test(store_echo, a_text_of_the_json) {
  cr_expect(of("go on\n", "text", "go on"));
  cr_expect(of("{\"say\": {\"to\": [1, \"me\", \" go on\\n\"]}}", "json", "go on"));
  cr_expect(of("\"go on\"", "json", "go on"));
  cr_expect(of("[\"go on\"]", "json", " [\"go on\"]\n"), "as a whole");
  cr_expect_not(of("[\"go on\"]", "text", "go on"));
  cr_expect_not(of("{\"go on\": 1}", "json", "go on"));
  cr_expect_not(of("[\"go on\"", "json", "go on"));
  cr_expect_not(of("[\"\"]", "json", " "), "nothing was said");
}

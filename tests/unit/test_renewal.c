/* What an owner says of a conversation's follow-ups, and texts to look for. */
#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

#include "proto/clock.h"
#include "proto/pattern.h"
#include "proto/renewal.h"
#include "tests/unit/test_sanitized.h"

static struct ck_err err;

/* Read and written, it says the same. */
static void kept(const char *json, const char *said) {
  struct ck_renewal r;
  struct ck_buf again = {0}, text = {0};
  cr_assert_eq(ck_renewal_read(&r, ck_str_of(json), &err), 0, "%s: %s", json, err.text);
  ck_renewal_json(&again, &r);
  ck_renewal_text(&text, &r);
  cr_expect_str_eq(ck_buf_cstr(&again), json);
  cr_expect_str_eq(ck_buf_cstr(&text), said);
  ck_renewal_free(&r);
  ck_buf_free(&again);
  ck_buf_free(&text);
}

Test(renewal, what_is_said_is_kept) {
  setenv("TZ", "UTC", 1);
  kept("", "");
  kept("{\"until\":1796000000000}", "until 2026-11-30 00:53:20");
  kept("{\"in_a_row\":5}", "5 in a row");
  kept("{\"alike\":2,\"per_day\":20}", "until 2 answers are alike, 20 a day");
  kept("{\"alike\":0,\"per_day\":0}", "also after answers alike, any number a day");
  kept("{\"cost_per_day\":2.5,\"tokens_per_day\":500000}",
       "a cost of 2.5 a day, 500000 tokens a day");
  kept("{\"cost_per_day\":0.1}", "a cost of 0.1 a day");
  kept("{\"cost_per_day\":3}", "a cost of 3 a day");
  kept("{\"cost_per_day\":0,\"tokens_per_day\":0}", "at any cost, any number of tokens a day");
  kept("{\"question\":true}", "until a question");
  kept("{\"question\":false}", "also after a question");
  kept("{\"text\":\"/DONE$/\"}", "until the answer has /DONE$/");
  kept("{\"text\":\"\"}", "whatever the answer has");
  kept("{\"quiet\":\"23:00-07:00\"}", "not 23:00-07:00");
  kept("{\"quiet\":\"\"}", "at any hour");
  kept("{\"payload\":\"go on\"}", "saying go on");
  kept("{\"payload\":\"{}\",\"payload_kind\":\"json\"}", "saying {}");
  kept("{\"payload\":\"{date}\",\"payload_kind\":\"template\"}", "saying {date}");
}

static void refused(const char *json, const char *why) {
  struct ck_renewal r;
  cr_expect_eq(ck_renewal_read(&r, ck_str_of(json), &err), -1, "%s", json);
  cr_expect(strstr(err.text, why), "%s: %s", json, err.text);
  ck_renewal_free(&r);
}

Test(renewal, what_is_wrong_is_named) {
  refused("[]", "no JSON object");
  refused("{", "no JSON object");
  refused("{\"until\":\"soon\"}", "renewal.until: must be an integer");
  refused("{\"until\":0}", "renewal.until");
  refused("{\"in_a_row\":0}", "renewal.in_a_row: must be an integer from 1 to 1000");
  refused("{\"alike\":-1}", "renewal.alike: must be an integer from 0");
  refused("{\"per_day\":1.5}", "renewal.per_day");
  refused("{\"cost_per_day\":\"2.5\"}", "renewal.cost_per_day: must be a number from 0 to 1000000");
  refused("{\"cost_per_day\":-1}", "renewal.cost_per_day");
  refused("{\"cost_per_day\":1e7}", "renewal.cost_per_day");
  refused("{\"cost_per_day\":1e-7}", "renewal.cost_per_day");
  refused("{\"tokens_per_day\":0.5}", "renewal.tokens_per_day: must be an integer");
  refused("{\"question\":1}", "renewal.question: must be true or false");
  refused("{\"text\":1}", "renewal.text: must be a text");
  refused("{\"payload\":[]}", "renewal.payload: must be a text");
  refused("{\"payload_kind\":\"xml\"}", "renewal.payload_kind: must be one of text|json|template");
}

/* What is wrong is left out; the rest is as good as before. */
Test(renewal, what_is_right_is_kept) {
  struct ck_renewal r;
  struct ck_buf again = {0};
  cr_expect_eq(
      ck_renewal_read(&r,
                      CK_LIT("{\"until\":-5,\"in_a_row\":5000,\"alike\":\"x\",\"per_day\":7,"
                             "\"question\":1,\"text\":\"END\",\"payload_kind\":\"xml\"}"),
                      &err),
      -1);
  cr_expect(strstr(err.text, "renewal.until"), "%s", err.text);
  ck_renewal_json(&again, &r);
  cr_expect_str_eq(ck_buf_cstr(&again), "{\"per_day\":7,\"text\":\"END\"}");
  ck_renewal_free(&r);
  ck_buf_free(&again);
}

static int in(const char *text, const char *wanted) {
  return ck_pattern_in(ck_str_of(text), ck_str_of(wanted), &err);
}

Test(pattern, texts_and_patterns) {
  cr_expect_eq(in("All is DONE.", "DONE"), 1);
  cr_expect_eq(in("All is done.", "DONE"), 0);
  cr_expect_eq(in("", "DONE"), 0);
  cr_expect_eq(in("anything", ""), 0);
  cr_expect_eq(in("a/b", "a/b"), 1);
  cr_expect_eq(in("so.\nDONE\n", "/^DONE$/"), 1);
  cr_expect_eq(in("so.\nNOT DONE\n", "/^DONE$/"), 0);
  cr_expect_eq(in("done", "/^DONE$/i"), 1);
  cr_expect_eq(in("ÄRGER", "/ärger/i"), 1);
  cr_expect_eq(in("", "/^$/"), 1);
  cr_expect_eq(in("/ /usr/lib64", "/"), 1, "no pattern");
  cr_expect_eq(in("/usr/lib64", "/usr/lib64"), 1, "no pattern");
  cr_expect_eq(in("// so", "// so"), 1, "no pattern");
  cr_expect_eq(in("\xff DONE", "/DONE/"), 1, "any bytes");
}

static void not_taken(const char *wanted, const char *why) {
  err.text[0] = '\0';
  cr_expect_eq(ck_pattern_check(ck_str_of(wanted), &err), -1, "%s", wanted);
  cr_expect(strstr(err.text, why), "%s: %s", wanted, err.text);
  cr_expect_eq(in(wanted, wanted), -1, "%s", wanted);
}

Test(pattern, patterns_that_cannot_be) {
  not_taken("/(/", "is no pattern: missing closing parenthesis, at byte 2");
  not_taken("/[/", "is no pattern");
  not_taken("/^DONE$/m", "only i may stand, not \"m\"");
  not_taken("/x/gi", "not \"gi\"");
  not_taken("/usr/bin", "as in /\\/usr\\/bin/");
  not_taken("//", "nothing is between its slashes");
  not_taken("//i", "nothing is between its slashes");
  cr_expect_eq(ck_pattern_check(CK_LIT("("), &err), 0);
}

/* ---- the limit of a search: 256 KiB is the longest text that is looked at ---- */

#define LONG (256u << 10)

static struct ck_buf long_text(const char *piece, size_t bytes) {
  struct ck_buf b = {0};
  while (b.len < bytes) ck_buf_text(&b, piece);
  b.len = bytes;
  return b;
}

static void runs_away(const char *piece, const char *wanted) {
  struct ck_buf text = long_text(piece, LONG);
  int64_t began = ck_thread_us();
  cr_expect_eq(ck_pattern_in(ck_buf_view(&text), ck_str_of(wanted), &err), -1, "%s", wanted);
  int64_t took = ck_thread_us() - began;
  cr_expect(strstr(err.text, "takes too "), "%s: %s", wanted, err.text);
  cr_expect_lt(took, 500000, "%s: %lld us", wanted, (long long)took);
  ck_buf_free(&text);
}

#define PROSE "The code of the fox is in the house, and the dog has it.\n"

Test(pattern, a_search_has_one_limit) {
  runs_away(PROSE, "/code[\\s\\S]*\\d{9}/");
  runs_away(PROSE, "/(?s)the.*\\d\\d/");
  runs_away("a", "/a*b?[cd]/");
  runs_away("a", "/^(a|aa)+[xy]/");
  runs_away("ab", "/(ab)+\\1[cd]/");
  runs_away("a", "/a{60000}[xy]/");
  runs_away("a", "/(a*)*[xy]/");
}

Test(pattern, what_is_usual_is_found_in_long_texts) {
  static const char *const wanted[] = {"/^DONE$/", "/(?s)^The.*END/", "/\\bEND\\b/i", "/[0-9]+/",
                                       "/dog has (it|them)\\.$/"};
  struct ck_buf text = long_text(PROSE, LONG);
  ck_buf_text(&text, "\n7 times\nDONE\nEND");
  for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
    cr_expect_eq(ck_pattern_in(ck_buf_view(&text), ck_str_of(wanted[i]), &err), 1, "%s: %s",
                 wanted[i], err.text);
  ck_buf_free(&text);
  /* The limit is one of processor time, which a sanitizer takes too. */
  text = long_text(PROSE, LONG / 8 / SLOWER);
  cr_expect_eq(ck_pattern_in(ck_buf_view(&text), CK_LIT("/fox(.|\n)*dog/"), &err), 1, "%s",
               err.text);
  ck_buf_free(&text);
}

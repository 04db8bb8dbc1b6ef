/* Views, Unicode, buffers, ids, arenas, and quoting in the log. */
#include "proto/log.h"
#include "proto/text.h"

#include <criterion/criterion.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct ck_str of(const char *s) { return ck_str_of(s); }

static bool is(struct ck_str s, const char *t) { return ck_str_is(s, t); }

Test(text, views) {
  cr_assert(ck_str_eq(of(NULL), CK_LIT("")));
  cr_assert(ck_str_eq((struct ck_str){NULL, 0}, CK_LIT("")));
  cr_assert(ck_str_starts(CK_LIT("receipt/x"), "receipt/"));
  cr_assert_not(ck_str_starts(CK_LIT("receipt"), "receipt/"));
  cr_assert_not(ck_str_is(CK_LIT("ab\0c"), "ab"));
  char *copy = ck_str_dup((struct ck_str){"abcdef", 3});
  cr_assert_str_eq(copy, "abc");
  free(copy);
}

Test(text, trim_takes_unicode_white_space_at_both_ends) {
  cr_assert(is(ck_trim(of(" \t\r\n\v\f x y \n")), "x y"));
  cr_assert(is(ck_trim(of("\u00a0\xC2\x85\u1680\u2000\u200a\u2028\u2029\u202f\u205f\u3000\ufeffé"
                          "\ufeff\u3000\u2009\u00a0")),
               "é"));
  cr_assert(is(ck_trim(of("\u200b")), "\u200b"), "ZERO WIDTH SPACE is no White_Space");
  cr_assert(is(ck_trim(of("\u180e")), "\u180e"));
  cr_assert_eq(ck_trim(of(" \u3000 \n")).n, 0);
  cr_assert_eq(ck_trim((struct ck_str){NULL, 0}).n, 0);
  /* A letter whose last byte is one that a white space character ends with. */
  cr_assert(is(ck_trim(of("à…")), "à…"));
  cr_assert(is(ck_trim(of("\u0120")), "\u0120"));
}

Test(text, utf8) {
  static const char *const good[] = {"",
                                     "plain ascii beyond eight",
                                     "é",
                                     "€",
                                     "\U0001F600",
                                     "\u07ff\u0800\xED\x9F\xBF\ue000\uffff",
                                     "\xF4\x8F\xBF\xBF"};
  static const char *const bad[] = {
      "\x80",           "\xC0\xAF",     "\xC1\xBF",         "\xE0\x80\xAF",     "\xE0\x9F\xBF",
      "\xED\xA0\x80",   "\xED\xBF\xBF", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80",
      "\xFF",           "\xC3",         "\xE2\x82",         "\xF0\x9F\x98",     "12345678\xC3",
      "1234567\xC3\x28"};
  for (size_t i = 0; i < sizeof good / sizeof *good; i++)
    cr_assert(ck_utf8_ok(of(good[i])), "good %zu", i);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    cr_assert_not(ck_utf8_ok(of(bad[i])), "bad %zu", i);
  cr_assert(ck_utf8_ok(CK_LIT("a\0b")));
}

Test(text, cut_ends_between_characters) {
  cr_assert(is(ck_utf8_cut(of("aé€"), 6), "aé€"));
  cr_assert(is(ck_utf8_cut(of("aé€"), 5), "aé"));
  cr_assert(is(ck_utf8_cut(of("aé€"), 2), "a"));
  cr_assert(is(ck_utf8_cut(of("€"), 2), ""));
}

static void summary_is(const char *text, size_t bytes, const char *expected) {
  struct ck_buf b = {0};
  ck_buf_text(&b, "!");
  ck_buf_summary(&b, of(text), bytes);
  cr_expect_str_eq(ck_buf_cstr(&b) + 1, expected, "\"%s\" of \"%s\" in %zu bytes",
                   ck_buf_cstr(&b) + 1, text, bytes);
  cr_expect(b.len - 1 <= bytes);
  ck_buf_free(&b);
}

Test(text, summary_folds_and_cuts) {
  summary_is("", 10, "");
  summary_is("  a \n\n\u3000 b\t", 10, "a b");
  summary_is("0123456789", 10, "0123456789");
  summary_is("01234567890", 10, "0123456…");
  summary_is("012345 7890", 10, "012345…");
  summary_is("ééééé", 10, "ééééé");
  summary_is("éééééé", 10, "ééé…");
  summary_is("abcdef", 2, "ab");
  summary_is("\xff\xff", 10, "\xff\xff");
}

Test(text, buffers_grow) {
  struct ck_buf b = {0};
  for (int i = 0; i < 1000; i++) ck_buf_printf(&b, "%d,", i);
  cr_assert_eq(b.len, 10 * 2 + 90 * 3 + 900 * 4);
  cr_assert(ck_str_starts(ck_buf_view(&b), "0,1,2,"));
  ck_buf_clear(&b);
  char *large = ck_sprintf("%0*d", 5000, 7);
  ck_buf_printf(&b, "%s", large);
  cr_assert_eq(b.len, 5000);
  cr_assert_str_eq(ck_buf_cstr(&b), large);
  free(large);
  ck_buf_free(&b);
  cr_assert_str_eq(ck_buf_cstr(&b), "");
  ck_buf_free(&b);
}

Test(text, json_strings) {
  struct ck_buf b = {0};
  ck_buf_json_str(&b, CK_LIT("a\"b\\c\n\t\r\b\f\x01\x1f\0é\x7f/"));
  cr_assert_str_eq(ck_buf_cstr(&b), "\"a\\\"b\\\\c\\n\\t\\r\\b\\f\\u0001\\u001f\\u0000é\x7f/\"");
  ck_buf_clear(&b);
  ck_buf_json_str(&b, (struct ck_str){NULL, 0});
  cr_assert_str_eq(ck_buf_cstr(&b), "\"\"");
  ck_buf_free(&b);
}

Test(text, order_is_that_of_the_bytes) {
  static const char *const rising[] = {"", "A", "a", "aa", "b", "\xc3\xa9"};
  for (int i = 0; i < 6; ++i)
    for (int k = 0; k < 6; ++k) {
      int order = ck_str_order(of(rising[i]), of(rising[k]));
      cr_assert((order > 0) - (order < 0) == (i > k) - (i < k), "%s, %s", rising[i], rising[k]);
    }
  cr_assert_eq(ck_str_order((struct ck_str){NULL, 0}, CK_LIT("")), 0);
}

Test(text, characters_as_utf8) {
  static const unsigned codes[] = {0x41, 0x7f, 0x80, 0x7ff, 0x800, 0xffff, 0x10000, 0x10ffff};
  struct ck_buf b = {0};
  struct ck_arena arena = {0};
  for (size_t i = 0; i < sizeof codes / sizeof *codes; ++i) ck_buf_utf8(&b, codes[i]);
  struct ck_str text = ck_arena_keep(&arena, &b);
  cr_assert(
      is(text, "A\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"));
  cr_assert(text.s[text.n] == '\0' && !b.data && b.len == 0);
  ck_arena_free(&arena);
}

Test(text, hash_ids_keep_parts_apart_and_stay) {
  char a[33], b[33];
  ck_hash_id(a, (struct ck_str[]){CK_LIT("ab"), CK_LIT("c")}, 2);
  ck_hash_id(b, (struct ck_str[]){CK_LIT("a"), CK_LIT("bc")}, 2);
  cr_assert_str_neq(a, b);
  ck_hash_id(b, (struct ck_str[]){CK_LIT("ab"), CK_LIT("c")}, 2);
  cr_assert_str_eq(a, b);
  /* Ids are stored, so the way they are made can never change. */
  cr_assert_str_eq(a, "c27d1f025accf1fdcc822aaa1a6cca5e", "%s", a);
  ck_hash_id(b, NULL, 0);
  cr_assert_str_eq(b, "da39a3ee5e6b4b0d3255bfef95601890");
}

Test(text, bytes_are_two_hexadecimal_digits_each) {
  struct ck_buf b = {0};
  ck_buf_text(&b, "x");
  ck_buf_hex(&b, "\x00\x7f\x80\xff\x1e", 5);
  ck_buf_hex(&b, NULL, 0);
  cr_assert_str_eq(ck_buf_cstr(&b), "x007f80ff1e");
  ck_buf_free(&b);
}

Test(text, random_ids_differ) {
  char a[33], b[33];
  ck_random_id(a);
  ck_random_id(b);
  cr_assert_eq(strlen(a), 32);
  cr_assert_eq(strspn(a, "0123456789abcdef"), 32);
  cr_assert_str_neq(a, b);
}

Test(text, arena_keeps_what_it_gave_until_reset) {
  struct ck_arena a = {0};
  struct ck_str kept[500];
  for (int i = 0; i < 500; i++) {
    char text[64];
    kept[i] = ck_arena_copy(
        &a, (struct ck_str){text, (size_t)snprintf(text, sizeof text, "number %d", i)});
    void *p = ck_arena_get(&a, (size_t)i * 7);
    cr_assert_eq((uintptr_t)p % _Alignof(max_align_t), 0);
    memset(p, 0xAA, (size_t)i * 7);
  }
  for (int i = 0; i < 500; i++) cr_assert_eq(atoi(kept[i].s + 7), i);
  ck_arena_reset(&a);
  ck_arena_reset(&a);
  memset(ck_arena_get(&a, 100000), 1, 100000);
  ck_arena_free(&a);
  ck_arena_free(&a);
}

Test(log, quotes_what_could_break_a_line) {
  cr_assert_str_eq(ck_quotedz("a \"b\"\\\n\x1b[0m"), "\"a \\\"b\\\"\\\\\\n\\x1b[0m\"");
  cr_assert_str_eq(ck_quotedz("é"), "\"é\"");
  cr_assert_str_eq(ck_quotedz("\xC2\x9B"
                              "1m"),
                   "\"\\xc2\\x9b1m\"");
  cr_assert_str_eq(ck_quotedz("\xff"), "\"\\xff\"");
  char large[1000];
  memset(large, '\x01', sizeof large);
  const char *q = ck_quoted((struct ck_str){large, sizeof large});
  cr_assert_eq(strlen(q), 300 * 4 + 2 + strlen("…"));
  const char *first = ck_quotedz("1");
  ck_quotedz("2"), ck_quotedz("3"), ck_quotedz("4");
  cr_assert_str_eq(first, "\"1\"");
}

Test(log, levels) {
  enum ck_level level = CK_ERROR;
  cr_assert_eq(ck_log_level_parse("debug", &level), 0);
  cr_assert_eq(level, CK_DEBUG);
  cr_assert_eq(ck_log_level_parse("loud", &level), -1);
}

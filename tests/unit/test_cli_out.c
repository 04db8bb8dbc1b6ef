/* Tables, widths, and safe printing of untrusted text (cli/out.c). */
#include <criterion/criterion.h>
#include <locale.h>
#include <string.h>
#include "cli/out.h"
#include "proto/visible.h"

static void use_utf8(void) { setlocale(LC_CTYPE, "C.UTF-8"); }
TestSuite(cli_out, .init = use_utf8);

static void expect_safe(struct ck_str in, bool lines, const char *want) {
  struct ck_buf b = {0};
  cli_safe_text(&b, in, lines);
  cr_expect_str_eq(ck_buf_cstr(&b), want);
  ck_buf_free(&b);
}

Test(cli_out, text_cannot_command_the_terminal) {
  expect_safe(CK_LIT("plain, ünïcode, 漢字"), false, "plain, ünïcode, 漢字");
  expect_safe(CK_LIT("a\033[31mred"), false, "a<U+001B>[31mred");
  expect_safe(CK_LIT("a\x9b"
                     "b"),
              false, "a<9B>b");
  expect_safe(CK_LIT("a\xC2\x9b"
                     "b"),
              false, "a<U+009B>b");
  expect_safe(CK_LIT("a\0b"), false, "a<U+0000>b");
  expect_safe(CK_LIT("\xE2\x80\xAEgpj.exe"), false, "<U+202E>gpj.exe");
  expect_safe(CK_LIT("\xD8\x9C"
                     "a\xE2\x80\x8E"
                     "b\xE2\x80\x8F"
                     "c\xE2\x80\x8D"),
              false, "<U+061C>a<U+200E>b<U+200F>c\xE2\x80\x8D");
  expect_safe(CK_LIT("\xE2\x81\xAA\xEF\xBB\xBF\xEF\xBF\xB9"), false, "<U+206A><U+FEFF><U+FFF9>");
  expect_safe(CK_LIT("\xF0\x9F\x91\xA9\xEF\xB8\x8F"), false, "\xF0\x9F\x91\xA9\xEF\xB8\x8F");
  expect_safe(CK_LIT("cut \xE6\xBC"), false, "cut <E6><BC>");
  expect_safe(CK_LIT(""), false, "");
}

static void expect_visible(struct ck_str in, const char *want) {
  struct ck_buf b = {0};
  ck_visible_text(&b, in, true);
  cr_expect_str_eq(ck_buf_cstr(&b), want);
  ck_buf_free(&b);
}

Test(cli_out, what_a_terminal_obeys_is_shown_as_its_code) {
  expect_visible(CK_LIT("plain, ünïcode, 漢字\n\ttab"), "plain, ünïcode, 漢字\n\ttab");
  expect_visible(CK_LIT("\033[31m\a\x7f"), "<U+001B>[31m<U+0007><U+007F>");
  expect_visible(CK_LIT("a\0b"), "a<U+0000>b");
  expect_visible(CK_LIT("\xC2\x9b\xC2\x85"), "<U+009B><U+0085>");
  expect_visible(CK_LIT("\xE2\x80\xAEx\xE2\x81\xA9\xE2\x80\xA8"), "<U+202E>x<U+2069><U+2028>");
  expect_visible(CK_LIT("\xD8\x9C\xE2\x80\x8F\xE2\x80\x8E"), "<U+061C><U+200F><U+200E>");
  expect_visible(CK_LIT("one\r\ntwo\rthree"), "one\ntwo<U+000D>three");
  expect_visible(CK_LIT("cut \xE6\xBC"), "cut <E6><BC>");
  expect_visible(CK_LIT(""), "");
}

static void expect_cut(struct ck_str in, size_t width, const char *want) {
  struct ck_buf b = {0};
  ck_cut_text(&b, in, width);
  cr_expect_str_eq(ck_buf_cstr(&b), want);
  ck_buf_free(&b);
}

Test(cli_out, a_line_is_cut_to_columns) {
  expect_cut(CK_LIT("abcdef"), 6, "abcdef");
  expect_cut(CK_LIT("abcdef"), 5, "abcd…");
  expect_cut(CK_LIT("漢字漢字"), 8, "漢字漢字");
  expect_cut(CK_LIT("漢字漢字"), 7, "漢字漢…");
  expect_cut(CK_LIT("漢字漢字"), 6, "漢字…");
}

/* What a reader sees as one is not cut in two: accents, vowels, emoji of several characters. */
Test(cli_out, a_character_of_several_is_whole_or_not_there) {
  static const char *const seen[] = {"e\u0301",
                                     "कि",
                                     "\u2764\uFE0F",
                                     "1\uFE0F\u20E3",
                                     "🇩🇪",
                                     "👍🏽",
                                     "👩‍👩‍👧‍👦",
                                     "👩🏻‍❤️‍💋‍👩🏽",
                                     "🏴\U000E0067\U000E0062\U000E0065\U000E006E"
                                     "\U000E0067\U000E007F",
                                     "각"};
  for (size_t i = 0; i < sizeof seen / sizeof *seen; ++i) {
    struct ck_str one = ck_str_of(seen[i]);
    size_t width = ck_text_width(one);
    char *text = ck_sprintf("ab%s%scd", seen[i], seen[i]), *whole = ck_sprintf("ab%s…", seen[i]);
    cr_expect_eq(ck_visible_character(one.s, one.n), one.n, "%s", seen[i]);
    for (size_t columns = 3; columns < 3 + width; ++columns)
      expect_cut(ck_str_of(text), columns, "ab…");
    for (size_t columns = 3 + width; columns < 3 + 2 * width; ++columns)
      expect_cut(ck_str_of(text), columns, whole);
    free(text);
    free(whole);
  }
  cr_expect_eq(ck_visible_character("🇩🇪🇫🇷", 16), 8u, "two flags");
  cr_expect_eq(ck_visible_character("क्\u200Dष", 12), 9u, "a joiner between letters");
  cr_expect_eq(ck_visible_character(" \u0301", 3), 1u, "a blank is a blank");
}

Test(cli_out, blanks_are_folded_unless_lines_are_wanted) {
  expect_safe(CK_LIT("  a \n\n\tb  "), false, "a b");
  expect_safe(CK_LIT("a\r\n\tb  c\n"), true, "a\n\tb  c\n");
}

Test(cli_out, width_is_that_of_the_screen) {
  cr_expect_eq(ck_text_width(CK_LIT("abc")), 3u);
  cr_expect_eq(ck_text_width(CK_LIT("é")), 1u);
  cr_expect_eq(ck_text_width(CK_LIT("漢字")), 4u);
  cr_expect_eq(ck_text_width(CK_LIT("e\xCC\x81")), 1u);
}

Test(cli_out, numbers_are_grouped) {
  static const struct {
    uint64_t n;
    const char *want;
  } cases[] = {{0, "0"}, {999, "999"}, {1000, "1,000"}, {1234567, "1,234,567"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
    struct ck_buf b = {0};
    ck_buf_count(&b, cases[i].n);
    cr_expect_str_eq(ck_buf_cstr(&b), cases[i].want);
    ck_buf_free(&b);
  }
}

static void fill(struct cli_table *t, const char *const *cells, size_t n) {
  for (size_t i = 0; i < n; ++i) cli_table_cell(t, CLI_PLAIN, ck_str_of(cells[i]));
}

static void expect_table(struct cli_table *t, size_t width, bool colour, const char *want) {
  struct ck_buf b = {0};
  cli_table_render(t, &b, width, colour);
  cr_expect_str_eq(ck_buf_cstr(&b), want);
  ck_buf_free(&b);
  cli_table_free(&t);
}

Test(cli_out, columns_are_aligned) {
  static const char *const titles[] = {"name", ">count", "what"};
  static const char *const cells[] = {"a", "1", "first", "漢字", "1000", ""};
  struct cli_table *t = cli_table_new(3, titles);
  fill(t, cells, 6);
  expect_table(t, 0, false, "name  count  what\na         1  first\n漢字   1000\n");
}

Test(cli_out, the_last_column_is_cut_to_the_terminal) {
  static const char *const cells[] = {"key", "0123456789abcdefghij"};
  struct cli_table *t = cli_table_new(2, NULL);
  fill(t, cells, 2);
  expect_table(t, 15, false, "key  012345678…\n");
  t = cli_table_new(2, NULL);
  fill(t, cells, 2);
  expect_table(t, 0, false, "key  0123456789abcdefghij\n");
}

Test(cli_out, wide_characters_are_not_cut_in_two) {
  static const char *const cells[] = {"k", "漢字漢字漢字"};
  struct cli_table *t = cli_table_new(2, NULL);
  fill(t, cells, 2);
  expect_table(t, 11, false, "k  漢字漢…\n");
}

Test(cli_out, colour_only_where_it_is_wanted) {
  struct cli_table *t = cli_table_new(1, NULL);
  cli_table_cell(t, CLI_RED, CK_LIT("bad"));
  expect_table(t, 0, true, "\033[31mbad\033[0m\n");
  t = cli_table_new(1, NULL);
  cli_table_cell(t, CLI_RED, CK_LIT("bad"));
  expect_table(t, 0, false, "bad\n");
}

Test(cli_out, a_cell_is_one_line) {
  struct cli_table *t = cli_table_new(1, NULL);
  cli_table_cell(t, CLI_PLAIN, CK_LIT("two\nlines\033[2J"));
  expect_table(t, 0, false, "two lines<U+001B>[2J\n");
}

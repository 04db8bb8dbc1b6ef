/* What is shown of a text in which a query finds something (store/search/snippet.c, marks.c). */
#include "store/search/snippet.h"

#include <criterion/criterion.h>
#include <string.h>

#include "tests/unit/test_sanitized.h"
#include "tests/unit/test_store_help.h"

/* Appends the snippet, with each range in brackets. */
static void show(struct ck_buf *b, const struct search_snippet *s) {
  size_t character = 0, range = 0;
  struct ck_str text = ck_buf_view(&s->text);
  for (size_t i = 0; i <= text.n; i++) {
    bool begins = i == text.n || (text.s[i] & 0xC0) != 0x80;
    if (begins && range < s->range_count && s->ranges[range].to == character) {
      ck_buf_text(b, "]");
      range++;
    }
    if (begins && range < s->range_count && s->ranges[range].from == character) ck_buf_text(b, "[");
    if (i < text.n) ck_buf_add(b, text.s + i, 1);
    character += begins;
  }
  cr_expect_eq(range, s->range_count);
}

static void made(struct ck_buf *b, const char *query, struct ck_str text,
                 enum search_column column) {
  struct search_query q;
  struct search_snippet s = {0};
  search_query_parse(ck_str_of(query), 0, &q);
  struct search_marks *m = search_marks_new(&q);
  search_snippet_make(&s, m, text, column);
  cr_expect(ck_utf8_ok(ck_buf_view(&s.text)), "%s", query);
  show(b, &s);
  search_snippet_free(&s);
  search_marks_free(&m);
}

static void shows_in(const char *query, const char *text, enum search_column column,
                     const char *want) {
  struct ck_buf b = {0};
  made(&b, query, ck_str_of(text), column);
  cr_expect_str_eq(ck_buf_cstr(&b), want, "%s in \"%s\": \"%s\", not \"%s\"", query, text,
                   ck_buf_cstr(&b), want);
  ck_buf_free(&b);
}

static void shows(const char *query, const char *text, const char *want) {
  shows_in(query, text, SEARCH_TEXT, want);
}

Test(search_snippet, marks_words) {
  shows("disk", "The disk is full.", "The [disk] is full.");
  shows("DISK full", "The disk is Full.", "The [disk] is [Full].");
  shows("disk", "no such word", "no such word");
  shows("disk", "", "");
  shows("disk", "disk", "[disk]");
  shows("\"disk is\"", "disk. The disk is full, is it", "disk. The [disk is] full, is it");
  shows("disk*", "disks, a diskette, disc", "[disks], a [diskette], disc");
  shows("-disk full", "the disk is full", "the disk is [full]");
  shows("the \"the disk\"", "the disk", "[the disk]");
  shows("resume", "my résumé, my re\xCC\x81sume\xCC\x81",
        "my [résumé], my [re\xCC\x81sume\xCC\x81]");
}

Test(search_snippet, marks_parts_of_words) {
  shows("user", "call getUserById(1)", "call get[User]ById(1)");
  shows("getuserbyid", "call getUserById(1)", "call [getUserById](1)");
  shows("getUserById", "call getuserbyid(1)", "call [getuserbyid](1)");
  shows("user_id", "the user_id, user id", "the [user_id], [user id]");
  shows("--no-pager", "git --no-pager log", "git --[no-pager] log");
}

Test(search_snippet, marks_scripts_without_blanks) {
  shows("中国", "我爱中国人", "我爱[中国]人");
  shows("中国人", "我爱中国人", "我爱[中国人]");
  shows("国", "我爱中国人", "我爱中[国]人");
  shows("人", "我爱中国人", "我爱中国[人]");
  shows("python", "我用Python写", "我用[Python]写");
  shows("用python", "我用Python写", "我[用Python]写");
  shows("python写", "我用Python写代码", "我用[Python写]代码");
  shows("한국", "한국어", "[한국]어");
}

Test(search_snippet, marks_only_what_is_asked_of_the_column) {
  shows("title:disk full", "the disk is full", "the disk is [full]");
  shows_in("title:disk", "the disk", SEARCH_TITLE, "the [disk]");
  shows_in("tool:disk full", "the disk is full", SEARCH_TOOL, "the [disk] is full");
  shows_in("disk", "the disk", SEARCH_TOOL, "the disk");
  shows_in("is:tool disk", "the disk", SEARCH_TOOL, "the [disk]");
}

Test(search_snippet, white_space_becomes_single_blanks) {
  shows("\"disk is\"", "  the\n\n\tdisk \r\n is　full \n", "the [disk is] full");
}

Test(search_snippet, says_what_the_text_says) {
  shows("disk", "a\x1b[31m disk \xE2\x80\xAE x", "a\x1b[31m [disk] \xE2\x80\xAE x");
}

static void repeat(struct ck_buf *b, const char *what, int times) {
  while (times--) ck_buf_text(b, what);
}

static void expect_made(const char *query, struct ck_buf *text, const char *want) {
  struct ck_buf b = {0};
  made(&b, query, ck_buf_view(text), SEARCH_TEXT);
  cr_expect_str_eq(ck_buf_cstr(&b), want, "%s: \"%s\", not \"%s\"", query, ck_buf_cstr(&b), want);
  ck_buf_free(&b);
  ck_buf_clear(text);
}

Test(search_snippet, shows_the_place_with_most_of_the_words) {
  struct ck_buf t = {0}, want = {0};
  ck_buf_text(&t, "disk ");
  repeat(&t, "abcd ", 100);
  ck_buf_text(&t, "the disk is full");
  repeat(&t, " efgh", 100);
  ck_buf_text(&t, " full");
  ck_buf_text(&want, "…");
  repeat(&want, "abcd ", 9);
  ck_buf_text(&want, "the [disk] is [full]");
  repeat(&want, " efgh", 19);
  ck_buf_text(&want, "…");
  expect_made("full disk", &t, ck_buf_cstr(&want));
  ck_buf_free(&want);
  ck_buf_free(&t);
}

Test(search_snippet, shows_more_before_what_stands_at_the_end) {
  struct ck_buf t = {0}, want = {0};
  repeat(&t, "abcd ", 100);
  ck_buf_text(&t, "disk.");
  ck_buf_text(&want, "…");
  repeat(&want, "abcd ", 31);
  ck_buf_text(&want, "[disk].");
  expect_made("disk", &t, ck_buf_cstr(&want));
  ck_buf_free(&want);
  ck_buf_free(&t);
}

Test(search_snippet, begins_at_the_beginning_if_nothing_is_found) {
  struct ck_buf t = {0}, want = {0};
  repeat(&t, "abcd ", 100);
  repeat(&want, "abcd ", 32);
  want.len--;
  ck_buf_text(&want, "…");
  expect_made("x", &t, ck_buf_cstr(&want));
  ck_buf_free(&want);
  ck_buf_free(&t);
}

Test(search_snippet, cuts_scripts_without_blanks_between_characters) {
  struct ck_buf t = {0}, want = {0};
  repeat(&t, "磁", 500);
  ck_buf_text(&t, "已满");
  repeat(&t, "盘", 500);
  ck_buf_text(&want, "…");
  repeat(&want, "磁", 52);
  ck_buf_text(&want, "[已满]");
  repeat(&want, "盘", 106);
  ck_buf_text(&want, "…");
  expect_made("已满", &t, ck_buf_cstr(&want));
  ck_buf_free(&want);
  ck_buf_free(&t);
}

Test(search_snippet, a_phrase_longer_than_it_is_marked_to_its_end) {
  struct ck_buf t = {0}, query = {0}, want = {0};
  repeat(&t, "word ", 60);
  ck_buf_text(&query, "\"");
  repeat(&query, "word ", 50);
  ck_buf_text(&query, "\"");
  ck_buf_text(&want, "[");
  repeat(&want, "word ", 32);
  want.len--;
  ck_buf_text(&want, "]…");
  expect_made(ck_buf_cstr(&query), &t, ck_buf_cstr(&want));
  ck_buf_free(&want);
  ck_buf_free(&query);
  ck_buf_free(&t);
}

Test(search_snippet, a_mebibyte_takes_no_longer_than_reading_it) {
  struct ck_buf t = {0}, query = {0};
  while (t.len < (1u << 20)) ck_buf_text(&t, "a b a b c 磁盘已满 ");
  for (int i = 0; i < SEARCH_TERMS_MAX; i++) ck_buf_printf(&query, "\"a b a b%d\" ", i);
  const char *const queries[] = {"a", "c zz", "\"a b a b zz\"", ck_buf_cstr(&query)};
  for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
    struct ck_buf b = {0};
    int64_t begun = sh_processor_us();
    made(&b, queries[i], ck_buf_view(&t), SEARCH_TEXT);
    int64_t took = sh_processor_us() - begun;
    cr_expect_lt(took, 400000 * SLOWER, "%.20s: %lld µs", queries[i], (long long)took);
    ck_buf_free(&b);
  }
  ck_buf_free(&query);
  ck_buf_free(&t);
}

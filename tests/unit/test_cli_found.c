/* How hits are shown (cli/reading/found.c). */
#include <criterion/criterion.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include "cli/reading/found.h"

/* As main() does: for the width of characters. */
static void set_locale(void) { setlocale(LC_CTYPE, "C.UTF-8"); }

TestSuite(cli_found, .init = set_locale);

static json_t *hit(const char *id, const char *conversation, const char *title, const char *role,
                   int64_t at, const char *snippet, const char *ranges) {
  json_t *h = json_object(), *r = json_loads(ranges, 0, NULL);
  cr_assert(r, "%s", ranges);
  json_object_set_new(h, "message_id", id ? json_string(id) : json_null());
  json_object_set_new(h, "local_conversation_id", json_string(conversation));
  json_object_set_new(h, "platform", json_string("claude"));
  json_object_set_new(h, "title", title ? json_string(title) : json_null());
  json_object_set_new(h, "role", role ? json_string(role) : json_null());
  json_object_set_new(h, "observed_at", at ? json_integer(at) : json_null());
  json_object_set_new(h, "snippet", json_string(snippet));
  json_object_set_new(h, "ranges", r);
  return h;
}

#define AT INT64_C(1767348005000) /* 2026-01-02 10:00:05Z */

/* Shows the hits, which it frees, and shows bold as [ ] and dim as nothing. */
static void shows(json_t *hits, size_t width, const char *want) {
  struct ck_buf b = {0};
  struct cli_found_style style = {.colour = true, .width = width};
  cli_found_text(&b, hits, &style);
  char *got = ck_zalloc(b.len + 1), *to = got;
  bool bold = false;
  for (const char *p = ck_buf_cstr(&b); *p;) {
    if (strncmp(p, "\033[1m", 4) == 0 || strncmp(p, "\033[2m", 4) == 0) {
      bold = p[2] == '1';
      if (bold) *to++ = '[';
      p += 4;
    } else if (strncmp(p, "\033[0m", 4) == 0) {
      if (bold) *to++ = ']';
      bold = false;
      p += 4;
    } else {
      *to++ = *p++;
    }
  }
  cr_expect_str_eq(got, want, "\n%s\nnot\n%s", got, want);
  free(got);
  ck_buf_free(&b);
  json_decref(hits);
}

static json_t *list(json_t *a, json_t *b, json_t *c) {
  json_t *hits = json_array();
  json_array_append_new(hits, a);
  if (b) json_array_append_new(hits, b);
  if (c) json_array_append_new(hits, c);
  return hits;
}

Test(cli_found, groups_by_conversation_in_the_order_of_their_first_hits) {
  shows(list(hit("m3", "claude:1111111111", "Fish", "user", AT, "a fish", "[[2, 6]]"),
             hit("m2", "claude:2222222222", NULL, "assistant", 0, "fish!", "[[0, 4]]"),
             hit(NULL, "claude:1111111111", "Fish", NULL, AT, "Fish", "[[0, 4]]")),
        80,
        "[Fish]\n"
        "claude · 2026-01-02 · claude:11111111\n"
        "  2026-01-02 10:00  user  a [fish]\n"
        "  2026-01-02 10:00  title  [Fish]\n"
        "\n"
        "[(no title)]\n"
        "claude · claude:22222222\n"
        "  assistant  [fish]!\n");
}

Test(cli_found, lines_are_no_longer_than_the_terminal) {
  shows(list(hit("m", "c", "A title that is longer than the terminal", "user", 0,
                 "one two three four five six seven eight", "[[8, 23]]"),
             NULL, NULL),
        24,
        "[A title that is longer …]\n"
        "claude · c\n"
        "  user  one two [three]\n"
        "    [four five] six seven\n"
        "    eight\n");
  shows(list(hit("m", "c", "T", "user", 0, "磁盘已满，请清理磁盘空间", "[[0, 2], [8, 10]]"), NULL,
             NULL),
        20,
        "[T]\n"
        "claude · c\n"
        "  user  [磁盘]已满，请\n"
        "    清理[磁盘]空间\n");
  shows(list(hit("m", "c", "T", "user", 0, "averyverylongwordthatfitsnowhere x", "[[0, 32]]"), NULL,
             NULL),
        20,
        "[T]\n"
        "claude · c\n"
        "  user  [averyverylon]\n"
        "    [gwordthatfitsnow]\n"
        "    [here] x\n");
}

Test(cli_found, what_a_terminal_would_obey_is_shown_by_its_code) {
  shows(list(hit("m\x1b", "c\x1b[2J", "T\x1b]0;x\x07", "us\ner", 0,
                 "a\x1b[2J\xE2\x80\xAE"
                 "b",
                 "[[5, 7]]"),
             NULL, NULL),
        80,
        "[T<U+001B>]0;x<U+0007>]\n"
        "claude · c<U+001B>[2J\n"
        "  us er  a<U+001B>[2J[<U+202E>b]\n");
}

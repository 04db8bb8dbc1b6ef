/* Splitting a file into elements: every form, cut at every place. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/files/split.h"
#include "tests/unit/test_sanitized.h"

struct seen {
  struct ck_buf text;
  size_t largest;
};

static void on_element(void *self, char *bytes, size_t n, const struct ingest_place *place) {
  struct seen *s = self;
  if (n > s->largest) s->largest = n;
  ck_buf_printf(&s->text, "%llu@%llu:%llu%s ", (unsigned long long)place->index,
                (unsigned long long)place->offset, (unsigned long long)place->line,
                place->lines ? "L" : "");
  ck_buf_add(&s->text, bytes, n < 100 ? n : 100);
  ck_buf_text(&s->text, "|");
}

static void on_fault(void *self, const char *reason, struct ck_str head,
                     const struct ingest_place *place) {
  struct seen *s = self;
  ck_buf_printf(&s->text, "!%llu@%llu %s", (unsigned long long)place->index,
                (unsigned long long)place->offset, reason);
  if (head.n) ck_buf_printf(&s->text, " (%zu: %.*s)", head.n, head.n < 9 ? (int)head.n : 9, head.s);
  ck_buf_text(&s->text, "|");
}

static char *split(struct ck_str file, size_t piece, bool lines) {
  struct seen seen = {0};
  struct ingest_split_ops ops = {&seen, on_element, on_fault};
  struct ingest_split *s = ingest_split_new(&ops, lines);
  uint64_t offset, index;
  for (size_t at = 0; at < file.n; at += piece) {
    size_t n = file.n - at < piece ? file.n - at : piece;
    char *copy = ck_alloc(n);
    memcpy(copy, file.s + at, n);
    ingest_split_feed(s, copy, n);
    free(copy);
  }
  if (!ingest_split_end(s, &offset, &index))
    ck_buf_printf(&seen.text, "cut %llu in %llu", (unsigned long long)offset,
                  (unsigned long long)index);
  ingest_split_free(&s);
  char *text = ck_str_dup(ck_buf_view(&seen.text));
  ck_buf_free(&seen.text);
  return text;
}

/* The file gives these elements, whatever the size of the pieces. */
static void gives(const char *file, const char *expected) {
  for (size_t piece = 1; piece <= strlen(file) + 1; ++piece) {
    char *text = split(ck_str_of(file), piece, false);
    cr_assert_str_eq(text, expected, "%s\nin pieces of %zu gives %s\nnot %s", file, piece, text,
                     expected);
    free(text);
  }
}

Test(ingest_split, arrays) {
  gives("", "");
  gives(" \n", "");
  gives("[]", "");
  gives("[ {\"a\":[1,{}]} , {\"b\":2}\n]\n", "1@2:1 {\"a\":[1,{}]}|2@17:1 {\"b\":2}|");
  gives("[1, \"two, ]\" ,null]", "1@1:1 1|2@4:1 \"two, ]\" |3@14:1 null|");
  gives("[{\"a\":\"\\\"}\\\\\"},{\"b\":\"[\"}]",
        "1@1:1 {\"a\":\"\\\"}\\\\\"}|2@15:1 {\"b\":\"[\"}|");
  gives("[[1],[2]]", "1@1:1 [1]|2@5:1 [2]|");
}

Test(ingest_split, arrays_that_are_broken) {
  gives("[{\"a\":1}", "1@1:1 {\"a\":1}|cut 8 in 0");
  gives("[{\"a\":1},{\"b\":\"x", "1@1:1 {\"a\":1}|cut 16 in 2");
  gives("[{}{}]", "1@1:1 {}|!1@3 a comma is missing|2@3:1 {}|");
  gives("[{},}]", "1@1:1 {}|!1@4 a bracket that nothing opened|");
  gives("[{}] x y", "1@1:1 {}|!1@5 something follows the end of the JSON|");
}

Test(ingest_split, files_that_were_put_one_after_another) {
  gives("[{\"a\":1}]\n[{\"b\":2},{\"c\":3}][]",
        "1@1:1 {\"a\":1}|2@11:2 {\"b\":2}|3@19:2 {\"c\":3}|");
  gives("[{}][{}", "1@1:1 {}|2@5:1 {}|cut 7 in 0");
  gives("[{}]{}", "1@1:1 {}|!1@4 something follows the end of the JSON|");
  gives("{\"conversations\":[{}]}\n{\"conversations\":[{}],\"n\":1}", "1@18:1 {}|2@41:2 {}|");
  gives("{\"conversations\":[{}]}[{}]", "1@18:1 {}|!1@22 something follows the end of the JSON|");
}

Test(ingest_split, an_object) {
  gives("{\n \"a\": {\"b\": 1}\n}\n", "1@0:1 {\n \"a\": {\"b\": 1}\n}|");
  gives("{\n}{\n}", "1@0:1 {\n}|2@3:2 {\n}|");
  gives("{\n \"a\":\n  {\n  },\n \"l\": [\n  {},\n  {}\n ]\n}",
        "1@0:1 {\n \"a\":\n  {\n  },\n \"l\": [\n  {},\n  {}\n ]\n}|");
  gives("{\n \"a\":", "cut 7 in 1");
  gives("{\n}\nx", "1@0:1 {\n}|!1@4 something follows the end of the JSON|");
}

Test(ingest_split, an_object_around_the_list) {
  gives("{\"conversations\":[{\"a\":1},{\"b\":2}],\"n\":{\"]\":\"}\"}}\n",
        "1@18:1 {\"a\":1}|2@26:1 {\"b\":2}|");
  gives("{\n\"x\":[1],\n\"conversations\" : [ {\"a\":1} ] }", "1@31:3 {\"a\":1}|");
  gives("{\"conversations\":[{\"a\":1}", "1@18:1 {\"a\":1}|cut 25 in 0");
  gives("{\"conversations\":[{}],\"n\":", "1@18:1 {}|cut 26 in 0");
  gives("{\"conversation\":[1]}", "1@0:1L {\"conversation\":[1]}|");
  gives("{\"a\":{\"conversations\":[1]}}", "1@0:1L {\"a\":{\"conversations\":[1]}}|");
  gives("{\"a\":\"conversations\",\"b\":[1]}", "1@0:1L {\"a\":\"conversations\",\"b\":[1]}|");
}

Test(ingest_split, lines) {
  gives("{\"a\":1}\n{\"b\":2}\n", "1@0:1L {\"a\":1}|2@8:2L {\"b\":2}|");
  gives("{\"a\":1}\r\n\n  \n {\"b\":2}", "1@0:1L {\"a\":1}\r|2@14:4L {\"b\":2}|");
  gives("{\"a\":1} x\n{\"b\":2}", "1@0:1L {\"a\":1} x|2@10:2L {\"b\":2}|");
  gives("no JSON\n{\"b\":2}", "1@0:1L no JSON|2@8:2L {\"b\":2}|");
}

/* The first line alone does not decide what the file is. */
Test(ingest_split, lines_whose_first_is_broken) {
  gives("{\"a\":\"x\n{\"b\":2}\n", "1@0:1L {\"a\":\"x|2@8:2L {\"b\":2}|");
  gives("{\"a\":1,\n{\"b\":2}\n{\"c\":3}", "1@0:1L {\"a\":1,|2@8:2L {\"b\":2}|3@16:3L {\"c\":3}|");
  gives("{\"a\":1\n {\"b\":2}", "1@0:1L {\"a\":1|2@8:2L {\"b\":2}|");
}

Test(ingest_split, told_to_be_lines) {
  char *text = split(CK_LIT("[1]\n{\n}\n"), 3, true);
  cr_assert_str_eq(text, "1@0:1L [1]|2@4:2L {|3@6:3L }|");
  free(text);
}

/* What a line that is too large begins with is the same, however it comes. */
Test(ingest_split, lines_with_a_limit_of_their_own) {
  static const char file[] = "{\"a\":1}\n{\"type\":\"x\",\"b\":1}\n{\"c\":3}\n";
  for (size_t piece = 1; piece <= sizeof file; ++piece) {
    struct seen seen = {0};
    const struct ingest_split_ops ops = {&seen, on_element, on_fault};
    struct ingest_split *s = ingest_split_new(&ops, true);
    ingest_split_most(s, 10);
    for (size_t at = 0; at < sizeof file - 1; at += piece)
      ingest_split_feed(s, file + at, sizeof file - 1 - at < piece ? sizeof file - 1 - at : piece);
    const char *text = ck_buf_cstr(&seen.text);
    cr_expect(ck_str_starts(ck_str_of(text), "1@0:1L {\"a\":1}|!2@8 larger than 0 MiB: skipped ("),
              "%s", text);
    cr_expect(strstr(text, "{\"type\":") && strstr(text, ")|3@27:3L {\"c\":3}|"), "%s", text);
    ingest_split_free(&s);
    ck_buf_free(&seen.text);
  }
}

Test(ingest_split, too_large) {
  struct seen seen = {0};
  const struct ingest_split_ops ops = {&seen, on_element, on_fault};
  struct ingest_split *s = ingest_split_new(&ops, false);
  const size_t piece = 1u << 20;
  char *some = ck_alloc(piece);
  uint64_t offset, index;
  memset(some, 'x', piece);
  ingest_split_feed(s, "[{\"a\":\"", 7);
  /* Eight times as much as an element may have: what is skipped takes no memory. */
  size_t before = allocated();
  for (size_t at = 0; at < 8 * (size_t)INGEST_ELEMENT_MAX; at += piece)
    ingest_split_feed(s, some, piece);
  cr_assert(allocated() <= before + piece);
  ingest_split_feed(s, "\"},{\"b\":1}]", 11);
  cr_assert(ingest_split_end(s, &offset, &index));
  cr_assert_str_eq(
      ck_buf_cstr(&seen.text),
      "!1@1 larger than 512 MiB: skipped (256: {\"a\":\"xxx)|2@4294967306:1 {\"b\":1}|");
  ingest_split_free(&s);
  ck_buf_free(&seen.text);
  free(some);
}

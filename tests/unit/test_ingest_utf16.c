/* Files that are UTF-16: they give what the same file gives as UTF-8. The encoder here works from
 * the code points, with iconv, not with the reader's own code. */
#include <criterion/criterion.h>
#include <iconv.h>
#include <string.h>

#include "ingest/files/utf16.h"
#include "tests/unit/test_ingest_collect.h"

#define CHAT \
  "[{\"id\":\"c\",\"title\":\"h\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\",\r\n\"mapping\":{\"n\":{" \
  "\"id\":\"n\",\"message\":{\"id\":\"m\",\"author\":{\"role\":\"user\"},\"create_time\":1.5," \
  "\"content\":{\"content_type\":\"text\",\"parts\":[\"\xef\xbf\xbd \xf0\x90\x80\x80 " \
  "\xf4\x8f\xbf\xbf\"]}},\"parent\":null,\"children\":[]}},\"current_node\":\"n\"}]\r\n"

/* text, which is UTF-8, in that encoding of iconv's, after these bytes. */
static struct ck_buf encoded(const char *to, const char *text, const char *mark, size_t mark_n) {
  struct ck_buf b = {0};
  char out[8192], *at = out, *from = (char *)text;
  size_t left = sizeof out, n = strlen(text);
  iconv_t cd = iconv_open(to, "UTF-8");
  cr_assert_neq(iconv(cd, &from, &n, &at, &left), (size_t)-1);
  iconv_close(cd);
  ck_buf_add(&b, mark, mark_n);
  ck_buf_add(&b, out, sizeof out - left);
  return b;
}

static void gives_the_same(const char *name, const char *text, const char *to, const char *mark,
                           size_t mark_n) {
  struct collected plain, wide;
  struct ck_buf b = encoded(to, text, mark, mark_n);
  collect_text(&plain, name, text);
  collect(&wide, name, ck_buf_view(&b), 0);
  cr_assert_str_eq(ck_buf_cstr(&wide.text), ck_buf_cstr(&plain.text));
  cr_assert_gt(plain.observations, 0);
  cr_assert(collect_same(name, ck_buf_view(&b)));
  collected_free(&plain);
  collected_free(&wide);
  ck_buf_free(&b);
}

static void in_every_way(const char *name, const char *text) {
  gives_the_same(name, text, "UTF-16LE", "", 0);
  gives_the_same(name, text, "UTF-16BE", "", 0);
  gives_the_same(name, text, "UTF-16LE", "\xff\xfe", 2);
  gives_the_same(name, text, "UTF-16BE", "\xfe\xff", 2);
  gives_the_same(name, text, "UTF-8", "\xef\xbb\xbf", 3);
}

Test(ingest_utf16, an_export_in_either_order_with_a_mark_and_without) {
  in_every_way("conversations.json", CHAT);
  in_every_way("x", "\r\n" CHAT);
}

Test(ingest_utf16, lines) {
  in_every_way("o.jsonl",
               "{\"platform\":\"x\",\"text\":\"a\",\"message_id\":\"1\"}\r\n"
               "{\"platform\":\"x\",\"text\":\"\xe6\xbc\xa2\",\"message_id\":\"2\"}\r\n");
}

/* The text of a UTF-16 file that holds these units. */
static struct ck_buf text_of(const char *units, size_t n, unsigned *replaced) {
  struct ck_buf out = {0};
  struct ingest_utf16 u = {.big = true};
  *replaced = 0;
  for (size_t i = 0; i < n; ++i)
    ingest_utf16_feed(&u, (struct ck_str){units + i, 1}, &out, replaced);
  ingest_utf16_end(&u, &out, replaced);
  return out;
}

static void becomes(const char *units, size_t n, const char *text, unsigned replaced) {
  unsigned counted;
  struct ck_buf b = text_of(units, n, &counted);
  cr_assert_str_eq(ck_buf_cstr(&b), text);
  cr_assert_eq(counted, replaced);
  ck_buf_free(&b);
}

#define BAD "\xef\xbf\xbd"

Test(ingest_utf16, halves_of_pairs_and_of_units_are_replaced_and_counted) {
  becomes("\xd8\x3d\xde\x00", 4, "\xf0\x9f\x98\x80", 0);
  becomes("\xd8\x3d\0a", 4, BAD "a", 1);
  becomes("\xde\x00\0a", 4, BAD "a", 1);
  becomes("\xd8\x3d\xd8\x3d\xde\x00", 6, BAD "\xf0\x9f\x98\x80", 1);
  becomes("\0a\xd8\x3d", 4, "a" BAD, 1);
  becomes("\0a\0", 3, "a" BAD, 1);
  becomes("\xdb\xff\xdf\xff\xd7\xff\xe0\x00", 8, "\xf4\x8f\xbf\xbf\xed\x9f\xbf\xee\x80\x80", 0);
}

Test(ingest_utf16, what_is_none) {
  struct ingest_utf16 u;
  static const struct ck_str none[] = {CK_LIT("[{\"a"), CK_LIT("[\0\0\0"), CK_LIT("\xff\xfe\0\0"),
                                       CK_LIT("[\0"),   CK_LIT("\0\0\0["), CK_LIT("PK\3\4"),
                                       CK_LIT("[]\n"),  CK_LIT(""),        CK_LIT("\xef\xbb\xbf[")};
  for (size_t i = 0; i < sizeof none / sizeof *none; ++i)
    cr_assert_not(ingest_utf16_is(&u, none[i]), "number %zu", i);
}

Test(ingest_utf16, a_file_that_was_cut_says_so) {
  struct collected c;
  struct ck_buf b = encoded("UTF-16LE", CHAT, "\xff\xfe", 2);
  for (size_t n = b.len - 5; n > 4; n -= 7) {
    collect(&c, "x", (struct ck_str){b.data, n}, 0);
    cr_assert(strstr(c.error, "cut off") || c.failures, "%zu bytes: %s", n, c.error);
    collected_free(&c);
  }
  ck_buf_free(&b);
}

Test(ingest_utf16, utf_32_is_refused_by_its_name) {
  struct collected c;
  collect(&c, "x", CK_LIT("\xff\xfe\0\0[\0\0\0"), 0);
  cr_assert(strstr(c.error, "UTF-32"), "%s", c.error);
  collected_free(&c);
}

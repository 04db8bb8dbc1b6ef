/* Text compared without regard to case (proto/words.c). */
#include <criterion/criterion.h>
#include "proto/words.h"

static void expect_lower(const char *text, const char *want) {
  struct ck_buf b = {0};
  ck_buf_lower(&b, ck_str_of(text));
  cr_expect_str_eq(ck_buf_cstr(&b), want);
  ck_buf_free(&b);
}

Test(words, lower_case_of_every_script) {
  expect_lower("", "");
  expect_lower("Hello, World 42", "hello, world 42");
  expect_lower("ÄÖÜ Привет ΑΒΓ 漢字 𐐀 🙂",
               "äöü привет αβγ 漢字 𐐨 🙂");
  expect_lower("cut \xE6\xBC", "cut \xE6\xBC");
  expect_lower("\xFF\x80"
               "A",
               "\xFF\x80"
               "A");
}

Test(words, all_of_them_must_be_there) {
  struct ck_str title = CK_LIT("Übersetzung of a Letter");
  cr_expect(ck_has_words(title, CK_LIT("letter übersetz")));
  cr_expect(ck_has_words(title, CK_LIT("")));
  cr_expect(ck_has_words(title, CK_LIT("  of  ")));
  cr_expect_not(ck_has_words(title, CK_LIT("letters")));
  cr_expect_not(ck_has_words(title, CK_LIT("letter mail")));
  cr_expect_not(ck_has_words(CK_LIT(""), CK_LIT("x")));
}

Test(words, the_same_apart_from_case) {
  cr_expect(ck_same_words(CK_LIT(" Ünï code "), CK_LIT("ÜNÏ CODE")));
  cr_expect_not(ck_same_words(CK_LIT("a b"), CK_LIT("a  b")));
  cr_expect(ck_same_words(CK_LIT(""), CK_LIT(" ")));
}

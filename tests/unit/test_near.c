/* "Did you mean" (proto/near.c). */
#include <criterion/criterion.h>
#include <string.h>
#include "proto/near.h"

static void expect_near(const char *written, const char *choices, const char *want) {
  struct ck_near n = ck_near_to(ck_str_of(written));
  struct ck_buf b = {0};
  ck_near_try_all(&n, choices);
  ck_near_text(&b, &n, "--");
  char *text = *want ? ck_sprintf("; did you mean --%s?", want) : ck_sprintf("%s", "");
  cr_expect_str_eq(ck_buf_cstr(&b), text, "%s: %s", written, ck_buf_cstr(&b));
  free(text);
  ck_buf_free(&b);
}

#define COMMANDS "up|import|status|list|read|show|search|set|export"

Test(near, the_nearest_word_is_found) {
  expect_near("lsit", COMMANDS, "list");
  expect_near("stauts", COMMANDS, "status");
  expect_near("IMPROT", COMMANDS, "import");
  expect_near("exprt", COMMANDS, "export");
  expect_near("sea", COMMANDS, "search");
  expect_near("converstions", "messages|conversations|links", "conversations");
  expect_near("automation_statu", "automation-status|title", "automation-status");
  expect_near("Übersezung", "übersetzung|brief", "übersetzung");
}

Test(near, what_is_far_is_not_guessed) {
  expect_near("wibble", COMMANDS, "");
  expect_near("x", COMMANDS, "");
  expect_near("", COMMANDS, "");
  expect_near("zz", "up|set", "");
  expect_near("colours", "messages|conversations|links", "");
  expect_near("anything", "", "");
}

Test(near, letters_are_counted_not_bytes) {
  cr_expect_eq(ck_near_distance(CK_LIT("漢字"), CK_LIT("漢語")), 1u);
  cr_expect_eq(ck_near_distance(CK_LIT("ab"), CK_LIT("ba")), 1u);
  cr_expect_eq(ck_near_distance(CK_LIT("abc"), CK_LIT("")), 3u);
  cr_expect_eq(ck_near_distance(CK_LIT("\xff\xfe"), CK_LIT("\xff")), 1u);
}

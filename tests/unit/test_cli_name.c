/* Names that are not UTF-8. */
#include "cli/import/name.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "proto/text.h"

static void becomes(const char *name, const char *text) {
  char *got = cli_name_text(name);
  cr_expect_str_eq(got, text);
  free(got);
}

Test(cli_name, utf8_stays_and_anything_else_is_code_page_437) {
  becomes("", "");
  becomes("gespräche/会話.json", "gespräche/会話.json");
  becomes("gespr\x84"
          "che",
          "gespräche");
  becomes("\x80\x9f\xb0\xe1\xfd", "Çƒ░ß²");
  becomes("a\xff.png", "a\u00a0.png");
}

/* Every byte has a text of its own, so different names stay different. */
Test(cli_name, no_two_bytes_have_the_same_text) {
  char *texts[256];
  for (int i = 1; i < 256; ++i) {
    const char name[] = {(char)i, (char)0xff, 0};
    texts[i] = cli_name_text(name);
    cr_expect(ck_utf8_ok(ck_str_of(texts[i])));
    for (int k = 1; k < i; ++k) cr_expect_str_neq(texts[i], texts[k]);
  }
  for (int i = 1; i < 256; ++i) free(texts[i]);
}

Test(cli_name, a_file_has_a_name_of_its_own) {
  static const char *const names[][2] = {
      {"a.json", "a.json"},
      {"", ""},
      {"in here/conversations (1).json", "conversations (1).json"},
      {"x.zip: conversations (1).json", "conversations (1).json"},
      {"x.zip: in: 1/my notes.json", "my notes.json"},
      {"x.zip: in\\a.json", "a.json"},
      {"a:b.json", "a:b.json"}};
  for (size_t i = 0; i < sizeof names / sizeof *names; ++i)
    cr_expect_str_eq(cli_name_own(names[i][0]), names[i][1]);
}

/* What a data folder has beside its database is not read again. */
Test(cli_name, what_convkeep_writes_itself) {
  static const char *const ours[] = {"artifacts/msg/2026/01/02/a.json",
                                     "artifacts/conversations/2026-01-02 Fish tank.json",
                                     "x.tgz: old/artifacts/session/latest.json",
                                     "old/artifacts/exec/2026/01/02/e.json",
                                     "old/logs/renewal/2026-01-02.jsonl",
                                     "spool/refused.jsonl",
                                     "spool/unknown.jsonl.old"};
  static const char *const others[] = {
      "artifacts/conversations.json", "my artifacts.json", "my-artifacts/msg/a.json",
      "conversations.json",           "msg/a.json",        ""};
  for (size_t i = 0; i < sizeof ours / sizeof *ours; ++i)
    cr_expect(cli_name_is_ours(ours[i]), "%s", ours[i]);
  for (size_t i = 0; i < sizeof others / sizeof *others; ++i)
    cr_expect(!cli_name_is_ours(others[i]), "%s", others[i]);
}

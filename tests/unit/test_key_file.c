/* Which texts are files of keys that czmq reads without a word. */
#include "proto/key_file.h"

#include <criterion/criterion.h>
#include <czmq.h>

#define KEYS \
  "#   ****  Generated on 2026-11-30 21:00:00 by CZMQ  ****\n#   a comment\n\n" \
  "metadata\n    sum = \"0123abcd\"\ncurve\n    public-key = \"Df@>>nGZ&p9MAQ\"\n"

static int check(const char *text) {
  struct ck_err err = {{0}};
  int rc = ck_key_text_check(ck_str_of(text), &err);
  cr_expect(!strstr(err.text, "MAQ"), "%s", err.text);
  return rc;
}

Test(key_file, what_czmq_writes) {
  cr_expect_eq(check(KEYS), 0);
  cr_expect_eq(check(KEYS "    secret-key = \"x\"   # mine\n"), 0);
  cr_expect_eq(check(KEYS "    secret-key = 'x'\r\n\r\n"), 0);
  cr_expect_eq(check(KEYS "    name = plain"), 0);
  cr_expect_eq(check(""), 0);
}

Test(key_file, what_is_damaged) {
  static const char *const bad[] = {
      "curve\n    secret-key = \"\"MAQ\"\n",   "curve\n    secret-key = \"MAQ\n",
      "curve\n    secret-key \"MAQ\"\n",       "curve\n   secret-key = \"MAQ\"\n",
      "curve\n        secret-key = \"MAQ\"\n", "    secret-key = \"MAQ\"\n",
      "curve\n    secret$key = \"MAQ\"\n",     "curve\n    = \"MAQ\"\n"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i)
    cr_expect_eq(check(bad[i]), -1, "%s", bad[i]);
  cr_expect_eq(ck_key_text_check((struct ck_str){"a\0b\n", 4}, NULL), -1);
}

/* Any byte of a file becomes any other: whatever passes, czmq reads without a word. */
Test(key_file, what_passes_is_read_in_silence, .timeout = 60) {
  char said[] = "/tmp/convkeep-key-file-XXXXXX", text[] = KEYS;
  int to = mkstemp(said), out = dup(STDOUT_FILENO);
  unsigned passed = 0;
  cr_assert(to >= 0 && out >= 0);
  fflush(stdout);
  dup2(to, STDOUT_FILENO);
  for (size_t i = 0; i < sizeof text - 1; ++i)
    for (int c = 1; c < 256; ++c) {
      char was = text[i];
      text[i] = (char)c;
      if (ck_key_text_check(ck_str_of(text), NULL) == 0) {
        zchunk_t *chunk = zchunk_new(text, strlen(text));
        zconfig_t *read = zconfig_chunk_load(chunk);
        zconfig_destroy(&read);
        zchunk_destroy(&chunk);
        ++passed;
      }
      text[i] = was;
    }
  fflush(stdout);
  dup2(out, STDOUT_FILENO);
  off_t bytes = lseek(to, 0, SEEK_END);
  close(to), close(out), unlink(said);
  cr_expect_eq(bytes, 0, "czmq says %lld bytes", (long long)bytes);
  cr_expect(passed > 1000, "%u texts passed", passed);
}

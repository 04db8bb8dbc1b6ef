/* See has_words.h. A list asks it of a hundred thousand titles. */
#include "store/read/has_words.h"

#include <stdlib.h>

#include "proto/words.h"
#include "store/database/db.h"

static void free_words(void *words) {
  ck_words_close(words);
  free(words);
}

/* The words are the same for all rows. */
static void has_words(sqlite3_context *context, int n, sqlite3_value **value) {
  struct ck_words *words = sqlite3_get_auxdata(context, 1);
  struct ck_str s[2];
  for (int i = 0; i < 2 && i < n; ++i)
    s[i] = (struct ck_str){(const char *)sqlite3_value_text(value[i]),
                           (size_t)sqlite3_value_bytes(value[i])};
  if (!s[0].s || !s[1].s) return;
  if (!words) {
    ck_words_open(words = ck_alloc(sizeof *words), s[1]);
    sqlite3_set_auxdata(context, 1, words, free_words);
    words = sqlite3_get_auxdata(context, 1);
  }
  sqlite3_result_int(context, words && ck_words_in(words, s[0]));
}

int has_words_sql(sqlite3 *db, struct ck_err *err) {
  int rc = sqlite3_create_function(db, "has_words", 2, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL,
                                   has_words, NULL, NULL);
  return rc == SQLITE_OK ? 0 : db_fail(db, "has_words", err);
}

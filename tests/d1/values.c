/* Values on D1 and in mirror.db; values that no mirror could keep; values too large for D1. */
#include <stdio.h>
#include <string.h>

#include "tests/d1/d1.h"
#include "tests/mirror/stories.h"

T_STORY(d1_values, are_the_same_in_d1, 300) { story_values_are_the_same(&mirror_d1); }
T_STORY(d1_values, are_the_same_in_mirror_db, 300) { story_values_are_the_same(&mirror_sqlite); }
T_STORY(d1_values, bad_bytes_in_the_database_are_dead_letters, 60) {
  story_bad_bytes_in_the_database_are_dead_letters(&mirror_d1);
}
T_STORY(d1_values, bad_bytes_in_the_database_are_dead_letters_by_mirror_db, 60) {
  story_bad_bytes_in_the_database_are_dead_letters(&mirror_sqlite);
}
T_STORY(d1_values, texts_of_7_mb_are_the_same_in_mirror_db, 60) {
  story_texts_of_7_mb_are_the_same(&mirror_sqlite);
}

/* ---- what no mirror could keep ---- */

static const struct {
  const char *what, *bytes;
  size_t n;
} bad[] = {
    {"a lone high surrogate", "a\xed\xa0\x80z", 5},
    {"a lone low surrogate", "\xed\xbf\xbf", 3},
    {"a pair of surrogates", "\xed\xa0\xbd\xed\xb8\x80", 6},
    {"half a character", "abc\xe2\x82", 5},
    {"a byte that is none", "\xff", 1},
    {"an overlong NUL", "\xc0\x80", 2},
    {"above the last plane", "\xf4\x90\x80\x80", 4},
    {"a continuation alone", "\x80", 1},
};

/* In every text column, the store refuses them and names table and column. The rest of that
 * changeset is refused too; nothing else is harmed. */
T_STORY(d1_values, what_is_not_utf8_does_not_get_in, 60) {
  int tried = 0;
  t_daemon("store", NULL);
  struct t_producer *p = t_producer("test");
  for (int t = 0; t < CK_FORGOTTEN; ++t)
    for (int c = 0; c < ck_tables[t].mirrored; ++c)
      for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i) {
        const struct ck_table_info *info = &ck_tables[t];
        struct ck_row row = {.table = (enum ck_table)t};
        struct ck_buf mutation = {0};
        if (ck_kind_is_int(info->fields[c].kind)) continue;
        row.v[info->key] = ck_textz("the-record");
        row.v[c] = ck_text((struct ck_str){bad[i].bytes, bad[i].n});
        ck_mutation_row(&mutation, CK_OP_PUT, &row);
        t_mutate_raw(p, ck_buf_view(&mutation));
        ck_buf_free(&mutation);
        char where[100], result = t_commit(p);
        snprintf(where, sizeof where, "%s.%s", info->name, info->fields[c].name);
        T_CHECK(result == 'r' && strstr(t_refusal(p), where) && strstr(t_refusal(p), "UTF-8"),
                "%s in %s: '%c' %s", bad[i].what, where, result, t_refusal(p));
        T_CHECK(c == info->key || strstr(t_refusal(p), "the-record"),
                "%s in %s: the record is not named: %s", bad[i].what, where, t_refusal(p));
        ++tried;
      }
  T_CHECK(tried > 300 && t_status_int("version", -1) == 0, "something got in");
}

/* ---- large texts ---- */

T_STORY(d1_values, texts_of_2_mb_go_and_larger_ones_are_dead_letters, 60) {
  d1_start();
  d1_ring();
  struct t_producer *p = t_producer("test");
  story_put_long(p, "near", 1999000, "a");
  story_put_long(p, "escaped", 1500000, "\""); /* larger than a parameter may be, as JSON */
  story_put_long(p, "wide", 1999200, "\xf0\x9f\x98\x80");
  story_put_long(p, "nul", 1000000, "\x01"); /* six bytes of JSON each */
  story_put_long(p, "over", 2000001, "a");
  mirror_write(p, 1, 3, 0);
  mirror_settle(20000);
  T_CHECK(d1_int("SELECT length(raw_text) AS n FROM messages WHERE id = 'near'") == 1999000,
          "near is whole");
  T_CHECK(d1_int("SELECT observed_at = 9223372036854775807 AS n FROM messages WHERE id = 'near'") ==
              1,
          "its time is exact");
  T_CHECK(d1_int("SELECT count(*) AS n FROM messages WHERE id = 'over'") == 0, "over is not there");
  mirror_one_dead("over", "2000001 bytes");
  /* All others, byte for byte. */
  json_t *lines = t_lines(0, "sync", "verify", "--deep");
  T_CHECK(t_int_at(lines, "0.dead_letters", -1) == 1, "the dead letter is not counted");
  json_decref(lines);
  d1_stop();
}

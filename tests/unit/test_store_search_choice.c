/* What FTS5 is asked for (store/search/choice.c), and that it understands it. */
#include "store/search/query.h"

#include <criterion/criterion.h>
#include <sqlite3.h>
#include <string.h>

typedef enum search_choice chooser(const struct search_query *q, struct ck_buf *match);

static enum search_choice choose(chooser *by, const char *query, struct ck_buf *match) {
  struct search_query q;
  search_query_parse(ck_str_of(query), 0, &q);
  return by(&q, match);
}

static void expect(chooser *by, const char *query, enum search_choice choice, const char *want) {
  struct ck_buf match = {0};
  cr_expect_eq(choose(by, query, &match), choice, "%s", query);
  cr_expect_str_eq(ck_buf_cstr(&match), want, "%s: %s, not %s", query, ck_buf_cstr(&match), want);
  ck_buf_free(&match);
}

static void asks(const char *query, enum search_choice choice, const char *want) {
  expect(search_query_entries, query, choice, want);
}

static void asks_titles(const char *query, enum search_choice choice, const char *want) {
  expect(search_query_titles, query, choice, want);
}

Test(search_choice, of_entries) {
  asks("", SEARCH_CHOICE_ALL, "");
  asks("platform:claude", SEARCH_CHOICE_ALL, "");
  asks("Disk", SEARCH_CHOICE_THOSE, "{ text title } : (\"disk\")");
  asks("disk full", SEARCH_CHOICE_THOSE,
       "{ text title } : (\"disk\") AND { text title } : (\"full\")");
  asks("disk* tool:bash", SEARCH_CHOICE_THOSE,
       "{ text title } : (\"disk\"*) AND { tool } : (\"bash\")");
  asks(
      "disk -full -\"a b\"", SEARCH_CHOICE_THOSE,
      "({ text title } : (\"disk\")) NOT ({ text title } : (\"full\") OR { text title } : ((\"a b\""
      " OR ((\".a b\")))))");
  asks("-disk", SEARCH_CHOICE_OTHERS, "{ text title } : (\"disk\")");
  asks("title:disk", SEARCH_CHOICE_THOSE, "{ title } : (\"disk\")");
  asks("title:disk full", SEARCH_CHOICE_THOSE, "{ text title } : (\"full\")");
}

Test(search_choice, of_titles) {
  asks_titles("disk", SEARCH_CHOICE_ALL, "");
  asks_titles("title:disk", SEARCH_CHOICE_ALL, "");
  asks_titles("title:disk full", SEARCH_CHOICE_THOSE, "{ title } : (\"disk\")");
  asks_titles("-title:disk full", SEARCH_CHOICE_OTHERS, "{ title } : (\"disk\")");
  asks_titles("-title:disk", SEARCH_CHOICE_OTHERS, "{ title } : (\"disk\")");
  asks_titles("title:& full", SEARCH_CHOICE_NONE, "");
}

Test(search_choice, signs_alone_count_only_if_there_is_nothing_else) {
  asks("& !!", SEARCH_CHOICE_NONE, "");
  asks("C & D", SEARCH_CHOICE_THOSE, "{ text title } : (\"c\") AND { text title } : (\"d\")");
  asks("& -disk", SEARCH_CHOICE_NONE, "");
  asks("-& disk", SEARCH_CHOICE_THOSE, "{ text title } : (\"disk\")");
  asks("-&", SEARCH_CHOICE_ALL, "");
}

static sqlite3 *index_of_words(void) {
  sqlite3 *db;
  cr_assert_eq(sqlite3_open(":memory:", &db), SQLITE_OK);
  cr_assert_eq(sqlite3_exec(db, "CREATE VIRTUAL TABLE words USING fts5(text, title, tool)", NULL,
                            NULL, NULL),
               SQLITE_OK);
  return db;
}

Test(search_choice, fts5_understands_all_of_it) {
  static const char *const queries[] = {"NEAR(a b, 3)",
                                        "a AND",
                                        "OR NOT",
                                        "NOT a",
                                        "a + b",
                                        "^a",
                                        "a:b",
                                        "text:a",
                                        "{text title}:a",
                                        "-{x}",
                                        "a\"b",
                                        "\"\"\"\"",
                                        "'a' ''",
                                        "a;b--",
                                        "x' OR 1=1",
                                        "(((",
                                        ")))",
                                        "a*b*",
                                        "*a",
                                        "-*",
                                        "title:(a OR b)",
                                        "tool:NOT -title:AND",
                                        "中 -国 \"用python\"",
                                        "getUserById -HTTPServer*",
                                        "\xEF\xBF\xBD a",
                                        "title:\"",
                                        "-\"",
                                        "is:tool AND",
                                        "e\xCC\x81",
                                        "🎉 👍🏽*"};
  sqlite3 *db = index_of_words();
  sqlite3_stmt *s;
  cr_assert_eq(sqlite3_prepare_v2(db, "SELECT rowid FROM words WHERE words MATCH ?1", -1, &s, NULL),
               SQLITE_OK);
  for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
    struct ck_buf match = {0};
    enum search_choice choice = choose(search_query_entries, queries[i], &match);
    if (choice == SEARCH_CHOICE_THOSE || choice == SEARCH_CHOICE_OTHERS) {
      sqlite3_bind_text(s, 1, match.data, (int)match.len, SQLITE_STATIC);
      cr_expect_eq(sqlite3_step(s), SQLITE_DONE, "%s: %s: %s", queries[i], ck_buf_cstr(&match),
                   sqlite3_errmsg(db));
      sqlite3_reset(s);
    }
    ck_buf_free(&match);
  }
  sqlite3_finalize(s);
  sqlite3_close(db);
}

/* What FTS5 is asked for (store/search/choice.c), and that it understands it. */
#include "store/search/query.h"

#include <criterion/criterion.h>
#include <sqlite3.h>
#include <stdlib.h>

typedef void chooser(const struct search_query *q, struct search_chosen *out);

static struct search_chosen choose(chooser *by, const char *query) {
  struct search_query q;
  struct search_chosen c;
  search_query_parse(ck_str_of(query), 0, &q);
  by(&q, &c);
  return c;
}

static void expect(chooser *by, const char *query, enum search_choice choice, const char *wanted,
                   const char *unwanted) {
  struct search_chosen c = choose(by, query);
  cr_expect_eq(c.choice, choice, "%s", query);
  cr_expect_str_eq(ck_buf_cstr(&c.wanted.words), wanted, "%s: %s, not %s", query,
                   ck_buf_cstr(&c.wanted.words), wanted);
  cr_expect_str_eq(ck_buf_cstr(&c.unwanted.words), unwanted, "%s: %s, not %s", query,
                   ck_buf_cstr(&c.unwanted.words), unwanted);
  cr_expect(c.wanted.runs.len == 0 && c.unwanted.runs.len == 0 && c.loose == 0);
  search_chosen_free(&c);
}

static void asks(const char *query, enum search_choice choice, const char *wanted,
                 const char *unwanted) {
  expect(search_query_entries, query, choice, wanted, unwanted);
}

static void asks_titles(const char *query, enum search_choice choice, const char *wanted,
                        const char *unwanted) {
  expect(search_query_titles, query, choice, wanted, unwanted);
}

Test(search_choice, of_entries) {
  asks("", SEARCH_CHOICE_ALL, "", "");
  asks("platform:claude", SEARCH_CHOICE_ALL, "", "");
  asks("Disk", SEARCH_CHOICE_THOSE, "{ text title } : (\"disk\")", "");
  asks("disk full", SEARCH_CHOICE_THOSE,
       "{ text title } : (\"disk\") AND { text title } : (\"full\")", "");
  asks("disk* tool:bash", SEARCH_CHOICE_THOSE,
       "{ text title } : (\"disk\"*) AND { tool } : (\"bash\")", "");
  asks("disk -full -\"a b\"", SEARCH_CHOICE_THOSE, "{ text title } : (\"disk\")",
       "{ text title } : (\"full\") OR { text title } : ((\"a b\" OR ((\".a b\"))))");
  asks("-disk", SEARCH_CHOICE_OTHERS, "", "{ text title } : (\"disk\")");
  asks("title:disk", SEARCH_CHOICE_THOSE, "{ title } : (\"disk\")", "");
  asks("title:disk full", SEARCH_CHOICE_THOSE, "{ text title } : (\"full\")", "");
}

/* What FTS5 does not know of a term has a bit, and if the term is not wanted, is not asked for. */
static void asks_runs(const char *query, enum search_choice choice, const char *words,
                      const char *wanted, const char *unwanted, uint64_t terms, uint64_t loose) {
  struct search_chosen c = choose(search_query_entries, query);
  cr_expect_eq(c.choice, choice, "%s", query);
  cr_expect_str_eq(ck_buf_cstr(&c.wanted.words), words, "%s", query);
  cr_expect_str_eq(ck_buf_cstr(&c.wanted.runs), wanted, "%s", query);
  cr_expect_str_eq(ck_buf_cstr(&c.unwanted.runs), unwanted, "%s", query);
  cr_expect_eq(c.unwanted.words.len, 0);
  cr_expect_eq(c.terms, terms, "%s", query);
  cr_expect_eq(c.loose, loose, "%s", query);
  search_chosen_free(&c);
}

Test(search_choice, of_runs) {
  asks_runs("数据 库", SEARCH_CHOICE_THOSE, "", "\"数据\" AND \"库\"*", "", 3, 0);
  asks_runs("disk 数据库", SEARCH_CHOICE_THOSE, "{ text title } : (\"disk\")",
            "\"数据\" AND \"据库\"", "", 3, 2);
  asks_runs("-数据 -库存 disk", SEARCH_CHOICE_THOSE, "{ text title } : (\"disk\")", "",
            "\"数据\" OR \"库存\"", 7, 0);
  asks_runs("数据 -数据库", SEARCH_CHOICE_THOSE, "", "\"数据\"", "", 3, 2);
  asks_runs("-数据库", SEARCH_CHOICE_ALL, "", "", "", 1, 1);
  asks_runs("-用python", SEARCH_CHOICE_ALL, "", "", "", 1, 1);
}

Test(search_choice, of_titles) {
  asks_titles("disk", SEARCH_CHOICE_ALL, "", "");
  asks_titles("title:disk", SEARCH_CHOICE_ALL, "", "");
  asks_titles("title:disk full", SEARCH_CHOICE_THOSE, "{ title } : (\"disk\")", "");
  asks_titles("-title:disk full", SEARCH_CHOICE_OTHERS, "", "{ title } : (\"disk\")");
  asks_titles("-title:disk", SEARCH_CHOICE_OTHERS, "", "{ title } : (\"disk\")");
  asks_titles("title:& full", SEARCH_CHOICE_NONE, "", "");
}

Test(search_choice, signs_alone_count_only_if_there_is_nothing_else) {
  asks("& !!", SEARCH_CHOICE_NONE, "", "");
  asks("C & D", SEARCH_CHOICE_THOSE, "{ text title } : (\"c\") AND { text title } : (\"d\")", "");
  asks("& -disk", SEARCH_CHOICE_NONE, "", "{ text title } : (\"disk\")");
  asks("-& disk", SEARCH_CHOICE_THOSE, "{ text title } : (\"disk\")", "");
  asks("-&", SEARCH_CHOICE_ALL, "", "");
}

static sqlite3 *index_of_words(void) {
  sqlite3 *db;
  cr_assert_eq(sqlite3_open(":memory:", &db), SQLITE_OK);
  cr_assert_eq(sqlite3_exec(db,
                            "CREATE VIRTUAL TABLE words USING fts5(text, title, tool);"
                            "CREATE VIRTUAL TABLE runs USING fts5(pieces, detail=none)",
                            NULL, NULL, NULL),
               SQLITE_OK);
  return db;
}

static void understands(sqlite3 *db, const char *table, struct ck_buf *match) {
  sqlite3_stmt *s;
  char *sql = ck_sprintf("SELECT rowid FROM %s WHERE %s MATCH ?1", table, table);
  cr_assert_eq(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
  sqlite3_bind_text(s, 1, match->data, (int)match->len, SQLITE_STATIC);
  if (match->len)
    cr_expect_eq(sqlite3_step(s), SQLITE_DONE, "%s: %s", ck_buf_cstr(match), sqlite3_errmsg(db));
  sqlite3_finalize(s);
  free(sql);
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
  for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
    struct search_chosen c = choose(search_query_entries, queries[i]);
    understands(db, "words", &c.wanted.words);
    understands(db, "words", &c.unwanted.words);
    understands(db, "runs", &c.wanted.runs);
    understands(db, "runs", &c.unwanted.runs);
    search_chosen_free(&c);
  }
  sqlite3_close(db);
}

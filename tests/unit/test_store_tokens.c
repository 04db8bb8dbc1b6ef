/* What a text is cut into for the search, and the expression that finds it. */
#include <criterion/criterion.h>

#include "store/search/match.h"
#include "store/search/split.h"

static int say(void *self, const struct search_token *t) {
  struct ck_buf *b = self;
  if (b->len) ck_buf_text(b, " ");
  if (t->beside) ck_buf_text(b, "+");
  ck_buf_str(b, t->text);
  if (t->last) ck_buf_text(b, "$");
  return 0;
}

struct cut {
  const char *text, *tokens;
};

static void check(const struct cut *cuts, size_t n) {
  for (size_t i = 0; i < n; ++i) {
    struct ck_buf b = {0};
    cr_assert_eq(search_tokens(ck_str_of(cuts[i].text), say, &b), 0);
    cr_expect_str_eq(ck_buf_cstr(&b), cuts[i].tokens, "%s: %s instead of %s", cuts[i].text,
                     ck_buf_cstr(&b), cuts[i].tokens);
    ck_buf_free(&b);
  }
}

#define CHECK(cuts) check(cuts, sizeof(cuts) / sizeof *(cuts))

Test(store_tokens, words_are_folded) {
  static const struct cut cuts[] = {
      {"", ""},
      {" \n.,;", ""},
      {"Hello, World!", "hello world"},
      {"naïve Éàé Ångström", "naive eae angstrom"},
      {"e\u0301te\u0301", "ete"},
      {"Straße Œuvre Łódź", "strasse oeuvre lodz"},
      {"ﬁnd aﬄuent", "find affluent"},
      {"ＡＢＣ ｗｏｒｄ", "abc word"},
      {"Привет Ёлка", "привет елка"},
      {"Ελλάδα Οδυσσεύς", "ελλαδα οδυσσευσ"},
      {"мой мои\u0306", "мои мои"},
      {"co\u00adoperate zero\u200bwidth", "cooperate zerowidth"},
      {"हिन्दी", "हिन्दी"},
      {"don't l’été", "don t l ete"},
      {"a\xff\xc3z", "a z"},
  };
  CHECK(cuts);
}

Test(store_tokens, names_are_given_in_parts_and_whole) {
  static const struct cut cuts[] = {
      {"snake_case_name", "snake case name"},
      {"camelCase", "camel +camelcase case +.camelcase"},
      {"getUserById", "get +getuserbyid user +userbyid by +byid id"
                      " +.getuserbyid +.userbyid +.byid"},
      {"HTTPServer", "http +httpserver server +.httpserver"},
      {"sha256", "sha +sha256 256 +.sha256"},
      {"v1.2.3-rc4", "v +v1 1 +.v1 2 3 rc +rc4 4 +.rc4"},
      {"--no-pager -x", "no pager x"},
      {"/usr/local/lib64", "usr local lib +lib64 64 +.lib64"},
      {"user@example.com", "user example com"},
      {"https://example.com/a?b=c#d", "https example com a b c d"},
      {"3fa85f64-5717-4562", "3fa85f64 5717 4562"},
      {"42camelCase42camel", "42 +42camelcase42camel camel +camelcase42camel case +case42camel 42"
                             " +42camel camel +.42camelcase42camel +.camelcase42camel"
                             " +.case42camel +.42camel"},
      {"mp3ToMp4File2", "mp +mp3tomp4file2 3 +3tomp4file2 to +tomp4file2 mp +mp4file2 4 +4file2"
                        " file +file2 2 +.mp3tomp4file2 +.3tomp4file2 +.tomp4file2 +.mp4file2"
                        " +.4file2 +.file2"},
      {"x4camelCase42camel", "x4camelcase42camel"},
      {"aBcDeFgHiJkLmNoPqRsT", "abcdefghijklmnopqrst"},
      {"USA", "usa"},
  };
  CHECK(cuts);
}

Test(store_tokens, runs_are_given_in_pairs) {
  static const struct cut cuts[] = {
      {"数据库", "数据 据库 库$"},
      {"用", "用$"},
      {"我用Python写", "我用 用$ python 写$"},
      {"你好，世界", "你好 好$ 世界 界$"},
      {"データベース", "デー ータ タベ ベー ース ス$"},
      {"ﾃﾞｰﾀ", "デー ータ タ$"},
      {"か\u3099", "が$"},
      {"한국어", "한국 국어 어$"},
      {"\u1112\u1161\u11ab국", "한국 국$"},
      {"ไทย", "ไท ทย ย$"},
      {"done🎉👍🏽", "done 🎉👍 👍$"},
      {"𠮷野家", "𠮷野 野家 家$"},
  };
  CHECK(cuts);
}

static int check_range(void *self, const struct search_token *t) {
  static const size_t ranges[][2] = {{0, 6}, {3, 6}, {6, 11}, {6, 19}, {11, 19}};
  size_t *i = self;
  cr_expect_eq(t->from, ranges[*i][0], "token %zu", *i);
  cr_expect_eq(t->to, ranges[*i][1], "token %zu", *i);
  return ++*i == 5 ? 7 : 0;
}

Test(store_tokens, ranges_are_bytes_of_the_text_and_a_walk_can_be_ended) {
  size_t i = 0;
  cr_expect_eq(search_tokens(ck_str_of("我用\u00e9té"
                                       "Ca\u0301fe\u0301 x"),
                             check_range, &i),
               7);
}

static int longest(void *self, const struct search_token *t) {
  size_t *n = self;
  if (t->text.n > *n) *n = t->text.n;
  return 0;
}

Test(store_tokens, a_long_word_is_cut) {
  struct ck_buf b = {0};
  size_t n = 0;
  for (int i = 0; i < 100; ++i) ck_buf_text(&b, "xé");
  search_tokens(ck_buf_view(&b), longest, &n);
  cr_expect_eq(n, SEARCH_WORD_MAX);
  ck_buf_free(&b);
}

Test(store_tokens, expressions) {
  static const struct {
    const char *text;
    bool prefix;
    const char *words, *runs;
    bool loose;
  } asked[] = {
      {"word", false, "\"word\"", "", false},
      {"two words", false, "(\"two words\" OR ((\".two words\")))", "", false},
      {"a b c", false,
       "(\"a b c\" OR ((\".a b\" OR \".b c\") AND (\"a b\" OR \".a b\")"
       " AND (\"b c\" OR \".b c\")))",
       "", false},
      {"pag", true, "\"pag\"*", "", false},
      {"camelCase", false, "(\"camel case\" OR \"camelcase\")", "", false},
      {"useCamelC", true, "(\"use camel c\"* OR \"usecamelc\"*)", "", false},
      {"数据", false, "", "\"数据\"", false},
      {"数据库", false, "", "\"数据\" AND \"据库\"", true},
      {"用", false, "", "\"用\"*", false},
      {"满，备", false, "", "\"满\"", true},
      {"已满，备份", false, "", "\"已满\" AND \"满\" AND \"备份\"", true},
      {"用Python写", false, "\"python\"", "\"用\"", true},
      {"用Python", false, "\"python\"", "\"用\"", true},
      {"Pyth写pyt", true, "\"pyth\" AND \"pyt\"*", "\"写\"", true},
      {"\"quo\" NOT *", false, "(\"quo not\" OR ((\".quo not\")))", "", false},
      {"...", false, "", "", false},
      {"", true, "", "", false},
  };
  for (size_t i = 0; i < sizeof asked / sizeof *asked; ++i) {
    struct search_match m = {0};
    bool any = *asked[i].words || *asked[i].runs;
    cr_expect_eq(search_match(&m, ck_str_of(asked[i].text), asked[i].prefix,
                              SEARCH_IN(SEARCH_TEXT) | SEARCH_IN(SEARCH_TITLE)),
                 any, "%s", asked[i].text);
    cr_expect_str_eq(ck_buf_cstr(&m.words), asked[i].words);
    cr_expect_str_eq(ck_buf_cstr(&m.runs), asked[i].runs);
    cr_expect_eq(m.loose, asked[i].loose, "%s", asked[i].text);
    search_match_free(&m);
  }
}

Test(store_tokens, runs_are_asked_of_their_column) {
  struct search_match tool = {0}, title = {0};
  search_match(&tool, CK_LIT("数据库"), false, SEARCH_IN(SEARCH_TOOL));
  search_match(&title, CK_LIT("据"), false, SEARCH_IN(SEARCH_TITLE));
  cr_expect_str_eq(ck_buf_cstr(&tool.runs), "\":数据\" AND \":据库\"");
  cr_expect_str_eq(ck_buf_cstr(&title.runs), "\"^据\"*");
  search_match_free(&tool);
  search_match_free(&title);
}

static void splits(const char *text, enum search_column column, const char *words,
                   const char *runs) {
  struct ck_buf w = {0}, r = {0};
  search_split(ck_str_of(text), column, &w, &r);
  cr_expect_str_eq(ck_buf_cstr(&w), words);
  cr_expect_str_eq(ck_buf_cstr(&r), runs);
  ck_buf_free(&w);
  ck_buf_free(&r);
}

Test(store_tokens, a_text_as_the_tables_take_it) {
  splits("a Word", SEARCH_TEXT, "a word ", "");
  splits("getIt", SEARCH_TEXT, "get \x01getit it \x01.getit ", "");
  splits("我用Python写", SEARCH_TEXT, "python ", "我用 用 写 ");
  splits("a用b用c", SEARCH_TEXT, "a , b , c ", "用 用 ");
  splits("用x", SEARCH_TOOL, "x ", ":用 ");
  splits("用x", SEARCH_TITLE, "x ", "^用 用 ");
}

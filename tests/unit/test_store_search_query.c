/* What a query's text means (store/search/query.c). */
#include "store/search/query.h"

#include <criterion/criterion.h>
#include <string.h>

#include "tests/unit/test_sanitized.h"
#include "tests/unit/test_store_help.h"

#define NOW INT64_C(1795380000000) /* 2026-11-22T20:40:00Z */

/* All of it as one line: "word:disk -phrase:[a b] title:prefix:x platform=claude", … */
static void describe(struct ck_buf *b, const struct search_query *q) {
  static const char *const kinds[] = {"word", "phrase", "prefix"};
  static const char *const by[] = {"platform", "role", "in"};
  static const char *const entries[] = {"", " titles", " messages", " tools"};
  for (size_t i = 0; i < q->term_count; i++) {
    const struct search_term *t = &q->terms[i];
    ck_buf_printf(b, " %s%s%s[%.*s]", t->negated ? "-" : "",
                  t->columns == SEARCH_IN(SEARCH_TITLE)  ? "title:"
                  : t->columns == SEARCH_IN(SEARCH_TOOL) ? "tool:"
                                                         : "",
                  kinds[t->kind], (int)t->text.n, t->text.s);
  }
  for (size_t i = 0; i < q->filter_count; i++)
    ck_buf_printf(b, " %s%s=%.*s", q->filters[i].negated ? "-" : "", by[q->filters[i].by],
                  (int)q->filters[i].value.n, q->filters[i].value.s);
  if (q->since != INT64_MIN) ck_buf_printf(b, " since=%+lld", (long long)(q->since - NOW));
  if (q->until != INT64_MAX) ck_buf_printf(b, " until=%+lld", (long long)(q->until - NOW));
  ck_buf_text(b, entries[q->entries]);
  if (q->cut) ck_buf_text(b, " cut");
}

static void means(const char *text, const char *want) {
  struct search_query q;
  struct ck_buf b = {0};
  search_query_parse(ck_str_of(text), NOW, &q);
  describe(&b, &q);
  const char *got = ck_buf_cstr(&b);
  cr_expect_str_eq(*got ? got + 1 : got, want, "%s: \"%s\", not \"%s\"", text, *got ? got + 1 : got,
                   want);
  ck_buf_free(&b);
}

Test(search_query, words_phrases_and_beginnings) {
  means("", "");
  means("  \t\n ", "");
  means("disk", "word[disk]");
  means("disk  full\tnow", "word[disk] word[full] word[now]");
  means("\"disk full\"", "phrase[disk full]");
  means("a\"disk full\"b", "word[a\"disk] word[full\"b]");
  means("\"disk full\"now", "phrase[disk full] word[now]");
  means("\"never closed word", "phrase[never closed word]");
  means("“disk full” „so“", "phrase[disk full] phrase[so]");
  means("disk* \"disk fu\"*", "prefix[disk] prefix[disk fu]");
  means("disk***", "prefix[disk]");
  means("* \"\"", "word[*]");
  means("磁盘　已满", "word[磁盘] word[已满]"); /* U+3000 parts words */
}

Test(search_query, what_is_not_wanted) {
  means("disk -full", "word[disk] -word[full]");
  means("-\"disk full\"", "-phrase[disk full]");
  means("-disk*", "-prefix[disk]");
  means("-title:backup", "-title:word[backup]");
  means("x -role:tool -platform:claude", "word[x] -role=tool -platform=claude");
  means("- -", "word[-] word[-]");
  means("git --no-pager log", "word[git] word[--no-pager] word[log]");
}

Test(search_query, where_it_is_looked_for) {
  means("title:backup", "title:word[backup] titles");
  means("TITLE:\"disk full\"", "title:phrase[disk full] titles");
  means("title:back*", "title:prefix[back] titles");
  means("title:backup disk", "title:word[backup] word[disk]");
  means("tool:bash disk", "tool:word[bash] word[disk]");
  means("is:tool disk title:x", "tool:word[disk] title:word[x] tools");
  means("is:title disk", "word[disk] titles");
  means("-is:title disk", "word[disk] messages");
  means("-is:tool disk", "word[disk]");
  means("disk platform:claude platform:chatgpt role:user in:3f2a81c0",
        "word[disk] platform=claude platform=chatgpt role=user in=3f2a81c0");
  means("in:\"disk trouble\"", "in=disk trouble");
}

Test(search_query, when_it_was_said) {
  means("after:-2d", "since=-172800000");
  means("before:now", "until=+0");
  means("after:2026-11-22T20:40:00Z before:\"2026-11-22 20:40:01\"", "since=+0 until=+1000");
  means("after:2026-11-22", "since=-74400000");
  means("after:-3d after:-2d before:+1d before:+2d", "since=-172800000 until=+86400000");
  means("-before:-2d -after:now", "since=-172800000 until=+0");
}

Test(search_query, what_is_not_of_the_language_is_a_word) {
  means("std::vector http://x.org c:\\x", "word[std::vector] word[http://x.org] word[c:\\x]");
  means("after:lunch -before:that", "word[after:lunch] -word[before:that]");
  means("is:it", "word[is:it]");
  means("platform: claude", "word[platform:] word[claude]");
  means("title:", "word[title:]");
  means("title:\"\" role:\"\"", "");
  means("a AND b OR NOT c NEAR(d) (e) {f} ^g +h", "word[a] word[AND] word[b] word[OR] word[NOT] "
                                                  "word[c] word[NEAR(d)] word[(e)] word[{f}] "
                                                  "word[^g] word[+h]");
}

static void many(struct ck_buf *b, const char *what, size_t bytes) {
  while (b->len + strlen(what) <= bytes) ck_buf_text(b, what);
}

Test(search_query, more_than_is_taken_is_said) {
  struct search_query q;
  struct ck_buf b = {0};
  many(&b, "w ", SEARCH_TERMS_MAX * 2);
  search_query_parse(ck_buf_view(&b), NOW, &q);
  cr_expect_eq(q.term_count, SEARCH_TERMS_MAX);
  cr_expect_not(q.cut);
  ck_buf_text(&b, "one");
  search_query_parse(ck_buf_view(&b), NOW, &q);
  cr_expect_eq(q.term_count, SEARCH_TERMS_MAX);
  cr_expect(q.cut);
  ck_buf_clear(&b);
  for (int i = 0; i <= SEARCH_FILTERS_MAX; i++) ck_buf_text(&b, "role:x ");
  search_query_parse(ck_buf_view(&b), NOW, &q);
  cr_expect_eq(q.filter_count, SEARCH_FILTERS_MAX);
  cr_expect(q.cut);
  ck_buf_clear(&b);
  many(&b, "語", SEARCH_QUERY_MAX + 10);
  search_query_parse(ck_buf_view(&b), NOW, &q);
  cr_expect_eq(q.term_count, 1);
  cr_expect(q.cut);
  cr_expect(ck_utf8_ok(q.terms[0].text));
  ck_buf_free(&b);
}

Test(search_query, hostile_texts_of_64_kb_are_read_at_once) {
  static const char *const pieces[] = {"\"",           "-",    "a",     "a ",     "*",  "-\"",
                                       "title:",       "\"\"", "in:\"", "after:", "。", "“",
                                       "\xE2\x80\x83", "--",   ":",     "-a*\" "};
  for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
    struct search_query q;
    struct ck_buf b = {0};
    many(&b, pieces[i], SEARCH_QUERY_MAX);
    int64_t begun = sh_processor_us();
    search_query_parse(ck_buf_view(&b), NOW, &q);
    int64_t took = sh_processor_us() - begun;
    cr_expect_lt(took, 20000 * SLOWER, "%s: %lld µs", pieces[i], (long long)took);
    ck_buf_free(&b);
  }
}

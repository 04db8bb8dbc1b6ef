/* Any bytes as a query: what it means, and what FTS5 is asked for. */
#include "store/search/query.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static bool is_within(struct ck_str inner, struct ck_str text) {
  return inner.n > 0 && inner.s >= text.s && inner.s + inner.n <= text.s + text.n;
}

/* Texts in quotation marks without any inside, and beside them only what the language of FTS5
 * needs. */
static void check_expression(struct ck_str s) {
  bool quoted = false;
  for (size_t i = 0; i < s.n; i++) {
    if (s.s[i] == '"')
      quoted = !quoted;
    else if (!quoted && !strchr("{}() :*ANDORTtexilo", s.s[i]))
      abort();
  }
  if (quoted) abort();
}

static void choose(const struct search_query *q,
                   void (*of)(const struct search_query *, struct search_chosen *)) {
  struct search_chosen c;
  of(q, &c);
  bool wanted = c.wanted.words.len || c.wanted.runs.len;
  bool unwanted = c.unwanted.words.len || c.unwanted.runs.len;
  if (wanted != (c.choice == SEARCH_CHOICE_THOSE)) abort();
  if (c.choice == SEARCH_CHOICE_OTHERS && !unwanted) abort();
  if (c.choice == SEARCH_CHOICE_ALL && unwanted) abort();
  if (c.loose & ~c.terms) abort();
  check_expression(ck_buf_view(&c.wanted.words));
  check_expression(ck_buf_view(&c.wanted.runs));
  check_expression(ck_buf_view(&c.unwanted.words));
  check_expression(ck_buf_view(&c.unwanted.runs));
  search_chosen_free(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  struct ck_str text = {(const char *)data, n};
  struct search_query q;
  bool utf8 = ck_utf8_ok(text);
  search_query_parse(text, 0, &q);
  if (q.term_count > SEARCH_TERMS_MAX || q.filter_count > SEARCH_FILTERS_MAX) abort();
  for (size_t i = 0; i < q.term_count; i++) {
    if (!is_within(q.terms[i].text, text) || !q.terms[i].columns) abort();
    if (utf8 && !ck_utf8_ok(q.terms[i].text)) abort();
  }
  for (size_t i = 0; i < q.filter_count; i++)
    if (!is_within(q.filters[i].value, text)) abort();
  choose(&q, search_query_entries);
  choose(&q, search_query_titles);
  return 0;
}

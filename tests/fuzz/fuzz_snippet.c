/* Any bytes as a query, a line, and the text in which it is looked for, the rest. */
#include "store/search/snippet.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static size_t characters(struct ck_str s) {
  size_t count = 0;
  for (size_t i = 0; i < s.n; i++) count += (s.s[i] & 0xC0) != 0x80;
  return count;
}

/* Ascending, apart, and within the text, if that is UTF-8. */
static void check_ranges(const struct search_snippet *s, bool utf8) {
  size_t at = 0, all = utf8 ? characters(ck_buf_view(&s->text)) : SIZE_MAX;
  if (s->range_count > SEARCH_RANGES_MAX) abort();
  for (size_t i = 0; i < s->range_count; i++) {
    const struct ck_span *r = &s->ranges[i];
    if (r->from >= r->to || (i > 0 && r->from <= at) || r->to > all) abort();
    at = r->to;
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  struct search_query q;
  struct search_snippet s = {0};
  struct ck_str query = {(const char *)data, n}, text = {"", 0};
  const char *line = n ? memchr(data, '\n', n) : NULL;
  if (line) {
    query.n = (size_t)(line - query.s);
    text = (struct ck_str){line + 1, n - query.n - 1};
  }
  search_query_parse(query, 0, &q);
  struct search_marks *m = search_marks_new(&q);
  for (int column = 0; column < SEARCH_COLUMNS; column++) {
    search_snippet_make(&s, m, text, (enum search_column)column);
    check_ranges(&s, ck_utf8_ok(text));
    if (!ck_utf8_ok(text)) continue;
    if (!ck_utf8_ok(ck_buf_view(&s.text))) abort();
    if (characters(ck_buf_view(&s.text)) > SEARCH_SNIPPET + 2) abort();
  }
  search_marks_free(&m);
  search_snippet_free(&s);
  return 0;
}

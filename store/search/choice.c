/* What FTS5 is asked for: the terms as expressions for MATCH; see query.h. */
#include "store/search/query.h"

/* "{text title} : (…)" */
static void put_words(struct ck_buf *b, const struct search_term *t, const struct ck_buf *words,
                      const char *between) {
  static const char *const names[SEARCH_COLUMNS] = {"text", "title", "tool"};
  if (words->len == 0) return;
  if (b->len) ck_buf_text(b, between);
  ck_buf_text(b, "{");
  for (int c = 0; c < SEARCH_COLUMNS; ++c)
    if (t->columns & SEARCH_IN(c)) ck_buf_printf(b, " %s", names[c]);
  ck_buf_text(b, " } : (");
  ck_buf_str(b, ck_buf_view(words));
  ck_buf_text(b, ")");
}

static void put_runs(struct ck_buf *b, const struct ck_buf *runs, const char *between) {
  if (runs->len && b->len) ck_buf_text(b, between);
  ck_buf_str(b, ck_buf_view(runs));
}

/* A negated term that is loose is not asked for: what matches it may not have it. */
static void put_term(struct search_chosen *out, const struct search_term *t, size_t number) {
  struct search_match asked = {0};
  struct search_match *to = t->negated ? &out->unwanted : &out->wanted;
  const char *between = t->negated ? " OR " : " AND ";
  if (!search_match(&asked, t->text, t->kind == SEARCH_PREFIX, t->columns)) return;
  out->terms |= UINT64_C(1) << number;
  if (asked.loose) out->loose |= UINT64_C(1) << number;
  if (!asked.loose || !t->negated) {
    put_words(&to->words, t, &asked.words, between);
    put_runs(&to->runs, &asked.runs, between);
  }
  search_match_free(&asked);
}

static bool asks(const struct search_match *m) { return m->words.len || m->runs.len; }

/* Among titles, a term of the title is one like others. */
static bool is_of_conversation(const struct search_query *q, const struct search_term *t) {
  return t->columns == SEARCH_IN(SEARCH_TITLE) && q->entries != SEARCH_ENTRIES_TITLES;
}

/* A term without a letter or a digit counts only if no other is wanted: then nothing is found. */
static void choose(const struct search_query *q, bool conversations, struct search_chosen *out) {
  bool named = false;
  *out = (struct search_chosen){0};
  for (size_t i = 0; i < q->term_count; ++i) {
    const struct search_term *t = &q->terms[i];
    if (is_of_conversation(q, t) != conversations) continue;
    put_term(out, t, i);
    named |= !t->negated;
  }
  out->choice = asks(&out->wanted)     ? SEARCH_CHOICE_THOSE
                : named                ? SEARCH_CHOICE_NONE
                : asks(&out->unwanted) ? SEARCH_CHOICE_OTHERS
                                       : SEARCH_CHOICE_ALL;
}

void search_query_entries(const struct search_query *q, struct search_chosen *out) {
  choose(q, false, out);
}

void search_query_titles(const struct search_query *q, struct search_chosen *out) {
  choose(q, true, out);
}

void search_chosen_free(struct search_chosen *c) {
  search_match_free(&c->wanted);
  search_match_free(&c->unwanted);
}

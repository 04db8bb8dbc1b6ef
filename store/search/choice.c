/* What FTS5 is asked for: the terms as expressions for MATCH; see query.h. */
#include "store/search/query.h"

#include "store/search/tokens.h"

/* The terms of one expression so far. */
struct choice {
  struct ck_buf wanted, unwanted;
  bool named; /* there are terms that are wanted */
};

/* "{text title} : (…)" */
static bool put_term(struct ck_buf *b, const struct search_term *t, const char *between) {
  static const char *const names[SEARCH_COLUMNS] = {"text", "title", "tool"};
  struct ck_buf asked = {0};
  bool any = search_match(&asked, t->text, t->kind == SEARCH_PREFIX);
  if (any) {
    if (b->len) ck_buf_text(b, between);
    ck_buf_text(b, "{");
    for (int c = 0; c < SEARCH_COLUMNS; ++c)
      if (t->columns & SEARCH_IN(c)) ck_buf_printf(b, " %s", names[c]);
    ck_buf_text(b, " } : (");
    ck_buf_str(b, ck_buf_view(&asked));
    ck_buf_text(b, ")");
  }
  ck_buf_free(&asked);
  return any;
}

static void add(struct choice *c, const struct search_term *t) {
  if (!t->negated) c->named = true;
  if (t->negated)
    put_term(&c->unwanted, t, " OR ");
  else
    put_term(&c->wanted, t, " AND ");
}

/* A term without a letter or a digit counts only if no other is wanted: then nothing is found. */
static enum search_choice put_choice(struct choice *c, struct ck_buf *match) {
  bool wanted = c->wanted.len > 0, unwanted = c->unwanted.len > 0;
  if (!wanted && c->named) return SEARCH_CHOICE_NONE;
  if (wanted && unwanted) ck_buf_text(match, "(");
  ck_buf_str(match, ck_buf_view(&c->wanted));
  if (wanted && unwanted) ck_buf_text(match, ") NOT (");
  ck_buf_str(match, ck_buf_view(&c->unwanted));
  if (wanted && unwanted) ck_buf_text(match, ")");
  return wanted ? SEARCH_CHOICE_THOSE : unwanted ? SEARCH_CHOICE_OTHERS : SEARCH_CHOICE_ALL;
}

/* Among titles, a term of the title is one like others. */
static bool is_of_conversation(const struct search_query *q, const struct search_term *t) {
  return t->columns == SEARCH_IN(SEARCH_TITLE) && q->entries != SEARCH_ENTRIES_TITLES;
}

static enum search_choice choose(const struct search_query *q, bool conversations,
                                 struct ck_buf *match) {
  struct choice c = {0};
  for (size_t i = 0; i < q->term_count; ++i)
    if (is_of_conversation(q, &q->terms[i]) == conversations) add(&c, &q->terms[i]);
  enum search_choice chosen = put_choice(&c, match);
  ck_buf_free(&c.wanted);
  ck_buf_free(&c.unwanted);
  return chosen;
}

enum search_choice search_query_entries(const struct search_query *q, struct ck_buf *match) {
  return choose(q, false, match);
}

enum search_choice search_query_titles(const struct search_query *q, struct ck_buf *match) {
  return choose(q, true, match);
}

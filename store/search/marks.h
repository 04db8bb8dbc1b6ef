/* Finds in a text the words that a query asks for. Pure, after tokens.h. */
#ifndef CK_STORE_SEARCH_MARKS_H
#define CK_STORE_SEARCH_MARKS_H

#include "store/search/query.h"

struct search_marks;

/* What q asks for, to be found in many texts. Keeps nothing of q. The caller frees it. */
struct search_marks *search_marks_new(const struct search_query *q);
/* The same of the terms whose bits are set, by their numbers, also if they are negated. */
struct search_marks *search_marks_of(const struct search_query *q, uint64_t terms);
void search_marks_free(struct search_marks **m);

/* How many terms of q are wanted in this column. */
unsigned search_marks_wanted(const struct search_marks *m, enum search_column column);

struct search_mark {
  size_t from, to; /* in the text, in bytes */
  unsigned term;   /* its number in q, below SEARCH_TERMS_MAX */
};

/* Takes a mark. false ends the walk. */
typedef bool search_mark_taker(void *self, const struct search_mark *mark);

/* Gives each place in the text, which is in this column, that a wanted term of q finds; in the
 * order of their ends. They may overlap. */
void search_marks_find(const struct search_marks *m, struct ck_str text, enum search_column column,
                       search_mark_taker *take, void *self);

#endif

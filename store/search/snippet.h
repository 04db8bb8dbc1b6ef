/* The place in a text that has most of the words that a query asks for. Pure, after tokens.h. */
#ifndef CK_STORE_SEARCH_SNIPPET_H
#define CK_STORE_SEARCH_SNIPPET_H

#include "proto/hit.h"
#include "store/search/marks.h"

#define SEARCH_SNIPPET 160 /* characters at most, and an "…" at each end where the text goes on */
#define SEARCH_RANGES_MAX 64

/* Zero-initialise; it can be used again, and is freed at last. */
struct search_snippet {
  struct ck_buf text;
  struct ck_span ranges[SEARCH_RANGES_MAX]; /* as in a hit */
  size_t range_count;
};

/* Makes the snippet of a text, which is UTF-8 and in this column. White space becomes single
 * blanks; else it says what the text says, control characters too. If nothing is found, it is the
 * beginning of the text. */
void search_snippet_make(struct search_snippet *s, const struct search_marks *m, struct ck_str text,
                         enum search_column column);
void search_snippet_free(struct search_snippet *s);

#endif

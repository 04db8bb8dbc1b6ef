/* A text as the tables of the index take it: its tokens with blanks between them, the words apart
 * from the pieces of runs. Pure, after tokens.h. */
#ifndef CK_STORE_SEARCH_SPLIT_H
#define CK_STORE_SEARCH_SPLIT_H

#include "store/search/tokens.h"

/* Before a word that stands at the place of the one before it. */
#define SEARCH_BESIDE '\x01'
/* In place of a run between two words, so that no phrase goes across it. */
#define SEARCH_GAP ','
/* Before a piece of a run that a tool was told or said; that is in a title, and there also without
 * it. */
#define SEARCH_OF_TOOL ':'
#define SEARCH_OF_TITLE '^'

/* Appends them. */
void search_split(struct ck_str text, enum search_column column, struct ck_buf *words,
                  struct ck_buf *runs);

#endif

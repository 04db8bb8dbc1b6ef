/* What FTS5 is asked for to find a text as it stands there. Pure.
 *
 * The index has words with their places, and pieces of runs without (index.h). So words one after
 * another are a phrase for it; of a longer piece of a run, and where words and runs stand beside
 * each other, it knows only that an entry has all of it somewhere. */
#ifndef CK_STORE_SEARCH_MATCH_H
#define CK_STORE_SEARCH_MATCH_H

#include "store/search/tokens.h"

/* Of a longer text only the beginning is asked for: so many tokens. */
#define SEARCH_PHRASE_MAX 64

/* Zero-initialise; both are freed by the caller. Empty: nothing is asked of these tables. */
struct search_match {
  struct ck_buf words, runs; /* what must match */
  bool loose; /* of what matches, some may not have the text as it stands there; else all have */
};

/* Appends what finds `text`: its words one after another, however they are written (getUserById,
 * getuserbyid), and of a run any piece of it. prefix: the last word may go on. columns: of
 * SEARCH_IN; `words` does not say in which. They must be those of a term (query.h): titles; what
 * tools were told and said; or texts and titles. *out must be empty. false: the text has no token,
 * and nothing was appended.
 *
 * If names in parts are followed by other words, a text that has all pairs of neighbours, of which
 * one is such a name and what follows it, is taken for one that has them all in order. */
bool search_match(struct search_match *out, struct ck_str text, bool prefix, unsigned columns);
void search_match_free(struct search_match *m);

/* Appends the one or two phrases of it that stand in a text, `"get user"` and `"getuser"`, in which
 * a word may stand as SEARCH_JOINED says. */
bool search_phrases(struct ck_buf *out, struct ck_str text, bool prefix);

#endif

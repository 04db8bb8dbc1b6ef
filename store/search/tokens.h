/* What a text is cut into to be found: words, their parts, and pairs of characters where a script
 * has no blanks between words. The index, the query and the marks of a snippet are made with it, so
 * they agree.
 *
 * What a letter is, and how it is folded (case, diacritics), is what SQLite's unicode61 says with
 * remove_diacritics 2. Full-width forms and ligatures are folded too.
 *
 * "getUserById" gives get, user, by, id. At the place of each part but the last there is also the
 * word from there on (getuserbyid, userbyid, byid): it follows what stands before. At the place of
 * the last part these stand too, with a dot (.getuserbyid …): what comes after follows them.
 * "我用Python" gives 我用, 用, python: of a run of Han, Kana,
 * Hangul, Thai … or emoji, every two neighbours and the last one alone. */
#ifndef CK_STORE_SEARCH_TOKENS_H
#define CK_STORE_SEARCH_TOKENS_H

#include "proto/error.h"
#include "proto/text.h"

/* Of a longer word the rest is left out. In bytes. */
#define SEARCH_WORD_MAX 64
#define SEARCH_TOKEN_MAX (SEARCH_WORD_MAX + 1)

/* Before a word, or its end, that stands at the place of its last part. In no other token. */
#define SEARCH_JOINED '.'

struct search_token {
  struct ck_str text; /* folded; no blank and no quote; valid until the function returns */
  size_t from, to;    /* where it is in the text, in bytes */
  bool beside;        /* stands at the place of the token before it, a part of a word: that part
                         and the rest of the word; or, after SEARCH_JOINED, one of its parts and the
                         rest, at the place of the last part */
  bool run;           /* one or two characters of a run */
  bool last;          /* the last character of a run, alone */
};

/* Anything but 0 ends the walk. */
typedef int search_token_fn(void *self, const struct search_token *t);

/* Calls fn for each token, in the order of the text. Returns 0, or what fn returned. What is not
 * UTF-8 stands between words. Any thread. */
int search_tokens(struct ck_str text, search_token_fn *fn, void *self);

/* Appends the expression of FTS5 that finds `text` as it stands there: its words one after another,
 * however they are written (getUserById, getuserbyid), and of a run any piece of it. prefix: the
 * last word may go on. false: the text has no token, and nothing was appended. Of a longer text
 * than SEARCH_PHRASE_MAX tokens only the beginning is asked for.
 *
 * If names in parts are followed by other words, a text that has all pairs of neighbours, of which
 * one is such a name and what follows it, is taken for one that has them all in order. */
#define SEARCH_PHRASE_MAX 64
bool search_match(struct ck_buf *match, struct ck_str text, bool prefix);

/* Appends the one or two phrases of it that stand in a text, `"get user"` and `"getuser"`, in which
 * a word may stand as SEARCH_JOINED says. */
bool search_phrases(struct ck_buf *out, struct ck_str text, bool prefix);

/* Reads the letters from SQLite; the other functions do it at their first call, and end the process
 * if it fails. -1 with the reason: this SQLite has no FTS5. */
int search_tokens_ready(struct ck_err *err);

#endif

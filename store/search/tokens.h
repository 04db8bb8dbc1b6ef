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

/* The columns of the index. A message's words are in `text`; or in `tool`, if a tool said them or
 * was told them. A conversation's title is an entry of its own. */
enum search_column { SEARCH_TEXT, SEARCH_TITLE, SEARCH_TOOL, SEARCH_COLUMNS };
#define SEARCH_IN(column) (1u << (column))

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

/* Reads the letters from SQLite; the other functions do it at their first call, and end the process
 * if it fails. -1 with the reason: this SQLite has no FTS5. */
int search_tokens_ready(struct ck_err *err);

#endif

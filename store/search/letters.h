/* What each character is to the search: a letter, and folded to which one; a piece of a run; or
 * nothing. */
#ifndef CK_STORE_SEARCH_LETTERS_H
#define CK_STORE_SEARCH_LETTERS_H

#include "proto/error.h"
#include "proto/text.h"

enum letter_kind {
  LETTER_NONE,    /* between words */
  LETTER_SKIPPED, /* as if it were not there: combining accents, soft hyphens, zero width … */
  LETTER_WORD,    /* of a word */
  LETTER_RUN      /* of a script without blanks between words, or an emoji */
};

struct letter {
  enum letter_kind kind;
  char upper;      /* of a word: 1 if it is an upper case letter of ASCII or its full-width form */
  char digit;      /* of a word: 1 if it is a digit from 0 to 9 */
  char folded[4];  /* UTF-8, not terminated */
  unsigned char n; /* bytes of it */
};

/* Call it once before the others; again does nothing. -1 with the reason. Any thread. */
int letters_ready(struct ck_err *err);
/* The letter of a character; or only its kind. One of a run is folded to itself. */
struct letter letter_of(unsigned code);
enum letter_kind letter_kind_of(unsigned code);

/* The character at text.s[*at], and moves *at after it. A byte that begins no character is U+FFFD.
 */
unsigned letters_next(struct ck_str text, size_t *at);

/* A character of a run in its usual form: half-width Kana in full width. */
unsigned letter_wide(unsigned code);
/* What two characters of a run are as one: Kana with a voice mark, the parts of a Hangul syllable.
 * 0: they stay two. */
unsigned letter_joined(unsigned first, unsigned second);

#endif

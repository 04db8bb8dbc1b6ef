/* Text compared as people do, without regard to upper and lower case, in every script. */
#ifndef CK_PROTO_WORDS_H
#define CK_PROTO_WORDS_H

#include "proto/text.h"

/* Appends s in lower case. What is not UTF-8 is appended as it is. */
void ck_buf_lower(struct ck_buf *b, struct ck_str s);
/* True if both say the same, apart from upper and lower case and white space at their ends. */
bool ck_same_words(struct ck_str a, struct ck_str b);
/* True if the text contains every word of `words`, which are separated by ASCII white space. */
bool ck_has_words(struct ck_str text, struct ck_str words);

/* The same for many texts. */
struct ck_words {
  struct ck_buf words, text; /* in lower case; text: the last one */
};

void ck_words_open(struct ck_words *w, struct ck_str words);
bool ck_words_in(struct ck_words *w, struct ck_str text);
void ck_words_close(struct ck_words *w);

#endif

/* Texts of a made-up language: words as often as words are (Zipf), a fifth of the texts in Chinese,
 * some names as in code. The same ones in each run. */
#ifndef BENCH_LANGUAGE_H
#define BENCH_LANGUAGE_H

#include "proto/text.h"

#define LANG_WORDS 60000
#define LANG_CHINESE 20000 /* words of two characters */

/* A number below n. */
uint64_t lang_below(uint64_t n);
/* The rank of a word, 0 the commonest, below n. */
unsigned lang_rank(unsigned n);
/* Append a word of this rank; a name of several words; all of a text, the i-th. */
void lang_word(struct ck_buf *b, unsigned rank);
void lang_chinese(struct ck_buf *b, unsigned rank);
void lang_name(struct ck_buf *b);
void lang_text(struct ck_buf *b, uint64_t i);

#endif

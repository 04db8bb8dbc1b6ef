/* See language.h. */
#include "bench/language.h"

#include <math.h>

#define TEXT_MEAN 900 /* bytes */

static uint64_t chance = 88172645463325252u;

uint64_t lang_below(uint64_t n) {
  chance ^= chance << 13;
  chance ^= chance >> 7;
  chance ^= chance << 17;
  return chance % n;
}

/* The rank of a word, 0 the commonest: the share of each is one over its rank, nearly. */
unsigned lang_rank(unsigned n) {
  double u = (double)lang_below(1u << 30) / (1u << 30);
  return (unsigned)(exp(u * log((double)n + 1)) - 1);
}

/* Of two words one has been said lately: so a text of 900 bytes has as many different words as
 * documentation and programs have, 70 in 1,000 bytes. */
#define AGAIN 50 /* per cent */
#define LATELY 60

/* What was said lately in one language. */
struct talk {
  unsigned ranks[LATELY];
  size_t said;
};

static unsigned next_rank(struct talk *t, unsigned n) {
  size_t known = t->said < LATELY ? t->said : LATELY;
  bool again = known && lang_below(100) < AGAIN;
  unsigned rank = again ? t->ranks[lang_below(known)] : lang_rank(n);
  t->ranks[t->said++ % LATELY] = rank;
  return rank;
}

static struct talk words, chinese_words, names;

/* Words of two to five syllables, other ones for each rank. */
void lang_word(struct ck_buf *b, unsigned rank) {
  static const char consonants[] = "bdfgklmnprstvz", vowels[] = "aeiou";
  unsigned left = rank * 2654435761u % 68600000u; /* below 70 to the fourth, and odd: no two meet */
  for (unsigned i = 0, n = rank < 100 ? 2 : 3 + rank % 2; i < n; ++i, left /= 70) {
    char syllable[] = {consonants[left % 14], vowels[left / 14 % 5]};
    ck_buf_add(b, syllable, 2);
  }
}

void lang_chinese(struct ck_buf *b, unsigned rank) {
  ck_buf_utf8(b, 0x4e00 + rank * 7919u % 3500);
  ck_buf_utf8(b, 0x4e00 + (rank * 104729u >> 4) % 3500);
}

/* As in a language, most words are followed by one of a few characters, and each mostly by the same
 * one; else nearly every border of two words would be a pair of its own. */
static void put_chinese_words(struct ck_buf *b) {
  unsigned rank = next_rank(&chinese_words, LANG_CHINESE);
  lang_chinese(b, rank);
  if (lang_below(10) < 7) ck_buf_utf8(b, 0x5e00 + (lang_below(4) ? rank % 40 : lang_rank(40)));
}

void lang_name(struct ck_buf *b) {
  unsigned name = next_rank(&names, 2000);
  lang_word(b, name);
  if (name % 2) ck_buf_text(b, "_");
  size_t at = b->len;
  lang_word(b, name * 7919 % 2000);
  if (b->data[at - 1] != '_') b->data[at] = (char)(b->data[at] - 'a' + 'A');
}

static void put_piece(struct ck_buf *b, bool chinese) {
  uint64_t kind = lang_below(100);
  if (kind < 3)
    lang_name(b);
  else if (kind < 5)
    ck_buf_printf(b, "%u", lang_rank(100000));
  else if (chinese && kind < 85)
    put_chinese_words(b);
  else
    lang_word(b, next_rank(&words, LANG_WORDS));
  if (lang_below(8) == 0) ck_buf_text(b, chinese ? "，" : ",");
  if (!chinese) ck_buf_text(b, " ");
}

void lang_text(struct ck_buf *b, uint64_t i) {
  double u = ((double)lang_below(1u << 30) + 1) / (1u << 30);
  size_t bytes = (size_t)(-log(u) * TEXT_MEAN) + 1;
  bool chinese = i % 5 == 4;
  ck_buf_clear(b);
  while (b->len < bytes) put_piece(b, chinese);
}

/* Lower case, by the C library's table for C.UTF-8. Without that locale, only of ASCII letters. */
#include "proto/words.h"

#include <locale.h>
#include <pthread.h>
#include <string.h>
#include <wctype.h>

static locale_t utf8;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void) { utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0); }

/* Appends the ASCII characters that s begins with. Returns how many. */
static size_t lower_ascii(struct ck_buf *b, struct ck_str s) {
  char *to = ck_buf_room(b, s.n);
  size_t n = 0;
  for (; n < s.n && (unsigned char)s.s[n] < 0x80; ++n)
    to[n] = s.s[n] >= 'A' && s.s[n] <= 'Z' ? (char)(s.s[n] + 32) : s.s[n];
  b->len += n;
  return n;
}

void ck_buf_lower(struct ck_buf *b, struct ck_str s) {
  pthread_once(&once, load);
  for (size_t i = lower_ascii(b, s), n; i < s.n;
       i += n, i += lower_ascii(b, (struct ck_str){s.s + i, s.n - i})) {
    unsigned char first = (unsigned char)s.s[i];
    n = first < 0xC0 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    if (n > s.n - i) n = s.n - i;
    struct ck_str character = {s.s + i, n};
    if (n > 1 && utf8 && ck_utf8_ok(character))
      ck_buf_utf8(b, towlower_l(ck_character_code(s.s + i, n), utf8));
    else
      ck_buf_str(b, character);
  }
}

bool ck_same_words(struct ck_str a, struct ck_str b) {
  struct ck_buf x = {0}, y = {0};
  ck_buf_lower(&x, ck_trim(a));
  ck_buf_lower(&y, ck_trim(b));
  bool same = ck_str_eq(ck_buf_view(&x), ck_buf_view(&y));
  ck_buf_free(&x);
  ck_buf_free(&y);
  return same;
}

void ck_words_open(struct ck_words *w, struct ck_str words) {
  *w = (struct ck_words){0};
  ck_buf_lower(&w->words, words);
}

void ck_words_close(struct ck_words *w) {
  ck_buf_free(&w->words);
  ck_buf_free(&w->text);
}

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

bool ck_words_in(struct ck_words *w, struct ck_str text) {
  const char *at = w->words.data, *end = at + w->words.len;
  ck_buf_clear(&w->text);
  ck_buf_lower(&w->text, text);
  while (at < end) {
    const char *word = at;
    while (at < end && !is_space(*at)) ++at;
    size_t n = (size_t)(at - word);
    if (n && (!w->text.len || !memmem(w->text.data, w->text.len, word, n))) return false;
    ++at;
  }
  return true;
}

bool ck_has_words(struct ck_str text, struct ck_str words) {
  struct ck_words w;
  ck_words_open(&w, words);
  bool has = ck_words_in(&w, text);
  ck_words_close(&w);
  return has;
}

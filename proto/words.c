/* Lower case, by the C library's table for C.UTF-8. Without that locale, only of ASCII letters. */
#include "proto/words.h"

#include <locale.h>
#include <pthread.h>
#include <stdlib.h>
#include <wctype.h>

static locale_t utf8;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void) { utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0); }

void ck_buf_lower(struct ck_buf *b, struct ck_str s) {
  pthread_once(&once, load);
  for (size_t i = 0, n; i < s.n; i += n) {
    unsigned char first = (unsigned char)s.s[i];
    n = first < 0xC0 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    char c = first >= 'A' && first <= 'Z' ? (char)(first + 32) : (char)first;
    bool known = n > 1 && utf8 && n <= s.n - i && ck_utf8_ok((struct ck_str){s.s + i, n});
    if (known)
      ck_buf_utf8(b, towlower_l(ck_character_code(s.s + i, n), utf8));
    else if (n == 1)
      ck_buf_add(b, &c, 1);
    else
      ck_buf_add(b, s.s + i, n = n <= s.n - i ? n : s.n - i);
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

bool ck_has_words(struct ck_str text, struct ck_str words) {
  struct ck_buf in = {0}, all = {0};
  ck_buf_lower(&in, text);
  ck_buf_lower(&all, words);
  char *rest = ck_str_dup(ck_buf_view(&all)), *next = rest;
  bool has = true;
  for (char *word; has && (word = strsep(&next, " \t\n\r")) != NULL;)
    has = !*word || (in.len && memmem(in.data, in.len, word, strlen(word)));
  free(rest);
  ck_buf_free(&in);
  ck_buf_free(&all);
  return has;
}

/* What the scripts of both programs share; see script.h. */
#include "tests/fault/script.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/harness/base.h"

#define FIRST_AT 1790845200 /* 2026-10-01, 09:00 */
#define APART_S 7200        /* between the beginnings of two sessions */
#define LONG_MOST 400000

void script_begin(struct script *s, unsigned number, bool codex) {
  *s = (struct script){.number = number, .codex = codex};
  s->second = FIRST_AT + (int64_t)number * APART_S;
}

void script_free(struct script *s) {
  ck_buf_free(&s->text);
  free(s->lines);
}

const char *script_word(struct script *s) {
  static char word[16];
  snprintf(word, sizeof word, "zq%03uw%04u", s->number % 1000, s->words++ % 10000);
  return word;
}

void script_line(struct script *s, const char *word, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  char *text = NULL;
  T_CHECK(vasprintf(&text, fmt, args) >= 0, "no memory");
  va_end(args);
  ck_buf_text(&s->text, text);
  ck_buf_text(&s->text, "\n");
  free(text);
  s->lines = ck_realloc(s->lines, (s->count + 1) * sizeof *s->lines);
  s->lines[s->count] = (struct script_line){.end = s->text.len};
  snprintf(s->lines[s->count++].word, sizeof s->lines->word, "%s", word);
}

const char *script_time(struct script *s) {
  static char text[32];
  time_t at = (time_t)s->second++;
  struct tm tm;
  gmtime_r(&at, &tm);
  strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S.125Z", &tm);
  return text;
}

const char *script_filler(void) {
  static char text[LONG_MOST + 1];
  static const char some[] = "Gears of brass, axles \\u00e4 and teeth. ";
  size_t n = t_random_below(24) ? t_random_below(600) : t_random_below(LONG_MOST);
  size_t piece = sizeof some - 1;
  n -= n % piece;
  for (size_t at = 0; at < n; at += piece) memcpy(text + at, some, piece);
  text[n] = '\0';
  return text;
}

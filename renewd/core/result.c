/* See result.h. */
#include "renewd/core/result.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Makes cut text UTF-8 again: drops an incomplete character at its end; if that is not enough,
 * every byte that is not ASCII becomes '?'. Returns the new length. */
static size_t make_utf8(char *s, size_t n) {
  for (size_t drop = 0; drop < 4 && drop <= n; drop++)
    if (ck_utf8_ok((struct ck_str){s, n - drop})) return n - drop;
  for (size_t i = 0; i < n; i++)
    if ((unsigned char)s[i] >= 0x80) s[i] = '?';
  return n;
}

void renew_make_utf8(char *text) { text[make_utf8(text, strlen(text))] = '\0'; }

void renew_result_set(struct renew_result *r, enum renew_outcome outcome, const char *fmt, ...) {
  *r = (struct renew_result){.outcome = outcome, .exit_code = -1, .cost = -1, .tokens = -1};
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(r->error, sizeof r->error, fmt, ap);
  va_end(ap);
  renew_make_utf8(r->error);
}

void renew_result_error(struct renew_result *r, const char *text) {
  snprintf(r->error, sizeof r->error, "%s", text);
  renew_make_utf8(r->error);
}

void renew_words(char out[RENEW_WORDS], struct ck_str bytes) {
  size_t n = bytes.n < RENEW_WORDS - 4 ? bytes.n : RENEW_WORDS - 4;
  if (n) memcpy(out, bytes.s, n);
  n = make_utf8(out, n);
  for (size_t i = 0; i < n; i++)
    if ((unsigned char)out[i] < 0x20 || out[i] == 0x7f) out[i] = ' ';
  struct ck_str kept = ck_trim((struct ck_str){out, n});
  memmove(out, kept.s ? kept.s : out, kept.n);
  out[kept.n] = '\0';
}

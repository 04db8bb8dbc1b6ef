/* Sentences of at most sizeof text - 1 bytes, always UTF-8. */
#include "proto/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proto/text.h"

/* Errors go into frames, which take only UTF-8: a character that was cut at the end is dropped. If
 * that is not enough, every byte that is not ASCII becomes '?'. */
static void keep_utf8(char *text) {
  size_t n = strlen(text);
  for (size_t cut = 0; cut < 4 && cut <= n; ++cut) {
    if (!ck_utf8_ok((struct ck_str){text, n - cut})) continue;
    text[n - cut] = '\0';
    return;
  }
  for (char *c = text; *c; ++c)
    if ((unsigned char)*c >= 0x80) *c = '?';
}

int ck_fail(struct ck_err *err, const char *fmt, ...) {
  if (!err) return -1;
  /* Not formatted in place: err->text may be one of the arguments. */
  char text[sizeof err->text];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(text, sizeof text, fmt, ap);
  va_end(ap);
  keep_utf8(text);
  memcpy(err->text, text, sizeof text);
  return -1;
}

int ck_fail_in(struct ck_err *err, const char *fmt, ...) {
  if (!err) return -1;
  char text[sizeof err->text];
  va_list ap;
  va_start(ap, fmt);
  int n = vsnprintf(text, sizeof text, fmt, ap);
  va_end(ap);
  size_t at = n < 0 ? 0 : (size_t)n;
  if (at < sizeof text - 1) {
    size_t left = sizeof text - at;
    const char *said = err->text[0] ? err->text : "";
    if (*said) {
      static const char colon[] = ": ";
      size_t c = left - 1 < sizeof colon - 1 ? left - 1 : sizeof colon - 1;
      memcpy(text + at, colon, c);
      at += c;
      size_t room = sizeof text - 1 - at;
      size_t m = strnlen(said, sizeof err->text);
      m = m < room ? m : room;
      memcpy(text + at, said, m);
      at += m;
    }
    text[at] = '\0';
  }
  keep_utf8(text);
  memcpy(err->text, text, sizeof text);
  return -1;
}

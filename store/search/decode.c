/* One pass over the text, without a parser, since it may be cut off anywhere. */
#include "store/search/decode.h"

#include <string.h>

#define REPLACEMENT 0xFFFD

struct decoding {
  const char *at, *end;
  struct ck_buf *out;
};

static bool is_cut(const struct decoding *d, size_t n) { return (size_t)(d->end - d->at) < n; }

/* Four hex digits; -1: there are others. */
static long read_hex(const char *s) {
  long code = 0;
  for (int i = 0; i < 4; ++i) {
    static const char digits[] = "0123456789abcdef";
    const char *digit =
        s[i] ? memchr(digits, s[i] >= 'A' && s[i] <= 'F' ? s[i] + 32 : s[i], 16) : NULL;
    if (!digit) return -1;
    code = code * 16 + (digit - digits);
  }
  return code;
}

/* After "\u". False: it is no JSON. */
static bool take_code(struct decoding *d) {
  if (is_cut(d, 4)) {
    d->at = d->end;
    return true;
  }
  long code = read_hex(d->at), low;
  if (code < 0) return false;
  d->at += 4;
  bool high = code >= 0xD800 && code < 0xDC00;
  if (high && !is_cut(d, 6) && d->at[0] == '\\' && d->at[1] == 'u' &&
      (low = read_hex(d->at + 2)) >= 0xDC00 && low < 0xE000) {
    code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    d->at += 6;
  }
  if (code == 0 || (code >= 0xD800 && code < 0xE000)) code = REPLACEMENT;
  ck_buf_utf8(d->out, (unsigned)code);
  return true;
}

/* After a backslash. */
static bool take_escape(struct decoding *d) {
  static const char names[] = "\"\\/bfnrt", stand_for[] = "\"\\/\b\f\n\r\t";
  if (d->at == d->end) return true;
  char c = *d->at++;
  const char *name = memchr(names, c, sizeof names - 1);
  if (c == 'u') return take_code(d);
  if (name) ck_buf_add(d->out, &stand_for[name - names], 1);
  return name != NULL;
}

/* After the quotation mark that opens it. */
static bool take_string(struct decoding *d) {
  while (d->at < d->end) {
    const char *from = d->at;
    while (d->at < d->end && *d->at != '"' && *d->at != '\\') ++d->at;
    ck_buf_add(d->out, from, (size_t)(d->at - from));
    if (d->at == d->end) return true;
    if (*d->at++ == '"') {
      ck_buf_text(d->out, "\"");
      return true;
    }
    if (!take_escape(d)) return false;
  }
  return true;
}

/* What stands between strings: marks, numbers, true, false, null. */
static bool take_other(struct decoding *d) {
  static const char others[] = "{}[]:, \t\r\n+-.0123456789eEtrufalsn";
  const char *from = d->at;
  while (d->at < d->end && memchr(others, *d->at, sizeof others - 1)) ++d->at;
  ck_buf_add(d->out, from, (size_t)(d->at - from));
  return d->at == d->end || *d->at == '"';
}

static bool take_all(struct decoding *d) {
  while (d->at < d->end) {
    if (!take_other(d)) return false;
    if (d->at == d->end) return true;
    ++d->at;
    ck_buf_text(d->out, "\"");
    if (!take_string(d)) return false;
  }
  return true;
}

static bool may_be_json(struct ck_str text) {
  struct ck_str inner = ck_trim(text);
  return inner.n && (*inner.s == '{' || *inner.s == '[') && memchr(inner.s, '\\', inner.n);
}

void search_decode(struct ck_buf *out, struct ck_str text) {
  size_t before = out->len;
  struct decoding d = {.at = text.s, .end = text.s + text.n, .out = out};
  if (may_be_json(text) && take_all(&d)) return;
  out->len = before;
  ck_buf_str(out, text);
}

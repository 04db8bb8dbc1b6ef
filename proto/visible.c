/* See visible.h. */
#include "proto/visible.h"

#include <wchar.h>

size_t ck_character(const char *p, size_t n) {
  if (n && (unsigned char)*p < 0x80) return 1;
  size_t most = n < 4 ? n : 4;
  for (size_t k = 1; k <= most; ++k)
    if (ck_utf8_ok((struct ck_str){p, k})) return k;
  return 0;
}

bool ck_is_control(const char *p, size_t n) {
  unsigned char a = (unsigned char)p[0], b = n > 1 ? (unsigned char)p[1] : 0;
  return n == 1 ? a < 0x20 || a == 0x7f : n == 2 && a == 0xC2 && b < 0xA0;
}

bool ck_is_mark(const char *p, size_t n) {
  unsigned char a = (unsigned char)p[0], b = n > 1 ? (unsigned char)p[1] : 0,
                c = n > 2 ? (unsigned char)p[2] : 0;
  if (n == 2) return a == 0xD8 && b == 0x9C;
  return n == 3 && a == 0xE2 &&
         ((b == 0x80 && (c == 0x8E || c == 0x8F || (c >= 0xA8 && c <= 0xAE))) ||
          (b == 0x81 && c >= 0xA6 && c <= 0xA9));
}

static void put_code(struct ck_buf *b, const char *p, size_t n) {
  const unsigned char *u = (const unsigned char *)p;
  unsigned code = n == 1   ? u[0]
                  : n == 2 ? (u[0] & 0x1Fu) << 6 | (u[1] & 0x3Fu)
                           : (u[0] & 0xFu) << 12 | (u[1] & 0x3Fu) << 6 | (u[2] & 0x3Fu);
  ck_buf_printf(b, "<U+%04X>", code);
}

static bool is_kept(const char *p, size_t n, bool marks) {
  if (n == 1) return *p == '\n' || *p == '\t' || !ck_is_control(p, n);
  return n && !ck_is_control(p, n) && !(marks && ck_is_mark(p, n));
}

void ck_visible_text(struct ck_buf *b, struct ck_str s, bool marks) {
  size_t from = 0;
  for (size_t i = 0, k; i < s.n; i += k ? k : 1) {
    k = ck_character(s.s + i, s.n - i);
    bool crlf = s.s[i] == '\r' && i + 1 < s.n && s.s[i + 1] == '\n';
    if (is_kept(s.s + i, k, marks)) continue;
    ck_buf_add(b, s.s + from, i - from);
    from = i + (k ? k : 1);
    if (k == 0)
      ck_buf_printf(b, "<%02X>", (unsigned char)s.s[i]);
    else if (!crlf)
      put_code(b, s.s + i, k);
  }
  ck_buf_add(b, s.s + from, s.n - from);
}

/* ---- width ---- */

static size_t character_width(const char *p, size_t n) {
  wchar_t wide;
  mbstate_t state = {0};
  size_t k = mbrtowc(&wide, p, n, &state);
  if (k == (size_t)-1 || k == (size_t)-2) return 1;
  int w = wcwidth(wide);
  return w < 0 ? 1 : (size_t)w;
}

size_t ck_text_width(struct ck_str s) {
  size_t width = 0;
  for (size_t i = 0; i < s.n;) {
    size_t k = ck_character(s.s + i, s.n - i);
    width += k ? character_width(s.s + i, k) : 1;
    i += k ? k : 1;
  }
  return width;
}

/* The longest prefix of s that is at most `width` columns wide. */
static struct ck_str cut(struct ck_str s, size_t width) {
  size_t taken = 0;
  for (size_t i = 0; i < s.n;) {
    size_t k = ck_character(s.s + i, s.n - i);
    taken += k ? character_width(s.s + i, k) : 1;
    if (taken > width) return (struct ck_str){s.s, i};
    i += k ? k : 1;
  }
  return s;
}

void ck_cut_text(struct ck_buf *b, struct ck_str s, size_t width) {
  bool fits = ck_text_width(s) <= width;
  ck_buf_str(b, fits ? s : cut(s, width > 1 ? width - 1 : 0));
  if (!fits) ck_buf_text(b, "…");
}

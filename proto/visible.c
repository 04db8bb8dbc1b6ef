/* See visible.h. */
#include "proto/visible.h"

#include <wchar.h>
#include <wctype.h>

bool ck_is_control(const char *p, size_t n) {
  unsigned char a = (unsigned char)p[0], b = n > 1 ? (unsigned char)p[1] : 0;
  return n == 1 ? a < 0x20 || a == 0x7f : n == 2 && a == 0xC2 && b < 0xA0;
}

bool ck_is_mark(const char *p, size_t n) {
  static const struct {
    uint32_t from, to;
  } ranges[] = {{0x61C, 0x61C},   {0x200E, 0x200F}, {0x2028, 0x202E},
                {0x2066, 0x206F}, {0xFEFF, 0xFEFF}, {0xFFF9, 0xFFFB}};
  unsigned c = ck_character_code(p, n);
  for (size_t i = 0; i < sizeof ranges / sizeof *ranges; ++i)
    if (c >= ranges[i].from && c <= ranges[i].to) return true;
  return false;
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
      ck_buf_printf(b, "<U+%04X>", ck_character_code(s.s + i, k));
  }
  ck_buf_add(b, s.s + from, s.n - from);
}

/* ---- what is seen as one character ---- */

#define JOINER 0x200D

static size_t code_width(unsigned code) {
  int w = wcwidth((wchar_t)code);
  return w < 0 ? 1 : (size_t)w;
}

static bool is_half_flag(unsigned code) { return code >= 0x1F1E6 && code <= 0x1F1FF; }

static bool is_skin_tone(unsigned code) { return code >= 0x1F3FB && code <= 0x1F3FF; }

/* Never seen by itself: accents and vowels, variation selectors, the frame of a key. */
static bool is_mark_of(unsigned code) {
  return code_width(code) == 0 || is_skin_tone(code) || iswctype((wint_t)code, wctype("combining"));
}

/* Joiners join emoji; between letters they only change the letters' forms. What is shown by its
 * code stands by itself. */
static bool goes_on(unsigned before, const char *p, size_t n, bool half_flag) {
  unsigned code = ck_character_code(p, n);
  if (before <= ' ' || ck_is_mark(p, n)) return false;
  if (half_flag && is_half_flag(code)) return true;
  return is_mark_of(code) || (before == JOINER && !iswalnum((wint_t)code) && code > 0x2000);
}

size_t ck_visible_character(const char *p, size_t n) {
  size_t i = ck_character(p, n);
  if (i == 0) return 1;
  unsigned before = ck_character_code(p, i);
  bool half_flag = is_half_flag(before);
  for (size_t k; i < n && (k = ck_character(p + i, n - i)) > 0; i += k) {
    if (!goes_on(before, p + i, k, half_flag)) break;
    half_flag = false;
    before = ck_character_code(p + i, k);
  }
  return i;
}

/* ---- width ---- */

static size_t character_width(const char *p, size_t n) {
  return code_width(ck_character_code(p, n));
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
  for (size_t i = 0, k; i < s.n; i += k) {
    k = ck_visible_character(s.s + i, s.n - i);
    taken += ck_text_width((struct ck_str){s.s + i, k});
    if (taken > width) return (struct ck_str){s.s, i};
  }
  return s;
}

void ck_cut_text(struct ck_buf *b, struct ck_str s, size_t width) {
  bool fits = ck_text_width(s) <= width;
  ck_buf_str(b, fits ? s : cut(s, width > 1 ? width - 1 : 0));
  if (!fits) ck_buf_text(b, "…");
}

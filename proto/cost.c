/* See cost.h. */
#include "proto/cost.h"

#define DECIMALS 6

/* The digits at the beginning of s, at most `most`; -1: there is none, or there are more. */
static int64_t take_digits(struct ck_str *s, size_t most) {
  int64_t n = 0;
  size_t i = 0;
  for (; i < s->n && s->s[i] >= '0' && s->s[i] <= '9'; i++) {
    if (i == most) return -1;
    n = n * 10 + (s->s[i] - '0');
  }
  *s = (struct ck_str){s->s + i, s->n - i};
  return i ? n : -1;
}

int ck_cost_parse(struct ck_str text, int64_t *millionths, struct ck_err *err) {
  struct ck_str s = text;
  int64_t whole = take_digits(&s, 7), part = 0;
  if (whole >= 0 && s.n && s.s[0] == '.') {
    s = (struct ck_str){s.s + 1, s.n - 1};
    size_t before = s.n;
    part = take_digits(&s, DECIMALS);
    for (size_t i = before - s.n; part > 0 && i < DECIMALS; i++) part *= 10;
  }
  *millionths = whole * CK_COST_ONE + part;
  if (whole >= 0 && part >= 0 && !s.n && *millionths <= CK_COST_MAX) return 0;
  return ck_fail(err, "must be a number from 0 to %lld, with up to %d decimals, not %.*s",
                 (long long)(CK_COST_MAX / CK_COST_ONE), DECIMALS, (int)ck_utf8_cut(text, 60).n,
                 text.s);
}

int64_t ck_cost_of(double cost) {
  if (!(cost > 0)) return 0;
  double millionths = cost * (double)CK_COST_ONE;
  return millionths >= (double)CK_COST_MAX ? CK_COST_MAX : (int64_t)(millionths + 0.5);
}

void ck_cost_text(struct ck_buf *b, int64_t millionths) {
  int decimals = DECIMALS;
  int64_t part = millionths % CK_COST_ONE;
  for (; decimals && part % 10 == 0; part /= 10) decimals--;
  ck_buf_printf(b, "%lld", (long long)(millionths / CK_COST_ONE));
  if (decimals) ck_buf_printf(b, ".%0*lld", decimals, (long long)part);
}

/* Optimal string alignment: three rows of the usual table are enough. */
#include "proto/near.h"

#include <string.h>

#include "proto/words.h"

#define LETTERS 64
#define BEGINNING_LEAST 3

struct letters {
  uint32_t c[LETTERS];
  size_t n;
};

/* The next character, or a byte that is none. */
static uint32_t letter_at(struct ck_str s, size_t *at) {
  size_t k = ck_character(s.s + *at, s.n - *at);
  uint32_t c = 0;
  memcpy(&c, s.s + *at, k ? k : 1);
  *at += k ? k : 1;
  return c;
}

static void spell(struct letters *l, struct ck_str s) {
  struct ck_buf lower = {0};
  ck_buf_lower(&lower, s);
  for (size_t at = 0; at < lower.len && l->n < LETTERS; ++l->n) {
    uint32_t c = letter_at(ck_buf_view(&lower), &at);
    l->c[l->n] = c == '_' ? '-' : c;
  }
  ck_buf_free(&lower);
}

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

static size_t distance(const struct letters *a, const struct letters *b) {
  size_t rows[3][LETTERS + 1], *before = rows[0], *last = rows[1], *now = rows[2];
  for (size_t j = 0; j <= b->n; ++j) last[j] = j;
  for (size_t i = 1; i <= a->n; ++i) {
    now[0] = i;
    for (size_t j = 1; j <= b->n; ++j) {
      bool same = a->c[i - 1] == b->c[j - 1];
      now[j] = least(least(last[j], now[j - 1]) + 1, last[j - 1] + !same);
      bool exchanged = i > 1 && j > 1 && a->c[i - 1] == b->c[j - 2] && a->c[i - 2] == b->c[j - 1];
      if (exchanged) now[j] = least(now[j], before[j - 2] + 1);
    }
    size_t *free_row = before;
    before = last;
    last = now;
    now = free_row;
  }
  return last[b->n];
}

size_t ck_near_distance(struct ck_str a, struct ck_str b) {
  struct letters x = {.n = 0}, y = {.n = 0};
  spell(&x, a);
  spell(&y, b);
  return distance(&x, &y);
}

struct ck_near ck_near_to(struct ck_str written) {
  return (struct ck_near){.written = written};
}

static bool begins(const struct letters *whole, const struct letters *part) {
  return part->n >= BEGINNING_LEAST && part->n < whole->n &&
         memcmp(whole->c, part->c, part->n * sizeof *part->c) == 0;
}

void ck_near_try(struct ck_near *n, struct ck_str word) {
  struct letters written = {.n = 0}, other = {.n = 0};
  if (word.n == 0) return;
  spell(&written, n->written);
  spell(&other, word);
  bool beginning = begins(&other, &written);
  size_t d = beginning ? 1 : distance(&written, &other),
         most = (written.n > other.n ? written.n : other.n) / 3;
  if (!beginning && d > most) return;
  if (n->best.n && d >= n->distance) return;
  n->best = word;
  n->distance = d;
}

void ck_near_try_all(struct ck_near *n, const char *choices) {
  for (const char *p = choices; *p;) {
    size_t k = strcspn(p, "|");
    ck_near_try(n, (struct ck_str){p, k});
    p += p[k] ? k + 1 : k;
  }
}

void ck_near_text(struct ck_buf *b, const struct ck_near *n, const char *before) {
  if (!n->best.n) return;
  ck_buf_printf(b, "; did you mean %s", before);
  ck_buf_str(b, n->best);
  ck_buf_text(b, "?");
}

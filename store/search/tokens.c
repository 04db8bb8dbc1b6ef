/* One walk over the text. A word is collected and then given with its parts; of a run only the
 * character before is kept. */
#include "store/search/tokens.h"

#include <stdio.h>
#include <stdlib.h>

#include "store/search/letters.h"

/* A word with more parts is only given whole, and so is one with more borders of letters and digits
 * if one of its parts is a single letter: hashes and encoded bytes would fill the index. Of a word
 * that is given in parts, any of them together, asked alone, are given in the same ones. */
#define PARTS_MAX 8
#define DIGIT_BORDERS_MAX 2

struct border {
  size_t folded, at; /* where the part begins: in the folded word, and in the text */
};

struct word {
  char folded[SEARCH_WORD_MAX];
  size_t n;
  size_t from, to;                  /* in the text */
  struct border borders[PARTS_MAX]; /* of as many as there is room for */
  size_t border_count, digit_borders;
  bool cut;             /* longer than a token */
  struct letter before; /* the last two letters, and where the last one is */
  bool upper_twice;
  size_t before_folded, before_at;
};

/* A character of a run that waits for the next one. */
struct held {
  unsigned code; /* 0: none */
  size_t from, to;
};

struct walk {
  search_token_fn *fn;
  void *self;
  struct word word;
  struct held held;
  int rc;
};

static void give(struct walk *w, struct search_token t) {
  if (w->rc == 0) w->rc = w->fn(w->self, &t);
}

/* ---- words ---- */

static void add_border(struct word *d, size_t folded, size_t at, bool digit) {
  if (d->border_count < PARTS_MAX) d->borders[d->border_count] = (struct border){folded, at};
  d->border_count++;
  d->digit_borders += digit;
}

/* A part begins with an upper case letter after a lower case one, with the last of several upper
 * case letters if a lower case one follows, and where digits begin or end. */
static void find_border(struct word *d, const struct letter *l, size_t at) {
  const struct letter *b = &d->before;
  if (d->n == 0) return;
  if (l->digit != b->digit)
    add_border(d, d->n, at, true);
  else if (l->upper && !b->upper)
    add_border(d, d->n, at, false);
  else if (!l->upper && !l->digit && d->upper_twice)
    add_border(d, d->before_folded, d->before_at, false);
}

static void add_letter(struct word *d, const struct letter *l, size_t from, size_t to) {
  if (d->n == 0) d->from = from;
  d->to = to;
  if (d->cut || d->n + l->n > SEARCH_WORD_MAX) {
    d->cut = true;
    return;
  }
  find_border(d, l, from);
  d->upper_twice = d->n && l->upper && d->before.upper;
  d->before = *l;
  d->before_folded = d->n;
  d->before_at = from;
  memcpy(d->folded + d->n, l->folded, l->n);
  d->n += l->n;
}

static bool is_lone_letter(const struct word *d, size_t from, size_t to) {
  bool digit = d->folded[from] >= '0' && d->folded[from] <= '9';
  return !digit && ck_character(d->folded + from, to - from) == to - from;
}

static bool has_lone_letter(const struct word *d) {
  size_t from = 0;
  for (size_t i = 0; i < d->border_count; from = d->borders[i++].folded)
    if (is_lone_letter(d, from, d->borders[i].folded)) return true;
  return is_lone_letter(d, from, d->n);
}

static size_t count_parts(const struct word *d) {
  if (d->cut || d->border_count >= PARTS_MAX) return 1;
  if (d->digit_borders > DIGIT_BORDERS_MAX && has_lone_letter(d)) return 1;
  return d->border_count + 1;
}

static void give_part(struct walk *w, struct border from, struct border to, bool beside) {
  struct ck_str text = {w->word.folded + from.folded, to.folded - from.folded};
  give(w, (struct search_token){.text = text, .from = from.at, .to = to.at, .beside = beside});
}

/* The word from a part on, at the place of the last one. */
static void give_joined(struct walk *w, struct border from) {
  struct word *d = &w->word;
  char text[SEARCH_TOKEN_MAX] = {SEARCH_JOINED};
  size_t n = d->n - from.folded;
  memcpy(text + 1, d->folded + from.folded, n);
  give(w,
       (struct search_token){.text = {text, n + 1}, .from = from.at, .to = d->to, .beside = true});
}

static void end_word(struct walk *w) {
  struct word *d = &w->word;
  if (d->n == 0) return;
  size_t parts = count_parts(d);
  struct border begin = {0, d->from}, end = {d->n, d->to}, at = begin;
  for (size_t i = 0; i < parts; ++i) {
    bool last = i + 1 == parts;
    struct border next = last ? end : d->borders[i];
    give_part(w, at, next, false);
    if (!last) give_part(w, at, end, true);
    at = next;
  }
  for (size_t i = 0; i + 1 < parts; ++i) give_joined(w, i ? d->borders[i - 1] : begin);
  d->n = d->border_count = d->digit_borders = 0;
  d->cut = d->upper_twice = false;
}

/* ---- runs ---- */

static void give_run(struct walk *w, const unsigned *codes, size_t n, size_t from, size_t to) {
  char folded[2 * 4];
  struct search_token t = {
      .text = {folded, 0}, .from = from, .to = to, .run = true, .last = n == 1};
  for (size_t i = 0; i < n; ++i) t.text.n += ck_utf8_write(folded + t.text.n, codes[i]);
  give(w, t);
}

static void end_run(struct walk *w) {
  if (w->held.code) give_run(w, &w->held.code, 1, w->held.from, w->held.to);
  w->held.code = 0;
}

static void add_to_run(struct walk *w, unsigned code, size_t from, size_t to) {
  struct held *h = &w->held;
  if (h->code) give_run(w, (unsigned[]){h->code, code}, 2, h->from, to);
  *h = (struct held){code, from, to};
}

/* ---- the walk ---- */

/* The next character, with all that it is written with: a Hangul syllable's parts, a voice mark. */
static unsigned next_character(struct ck_str text, size_t *at) {
  const unsigned char *s = (const unsigned char *)text.s + *at;
  bool plain = *s < 0x80 && (*at + 1 == text.n || s[1] < 0x80); /* most are */
  if (plain) return ++*at, *s;
  unsigned code = letter_wide(letters_next(text, at));
  for (size_t after = *at; after < text.n;) {
    unsigned joined = letter_joined(code, letter_wide(letters_next(text, &after)));
    if (!joined) break;
    code = joined;
    *at = after;
  }
  return code;
}

static void take(struct walk *w, unsigned code, size_t from, size_t to) {
  enum letter_kind kind = letter_kind_of(code);
  if (kind == LETTER_SKIPPED) {
    w->word.to = w->held.to = to;
    return;
  }
  if (kind != LETTER_RUN) end_run(w);
  if (kind != LETTER_WORD) end_word(w);
  if (kind == LETTER_RUN) add_to_run(w, code, from, to);
  if (kind != LETTER_WORD) return;
  struct letter l = letter_of(code);
  add_letter(&w->word, &l, from, to);
}

int search_tokens_ready(struct ck_err *err) { return letters_ready(err); }

static void need_letters(void) {
  struct ck_err err;
  if (letters_ready(&err) == 0) return;
  fprintf(stderr, "%s\n", err.text);
  exit(1);
}

int search_tokens(struct ck_str text, search_token_fn *fn, void *self) {
  struct walk w = {.fn = fn, .self = self};
  need_letters();
  for (size_t at = 0; at < text.n && w.rc == 0;) {
    size_t from = at;
    unsigned code = next_character(text, &at);
    take(&w, code, from, at);
  }
  end_run(&w);
  end_word(&w);
  return w.rc;
}

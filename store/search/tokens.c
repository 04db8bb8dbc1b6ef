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
  for (size_t i = 0; i < n; ++i) {
    struct letter l = letter_of(codes[i]);
    memcpy(folded + t.text.n, l.folded, l.n);
    t.text.n += l.n;
  }
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
  struct letter l = letter_of(code);
  if (l.kind == LETTER_SKIPPED) {
    w->word.to = w->held.to = to;
    return;
  }
  if (l.kind != LETTER_RUN) end_run(w);
  if (l.kind != LETTER_WORD) end_word(w);
  if (l.kind == LETTER_WORD) add_letter(&w->word, &l, from, to);
  if (l.kind == LETTER_RUN) add_to_run(w, code, from, to);
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

/* ---- asking for a text ---- */

/* So many words of a phrase may be names that the text has in parts. */
#define JOINED_MAX 8

/* The ways in which a text may stand in the index: with its words in parts, and whole. */
struct phrase {
  struct ck_buf parts, whole;
  size_t count;             /* tokens of parts */
  size_t whole_at;          /* where the last token of `whole` begins */
  size_t whole_upto;        /* the end of the word in the text that is in `whole` */
  bool split;               /* they differ */
  size_t end_at;            /* where the last token of `parts` begins */
  bool pair, alone;         /* it is two characters of a run; the last character of a run */
  bool after_pair;          /* the one before it is two characters of the same run */
  size_t words[JOINED_MAX]; /* where the first words of `whole` begin */
  size_t word_count;
};

static size_t add_token(struct ck_buf *b, struct ck_str token) {
  if (b->len) ck_buf_text(b, " ");
  size_t at = b->len;
  ck_buf_str(b, token);
  return at;
}

static int add_to_phrase(void *self, const struct search_token *t) {
  struct phrase *p = self;
  if (t->beside) {
    if (t->from < p->whole_upto) return 0;
    p->split = true;
    p->whole.len = p->whole_at;
    ck_buf_str(&p->whole, t->text);
    p->whole_upto = t->to;
    return 0;
  }
  if (p->count++ == SEARCH_PHRASE_MAX) return 1;
  p->end_at = add_token(&p->parts, t->text);
  p->after_pair = p->pair;
  p->pair = t->run && !t->last;
  p->alone = t->last;
  if (t->from < p->whole_upto) return 0;
  p->whole_at = add_token(&p->whole, t->text);
  if (!t->run && p->word_count < JOINED_MAX) p->words[p->word_count++] = p->whole_at;
  return 0;
}

/* In the text that is looked for, the run may go on: its last character is in the pair before it,
 * or begins a pair. */
static bool open_run(struct phrase *p) {
  if (!p->alone || !p->after_pair) return p->alone;
  p->parts.len = p->end_at - 1;
  p->whole.len = p->whole_at - 1;
  return false;
}

static void add_phrase(struct ck_buf *match, const char *before, struct ck_str tokens,
                       bool prefix) {
  ck_buf_printf(match, "\"%s", before);
  ck_buf_str(match, tokens);
  ck_buf_text(match, prefix ? "\"*" : "\"");
}

/* From a word to the next one, or to the end: `"user found"`; joined: `".user found"`. */
static void add_neighbours(struct ck_buf *match, const struct phrase *p, size_t i, bool joined,
                           bool prefix) {
  static const char mark[] = {SEARCH_JOINED, '\0'};
  struct ck_str whole = ck_buf_view(&p->whole);
  bool last = i + 1 == p->word_count;
  size_t from = p->words[i], to = whole.n;
  const char *blank = last ? NULL : memchr(whole.s + p->words[i + 1], ' ', to - p->words[i + 1]);
  if (blank) to = (size_t)(blank - whole.s);
  add_phrase(match, joined ? mark : "", (struct ck_str){whole.s + from, to - from},
             prefix && to == whole.n);
}

/* Some of the words may be names in parts: one is, and all neighbours are in the text. */
static void add_joined(struct ck_buf *match, const struct phrase *p, bool prefix) {
  ck_buf_text(match, " OR ((");
  for (size_t i = 0; i < p->word_count; ++i) {
    if (i) ck_buf_text(match, " OR ");
    add_neighbours(match, p, i, true, prefix);
  }
  ck_buf_text(match, ")");
  if (p->words[0]) {
    const char *blank = memchr(p->whole.data + p->words[0], ' ', p->whole.len - p->words[0]);
    ck_buf_text(match, " AND ");
    add_phrase(match, "", (struct ck_str){p->whole.data, (size_t)(blank - p->whole.data)}, false);
  }
  for (size_t i = 0; i < p->word_count && p->word_count > 1; ++i) {
    ck_buf_text(match, " AND (");
    add_neighbours(match, p, i, false, prefix);
    ck_buf_text(match, " OR ");
    add_neighbours(match, p, i, true, prefix);
    ck_buf_text(match, ")");
  }
  ck_buf_text(match, ")");
}

/* Reads the text. Returns whether the last word may go on. */
static bool make_phrase(struct phrase *p, struct ck_str text, bool prefix) {
  search_tokens(text, add_to_phrase, p);
  if (p->count && p->count <= SEARCH_PHRASE_MAX) prefix |= open_run(p);
  /* Nothing follows the last word. */
  if (p->word_count && p->words[p->word_count - 1] == p->whole_at) p->word_count--;
  return prefix;
}

static bool add_match(struct ck_buf *match, struct ck_str text, bool prefix, bool joined) {
  struct phrase p = {0};
  prefix = make_phrase(&p, text, prefix);
  joined &= p.word_count > 0;
  if (p.split || joined) ck_buf_text(match, "(");
  if (p.count) add_phrase(match, "", ck_buf_view(&p.parts), prefix);
  if (p.split) {
    ck_buf_text(match, " OR ");
    add_phrase(match, "", ck_buf_view(&p.whole), prefix);
  }
  if (joined) add_joined(match, &p, prefix);
  if (p.split || joined) ck_buf_text(match, ")");
  ck_buf_free(&p.parts);
  ck_buf_free(&p.whole);
  return p.count > 0;
}

bool search_match(struct ck_buf *match, struct ck_str text, bool prefix) {
  return add_match(match, text, prefix, true);
}

bool search_phrases(struct ck_buf *out, struct ck_str text, bool prefix) {
  return add_match(out, text, prefix, false);
}

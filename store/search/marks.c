/* Each phrase of what FTS5 would be asked is compared with the last tokens of the text whenever its
 * own last token comes; see marks.h. */
#include "store/search/marks.h"

#include <stdlib.h>
#include <string.h>

#include "store/search/match.h"
#include "store/search/tokens.h"

/* Tokens that must stand one after another. */
struct phrase {
  unsigned term, columns;
  bool prefix;           /* the last token may go on */
  struct ck_str *tokens; /* views into marks.texts */
  size_t count;
};

#define RUN_BITS 1024

/* A term is one phrase; or two, with a word's parts and with the whole word. */
struct search_marks {
  struct phrase *phrases;
  size_t count;
  uint64_t runs[RUN_BITS / 64]; /* how pieces of runs begin that are in a phrase */
  unsigned wanted[SEARCH_COLUMNS];
  struct ck_arena texts;
};

/* ---- the phrases of a query ---- */

/* Every character of a run has three bytes or four. */
static unsigned bit_of_run(const char *s) {
  const unsigned char *b = (const unsigned char *)s;
  return (b[0] * 7u + b[1] * 64u + b[2] * 5u) % RUN_BITS;
}

static void note_run(struct search_marks *m, struct ck_str token) {
  unsigned bit = token.n < 3 ? 0 : bit_of_run(token.s);
  if (token.n >= 3) m->runs[bit / 64] |= UINT64_C(1) << bit % 64;
}

/* Reads "a b c", which s begins with, and the star after it. Returns what follows. */
static struct ck_str take_phrase(struct search_marks *m, struct ck_str s, struct phrase *p) {
  const char *end = memchr(s.s + 1, '"', s.n - 1);
  size_t n = (size_t)(end - s.s) - 1;
  char *text = ck_arena_get(&m->texts, n);
  memcpy(text, s.s + 1, n);
  p->tokens = ck_arena_get(&m->texts, (n / 2 + 1) * sizeof *p->tokens);
  for (size_t at = 0; at < n;) {
    const char *blank = memchr(text + at, ' ', n - at);
    size_t length = blank ? (size_t)(blank - text) - at : n - at;
    note_run(m, (struct ck_str){text + at, length});
    p->tokens[p->count++] = (struct ck_str){text + at, length};
    at += length + 1;
  }
  p->prefix = s.n > n + 2 && s.s[n + 2] == '*';
  return (struct ck_str){s.s + n + 2, s.n - n - 2};
}

/* The tokens that FTS5 is asked for, so that what is marked is what it finds. */
static void add_term(struct search_marks *m, const struct search_term *t, unsigned number) {
  struct ck_buf asked = {0};
  search_phrases(&asked, t->text, t->kind == SEARCH_PREFIX);
  for (struct ck_str s = ck_buf_view(&asked); s.n;) {
    if (*s.s != '"') {
      s = (struct ck_str){s.s + 1, s.n - 1};
      continue;
    }
    struct phrase p = {.term = number, .columns = t->columns};
    s = take_phrase(m, s, &p);
    m->phrases = ck_realloc(m->phrases, (m->count + 1) * sizeof *m->phrases);
    m->phrases[m->count++] = p;
  }
  for (int c = 0; c < SEARCH_COLUMNS; ++c)
    if (asked.len && (t->columns & SEARCH_IN(c))) m->wanted[c]++;
  ck_buf_free(&asked);
}

struct search_marks *search_marks_of(const struct search_query *q, uint64_t terms) {
  struct search_marks *m = ck_zalloc(sizeof *m);
  for (size_t i = 0; i < q->term_count; ++i)
    if (terms >> i & 1) add_term(m, &q->terms[i], (unsigned)i);
  return m;
}

struct search_marks *search_marks_new(const struct search_query *q) {
  uint64_t terms = 0;
  for (size_t i = 0; i < q->term_count; ++i) terms |= (uint64_t)!q->terms[i].negated << i;
  return search_marks_of(q, terms);
}

void search_marks_free(struct search_marks **marks) {
  struct search_marks *m = *marks;
  if (!m) return;
  free(m->phrases);
  ck_arena_free(&m->texts);
  free(m);
  *marks = NULL;
}

unsigned search_marks_wanted(const struct search_marks *m, enum search_column column) {
  return m->wanted[column];
}

/* ---- finding them ---- */

/* As many as a phrase can have, each with what stands beside it. */
#define RING (3 * SEARCH_PHRASE_MAX)

struct seen {
  char text[SEARCH_TOKEN_MAX];
  size_t n, from;
  size_t place, first; /* first: the place of its first part, if it is joined; else `place` */
};

struct finder {
  const struct search_marks *m;
  struct ck_str text;
  unsigned column;
  search_mark_taker *take;
  void *self;
  struct seen ring[RING];
  size_t count; /* of tokens; the last is ring[(count - 1) % RING] */
  size_t place; /* of the last one; from 1 */
};

/* As it is, or with its parts joined. */
static bool is_token(const struct seen *s, struct ck_str asked) {
  size_t joined = s->n && s->text[0] == SEARCH_JOINED;
  return s->n == asked.n + joined && memcmp(s->text + joined, asked.s, asked.n) == 0;
}

/* The token of the text at this place that is the one asked for; NULL: there is none. */
static const struct seen *seen_at(const struct finder *f, size_t place, struct ck_str asked) {
  for (size_t i = f->count; i > 0 && f->count - i < RING; --i) {
    const struct seen *s = &f->ring[(i - 1) % RING];
    if (s->place < place) break;
    if (s->place == place && is_token(s, asked)) return s;
  }
  return NULL;
}

/* The place of the part that begins at this byte. */
static size_t place_of_part(const struct finder *f, size_t from) {
  for (size_t i = f->count; i > 0 && f->count - i < RING; --i)
    if (f->ring[(i - 1) % RING].from == from) return f->ring[(i - 1) % RING].first;
  return f->place;
}

static bool is_last(const struct phrase *p, struct ck_str token) {
  struct ck_str asked = p->tokens[p->count - 1];
  return (p->prefix ? token.n >= asked.n : token.n == asked.n) &&
         memcmp(token.s, asked.s, asked.n) == 0;
}

/* One character of a run is asked for as the beginning of two: only it is marked. */
static size_t end_of(const struct finder *f, const struct phrase *p, const struct search_token *t) {
  struct ck_str asked = p->tokens[p->count - 1];
  bool half =
      p->prefix && t->run && t->text.n > asked.n && ck_character(asked.s, asked.n) == asked.n;
  return half ? t->from + ck_character(f->text.s + t->from, t->to - t->from) : t->to;
}

/* Whether the phrase ends with the last token, t. */
static bool ends_here(const struct finder *f, const struct phrase *p, const struct search_token *t,
                      struct search_mark *mark) {
  if (!(p->columns & f->column) || f->place < p->count || !is_last(p, t->text)) return false;
  size_t from = t->from, place = f->place;
  for (size_t i = p->count - 1; i > 0; --i) {
    const struct seen *s = seen_at(f, place - 1, p->tokens[i - 1]);
    if (!s) return false;
    from = s->from;
    place = s->first;
  }
  *mark = (struct search_mark){from, end_of(f, p, t), p->term};
  return true;
}

/* Most pieces of runs are in no phrase. */
static bool is_other(const struct search_marks *m, const struct search_token *t) {
  unsigned bit = t->run ? bit_of_run(t->text.s) : 0;
  return t->run && !(m->runs[bit / 64] >> bit % 64 & 1);
}

static int take_token(void *self, const struct search_token *t) {
  struct finder *f = self;
  if (!t->beside) f->place++;
  if (is_other(f->m, t)) return 0;
  size_t first = *t->text.s == SEARCH_JOINED ? place_of_part(f, t->from) : f->place;
  struct seen *s = &f->ring[f->count++ % RING];
  *s = (struct seen){.n = t->text.n, .from = t->from, .place = f->place, .first = first};
  memcpy(s->text, t->text.s, t->text.n);
  for (size_t i = 0; i < f->m->count; ++i) {
    struct search_mark mark;
    if (ends_here(f, &f->m->phrases[i], t, &mark) && !f->take(f->self, &mark)) return 1;
  }
  return 0;
}

void search_marks_find(const struct search_marks *m, struct ck_str text, enum search_column column,
                       search_mark_taker *take, void *self) {
  struct finder f = {.m = m, .text = text, .column = SEARCH_IN(column), .take = take, .self = self};
  if (m->wanted[column]) search_tokens(text, take_token, &f);
}

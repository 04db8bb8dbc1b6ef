/* One walk over the marks finds the place, then the text around it is written; see snippet.h.
 * Characters are code points. */
#include "store/search/snippet.h"

/* How far an end moves to be between two words, in characters. */
#define ALIGN 20

/* A mark with its place in characters. */
struct found {
  struct search_mark mark;
  size_t from, to;
};

/* The best place so far, while the marks come. */
struct place {
  struct ck_str text;
  unsigned wanted;                        /* terms */
  size_t byte, character;                 /* how far characters have been counted */
  struct found recent[SEARCH_RANGES_MAX]; /* the last ones that may be seen together */
  size_t recent_count;
  unsigned terms;                              /* different ones at the best place */
  struct found first;                          /* of them */
  size_t last;                                 /* the byte where they end */
  struct search_mark marks[SEARCH_RANGES_MAX]; /* that will be seen */
  size_t mark_count;
};

static size_t characters(struct ck_str s) {
  size_t n = 0;
  for (size_t i = 0; i < s.n; ++i) n += (s.s[i] & 0xC0) != 0x80;
  return n;
}

static struct ck_str part(struct ck_str text, size_t from, size_t to) {
  return (struct ck_str){text.s + from, to - from};
}

/* The byte after the character at `at`, or before it the one where it begins. */
static size_t after(struct ck_str text, size_t at) {
  do ++at;
  while (at < text.n && (text.s[at] & 0xC0) == 0x80);
  return at;
}

static size_t before(struct ck_str text, size_t at) {
  do --at;
  while (at > 0 && (text.s[at] & 0xC0) == 0x80);
  return at;
}

/* ---- the place ---- */

static struct found locate(struct place *p, const struct search_mark *mark) {
  if (mark->to >= p->byte)
    p->character += characters(part(p->text, p->byte, mark->to));
  else
    p->character -= characters(part(p->text, mark->to, p->byte));
  p->byte = mark->to;
  size_t length = characters(part(p->text, mark->from, mark->to));
  return (struct found){*mark, p->character - length, p->character};
}

static void keep(struct place *p, const struct found *f) {
  size_t gone = 0;
  while (gone < p->recent_count && p->recent[gone].to + 2 * SEARCH_SNIPPET < f->to) ++gone;
  if (gone == 0 && p->recent_count == SEARCH_RANGES_MAX) gone = 1;
  p->recent_count -= gone;
  memmove(p->recent, p->recent + gone, p->recent_count * sizeof *p->recent);
  p->recent[p->recent_count++] = *f;
}

/* The marks that fit on a snippet which ends with the last one: is there a better place? */
static void weigh(struct place *p, const struct found *last) {
  uint64_t seen = 0;
  const struct found *first = last;
  for (size_t i = 0; i < p->recent_count; ++i) {
    const struct found *f = &p->recent[i];
    if (f->from + SEARCH_SNIPPET < last->to) continue;
    seen |= UINT64_C(1) << f->mark.term;
    if (f->from < first->from) first = f;
  }
  unsigned terms = (unsigned)__builtin_popcountll(seen);
  if (terms <= p->terms) return;
  p->terms = terms;
  p->first = *first;
  p->last = last->mark.to;
  p->mark_count = 0;
  for (size_t i = 0; i + 1 < p->recent_count; ++i) p->marks[p->mark_count++] = p->recent[i].mark;
}

/* The first place with all the terms is taken. */
static bool take_mark(void *self, const struct search_mark *mark) {
  struct place *p = self;
  struct found f = locate(p, mark);
  if (p->terms == p->wanted && f.from > p->first.from + SEARCH_SNIPPET) return false;
  keep(p, &f);
  weigh(p, &f);
  if (p->mark_count < SEARCH_RANGES_MAX && f.from < p->first.from + SEARCH_SNIPPET)
    p->marks[p->mark_count++] = *mark;
  return true;
}

/* ---- the text around it ---- */

struct cut {
  size_t from, to; /* bytes */
};

static size_t space_at(struct ck_str text, size_t at) {
  return ck_space_at(part(text, at, text.n));
}

/* Where the snippet begins: a third of what is left is before the marks, or more if the text ends
 * soon after them. */
static size_t begin(const struct place *p) {
  size_t at = p->first.mark.from, core = 0, rest = 0, lead;
  if (p->terms == 0) return 0;
  for (size_t i = at; i < p->text.n && rest < SEARCH_SNIPPET; i = after(p->text, i)) {
    core += i < p->last;
    ++rest;
  }
  lead = (SEARCH_SNIPPET - core) / 3;
  if (lead < SEARCH_SNIPPET - rest) lead = SEARCH_SNIPPET - rest;
  for (; at > 0 && lead > 0; --lead) at = before(p->text, at);
  if (at == 0 || space_at(p->text, before(p->text, at))) return at;
  size_t word = at;
  for (int i = 0; i < ALIGN && word < p->first.mark.from; ++i, word = after(p->text, word))
    if (space_at(p->text, word)) return word;
  return at;
}

/* Where it ends: not within a word, if a blank is near and after the marks. */
static size_t end(const struct place *p, size_t from) {
  size_t at = from, blank = 0, since = 0;
  bool in_blank = true;
  for (size_t n = 0; at < p->text.n && n < SEARCH_SNIPPET; ++since) {
    size_t space = space_at(p->text, at);
    if (space && !in_blank) {
      blank = at;
      since = 0;
    }
    n += !space || !in_blank;
    in_blank = space > 0;
    at = space ? at + space : after(p->text, at);
  }
  bool whole = at == p->text.n || space_at(p->text, at);
  return !whole && blank > p->last && since <= ALIGN ? blank : at;
}

static bool is_marked(const struct place *p, size_t at) {
  for (size_t i = 0; i < p->mark_count; ++i)
    if (p->marks[i].from <= at && at < p->marks[i].to) return true;
  return false;
}

/* What is being written. */
struct writer {
  struct search_snippet *s;
  uint32_t characters;
  bool marked; /* the last one is */
};

static void put(struct writer *w, struct ck_str character, bool marked) {
  struct search_snippet *s = w->s;
  bool opens = marked && !w->marked && s->range_count < SEARCH_RANGES_MAX;
  ck_buf_str(&s->text, character);
  if (opens) s->ranges[s->range_count++].from = w->characters;
  w->characters++;
  if (marked && (opens || w->marked)) s->ranges[s->range_count - 1].to = w->characters;
  w->marked = marked && (opens || w->marked);
}

static void write_text(struct writer *w, const struct place *p, struct cut cut) {
  size_t blank = SIZE_MAX; /* where white space began that is not written yet */
  bool any = false;
  for (size_t at = cut.from, next; at < cut.to; at = next) {
    size_t space = space_at(p->text, at);
    next = space ? at + space : after(p->text, at);
    if (space) {
      if (blank == SIZE_MAX) blank = at;
      continue;
    }
    if (blank != SIZE_MAX && any) put(w, CK_LIT(" "), is_marked(p, blank));
    blank = SIZE_MAX;
    any = true;
    put(w, part(p->text, at, next), is_marked(p, at));
  }
}

void search_snippet_make(struct search_snippet *s, const struct search_marks *m, struct ck_str text,
                         enum search_column column) {
  struct place p = {.text = ck_trim(text), .wanted = search_marks_wanted(m, column)};
  struct writer w = {.s = s};
  ck_buf_clear(&s->text);
  s->range_count = 0;
  search_marks_find(m, p.text, column, take_mark, &p);
  struct cut cut = {.from = begin(&p)};
  cut.to = end(&p, cut.from);
  if (cut.from > 0) put(&w, CK_LIT("…"), false);
  write_text(&w, &p, cut);
  if (cut.to < p.text.n) put(&w, CK_LIT("…"), false);
}

void search_snippet_free(struct search_snippet *s) {
  ck_buf_free(&s->text);
  s->range_count = 0;
}

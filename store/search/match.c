/* The text is cut where words and runs meet. Each piece of words is one phrase, or one of several;
 * see match.h. */
#include "store/search/match.h"

#include "store/search/split.h"

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

bool search_phrases(struct ck_buf *out, struct ck_str text, bool prefix) {
  return add_match(out, text, prefix, false);
}

/* ---- pieces of words and of runs ---- */

struct pieces {
  struct search_match *out;
  struct ck_str text;
  char mark[2];      /* before what is asked of runs */
  size_t tokens;     /* taken so far */
  bool in_words;     /* a piece of words goes on … */
  size_t from, upto; /* … and is there in the text */
  bool in_run;       /* the last token was a pair */
  char last[8];      /* the last character of a run, not asked for yet … */
  size_t last_bytes; /* … 0: there is none */
  bool last_alone;   /* … it is the only one of its run */
  size_t asked;      /* in both tables: pieces of words, and tokens of runs */
};

static void ask_run(struct pieces *p, struct ck_str token, bool prefix) {
  if (p->out->runs.len) ck_buf_text(&p->out->runs, " AND ");
  add_phrase(&p->out->runs, p->mark, token, prefix);
  p->asked++;
}

/* open: in the text that is looked for, the run may go on: its last character is in the pair before
 * it, or begins a pair. There are many of these, so they are asked for only if nothing else is. */
static void end_run(struct pieces *p, bool open) {
  struct ck_str last = {p->last, p->last_bytes};
  if (last.n && open && p->asked && p->last_alone) p->out->loose = true;
  if (last.n && (!open || !p->asked)) ask_run(p, last, open);
  p->last_bytes = 0;
}

static void end_words(struct pieces *p, bool prefix) {
  if (!p->in_words) return;
  struct ck_str words = {p->text.s + p->from, p->upto - p->from};
  if (p->out->words.len) ck_buf_text(&p->out->words, " AND ");
  add_match(&p->out->words, words, prefix, true);
  p->in_words = false;
  p->asked++;
}

static void take_run(struct pieces *p, const struct search_token *t) {
  end_words(p, false);
  end_run(p, false);
  if (t->last) {
    memcpy(p->last, t->text.s, t->text.n);
    p->last_bytes = t->text.n;
    p->last_alone = !p->in_run;
  } else {
    ask_run(p, t->text, false);
  }
  p->in_run = !t->last;
}

static void take_word(struct pieces *p, const struct search_token *t) {
  end_run(p, false);
  if (!p->in_words) p->from = t->from;
  p->in_words = true;
  p->in_run = false;
  p->upto = t->to;
}

static int take_piece(void *self, const struct search_token *t) {
  struct pieces *p = self;
  if (t->beside) {
    if (t->to > p->upto) p->upto = t->to;
    return 0;
  }
  if (p->tokens++ == SEARCH_PHRASE_MAX) return 1;
  if (t->run)
    take_run(p, t);
  else
    take_word(p, t);
  return 0;
}

bool search_match(struct search_match *out, struct ck_str text, bool prefix, unsigned columns) {
  struct pieces p = {.out = out, .text = text};
  if (columns == SEARCH_IN(SEARCH_TOOL)) *p.mark = SEARCH_OF_TOOL;
  if (columns == SEARCH_IN(SEARCH_TITLE)) *p.mark = SEARCH_OF_TITLE;
  search_tokens(text, take_piece, &p);
  end_words(&p, prefix);
  end_run(&p, true);
  out->loose |= p.asked > 1;
  return p.asked > 0;
}

void search_match_free(struct search_match *m) {
  ck_buf_free(&m->words);
  ck_buf_free(&m->runs);
}

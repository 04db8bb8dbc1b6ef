/* See split.h. */
#include "store/search/split.h"

struct split {
  struct ck_buf *words, *runs;
  enum search_column column;
  bool any, gap; /* there was a word; and a run after it */
};

/* mark: 0: none. */
static void add(struct ck_buf *b, char mark, struct ck_str text) {
  if (mark) ck_buf_add(b, &mark, 1);
  ck_buf_str(b, text);
  ck_buf_add(b, " ", 1);
}

static int take(void *self, const struct search_token *t) {
  struct split *s = self;
  if (t->run) {
    if (s->column == SEARCH_TITLE) add(s->runs, SEARCH_OF_TITLE, t->text);
    add(s->runs, s->column == SEARCH_TOOL ? SEARCH_OF_TOOL : 0, t->text);
    s->gap = s->any;
    return 0;
  }
  if (s->gap) add(s->words, SEARCH_GAP, (struct ck_str){0});
  add(s->words, t->beside ? SEARCH_BESIDE : 0, t->text);
  s->any = true;
  s->gap = false;
  return 0;
}

void search_split(struct ck_str text, enum search_column column, struct ck_buf *words,
                  struct ck_buf *runs) {
  struct split s = {.words = words, .runs = runs, .column = column};
  search_tokens(text, take, &s);
}

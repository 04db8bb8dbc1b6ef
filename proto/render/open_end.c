/* See open_end.h. Asked of the parser itself: a heading is put after the text, and it is seen
 * whether it is one. */
#include "proto/render/open_end.h"

#include <md4c.h>
#include "proto/render/inner.h"

struct probe {
  unsigned depth;    /* open blocks */
  MD_BLOCKTYPE last; /* the last one that is in no other */
  char fence;        /* its character, if it is code in a fence */
};

static int enter(MD_BLOCKTYPE type, void *detail, void *self) {
  struct probe *p = self;
  if (p->depth++ != 1) return 0;
  p->last = type;
  p->fence = type == MD_BLOCK_CODE ? ((const MD_BLOCK_CODE_DETAIL *)detail)->fence_char : 0;
  return 0;
}

static int leave(MD_BLOCKTYPE type, void *detail, void *self) {
  (void)type;
  (void)detail;
  --((struct probe *)self)->depth;
  return 0;
}

static int span(MD_SPANTYPE type, void *detail, void *self) {
  (void)type;
  (void)detail;
  (void)self;
  return 0;
}

static int words(MD_TEXTTYPE type, const MD_CHAR *text, MD_SIZE n, void *self) {
  (void)type;
  (void)text;
  (void)n;
  (void)self;
  return 0;
}

/* True if a heading after the text and these lines is one. */
static bool is_closed(struct ck_str text, struct ck_str close, struct probe *p) {
  const MD_PARSER parser = {.flags = MD_DIALECT_GITHUB,
                            .enter_block = enter,
                            .leave_block = leave,
                            .enter_span = span,
                            .leave_span = span,
                            .text = words};
  struct ck_buf all = {0};
  *p = (struct probe){0};
  ck_buf_str(&all, text);
  ck_buf_text(&all, "\n");
  ck_buf_str(&all, close);
  ck_buf_text(&all, "\n\n# x\n");
  int rc = md_parse(all.data, (MD_SIZE)all.len, &parser, p);
  ck_buf_free(&all);
  return rc == 0 && p->last == MD_BLOCK_H;
}

static void put_fence(struct ck_buf *close, struct ck_str text, char fence) {
  size_t marks = render_longest_run(text, fence);
  for (size_t i = 0; i < marks; ++i) ck_buf_add(close, &fence, 1);
  ck_buf_text(close, "\n");
}

bool render_open_end(struct ck_str text, struct ck_buf *close) {
  static const char *const ends[] = {">\n", "-->\n", "?>\n", "]]>\n", "</pre>\n"};
  struct probe p;
  bool may = memmem(text.s, text.n, "```", 3) || memmem(text.s, text.n, "~~~", 3) ||
             memchr(text.s, '<', text.n);
  if (!may || is_closed(text, CK_LIT(""), &p)) return true;
  size_t before = close->len;
  if (p.last == MD_BLOCK_CODE && p.fence) {
    put_fence(close, text, p.fence);
    if (is_closed(text, (struct ck_str){close->data + before, close->len - before}, &p))
      return true;
  }
  for (size_t i = 0; i < sizeof ends / sizeof *ends; ++i) {
    close->len = before;
    ck_buf_text(close, ends[i]);
    if (is_closed(text, ck_str_of(ends[i]), &p)) return true;
  }
  close->len = before;
  return false;
}

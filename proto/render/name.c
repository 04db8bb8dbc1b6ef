/* Names of files; see render.h. */
#include "proto/render/inner.h"

#include "proto/visible.h"

#define NAME_MOST 120
#define QUESTION_MOST 80 /* bytes of a question in place of a title */

/* What a system does not take in a name, or a shell or a link of Obsidian's would not. */
static bool is_bad(const char *p, size_t n) {
  if (n == 0 || ck_is_control(p, n) || ck_is_mark(p, n)) return true;
  return n == 1 && strchr("/\\:*?\"<>|#^[]`'$;&!%~{}", *p) && *p;
}

/* Runs of what is bad or blank become one blank. */
static void put_words(struct ck_buf *b, struct ck_str text) {
  bool gap = false;
  size_t start = b->len;
  for (size_t i = 0, k; i < text.n; i += k ? k : 1) {
    k = ck_character(text.s + i, text.n - i);
    if (is_bad(text.s + i, k) || text.s[i] == ' ') {
      gap = b->len > start;
      continue;
    }
    if (gap) ck_buf_text(b, " ");
    gap = false;
    ck_buf_add(b, text.s + i, k);
  }
}

/* Windows takes no dot or blank at the end, and a name that begins with a dot is hidden. */
static bool is_edge(char c) { return c == '.' || c == ' ' || c == '-'; }

void render_title(struct ck_buf *b, struct ck_str title, struct ck_str question) {
  question = render_question(question);
  if (title.n) {
    ck_buf_str(b, title);
  } else if (question.n) {
    ck_buf_text(b, "“");
    ck_buf_summary(b, question, QUESTION_MOST);
    ck_buf_text(b, "”");
  } else {
    ck_buf_text(b, "(no title)");
  }
}

void render_file_name(struct ck_buf *b, const struct render_conversation *c) {
  struct ck_buf words = {0};
  int64_t at = c->created_at > 0 ? c->created_at : c->newest_at;
  struct ck_str question = render_question(c->question),
                called = c->title.n ? c->title : ck_utf8_cut(question, QUESTION_MOST);
  put_words(&words, called.n ? called : c->id);
  struct ck_str name = ck_utf8_cut(ck_buf_view(&words), NAME_MOST - sizeof "YYYY-MM-DD");
  while (name.n && is_edge(name.s[name.n - 1])) --name.n;
  while (name.n && is_edge(name.s[0])) ++name.s, --name.n;
  if (at > 0) render_day(b, at);
  if (at > 0 && name.n) ck_buf_text(b, " ");
  ck_buf_str(b, name);
  /* Without a day, a name such as CON or nul would be a device of Windows'. */
  if (at <= 0) ck_buf_text(b, name.n ? " (chat)" : "conversation");
  ck_buf_free(&words);
}

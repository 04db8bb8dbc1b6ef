/* Conversations as text: for a terminal, folded or whole, and for files. */
#include "proto/render/inner.h"

#include <stdlib.h>
#include "proto/visible.h"

/* Of a text that is folded to a line; no terminal is wider. */
#define LINE_BYTES 1000

/* ---- lines ---- */

/* Appends text that can do nothing to the terminal, on one line, all of it. */
static void put_whole(struct ck_buf *b, const struct render_style *style, struct ck_str text) {
  struct ck_buf folded = {0};
  ck_buf_summary(&folded, text, text.n);
  ck_visible_text(b, ck_buf_view(&folded), style->terminal);
  ck_buf_free(&folded);
}

/* The same, but only its beginning unless the style is full. */
static void put_safe(struct ck_buf *b, const struct render_style *style, struct ck_str text) {
  struct ck_buf beginning = {0};
  ck_buf_summary(&beginning, text, style->full ? text.n : LINE_BYTES);
  put_whole(b, style, ck_buf_view(&beginning));
  ck_buf_free(&beginning);
}

static void put_cut(struct ck_buf *b, const struct render_style *style, struct ck_str text,
                    size_t width) {
  struct ck_buf safe = {0};
  put_safe(&safe, style, text);
  ck_cut_text(b, ck_buf_view(&safe), width);
  ck_buf_free(&safe);
}

static void paint(struct ck_buf *b, const struct render_style *style, const char *code,
                  const struct ck_buf *line) {
  if (style->colour) ck_buf_text(b, code);
  ck_buf_str(b, ck_buf_view(line));
  ck_buf_text(b, style->colour ? "\033[0m\n" : "\n");
}
#define DIM "\033[2m"
#define BOLD "\033[1m"

void render_text_line(struct ck_buf *b, const struct render_style *style, struct ck_str text) {
  struct ck_buf line = {0};
  ck_buf_text(&line, "▸ ");
  if (style->full)
    put_safe(&line, style, text);
  else
    put_cut(&line, style, text, style->width > 2 ? style->width - 2 : 1);
  paint(b, style, DIM, &line);
  ck_buf_free(&line);
}

/* The text unchanged but for what commands a terminal, with a line break at its end. */
static void put_lines(struct ck_buf *b, const struct render_style *style, struct ck_str text) {
  if (text.n == 0) return;
  ck_visible_text(b, text, style->terminal);
  if (b->data[b->len - 1] != '\n') ck_buf_text(b, "\n");
}

/* Something that is one line unless the style is full. head: what it is. */
static void put_part(struct ck_buf *b, const struct render_style *style, struct ck_str head,
                     struct ck_str text) {
  struct ck_buf line = {0};
  if (style->full) {
    ck_buf_text(&line, "▾ ");
    put_safe(&line, style, head);
    paint(b, style, DIM, &line);
    put_lines(b, style, text);
  } else {
    ck_buf_str(&line, head);
    ck_buf_text(&line, ": ");
    ck_buf_str(&line, ck_utf8_cut(text, 4 * LINE_BYTES));
    render_text_line(b, style, ck_buf_view(&line));
  }
  ck_buf_free(&line);
}

/* ---- what belongs to a message ---- */

static void put_thinking(struct ck_buf *b, const struct render_style *style,
                         const struct render_message *m) {
  size_t i;
  const json_t *thought;
  json_array_foreach(m->thinking, i, thought)
      put_part(b, style, CK_LIT("thinking"), render_text_of(thought));
}

static void put_attachments(struct ck_buf *b, const struct render_style *style,
                            const struct render_message *m) {
  size_t i;
  const json_t *file;
  json_array_foreach(m->attachments, i, file) {
    struct ck_buf line = {0};
    ck_buf_text(&line, "attachment");
    size_t n = line.len;
    render_kept_words(&line, style, file);
    ck_buf_text(&line, line.len > n ? ": " : " ");
    render_attachment(&line, file);
    if (style->full && render_attached_text(m, file).n)
      put_part(b, style, ck_buf_view(&line), render_attached_text(m, file));
    else
      render_text_line(b, style, ck_buf_view(&line));
    ck_buf_free(&line);
  }
}

/* Citations that the text has no marker for. */
static void put_sources(struct ck_buf *b, const struct render_style *style,
                        const struct render_message *m, const bool *used) {
  size_t i;
  const json_t *citation;
  json_array_foreach(m->citations, i, citation) {
    struct ck_buf line = {0};
    ck_buf_text(&line, "source ");
    render_citation(&line, citation, false);
    if (!used[i] && line.len > sizeof "source " - 1) render_text_line(b, style, ck_buf_view(&line));
    ck_buf_free(&line);
  }
}

static void put_execution_line(struct ck_buf *b, const struct render_style *style,
                               struct ck_str name, const struct render_execution *e) {
  struct ck_str params = ck_utf8_cut(e->params, LINE_BYTES), result = e->result;
  if (e->outcome == RENDER_FAILED && e->error.n) result = e->error;
  struct ck_buf line = {0};
  ck_buf_str(&line, name);
  if (params.n) {
    ck_buf_text(&line, ": ");
    put_cut(&line, style, params, style->width / 2);
  }
  ck_buf_printf(&line, " → %s", render_outcome_word(e->outcome));
  if (result.n) ck_buf_text(&line, ": ");
  ck_buf_str(&line, ck_utf8_cut(result, LINE_BYTES));
  render_text_line(b, style, ck_buf_view(&line));
  ck_buf_free(&line);
}

static void put_execution(struct ck_buf *b, const struct render_style *style,
                          const struct render_execution *e) {
  struct ck_buf name = {0};
  render_called(&name, e);
  if (style->full) {
    put_part(b, style, ck_buf_view(&name), e->params);
    put_part(b, style, ck_str_of(render_outcome_word(e->outcome)), e->result);
    put_lines(b, style, e->error);
  } else {
    struct ck_buf safe = {0};
    put_safe(&safe, style, ck_buf_view(&name));
    put_execution_line(b, style, ck_buf_view(&safe), e);
    ck_buf_free(&safe);
  }
  ck_buf_free(&name);
}

/* ---- the message ---- */

static void put_head(struct ck_buf *b, const struct render_message *m,
                     const struct render_style *style) {
  struct ck_buf line = {0};
  ck_buf_text(&line, "── ");
  put_safe(&line, style, m->role);
  if (m->kind != RENDER_SAID) ck_buf_printf(&line, " · %s", render_kind_word(m->kind));
  struct ck_str more[] = {m->type, m->model};
  for (size_t i = m->kind == RENDER_OTHER ? 0 : 1; i < 2; ++i) {
    if (more[i].n) ck_buf_text(&line, " · ");
    put_safe(&line, style, more[i]);
  }
  if (m->hidden) ck_buf_text(&line, " · hidden");
  if (m->time_known) {
    ck_buf_text(&line, " · ");
    render_time(&line, m->at);
  }
  if (style->has_tree && !m->placed) ck_buf_text(&line, " · place unknown");
  ck_buf_text(&line, " ──");
  paint(b, style, BOLD, &line);
  ck_buf_free(&line);
}

/* A call that was executed shows what was executed instead of itself. A result may be no text, but
 * attachments. */
static void put_folded(struct ck_buf *b, const struct render_message *m,
                       const struct render_style *style) {
  struct ck_buf head = {0};
  if (m->kind == RENDER_CALL && m->execution_count) return;
  if (m->kind == RENDER_RESULT && m->text.n == 0) return;
  ck_buf_text(&head, render_kind_word(m->kind));
  if (m->kind != RENDER_THINKING) {
    ck_buf_text(&head, " of ");
    ck_buf_str(&head, m->kind == RENDER_RESULT && m->name.n ? m->name : m->role);
  }
  put_part(b, style, ck_buf_view(&head), m->text);
  ck_buf_free(&head);
}

static void put_text(struct ck_buf *b, const struct render_message *m,
                     const struct render_style *style) {
  bool *used = ck_zalloc((json_array_size(m->citations) + 1) * sizeof *used);
  struct ck_buf text = {0};
  render_cited(&text, m->text, m->citations, false, used);
  put_lines(b, style, ck_buf_view(&text));
  put_sources(b, style, m, used);
  ck_buf_free(&text);
  free(used);
}

void render_text_message(struct ck_buf *b, const struct render_message *m,
                         const struct render_style *style) {
  bool folded = !style->full && render_is_aside(m), executed = render_is_executed(m);
  if (!folded) put_head(b, m, style);
  size_t head = b->len;
  put_thinking(b, style, m);
  bool after_thoughts = style->full && b->len > head && m->text.n;
  if (after_thoughts && !executed) put_part(b, style, CK_LIT("text"), CK_LIT(""));
  if (folded)
    put_folded(b, m, style);
  else if (!executed)
    put_text(b, m, style);
  for (size_t i = 0; i < m->execution_count; ++i) put_execution(b, style, &m->executions[i]);
  put_attachments(b, style, m);
  if (b->len == head) render_text_line(b, style, CK_LIT("(no text)"));
}

/* ---- a document ---- */

static void text_begin(struct render *r, const struct render_conversation *c) {
  struct ck_buf called = {0}, title = {0}, facts = {0};
  render_title(&called, c->title, c->question);
  put_whole(&title, &r->style, ck_buf_view(&called));
  paint(r->out, &r->style, BOLD, &title);
  ck_buf_str(&facts, c->platform);
  ck_buf_text(&facts, " · ");
  ck_buf_count(&facts, c->messages);
  ck_buf_text(&facts, ck_noun(c->messages, " message", " messages"));
  if (c->branches > 1) ck_buf_printf(&facts, " · %zu branches", c->branches);
  render_fact(&facts, c->project);
  render_fact(&facts, c->model);
  render_fact(&facts, c->id);
  put_whole(r->out, &r->style, ck_buf_view(&facts));
  ck_buf_text(r->out, "\n");
  put_whole(r->out, &r->style, c->url);
  if (c->url.n) ck_buf_text(r->out, "\n");
  ck_buf_free(&called);
  ck_buf_free(&title);
  ck_buf_free(&facts);
}

static void text_message(struct render *r, const struct render_message *m) {
  ck_buf_text(r->out, "\n");
  render_text_message(r->out, m, &r->style);
}

static void text_branch(struct render *r, size_t n, size_t of, struct ck_str after) {
  struct ck_buf line = {0};
  ck_buf_printf(&line, "══ branch %zu of %zu, ", n, of);
  ck_buf_text(&line, after.n ? "after " : "from a beginning of its own");
  put_safe(&line, &r->style, after);
  ck_buf_text(&line, " ══");
  ck_buf_text(r->out, "\n");
  paint(r->out, &r->style, BOLD, &line);
  ck_buf_free(&line);
}

static void text_note(struct render *r, struct ck_str text) {
  ck_buf_text(r->out, "\n");
  render_text_line(r->out, &r->style, text);
}

static void text_end(struct render *r) { (void)r; }

const struct render_backend render_text = {text_begin, text_message, text_branch, text_note,
                                           text_end};

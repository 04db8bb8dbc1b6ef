/* Conversations as Markdown, with the front matter and headings that users of Obsidian and of
 * exporters for browsers know. Asides are callouts, which Obsidian folds and others show as quotes:
 * whatever is in a quote ends with it. */
#include "proto/render/inner.h"

#include <stdlib.h>
#include "proto/render/open_end.h"
#include "proto/visible.h"

/* ---- pieces ---- */

/* Appends text with a line break at its end. */
static void put_line(struct ck_buf *b, struct ck_str text) {
  ck_buf_str(b, text);
  if (text.n && text.s[text.n - 1] != '\n') ck_buf_text(b, "\n");
}

/* On one line, with what Markdown would take for its own escaped. */
static void put_plain(struct ck_buf *b, const struct render *r, struct ck_str text) {
  struct ck_buf folded = {0}, safe = {0};
  ck_buf_summary(&folded, text, text.n);
  ck_visible_text(&safe, ck_buf_view(&folded), r->style.terminal);
  for (size_t i = 0; i < safe.len; ++i) {
    if (strchr("\\`*_[]<>&~$|#", safe.data[i])) ck_buf_text(b, "\\");
    ck_buf_add(b, safe.data + i, 1);
  }
  ck_buf_free(&folded);
  ck_buf_free(&safe);
}

/* A block of code, whatever the text has in it. */
static void put_fenced(struct ck_buf *b, const struct render *r, const char *language,
                       struct ck_str text) {
  struct ck_buf safe = {0};
  size_t marks = render_longest_run(text, '`') + 1;
  if (marks < 3) marks = 3;
  ck_visible_text(&safe, text, r->style.terminal);
  for (size_t i = 0; i < marks; ++i) ck_buf_text(b, "`");
  ck_buf_printf(b, "%s\n", language);
  put_line(b, ck_buf_view(&safe));
  for (size_t i = 0; i < marks; ++i) ck_buf_text(b, "`");
  ck_buf_text(b, "\n");
  ck_buf_free(&safe);
}

static void put_quoted(struct ck_buf *b, struct ck_str text) {
  for (size_t i = 0; i < text.n;) {
    const char *end = memchr(text.s + i, '\n', text.n - i);
    size_t n = end ? (size_t)(end - text.s) - i : text.n - i;
    ck_buf_text(b, n ? "> " : ">");
    ck_buf_add(b, text.s + i, n);
    ck_buf_text(b, "\n");
    i += n + 1;
  }
}

/* "> [!kind]- head" and what is in it. head: escaped. */
static void put_callout(struct ck_buf *b, const char *kind, struct ck_str head,
                        const struct ck_buf *body) {
  ck_buf_printf(b, "\n> [!%s]- ", kind);
  ck_buf_str(b, head);
  ck_buf_text(b, "\n");
  put_quoted(b, ck_buf_view(body));
}

/* ---- what belongs to a message ---- */

static void put_thinking(struct render *r, const struct render_message *m) {
  size_t i;
  const json_t *thought;
  json_array_foreach(m->thinking, i, thought) {
    struct ck_buf body = {0};
    if (!render_text_of(thought).n) continue;
    ck_visible_text(&body, render_text_of(thought), r->style.terminal);
    put_callout(r->out, "quote", CK_LIT("Thinking"), &body);
    ck_buf_free(&body);
  }
}

static const char *language_of(const struct render_execution *e) {
  return ck_str_is(e->params_kind, "inline_json") ? "json" : "";
}

static void put_execution(struct render *r, const struct render_execution *e) {
  struct ck_buf name = {0}, head = {0}, body = {0};
  render_called(&name, e);
  put_plain(&head, r, ck_buf_view(&name));
  ck_buf_printf(&head, " → %s", render_outcome_word(e->outcome));
  if (e->params.n) put_fenced(&body, r, language_of(e), e->params);
  if (e->result.n) {
    ck_buf_text(&body, body.len ? "\nResult:\n" : "Result:\n");
    put_fenced(&body, r, "", e->result);
  }
  if (e->error.n) {
    ck_buf_text(&body, body.len ? "\nError:\n" : "Error:\n");
    put_fenced(&body, r, "", e->error);
  }
  put_callout(r->out, e->outcome == RENDER_FAILED ? "failure" : "example", ck_buf_view(&head),
              &body);
  ck_buf_free(&name);
  ck_buf_free(&head);
  ck_buf_free(&body);
}

static void put_attachments(struct render *r, const struct render_message *m) {
  size_t i;
  const json_t *file;
  json_array_foreach(m->attachments, i, file) {
    struct ck_buf name = {0}, head = {0}, body = {0};
    struct ck_str text = render_attached_text(m, file);
    render_attachment(&name, file);
    ck_buf_text(&head, "Attachment: ");
    put_plain(&head, r, ck_buf_view(&name));
    if (text.n) put_fenced(&body, r, "", text);
    put_callout(r->out, "attachment", ck_buf_view(&head), &body);
    ck_buf_free(&name);
    ck_buf_free(&head);
    ck_buf_free(&body);
  }
}

/* Citations that the text has no marker for. */
static void put_sources(struct render *r, const struct render_message *m, const bool *used) {
  size_t i, n = 0;
  const json_t *citation;
  json_array_foreach(m->citations, i, citation) {
    struct ck_buf line = {0};
    render_citation(&line, citation, true);
    if (!used[i] && line.len) {
      ck_buf_printf(r->out, n++ ? "" : "\nSources:\n\n");
      ck_buf_text(r->out, "- ");
      ck_visible_text(r->out, ck_buf_view(&line), r->style.terminal);
      ck_buf_text(r->out, "\n");
    }
    ck_buf_free(&line);
  }
}

/* The text as it was said, with what it leaves open closed: else it would swallow what follows. */
static void put_text(struct render *r, const struct render_message *m) {
  bool *used = ck_zalloc((json_array_size(m->citations) + 1) * sizeof *used);
  struct ck_buf cited = {0}, safe = {0};
  render_cited(&cited, m->text, m->citations, true, used);
  ck_visible_text(&safe, ck_buf_view(&cited), r->style.terminal);
  if (safe.len) {
    struct ck_buf close = {0};
    ck_buf_text(r->out, "\n");
    if (render_open_end(ck_buf_view(&safe), &close)) {
      put_line(r->out, ck_buf_view(&safe));
      ck_buf_str(r->out, ck_buf_view(&close));
    } else {
      put_fenced(r->out, r, "", ck_buf_view(&safe));
    }
    ck_buf_free(&close);
  }
  put_sources(r, m, used);
  ck_buf_free(&cited);
  ck_buf_free(&safe);
  free(used);
}

/* ---- the message ---- */

static void put_aside(struct render *r, const struct render_message *m) {
  struct ck_buf head = {0}, body = {0}, speaker = {0};
  render_speaker(&speaker, r->platform, m);
  if (m->kind == RENDER_THINKING) {
    ck_buf_text(&head, "Thinking");
    ck_visible_text(&body, m->text, r->style.terminal);
  } else {
    ck_buf_text(&head, m->kind == RENDER_CALL ? "Call of " : "Result of ");
    put_plain(&head, r, ck_buf_view(&speaker));
    put_fenced(&body, r, "", m->text);
  }
  if (m->text.n)
    put_callout(r->out, m->kind == RENDER_THINKING ? "quote" : "example", ck_buf_view(&head),
                &body);
  ck_buf_free(&head);
  ck_buf_free(&body);
  ck_buf_free(&speaker);
}

static void put_hidden(struct render *r, const struct render_message *m) {
  struct ck_buf head = {0}, body = {0}, speaker = {0};
  render_speaker(&speaker, r->platform, m);
  put_plain(&head, r, ck_buf_view(&speaker));
  ck_buf_text(&head, ", hidden");
  ck_visible_text(&body, m->text, r->style.terminal);
  put_callout(r->out, "info", ck_buf_view(&head), &body);
  ck_buf_free(&head);
  ck_buf_free(&body);
  ck_buf_free(&speaker);
}

/* "*2026-01-02 10:00:05 · gpt-4o*" */
static void put_facts(struct render *r, const struct render_message *m) {
  struct ck_buf facts = {0};
  render_facts(&facts, r, m);
  if (facts.len) {
    ck_buf_text(r->out, "*");
    put_plain(r->out, r, ck_buf_view(&facts));
    ck_buf_text(r->out, "*\n");
  }
  ck_buf_free(&facts);
}

static void put_head(struct render *r, const struct render_message *m) {
  struct ck_buf speaker = {0};
  render_speaker(&speaker, r->platform, m);
  ck_buf_text(r->out, "\n#### ");
  put_plain(r->out, r, ck_buf_view(&speaker));
  ck_buf_text(r->out, ":\n");
  put_facts(r, m);
  ck_buf_free(&speaker);
}

static void md_message(struct render *r, const struct render_message *m) {
  bool aside = render_is_aside(m), executed = render_is_executed(m);
  if (!aside && !m->hidden) put_head(r, m);
  put_thinking(r, m);
  if (m->hidden && !aside)
    put_hidden(r, m);
  else if (aside && !executed)
    put_aside(r, m);
  else if (!executed)
    put_text(r, m);
  for (size_t i = 0; i < m->execution_count; ++i) put_execution(r, &m->executions[i]);
  put_attachments(r, m);
}

/* ---- the document ---- */

static void put_value(struct render *r, const char *name, struct ck_str value) {
  struct ck_buf folded = {0}, safe = {0};
  if (!value.n) return;
  ck_buf_summary(&folded, value, value.n);
  ck_visible_text(&safe, ck_buf_view(&folded), true);
  ck_buf_printf(r->out, "%s ", name);
  ck_buf_json_str(r->out, ck_buf_view(&safe));
  ck_buf_text(r->out, "\n");
  ck_buf_free(&folded);
  ck_buf_free(&safe);
}

static void put_moment(struct render *r, const char *name, int64_t at,
                       void (*put)(struct ck_buf *b, int64_t ms)) {
  if (at <= 0) return;
  ck_buf_printf(r->out, "%s: ", name);
  put(r->out, at);
  ck_buf_text(r->out, "\n");
}

/* A tag of Obsidian's has no blanks or signs. */
static void put_tags(struct render *r, struct ck_str platform) {
  ck_buf_text(r->out, "tags:\n  - chat\n");
  if (!platform.n) return;
  ck_buf_text(r->out, "  - ");
  for (size_t i = 0; i < platform.n; ++i) {
    char c = platform.s[i];
    bool is_sign = (unsigned char)c < 0x80 && !strchr("abcdefghijklmnopqrstuvwxyz"
                                                      "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
                                                      c);
    bool digit = c >= '0' && c <= '9' && i;
    ck_buf_add(r->out, is_sign && !digit ? "-" : &c, 1);
  }
  ck_buf_text(r->out, "\n");
}

static void put_front_matter(struct render *r, const struct render_conversation *c) {
  ck_buf_text(r->out, "---\n");
  put_value(r, "title:", c->title);
  if (c->title.n) put_value(r, "aliases:\n  -", c->title);
  put_moment(r, "date", c->created_at, render_day);
  put_moment(r, "created", c->created_at, render_time_iso);
  put_moment(r, "updated", c->newest_at, render_time_iso);
  put_value(r, "source:", c->url);
  put_value(r, "platform:", c->platform);
  put_value(r, "project:", c->project);
  put_value(r, "model:", c->model);
  put_value(r, "id:", c->id);
  put_tags(r, c->platform);
  ck_buf_text(r->out, "---\n");
}

static void md_begin(struct render *r, const struct render_conversation *c) {
  struct ck_buf title = {0};
  put_front_matter(r, c);
  ck_buf_text(r->out, "\n# ");
  render_title(&title, c->title, c->question);
  put_plain(r->out, r, ck_buf_view(&title));
  ck_buf_free(&title);
  ck_buf_text(r->out, "\n");
  if (!c->summary.n) return;
  struct ck_buf body = {0};
  ck_visible_text(&body, c->summary, r->style.terminal);
  put_callout(r->out, "abstract", CK_LIT("Summary"), &body);
  ck_buf_free(&body);
}

static void md_branch(struct render *r, size_t n, size_t of, struct ck_str after) {
  ck_buf_printf(r->out, "\n---\n\n## Branch %zu of %zu\n", n, of);
  ck_buf_text(r->out, after.n ? "*after " : "*from a beginning of its own");
  put_plain(r->out, r, after);
  ck_buf_text(r->out, "*\n");
}

static void md_note(struct render *r, struct ck_str text) {
  ck_buf_text(r->out, "\n*");
  put_plain(r->out, r, text);
  ck_buf_text(r->out, "*\n");
}

static void md_end(struct render *r) { (void)r; }

const struct render_backend render_markdown = {md_begin, md_message, md_branch, md_note, md_end};

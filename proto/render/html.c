/* Conversations as one page of HTML: no script, no request to anywhere, nothing in a text that is
 * more than text, or a link to http, https or mailto. A Content-Security-Policy says it once more,
 * to the browser. */
#include "proto/render/html_link.h"
#include "proto/render/html_style.h"
#include "proto/render/inner.h"
#include "proto/sha256.h"

#include <stdlib.h>

/* ---- pieces ---- */

static void put(struct render *r, const char *html) { ck_buf_text(r->out, html); }
static void put_text(struct render *r, struct ck_str text) { render_html_text(r->out, text); }

static void put_whole(struct render *r, struct ck_str text) {
  put(r, "<pre class=\"whole\" dir=\"auto\"" RENDER_MOVED "><code>");
  put_text(r, text);
  put(r, "</code></pre>\n");
}

/* kind: its class; head: plain text. */
static void open_details(struct render *r, const char *kind, struct ck_str head) {
  ck_buf_printf(r->out, "<details class=\"%s\"><summary dir=\"auto\">", kind);
  put_text(r, head);
  put(r, "</summary>\n");
}

static void put_said(struct render *r, struct ck_str text, bool markdown) {
  put(r, "<div class=\"said\" dir=\"auto\">");
  if (markdown)
    render_html_markdown(r->out, text);
  else
    render_html_plain(r->out, text);
  put(r, "</div>\n");
}

static void put_link(struct render *r, struct ck_str url, struct ck_str words) {
  bool is = render_is_address(url);
  if (is) render_html_anchor(r->out, url, (struct ck_str){0});
  put_text(r, words.n ? words : url);
  if (is) put(r, "</a>");
  if (!is && words.n && url.n) {
    put(r, " <code>");
    put_text(r, url);
    put(r, "</code>");
  }
}

/* ---- what belongs to a message ---- */

static void put_thinking(struct render *r, const struct render_message *m) {
  size_t i;
  const json_t *thought;
  json_array_foreach(m->thinking, i, thought) {
    if (!render_text_of(thought).n) continue;
    open_details(r, "thinking", CK_LIT("Thinking"));
    put_said(r, render_text_of(thought), true);
    put(r, "</details>\n");
  }
}

static void put_part(struct render *r, const char *title, struct ck_str text) {
  if (!text.n) return;
  ck_buf_printf(r->out, "<h3>%s</h3>\n", title);
  put_whole(r, text);
}

static void put_execution(struct render *r, const struct render_execution *e) {
  struct ck_buf head = {0};
  render_called(&head, e);
  ck_buf_printf(&head, " → %s", render_outcome_word(e->outcome));
  open_details(r, e->outcome == RENDER_FAILED ? "tool failed" : "tool", ck_buf_view(&head));
  put_part(r, "Call", e->params);
  put_part(r, "Result", e->result);
  put_part(r, "Error", e->error);
  put(r, "</details>\n");
  ck_buf_free(&head);
}

/* The file itself, which is kept. */
static void put_kept(struct render *r, const json_t *file, const struct render_attached *a) {
  struct ck_buf words = {0};
  render_attachment(&words, file);
  ck_buf_printf(r->out, "<p class=\"attached\">Attachment: <a dir=\"auto\" href=\"%s\">",
                a->address);
  if (a->image) {
    ck_buf_printf(r->out, "<img src=\"%s\" loading=\"lazy\" alt=\"", a->address);
    put_text(r, render_attachment_name(file));
    put(r, "\">");
  }
  put_text(r, ck_buf_view(&words));
  put(r, "</a></p>\n");
  ck_buf_free(&words);
}

static void put_attachment(struct render *r, const json_t *file, struct ck_str text) {
  struct ck_buf head = {0};
  struct render_attached a;
  bool kept = render_is_kept(&r->style, file, &a);
  ck_buf_text(&head, "Attachment");
  render_kept_words(&head, &r->style, file);
  ck_buf_text(&head, ": ");
  render_attachment(&head, file);
  if (text.n) {
    open_details(r, "attachment", ck_buf_view(&head));
    put_whole(r, text);
    put(r, "</details>\n");
  } else if (!kept) {
    put(r, "<p class=\"note\" dir=\"auto\">");
    put_text(r, ck_buf_view(&head));
    put(r, "</p>\n");
  }
  if (kept) put_kept(r, file, &a);
  ck_buf_free(&head);
}

static void put_attachments(struct render *r, const struct render_message *m) {
  size_t i;
  const json_t *file;
  json_array_foreach(m->attachments, i, file)
      put_attachment(r, file, render_attached_text(m, file));
}

/* Citations that the text has no marker for. */
static void put_sources(struct render *r, const struct render_message *m, const bool *used) {
  size_t i, n = 0;
  const json_t *citation;
  json_array_foreach(m->citations, i, citation) {
    struct ck_str url = render_member(citation, "url"), title = render_member(citation, "title");
    if (used[i] || !(url.n || title.n)) continue;
    put(r, n++ ? "<li>" : "<ul class=\"sources\">\n<li>");
    put_link(r, url, title);
    put(r, "</li>\n");
  }
  if (n) put(r, "</ul>\n");
}

static void put_words(struct render *r, const struct render_message *m) {
  bool markdown = render_is_markdown(m),
       *used = ck_zalloc((json_array_size(m->citations) + 1) * sizeof *used);
  struct ck_buf cited = {0}, shown = {0};
  render_cited(&cited, render_shown_text(&shown, m), m->citations, markdown, used);
  if (cited.len) put_said(r, ck_buf_view(&cited), markdown);
  put_sources(r, m, used);
  ck_buf_free(&cited);
  ck_buf_free(&shown);
  free(used);
}

/* ---- the message ---- */

static void put_folded(struct render *r, const struct render_message *m) {
  struct ck_buf head = {0}, speaker = {0};
  if (!m->text.n) return;
  render_speaker(&speaker, r->platform, m);
  if (m->kind == RENDER_THINKING)
    ck_buf_text(&head, "Thinking");
  else if (m->hidden)
    ck_buf_printf(&head, "%s, hidden", ck_buf_cstr(&speaker));
  else
    ck_buf_printf(&head, "%s of %s", m->kind == RENDER_CALL ? "Call" : "Result",
                  ck_buf_cstr(&speaker));
  open_details(r, render_kind_word(m->kind), ck_buf_view(&head));
  if (m->kind == RENDER_THINKING)
    put_said(r, m->text, true);
  else
    put_whole(r, m->text);
  put(r, "</details>\n");
  ck_buf_free(&head);
  ck_buf_free(&speaker);
}

static void put_head(struct render *r, const struct render_message *m) {
  struct ck_buf speaker = {0}, facts = {0};
  render_speaker(&speaker, r->platform, m);
  render_facts(&facts, r, m);
  put(r, "<h2>");
  put_text(r, ck_buf_view(&speaker));
  if (facts.len) put(r, " <small>");
  put_text(r, ck_buf_view(&facts));
  put(r, facts.len ? "</small></h2>\n" : "</h2>\n");
  ck_buf_free(&speaker);
  ck_buf_free(&facts);
}

static const char *class_of(const struct render_message *m) {
  return m->hidden || render_is_aside(m)   ? "aside"
         : ck_str_is(m->role, "user")      ? "user"
         : ck_str_is(m->role, "assistant") ? "assistant"
                                           : "other";
}

static void html_message(struct render *r, const struct render_message *m) {
  bool folded = render_is_aside(m) || m->hidden, executed = render_is_executed(m);
  ck_buf_printf(r->out, "<article class=\"%s\">\n", class_of(m));
  if (!folded) put_head(r, m);
  put_thinking(r, m);
  if (folded && !executed)
    put_folded(r, m);
  else if (!executed)
    put_words(r, m);
  for (size_t i = 0; i < m->execution_count; ++i) put_execution(r, &m->executions[i]);
  put_attachments(r, m);
  put(r, "</article>\n");
}

/* ---- the page ---- */

static void put_base64(struct ck_buf *b, const unsigned char *bytes, size_t n) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t i = 0; i < n; i += 3) {
    unsigned three = (unsigned)bytes[i] << 16;
    if (i + 1 < n) three |= (unsigned)bytes[i + 1] << 8;
    if (i + 2 < n) three |= bytes[i + 2];
    for (unsigned k = 0; k < 4; ++k) {
      bool there = i + k <= n;
      ck_buf_add(b, there ? &digits[three >> (18 - 6 * k) & 63] : "=", 1);
    }
  }
}

static void put_policy(struct render *r) {
  unsigned char hash[CK_SHA256_BYTES];
  struct ck_sha256 h;
  ck_sha256_begin(&h);
  ck_sha256_add(&h, ck_str_of(render_html_style));
  ck_sha256_end(&h, hash);
  put(r, "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
         "style-src 'sha256-");
  put_base64(r->out, hash, sizeof hash);
  put(r, "'; base-uri 'none'; form-action 'none'\">\n");
}

static void put_facts(struct render *r, const struct render_conversation *c) {
  struct ck_buf facts = {0}, from = {0};
  render_fact(&facts, c->platform);
  if (c->created_at > 0) render_time(&from, c->created_at);
  if (c->created_at > 0 && c->newest_at > c->created_at) ck_buf_text(&from, " to ");
  if (c->newest_at > c->created_at) render_time(&from, c->newest_at);
  render_fact(&facts, ck_buf_view(&from));
  if (c->messages) {
    ck_buf_clear(&from);
    ck_buf_count(&from, c->messages);
    ck_buf_text(&from, ck_noun(c->messages, " message", " messages"));
    render_fact(&facts, ck_buf_view(&from));
  }
  render_fact(&facts, c->project);
  render_fact(&facts, c->model);
  put(r, "<p dir=\"auto\">");
  put_text(r, ck_buf_view(&facts));
  put(r, "</p>\n");
  ck_buf_free(&facts);
  ck_buf_free(&from);
}

static void html_begin(struct render *r, const struct render_conversation *c) {
  struct ck_buf title = {0};
  render_title(&title, c->title, c->question);
  put(r, "<!doctype html>\n<html>\n<head>\n<meta charset=\"utf-8\">\n");
  put_policy(r);
  put(r, "<meta name=\"referrer\" content=\"no-referrer\">\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
         "<meta name=\"color-scheme\" content=\"light dark\">\n<title>");
  put_text(r, ck_buf_view(&title));
  put(r, "</title>\n<style>");
  put(r, render_html_style);
  put(r, "</style>\n</head>\n<body>\n<header class=\"page\">\n<h1 dir=\"auto\">");
  put_text(r, ck_buf_view(&title));
  put(r, "</h1>\n");
  ck_buf_free(&title);
  put_facts(r, c);
  if (c->url.n) {
    put(r, "<p>");
    put_link(r, c->url, (struct ck_str){0});
    put(r, "</p>\n");
  }
  put(r, "<p>");
  put_text(r, c->id);
  put(r, "</p>\n</header>\n<main>\n");
  if (!c->summary.n) return;
  open_details(r, "summary", CK_LIT("Summary"));
  put_said(r, c->summary, true);
  put(r, "</details>\n");
}

static void html_branch(struct render *r, size_t n, size_t of, struct ck_str after) {
  ck_buf_printf(r->out, "<h2 class=\"branch\">Branch %zu of %zu <small>", n, of);
  put(r, after.n ? "after " : "from a beginning of its own");
  put_text(r, after);
  put(r, "</small></h2>\n");
}

static void html_note(struct render *r, struct ck_str text) {
  put(r, "<p class=\"note\" dir=\"auto\">");
  put_text(r, text);
  put(r, "</p>\n");
}

static void html_end(struct render *r) { put(r, "</main>\n</body>\n</html>\n"); }

const struct render_backend render_html = {html_begin, html_message, html_branch, html_note,
                                           html_end};

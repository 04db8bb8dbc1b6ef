/* A document in one of the forms: what they share; see render.h. */
#include "proto/render/inner.h"

#include <stdlib.h>

/* How many results, and how long ones, are remembered to be shown only once. */
#define RESULTS 64
#define RESULT_BYTES (64u << 10)

static const struct {
  const struct render_backend *backend;
  const char *ending;
} forms[] = {[RENDER_TEXT] = {&render_text, "txt"},
             [RENDER_MD] = {&render_markdown, "md"},
             [RENDER_HTML] = {&render_html, "html"}};

const char *render_ending(enum render_form form) { return forms[form].ending; }

struct render *render_new(enum render_form form, struct ck_buf *out,
                          const struct render_style *style) {
  struct render *r = ck_zalloc(sizeof *r);
  *r = (struct render){.form = form, .style = *style, .out = out, .results = json_array()};
  return r;
}

void render_free(struct render **render) {
  struct render *r = *render;
  if (!r) return;
  json_decref(r->results);
  ck_buf_free(&r->platform_text);
  free(r);
  *render = NULL;
}

/* ---- what was shown with its call ---- */

static bool was_shown(const struct render *r, const struct render_message *m) {
  size_t i;
  const json_t *result;
  if (m->kind != RENDER_RESULT || m->attachments) return false;
  if (m->text.n == 0) return m->execution_count == 0;
  json_array_foreach(r->results, i, result) {
    if (ck_str_eq(render_text_of(result), m->text)) return true;
  }
  return false;
}

static void keep_results(struct render *r, const struct render_message *m) {
  for (size_t i = 0; i < m->execution_count; ++i) {
    struct ck_str result = m->executions[i].result;
    if (!result.n || result.n > RESULT_BYTES) continue;
    if (json_array_size(r->results) == RESULTS) json_array_remove(r->results, 0);
    json_array_append_new(r->results, json_stringn(result.s, result.n));
  }
}

bool render_is_repeated(struct render *r, const struct render_message *m) {
  if (!render_is_aside(m)) json_array_clear(r->results);
  if (was_shown(r, m)) return true;
  keep_results(r, m);
  return false;
}

/* ---- the document ---- */

void render_begin(struct render *r, const struct render_conversation *c) {
  ck_buf_clear(&r->platform_text);
  ck_buf_str(&r->platform_text, c->platform);
  r->platform = ck_buf_view(&r->platform_text);
  forms[r->form].backend->begin(r, c);
}

void render_message(struct render *r, const struct render_message *m) {
  if (render_is_repeated(r, m) || (m->hidden && render_is_empty(m))) return;
  forms[r->form].backend->message(r, m);
}

void render_branch(struct render *r, size_t n, size_t of, struct ck_str after) {
  forms[r->form].backend->branch(r, n, of, after);
}

void render_note(struct render *r, struct ck_str text) { forms[r->form].backend->note(r, text); }

void render_end(struct render *r) { forms[r->form].backend->end(r); }

void render_say_missing(struct ck_buf *b, int64_t count) {
  if (count <= 0) return;
  ck_buf_printf(b, "%lld %s before this %s not here", (long long)count,
                ck_noun((uint64_t)count, "message", "messages"),
                ck_noun((uint64_t)count, "is", "are"));
}

/* A document in one of the forms: what they share; see render.h. */
#include "proto/render/inner.h"

#include <stdlib.h>
#include <string.h>

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
  *r = (struct render){.form = form, .style = *style, .out = out};
  return r;
}

void render_free(struct render **render) {
  struct render *r = *render;
  if (!r) return;
  ck_buf_free(&r->platform_text);
  free(r);
  *render = NULL;
}

/* ---- what was shown with its call ---- */

/* Records have what was executed without the blanks around it. */
static void hash_of(struct ck_str text, unsigned char hash[CK_SHA256_BYTES]) {
  struct ck_sha256 h;
  ck_sha256_begin(&h);
  ck_sha256_add(&h, ck_trim(text));
  ck_sha256_end(&h, hash);
}

static bool is_answer(const struct render_message *m) {
  return m->kind == RENDER_RESULT || (m->kind == RENDER_ERROR && ck_str_is(m->role, "tool"));
}

static bool was_shown(const struct render *r, const struct render_message *m) {
  unsigned char hash[CK_SHA256_BYTES];
  if (!is_answer(m) || m->attachments) return false;
  if (ck_trim(m->text).n == 0) return m->execution_count == 0;
  hash_of(m->text, hash);
  for (size_t i = 0; i < r->result_count && i < RENDER_RESULTS; ++i)
    if (memcmp(r->results[i], hash, sizeof hash) == 0) return true;
  return false;
}

static void keep_result(struct render *r, struct ck_str result) {
  if (result.n) hash_of(result, r->results[r->result_count++ % RENDER_RESULTS]);
}

static void keep_results(struct render *r, const struct render_message *m) {
  for (size_t i = 0; i < m->execution_count; ++i) {
    keep_result(r, m->executions[i].result);
    keep_result(r, m->executions[i].error);
  }
}

bool render_is_repeated(struct render *r, const struct render_message *m) {
  if (!render_is_aside(m) && !is_answer(m)) r->result_count = 0;
  if (was_shown(r, m)) return true;
  keep_results(r, m);
  return false;
}

/* ---- the document ---- */

void render_within(struct render *r, struct ck_str platform) {
  ck_buf_clear(&r->platform_text);
  ck_buf_str(&r->platform_text, platform);
  r->platform = ck_buf_view(&r->platform_text);
}

void render_begin(struct render *r, const struct render_conversation *c) {
  render_within(r, c->platform);
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

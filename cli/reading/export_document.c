/* See export_document.h. */
#include "cli/reading/export_document.h"

#include <stdlib.h>
#include "cli/out.h"
#include "cli/reading/message.h"
#include "cli/reading/reading.h"
#include "cli/rows.h"

struct document {
  struct export_text to;
  const struct cli_reading *r;
  const struct export_choice *choice;
  struct render *render;
  const struct ck_step *before;
};

int export_order(struct cli *c, const json_t *conversation, size_t branch, struct cli_reading *r,
                 size_t **chosen, size_t *count) {
  int rc = cli_reading_load(c, conversation, r);
  *chosen = NULL;
  *count = 0;
  if (rc != CLI_GO_ON || r->count == 0) return rc;
  rc = cli_reading_has_branch(c, conversation, r, branch);
  if (rc != CLI_GO_ON) {
    cli_reading_free(r);
    return rc;
  }
  *count = branch ? ck_reading_along(r->order, branch, chosen) : cli_reading_all(r, false, chosen);
  return rc;
}

/* ---- what stands between messages ---- */

static void note(struct document *d, bool says, struct ck_buf *text) {
  if (says) render_note(d->render, ck_buf_view(text));
  ck_buf_clear(text);
}

static void put_between(struct document *d, const struct ck_step *step) {
  const struct ck_branch *b = &d->r->branches[step->branch - 1];
  struct ck_buf text = {0};
  bool begins = !d->before || d->before->branch != step->branch;
  if (begins && d->choice->branch == 0 && step->branch > 1)
    render_branch(d->render, step->branch, d->r->branch_count, b->after);
  note(d, cli_reading_say_conversation(&text, d->r, d->before, step), &text);
  if (step == &d->r->steps[b->first]) note(d, cli_reading_say_missing(&text, b), &text);
  ck_buf_free(&text);
}

static bool take(void *self, const struct ck_step *step, json_t *object) {
  struct document *d = self;
  struct cli_message message;
  put_between(d, step);
  cli_message_of(&message, object, step);
  render_message(d->render, &message.m);
  cli_message_free(&message);
  d->before = step;
  return export_text_write(&d->to, false);
}

/* Branches that are not in the document. */
static void put_left_out(struct document *d) {
  struct ck_buf text = {0};
  size_t n = d->r->branch_count;
  if (d->choice->branch == 0 || n < 2) return;
  ck_buf_printf(&text, "this is branch %zu of %zu; --branch all exports all of them",
                d->choice->branch, n);
  note(d, true, &text);
  ck_buf_free(&text);
}

/* ---- the document ---- */

int export_document(struct cli *c, const json_t *conversation, const struct export_choice *choice,
                    struct export_out *out, struct ck_err *err) {
  struct cli_reading r;
  size_t *chosen, count;
  int rc = export_order(c, conversation, choice->branch, &r, &chosen, &count);
  if (rc != CLI_GO_ON) return rc;
  struct document d = {.to = {.out = out, .err = err}, .r = &r, .choice = choice};
  const struct render_style style = {
      .terminal = choice->terminal, .full = true, .has_tree = r.has_tree};
  d.render = render_new(choice->form, &d.to.text, &style);
  cli_conversation_begin(d.render, conversation, &r, count);
  rc = cli_reading_walk(c, &r, chosen, count, take, &d);
  put_left_out(&d);
  render_end(d.render);
  if (rc == CLI_GO_ON && !d.to.failed) export_text_write(&d.to, true);
  render_free(&d.render);
  ck_buf_free(&d.to.text);
  free(chosen);
  cli_reading_free(&r);
  return rc == CLI_GO_ON && d.to.failed ? CLI_FAILED : rc;
}

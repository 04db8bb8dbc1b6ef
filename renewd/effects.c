/* What the core says is to be done. */
#include "renewd/renewd.h"

#include "proto/log.h"

static void answered(void *self, uint64_t ticket, const struct renew_answer *answer) {
  renew_happens(self, &(struct renew_event){RENEW_ANSWER, ticket, {.answer = answer}});
}

static void put_pair(struct ck_buf *b, const struct renew_pair *p) {
  ck_buf_printf(b, "%s%s=", b->len ? " " : "", p->name);
  if (p->quoted)
    ck_buf_text(b, ck_quoted(p->text));
  else if (p->text.n)
    ck_buf_str(b, p->text);
  else
    ck_buf_printf(b, "%lld", (long long)p->number);
}

static void say(const struct renew_line *l) {
  static const enum ck_level levels[] = {
      [RENEW_SAY_DEBUG] = CK_DEBUG, [RENEW_SAY_INFO] = CK_INFO, [RENEW_SAY_WARN] = CK_WARN};
  struct ck_buf pairs = {0};
  for (unsigned i = 0; i < l->n; i++) put_pair(&pairs, &l->pairs[i]);
  ck_log(levels[l->level], l->subject.s, l->event, "%s", ck_buf_cstr(&pairs));
  ck_buf_free(&pairs);
}

static void note_lateness(struct renewd *r, struct ck_str job_id) {
  const struct renew_job *job = renew_core_job(&r->core, job_id);
  int64_t now = ck_boot_ms();
  if (job && job->due <= now) ck_histogram_note(&r->lateness, (now - job->due) * 1000);
}

static void do_one(struct renewd *r, const struct renew_effect *e) {
  switch (e->kind) {
  case RENEW_QUERY:
    renew_question_send(r->queries, e->ticket, &e->as.query, answered, r);
    break;
  case RENEW_TELL:
    if (e->as.tell.mutation.kind == CK_OP_CLAIM)
      note_lateness(r, e->as.tell.mutation.as.claim.job_id);
    renew_outcomes_tell(r->outcomes, e);
    break;
  case RENEW_SEND:
    renew_sending_begin(r, e);
    break;
  case RENEW_CANCEL:
    renew_sending_cancel(r, e->ticket);
    break;
  case RENEW_ABANDON:
    renew_sending_abandon(r, e->ticket);
    break;
  case RENEW_SAY:
    say(&e->as.say);
    break;
  }
}

/* The list may grow meanwhile, and move: a delivery may be over at once. */
bool renew_do_effects(struct renewd *r) {
  bool any = r->effects.n > 0;
  for (size_t i = 0; i < r->effects.n; i++) {
    const struct renew_effect e = r->effects.v[i];
    do_one(r, &e);
  }
  renew_effects_clear(&r->effects);
  return any;
}

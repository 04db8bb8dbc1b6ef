/* Attempts whose end is unknown. The store is asked now and then which of them something may tell
 * that was observed since; then renewd proposes that it looks (RESOLVE). The store decides. */
#include "renewd/core/inner.h"

/* It is asked this long after the last time if a row has come that may tell something, and else
 * less and less often. */
#define LOOK_MS 2000
#define LOOK_MAX_MS 16000

void renew_doubt_begin(struct renew_core *core, struct renew_job *j) {
  if (j->in_doubt) return;
  j->in_doubt = true;
  j->said = j->captured = 0;
  core->doubts.jobs++;
  core->doubts.at = core->now.boot;
  core->doubts.wait = LOOK_MS;
}

void renew_doubts_row(struct renew_core *core) {
  struct renew_doubts *d = &core->doubts;
  if (d->at > d->asked_at + LOOK_MS) d->at = d->asked_at + LOOK_MS;
  d->wait = LOOK_MS;
}

void renew_doubt_end(struct renew_core *core, struct renew_job *j) {
  if (j->in_doubt) core->doubts.jobs--;
  j->in_doubt = false;
}

void renew_doubts_step(struct renew_core *core) {
  struct renew_doubts *d = &core->doubts;
  if (!d->jobs || d->ticket.number || core->now.boot < d->at) return;
  d->asked_at = core->now.boot;
  d->at = core->now.boot + d->wait;
  d->wait = d->wait < LOOK_MAX_MS ? d->wait * 2 : LOOK_MAX_MS;
  renew_query(core->out, renew_ticket_take(&core->tickets, &d->ticket, RENEW_OF_DOUBTS),
              &(struct renew_question){.parts = RENEW_ABOUT_DOUBTS, .page = d->page});
}

/* What has not been looked at, and is not ahead of the clock. */
static bool has_news(const struct renew_core *core, const struct renew_job *j,
                     const struct renew_doubt *d) {
  bool captured = d->captured > j->captured && d->captured <= core->now.wall;
  return d->said > j->said || captured;
}

static void look(struct renew_core *core, const struct renew_doubt *d) {
  struct renew_job *j = renew_core_job(core, d->job_id);
  if (!j || !j->in_doubt || j->proposal.number || !has_news(core, j, d)) return;
  struct ck_mutation m = {.kind = CK_OP_RESOLVE};
  m.as.resolve = (struct ck_resolve){
      .job_id = d->job_id, .at = core->now.wall, .rest = (uint64_t)core->set.rules.cooldown};
  j->said = d->said;
  if (d->captured <= core->now.wall) j->captured = d->captured;
  renew_tell(core->out, renew_ticket_take(&core->tickets, &j->proposal, RENEW_OF_RESOLVE), &m);
}

void renew_doubts_page(struct renew_core *core, const struct renew_answer *a) {
  core->doubts.page = a->n == RENEW_PAGE ? core->doubts.page + 1 : 0;
  for (size_t i = 0; i < a->n; i++) look(core, &a->doubts[i]);
}

/* Unless it is refused or changes nothing, its row comes. */
void renew_resolve_receipted(struct renew_core *core, struct renew_job *j,
                             const struct renew_event *e) {
  char result = e->as.receipt.result;
  struct renew_line *l = renew_say(core->out, result == 'u' ? RENEW_SAY_INFO : RENEW_SAY_DEBUG,
                                   j->node.id, result == 'u' ? "resolved" : "not_resolved");
  renew_say_text(core->out, l, "refused", e->as.receipt.reason);
}

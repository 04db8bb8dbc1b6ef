/* Conversations about which something has changed: superseded jobs, of which renewd proposes to the
 * store, which knows everything at that moment, that they end; and offers that must wait again. */
#include "renewd/core/inner.h"

bool renew_job_is_superseded(const struct renew_job *j) {
  const struct renew_conversation *c = j->of;
  if (!j->automatic || j->anyway) return false;
  struct ck_str id = ck_str_of(j->node.id);
  return c->automation == RENEW_MANUAL ||
         (c->last.id && !ck_job_is_automatic(id, ck_str_of(c->last.id)));
}

static void propose(struct renew_core *core, struct renew_job *j) {
  struct ck_mutation m = {.kind = CK_OP_SUPERSEDE};
  m.as.supersede = (struct ck_supersede){ck_str_of(j->node.id), core->now.wall};
  renew_tell(core->out, renew_ticket_take(&core->tickets, &j->proposal, RENEW_OF_PROPOSAL), &m);
}

/* '=': a person wants the job although it is superseded. Refused: the store knows better, and the
 * row that says so will come. Not known: nothing but another proposal tells whether it is wanted.
 */
void renew_proposal_receipted(struct renew_core *core, struct renew_job *j,
                              const struct renew_event *e) {
  char result = e->as.receipt.result;
  if (result == '?') {
    renew_conversation_touch(core, j->of);
    return;
  }
  struct renew_line *l =
      renew_say(core->out, result == 'r' ? RENEW_SAY_DEBUG : RENEW_SAY_INFO, j->node.id,
                result == '=' ? "superseded_but_wanted" : "superseded");
  renew_say_text(core->out, l, "refused", e->as.receipt.reason);
  j->anyway = result == '=';
  renew_conversation_place(core, j->of);
}

static void look_at(struct renew_core *core, struct renew_job *j) {
  if (j->phase == RENEW_OPEN && !renew_job_may_go(core, j))
    renew_job_step(core, j, RENEW_JOB_HELD, NULL);
  else if (j->phase == RENEW_WAITS && j->status == RENEW_PENDING && !j->proposal.number &&
           renew_job_is_superseded(j))
    propose(core, j);
}

void renew_touched_step(struct renew_core *core) {
  for (struct renew_conversation *c; (c = core->touched.head);) {
    core->touched.head = c->next_touched;
    c->touched = false;
    for (struct renew_job *j = c->jobs; j; j = j->next) look_at(core, j);
    renew_conversation_drop(core, c);
  }
}

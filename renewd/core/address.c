/* Jobs that have nowhere to go: the link of their conversation is looked for. So is what its owner
 * says of the account, if that is not known and the limit of a job's account holds it up.
 *
 *                  job or link came   its turn      answered             reset
 *   ADDRESSED      UNADDRESSED
 *   UNADDRESSED    -                  ADDRESSING                         ADDRESSED
 *   ADDRESSING     UNADDRESSED                      UPDATE for each      ADDRESSED
 *                                                   job; ADDRESSED
 *
 * A job whose target was found has its turn when its row has come. */
#include "renewd/core/inner.h"

#include <stdlib.h>

#define ADDRESSED_AT_ONCE 32
#define NOT_YET "its target is looked for"

static void become(struct renew_core *core, struct renew_conversation *c,
                   enum renew_addressing next) {
  core->without_address -= c->addressing != RENEW_ADDRESSED;
  core->addressing -= c->addressing == RENEW_ADDRESSING;
  renew_ticket_drop(&core->tickets, &c->link_ticket);
  c->addressing = next;
  core->addressing += c->addressing == RENEW_ADDRESSING;
  core->without_address += c->addressing != RENEW_ADDRESSED;
}

static void look_for(struct renew_core *core, struct renew_conversation *c) {
  struct renew_queue *q = &core->unaddressed;
  if (c->addressing == RENEW_UNADDRESSED) return;
  become(core, c, RENEW_UNADDRESSED);
  c->next_unaddressed = NULL;
  if (q->head)
    q->tail->next_unaddressed = c;
  else
    q->head = c;
  q->tail = c;
}

/* no_target may be the job's own. */
static void set_no_target(struct renew_core *core, struct renew_job *j, const char *no_target) {
  char *reason = no_target ? ck_strdup(no_target) : NULL;
  free(j->no_target);
  j->no_target = reason;
  renew_conversation_touch(core, j->of);
}

void renew_address_job(struct renew_core *core, struct renew_job *j,
                       const struct renew_target *target) {
  struct ck_err err;
  if (target && renew_resolve_target(&core->set, target, &err) == 0) {
    set_no_target(core, j, NULL);
    return;
  }
  if (!j->no_target) set_no_target(core, j, NOT_YET);
  look_for(core, j->of);
}

void renew_address_account(struct renew_core *core, struct renew_conversation *c) {
  if (c->account_known || c->account_asked) return;
  c->account_asked = true;
  look_for(core, c);
}

void renew_address_link_row(struct renew_core *core, const struct ck_row *row) {
  struct renew_conversation *c =
      renew_core_conversation(core, ck_row_text(row, CK_LINKS_LOCAL_CONVERSATION_ID));
  bool lacks = false;
  for (const struct renew_job *j = c ? c->jobs : NULL; j; j = j->next)
    if (j->no_target) lacks = true;
  if (lacks) look_for(core, c);
}

bool renew_address_is_asked(const struct renew_core *core) {
  return core->unaddressed.head && core->addressing < ADDRESSED_AT_ONCE;
}

void renew_address_step(struct renew_core *core) {
  while (renew_address_is_asked(core) && core->now.boot >= core->address_at) {
    struct renew_conversation *c = core->unaddressed.head;
    core->unaddressed.head = c->next_unaddressed;
    become(core, c, RENEW_ADDRESSING);
    renew_query(core->out, renew_ticket_take(&core->tickets, &c->link_ticket, RENEW_OF_LINK),
                &(struct renew_question){
                    .parts = RENEW_ABOUT_LINK | (c->account_asked ? RENEW_ABOUT_CONVERSATION : 0u),
                    .conversation_id = ck_str_of(c->node.id)});
  }
}

static void send_to(struct renew_core *core, struct renew_job *j, struct ck_str snapshot) {
  struct ck_row row = {.table = CK_JOBS};
  row.v[CK_JOBS_JOB_ID] = ck_textz(j->node.id);
  row.v[CK_JOBS_TARGET_SNAPSHOT] = ck_text(snapshot);
  renew_tell_row(core->out, 0, CK_OP_UPDATE, &row);
  set_no_target(core, j, NOT_YET);
}

static void keep_waiting(struct renew_core *core, struct renew_job *j, const char *missing) {
  if (strcmp(j->no_target, missing) != 0) {
    struct renew_line *l = renew_say(core->out, RENEW_SAY_WARN, j->node.id, "no_target");
    renew_say_text(core->out, l, "conversation", ck_str_of(j->of->node.id));
    renew_say_text(core->out, l, "reason", ck_str_of(missing));
  }
  set_no_target(core, j, missing);
}

/* Its row may have come since. */
static void take_account(struct renew_core *core, struct renew_conversation *c,
                         struct ck_str renewal) {
  bool asked = c->account_asked && !c->account_known;
  c->account_asked = false;
  if (asked && renew_conversation_account(core, c, renewal)) renew_conversation_touch(core, c);
}

void renew_address_known(struct renew_core *core, struct renew_conversation *c,
                         const struct renew_answer *a) {
  struct ck_buf snapshot = {0};
  struct ck_err err;
  become(core, c, RENEW_ADDRESSED);
  if (a->problem) {
    renew_core_error(core, a->problem);
    core->address_at = core->now.boot + RENEW_AGAIN_MS;
    look_for(core, c);
    return;
  }
  take_account(core, c, a->renewal);
  int missing = renew_resolve_link(&core->set, a->has_link ? &a->link : NULL, &snapshot, &err);
  for (struct renew_job *j = c->jobs; j; j = j->next) {
    if (!j->no_target || j->status != RENEW_PENDING) continue;
    if (missing)
      keep_waiting(core, j, err.text);
    else
      send_to(core, j, ck_buf_view(&snapshot));
  }
  ck_buf_free(&snapshot);
  renew_conversation_drop(core, c);
}

void renew_address_forget(struct renew_core *core, struct renew_conversation *c) {
  become(core, c, RENEW_ADDRESSED);
  c->account_asked = false;
}

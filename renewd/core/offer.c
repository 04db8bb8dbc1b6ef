/* Jobs that their clients deliver: an offer waits in the store, without limit of time and without a
 * charge, until its client claims it. The attempt is the client's from there to its end (look.c).
 * Meanwhile the conversation has no other delivery. */
#include "renewd/core/inner.h"

#include <stdlib.h>

/* Its turn has come. It needs no slot while it waits. */
void renew_offer_begin(struct renew_core *core, struct renew_job *j, const struct renew_event *e) {
  (void)e;
  renew_job_begin(core, j);
  renew_job_free_slot(core, j);
  renew_query(core->out, renew_job_await(core, j, RENEW_READING),
              &(struct renew_question){.parts = RENEW_ABOUT_JOB | RENEW_ABOUT_CONVERSATION,
                                       .job_id = ck_str_of(j->node.id),
                                       .conversation_id = ck_str_of(j->of->node.id)});
  renew_conversation_place(core, j->of);
}

/* No client could read it, however often it is offered. */
static void cancel(struct renew_core *core, struct renew_job *j, const char *why) {
  struct ck_mutation m = {.kind = CK_OP_CANCEL};
  m.as.cancel = (struct ck_cancel){ck_str_of(j->node.id), ck_str_of(why), core->now.wall, false};
  j->hold = core->now.boot + RENEW_AGAIN_MS;
  renew_tell(core->out, renew_job_await(core, j, RENEW_WITHDRAWING), &m);
}

/* The store takes the offer only if the job has not changed since it was read. */
static void offer(struct renew_core *core, struct renew_job *j, const struct renew_answer *a,
                  const struct renew_target *target) {
  const struct renew_letter letter = {.job_id = ck_str_of(j->node.id),
                                      .conversation_id = ck_str_of(j->of->node.id),
                                      .payload = a->job.payload,
                                      .payload_kind = a->job.payload_kind,
                                      .attempt = a->job.attempt_count + 1,
                                      .target = target,
                                      .message_id = a->job.message_id,
                                      .last_message_id = a->last_message_id};
  struct ck_buf body = {0};
  struct ck_err err;
  char id[33];
  if (renew_letter_json(&body, &letter, &err)) {
    cancel(core, j, err.text);
  } else {
    struct ck_mutation m = {.kind = CK_OP_OFFER};
    renew_core_token(core, id);
    m.as.offer = (struct ck_offer){.job_id = ck_str_of(j->node.id),
                                   .client = ck_str_of(renew_target_client(target)),
                                   .offer = ck_str_of(id),
                                   .body = ck_buf_view(&body),
                                   .rest = (uint64_t)core->set.rules.cooldown,
                                   .version = a->job.head,
                                   .account = renew_lane_account(j->lane)};
    renew_tell(core->out, renew_job_await(core, j, RENEW_OFFERING), &m);
  }
  ck_buf_free(&body);
}

void renew_offer_read(struct renew_core *core, struct renew_job *j, const struct renew_event *e) {
  const struct renew_answer *a = e->as.answer;
  struct renew_target target;
  if (a->problem) renew_core_error(core, a->problem);
  renew_target_parse(&target, a->job.snapshot, NULL);
  if (!a->problem && renew_target_client(&target)) {
    offer(core, j, a, &target);
  } else {
    j->hold = core->now.boot + RENEW_AGAIN_MS;
    renew_job_follow(core, j, 0); /* if its row has changed, it comes */
  }
  renew_target_free(&target);
}

void renew_offer_receipted(struct renew_core *core, struct renew_job *j,
                           const struct renew_event *e) {
  if (e->as.receipt.result == 'r') {
    renew_say_text(core->out, renew_say(core->out, RENEW_SAY_WARN, j->node.id, "offer_refused"),
                   "reason", e->as.receipt.reason);
    j->hold = core->now.boot + RENEW_AGAIN_MS;
    renew_job_follow(core, j, e->as.receipt.version);
    return;
  }
  renew_job_enter(core, j, RENEW_OPEN);
  if (j->status == RENEW_RUNNING)
    renew_job_step(core, j, RENEW_JOB_RUNNING, NULL);
  else if (e->as.receipt.result == '?') /* it may have been refused, and no row would say so */
    renew_job_step(core, j, RENEW_JOB_HELD, NULL);
  renew_conversation_touch(core, j->of);
}

void renew_offer_withdraw(struct renew_core *core, struct renew_job *j,
                          const struct renew_event *e) {
  (void)e;
  struct ck_mutation m = {.kind = CK_OP_WITHDRAW};
  m.as.withdraw.job_id = ck_str_of(j->node.id);
  renew_say_text(core->out, renew_say(core->out, RENEW_SAY_INFO, j->node.id, "withdrawn"),
                 "conversation", ck_str_of(j->of->node.id));
  renew_tell(core->out, renew_job_await(core, j, RENEW_WITHDRAWING), &m);
}

void renew_withdraw_receipted(struct renew_core *core, struct renew_job *j,
                              const struct renew_event *e) {
  renew_job_follow(core, j, e->as.receipt.version);
}

/* ---- offers that a former run made ---- */

bool renew_offers_are_wanted(const struct renew_core *core) {
  const struct renew_offers *o = &core->offers;
  return !o->loaded && !o->ticket.number && core->recovered && !core->recovering &&
         core->upcoming.ready;
}

void renew_offers_load(struct renew_core *core) {
  struct renew_offers *o = &core->offers;
  if (!renew_offers_are_wanted(core) || core->now.boot < o->at) return;
  renew_query(
      core->out, renew_ticket_take(&core->tickets, &o->ticket, RENEW_OF_OFFERS),
      &(struct renew_question){.parts = RENEW_ABOUT_OFFERS, .cursor = ck_str_of(o->cursor)});
}

/* One that is not due yet has been due by a clock that was set back since. */
static void take(struct renew_core *core, const struct renew_job_row *r) {
  struct renew_job *j = renew_upcoming_take(core, r);
  if (!j || j->status != RENEW_PENDING || j->phase != RENEW_WAITS) return;
  renew_job_enter(core, j, RENEW_OPEN);
  /* The row of a conversation on manual is not kept: what its account and platform are, after
   * which it may have to wait, comes with its past. */
  if (j->of->automation == RENEW_MANUAL) renew_job_step(core, j, RENEW_JOB_HELD, NULL);
  renew_conversation_touch(core, j->of);
}

void renew_offers_page(struct renew_core *core, const struct renew_answer *a) {
  struct renew_offers *o = &core->offers;
  if (a->problem) {
    renew_core_error(core, a->problem);
    o->at = core->now.boot + RENEW_AGAIN_MS;
    return;
  }
  for (size_t i = 0; i < a->n; i++) take(core, &a->jobs[i]);
  renew_keep_cursor(&o->cursor, a->cursor);
  o->loaded = !o->cursor;
}

void renew_offers_reset(struct renew_core *core) {
  renew_ticket_drop(&core->tickets, &core->offers.ticket);
  free(core->offers.cursor);
  core->offers = (struct renew_offers){0};
}

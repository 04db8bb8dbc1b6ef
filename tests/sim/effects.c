/* What renewd says: what it tells the store, in order and until it has a receipt; what it asks, and
 * what it sends. */
#include "tests/sim/accounts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- on its way to the store ---- */

#define WINDOW 64

static void send(const struct telling *t) {
  struct event *e = sim_between(TOLD, one_in(300) ? chance(5 * SECOND) : chance(3));
  e->number = t->number;
}

/* What this connection has not carried yet, up to the window. */
void sim_send_window(void) {
  uint64_t last = renewd.head ? renewd.head->number + WINDOW - 1 : 0;
  for (const struct telling *t = renewd.head; t && t->number <= last; t = t->next) {
    if (!renewd.connected || t->number <= renewd.sent) continue;
    renewd.sent = t->number;
    send(t);
  }
}

const struct telling *sim_telling(unsigned run, uint64_t number) {
  if (run != renewd.run) return NULL;
  for (const struct telling *t = renewd.head; t; t = t->next)
    if (t->number == number) return t;
  return NULL;
}

static struct telling *tell(enum tell kind, uint64_t ticket, int job) {
  struct telling *t = ck_zalloc(sizeof *t);
  *t = (struct telling){.kind = kind,
                        .run = renewd.run,
                        .number = ++renewd.numbers,
                        .ticket = ticket,
                        .job = job,
                        .told = now().wall,
                        .target = -1,
                        .account = -1};
  *renewd.tail = t;
  renewd.tail = &t->next;
  return t;
}

void sim_receipt(unsigned run, uint64_t number, char result, struct question *found) {
  if (!renewd.up || run != renewd.run) {
    sim_question_free(found);
    return;
  }
  struct event *e = sim_between(RECEIPT, one_in(300) ? chance(5 * SECOND) : chance(5));
  e->number = number;
  e->result = result;
  e->version = store.version;
  e->question = found;
}

/* ---- effects ---- */

static int target_of(struct ck_str snapshot) {
  struct renew_target t;
  int id = renew_target_parse(&t, snapshot, NULL) == 0 && t.id ? atoi(t.id) : -1;
  renew_target_free(&t);
  return id;
}

/* NULL: none. */
static const struct ck_limit *limit_with(const struct renew_effect *effect) {
  return effect->as.tell.limit ? &effect->as.tell.limit->as.limit : NULL;
}

static void told_row(const struct renew_effect *effect) {
  const struct ck_row *row = effect->as.tell.row;
  struct ck_str snapshot = ck_row_text(row, CK_JOBS_TARGET_SNAPSHOT);
  if (effect->as.tell.mutation.kind == CK_OP_UPDATE) {
    tell(TELL_UPDATE, effect->ticket, sim_job_of(ck_row_key(row)))->target = target_of(snapshot);
    return;
  }
  struct telling *t = tell(TELL_PUT, effect->ticket, -1);
  t->conversation = sim_conversation_of(ck_row_text(row, CK_JOBS_LOCAL_CONVERSATION_ID));
  t->message = sim_message_of(ck_row_text(row, CK_JOBS_MESSAGE_ID));
  if (snapshot.n) t->target = target_of(snapshot);
  t->next_at = ck_row_int(row, CK_JOBS_NEXT_ATTEMPT_AT, 0);
  const struct conversation *c = &world.c[t->conversation];
  int64_t wait = t->next_at - now().wall;
  t->wait = wait > 0 && c->told_until == c->cooldown_until ? c->rest : sim_wait(wait, 0);
  t->wait.by = renewd.knows;
  sim_check_put(t->conversation, t->message, wait);
  if (limit_with(effect)) sim_tells_limit(t, limit_with(effect), TELL_PUT);
}

static void told_end(const struct renew_effect *effect, const struct ck_end *m) {
  struct telling *t = tell(TELL_END, effect->ticket, sim_job_of(m->job_id));
  for (int o = RENEW_DONE; o <= RENEW_UNREACHED; o++)
    if (ck_str_is(m->outcome, renew_outcome_name(o))) t->outcome = o;
  t->next_at = m->next_attempt_at;
  t->cooldown_until = m->cooldown_until;
  t->attempt = (int64_t)m->attempt;
  int64_t until = t->cooldown_until ? t->cooldown_until : t->next_at;
  t->wait = sim_wait(until - now().wall, renewd.knows);
  snprintf(t->token, sizeof t->token, "%.*s", (int)m->token.n, m->token.n ? m->token.s : "");
  sim_check_end(t->job, t, limit_with(effect));
  if (limit_with(effect)) sim_tells_limit(t, limit_with(effect), TELL_END);
  sim_set_stage(t->job, STAGE_ENDING);
  sim_awaits(t->job, effect->ticket);
}

static void told(const struct renew_effect *effect) {
  const struct ck_mutation *m = &effect->as.tell.mutation;
  uint64_t ticket = effect->ticket;
  struct telling *t;
  switch (m->kind) {
  case CK_OP_PUT:
  case CK_OP_UPDATE:
    told_row(effect);
    break;
  case CK_OP_CLAIM:
    t = tell(TELL_CLAIM, ticket, sim_job_of(m->as.claim.job_id));
    t->at = m->as.claim.at;
    snprintf(t->token, sizeof t->token, "%.*s", (int)m->as.claim.token.n, m->as.claim.token.s);
    t->account = sim_account_named(m->as.claim.account);
    sim_check_claim(t->job);
    SIM_CHECK(t->account == world.j[t->job].charged, "job %s is charged to account %d, not %d",
              world.j[t->job].name, t->account, world.j[t->job].charged);
    snprintf(world.j[t->job].tried, sizeof t->token, "%s", t->token);
    if (one_in(40)) sim_add(MEDDLES, chance(4), world.j[t->job].conversation);
    if (sim_is_used_up(t->account) && one_in(2)) sim_limit_comes(t->account);
    sim_set_stage(t->job, STAGE_CLAIMING);
    sim_awaits(t->job, ticket);
    break;
  case CK_OP_END:
    told_end(effect, &m->as.end);
    break;
  case CK_OP_SUPERSEDE:
    tell(TELL_SUPERSEDE, ticket, sim_job_of(m->as.supersede.job_id));
    break;
  case CK_OP_OFFER:
    t = tell(TELL_OFFER, ticket, sim_job_of(m->as.offer.job_id));
    t->version = m->as.offer.version;
    t->account = sim_account_named(m->as.offer.account);
    sim_set_stage(t->job, STAGE_OFFERING);
    sim_awaits(t->job, ticket);
    break;
  case CK_OP_WITHDRAW:
    t = tell(TELL_WITHDRAW, ticket, sim_job_of(m->as.withdraw.job_id));
    sim_set_stage(t->job, STAGE_WITHDRAWING);
    sim_awaits(t->job, ticket);
    break;
  case CK_OP_CANCEL:
    tell(TELL_CANCEL, ticket, sim_job_of(m->as.cancel.job_id));
    break;
  case CK_OP_LIMIT:
    sim_tells_limit(tell(TELL_LIMIT, ticket, -1), &m->as.limit, TELL_LIMIT);
    break;
  default:
    sim_fail("renewd tells %s", ck_mutation_name(m->kind));
  }
}

static void judges(const struct question *q) {
  sim_check_judged(q->conversation, q->message);
  if (one_in(40 + world.conversations_n / 10)) sim_add(MEDDLES, chance(4), q->conversation);
}

static void asked(const struct renew_effect *effect) {
  const struct renew_question *from = &effect->as.query;
  struct question *q = ck_zalloc(sizeof *q);
  q->q = (struct renew_question){
      .parts = from->parts, .rules = from->rules, .since = from->since, .number = from->number};
  snprintf(q->cursor, sizeof q->cursor, "%.*s", (int)from->cursor.n, from->cursor.s);
  q->job = from->job_id.n ? sim_job_of(from->job_id) : -1;
  q->message = from->message_id.n ? sim_message_of(from->message_id) : -1;
  q->conversation = from->conversation_id.n ? sim_conversation_of(from->conversation_id) : -1;
  q->wait_of = q->job;
  if (from->parts == RENEW_ABOUT_WAITS) q->job = -1; /* it is about no stage */
  struct event *e = sim_add(ASK, chance(2), 0);
  e->run = renewd.run;
  e->ticket = effect->ticket;
  e->question = q;
  unsigned parts = from->parts;
  if (parts & RENEW_ABOUT_MESSAGE) judges(q);
  renewd.asks_waits |= parts == RENEW_ABOUT_WAITS;
  enum stage stage = parts & RENEW_ABOUT_PAST                                ? STAGE_ASKED
                     : parts & RENEW_ABOUT_UNREACHED                         ? STAGE_LEASING
                     : parts & RENEW_ABOUT_LEASE                             ? STAGE_LOOKING
                     : parts == (RENEW_ABOUT_JOB | RENEW_ABOUT_CONVERSATION) ? STAGE_READING
                                                                             : STAGE_NONE;
  if (stage == STAGE_NONE) return;
  if (stage == STAGE_READING) sim_check_claim(q->job);
  if (stage == STAGE_ASKED && one_in(40)) sim_add(MEDDLES, chance(4), world.j[q->job].conversation);
  sim_set_stage(q->job, stage);
  sim_awaits(q->job, effect->ticket);
}

void sim_do_effect(const struct renew_effect *e) {
  sim_note_effect(e);
  if (e->kind == RENEW_QUERY) asked(e);
  if (e->kind == RENEW_TELL) told(e);
  if (e->kind == RENEW_SEND) {
    int id = sim_job_of(e->as.send.job_id);
    SIM_CHECK(target_of(e->as.send.snapshot) == world.j[id].target, "%s goes elsewhere",
              world.j[id].name);
    sim_check_send(id);
    if (!world.j[id].taken_away) world.j[id].may_have_arrived = true;
    sim_set_stage(id, STAGE_SENDING);
    sim_deliver(id, e->ticket);
  }
  if (e->kind == RENEW_CANCEL) sim_delivery_ends(e->ticket);
  if (e->kind != RENEW_SAY) return;
  world.n.declined += strcmp(e->as.say.event, "declined") == 0;
  world.n.braked += strcmp(e->as.say.event, "braked") == 0;
  world.n.stopped += strcmp(e->as.say.event, "stopped") == 0;
  world.n.recovered += strcmp(e->as.say.event, "recovered") == 0;
}

/* The step: an event is taken by whatever waits for it, then everything is begun whose time has
 * come. */
#include "renewd/core/inner.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* While a job waits for the wall clock, a step of that clock is noticed within this time. */
#define CLOCK_LOOK_MS 500

void renew_core_init(struct renew_core *core, const struct renew_settings *set, uint64_t seed) {
  core->set = *set;
  core->pace.spacing = set->spacing;
  core->pace.account_spacing = set->account_spacing;
  core->pace.account_slots = set->account_slots;
  core->random.state = seed;
  renew_upcoming_init(&core->upcoming);
}

void renew_core_error(struct renew_core *core, const char *what) {
  struct ck_str kept = ck_utf8_cut(ck_str_of(what), sizeof core->last_error - 1);
  memcpy(core->last_error, kept.s, kept.n);
  core->last_error[kept.n] = '\0';
}

void renew_keep_cursor(char **kept, struct ck_str cursor) {
  free(*kept);
  *kept = cursor.n ? ck_str_dup(cursor) : NULL;
}

void renew_core_token(struct renew_core *core, char token[33]) {
  unsigned long long first = ck_random_next(&core->random), second = ck_random_next(&core->random);
  snprintf(token, 33, "%016llx%016llx", first, second);
}

/* ---- what comes ---- */

/* A job that is gone is over; a conversation that is gone sends nothing. What a target has said
 * last may tell what is gone. */
static void take_forgotten(struct renew_core *core, const struct ck_row *gone) {
  struct ck_str table = ck_row_text(gone, CK_FORGOTTEN_TABLE_NAME);
  struct ck_row was = {.table = CK_JOBS};
  renew_core_error(core, "");
  if (ck_str_is(table, ck_tables[CK_JOBS].name)) {
    was.v[CK_JOBS_JOB_ID] = gone->v[CK_FORGOTTEN_RECORD_KEY];
    was.v[CK_JOBS_STATUS] = ck_textz("failed");
    renew_job_row(core, &was);
  } else if (ck_str_is(table, ck_tables[CK_CONVERSATIONS].name)) {
    was.table = CK_CONVERSATIONS;
    was.v[CK_CONVERSATIONS_LOCAL_CONVERSATION_ID] = gone->v[CK_FORGOTTEN_RECORD_KEY];
    was.v[CK_CONVERSATIONS_AUTOMATION_STATUS] = ck_textz("manual");
    renew_conversation_row(core, &was);
  }
}

static void take_row(struct renew_core *core, const struct ck_row *row) {
  if (row->table == CK_FORGOTTEN) {
    take_forgotten(core, row);
    return;
  }
  if (row->table == CK_CONVERSATIONS) renew_conversation_row(core, row);
  if (row->table == CK_MESSAGES) renew_turn_message_row(core, row);
  if (row->table == CK_LINKS) renew_address_link_row(core, row);
  if (row->table == CK_JOBS)
    renew_job_row(core, row);
  else
    renew_doubts_row(core);
}

static void take_followed(struct renew_core *core, const struct renew_event *e) {
  core->version = e->as.followed.version;
  core->live = e->as.followed.live;
  if (core->live && !core->recovered) renew_recover_all(core);
}

/* What a former history's answers would say does not count; its receipts say nothing about this
 * one. Only our own attempts go on to their ends. */
static void take_reset(struct renew_core *core) {
  renew_jobs_reset(core);
  renew_conversations_reset(core);
  renew_upcoming_reset(core);
  renew_begun_reset(core);
  renew_offers_reset(core);
  renew_limits_reset(core);
  renew_waits_lost(core);
  core->recovered = core->live = false;
  core->version = 0;
}

#define OWNER(type, member) ((struct type *)(void *)((char *)t - offsetof(struct type, member)))

/* kind: ANSWER, RECEIPT or RESULT. */
static void take_waited_for(struct renew_core *core, const struct renew_event *e) {
  static const enum renew_job_event of_jobs[] = {[RENEW_ANSWER] = RENEW_JOB_ANSWERED,
                                                 [RENEW_RECEIPT] = RENEW_JOB_RECEIPTED,
                                                 [RENEW_RESULT] = RENEW_JOB_RESULTED};
  struct renew_ticket *t = renew_ticket_find(&core->tickets, e->ticket);
  if (!t) return; /* nobody waits for it any more */
  bool answer = e->kind == RENEW_ANSWER;
  renew_ticket_drop(&core->tickets, t);
  switch (t->owner) {
  case RENEW_OF_JOB:
    renew_job_step(core, OWNER(renew_job, ticket), of_jobs[e->kind], e);
    break;
  case RENEW_OF_PROPOSAL:
    renew_proposal_receipted(core, OWNER(renew_job, proposal), e);
    break;
  case RENEW_OF_TURN: {
    struct renew_conversation *c = OWNER(renew_conversation, turn_ticket);
    renew_turn_step(core, c, answer ? RENEW_TURN_ANSWERED : RENEW_TURN_RECEIPTED, e);
    renew_conversation_drop(core, c);
    break;
  }
  case RENEW_OF_LINK:
    renew_address_known(core, OWNER(renew_conversation, link_ticket), e->as.answer);
    break;
  case RENEW_OF_OFFERS:
    renew_offers_page(core, e->as.answer);
    break;
  case RENEW_OF_LIMITS:
    renew_limits_page(core, e->as.answer);
    break;
  case RENEW_OF_WAITS:
    renew_waits_page(core, e->as.answer);
    break;
  case RENEW_OF_DOUBTS:
    renew_doubts_page(core, e->as.answer);
    break;
  case RENEW_OF_UPCOMING:
    renew_upcoming_page(core, e->as.answer);
    break;
  case RENEW_OF_BEGUN:
    renew_begun_page(core, e->as.answer);
    break;
  case RENEW_OF_RESOLVE:
    renew_resolve_receipted(core, OWNER(renew_job, proposal), e);
    break;
  }
}

static void abandon(void *self, struct renew_node *n) {
  struct renew_core *core = self;
  struct renew_job *j = (struct renew_job *)n;
  if (j->phase != RENEW_SENDING) return;
  renew_say_number(renew_say(core->out, RENEW_SAY_WARN, j->node.id, "abandoned"), "attempt",
                   j->trying->count.attempt);
  renew_abandon(core->out, j->ticket.number);
}

static void take(struct renew_core *core, const struct renew_event *e) {
  switch (e->kind) {
  case RENEW_ROW:
    take_row(core, e->as.row);
    break;
  case RENEW_FOLLOWED:
    take_followed(core, e);
    break;
  case RENEW_RESET:
    take_reset(core);
    break;
  case RENEW_CONNECTED:
    core->connected = true;
    break;
  case RENEW_LOST:
    core->connected = false;
    renew_waits_lost(core);
    break;
  case RENEW_ANSWER:
  case RENEW_RECEIPT:
  case RENEW_RESULT:
    take_waited_for(core, e);
    break;
  case RENEW_PAUSES:
    renew_pauses_changed(core, e->as.pauses.rows, e->as.pauses.n);
    break;
  case RENEW_STOP:
    core->stopping = true;
    break;
  case RENEW_END:
    core->stopping = true;
    renew_index_each(&core->jobs, abandon, core);
    break;
  case RENEW_TICK:
    break;
  }
}

/* ---- what begins ---- */

static bool begins(const struct renew_core *core) { return core->connected && !core->stopping; }

/* Everything that is due is known, and what a dead run has left has been dealt with. */
static bool may_claim(const struct renew_core *core) {
  return core->recovered && !core->recovering && core->upcoming.ready && core->begun.loaded &&
         core->offers.loaded && core->limits.loaded;
}

static struct renew_job *of_timer(struct ck_timer *t) {
  return (struct renew_job *)((char *)t - offsetof(struct renew_job, timer));
}

static void look_at_leases(struct renew_core *core) {
  struct ck_timer *t;
  while ((t = ck_heap_top(&core->taken)) && t->at <= core->now.boot)
    renew_job_step(core, of_timer(t), RENEW_JOB_TIMED, NULL);
}

static void claim(struct renew_core *core) {
  struct renew_job *j;
  while (may_claim(core) && (j = renew_conversations_next_job(core)))
    renew_job_step(core, j, RENEW_JOB_TURN, NULL);
}

static void begin(struct renew_core *core) {
  renew_conversations_follow_clock(core);
  core->clock_at = core->now.boot;
  look_at_leases(core);
  renew_upcoming_step(core);
  renew_begun_load(core);
  renew_offers_load(core);
  renew_limits_load(core);
  renew_waits_load(core);
  renew_touched_step(core);
  renew_doubts_step(core);
  claim(core);
  renew_turns_settle(core);
  renew_address_step(core);
}

/* Rows of one change come one by one: nothing is begun in between. */
void renew_step(struct renew_core *core, const struct renew_event *event, struct renew_now now,
                struct renew_effects *effects) {
  core->now = now;
  core->out = effects;
  take(core, event);
  if (event->kind != RENEW_ROW && event->kind != RENEW_RESET) {
    renew_jobs_followed(core);
    if (begins(core)) begin(core);
  }
  core->out = NULL;
}

static void sooner(int64_t *at, int64_t other) {
  if (other < *at) *at = other;
}

static int64_t top(const struct ck_heap *h) {
  const struct ck_timer *t = ck_heap_top(h);
  return t ? t->at : RENEW_NEVER;
}

int64_t renew_core_wakes(const struct renew_core *core) {
  int64_t at = RENEW_NEVER;
  if (!begins(core)) return at;
  const struct renew_offers *o = &core->offers;
  const struct renew_doubts *d = &core->doubts;
  const struct renew_begun *b = &core->begun;
  int64_t page_at;
  if (renew_upcoming_waits(core, &page_at) || core->calendars) at = core->clock_at + CLOCK_LOOK_MS;
  sooner(&at, page_at);
  if (may_claim(core)) sooner(&at, renew_core_due(core));
  if (renew_turns_may_settle(core)) sooner(&at, top(&core->unsettled));
  sooner(&at, top(&core->taken));
  if (d->jobs && !d->ticket.number) sooner(&at, d->at);
  if (core->recovered && !b->loaded && !b->ticket.number) sooner(&at, b->at);
  if (renew_offers_are_wanted(core)) sooner(&at, o->at);
  if (renew_limits_look(core)) sooner(&at, core->limits.look_at);
  if (renew_waits_look(core)) sooner(&at, core->waits.at);
  if (renew_address_is_asked(core)) sooner(&at, core->address_at);
  return at;
}

/* ---- looking ---- */

int64_t renew_core_due(const struct renew_core *core) { return renew_pace_due(&core->pace); }
bool renew_core_unfinished(const struct renew_core *core) { return core->unfinished > 0; }
uint64_t renew_core_undecided(const struct renew_core *core) {
  return core->unsettled.count + core->assessing + core->without_address;
}

void renew_core_free(struct renew_core *core) {
  renew_jobs_free(core);
  renew_conversations_reset(core);
  renew_index_free(&core->jobs);
  renew_index_free(&core->conversations);
  renew_index_free(&core->lasts);
  renew_platforms_free(core);
  renew_limits_free(core);
  renew_waits_forget(core);
  renew_upcoming_reset(core);
  renew_begun_reset(core);
  renew_pace_free(&core->pace);
  renew_pauses_free(&core->pauses);
  renew_tickets_free(&core->tickets);
  ck_heap_free(&core->unsettled);
  ck_heap_free(&core->taken);
  ck_heap_free(&core->following);
}

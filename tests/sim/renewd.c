/* renewd: the core, and what the daemon around it does: it follows the store, tells it things until
 * it has a receipt for each, asks, and delivers. All of it is lost when renewd dies. */
#include "tests/sim/accounts.h"
#include "tests/sim/pauses.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct renewd renewd = {.tail = &renewd.head, .unserved = -1};

/* How long renewd waits for an answer. */
#define ASKS_AGAIN_MS (SECOND + chance(3 * SECOND))

/* Messages of one kind keep their order. */
struct event *sim_between(enum kind kind, int64_t in) {
  int64_t *last = &renewd.order[kind], at = world.boot + in;
  if (at < *last) at = *last;
  *last = at;
  struct event *e = sim_add(kind, at - world.boot, 0);
  e->run = renewd.run;
  e->life = store.life;
  return e;
}

void sim_step(const struct renew_event *e) {
  uint64_t numbers = renewd.numbers;
  world.n.steps++;
  sim_note("\n%lld %lld %d %llu", (long long)world.boot, (long long)now().wall, e->kind,
           (unsigned long long)e->ticket);
  renew_step(&renewd.core, e, now(), &renewd.effects);
  for (size_t i = 0; i < renewd.effects.n; i++) sim_do_effect(&renewd.effects.v[i]);
  renew_effects_clear(&renewd.effects);
  if (numbers != renewd.numbers) sim_send_window();
}

static void happens(enum renew_event_kind kind) { sim_step(&(struct renew_event){.kind = kind}); }

/* ---- what comes ---- */

/* renewd asks again, over another connection. */
static void ask_again(struct event *e) {
  struct event *a = sim_add(ASK, ASKS_AGAIN_MS, 0);
  a->run = e->run;
  a->ticket = e->ticket;
  a->question = e->question;
  e->question = NULL;
  memset(&a->question->a, 0, sizeof a->question->a);
  world.n.lost++;
}

static void ask(struct event *e) {
  if (!store.up || !renewd.connected || (!world.ending && one_in(2000))) {
    ask_again(e);
    return;
  }
  /* While a page is on its way the owner makes a job that it does not have. */
  bool made = (e->question->q.parts & RENEW_ABOUT_UPCOMING) && !world.ending && one_in(6);
  if (made) sim_add(MAKES, 0, (int)chance(world.conversations_n - 1));
  int64_t takes = made ? 10 + chance(50) : one_in(500) ? chance(5 * SECOND) : 1 + chance(2);
  struct event *a = sim_add(ANSWER, takes, 0);
  a->run = e->run;
  a->ticket = e->ticket;
  a->question = e->question;
  a->life = store.life;
  e->question = NULL;
  if (!world.ending && one_in(2000))
    a->question->a.problem = "the database is ill";
  else
    sim_answer(a->question);
  world.n.problems += a->question->a.problem != NULL;
}

/* The lease is ours, or that is not known. */
static void found_ours(const struct question *q) {
  struct job *j = &world.j[q->job];
  j->ours = q->a.problem || (q->a.lease.running && ck_str_is(q->a.lease.token, j->tried));
}

static void answered(struct event *e) {
  struct question *q = e->question;
  if (e->life != store.life) { /* it died before the answer was out */
    ask_again(e);
    return;
  }
  int64_t lag = world.boot - q->asked_at;
  if (q->q.parts == RENEW_ABOUT_WAITS) {
    renewd.asks_waits = false;
    renewd.waits_at = world.boot + (q->a.problem ? SECOND : 0);
    if (lag > renewd.lag) renewd.lag = lag;
  }
  if (q->q.parts & RENEW_ABOUT_UNREACHED) world.j[q->job].lag = lag;
  if (q->q.parts & RENEW_ABOUT_LIMITS) sim_limits_known(q);
  if (q->q.parts & RENEW_ABOUT_UNREACHED) found_ours(q);
  if (q->a.problem && q->job >= 0) sim_held(world.j[q->job].conversation, SECOND);
  if (q->q.parts & RENEW_ABOUT_PAST) sim_past_known(q);
  if (q->q.parts == (RENEW_ABOUT_LINK | RENEW_ABOUT_CONVERSATION)) sim_account_known(q);
  if (q->job >= 0) sim_stage_answered(q->job, e->ticket);
  sim_step(&(struct renew_event){RENEW_ANSWER, e->ticket, {.answer = &q->a}});
  if (q->job >= 0) sim_stage_settles(q->job, q->a.head);
  if (!one_in(300)) return;
  world.n.doubled++;
  sim_step(&(struct renew_event){RENEW_ANSWER, e->ticket, {.answer = &q->a}});
}

/* It was cancelled, and its owner wants it again: its turn may come in the same step. */
static bool resumes(const struct job *j) {
  return j->leased_wishes != j->wishes && sim_stage(j) == STAGE_ASKED;
}

static void resulted(const struct event *e) {
  struct job *j = &world.j[e->id];
  enum renew_outcome o = e->outcome->outcome;
  if (o == RENEW_RETRY || o == RENEW_UNREACHED || o == RENEW_RELEASED)
    j->may_have_arrived = sim_repeatable(j->target);
  bool waits_by_itself = e->outcome->limit && j->charged >= 0;
  j->released = o == RENEW_RELEASED && !waits_by_itself ? j->released + 1 : 0;
  j->result = *e->outcome;
  j->has_result = true;
  sim_stage_resulted(e->id);
  sim_step(&(struct renew_event){RENEW_RESULT, e->ticket, {.result = e->outcome}});
  j = &world.j[e->id];
  sim_stage_settles(e->id, 0);
  SIM_CHECK(sim_stage(j) == (j->told_over ? STAGE_NONE : STAGE_ENDING) || resumes(j),
            "the result of %s is lost", j->name);
  if (!one_in(100)) return;
  world.n.doubled++;
  sim_step(&(struct renew_event){RENEW_RESULT, e->ticket, {.result = e->outcome}});
}

/* It knows all that led to the claim. */
static bool has_followed(uint64_t version) { return renewd.core.live && renewd.cursor >= version; }

static void receipted_stage(const struct telling *t, char result, uint64_t version, bool found) {
  bool refused = result == 'r';
  if (t->job >= 0 && refused) sim_held(world.j[t->job].conversation, SECOND);
  bool goes_on = t->kind == TELL_CLAIM || t->kind == TELL_OFFER || t->kind == TELL_END ||
                 t->kind == TELL_WITHDRAW;
  if (!goes_on || !sim_stage_answered(t->job, t->ticket)) return;
  if (found && has_followed(version)) {
    sim_set_stage(t->job, STAGE_LEASING);
    sim_stage_answered(t->job, t->ticket);
  }
  if (t->kind == TELL_OFFER) sim_set_stage(t->job, refused ? STAGE_NONE : STAGE_OPEN);
  if (t->kind == TELL_END || t->kind == TELL_WITHDRAW) sim_follows(t->job, version);
}

/* Of the oldest telling. found: what its claim has found; NULL: it does not say. */
static void receipt(char result, uint64_t version, const struct question *found) {
  struct telling *t = renewd.head;
  if (found) world.j[t->job].lag = world.boot - found->asked_at;
  receipted_stage(t, result, version, found);
  renewd.head = t->next;
  if (!renewd.head) renewd.tail = &renewd.head;
  struct ck_str reason = result == 'r' ? CK_LIT("refused") : (struct ck_str){0};
  const struct renew_event event = {
      RENEW_RECEIPT, t->ticket, {.receipt = {result, reason, version, found ? &found->a : NULL}}};
  if (t->ticket) sim_step(&event);
  if (t->kind == TELL_CLAIM) sim_stage_settles(t->job, version);
  if (t->ticket && one_in(300)) {
    world.n.doubled++;
    sim_step(&event);
  }
  free(t);
  sim_send_window();
}

/* ---- the connection ---- */

void sim_disconnect(void) {
  if (!renewd.up || !renewd.connected) return;
  renewd.connected = false;
  sim_add(NOTICES, chance(one_in(3) ? 2000 : 50), 0)->run = renewd.run;
}

void sim_refusal_is_on_its_way(void) {
  if (!world.ending && one_in(6)) sim_disconnect();
}

static void connect_in(int64_t ms) { sim_add(CONNECTS, ms, 0)->run = renewd.run; }

static void notice(void) {
  happens(RENEW_LOST);
  connect_in(20 + chance(500));
}

/* Those that the store had made durable have a receipt, of which the result is not known. */
static void take_receipts(void) {
  while (renewd.head && renewd.head->number <= store.last) receipt('?', store.version, NULL);
}

static void connects(void) {
  if (!store.up) {
    connect_in(50 + chance(500));
    return;
  }
  bool first = renewd.cursor == 0;
  sim_store_welcome(renewd.run);
  memset(renewd.order, 0, sizeof renewd.order);
  if (first)
    sim_follow_all();
  else
    sim_follow(store.version, true);
  take_receipts();
  renewd.connected = true;
  renewd.sent = 0;
  sim_send_window();
  renewd.calm_since = world.boot;
  renewd.lag = 0;
  if (first)
    sim_pauses_told();
  else
    sim_beat(chance(SECOND));
  happens(RENEW_CONNECTED);
}

static void another_history(void) {
  world.n.histories++;
  renewd.knows++;
  happens(RENEW_RESET);
  for (int id = 0; id < world.conversations_n; id++) world.c[id].told_run = 0;
  for (int id = 0; id < world.jobs; id++) sim_another_history(id);
  for (int id = 0; id < world.accounts_n; id++) sim_account(id)->known = (struct renew_limited){0};
  sim_follow_all();
  renewd.calm_since = world.boot;
}

/* ---- life ---- */

static int serves(const void *self, const struct renew_target *t, struct ck_err *err) {
  (void)self;
  if (t->id && atoi(t->id) == renewd.unserved) return ck_fail(err, "no setting has it");
  return 0;
}

static bool repeatable(const void *self, const struct renew_target *t) {
  (void)self;
  return t->id && sim_repeatable(atoi(t->id));
}

void sim_renewd_starts(void) {
  renewd.up = true;
  renewd.run++;
  renewd.knows++;
  renewd.stopping = renewd.connected = false;
  renewd.cursor = 0;
  renewd.numbers = renewd.sent = 0;
  renewd.asks_waits = false;
  renewd.unserved = -1;
  if (!world.ending && one_in(3)) renewd.unserved = (int)chance(world.targets_n - 1);
  if (renewd.unserved >= 0 && sim_repeatable(renewd.unserved)) renewd.unserved = -1;
  renewd.up_since = renewd.calm_since = world.boot;
  sim_settings.serves = serves;
  sim_settings.repeatable = repeatable;
  memset(&renewd.core, 0, sizeof renewd.core);
  renew_core_init(&renewd.core, &sim_settings, ck_random_next(&world.random));
  sim_follow_begin();
  connect_in(5 + chance(100));
}

static void forget_tellings(void) {
  for (struct telling *t; (t = renewd.head);) {
    renewd.head = t->next;
    free(t);
  }
  renewd.tail = &renewd.head;
}

void sim_renewd_dies(void) {
  renew_core_free(&renewd.core);
  renewd.up = renewd.connected = false;
  for (size_t i = 0; i < world.events.count; i++) {
    struct event *e = (struct event *)(void *)world.events.v[i];
    if (e->run == renewd.run) sim_targets_cut(e);
  }
  forget_tellings();
  int64_t down = one_in(20) ? 10 * MINUTE : one_in(3) ? 50 : 2000;
  sim_add(RENEWD_STARTS, 10 + chance(down), 0);
}

void sim_renewd_event(struct event *e) {
  if (!renewd.up || e->run != renewd.run) return;
  bool gone = e->life && (e->life != store.life || !renewd.connected);
  switch (e->kind) {
  case ASK:
    ask(e);
    break;
  case ANSWER:
    answered(e);
    break;
  case RESULT:
    resulted(e);
    break;
  case FEED:
    if (!gone && e->version > renewd.cursor) sim_follow(e->version, false);
    break;
  case RECEIPT:
    if (!gone && renewd.head && renewd.head->number == e->number)
      receipt(e->result, e->version, e->question);
    break;
  case BEATS:
    if (!gone) sim_beats();
    break;
  case PAUSED:
    if (!gone) sim_pauses_come(e);
    break;
  case NOTICES:
    notice();
    break;
  case CONNECTS:
    connects();
    break;
  case HISTORY:
    if (renewd.connected) another_history();
    break;
  case RENEWD_STOPS:
    renewd.stopping = true;
    happens(RENEW_STOP);
    break;
  case RENEWD_ENDS:
    happens(RENEW_END);
    sim_renewd_dies();
    break;
  default:
    sim_fail("no event for renewd");
  }
}

void sim_tick(void) { happens(RENEW_TICK); }

int64_t sim_wakes(void) {
  int64_t at = renewd.up ? renew_core_wakes(&renewd.core) : RENEW_NEVER;
  return at == RENEW_NEVER ? RENEW_NEVER : world.started + at;
}

void sim_renewd_free(void) {
  forget_tellings();
  if (renewd.up) renew_core_free(&renewd.core);
  renew_effects_free(&renewd.effects);
  sim_follow_free();
}

/* renewd: the core, and what the daemon around it does: it follows the store, tells it things until
 * it has a receipt for each, asks, and delivers. All of it is lost when renewd dies. */
#include "tests/sim/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct renewd renewd = {.tail = &renewd.head, .unserved = -1};

/* How long renewd waits for an answer. */
#define ASKS_AGAIN_MS (SECOND + chance(3 * SECOND))

static void step(const struct renew_event *e);

/* ---- what the store publishes ---- */

/* One change, as its row was then. */
struct change {
  char row;
  int id;
  uint64_t version;
  enum renew_automation automation;
  enum status status;
  int last, text, target;
  int64_t updated_at;
  int64_t cooldown_until, next, attempts, last_attempt_at;
};

static struct change *log_; /* a queue: from the first to the last */
static size_t log_first, log_n, log_room;

void sim_publish(char row, int id, uint64_t version) {
  if (!renewd.up) return; /* it reads everything when it starts */
  if (log_n == log_room) {
    log_room = log_room ? 2 * log_room : 1024;
    log_ = ck_realloc(log_, log_room * sizeof *log_);
  }
  struct change *x = &log_[log_n++];
  *x = (struct change){.row = row, .id = id, .version = version};
  if (row == 'c') {
    x->automation = world.c[id].automation;
    x->last = world.c[id].last;
    x->cooldown_until = world.c[id].cooldown_until;
    x->updated_at = world.c[id].updated_at;
  } else if (row == 'm') {
    x->text = world.m[id].text;
  } else if (row == 'j') {
    const struct job *j = &world.j[id];
    x->status = j->status;
    x->next = j->next;
    x->attempts = j->attempts;
    x->last_attempt_at = j->last_attempt_at;
    x->target = j->target;
    x->updated_at = j->updated_at;
  }
}

/* Messages to renewd keep their order. */
static struct event *to_renewd(enum kind kind, int64_t *last, int64_t in) {
  int64_t at = world.boot + in;
  if (at < *last) at = *last;
  *last = at;
  struct event *e = sim_add(kind, at - world.boot, 0);
  e->run = renewd.run;
  e->life = store.life;
  return e;
}

static int64_t feed_at, receipt_at, told_at;

void sim_feed(void) {
  if (!renewd.connected || !log_n || log_[log_n - 1].version <= renewd.cursor) return;
  to_renewd(FEED, &feed_at, 1 + chance(4))->version = store.version;
}

/* ---- rows ---- */

static void row_of_message(const struct change *x) {
  char name[32], said[32];
  const struct message *m = &world.m[x->id];
  sim_message_name(name, x->id);
  snprintf(said, sizeof said, "as far as %d", x->text);
  struct ck_row row = {.table = CK_MESSAGES};
  row.v[CK_MESSAGES_ID] = ck_textz(name);
  row.v[CK_MESSAGES_RAW_TEXT] = ck_textz(said);
  sim_tells_message(m->conversation, x->id);
  step(&(struct renew_event){.kind = RENEW_ROW, .as.row = &row});
}

static void row_of_conversation(const struct change *x) {
  static const char *const words[] = {"manual", "auto", "paused"};
  char name[24], last[32];
  sim_conversation_name(name, x->id);
  struct ck_row row = {.table = CK_CONVERSATIONS};
  row.v[CK_CONVERSATIONS_LOCAL_CONVERSATION_ID] = ck_textz(name);
  row.v[CK_CONVERSATIONS_AUTOMATION_STATUS] = ck_textz(words[x->automation]);
  if (x->last >= 0) {
    sim_message_name(last, x->last);
    row.v[CK_CONVERSATIONS_LAST_MESSAGE_ID] = ck_textz(last);
  }
  row.v[CK_CONVERSATIONS_COOLDOWN_UNTIL] =
      x->cooldown_until ? ck_int(x->cooldown_until) : ck_null();
  row.v[CK_CONVERSATIONS_UPDATED_AT] = ck_int(x->updated_at);
  sim_tells_conversation(x->id, x->version, x->automation, x->last, x->cooldown_until);
  step(&(struct renew_event){.kind = RENEW_ROW, .as.row = &row});
}

static void row_of_job(const struct change *x) {
  static const char *const words[] = {"pending", "running", "done"};
  char conversation[24], of[32];
  const struct job *j = &world.j[x->id];
  sim_conversation_name(conversation, j->conversation);
  sim_message_name(of, j->message);
  struct ck_row row = {.table = CK_JOBS};
  row.v[CK_JOBS_JOB_ID] = ck_textz(j->name);
  row.v[CK_JOBS_LOCAL_CONVERSATION_ID] = ck_textz(conversation);
  row.v[CK_JOBS_MESSAGE_ID] = ck_textz(of);
  row.v[CK_JOBS_STATUS] = ck_textz(words[x->status]);
  row.v[CK_JOBS_ATTEMPT_COUNT] = ck_int(x->attempts);
  if (x->status != OVER) row.v[CK_JOBS_NEXT_ATTEMPT_AT] = ck_int(x->next);
  row.v[CK_JOBS_CREATED_AT] = ck_int(j->created_at);
  if (x->last_attempt_at) row.v[CK_JOBS_LAST_ATTEMPT_AT] = ck_int(x->last_attempt_at);
  if (x->target >= 0) row.v[CK_JOBS_TARGET_SNAPSHOT] = ck_textz(world.t[x->target].snapshot);
  row.v[CK_JOBS_UPDATED_AT] = ck_int(x->updated_at);
  sim_tells_job(x->id, x->version, x->status, x->next);
  step(&(struct renew_event){.kind = RENEW_ROW, .as.row = &row});
}

static void row_of_link(const struct change *x) {
  char name[24];
  sim_conversation_name(name, x->id);
  struct ck_row row = {.table = CK_LINKS};
  row.v[CK_LINKS_LOCAL_CONVERSATION_ID] = ck_textz(name);
  sim_held(x->id, 0);
  step(&(struct renew_event){.kind = RENEW_ROW, .as.row = &row});
}

static void row_of(const struct change *x) {
  if (x->row == 'c') row_of_conversation(x);
  if (x->row == 'm') row_of_message(x);
  if (x->row == 'j') row_of_job(x);
  if (x->row == 'l') row_of_link(x);
}

static void followed(uint64_t version, bool live) {
  renewd.cursor = version;
  sim_followed();
  step(&(struct renew_event){.kind = RENEW_FOLLOWED, .as.followed = {version, live}});
}

static bool is_current(const struct change *x) {
  return x->version == (x->row == 'c'   ? world.c[x->id].version
                        : x->row == 'm' ? world.m[x->id].version
                        : x->row == 'j' ? world.j[x->id].version
                                        : x->version);
}

/* current: only rows that are so still, as a reader of the database finds them. */
static void follow(uint64_t upto, bool current) {
  while (log_first < log_n && log_[log_first].version <= upto) {
    const struct change x = log_[log_first++];
    if (x.version > renewd.cursor && (!current || is_current(&x))) row_of(&x);
  }
  if (log_first == log_n) log_first = log_n = 0;
  followed(upto, true);
}

/* Everything that there is, conversation by conversation. */
static void follow_all(void) {
  bool pages = one_in(3);
  for (int id = 0; id < world.conversations_n; id++) {
    const struct conversation *c = &world.c[id];
    const struct change of_c = {.row = 'c',
                                .id = id,
                                .version = c->version,
                                .automation = c->automation,
                                .last = c->last,
                                .cooldown_until = c->cooldown_until,
                                .updated_at = c->updated_at};
    bool last = c->newest >= 0 && world.j[c->newest].version < c->version;
    if (!last) row_of_conversation(&of_c);
    for (int job = c->newest; job >= 0; job = world.j[job].older) {
      const struct job *j = &world.j[job];
      if (j->status == OVER && job != c->newest) continue;
      row_of_job(&(struct change){.row = 'j',
                                  .id = job,
                                  .version = j->version,
                                  .status = j->status,
                                  .target = j->target,
                                  .next = j->next,
                                  .attempts = j->attempts,
                                  .last_attempt_at = j->last_attempt_at,
                                  .updated_at = j->updated_at});
    }
    if (last) row_of_conversation(&of_c);
    if (pages && id == world.conversations_n / 2) followed(1, false);
  }
  log_first = log_n = 0;
  followed(store.version, true);
}

/* ---- what renewd tells ---- */

#define WINDOW 64

static void send(const struct telling *t) {
  struct event *e = to_renewd(TOLD, &told_at, one_in(300) ? chance(5 * SECOND) : chance(3));
  e->number = t->number;
}

/* What this connection has not carried yet, up to the window. */
static void send_window(void) {
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
                        .boot = world.boot,
                        .steps = world.steps,
                        .target = -1};
  *renewd.tail = t;
  renewd.tail = &t->next;
  return t;
}

void sim_receipt(unsigned run, uint64_t number, char result) {
  if (!renewd.up || run != renewd.run) return;
  struct event *e = to_renewd(RECEIPT, &receipt_at, one_in(300) ? chance(5 * SECOND) : chance(5));
  e->number = number;
  e->result = result;
  e->version = store.version;
}

/* ---- effects ---- */

static int target_of(struct ck_str snapshot) {
  struct renew_target t;
  int id = renew_target_parse(&t, snapshot, NULL) == 0 && t.id ? atoi(t.id) : -1;
  renew_target_free(&t);
  return id;
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
  t->wait = wait > 0 && c->told_sure && c->told_until == c->cooldown_until
                ? c->rest
                : sim_wait(wait, renewd.knows);
  sim_check_put(t->conversation, t->message, wait);
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
  sim_check_end(t->job, t);
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
    sim_check_claim(t->job);
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
  default:
    sim_fail("renewd tells %s", ck_mutation_name(m->kind));
  }
}

static void asked(const struct renew_effect *effect) {
  const struct renew_question *from = &effect->as.query;
  struct question *q = ck_zalloc(sizeof *q);
  q->q = (struct renew_question){.parts = from->parts, .rules = from->rules, .page = from->page};
  q->job = from->job_id.n ? sim_job_of(from->job_id) : -1;
  q->message = from->message_id.n ? sim_message_of(from->message_id) : -1;
  q->conversation = from->conversation_id.n ? sim_conversation_of(from->conversation_id) : -1;
  struct event *e = sim_add(ASK, chance(2), 0);
  e->run = renewd.run;
  e->ticket = effect->ticket;
  e->question = q;
  unsigned parts = from->parts;
  enum stage stage = parts & RENEW_ABOUT_PAST                                ? STAGE_ASKED
                     : parts & RENEW_ABOUT_UNREACHED                         ? STAGE_LEASING
                     : parts & RENEW_ABOUT_LEASE                             ? STAGE_LOOKING
                     : parts == (RENEW_ABOUT_JOB | RENEW_ABOUT_CONVERSATION) ? STAGE_READING
                                                                             : STAGE_NONE;
  if (stage == STAGE_NONE) return;
  if (stage == STAGE_READING) sim_check_claim(q->job);
  sim_set_stage(q->job, stage);
  sim_awaits(q->job, effect->ticket);
}

static void do_effect(const struct renew_effect *e) {
  sim_note_effect(e);
  if (e->kind == RENEW_QUERY) asked(e);
  if (e->kind == RENEW_TELL) told(e);
  if (e->kind == RENEW_SEND) {
    int id = sim_job_of(e->as.send.job_id);
    SIM_CHECK(target_of(e->as.send.snapshot) == world.j[id].target, "%s goes elsewhere",
              world.j[id].name);
    sim_check_send(id);
    world.j[id].may_have_arrived = true;
    sim_set_stage(id, STAGE_SENDING);
    sim_deliver(id, e->ticket);
  }
  if (e->kind != RENEW_SAY) return;
  world.n.declined += strcmp(e->as.say.event, "declined") == 0;
  world.n.braked += strcmp(e->as.say.event, "braked") == 0;
  world.n.stopped += strcmp(e->as.say.event, "stopped") == 0;
  world.n.recovered += strcmp(e->as.say.event, "recovered") == 0;
}

static void step(const struct renew_event *e) {
  uint64_t numbers = renewd.numbers;
  world.n.steps++;
  sim_note("\n%lld %lld %d %llu", (long long)world.boot, (long long)now().wall, e->kind,
           (unsigned long long)e->ticket);
  renew_step(&renewd.core, e, now(), &renewd.effects);
  for (size_t i = 0; i < renewd.effects.n; i++) do_effect(&renewd.effects.v[i]);
  renew_effects_clear(&renewd.effects);
  if (numbers != renewd.numbers) send_window();
}

static void happens(enum renew_event_kind kind) { step(&(struct renew_event){.kind = kind}); }

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
  struct event *a = sim_add(ANSWER, one_in(500) ? chance(5 * SECOND) : 1 + chance(2), 0);
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

static void answered(struct event *e) {
  struct question *q = e->question;
  if (e->life != store.life) { /* it died before the answer was out */
    ask_again(e);
    return;
  }
  if (q->a.problem && q->job >= 0) sim_held(world.j[q->job].conversation, SECOND);
  if (q->q.parts & RENEW_ABOUT_PAST) sim_past_known(q);
  if (q->job >= 0) sim_stage_answered(q->job, e->ticket);
  step(&(struct renew_event){RENEW_ANSWER, e->ticket, {.answer = &q->a}});
  if (q->job >= 0) sim_stage_settles(q->job, q->a.head);
  if (!one_in(300)) return;
  world.n.doubled++;
  step(&(struct renew_event){RENEW_ANSWER, e->ticket, {.answer = &q->a}});
}

static void resulted(const struct event *e) {
  struct job *j = &world.j[e->id];
  enum renew_outcome o = e->outcome->outcome;
  if (o == RENEW_RETRY || o == RENEW_UNREACHED || o == RENEW_RELEASED)
    j->may_have_arrived = sim_repeatable(j->target);
  j->released = o == RENEW_RELEASED ? j->released + 1 : 0;
  j->result = *e->outcome;
  j->has_result = true;
  step(&(struct renew_event){RENEW_RESULT, e->ticket, {.result = e->outcome}});
  SIM_CHECK(sim_stage(&world.j[e->id]) == STAGE_ENDING, "the result of %s is lost",
            world.j[e->id].name);
  if (!one_in(100)) return;
  world.n.doubled++;
  step(&(struct renew_event){RENEW_RESULT, e->ticket, {.result = e->outcome}});
}

static void receipted_stage(const struct telling *t, char result, uint64_t version) {
  bool refused = result == 'r';
  if (t->job >= 0 && refused) sim_held(world.j[t->job].conversation, SECOND);
  bool goes_on = t->kind == TELL_CLAIM || t->kind == TELL_OFFER || t->kind == TELL_END ||
                 t->kind == TELL_WITHDRAW;
  if (!goes_on || !sim_stage_answered(t->job, t->ticket)) return;
  if (t->kind == TELL_OFFER) sim_set_stage(t->job, refused ? STAGE_NONE : STAGE_OPEN);
  if (t->kind == TELL_END || t->kind == TELL_WITHDRAW) sim_follows(t->job, version);
}

/* Of the oldest telling. */
static void receipt(char result, uint64_t version) {
  struct telling *t = renewd.head;
  receipted_stage(t, result, version);
  renewd.head = t->next;
  if (!renewd.head) renewd.tail = &renewd.head;
  struct ck_str reason = result == 'r' ? CK_LIT("refused") : (struct ck_str){0};
  const struct renew_event event = {
      RENEW_RECEIPT, t->ticket, {.receipt = {result, reason, version}}};
  if (t->ticket) step(&event);
  if (t->kind == TELL_CLAIM) sim_stage_settles(t->job, version);
  if (t->ticket && one_in(300)) {
    world.n.doubled++;
    step(&event);
  }
  free(t);
  send_window();
}

/* ---- the connection ---- */

void sim_disconnect(void) {
  if (!renewd.up || !renewd.connected) return;
  renewd.connected = false;
  sim_add(NOTICES, chance(one_in(3) ? 2000 : 50), 0)->run = renewd.run;
}

static void connect_in(int64_t ms) { sim_add(CONNECTS, ms, 0)->run = renewd.run; }

static void notice(void) {
  happens(RENEW_LOST);
  connect_in(20 + chance(500));
}

/* Those that the store had made durable have a receipt, of which the result is not known. */
static void take_receipts(void) {
  while (renewd.head && renewd.head->number <= store.last) receipt('?', store.version);
}

static void connects(void) {
  if (!store.up) {
    connect_in(50 + chance(500));
    return;
  }
  bool first = renewd.cursor == 0;
  sim_store_welcome(renewd.run);
  feed_at = receipt_at = told_at = world.boot;
  if (first)
    follow_all();
  else
    follow(store.version, true);
  take_receipts();
  renewd.connected = true;
  renewd.sent = 0;
  send_window();
  renewd.calm_since = world.boot;
  happens(RENEW_CONNECTED);
}

static void another_history(void) {
  world.n.histories++;
  renewd.knows++;
  happens(RENEW_RESET);
  for (int id = 0; id < world.conversations_n; id++) world.c[id].told_run = 0;
  for (int id = 0; id < world.jobs; id++) sim_another_history(id);
  follow_all();
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
  renewd.unserved = -1;
  if (!world.ending && one_in(3)) renewd.unserved = (int)chance(world.targets_n - 1);
  if (renewd.unserved >= 0 && sim_repeatable(renewd.unserved)) renewd.unserved = -1;
  renewd.up_since = renewd.calm_since = world.boot;
  sim_settings.serves = serves;
  sim_settings.repeatable = repeatable;
  memset(&renewd.core, 0, sizeof renewd.core);
  renew_core_init(&renewd.core, &sim_settings, ck_random_next(&world.random));
  log_first = log_n = 0;
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
  sim_add(RENEWD_STARTS, 10 + chance(one_in(20) ? 10 * MINUTE : 2000), 0);
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
    if (!gone && e->version > renewd.cursor) follow(e->version, false);
    break;
  case RECEIPT:
    if (!gone && renewd.head && renewd.head->number == e->number) receipt(e->result, e->version);
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

int64_t sim_wakes(void) { return renewd.up ? renew_core_wakes(&renewd.core) : RENEW_NEVER; }

void sim_renewd_free(void) {
  forget_tellings();
  if (renewd.up) renew_core_free(&renewd.core);
  renew_effects_free(&renewd.effects);
  free(log_);
  log_ = NULL;
  log_first = log_n = log_room = 0;
}

/* The simulated year: renewd's core with what it says, and the targets. A
 * referee checks each claim and each delivery. */
#include "test_renewd_year.h"

#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void step(const struct renew_event *e);

/* ---- rows reach renewd ---- */

static void follow_message(int message, int text) {
  char name[40], said[40];
  year_message_name(name, message);
  snprintf(said, sizeof said, "as far as %d", text);
  struct ck_row row = {.table = CK_MESSAGES};
  row.v[CK_MESSAGES_ID] = ck_textz(name);
  row.v[CK_MESSAGES_RAW_TEXT] = ck_textz(said);
  step(&(struct renew_event){.kind = RENEW_ROW, .as.row = &row});
}

static void follow_conversation(int id, const struct conversation *c) {
  static const char *const words[] = {"manual", "auto", "paused"};
  char name[40], last[40];
  year_conversation_name(name, id);
  struct ck_row row = {.table = CK_CONVERSATIONS};
  row.v[CK_CONVERSATIONS_LOCAL_CONVERSATION_ID] = ck_textz(name);
  row.v[CK_CONVERSATIONS_AUTOMATION_STATUS] = ck_textz(words[c->automation]);
  if (c->last_message >= 0) {
    year_message_name(last, c->last_message);
    row.v[CK_CONVERSATIONS_LAST_MESSAGE_ID] = ck_textz(last);
  }
  row.v[CK_CONVERSATIONS_COOLDOWN_UNTIL] =
      c->cooldown_until ? ck_int(c->cooldown_until) : ck_null();
  if (c->last_message != world.c[id].told_last) world.c[id].changed_at = world.boot;
  world.c[id].told_last = c->last_message;
  step(&(struct renew_event){.kind = RENEW_ROW, .as.row = &row});
  world.c[id].told = c->automation;
  if (world.c[id].known_until != c->cooldown_until) {
    world.c[id].known_until = c->cooldown_until;
    world.c[id].rest = world.boot + c->cooldown_until - now().wall;
  }
  world.c[id].free_since = world.boot; /* whatever has changed, nothing is late at this instant */
}

static void follow_job(int id, const struct job *j) {
  static const char *const words[] = {"pending", "running", "done"};
  char conversation[40], of[40];
  year_conversation_name(conversation, j->conversation);
  year_message_name(of, j->message);
  struct ck_row row = {.table = CK_JOBS};
  row.v[CK_JOBS_JOB_ID] = ck_textz(world.j[id].name);
  row.v[CK_JOBS_LOCAL_CONVERSATION_ID] = ck_textz(conversation);
  row.v[CK_JOBS_MESSAGE_ID] = ck_textz(of);
  row.v[CK_JOBS_STATUS] = ck_textz(words[j->status]);
  row.v[CK_JOBS_ATTEMPT_COUNT] = ck_int(j->attempts);
  row.v[CK_JOBS_NEXT_ATTEMPT_AT] = ck_int(j->next);
  row.v[CK_JOBS_CREATED_AT] = ck_int(j->created_at);
  if (j->last_attempt_at) row.v[CK_JOBS_LAST_ATTEMPT_AT] = ck_int(j->last_attempt_at);
  char target[48];
  year_target(target, j);
  row.v[CK_JOBS_TARGET_SNAPSHOT] = ck_textz(target);
  step(&(struct renew_event){.kind = RENEW_ROW, .as.row = &row});
  world.c[j->conversation].free_since = world.boot;
  if (j->status != OVER && world.j[id].known_next != j->next) {
    world.j[id].known_next = j->next;
    /* A job that waits for a rest waits for the moment that was known when the rest began. */
    const struct conversation *c = &world.c[j->conversation];
    world.j[id].due = j->next == c->known_until ? c->rest : world.boot + j->next - now().wall;
  }
}

/* ---- what renewd says ---- */

static struct event *send_op(enum kind kind, int id, uint64_t ticket) {
  struct event *e = year_add(kind, chance(4), world.run, id);
  e->ticket = ticket;
  return e;
}

static void check_settled(int id, int message) {
  cr_assert(world.boot >= world.c[id].changed_at + DELAY,
            "message %d was judged before it had settled", message);
  cr_assert_eq(message, world.c[id].told_last);
}

static void queried(const struct renew_effect *effect) {
  const struct renew_question *q = &effect->as.query;
  struct event *e = send_op(QUERY, 0, effect->ticket);
  e->parts = q->parts;
  if (q->job_id.n && !(q->parts & RENEW_ABOUT_PAST)) /* that is about its conversation, too */
    e->id = year_job_of(q->job_id);
  else if (q->conversation_id.n)
    e->id = year_conversation_of(q->conversation_id);
  if (q->message_id.n) e->message = year_message_of(q->message_id);
  if (q->parts & RENEW_ABOUT_MESSAGE) check_settled(e->id, e->message);
}

static void put(const struct renew_effect *effect) {
  const struct ck_row *row = effect->as.tell.row;
  int id = year_conversation_of(ck_row_text(row, CK_JOBS_LOCAL_CONVERSATION_ID)),
      message = year_message_of(ck_row_text(row, CK_JOBS_MESSAGE_ID));
  const struct message *m = &world.m[message];
  cr_assert(m->created_at - m->observed_at <= rules.max_age && m->created_at != m->observed_at,
            "message %d is history", message);
  cr_assert(m->assistant, "message %d is a person's", message);
  check_settled(id, message);
  struct event *e = send_op(PUT, id, effect->ticket);
  e->message = message;
  e->next = ck_row_int(row, CK_JOBS_NEXT_ATTEMPT_AT, 0);
}

/* The referee of each claim. */
static void check_claim(int id) {
  const struct job *of = &world.j[id];
  const struct conversation *c = &world.c[of->conversation];
  const struct renew_job *known = renew_core_job(&world.core, ck_str_of(of->name));
  bool calendar = !of->automatic && known->attempt_count == 0;
  cr_assert(calendar ? now().wall >= of->known_next : world.boot >= of->due,
            "before its time: job %d by %lld ms", id,
            (long long)(calendar ? of->known_next - now().wall : of->due - world.boot));
  cr_assert(!of->automatic || !c->known_until || world.boot >= c->rest,
            "conversation %d was not left to rest", of->conversation);
  bool fresh =
      c->done_run == world.run &&
      world.stepped_at < c->done_at; /* so that no step and no restart has moved the rest's end */
  cr_assert(!of->automatic || !fresh || world.boot >= c->done_at + rules.cooldown - 10,
            "conversation %d was claimed before its rest was known", of->conversation);
  bool free = !of->automatic || of->anyway;
  cr_assert(c->told != RENEW_PAUSED && (free || c->told == RENEW_AUTO),
            "conversation %d was claimed though it is not on auto", of->conversation);
  cr_assert(free || c->told_last == of->message, "job %d was claimed after an answer", id);
  cr_assert(free || world.boot >= c->changed_at + DELAY,
            "job %d was claimed before its message had settled", id);
  cr_assert_eq(c->sending + c->with_client, 0, "two at once in conversation %d", of->conversation);
}

static void told_end(const struct renew_effect *effect, const struct ck_end *m) {
  struct event *e = send_op(END, year_job_of(m->job_id), effect->ticket);
  for (int o = RENEW_DONE; o <= RENEW_UNREACHED; o++)
    if (ck_str_is(m->outcome, renew_outcome_name(o))) e->verdict.outcome = o;
  e->verdict.next_attempt_at = m->next_attempt_at;
  e->verdict.cooldown_until = m->cooldown_until;
  snprintf(e->token, sizeof e->token, "%s", m->token.s);
  const struct job *j = &world.j[e->id];
  world.released += e->verdict.outcome == RENEW_RELEASED;
  bool blind = e->verdict.outcome == RENEW_RELEASED && j->may_have_arrived;
  cr_assert(!blind || year_is_repeatable(j), "job %d is released, and may have arrived", e->id);
  bool unreached = j->unreached && e->verdict.outcome == RENEW_FAILED && j->was_unreached;
  cr_assert(!unreached || now().wall - j->unreached_since >= rules.give_up,
            "job %d is given up too early", e->id);
  cr_assert(e->verdict.outcome != RENEW_UNREACHED ||
                e->verdict.next_attempt_at <= now().wall + 30 * MINUTE,
            "job %d waits too long", e->id);
}

static void offered(const struct renew_effect *effect) {
  const struct ck_offer *m = &effect->as.tell.mutation.as.offer;
  struct event *e = send_op(OFFER, year_job_of(m->job_id), effect->ticket);
  e->version = m->version;
  cr_assert(year_is_clients(&world.j[e->id]), "job %d is not the client's", e->id);
}

static void withdrawn(const struct renew_effect *effect) {
  send_op(WITHDRAW, year_job_of(effect->as.tell.mutation.as.withdraw.job_id), effect->ticket);
  world.withdrawn++;
}

static void told(const struct renew_effect *effect) {
  const struct ck_mutation *m = &effect->as.tell.mutation;
  if (m->kind == CK_OP_PUT) put(effect);
  if (m->kind == CK_OP_END) told_end(effect, &m->as.end);
  if (m->kind == CK_OP_OFFER) offered(effect);
  if (m->kind == CK_OP_WITHDRAW) withdrawn(effect);
  if (m->kind == CK_OP_SUPERSEDE)
    send_op(SUPERSEDE, year_job_of(m->as.supersede.job_id), effect->ticket);
  if (m->kind != CK_OP_CLAIM) return;
  struct event *e = send_op(CLAIM, year_job_of(m->as.claim.job_id), effect->ticket);
  snprintf(e->token, sizeof e->token, "%s", m->as.claim.token.s);
  check_claim(e->id);
}

/* The referee of each delivery. */
static void sent(const struct renew_effect *effect) {
  int id = year_job_of(effect->as.send.job_id);
  struct job *j = &world.j[id];
  cr_assert_eq(world.c[j->conversation].sending + world.c[j->conversation].with_client, 0,
               "two at once in conversation %d", j->conversation);
  cr_assert_not(year_is_clients(j), "job %d is the client's", id);
  cr_assert(!j->may_have_arrived || year_is_repeatable(j), "job %d was sent blindly again", id);
  cr_assert(j->status == RUNNING && !j->unknown, "job %d sent without its lease", id);
  struct target *to = &world.begun[year_target_of(j)];
  cr_assert(!to->at || world.boot >= to->at + SPACING, "two within %lld ms to target %d",
            (long long)(world.boot - to->at), year_target_of(j));
  cr_assert_leq(++to->sending, RENEW_SLOTS_OF_A_TARGET, "too many at once to target %d",
                year_target_of(j));
  to->at = world.boot;
  world.c[j->conversation].sending++;
  world.sent++;
  j->may_have_arrived = true;
  year_add(SENT, 5 + chance(one_in(50) ? 30000 : 400), world.run, id)->ticket = effect->ticket;
}

static void step(const struct renew_event *e) {
  renew_step(&world.core, e, now(), &world.effects);
  for (size_t i = 0; i < world.effects.n; i++) {
    const struct renew_effect *effect = &world.effects.v[i];
    if (effect->kind == RENEW_QUERY) queried(effect);
    if (effect->kind == RENEW_TELL) told(effect);
    if (effect->kind == RENEW_SEND) sent(effect);
    world.declined += effect->kind == RENEW_SAY && effect->as.say.level == RENEW_SAY_INFO &&
                      strcmp(effect->as.say.event, "declined") == 0;
  }
  renew_effects_clear(&world.effects);
}

/* ---- what reaches renewd ---- */

static void answered(const struct event *e) {
  const struct renew_answer a = year_answer(e);
  step(&(struct renew_event){RENEW_ANSWER, e->ticket, {.answer = &a}});
}

static void resulted(const struct event *e) {
  struct job *j = &world.j[e->id];
  struct renew_result r = {.exit_code = -1};
  int64_t dice = chance(99);
  r.outcome = dice < 78   ? RENEW_DONE
              : dice < 88 ? RENEW_RETRY
              : dice < 95 ? RENEW_UNREACHED
              : dice < 98 ? RENEW_FAILED
                          : RENEW_UNKNOWN;
  if (one_in(20)) r.retry_after = 1000 * chance(120);
  if (r.outcome == RENEW_RETRY || r.outcome == RENEW_UNREACHED)
    j->may_have_arrived = false; /* the target refused it, or has not seen it */
  j->was_unreached = r.outcome == RENEW_UNREACHED;
  world.c[j->conversation].sending--;
  world.begun[year_target_of(j)].sending--;
  step(&(struct renew_event){RENEW_RESULT, e->ticket, {.result = &r}});
}

static void receipted(const struct event *e) {
  struct ck_str reason = e->result == 'r' ? CK_LIT("refused") : (struct ck_str){0};
  /* A refusal holds the job up for a while. */
  if (e->result == 'r') world.c[e->of].free_since = world.boot + 1000;
  step(&(struct renew_event){
      RENEW_RECEIPT, e->ticket, {.receipt = {e->result, reason, e->version}}});
}

static void followed(uint64_t version) {
  step(&(struct renew_event){.kind = RENEW_FOLLOWED, .as.followed = {version, true}});
}

void year_happens(const struct event *e) {
  switch (e->kind) {
  case FOLLOW_M:
    if (world.c[e->id].told_last == e->message) world.c[e->id].changed_at = world.boot;
    follow_message(e->message, e->c.text);
    world.c[e->id].free_since = world.boot;
    break;
  case FOLLOW_C:
    follow_conversation(e->id, &e->c);
    break;
  case FOLLOW_J:
    follow_job(e->id, &e->j);
    break;
  case ANSWER:
    answered(e);
    break;
  case RECEIPT:
    receipted(e);
    break;
  case SENT:
    resulted(e);
    break;
  default:
    cr_assert_fail("no event for renewd");
  }
  if (e->kind == FOLLOW_M || e->kind == FOLLOW_C || e->kind == FOLLOW_J) followed(e->version);
}

void year_tick(void) { step(&(struct renew_event){.kind = RENEW_TICK}); }

int64_t year_wakes(void) { return renew_core_wakes(&world.core); }

/* ---- its life ---- */

static int serves(const void *self, const struct renew_target *t, struct ck_err *err) {
  (void)self, (void)t, (void)err;
  return 0;
}

static bool repeatable(const void *self, const struct renew_target *t) {
  (void)self;
  return strcmp(t->kind, "null") == 0;
}

void year_start(void) {
  const struct renew_settings set = {.rules = rules,
                                     .delay = DELAY,
                                     .spacing = SPACING,
                                     .payload = "continue",
                                     .serves = serves,
                                     .repeatable = repeatable};
  world.up = true;
  world.run++;
  memset(&world.core, 0, sizeof world.core);
  renew_core_init(&world.core, &set, ck_random_next(&world.random));
  memset(world.begun, 0, sizeof world.begun);
  for (int id = 0; id < world.jobs; id++) world.j[id].known_next = -1;
  for (int id = 0; id < CONVERSATIONS; id++) {
    world.c[id].known_until = 0;
    world.c[id].told_last = -1;
  }
  for (int id = 0; id < world.jobs; id++)
    if (world.j[id].status != OVER) follow_job(id, &world.j[id]);
  for (int id = 0; id < CONVERSATIONS; id++) follow_conversation(id, &world.c[id]);
  step(&(struct renew_event){.kind = RENEW_CONNECTED});
  followed(world.version);
}

void year_crash(void) {
  renew_core_free(&world.core);
  world.up = false;
  world.crashes++;
  for (int id = 0; id < CONVERSATIONS; id++) world.c[id].sending = 0;
  /* Each mutation on its way to the store arrives, or does not. */
  for (size_t i = 0; i < world.events.count; i++) {
    struct event *e = (struct event *)world.events.v[i];
    if (e->run == world.run && e->kind >= PUT && one_in(2)) e->run = 0;
  }
  year_add(START, 10 + chance(one_in(10) ? 10 * MINUTE : 2000), 0, 0);
}

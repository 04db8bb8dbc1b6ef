/* The simulated year: renewd, as deliver.c, consider.c and recover.c drive it, and the targets. A
 * referee checks each claim and each delivery. */
#include "test_renewd_year.h"

#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int target_of(const struct job *j) { return j->conversation % TARGETS; }

/* ---- rows reach renewd ---- */

void year_follow_message(int message, int text) {
  char name[40], said[40];
  year_message_name(name, message);
  snprintf(said, sizeof said, "as far as %d", text);
  struct ck_row row = {.table = CK_MESSAGES};
  row.v[CK_MESSAGES_ID] = ck_textz(name);
  row.v[CK_MESSAGES_RAW_TEXT] = ck_textz(said);
  renew_state_row(&world.state, &row, now());
}

void year_follow_conversation(int id, const struct conversation *c) {
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
  renew_state_row(&world.state, &row, now());
  world.c[id].told = c->automation;
  if (world.c[id].known_until != c->cooldown_until) {
    world.c[id].known_until = c->cooldown_until;
    world.c[id].rest = world.boot + c->cooldown_until - now().wall;
  }
  world.c[id].free_since = world.boot; /* whatever has changed, nothing is late at this instant */
}

void year_follow_job(int id, const struct job *j) {
  static const char *const words[] = {"pending", "running", "done"};
  char name[48], conversation[40], of[40];
  year_job_name(name, id);
  year_conversation_name(conversation, j->conversation);
  year_message_name(of, j->message);
  struct ck_row row = {.table = CK_JOBS};
  row.v[CK_JOBS_JOB_ID] = ck_textz(name);
  row.v[CK_JOBS_LOCAL_CONVERSATION_ID] = ck_textz(conversation);
  row.v[CK_JOBS_MESSAGE_ID] = ck_textz(of);
  row.v[CK_JOBS_STATUS] = ck_textz(words[j->status]);
  row.v[CK_JOBS_ATTEMPT_COUNT] = ck_int(j->attempts);
  row.v[CK_JOBS_NEXT_ATTEMPT_AT] = ck_int(j->next);
  row.v[CK_JOBS_CREATED_AT] = ck_int(j->created_at);
  if (j->last_attempt_at) row.v[CK_JOBS_LAST_ATTEMPT_AT] = ck_int(j->last_attempt_at);
  char target[48];
  snprintf(target, sizeof target, "{\"kind\":\"exec\",\"id\":\"%d\"}", target_of(j));
  row.v[CK_JOBS_TARGET_SNAPSHOT] = ck_textz(target);
  renew_state_row(&world.state, &row, now());
  world.c[j->conversation].free_since = world.boot;
  if (j->status != OVER && world.j[id].known_next != j->next) {
    world.j[id].known_next = j->next;
    /* A job that waits for a rest waits for the moment that was known when the rest began. */
    const struct conversation *c = &world.c[j->conversation];
    world.j[id].due = j->next == c->known_until ? c->rest : world.boot + j->next - now().wall;
  }
}

/* ---- renewd ---- */

static struct event *send_op(enum kind kind, int id, uint64_t token,
                             const struct renew_verdict *v) {
  struct event *e = year_add(kind, chance(4), world.run, id);
  e->token = token;
  if (v) e->verdict = *v;
  return e;
}

static struct renew_facts facts_of(int id) {
  const struct conversation *c = &world.c[id];
  return (struct renew_facts){.found = true,
                              .live = true,
                              .role = c->assistant ? CK_LIT("assistant") : CK_LIT("user"),
                              .created_at = c->last_created,
                              .observed_at = c->last_observed,
                              .last_message_at = c->last_observed,
                              .since = c->auto_since,
                              .has_job = world.job_of_message[c->last_message] >= 0};
}

static void make(int id, int64_t cooldown_until) {
  const struct conversation *c = &world.c[id];
  cr_assert(c->last_created - c->last_observed <= rules.max_age &&
                c->last_created != c->last_observed,
            "message %d is history", c->last_message);
  struct event *e = year_add(PUT, chance(4), world.run, id);
  e->message = c->last_message;
  e->next = renew_first_due(now().wall, cooldown_until);
}

static void consider(void) {
  for (struct renew_conversation *c; (c = renew_state_consider(&world.state, now()));) {
    int id = atoi(c->node.id + 4), last = atoi(c->last.id + 1);
    cr_assert(world.boot >= world.c[id].changed_at + DELAY,
              "message %d was judged before it had settled", last);
    bool current = renew_state_is_current(c, ck_str_of(c->last.id)) &&
                   world.c[id].last_message == last && world.c[id].automation == RENEW_AUTO;
    struct renew_facts facts = facts_of(id);
    enum renew_decline verdict = renew_declined(&rules, &facts);
    if (current && verdict == RENEW_NOT_DECLINED) make(id, c->cooldown_until);
    world.declined += current && renew_decline_is_told(verdict);
    char name[40];
    year_conversation_name(name, id);
    renew_state_considered(&world.state, ck_str_of(name), current, verdict, now());
  }
}

static int job_number(const struct renew_job *j) {
  for (int id = world.jobs; id--;) {
    char name[48];
    year_job_name(name, id);
    if (strcmp(name, j->node.id) == 0) return id;
  }
  cr_assert_fail("a job that nobody made");
  return -1;
}

static void supersede(void) {
  for (struct renew_job *j; (j = renew_state_supersede(&world.state));)
    send_op(SUPERSEDE, job_number(j), 0, NULL);
}

void year_superseded(int id, bool anyway) {
  char name[48];
  year_job_name(name, id);
  renew_state_superseded(&world.state, ck_str_of(name), anyway, now());
  world.c[world.j[id].conversation].free_since = world.boot;
}

static void claim(void) {
  for (struct renew_job *j; (j = renew_state_claim(&world.state, now()));) {
    int id = job_number(j);
    const struct job *of = &world.j[id];
    const struct conversation *c = &world.c[of->conversation];
    bool calendar = !of->automatic && j->attempt_count == 0;
    cr_assert_neq(of->status, OVER, "claims a job that is over");
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
    cr_assert_eq(c->sending, 0, "two at once in conversation %d", of->conversation);
    send_op(CLAIM, id, ++world.tokens, NULL);
  }
}

void year_work(void) {
  if (!world.up) return;
  consider();
  supersede();
  claim();
}

void year_settle(int id, int64_t hold) {
  char name[48];
  year_job_name(name, id);
  renew_state_settle(&world.state, ck_str_of(name), hold, now());
  world.c[world.j[id].conversation].free_since = world.boot > hold ? world.boot : hold;
}

void year_transmit(int id, uint64_t token) {
  struct job *j = &world.j[id];
  cr_assert_eq(world.c[j->conversation].sending, 0, "two at once in conversation %d",
               j->conversation);
  cr_assert(!j->may_have_arrived || j->repeatable, "job %d was sent blindly again", id);
  cr_assert_eq(j->status, RUNNING);
  cr_assert_eq(j->token, token, "job %d sent without its lease", id);
  if (year_is_superseded(j) || world.c[j->conversation].automation == RENEW_PAUSED) {
    struct renew_result r = {.outcome = RENEW_RELEASED, .exit_code = -1};
    struct renew_count count = {.attempt = j->attempts, .max_attempts = rules.max_attempts};
    struct renew_verdict v = renew_judge(&rules, &world.random, &r, &count, now().wall);
    world.released++;
    send_op(END, id, token, &v);
    return;
  }
  struct target *to = &world.begun[target_of(j)];
  cr_assert(!to->at || world.boot >= to->at + SPACING, "two within %lld ms to target %d",
            (long long)(world.boot - to->at), target_of(j));
  cr_assert_leq(++to->sending, RENEW_SLOTS_OF_A_TARGET, "too many at once to target %d",
                target_of(j));
  to->at = world.boot;
  char name[48];
  year_job_name(name, id);
  renew_state_begin(&world.state, ck_str_of(name), now());
  world.c[j->conversation].sending++;
  world.sent++;
  j->may_have_arrived = true;
  year_add(SENT, 5 + chance(one_in(50) ? 30000 : 400), world.run, id)->token = token;
}

void year_sent(int id, uint64_t token) {
  struct job *j = &world.j[id];
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
  struct renew_count count = {j->attempts, rules.max_attempts, j->unreached, j->unreached_since};
  struct renew_verdict v = renew_judge(&rules, &world.random, &r, &count, now().wall);
  if (r.outcome == RENEW_UNREACHED)
    cr_assert(v.outcome == RENEW_FAILED ? now().wall - j->unreached_since >= rules.give_up
                                        : v.next_attempt_at <= now().wall + 30 * MINUTE,
              "job %d is given up too early, or waits too long", id);
  world.c[j->conversation].sending--;
  world.begun[target_of(j)].sending--;
  send_op(END, id, token, &v);
}

static void recover(void) {
  for (int id = 0; id < world.jobs; id++)
    if (world.j[id].status == RUNNING && !world.j[id].unknown) {
      struct renew_verdict v = renew_recover(world.j[id].repeatable, now().wall);
      send_op(END, id, world.j[id].token, &v)->recovers = true;
    }
}

void year_start(void) {
  world.up = true;
  world.run++;
  world.up_since = world.boot;
  memset(&world.state, 0, sizeof world.state);
  world.state.pace.spacing = SPACING;
  memset(world.begun, 0, sizeof world.begun);
  world.state.delay = DELAY;
  for (int id = 0; id < world.jobs; id++) world.j[id].known_next = -1;
  for (int id = 0; id < world.jobs; id++)
    if (world.j[id].status != OVER) year_follow_job(id, &world.j[id]);
  for (int id = 0; id < CONVERSATIONS; id++) {
    world.c[id].known_until = 0;
    world.c[id].told_last = -1;
    year_follow_conversation(id, &world.c[id]);
  }
  world.followed = world.version;
  recover();
}

void year_crash(void) {
  renew_state_free(&world.state);
  world.up = false;
  world.crashes++;
  for (int id = 0; id < CONVERSATIONS; id++) world.c[id].sending = 0;
  /* Each mutation on its way to the store arrives, or does not. */
  for (size_t i = 0; i < world.events.count; i++) {
    struct event *e = (struct event *)world.events.v[i];
    if (e->run == world.run &&
        (e->kind == PUT || e->kind == CLAIM || e->kind == END || e->kind == SUPERSEDE) && one_in(2))
      e->run = 0;
  }
  year_add(START, 10 + chance(one_in(10) ? 10 * MINUTE : 2000), 0, 0);
}

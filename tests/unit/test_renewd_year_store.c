/* The simulated year: its events, the store, and what the store does with mutations. */
#include "test_renewd_year.h"

#include <criterion/criterion.h>

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- events ---- */

struct event *year_add(enum kind kind, int64_t in, unsigned run, int id) {
  struct event *e = calloc(1, sizeof *e);
  e->kind = kind;
  e->run = run;
  e->id = id;
  ck_heap_set(&world.events, &e->timer, world.boot + in);
  return e;
}

struct event *year_take(void) {
  struct ck_timer *first = ck_heap_top(&world.events);
  ck_heap_drop(&world.events, first);
  return (struct event *)first;
}

/* ---- rows and their names ---- */

void year_changed_conversation(int id) {
  struct event *e = year_add(FOLLOW_C, FOLLOW_LAG, world.run, id);
  e->c = world.c[id];
  e->version = ++world.version;
}

static void changed_message(int id) {
  struct event *e = year_add(FOLLOW_M, FOLLOW_LAG, world.run, id);
  e->message = world.c[id].last_message;
  e->c = world.c[id];
  e->version = ++world.version;
}

void year_changed_job(int id) {
  struct event *e = year_add(FOLLOW_J, FOLLOW_LAG, world.run, id);
  world.j[id].offer = 0;
  world.j[id].version = ++world.version;
  e->j = world.j[id];
  e->version = world.version;
}

void year_conversation_name(char out[40], int id) { snprintf(out, 40, "sim:%d", id); }
void year_message_name(char out[40], int id) { snprintf(out, 40, "m%d", id); }
int year_conversation_of(struct ck_str name) { return atoi(name.s + 4); }
int year_message_of(struct ck_str name) { return atoi(name.s + 1); }

int year_job_of(struct ck_str name) {
  const struct renew_node *n = renew_index_find(&world.names, name);
  cr_assert_not_null(n, "a job that nobody made: %.*s", (int)name.n, name.s);
  return (int)((const struct job *)(const void *)((const char *)n - offsetof(struct job, node)) -
               world.j);
}

bool year_is_repeatable(const struct job *j) {
  return year_target_of(j) % 3 == 0 && !year_is_clients(j);
}

void year_target(char out[48], const struct job *j) {
  const char *kind = year_is_clients(j) ? "feed" : year_is_repeatable(j) ? "null" : "exec";
  snprintf(out, 48, "{\"kind\":\"%s\",\"id\":\"%d\"}", kind, year_target_of(j));
}

static void name_job(int id) {
  struct job *j = &world.j[id];
  char message[40];
  year_message_name(message, j->message);
  if (j->automatic)
    ck_job_id(j->name, ck_str_of(message));
  else
    snprintf(j->name, sizeof j->name, "hand-%d", id);
  j->node.id = j->name;
  renew_index_add(&world.names, &j->node);
}

int year_new_job(int conversation, int message, bool automatic, int64_t next) {
  cr_assert_lt(world.jobs, JOBS_MAX);
  int id = world.jobs++;
  world.j[id] = (struct job){.conversation = conversation,
                             .message = message,
                             .automatic = automatic,
                             .next = next,
                             .created_at = now().wall,
                             .known_next = -1};
  name_job(id);
  world.job_of_message[message] = id;
  year_changed_job(id);
  return id;
}

void year_message(int id, bool assistant) {
  struct conversation *c = &world.c[id];
  cr_assert_lt(world.messages, JOBS_MAX);
  c->last_message = world.messages++;
  world.job_of_message[c->last_message] = -1;
  struct message *m = &world.m[c->last_message];
  m->assistant = assistant;
  m->created_at = now().wall;
  if (c->auto_since > now().wall + 60000) c->auto_since = now().wall - 1;
  /* Most are new; some are history that is imported, and some do not say when they were said. */
  m->observed_at = one_in(20)   ? m->created_at - rules.max_age - 1 - chance(50 * DAY)
                   : one_in(20) ? m->created_at
                                : m->created_at - 1 - chance(2000);
  c->text = 0;
  changed_message(id);
  year_changed_conversation(id);
}

void year_grow(int id) {
  if (world.c[id].last_message < 0) return;
  world.c[id].text++;
  changed_message(id);
}

bool year_is_superseded(const struct job *j) {
  const struct conversation *c = &world.c[j->conversation];
  return j->automatic && !j->anyway &&
         (c->automation == RENEW_MANUAL || c->last_message != j->message);
}

/* ---- what the store does with mutations ---- */

void year_receipt(const struct event *of, char result) {
  if (!of->run) return;
  struct event *e = year_add(RECEIPT, chance(6), world.run, of->id);
  e->ticket = of->ticket;
  e->result = result;
  e->version = world.version;
  e->of = of->kind == PUT ? of->id : world.j[of->id].conversation;
  world.refused += result == 'r';
}

void year_put(const struct event *e) {
  bool there = world.job_of_message[e->message] >= 0;
  if (!there) year_new_job(e->id, e->message, true, e->next);
  year_receipt(e, there ? 'r' : 'n');
}

void year_claimed_in_store(const struct event *e) {
  struct job *j = &world.j[e->id];
  bool granted = j->status == PENDING && !year_is_superseded(j) &&
                 world.c[j->conversation].automation != RENEW_PAUSED;
  if (granted) {
    j->status = RUNNING;
    j->unknown = false;
    j->attempts++;
    j->last_attempt_at = now().wall;
    snprintf(j->token, sizeof j->token, "%s", e->token);
    year_changed_job(e->id);
  }
  year_receipt(e, granted ? 'u' : 'r');
}

static void end_of(int id, const struct event *e) {
  struct job *j = &world.j[id];
  const struct renew_verdict *v = &e->verdict;
  j->status = v->outcome == RENEW_DONE || v->outcome == RENEW_FAILED ? OVER
              : v->outcome == RENEW_UNKNOWN                          ? RUNNING
                                                                     : PENDING;
  j->unknown = v->outcome == RENEW_UNKNOWN;
  if (j->status == PENDING) j->next = v->next_attempt_at;
  if (v->outcome == RENEW_RELEASED || v->outcome == RENEW_UNREACHED) j->attempts--;
  if (v->outcome == RENEW_UNREACHED && j->unreached++ == 0) j->unreached_since = now().wall;
  if (v->outcome != RENEW_RELEASED && v->outcome != RENEW_UNREACHED) j->unreached = 0;
  world.done += v->outcome == RENEW_DONE;
  if (v->outcome == RENEW_DONE) {
    world.c[j->conversation].done_at = world.boot;
    world.c[j->conversation].done_run = e->run;
  }
  world.unknown += j->unknown;
  if (j->unknown) year_add(PERSON, HOUR, 0, id);
  if (v->cooldown_until) {
    world.c[j->conversation].cooldown_until = v->cooldown_until;
    year_changed_conversation(j->conversation);
  }
  year_changed_job(id);
}

void year_end_in_store(const struct event *e) {
  const struct job *j = &world.j[e->id];
  bool is = j->taken ? !e->token[0] && year_expire(e->id)
                     : j->status == RUNNING && strcmp(j->token, e->token) == 0;
  if (is) end_of(e->id, e);
  year_receipt(e, is ? 'u' : 'r');
}

void year_supersede_in_store(const struct event *e) {
  struct job *j = &world.j[e->id];
  bool wanted = j->automatic && j->anyway, ends = j->status == PENDING && year_is_superseded(j);
  if (ends) {
    j->status = OVER;
    world.superseded++;
    year_changed_job(e->id);
  }
  year_receipt(e, wanted ? '=' : ends ? 'u' : 'r');
}

/* ---- what the store says ---- */

void year_queried_in_store(const struct event *e) {
  struct event *a = year_add(ANSWER, chance(3), world.run, e->id);
  a->message = e->message;
  a->parts = e->parts;
  a->ticket = e->ticket;
}

static struct renew_facts facts_of(int message, const struct conversation *c) {
  const struct message *m = &world.m[message];
  return (struct renew_facts){.found = true,
                              .live = true,
                              .role = m->assistant ? CK_LIT("assistant") : CK_LIT("user"),
                              .created_at = m->created_at,
                              .observed_at = m->observed_at,
                              .last_message_at = world.m[c->last_message].observed_at,
                              .since = c->automation == RENEW_AUTO ? c->auto_since : 0,
                              .has_job = world.job_of_message[message] >= 0};
}

static void about_job(struct renew_answer *a, const struct job *j) {
  static char conversation[40], message[40], target[48];
  year_conversation_name(conversation, j->conversation);
  year_message_name(message, j->message);
  year_target(target, j);
  a->job = (struct renew_row){.head = world.version,
                              .conversation_id = ck_str_of(conversation),
                              .message_id = ck_str_of(message),
                              .payload = CK_LIT("continue"),
                              .payload_kind = CK_LIT("text"),
                              .snapshot = ck_str_of(target),
                              .attempt_count = j->attempts,
                              .max_attempts = rules.max_attempts};
  a->lease = (struct renew_lease){.running = j->status == RUNNING && !j->unknown,
                                  .unknown = j->status == RUNNING && j->unknown,
                                  .token = ck_str_of(j->token),
                                  .attempt = j->attempts};
  year_client_lease(j, &a->lease);
  a->unreached = j->unreached;
  a->unreached_since = j->unreached_since;
}

struct renew_answer year_answer(const struct event *query) {
  static char last[40];
  struct renew_answer a = {.head = world.version};
  if (query->parts & RENEW_ABOUT_OFFERS) a.n = year_offers(&a.offers);
  if (query->parts & (RENEW_ABOUT_OFFERS | RENEW_ABOUT_LIMITS)) return a;
  bool of_job = query->parts & RENEW_ABOUT_JOB;
  if (of_job) about_job(&a, &world.j[query->id]);
  const struct conversation *c = &world.c[of_job ? world.j[query->id].conversation : query->id];
  a.paused = c->automation == RENEW_PAUSED;
  a.manual = c->automation == RENEW_MANUAL;
  year_message_name(last, c->last_message);
  a.last_message_id = ck_str_of(last);
  if (query->parts & RENEW_ABOUT_MESSAGE) a.facts = facts_of(query->message, c);
  return a;
}

/* `jobs cancel` or `jobs retry`, the latter with --anyway if need be. */
void year_person(int id) {
  struct job *j = &world.j[id];
  if (j->status != RUNNING || !j->unknown) return;
  j->taken = 0;
  j->unknown = j->may_have_arrived = false;
  j->status = one_in(2) ? OVER : PENDING;
  if (j->status == PENDING && year_is_superseded(j)) {
    j->anyway = true;
    world.anyway++;
  }
  j->next = now().wall;
  year_changed_job(id);
}

void year_automate(int id) {
  struct conversation *c = &world.c[id];
  enum renew_automation to = one_in(5) ? RENEW_MANUAL : one_in(4) ? RENEW_PAUSED : RENEW_AUTO;
  if (to == RENEW_AUTO && c->automation != RENEW_AUTO) c->auto_since = now().wall;
  c->automation = to;
  year_changed_conversation(id);
}

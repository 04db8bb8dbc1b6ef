/* The simulated year: its events, the store, and what the store does with mutations. */
#include "test_renewd_year.h"

#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>

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

static void changed_job(int id) {
  struct event *e = year_add(FOLLOW_J, FOLLOW_LAG, world.run, id);
  e->j = world.j[id];
  e->version = ++world.version;
}

void year_conversation_name(char out[40], int id) { snprintf(out, 40, "sim:%d", id); }
void year_message_name(char out[40], int id) { snprintf(out, 40, "m%d", id); }

void year_job_name(char out[48], int id) {
  char message[40];
  year_message_name(message, world.j[id].message);
  if (world.j[id].automatic)
    ck_job_id(out, ck_str_of(message));
  else
    snprintf(out, 48, "hand-%d", id);
}

int year_new_job(int conversation, int message, bool automatic, int64_t next) {
  cr_assert_lt(world.jobs, JOBS_MAX);
  int id = world.jobs++;
  world.j[id] = (struct job){.conversation = conversation,
                             .message = message,
                             .automatic = automatic,
                             .repeatable = one_in(3),
                             .next = next,
                             .created_at = now().wall,
                             .known_next = -1};
  world.job_of_message[message] = id;
  changed_job(id);
  return id;
}

void year_message(int id, bool assistant) {
  struct conversation *c = &world.c[id];
  cr_assert_lt(world.messages, JOBS_MAX);
  c->last_message = world.messages++;
  world.job_of_message[c->last_message] = -1;
  c->assistant = assistant;
  c->last_created = now().wall;
  if (c->auto_since > now().wall + 60000) c->auto_since = now().wall - 1;
  /* Most are new; some are history that is imported, and some do not say when they were said. */
  c->last_observed = one_in(20)   ? c->last_created - rules.max_age - 1 - chance(50 * DAY)
                     : one_in(20) ? c->last_created
                                  : c->last_created - 1 - chance(2000);
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

void year_put(const struct event *e) {
  if (world.job_of_message[e->message] >= 0)
    world.refused++;
  else
    year_new_job(e->id, e->message, true, e->next);
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
    j->token = e->token;
    changed_job(e->id);
  } else {
    world.refused++;
  }
  if (e->run) year_add(CLAIMED, chance(6), world.run, e->id)->token = granted ? e->token : 0;
}

void year_end_in_store(const struct event *e) {
  struct job *j = &world.j[e->id];
  const struct renew_verdict *v = &e->verdict;
  if (j->status == RUNNING && j->token == e->token) {
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
    if (j->unknown) year_add(PERSON, HOUR, 0, e->id);
    if (v->cooldown_until) {
      world.c[j->conversation].cooldown_until = v->cooldown_until;
      year_changed_conversation(j->conversation);
    }
    changed_job(e->id);
  } else {
    world.refused++;
  }
  if (e->run && !e->recovers) year_add(ENDED, chance(6), world.run, e->id);
}

void year_supersede_in_store(const struct event *e) {
  struct job *j = &world.j[e->id];
  bool wanted = j->automatic && j->anyway;
  if (j->status == PENDING && year_is_superseded(j)) {
    j->status = OVER;
    world.superseded++;
    changed_job(e->id);
  }
  if (e->run) year_add(SUPERSEDED, chance(6), world.run, e->id)->message = wanted;
}

/* `jobs cancel` or `jobs retry`, the latter with --anyway if need be. */
void year_person(int id) {
  struct job *j = &world.j[id];
  if (j->status != RUNNING || !j->unknown) return;
  j->unknown = j->may_have_arrived = false;
  j->status = one_in(2) ? OVER : PENDING;
  if (j->status == PENDING && year_is_superseded(j)) {
    j->anyway = true;
    world.anyway++;
  }
  j->next = now().wall;
  changed_job(id);
}

void year_automate(int id) {
  struct conversation *c = &world.c[id];
  enum renew_automation to = one_in(5) ? RENEW_MANUAL : one_in(4) ? RENEW_PAUSED : RENEW_AUTO;
  if (to == RENEW_AUTO && c->automation != RENEW_AUTO) c->auto_since = now().wall;
  c->automation = to;
  year_changed_conversation(id);
}

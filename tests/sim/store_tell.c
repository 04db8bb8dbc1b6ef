/* What the store does with mutations. They wait in memory until a commit, which makes all that came
 * meanwhile durable, and then sends their receipts. A death loses what waits, and the receipts that
 * are on their way. */
#include "tests/sim/accounts.h"
#include "tests/sim/pauses.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Commits take 1 to 4 ms; now and then the disk is slow. */
#define COMMIT_MS (one_in(400) ? chance(20 * SECOND) : 1 + chance(3))

static struct telling *inbox, **inbox_tail = &inbox;
static uint64_t inbox_last; /* number of the last one that came */
static bool committing;

/* ---- attempts ---- */

static void charge(struct conversation *c, struct attempt attempt) {
  int room = sizeof c->attempts / sizeof *c->attempts;
  if (c->attempts_n == room)
    memmove(c->attempts, c->attempts + 1, (size_t)--c->attempts_n * sizeof *c->attempts);
  c->attempts[c->attempts_n++] = attempt;
}

static void uncharge(struct conversation *c, int job) {
  int i = c->attempts_n;
  while (i > 0 && c->attempts[i - 1].job != job) i--;
  if (i == 0) return;
  memmove(c->attempts + i - 1, c->attempts + i, (size_t)(c->attempts_n - i) * sizeof *c->attempts);
  c->attempts_n--;
}

void sim_lease(int id, struct attempt attempt) {
  struct job *j = &world.j[id];
  struct conversation *c = &world.c[j->conversation];
  SIM_CHECK(c->running < 0, "conversation %d has two leases: %s, and %s", j->conversation,
            world.j[c->running].name, j->name);
  c->running = id;
  j->status = RUNNING;
  j->unknown = false;
  j->attempts++;
  j->last_attempt_at = attempt.at;
  j->leased_wishes = j->wishes;
  j->taken_away = false;
  j->attempt_at = world.boot;
  j->attempt_number = ++store.attempts;
  charge(c, attempt);
  sim_check_lease(id);
}

/* The later of the two clocks' times counts. */
void sim_store_wait(struct wait *w, int64_t until, int64_t told) {
  int64_t begun = told > now().wall ? told : now().wall, left = until - begun;
  if (!told && left > CK_CLIENT_TIME_MAX_MS) left = CK_CLIENT_TIME_MAX_MS;
  w->length = left > 0 ? left : 0;
  w->stored = world.boot + w->length;
  w->written = now().wall;
}

void sim_rest(int conversation, int64_t until, struct wait wait) {
  struct conversation *c = &world.c[conversation];
  if (c->rest.stored > world.boot && c->rest.stored >= wait.stored) return;
  c->cooldown_until = until + (c->cooldown_until == until);
  c->rest = wait;
  sim_conversation_changed(conversation);
}

void sim_end(int id, enum renew_outcome outcome, int64_t next, struct wait wait) {
  struct job *j = &world.j[id];
  struct conversation *c = &world.c[j->conversation];
  bool charged = outcome != RENEW_RELEASED && outcome != RENEW_UNREACHED;
  if (c->running == id) c->running = -1;
  j->status = outcome == RENEW_DONE || outcome == RENEW_FAILED ? OVER
              : outcome == RENEW_UNKNOWN                       ? RUNNING
                                                               : PENDING;
  j->unknown = outcome == RENEW_UNKNOWN;
  j->failed = outcome == RENEW_FAILED;
  if (j->status == PENDING) {
    j->next = next;
    j->wait = wait;
  }
  if (!charged) {
    j->attempts--;
    uncharge(c, id);
  }
  if (outcome == RENEW_UNREACHED && j->unreached++ == 0) {
    j->unreached_at = world.boot;
    j->unreached_since = now().wall;
  }
  if (charged) j->unreached = 0;
  if (outcome == RENEW_RETRY && one_in(15)) sim_add(HOLDS, chance(5), id);
  if (j->unknown)
    sim_add(DECIDES, HOUR + chance(HOUR), id);
  else
    j->taken = 0;
  sim_job_changed(id);
}

/* ---- mutations: what RECEIPT says ---- */

static char apply_put(const struct telling *t) {
  if (world.m[t->message].has_job) return 'r';
  struct wait wait = t->wait;
  sim_store_wait(&wait, t->next_at, 0);
  sim_new_job(t->conversation, t->message, true, t->target, t->next_at, wait);
  return 'n';
}

static char apply_update(const struct telling *t) {
  struct job *j = &world.j[t->job];
  if (j->target == t->target) return '=';
  j->target = t->target;
  sim_job_changed(t->job);
  return 'u';
}

static bool may_be_claimed(const struct job *j) {
  return j->status == PENDING && !sim_is_superseded(j) &&
         world.c[j->conversation].automation != RENEW_PAUSED;
}

static char apply_claim(const struct telling *t) {
  struct job *j = &world.j[t->job];
  if (!may_be_claimed(j) || j->offer || sim_is_paused(j, t->account)) return 'r';
  sim_lease(t->job, (struct attempt){t->at, world.boot, t->job, world.boot});
  j->lease_run = t->run;
  if (one_in(25)) sim_add(MEDDLES, chance(4), j->conversation);
  snprintf(j->token, sizeof j->token, "%s", t->token);
  sim_job_changed(t->job);
  return 'u';
}

static char apply_end(const struct telling *t) {
  struct job *j = &world.j[t->job];
  bool is = j->taken ? !t->token[0] && t->attempt == j->attempts && sim_expires(t->job)
                     : j->status == RUNNING && t->attempt == j->attempts && !j->unknown &&
                           strcmp(j->token, t->token) == 0;
  if (!is) return 'r';
  int conversation = j->conversation;
  world.n.done += t->outcome == RENEW_DONE;
  world.n.failed += t->outcome == RENEW_FAILED;
  world.n.unknown += t->outcome == RENEW_UNKNOWN;
  world.n.retried += t->outcome == RENEW_RETRY;
  world.n.unreached += t->outcome == RENEW_UNREACHED;
  world.n.released += t->outcome == RENEW_RELEASED;
  struct wait wait = t->wait;
  sim_store_wait(&wait, t->cooldown_until ? t->cooldown_until : t->next_at, t->told);
  sim_end(t->job, t->outcome, t->next_at, wait);
  if (t->cooldown_until) sim_rest(conversation, t->cooldown_until, wait);
  return 'u';
}

static char apply_supersede(const struct telling *t) {
  struct job *j = &world.j[t->job];
  bool wanted = j->status == PENDING && j->automatic && j->anyway;
  if (wanted) return '=';
  if (j->status != PENDING || !sim_is_superseded(j)) return 'r';
  j->status = OVER;
  j->failed = true;
  world.n.superseded++;
  sim_job_changed(t->job);
  return 'u';
}

static char apply_offer(const struct telling *t) {
  struct job *j = &world.j[t->job];
  if (j->status != PENDING || j->version > t->version) return 'r';
  if (j->offer) return '=';
  j->offer = ++store.offers;
  j->offered_to = t->account;
  j->offer_run = t->run;
  j->offer_start = world.started;
  world.n.offers++;
  sim_offered(t->job);
  return 'u';
}

static char apply_withdraw(const struct telling *t) {
  struct job *j = &world.j[t->job];
  bool is = j->offer != 0;
  j->offer = 0;
  return is ? 'u' : '=';
}

static char apply_cancel(const struct telling *t) {
  sim_fail("job %s is cancelled, though its client could read it", world.j[t->job].name);
}

static char apply_limit(const struct telling *t) {
  (void)t;
  return '=';
}

static char apply(const struct telling *t) {
  static char (*const rules[TELLS])(const struct telling *t) = {
      apply_put,   apply_update,   apply_claim,  apply_end,  apply_supersede,
      apply_offer, apply_withdraw, apply_cancel, apply_limit};
  char result = rules[t->kind](t);
  if (t->limits && result != 'r') sim_limit_told(t->account, &t->limit, t->learned);
  world.n.refused += result == 'r';
  return result;
}

/* ---- commits ---- */

/* A changeset comes in its order: one that is there already, or whose predecessor is not, is not
 * taken. */
void sim_told(const struct event *e) {
  const struct telling *t = sim_telling(e->run, e->number);
  if (!store.up || e->life != store.life || e->run != store.producer || !t) return;
  if (e->number <= inbox_last) return;
  SIM_CHECK(e->number == inbox_last + 1, "changesets come in another order");
  struct telling *copy = ck_zalloc(sizeof *copy);
  *copy = *t;
  copy->next = NULL;
  *inbox_tail = copy;
  inbox_tail = &copy->next;
  inbox_last = e->number;
  if (committing) return;
  committing = true;
  sim_add(COMMIT, COMMIT_MS, 0)->life = store.life;
}

static void commit_all(bool tells) {
  struct telling *done = inbox, *t;
  inbox = NULL;
  inbox_tail = &inbox;
  for (t = done; t; t = t->next) {
    t->result = apply(t);
    bool claimed = t->kind == TELL_CLAIM && t->result == 'u';
    if (claimed && tells && !one_in(20)) t->found = sim_found(t->job);
    /* Behind it in the same commit. */
    if (claimed && one_in(40 + world.conversations_n / 50))
      sim_meddles(world.j[t->job].conversation);
  }
  for (t = done; t; t = done) {
    done = t->next;
    if (t->run == store.producer) store.last = t->number;
    if (tells) sim_receipt(t->run, t->number, t->result, t->found);
    if (tells && t->kind == TELL_CLAIM && t->result == 'r') sim_refusal_is_on_its_way();
    free(t);
  }
  sim_feed();
}

/* One that fails drops its batch and every connection; the producers send it again. */
void sim_commit(const struct event *e) {
  if (!store.up || e->life != store.life) return;
  committing = false;
  if (!world.ending && one_in(20000)) {
    sim_store_dies();
    return;
  }
  commit_all(true);
}

void sim_store_welcome(unsigned run) {
  commit_all(false);
  if (store.producer != run) store.last = 0;
  store.producer = run;
  inbox_last = store.last;
}

/* ---- life ---- */

static void forget_inbox(void) {
  for (struct telling *t; (t = inbox);) {
    inbox = t->next;
    free(t);
  }
  inbox_tail = &inbox;
  inbox_last = store.last;
  committing = false;
}

void sim_store_dies(void) {
  store.up = false;
  store.life++;
  world.n.store_kills++;
  forget_inbox();
  sim_disconnect();
  sim_add(STORE_STARTS, 10 + chance(one_in(10) ? 10 * MINUTE : 2000), 0)->life = store.life;
}

void sim_store_starts(void) {
  store.up = true;
  if (store.started != world.started) sim_store_looks();
}

void sim_store_free(void) { forget_inbox(); }

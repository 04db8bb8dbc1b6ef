/* Another start of the machine. Everything there dies, its own clock counts from 0, and its wall
 * clock may show anything; the world goes on. How long it was away the store knows only by that
 * clock, as it is when the store is first opened then: docs/renewal.md, "Clocks". */
#include "tests/sim/accounts.h"

/* Boot: when that was, as the store knows it. */
static int64_t known(int64_t wall) {
  int64_t away = now().wall - wall;
  return world.boot - (away > 0 ? away : 0);
}

/* One that is over may be deleted by now, or not; then it begins again if the clock has gone back.
 */
static int64_t ends(int64_t end, int64_t length, int64_t written) {
  bool deleted = end <= world.boot && one_in(2);
  return deleted ? end : known(written) + length;
}

static void waits(struct wait *w) {
  if (!w->calendar) w->stored = w->until = ends(w->stored, w->length, w->written);
}

static void look_at_conversation(struct conversation *c) {
  if (c->cooldown_until) waits(&c->rest);
  for (int i = 0; i < c->attempts_n; i++) c->attempts[i].known = known(c->attempts[i].at);
}

static void look_at_job(struct job *j) {
  if (j->status == PENDING) waits(&j->wait);
  if (j->taken) waits(&j->lease);
  if (j->last_attempt_at) j->attempt_at = known(j->last_attempt_at);
  if (j->unreached) j->unreached_at = known(j->unreached_since);
}

static void look_at_account(struct account *a) {
  if (a->there && a->row.until) a->ends = ends(a->ends, a->length, a->written);
}

/* The last attempts, of which others must be apart. They may look older; newer ones need not be
 * known, because then very many look as new. */
static void look_at_leased(struct leased *l) {
  if (l->job < 0) return;
  int64_t at = known(l->begun);
  if (at < l->at) l->at = at;
  l->offset = world.offset;
}

void sim_store_looks(void) {
  store.started = world.started;
  for (int id = 0; id < world.conversations_n; id++) look_at_conversation(&world.c[id]);
  for (int id = 0; id < world.jobs; id++) look_at_job(&world.j[id]);
  for (int id = 0; id < world.accounts_n; id++) {
    look_at_account(&world.a[id]);
    look_at_leased(&world.a[id].leased);
    look_at_leased(&world.a[id].former);
  }
  for (int id = 0; id < world.targets_n; id++) {
    look_at_leased(&world.t[id].leased);
    look_at_leased(&world.t[id].former);
  }
}

void sim_reboot(void) {
  world.n.reboots++;
  if (renewd.up) sim_renewd_dies();
  if (store.up) sim_store_dies();
  world.boot += one_in(3) ? chance(10 * HOUR) : SECOND + chance(5 * MINUTE);
  world.started = world.boot;
}

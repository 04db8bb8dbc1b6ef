/* Clients, which deliver the jobs of their targets when they like, and sometimes die. What they say
 * goes to the store. */
#include "tests/sim/pauses.h"

#include <stdlib.h>

#define LEASE_MS CK_CLIENT_LEASE_MS

void sim_offered(int job) {
  sim_add(CLIENT_CLAIMS, chance(one_in(5) ? 10 * MINUTE : 500), job)->number = world.j[job].offer;
}

static void arrive(int id) {
  struct job *j = &world.j[id];
  SIM_CHECK(!j->may_have_arrived, "job %s was offered blindly again", j->name);
  world.n.deliveries++;
  j->may_have_arrived = true;
}

static void claims_again(const struct event *e, int64_t in) {
  sim_add(CLIENT_CLAIMS, in, e->id)->number = e->number;
}

/* The store grants the claim. While that is refused, and the offer stays, its client tries again.
 */
void sim_client_claims(const struct event *e) {
  struct job *j = &world.j[e->id];
  struct conversation *c = &world.c[j->conversation];
  if (j->offer != e->number) return;
  if (!store.up) {
    claims_again(e, 1 + chance(10 * SECOND));
    return;
  }
  if (j->status != PENDING || sim_is_superseded(j) || c->automation == RENEW_PAUSED ||
      sim_is_paused(j, j->offered_to)) {
    claims_again(e, MINUTE + chance(10 * MINUTE));
    return;
  }
  arrive(e->id);
  sim_lease(e->id, (struct attempt){now().wall, world.boot, e->id, world.boot});
  j->lease_run = 0;
  j->taken = ++store.taken;
  j->lease = sim_wait(LEASE_MS, 0);
  sim_job_changed(e->id);
  sim_feed();
  world.n.claimed++;
  struct event *end = sim_add(CLIENT_ENDS, chance(one_in(8) ? LEASE_MS + 5000 : 20000), e->id);
  end->number = j->taken;
  end->accepts = !one_in(12);                                /* it has sent it, at least */
  end->result = one_in(15) ? 'd' : end->accepts ? 's' : 'r'; /* it dies then, or says what it did */
}

static int64_t released_wait(const struct job *j) {
  int64_t wait = CK_CLIENT_WAIT_MS;
  for (int64_t n = j->unreached; n > 0 && wait < CK_CLIENT_WAIT_MAX_MS; n--) wait *= 2;
  return wait < CK_CLIENT_WAIT_MAX_MS ? wait : CK_CLIENT_WAIT_MAX_MS;
}

/* What it says counts until a person has decided, also after its lease has run out. */
void sim_client_ends(const struct event *e) {
  struct job *j = &world.j[e->id];
  if (!j->taken || j->taken != e->number) return;
  if (e->accepts && !j->accepted) {
    j->accepted = true;
    world.n.accepted++;
    sim_other_side(j->conversation);
  }
  if (e->result == 'd') return;
  if (!store.up) {
    struct event *again = sim_add(CLIENT_ENDS, 1 + chance(10 * SECOND), e->id);
    again->number = e->number;
    again->accepts = e->accepts;
    again->result = e->result;
    return;
  }
  int64_t wait = e->result == 'r' ? released_wait(j) : sim_rules.cooldown;
  const struct wait w = sim_wait(wait, 0);
  if (e->result == 'r') {
    j->may_have_arrived = false;
    sim_end(e->id, RENEW_UNREACHED, now().wall + wait, w);
  } else {
    sim_end(e->id, RENEW_DONE, 0, w);
    sim_rest(j->conversation, now().wall + wait, w);
  }
  sim_feed();
}

bool sim_expires(int id) {
  const struct job *j = &world.j[id];
  if (j->status != RUNNING || j->unknown || world.boot < j->lease.until) return false;
  world.n.expired++;
  return true;
}

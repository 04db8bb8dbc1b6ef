/* The simulated year: a client, which delivers the jobs of the last target, and sometimes dies. */
#include "test_renewd_year.h"

#include <criterion/criterion.h>

#include <stdlib.h>

static bool may_go(const struct job *j) {
  return j->status == PENDING && !year_is_superseded(j) &&
         world.c[j->conversation].automation != RENEW_PAUSED;
}

/* An offer of a job that has changed since it was read is refused. */
void year_offer(const struct event *e) {
  struct job *j = &world.j[e->id];
  bool is = j->status == PENDING && e->version >= j->version;
  if (is) {
    j->offer = ++world.offers;
    year_add(CLIENT_CLAIM, chance(one_in(3) ? 10 * MINUTE : 500), 0, e->id)->version = j->offer;
  }
  year_receipt(e, is ? 'u' : 'r');
}

void year_withdraw(const struct event *e) {
  struct job *j = &world.j[e->id];
  bool is = j->offer != 0;
  j->offer = 0;
  year_receipt(e, is ? 'u' : '=');
}

static void arrive(struct job *j, int id) {
  struct conversation *c = &world.c[j->conversation];
  cr_assert_eq(c->sending + c->with_client, 0, "two at once in conversation %d", j->conversation);
  cr_assert(!j->may_have_arrived, "job %d was offered blindly again", id);
  c->with_client++;
  j->may_have_arrived = true;
  world.claimed_by_client++;
}

void year_client_claim(const struct event *e) {
  struct job *j = &world.j[e->id];
  if (j->offer != e->version || !may_go(j)) return;
  arrive(j, e->id);
  j->status = RUNNING;
  j->unknown = false;
  j->attempts++;
  j->last_attempt_at = now().wall;
  j->taken = ++world.taken;
  j->lease_until = now().wall + CLIENTS_LEASE;
  year_changed_job(e->id);
  if (!one_in(10)) year_add(CLIENT_END, chance(CLIENTS_LEASE + 5000), 0, e->id)->version = j->taken;
}

/* The attempt is not with the client any more. */
static void let_go(struct job *j) {
  if (!j->unknown) world.c[j->conversation].with_client--;
  j->unknown = false;
  j->taken = 0;
}

/* What it says counts until a person has decided, also after its lease has run out. */
void year_client_end(const struct event *e) {
  struct job *j = &world.j[e->id];
  struct conversation *c = &world.c[j->conversation];
  if (!j->taken || j->taken != e->version) return;
  let_go(j);
  if (one_in(5)) { /* not sent */
    j->status = PENDING;
    j->attempts--;
    j->next = now().wall + 5000;
    j->may_have_arrived = false;
  } else {
    j->status = OVER;
    world.done++;
    if (c->cooldown_until < now().wall + rules.cooldown)
      c->cooldown_until = now().wall + rules.cooldown;
    year_changed_conversation(j->conversation);
  }
  year_changed_job(e->id);
}

bool year_expire(int id) {
  struct job *j = &world.j[id];
  if (j->status != RUNNING || j->unknown || now().wall < j->lease_until) return false;
  world.c[j->conversation].with_client--;
  world.expired++;
  return true;
}

void year_client_lease(const struct job *j, struct renew_lease *lease) {
  if (!j->taken) return;
  lease->token = (struct ck_str){0};
  lease->client = CK_LIT("6");
  lease->until = j->lease_until;
}

size_t year_offers(const struct ck_str **ids) {
  static struct ck_str list[RENEW_PAGE];
  size_t n = 0;
  for (int id = 0; id < world.jobs && n < RENEW_PAGE; id++)
    if (world.j[id].offer) list[n++] = ck_str_of(world.j[id].name);
  *ids = list;
  return n;
}

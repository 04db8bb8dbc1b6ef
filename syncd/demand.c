/* Counting what was asked for and what was granted; when to ask again (demand.h). */
#include "syncd/demand.h"

#define EVERY_MS 1000

/* All tokens expire together, at the earliest end of any: an expired one is useless, and a new one
 * is quickly had. */
static void allow(struct sync_demand *d, unsigned n, int64_t until, int64_t now) {
  if (d->allowed_until <= now) d->allowed = 0;
  if (!d->allowed) d->allowed_until = until;
  d->allowed += n;
}

void sync_demand_batch(struct sync_demand *d, bool some, int64_t now) {
  if (d->batches) --d->batches;
  if (some) allow(d, 1, now + CK_TOKEN_MS, now);
}

void sync_demand_grant(struct sync_demand *d, const struct ck_grant *g, int64_t now) {
  unsigned n = g->tokens < 1000 ? (unsigned)g->tokens : 1000;
  d->tokens -= n < d->tokens ? n : d->tokens;
  d->probe = false;
  allow(d, n, now + (int64_t)(g->ms < CK_TOKEN_MS ? g->ms : CK_TOKEN_MS), now);
}

void sync_demand_hold(struct sync_demand *d, int64_t until) {
  if (until > d->hold_until) d->hold_until = until;
}

bool sync_demand_may_send(const struct sync_demand *d, int64_t now) {
  return !d->counted || (d->allowed && now < d->allowed_until);
}

void sync_demand_sent(struct sync_demand *d) {
  if (d->allowed) --d->allowed;
}

bool sync_demand_say(struct sync_demand *d, uint64_t batches, uint64_t requests, bool probe,
                     int64_t now, struct ck_demand *said) {
  uint64_t allowed = d->counted && now < d->allowed_until ? d->allowed : 0;
  uint64_t tokens = d->counted && requests > allowed ? requests - allowed : 0;
  bool ask_probe = d->counted && probe && !allowed,
       again = (batches || tokens || ask_probe) && now >= d->due;
  /* A hold that is over need not be told. */
  int64_t hold = d->hold_until > now ? d->hold_until - now : 0;
  if (batches == d->batches && tokens == d->tokens && ask_probe == d->probe && !again && !hold)
    return false;
  d->batches = batches;
  d->tokens = tokens;
  d->probe = ask_probe;
  d->hold_until = 0;
  d->due = now + EVERY_MS;
  *said = (struct ck_demand){.request = ++d->request,
                             .batches = batches,
                             .tokens = tokens,
                             .probe = ask_probe,
                             .hold = (uint64_t)hold};
  return true;
}

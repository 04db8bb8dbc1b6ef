/* Counting what was asked for and what was granted; when to ask again (demand.h). */
#include "syncd/demand.h"

#define EVERY_MS 1000

/* All tokens expire together, at the earliest end of any: an expired one is useless, and a new one
 * is quickly had. */
static void allow(struct sync_demand *w, unsigned n, int64_t until, int64_t now) {
  if (w->allowed_until <= now) w->allowed = 0;
  if (!w->allowed) w->allowed_until = until;
  w->allowed += n;
}

void sync_demand_batch(struct sync_demand *w, bool some, int64_t now) {
  if (w->batches) --w->batches;
  if (some) allow(w, 1, now + CK_TOKEN_MS, now);
}

void sync_demand_grant(struct sync_demand *w, const struct ck_grant *g, int64_t now) {
  unsigned n = g->tokens < 1000 ? (unsigned)g->tokens : 1000;
  w->tokens -= n < w->tokens ? n : w->tokens;
  w->probe = false;
  allow(w, n, now + (int64_t)(g->ms < CK_TOKEN_MS ? g->ms : CK_TOKEN_MS), now);
}

void sync_demand_hold(struct sync_demand *w, int64_t until) {
  if (until > w->hold_until) w->hold_until = until;
}

bool sync_demand_may_send(const struct sync_demand *w, int64_t now) {
  return !w->counted || (w->allowed && now < w->allowed_until);
}

void sync_demand_sent(struct sync_demand *w) {
  if (w->allowed) --w->allowed;
}

bool sync_demand_say(struct sync_demand *w, uint64_t batches, uint64_t requests, bool probe,
                     int64_t now, struct ck_demand *said) {
  uint64_t allowed = w->counted && now < w->allowed_until ? w->allowed : 0;
  uint64_t tokens = w->counted && requests > allowed ? requests - allowed : 0;
  bool knock = w->counted && probe && !allowed,
       again = (batches || tokens || knock) && now >= w->due;
  /* A hold that is over need not be told. */
  int64_t hold = w->hold_until > now ? w->hold_until - now : 0;
  if (batches == w->batches && tokens == w->tokens && knock == w->probe && !again && !hold)
    return false;
  w->batches = batches;
  w->tokens = tokens;
  w->probe = knock;
  w->hold_until = 0;
  w->due = now + EVERY_MS;
  *said = (struct ck_demand){.request = ++w->request,
                             .batches = batches,
                             .tokens = tokens,
                             .probe = knock,
                             .hold = (uint64_t)hold};
  return true;
}

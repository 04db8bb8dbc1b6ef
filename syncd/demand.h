/* What this worker asks the store for, and how many requests it may send. No sockets; `now` is an
 * argument (boot ms). */
#ifndef SYNCD_DEMAND_H
#define SYNCD_DEMAND_H

#include "proto/wire.h"

struct sync_demand {
  bool counted;             /* the sink counts requests: each needs a token from the store */
  uint64_t batches, tokens; /* asked for and not received yet */
  bool probe;               /* a token for a probe has been asked for */
  unsigned allowed;         /* requests that may be sent before allowed_until */
  int64_t allowed_until;
  int64_t due; /* the demand is said again then, even if it has not changed */
  uint64_t request;
  int64_t hold_until; /* no worker may send before; the store has not been told yet. 0: nothing to
                         tell */
};

/* A batch has arrived. some: it has changes, so it brings one token with it. */
void sync_demand_batch(struct sync_demand *d, bool some, int64_t now);
/* The store granted tokens. */
void sync_demand_grant(struct sync_demand *d, const struct ck_grant *g, int64_t now);
/* The sink said that no worker may send anything before `until`. */
void sync_demand_hold(struct sync_demand *d, int64_t until);

/* Whether a request may be sent now; sync_demand_sent then takes the token for it. */
bool sync_demand_may_send(const struct sync_demand *d, int64_t now);
void sync_demand_sent(struct sync_demand *d);

/* True if the store has to be told: fills *said, except worker and sink. batches: how many more
 * there is room for. requests: how many could be sent now. probe: a probe, which changes nothing,
 * could be sent. */
bool sync_demand_say(struct sync_demand *d, uint64_t batches, uint64_t requests, bool probe,
                     int64_t now, struct ck_demand *said);

#endif

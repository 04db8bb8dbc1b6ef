/* What this worker asks the store for, and what it may send: no sockets, `now` is an argument. */
#ifndef SYNCD_DEMAND_H
#define SYNCD_DEMAND_H

#include "proto/wire.h"

struct sync_demand {
  bool counted;             /* the sink counts requests: each needs a token */
  uint64_t batches, tokens; /* asked for and not come yet */
  bool probe;
  unsigned allowed; /* requests that may be sent */
  int64_t allowed_until;
  int64_t due; /* when to ask again at the latest */
  uint64_t request;
  int64_t hold_until; /* the store has not been told of it yet; 0: nothing to tell */
};

/* A batch has come; some: it has changes, and so it may be sent. */
void sync_demand_batch(struct sync_demand *w, bool some, int64_t now);
void sync_demand_grant(struct sync_demand *w, const struct ck_grant *g, int64_t now);
/* The sink said that nobody is to send anything until then. */
void sync_demand_hold(struct sync_demand *w, int64_t until);

bool sync_demand_may_send(const struct sync_demand *w, int64_t now);
void sync_demand_sent(struct sync_demand *w);

/* True when the store is to be told: *said is filled but for worker and sink. batches: those there
 * is room for; requests: those that could be sent now. probe: one that changes nothing could. */
bool sync_demand_say(struct sync_demand *w, uint64_t batches, uint64_t requests, bool probe,
                     int64_t now, struct ck_demand *said);

#endif

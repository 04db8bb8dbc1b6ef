/* Which sync workers ask for work, and for how much. They take turns; a worker whose last DEMAND is
 * older than CK_DEMAND_MS gets nothing. Used by the work thread only. */
#ifndef CK_STORE_DEMAND_H
#define CK_STORE_DEMAND_H

#include "proto/wire.h"

/* More workers than anybody runs. One more replaces the worker that has been silent longest. */
#define DEMANDS_MAX 128

struct demand {
  char identity[256]; /* its address at the door */
  size_t identity_n;
  char *worker;             /* its producer id */
  uint64_t request;         /* of its last DEMAND; the answer repeats it */
  uint64_t batches, tokens; /* still to be given */
  bool probe;               /* it wants to test a sink that is down */
  int64_t seen;             /* ck_boot_ms of its last DEMAND */
  int64_t served;           /* turn number; the lowest is served next */
};

/* Zero-initialise. */
struct demands {
  struct demand at[DEMANDS_MAX];
  size_t n;
  int64_t turns;
};

void demands_free(struct demands *d);

/* Records a DEMAND that came at `now` (ck_boot_ms) in place of the worker's last one. NULL: the
 * address is empty or too long. */
struct demand *demands_take(struct demands *d, struct ck_str identity, const struct ck_demand *said,
                            int64_t now);
/* Removes a worker that is gone. */
void demands_forget(struct demands *d, struct demand *gone);

/* The worker whose turn it is to get a batch, tokens or a probe; NULL: no worker wants any. Valid
 * until the next demands_take or demands_forget. */
struct demand *demands_batch(struct demands *d, int64_t now);
struct demand *demands_tokens(struct demands *d, int64_t now);
struct demand *demands_probe(struct demands *d, int64_t now);
/* The worker has had its turn. */
void demands_served(struct demands *d, struct demand *one);

#endif

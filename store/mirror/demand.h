/* Which sync workers ask for work, and for how much: they take turns, and who has not asked for
 * CK_DEMAND_MS gets nothing. Used by the work thread only. */
#ifndef CK_STORE_DEMAND_H
#define CK_STORE_DEMAND_H

#include "proto/wire.h"

/* More workers than anybody runs: beyond them the one that has been silent longest is forgotten. */
#define DEMANDS_MAX 128

struct demand {
  char identity[256]; /* its address at the door */
  size_t identity_n;
  char *worker; /* its producer id */
  uint64_t request;
  uint64_t batches, tokens; /* still to be given */
  bool probe;
  int64_t seen, served; /* boot ms; served: order of turns */
};

struct demands {
  struct demand at[DEMANDS_MAX];
  size_t n;
  int64_t turns;
};

void demands_free(struct demands *w);

/* What it says replaces what it said before. NULL: its address is none. */
struct demand *demands_take(struct demands *w, struct ck_str identity, const struct ck_demand *said,
                            int64_t now);
/* It is not there any more. */
void demands_forget(struct demands *w, struct demand *gone);

/* Whose turn it is to get a batch, tokens, a probe; NULL: nobody wants any. Valid until the next
 * take or forget. */
struct demand *demands_batch(struct demands *w, int64_t now);
struct demand *demands_tokens(struct demands *w, int64_t now);
struct demand *demands_probe(struct demands *w, int64_t now);
/* It has had its turn. */
void demands_served(struct demands *w, struct demand *one);

#endif

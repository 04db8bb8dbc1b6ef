/* Which sync workers ask for work, and for how much: they take turns, and who has not asked for CK_WANT_MS gets nothing. Used by the work thread only. */
#ifndef CK_STORE_WANTS_H
#define CK_STORE_WANTS_H

#include "proto/wire.h"

/* More workers than anybody runs: beyond them the one that has been silent longest is forgotten. */
#define WANTS_MAX 128

struct want {
  char identity[256]; /* its address at the door */
  size_t identity_n;
  char *worker; /* its producer id */
  uint64_t request;
  uint64_t batches, tokens; /* still to be given */
  bool probe;
  int64_t seen, served; /* boot ms; served: order of turns */
};

struct wants {
  struct want at[WANTS_MAX];
  size_t n;
  int64_t turns;
};

void wants_free(struct wants *w);

/* What it says replaces what it said before. NULL: its address is none. */
struct want *wants_take(struct wants *w, struct ck_str identity, const struct ck_want *said, int64_t now);
/* It is not there any more. */
void wants_forget(struct wants *w, struct want *gone);

/* Whose turn it is to get a batch, tokens, a probe; NULL: nobody wants any. Valid until the next take or forget. */
struct want *wants_batch(struct wants *w, int64_t now);
struct want *wants_tokens(struct wants *w, int64_t now);
struct want *wants_probe(struct wants *w, int64_t now);
/* It has had its turn. */
void wants_served(struct wants *w, struct want *one);

#endif

/* One entry per worker; the one served longest ago is served next. */
#include "store/mirror/demand.h"

#include <stdlib.h>
#include <string.h>

/* A worker cannot use more than this before its next DEMAND. */
#define BATCHES_MAX 16
#define TOKENS_MAX 1000

static void empty(struct demand *one) {
  free(one->worker);
  *one = (struct demand){0};
}

void demands_free(struct demands *d) {
  for (size_t i = 0; i < d->n; ++i) empty(&d->at[i]);
  d->n = 0;
}

void demands_forget(struct demands *d, struct demand *gone) {
  empty(gone);
  *gone = d->at[--d->n];
  d->at[d->n] = (struct demand){0};
}

static struct demand *place_for(struct demands *d, struct ck_str identity) {
  struct demand *silent = &d->at[0];
  for (size_t i = 0; i < d->n; ++i) {
    struct demand *one = &d->at[i];
    if (one->identity_n == identity.n && memcmp(one->identity, identity.s, identity.n) == 0)
      return one;
    if (one->seen < silent->seen) silent = one;
  }
  if (d->n < DEMANDS_MAX) return &d->at[d->n++];
  empty(silent);
  return silent;
}

struct demand *demands_take(struct demands *d, struct ck_str identity, const struct ck_demand *said,
                            int64_t now) {
  if (identity.n == 0 || identity.n > sizeof d->at[0].identity) return NULL;
  struct demand *one = place_for(d, identity);
  memcpy(one->identity, identity.s, identity.n);
  one->identity_n = identity.n;
  if (!one->worker || !ck_str_is(said->worker, one->worker)) {
    free(one->worker);
    one->worker = ck_str_dup(ck_utf8_cut(said->worker, 200));
  }
  one->request = said->request;
  one->batches = said->batches < BATCHES_MAX ? said->batches : BATCHES_MAX;
  one->tokens = said->tokens < TOKENS_MAX ? said->tokens : TOKENS_MAX;
  one->probe = said->probe;
  one->seen = now;
  return one;
}

static bool any_batches(const struct demand *one) { return one->batches > 0; }
static bool any_tokens(const struct demand *one) { return one->tokens > 0; }
static bool any_probe(const struct demand *one) { return one->probe; }

static struct demand *next(struct demands *d, bool (*any)(const struct demand *one), int64_t now) {
  struct demand *first = NULL;
  for (size_t i = 0; i < d->n; ++i) {
    struct demand *one = &d->at[i];
    if (!any(one) || now - one->seen > CK_DEMAND_MS) continue;
    if (!first || one->served < first->served) first = one;
  }
  return first;
}

struct demand *demands_batch(struct demands *d, int64_t now) {
  return next(d, any_batches, now);
}
struct demand *demands_tokens(struct demands *d, int64_t now) {
  return next(d, any_tokens, now);
}
struct demand *demands_probe(struct demands *d, int64_t now) {
  return next(d, any_probe, now);
}

void demands_served(struct demands *d, struct demand *one) { one->served = ++d->turns; }

#include "store/wants.h"

#include <stdlib.h>
#include <string.h>

/* Nobody can use more before it asks again. */
#define BATCHES_MAX 16
#define TOKENS_MAX 1000

static void empty(struct want *one) {
  free(one->worker);
  *one = (struct want){0};
}

void wants_free(struct wants *w) {
  for (size_t i = 0; i < w->n; ++i) empty(&w->at[i]);
  w->n = 0;
}

void wants_forget(struct wants *w, struct want *gone) {
  empty(gone);
  *gone = w->at[--w->n];
  w->at[w->n] = (struct want){0};
}

static struct want *place_for(struct wants *w, struct ck_str identity) {
  struct want *silent = &w->at[0];
  for (size_t i = 0; i < w->n; ++i) {
    struct want *one = &w->at[i];
    if (one->identity_n == identity.n && memcmp(one->identity, identity.s, identity.n) == 0) return one;
    if (one->seen < silent->seen) silent = one;
  }
  if (w->n < WANTS_MAX) return &w->at[w->n++];
  empty(silent);
  return silent;
}

struct want *wants_take(struct wants *w, struct ck_str identity, const struct ck_want *said, int64_t now) {
  if (identity.n == 0 || identity.n > sizeof w->at[0].identity) return NULL;
  struct want *one = place_for(w, identity);
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

static bool any_batches(const struct want *one) { return one->batches > 0; }
static bool any_tokens(const struct want *one) { return one->tokens > 0; }
static bool any_probe(const struct want *one) { return one->probe; }

static struct want *next(struct wants *w, bool (*wants)(const struct want *one), int64_t now) {
  struct want *first = NULL;
  for (size_t i = 0; i < w->n; ++i) {
    struct want *one = &w->at[i];
    if (!wants(one) || now - one->seen > CK_WANT_MS) continue;
    if (!first || one->served < first->served) first = one;
  }
  return first;
}

struct want *wants_batch(struct wants *w, int64_t now) {
  return next(w, any_batches, now);
}
struct want *wants_tokens(struct wants *w, int64_t now) {
  return next(w, any_tokens, now);
}
struct want *wants_probe(struct wants *w, int64_t now) {
  return next(w, any_probe, now);
}

void wants_served(struct wants *w, struct want *one) { one->served = ++w->turns; }

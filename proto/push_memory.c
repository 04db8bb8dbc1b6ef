/* Unacked changesets in memory, and producer ids that last; see push.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/hostname.h"
#include "proto/lock.h"
#include "proto/places.h"
#include "proto/push.h"

struct kept {
  struct kept *next;
  size_t n;
  char mutations[];
};

struct ck_memory_unacked {
  void (*done)(void *self, uint64_t number, char result, struct ck_str reason);
  void (*claimed)(void *self, const struct ck_claimed *claimed);
  void *self;
  struct kept *head, **tail;
  /* Where the last get() ended: numbers are asked for in order. */
  struct kept *at;
  uint64_t at_number;
  uint64_t base; /* the head's number; 0 until the store has said how far it knows this producer */
  size_t count;
};

struct ck_memory_unacked *ck_memory_unacked_new(void (*done)(void *self, uint64_t number,
                                                             char result, struct ck_str reason),
                                                void *self) {
  struct ck_memory_unacked *k = ck_zalloc(sizeof *k);
  k->done = done;
  k->self = self;
  k->tail = &k->head;
  return k;
}

void ck_memory_unacked_claims(struct ck_memory_unacked *k,
                              void (*claimed)(void *self, const struct ck_claimed *claimed)) {
  k->claimed = claimed;
}

static void drop_head(struct ck_memory_unacked *k) {
  struct kept *gone = k->head;
  k->head = gone->next;
  if (!k->head) k->tail = &k->head;
  if (k->at == gone) k->at = NULL;
  free(gone);
  --k->count;
}

void ck_memory_unacked_free(struct ck_memory_unacked **unacked) {
  if (!*unacked) return;
  while ((*unacked)->head) drop_head(*unacked);
  free(*unacked);
  *unacked = NULL;
}

uint64_t ck_memory_unacked_add(struct ck_memory_unacked *k, struct ck_str mutations) {
  struct kept *item = ck_alloc(sizeof *item + mutations.n);
  item->next = NULL;
  item->n = mutations.n;
  memcpy(item->mutations, mutations.s, mutations.n);
  *k->tail = item;
  k->tail = &item->next;
  return (k->base ? k->base : 1) + k->count++;
}

size_t ck_memory_unacked_pending(const struct ck_memory_unacked *k) { return k->count; }

static uint64_t memory_first(void *self) { return ((struct ck_memory_unacked *)self)->base; }

static uint64_t memory_last(void *self) {
  struct ck_memory_unacked *k = self;
  return k->base + k->count - 1;
}

static bool memory_get(void *self, uint64_t number, struct ck_str *mutations) {
  struct ck_memory_unacked *k = self;
  if (number < k->base || number >= k->base + k->count) return false;
  if (!k->at || number < k->at_number) {
    k->at = k->head;
    k->at_number = k->base;
  }
  for (; k->at_number < number; ++k->at_number) k->at = k->at->next;
  *mutations = (struct ck_str){k->at->mutations, k->at->n};
  return true;
}

static void memory_receipt(void *self, uint64_t number, char result, struct ck_str reason) {
  struct ck_memory_unacked *k = self;
  drop_head(k);
  k->base = number + 1;
  k->done(k->self, number, result, reason);
}

static void memory_claimed(void *self, const struct ck_claimed *claimed) {
  struct ck_memory_unacked *k = self;
  k->claimed(k->self, claimed);
}

static void memory_skip(void *self, uint64_t applied) {
  struct ck_memory_unacked *k = self;
  k->base = applied + 1;
  k->at = NULL;
}

struct ck_unacked ck_memory_unacked_ops(struct ck_memory_unacked *unacked) {
  return (struct ck_unacked){unacked,    memory_first,   memory_last,
                             memory_get, memory_receipt, memory_skip,
                             NULL,       NULL,           unacked->claimed ? memory_claimed : NULL};
}

/* ---- producer ids that last ---- */

int ck_producer_slot(const char *name, char out[96], struct ck_err *err) {
  char before[CK_PLACE_MAX];
  struct ck_lock lock;
  int k;
  snprintf(before, sizeof before, "run/%s-", name);
  int rc = ck_number_take(&lock, before, ".lock", &k, err);
  if (rc > 0) return ck_fail(err, "%s*.lock: a thousand of them run already", before);
  if (rc == 0) snprintf(out, 96, "%s-%.60s-%d", name, ck_hostname(), k);
  return rc;
}

/* Chained buckets; FNV-1a as the hash. */
#include "renewd/core/index.h"

#include <stdlib.h>
#include <string.h>

static uint32_t hash_of(struct ck_str id) {
  uint32_t h = 2166136261u;
  for (size_t i = 0; i < id.n; i++) h = (h ^ (unsigned char)id.s[i]) * 16777619u;
  return h ^ (h >> 15);
}

static void grow(struct renew_index *x) {
  size_t size = x->size ? x->size * 2 : 64;
  struct renew_node **slots = ck_zalloc(size * sizeof *slots);
  for (size_t i = 0; i < x->size; i++)
    for (struct renew_node *n = x->slots[i], *next; n; n = next) {
      next = n->next;
      n->next = slots[n->hash & (size - 1)];
      slots[n->hash & (size - 1)] = n;
    }
  free(x->slots);
  x->slots = slots;
  x->size = size;
}

struct renew_node *renew_index_find(const struct renew_index *x, struct ck_str id) {
  if (!x->size) return NULL;
  uint32_t h = hash_of(id);
  struct renew_node *n = x->slots[h & (x->size - 1)];
  while (n && !(n->hash == h && ck_str_is(id, n->id))) n = n->next;
  return n;
}

void renew_index_add(struct renew_index *x, struct renew_node *node) {
  if (x->count >= x->size) grow(x);
  node->hash = hash_of(ck_str_of(node->id));
  struct renew_node **slot = &x->slots[node->hash & (x->size - 1)];
  node->next = *slot;
  *slot = node;
  x->count++;
}

void renew_index_remove(struct renew_index *x, struct renew_node *node) {
  struct renew_node **at = &x->slots[node->hash & (x->size - 1)];
  while (*at != node) at = &(*at)->next;
  *at = node->next;
  x->count--;
}

void renew_index_each(struct renew_index *x, void (*visit)(void *self, struct renew_node *node),
                      void *self) {
  for (size_t i = 0; i < x->size; i++)
    for (struct renew_node *n = x->slots[i], *next; n; n = next) {
      next = n->next;
      visit(self, n);
    }
}

void renew_index_free(struct renew_index *x) {
  free(x->slots);
  memset(x, 0, sizeof *x);
}

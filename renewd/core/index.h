/* A hash table of objects by id. The node is part of the object, which owns the id's text. */
#ifndef RENEWD_CORE_INDEX_H
#define RENEWD_CORE_INDEX_H

#include "proto/text.h"

struct renew_node {
  char *id;
  uint32_t hash;
  struct renew_node *next;
};

/* Zero-initialise. */
struct renew_index {
  struct renew_node **slots;
  size_t size, count; /* size is a power of two, or 0 */
};

/* NULL when there is none. */
struct renew_node *renew_index_find(const struct renew_index *x, struct ck_str id);
/* node->id must be set, and no other node may have that id. */
void renew_index_add(struct renew_index *x, struct renew_node *node);
/* The node must be in the table. */
void renew_index_remove(struct renew_index *x, struct renew_node *node);
/* Calls visit for every node, in no particular order; it may remove the node that it is called
 * for. */
void renew_index_each(struct renew_index *x, void (*visit)(void *self, struct renew_node *node),
                      void *self);
/* Frees the table, not the nodes. */
void renew_index_free(struct renew_index *x);

#endif

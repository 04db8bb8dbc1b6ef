/* A table of things by their id. The node is part of the thing, which owns the id's text. */
#ifndef RENEWD_INDEX_H
#define RENEWD_INDEX_H

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

struct renew_node *renew_index_find(const struct renew_index *x,
                                    struct ck_str id); /* NULL when there is none */
/* node->id is set; no other node has that id. */
void renew_index_add(struct renew_index *x, struct renew_node *node);
void renew_index_remove(struct renew_index *x, struct renew_node *node);
/* Calls visit for every node; visit may remove the node it was called for. */
void renew_index_each(struct renew_index *x, void (*visit)(void *self, struct renew_node *node),
                      void *self);
/* Frees the table, not the nodes. */
void renew_index_free(struct renew_index *x);

#endif

/* The thread that keeps the index of the search up with the database. */
#ifndef CK_STORE_SEARCH_INDEXER_H
#define CK_STORE_SEARCH_INDEXER_H

#include "store/context.h"

struct indexer;

/* Starts the thread; it ends when context->stop is set. The context must outlive it. NULL with the
 * reason. */
struct indexer *indexer_start(struct context *context, struct ck_err *err);
/* Waits for the thread. Does nothing if *x is NULL. */
void indexer_stop(struct indexer **x);

#endif

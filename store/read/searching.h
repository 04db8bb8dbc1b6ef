/* The thread that answers SEARCH, beside the snapshot thread, so that a search for a common word
 * holds up no other question. Questions and answers go through an inproc pair of sockets. */
#ifndef CK_STORE_SEARCHING_H
#define CK_STORE_SEARCHING_H

#include "store/context.h"

struct searching;

/* Starts the thread. NULL with the reason. */
struct searching *searching_start(struct context *context, struct ck_err *err);
/* Ends the thread and frees it. What it is searching for it finds first, unless context->stop is
 * set. */
void searching_stop(struct searching **s);

/* The other end of the pair: takes [peer, SEARCH] and gives [peer, answer], as two-part messages.
 * For the thread that asks; owned by `s`. */
void *searching_end(struct searching *s);

#endif

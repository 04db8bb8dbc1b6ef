/* The work door: a thread with a read-only connection. It cuts the changes that are not mirrored
 * yet into leased batches, gives them to the sync workers that ask, and grants the requests that
 * they may send to the sink. */
#ifndef CK_STORE_WORK_H
#define CK_STORE_WORK_H

#include "store/context.h"

struct work;

/* Binds the door and starts the thread. `context` must outlive it. NULL with the reason. */
struct work *work_start(struct context *context, struct ck_err *err);
/* Joins the thread and frees it. Before, set context->stop and wake all threads. */
void work_stop(struct work **w);

#endif

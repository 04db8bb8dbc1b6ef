/* The work door: a thread with a read-only connection that cuts what is not mirrored yet into
 * leased batches, for the sync workers that ask for them, and hands out what requests they may
 * send. */
#ifndef CK_STORE_WORK_H
#define CK_STORE_WORK_H

#include "store/mirror/leases.h"
#include "store/context.h"

struct work;

struct work *work_start(struct context *context, struct leases *leases, struct ck_err *err);
/* context->stop is set and all are woken. */
void work_stop(struct work **w);

#endif

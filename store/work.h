/* The work door: a thread with a read-only connection that cuts what is not mirrored yet into leased batches, for the sync workers that ask for them, and
 * hands out what requests they may send. */
#ifndef CK_STORE_WORK_H
#define CK_STORE_WORK_H

#include "store/leases.h"
#include "store/shared.h"

struct work;

struct work *work_start(struct shared *shared, struct leases *leases, struct ck_err *err);
/* shared->stop is set and all are woken. */
void work_stop(struct work **w);

#endif

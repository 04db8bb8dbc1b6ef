/* The snapshot door: a thread with a read-only connection that answers questions, so that reads are never in the way of writes.
 * HELLO and LAST concern what only the writer knows; they go to it over an inproc pair and their answers come back. */
#ifndef CK_STORE_SNAPSHOT_H
#define CK_STORE_SNAPSHOT_H

#include "store/leases.h"
#include "store/reports.h"
#include "store/shared.h"

struct snapshot;

/* Binds the door and starts the thread. NULL with the reason. */
struct snapshot *snapshot_start(struct shared *shared, struct leases *leases, struct reports *reports, struct ck_err *err);
/* shared->stop is set and all are woken. */
void snapshot_stop(struct snapshot **s);

/* The writer's end: [peer, request] comes in, [peer, answer] goes back, as two-part messages. */
void *snapshot_writer_end(struct snapshot *s);

#endif

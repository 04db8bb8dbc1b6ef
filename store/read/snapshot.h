/* The snapshot door: a thread with a read-only connection that answers questions, so that reads are
 * never in the way of writes. HELLO and LAST concern what only the writer knows; they go to it over
 * an inproc pair and their answers come back. */
#ifndef CK_STORE_SNAPSHOT_H
#define CK_STORE_SNAPSHOT_H

#include "store/mirror/leases.h"
#include "store/read/reports.h"
#include "store/context.h"

struct snapshot;

/* Binds the door and starts the thread. NULL with the reason. */
struct snapshot *snapshot_start(struct context *context, struct leases *leases,
                                struct reports *reports, struct ck_err *err);
/* context->stop is set and all are woken. */
void snapshot_stop(struct snapshot **s);

/* The writer's end: [peer, request] comes in, [peer, answer] goes back, as two-part messages. */
void *snapshot_writer_end(struct snapshot *s);

#endif

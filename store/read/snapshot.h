/* The snapshot door: a thread with a read-only connection that answers questions, so that reads
 * never block writes. Only the writer can answer HELLO and LAST: they are passed on to it through
 * an inproc pair of sockets, and its answers come back the same way. So is SEARCH, to a thread of
 * its own (searching.h). */
#ifndef CK_STORE_SNAPSHOT_H
#define CK_STORE_SNAPSHOT_H

#include "store/read/reports.h"
#include "store/context.h"

struct snapshot;

/* Binds the door and starts the thread. NULL with the reason. */
struct snapshot *snapshot_start(struct context *context, struct reports *reports,
                                struct ck_err *err);
/* Joins the thread and frees it. Before, set context->stop and wake all threads. */
void snapshot_stop(struct snapshot **s);

/* The writer's end of the pair: [peer, request] comes in and [peer, answer] goes back, as two-part
 * messages. Owned by `s`. */
void *snapshot_writer_end(struct snapshot *s);

#endif

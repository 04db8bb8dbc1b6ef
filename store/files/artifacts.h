/* The readable files: a projection of the database, made by a thread of its own behind the commit.
 *
 * It walks the records in version order from the cursor in artifacts/.cursor (store id and version;
 * missing or of another store: from the start, so that deleting the folder makes everything again),
 * puts each file in its place once it is whole, then moves the cursor. A crash repeats some files.
 */
#ifndef CK_STORE_ARTIFACTS_H
#define CK_STORE_ARTIFACTS_H

#include "proto/error.h"
#include "store/context.h"

struct artifacts;

/* Starts the thread (its own read-only connection). NULL with the reason. */
struct artifacts *artifacts_start(struct context *context, struct ck_err *err);
/* context->stop is set and the thread woken: waits for it. */
void artifacts_stop(struct artifacts **a);

#endif

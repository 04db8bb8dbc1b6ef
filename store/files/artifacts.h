/* The readable files: a projection of the database, made by a thread of its own after each commit.
 *
 * The thread walks the records in version order from the cursor in artifacts/.cursor (store id and
 * version), puts each file in its place once it is whole, then moves the cursor. If the cursor is
 * missing or belongs to another store, it starts at the first record; so deleting the folder makes
 * everything again. After a crash some files are made twice.
 */
#ifndef CK_STORE_ARTIFACTS_H
#define CK_STORE_ARTIFACTS_H

#include "proto/error.h"
#include "store/context.h"

struct artifacts;

/* Opens a read-only connection and starts the thread. NULL with the reason. */
struct artifacts *artifacts_start(struct context *context, struct ck_err *err);
/* Joins the thread and frees it. Before, set context->stop and wake the thread. */
void artifacts_stop(struct artifacts **a);

#endif

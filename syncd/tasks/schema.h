/* schema: brings a mirror up, whichever it is: empty, the predecessor's, one of an older convkeep,
 * or one that is ready. What is there is read first, so that only what is missing is made, and a
 * second time nothing. */
#ifndef SYNCD_SCHEMA_H
#define SYNCD_SCHEMA_H

#include "syncd/tasks/task.h"

/* Says what it did, a line each. 0; -1 with the reason. */
int sync_schema(struct sync_task *t, struct ck_err *err);

/* Says the statements that make an empty database of sync.sink's kind ready or, with old, those
 * that a database of the predecessor's needs. Asks neither the sink nor the store; cannot fail. */
void sync_schema_print(struct sync_task *t, bool old);

#endif

/* The task schema: makes a mirror's database ready, whether it is empty, the predecessor's, an
 * older convkeep's, or ready already. It first reads what is there and then makes only what is
 * missing; a second run makes nothing. */
#ifndef SYNCD_SCHEMA_H
#define SYNCD_SCHEMA_H

#include "syncd/tasks/task.h"

/* Says what it made, a line for each table. extra: also the indexes that the predecessor has
 * besides. If rows are in the way of a unique index, they are named, the first few, each in a line.
 * 0, or -1 with the reason. */
int sync_schema(struct sync_task *t, bool extra, struct ck_err *err);

/* Looks as well, but says the statements instead of running them. */
int sync_schema_show(struct sync_task *t, bool extra, struct ck_err *err);

/* Says the statements that make an empty database of the sink's kind ready. Uses neither the sink
 * nor the store; cannot fail. */
void sync_schema_print(struct sync_task *t, bool extra);

#endif

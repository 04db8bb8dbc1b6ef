/* What a person asks the store to do beside its work: a backup, an examination, the readable files
 * again. One at a time, each in a thread of its own with a connection of its own that only reads.
 *
 * The asker names its piece of work with an id of its own and asks again and again how it stands;
 * that is also what says that somebody still wants it. A store that was restarted meanwhile does
 * not know the id and begins anew, so nothing of this is kept anywhere.
 */
#ifndef CK_STORE_TASK_H
#define CK_STORE_TASK_H

#include "proto/wire.h"
#include "store/database/restore.h"
#include "store/context.h"

struct tasks;

struct tasks *tasks_new(struct context *context, const struct restored *restored);
/* context->stop is set: waits for what is under way, which ends early. */
void tasks_free(struct tasks **c);

/* Begins the task unless it is known already. Appends how it stands: a map {task, id, state:
 * running | done | failed, done, total, error, lines: [map, …]}. -1: it cannot be begun; *code is
 * the word for PROBLEM. */
int tasks_ask(struct tasks *c, const struct ck_task *t, struct ck_buf *info, const char **code,
              struct ck_err *err);

#endif

/* Tasks that a person asks for beside the store's work: a backup, an examination, making the
 * readable files again. One runs at a time, in a thread of its own; it only reads the database, on
 * a connection of its own.
 *
 * The client gives its task an id of its own choice and asks repeatedly for its state; that also
 * shows that somebody still waits for it. A store that was restarted meanwhile does not know the id
 * and starts the task again, so nothing about tasks is stored.
 */
#ifndef CK_STORE_TASK_H
#define CK_STORE_TASK_H

#include "proto/wire.h"
#include "store/format/restore.h"
#include "store/context.h"

struct tasks;

/* restored: what became of a restore when this store started; must outlive the tasks. */
struct tasks *tasks_new(struct context *context, const struct restored *restored);
/* Waits for a task under way, which ends early if context->stop is set. Set it before. */
void tasks_free(struct tasks **tasks);

/* Starts the task unless its id is known already. Appends its state to `info`: a map {task, id,
 * state: running | done | failed, done, total, error, lines: [map, …]}. -1 with the reason: it
 * cannot be started; *code is the code for PROBLEM: bad_request, or busy (another task is under
 * way). */
int tasks_ask(struct tasks *tasks, const struct ck_task *t, struct ck_buf *info, const char **code,
              struct ck_err *err);

#endif

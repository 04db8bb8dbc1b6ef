/* Where a follow-up of a conversation goes. The renewd program is run once and says so
 * (daemon_task.h), with the running renewd's code. */
#ifndef CLI_TARGET_H
#define CLI_TARGET_H

#include "cli/client.h"

/* conversation: its local id. CLI_GO_ON with *snapshot, a job's target_snapshot, NULL if its link
 * names no target; and *missing, why nothing can be sent there, NULL if something can. The caller
 * frees both. Else the exit code after reporting the error; both are NULL. */
int cli_target(struct cli *c, const char *conversation, char **snapshot, char **missing);

#endif

/* Messages that get no follow-up because they are not new, as renewd reports them, and the command
 * that sends one all the same. */
#ifndef CLI_DECLINED_H
#define CLI_DECLINED_H

#include "cli/client.h"
#include "cli/out.h"

/* Adds a line for each conversation to `status`; none when there are none. */
void cli_declined_lines(struct cli_table *t, const struct cli *c, const json_t *info);
/* jobs why CONVERSATION: says whether its last message gets a follow-up. Returns the exit code. */
int cli_why_conversation(struct cli *c, const char *name);

#endif

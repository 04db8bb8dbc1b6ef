/* Turns the automation status of conversations to or from `paused`. Both print what became of each,
 * and return the exit code. */
#ifndef CLI_TURN_STATUS_H
#define CLI_TURN_STATUS_H

#include "cli/client.h"

/* One conversation: to paused whatever its status, to auto or manual if it is paused; one that is
 * on auto already and is to be so goes on if it was stopped. */
int cli_status_turn_one(struct cli *c, json_t *conversation, const char *to);
/* All of the status `from`, which is another one. *n: how many there were. */
int cli_status_turn_many(struct cli *c, const char *from, const char *to, size_t *n);

#endif

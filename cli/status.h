/* Printing parts of a STATUS answer; shared by `status` and `sync status`. */
#ifndef CLI_STATUS_H
#define CLI_STATUS_H

#include "cli/client.h"
#include "cli/out.h"

/* All of these fill tables of two columns: what it is about, and its state. */

/* holder's last_error and when it happened, if there is one. */
void cli_error_line(struct cli_table *t, const char *what, const json_t *holder);

/* Empties info's `daemons` if a private store answered: it only serves this command. */
void cli_hide_private(const struct cli *c, json_t *info);

#endif

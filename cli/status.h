/* Parts of a STATUS answer that more than one command shows. */
#ifndef CLI_STATUS_H
#define CLI_STATUS_H

#include "cli/client.h"
#include "cli/out.h"

/* Fills two cells a line: what, and how it stands. */
void cli_sync_lines(struct cli_table *t, const json_t *info);
void cli_line(struct cli_table *t, const char *what, enum cli_style style,
              struct ck_buf *text); /* clears text */
/* Puts a last_error into the table, unless there is none. */
void cli_error_line(struct cli_table *t, const char *what, const json_t *holder);

/* Leaves out of `daemons` the store that only answers this command, when one does. */
void cli_hide_private(const struct cli *c, json_t *info);

#endif

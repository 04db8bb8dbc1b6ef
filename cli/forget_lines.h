/* Lines of what was forgotten are taken out: of the files in which ingest keeps what it could not
 * use, as it came, and of renewd's log of attempts. */
#ifndef CLI_FORGET_LINES_H
#define CLI_FORGET_LINES_H

#include "cli/client.h"

/* rows: what was forgotten together, of the list `forgotten`. A line goes if it has an id of them;
 * of the log of attempts also if it is of the conversation of a message that was named.
 * CLI_GO_ON, or the exit code after reporting the error. */
int cli_forget_lines(struct cli *c, const json_t *rows);

#endif

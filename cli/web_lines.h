/* The lines about webd in `status`. */
#ifndef CLI_WEB_LINES_H
#define CLI_WEB_LINES_H

#include "cli/out.h"

/* Adds them; info: the answer of status. */
void cli_web_lines(struct cli_table *t, const json_t *info);

#endif

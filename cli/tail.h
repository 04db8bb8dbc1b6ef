/* The errors in the daemons' logs, as they are written. */
#ifndef CLI_TAIL_H
#define CLI_TAIL_H

#include "proto/error.h"

struct cli_tail;

/* Follows logs/NAME.log of each name from its present end on. NULL with the reason. */
struct cli_tail *cli_tail_new(const char *const *names, int count, struct ck_err *err);
int cli_tail_fd(const struct cli_tail *t);
/* Writes to standard error what was added: lines of level error, and lines that are no log lines (a
 * crash speaks as it likes). */
void cli_tail_step(struct cli_tail *t);
void cli_tail_free(struct cli_tail **t);

#endif

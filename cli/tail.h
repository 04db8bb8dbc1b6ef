/* Follows the daemons' logs and copies their errors to standard error as they are written. */
#ifndef CLI_TAIL_H
#define CLI_TAIL_H

#include "proto/error.h"

struct cli_tail;

/* Follows logs/NAME.log of each name from its current end on. names must outlive the tail. NULL
 * with the reason in err. */
struct cli_tail *cli_tail_new(const char *const *names, int count, struct ck_err *err);
int cli_tail_fd(const struct cli_tail *t);
/* Prints what was added: log lines of level error, and lines that are not in the log format, such
 * as the output of a crash. Call it when cli_tail_fd is readable. */
void cli_tail_step(struct cli_tail *t);
void cli_tail_free(struct cli_tail **t);

#endif

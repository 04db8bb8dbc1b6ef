/* After the store has deleted what was forgotten: who follows it, and who never does. */
#ifndef CLI_FORGET_AFTER_H
#define CLI_FORGET_AFTER_H

#include "cli/client.h"

/* Waits until nothing has it any more, 30 s at most. *left: what still has, an array of words
 * (spool, wal, artifacts, search, mirror) that the caller decrefs. CLI_GO_ON, or the exit code
 * after reporting the error. */
int cli_forget_await(struct cli *c, json_t **left);
/* The files of the data folder that may have it and that nobody changes: former databases, what
 * could not be decoded. The caller decrefs. */
json_t *cli_forget_kept(void);

/* Both for people: warnings, and lines. */
void cli_forget_say_left(const struct cli *c, const json_t *left);
void cli_forget_say_kept(const json_t *files);

#endif

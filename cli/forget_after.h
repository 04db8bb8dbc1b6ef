/* After the store has deleted what was forgotten: who follows it, and who never does. */
#ifndef CLI_FORGET_AFTER_H
#define CLI_FORGET_AFTER_H

#include "cli/client.h"

/* Waits until nothing has it any more, 30 s at most. *left: what still has, an array of words
 * (spool, wal, artifacts, search, mirror, unused_mirror). *unused: the mirrors that may have it and
 * that sync.sinks does not name, which nothing is waited for. The caller decrefs both. CLI_GO_ON,
 * or the exit code after reporting the error, with nothing in them. */
int cli_forget_await(struct cli *c, json_t **left, json_t **unused);
/* The files of the data folder that may have it and that nobody changes: former databases, what
 * could not be decoded. The caller decrefs. */
json_t *cli_forget_kept(void);

/* Both for people: warnings, and lines. */
void cli_forget_say_left(const struct cli *c, const json_t *left, const json_t *unused);
void cli_forget_say_kept(const json_t *files);

#endif

/* After the store has deleted what was forgotten: who follows it, and who never does. */
#ifndef CLI_FORGET_AFTER_H
#define CLI_FORGET_AFTER_H

#include "cli/client.h"
#include "cli/out.h"

/* The member of `forgetting` of the store's status that is about this conversation or message;
 * NULL: it is not being deleted. Borrowed. */
const json_t *cli_forgetting_of(const json_t *info, bool conversation, const char *id);
/* Waits until the store has deleted all its records and originals, and shows how far it is. *left:
 * for 30 s it got no further. CLI_GO_ON, or the exit code after reporting the error. */
int cli_forget_await_records(struct cli *c, bool conversation, const char *id, bool *left);
/* The line of `status`, if something is being deleted. */
void cli_forgetting_line(struct cli_table *t, const json_t *info);

/* Then waits until nothing else has it any more, 30 s at most. *left: what still has, an array of
 * words (records, if records_left; spool, wal, artifacts, search, mirror, unused_mirror). *unused:
 * the mirrors that may have it and that sync.sinks does not name, which nothing is waited for. The
 * caller decrefs both. CLI_GO_ON, or the exit code after reporting the error, with nothing in them.
 */
int cli_forget_await(struct cli *c, bool records_left, json_t **left, json_t **unused);
/* The files of the data folder that may have it and that nobody changes: former databases, what
 * could not be decoded. The caller decrefs. */
json_t *cli_forget_kept(void);

/* Both for people: warnings, and lines. */
void cli_forget_say_left(const struct cli *c, const json_t *left, const json_t *unused);
void cli_forget_say_kept(const json_t *files);

#endif

/* Commands of `convkeep` on this data folder, run beside webd. Nothing here waits. */
#ifndef WEBD_ASK_COMMAND_H
#define WEBD_ASK_COMMAND_H

#include <jansson.h>

#include "proto/error.h"
#include "proto/text.h"

struct web_commands;

/* NULL with the reason. */
struct web_commands *web_commands_new(struct ck_err *err);
/* Those that run are told to end; `ended` is called for each. Sets *all to NULL; *all may be NULL.
 */
void web_commands_free(struct web_commands **all);

/* A line that it has said, an object, valid during the call. error: on standard error, as
 * cli/cli.h has it: {error, where, hint, code}. */
typedef void web_line(void *self, const json_t *line, bool error);
/* It has ended; code: as docs/cli.md has it, -1: it was ended by a signal, or with webd. */
typedef void web_ended(void *self, int code);

/* Runs `convkeep --json WORDS…`, with webd's settings. folder: in which it runs, relative to the
 * data folder; NULL: that itself. words: NULL-terminated. ended is called once, after the last
 * line, from web_commands_step. -1 with the reason: it was not started, and nothing is called. */
int web_command(struct web_commands *all, const char *folder, const char *const *words,
                web_line *line, web_ended *ended, void *self, struct ck_err *err);

/* To wait on (ZMQ_POLLIN), and what is to be called then. */
int web_commands_descriptor(const struct web_commands *all);
void web_commands_step(struct web_commands *all);

#endif

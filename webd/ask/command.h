/* Programs on this data folder, run beside webd with its settings. Nothing here waits. */
#ifndef WEBD_ASK_COMMAND_H
#define WEBD_ASK_COMMAND_H

#include <jansson.h>

#include "proto/daemon.h"
#include "proto/error.h"
#include "proto/text.h"

struct web_commands;

/* NULL with the reason. */
struct web_commands *web_commands_new(struct ck_err *err);
/* Those that run are told to end; `ended` is called for each. Sets *all to NULL; *all may be NULL.
 */
void web_commands_free(struct web_commands **all);

/* A line that it has said, an object, valid during the call. error: on standard error, as
 * cli/cli.h has it: {error, where, hint, code}; what renewd says there goes where webd's goes. */
typedef void web_line(void *self, json_t *line, bool error);
/* It has ended; code: as docs/cli.md has it, -1: it was ended by a signal, or with webd, or
 * WEB_COMMAND_LATE: it has taken too long. */
typedef void web_ended(void *self, int code);
#define WEB_COMMAND_LATE (-2)

enum web_program {
  WEB_CONVKEEP, /* convkeep --json WORDS… */
  WEB_RENEWD    /* renewd -- WORDS…: a task of it (proto/daemon.h) */
};
struct web_command_wish {
  enum web_program program;
  const char *const *words; /* NULL-terminated; borrowed during the call */
  const char *folder;       /* in which it runs, relative to the data folder; NULL: that itself */
  int ms;                   /* then it is killed; 0: it may take as long as it does */
  web_line *line;
  web_ended *ended; /* called once, after the last line, from web_commands_step */
  void *self;
};
/* Runs it; of convkeep at most 16 at once. -1 with the reason: it was not started, and nothing is
 * called. */
int web_command(struct web_commands *all, const struct web_command_wish *wish, struct ck_err *err);

void web_commands_wait(const struct web_commands *all, struct ck_wait *w);
void web_commands_step(struct web_commands *all);

#endif

/* Runs a daemon's program once as a child process (spawn.h), for a task beside the running ring:
 * syncd verify, renewd target … It writes lines of JSON, the last of which has its result. */
#ifndef CLI_DAEMON_TASK_H
#define CLI_DAEMON_TASK_H

#include "cli/client.h"

struct cli_daemon_task {
  const char *daemon;
  const char *sink;         /* that it serves (spawn.h) */
  const char *const *words; /* its arguments, NULL-terminated */
  const char *label;        /* for the progress line */
  bool folderless;          /* it reads and writes nothing in the data folder */
  /* Called for each member of a line that is not progress, error or result; may be NULL. */
  void (*line)(void *self, const char *name, const json_t *value);
  void *self;
};

/* CLI_GO_ON with *result, which the caller json_decrefs; or the exit code after reporting the
 * error, and *result is NULL. */
int cli_daemon_task(struct cli *c, const struct cli_daemon_task *task, json_t **result);

#endif

/* Runs a task in the store that takes a while (backup, doctor, rebuild …): starts it, polls until
 * it ends, and shows progress on a terminal. */
#ifndef CLI_TASK_H
#define CLI_TASK_H

#include "cli/client.h"

struct cli_task {
  const char *name;      /* as in store/tasks/task.h */
  const char *label;     /* for the progress line */
  struct ck_str options; /* an encoded map; may be empty */
  /* Called for each line of the answer as it arrives; may be NULL. */
  void (*line)(void *self, const json_t *line);
  void *self;
  const char *subject; /* cli_error's `where`; may be NULL */
};

/* CLI_GO_ON when the task is done, or the exit code after reporting the error. */
int cli_task_run(struct cli *c, const struct cli_task *task);

/* Shows progress on one line of the terminal that is overwritten each time; does nothing elsewhere.
 * total 0: only the label. */
void cli_progress(const char *label, uint64_t done, uint64_t total);
/* The same with a line of the caller's: a name from outside, and what follows it. For what is
 * called often: make the line only if it is due, which it is every 100 ms. */
bool cli_progress_due(void);
void cli_progress_line(const char *name, struct ck_str rest);
void cli_progress_clear(void);

/* A path given by the user, made absolute against c->cwd. The caller frees it. */
char *cli_path(const struct cli *c, const char *file);

#endif

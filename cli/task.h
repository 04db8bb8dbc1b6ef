/* What the store does for a person and takes a while: asked for, looked after until it has ended,
 * with progress on a terminal. */
#ifndef CLI_TASK_H
#define CLI_TASK_H

#include "cli/client.h"

struct cli_task {
  const char *name;      /* as store/tasks/task.h knows it */
  const char *label;     /* for the progress line */
  struct ck_str options; /* an encoded map; may be empty */
  /* Each line of the answer, as soon as it is there. */
  void (*line)(void *self, const json_t *line);
  void *self;
  const char *subject; /* what an error is about, as cli_error has it; may be NULL */
};

/* CLI_GO_ON once it is done, or the exit code after saying what went wrong. */
int cli_task_run(struct cli *c, const struct cli_task *task);

/* One line that is written over again and again, on a terminal only. */
void cli_progress(const char *label, uint64_t done, uint64_t total);
void cli_progress_clear(void);

/* The words of the caller, as an absolute path. On the heap. */
char *cli_path(const struct cli *c, const char *file);

#endif

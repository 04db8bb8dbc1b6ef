/* Runs a task in the store, shows progress, makes paths absolute; see task.h. */
#include "cli/task.h"

#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/out.h"
#include "proto/clock.h"
#include "proto/json.h"

#define LOOK_MS 20
#define LOOK_MAX_MS 200
#define PROGRESS_MS 100
#define NAME_BYTES 60 /* of the name in a progress line */

/* ---- progress ---- */

static bool shown;
static int64_t shown_at; /* boot clock: a line of a caller's; 0: never */

void cli_progress(const char *label, uint64_t done, uint64_t total) {
  if (!isatty(STDERR_FILENO)) return;
  shown = true;
  if (total)
    fprintf(stderr, "\r\033[K%s  %d %%", label, (int)(done * 100 / total));
  else
    fprintf(stderr, "\r\033[K%s", label);
}

bool cli_progress_due(void) {
  return isatty(STDERR_FILENO) && ck_boot_ms() - shown_at >= PROGRESS_MS;
}

void cli_progress_line(const char *name, struct ck_str rest) {
  struct ck_buf line = {0};
  ck_buf_text(&line, "\r\033[K");
  cli_safe_text(&line, ck_utf8_cut(ck_str_of(name), NAME_BYTES), false);
  ck_buf_str(&line, rest);
  fwrite(line.data, 1, line.len, stderr);
  ck_buf_free(&line);
  shown = true;
  shown_at = ck_boot_ms();
}

void cli_progress_clear(void) {
  if (shown) fputs("\r\033[K", stderr);
  shown = false;
}

/* ---- paths ---- */

char *cli_path(const struct cli *c, const char *file) {
  char fd[64], here[PATH_MAX];
  if (file[0] == '/') return ck_strdup(file);
  snprintf(fd, sizeof fd, "/proc/self/fd/%d", c->cwd);
  ssize_t n = readlink(fd, here, sizeof here - 1);
  if (n <= 0) return ck_strdup(file);
  here[n] = '\0';
  return ck_sprintf("%s/%s", here, file);
}

/* ---- running a task ---- */

/* Starts the task, or asks for its state if the store knows this id. The caller json_decrefs *info.
 */
static int ask(struct cli *c, const struct cli_task *task, const char *id, json_t **info) {
  struct ck_buf none = {0};
  ck_put_map(&none, 0);
  struct ck_message request = {.kind = CK_MSG_TASK}, answer;
  zmq_msg_t frame;
  request.as.task = (struct ck_task){0, ck_str_of(task->name), ck_str_of(id),
                                     task->options.n ? task->options : ck_buf_view(&none)};
  int rc = cli_ask(c, &request, &answer, &frame);
  ck_buf_free(&none);
  if (rc != CLI_GO_ON) return rc;
  *info = answer.kind == CK_MSG_INFO ? ck_json_of(answer.as.info.info) : NULL;
  zmq_msg_close(&frame);
  if (json_is_object(*info)) return CLI_GO_ON;
  json_decref(*info);
  cli_error(c, cli_store_place(c),
            "unexpected answer: are the store and this program the same version?");
  return CLI_FAILED;
}

/* Passes on the new lines. A restarted store runs the task again from the start; lines already
 * passed on are skipped. */
static void tell(const struct cli_task *task, const json_t *info, size_t *told) {
  const json_t *lines = json_object_get(info, "lines");
  for (; *told < json_array_size(lines); ++*told) {
    cli_progress_clear();
    if (task->line) task->line(task->self, json_array_get(lines, *told));
  }
}

/* One look at the task. *ended: it is no longer running. CLI_GO_ON unless it failed. */
static int look(struct cli *c, const struct cli_task *task, const char *id, size_t *told,
                bool *ended) {
  json_t *info;
  int rc = ask(c, task, id, &info);
  if (rc != CLI_GO_ON) return rc;
  const char *state = cli_member(info, "state");
  tell(task, info, told);
  *ended = strcmp(state, "running") != 0;
  if (!*ended)
    cli_progress(task->label, (uint64_t)cli_member_int(info, "done", 0),
                 (uint64_t)cli_member_int(info, "total", 0));
  if (strcmp(state, "failed") == 0) {
    cli_progress_clear();
    cli_error(c, task->subject, "%s", cli_member(info, "error"));
    rc = CLI_FAILED;
  }
  json_decref(info);
  return rc;
}

int cli_task_run(struct cli *c, const struct cli_task *task) {
  char id[33];
  size_t told = 0;
  bool ended = false;
  int rc = CLI_GO_ON;
  ck_random_id(id);
  for (int wait = LOOK_MS; rc == CLI_GO_ON && !ended;
       wait = wait * 2 > LOOK_MAX_MS ? LOOK_MAX_MS : wait * 2) {
    rc = look(c, task, id, &told, &ended);
    if (rc == CLI_GO_ON && !ended) poll(NULL, 0, wait);
  }
  cli_progress_clear();
  return rc;
}

/* Starts the program, reads its lines until it ends, and keeps the private ring going meanwhile. */
#include "cli/daemon_task.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/out.h"
#include "cli/rows.h"
#include "cli/spawn.h"
#include "cli/task.h"

#define READ_BYTES 65536
#define LOOK_MS 1000

struct run {
  struct cli *c;
  const struct cli_daemon_task *task;
  json_t *result;
  bool failed;
};

static void take_line(struct run *r, struct ck_str text) {
  json_t *line = json_loadb(text.s, text.n, JSON_ALLOW_NUL, NULL), *value;
  const char *name;
  json_object_foreach(line, name, value) {
    if (strcmp(name, "done") == 0) {
      cli_progress(r->task->label, (uint64_t)json_integer_value(value),
                   (uint64_t)cli_member_int(line, "total", 0));
      break;
    }
    cli_progress_clear();
    if (strcmp(name, "error") == 0) {
      cli_error(r->c, NULL, "%s", json_string_value(value));
      r->failed = true;
    } else if (strcmp(name, "result") == 0) {
      r->result = json_incref(value);
    } else if (r->task->line) {
      r->task->line(r->task->self, name, value);
    }
  }
  json_decref(line);
}

static void take_lines(struct run *r, struct ck_buf *b) {
  size_t at = 0;
  for (char *end; at < b->len && (end = memchr(b->data + at, '\n', b->len - at));
       at = (size_t)(end - b->data) + 1)
    take_line(r, (struct ck_str){b->data + at, (size_t)(end - (b->data + at))});
  memmove(b->data, b->data + at, b->len - at);
  b->len -= at;
}

/* Reads until the program ends, supervising the private ring meanwhile. */
static void read_all(struct run *r, int lines) {
  struct ck_buf b = {0};
  for (;;) {
    struct pollfd fds[1 + CLI_RING_FDS] = {{lines, POLLIN, 0}};
    struct cli_ring *ring = r->c->client ? r->c->client->ring : NULL;
    int wait = ring ? cli_ring_step(ring) : LOOK_MS;
    nfds_t n = 1 + (ring ? (nfds_t)cli_ring_fds(ring, fds + 1) : 0);
    if (poll(fds, n, wait < 0 || wait > LOOK_MS ? LOOK_MS : wait) <= 0 || !fds[0].revents) continue;
    ssize_t got = read(lines, ck_buf_room(&b, READ_BYTES), READ_BYTES);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    b.len += (size_t)got;
    take_lines(r, &b);
  }
  ck_buf_free(&b);
}

int cli_daemon_task(struct cli *c, const struct cli_daemon_task *task, json_t **result) {
  struct ck_err err = {{0}};
  struct run r = {.c = c, .task = task};
  int lines, status = 0;
  *result = NULL;
  pid_t pid =
      cli_spawn_task(c, task->daemon, task->sink, task->words, !task->folderless, &lines, &err);
  if (pid < 0) {
    cli_error(c, NULL, "%s", err.text);
    return CLI_FAILED;
  }
  read_all(&r, lines);
  close(lines);
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  cli_progress_clear();
  bool badly = !WIFEXITED(status) || WEXITSTATUS(status) > 1;
  if (!r.failed && r.result && !badly) {
    *result = r.result;
    return CLI_GO_ON;
  }
  if (!r.failed && task->folderless)
    cli_error(c, task->daemon, "it ended before it was done");
  else if (!r.failed)
    cli_error(c, task->daemon, "it ended before it was done; see logs/%s.log", task->daemon);
  json_decref(r.result);
  return CLI_FAILED;
}

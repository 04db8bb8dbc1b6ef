/* Questions to renewd's own code: see ask.h. */
#include "webd/ask/ask.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/child.h"
#include "proto/clock.h"

#define READ_BYTES 65536
#define RUN_MOST 4 /* at a time; more wait for their turn */

struct run {
  struct run *next;
  char **words;
  struct web_renewd_ops ops;
  void *self;
  int ms;
  pid_t pid; /* 0: it waits for its turn */
  int lines;
  int64_t until; /* boot */
  struct ck_buf read;
  json_t *result;
  char *error;
};

struct web_renewd {
  char **flags;
  struct run *runs; /* in the order in which they came */
};

struct web_renewd *web_renewd_new(char **flags) {
  struct web_renewd *r = ck_zalloc(sizeof *r);
  r->flags = flags;
  return r;
}

/* ---- the program ---- */

/* Beside this one. */
static char *program(void) {
  char self[PATH_MAX];
  ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
  if (n <= 0) return ck_strdup("renewd");
  self[n] = 0;
  char *slash = strrchr(self, '/');
  if (slash) *slash = 0;
  return ck_sprintf("%s/renewd", self);
}

/* Our flags are its flags, but that this is the data folder. Free the array, not its strings. */
static char **arguments(const struct web_renewd *r, const struct run *run, char *path) {
  static char data[] = "--data", here[] = ".", end[] = "--";
  size_t flags = 0, words = 0, n = 0;
  while (r->flags[flags]) ++flags;
  while (run->words[words]) ++words;
  char **argv = ck_zalloc((flags + words + 5) * sizeof *argv);
  argv[n++] = path;
  for (size_t i = 0; i < flags; ++i) argv[n++] = r->flags[i];
  argv[n++] = data;
  argv[n++] = here;
  argv[n++] = end;
  for (size_t i = 0; i < words; ++i) argv[n++] = run->words[i];
  return argv;
}

static int spawn(const struct web_renewd *r, struct run *run, int out) {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attr;
  sigset_t none, plain;
  char *path = program(), **argv = arguments(r, run, path), **env = ck_child_env();
  sigemptyset(&none);
  sigemptyset(&plain);
  sigaddset(&plain, SIGPIPE);
  posix_spawnattr_init(&attr);
  posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  posix_spawnattr_setsigmask(&attr, &none);
  posix_spawnattr_setsigdefault(&attr, &plain);
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
  int rc = posix_spawn(&run->pid, path, &files, &attr, argv, env);
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attr);
  free(argv);
  free(env);
  free(path);
  return rc;
}

/* -1: it does not run, and the error says why. */
static int start(const struct web_renewd *r, struct run *run) {
  int ends[2], rc = pipe2(ends, O_CLOEXEC) ? errno : 0;
  if (rc) {
    run->error = ck_sprintf("pipe: %s", strerror(rc));
    return -1;
  }
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  rc = spawn(r, run, ends[1]);
  close(ends[1]);
  run->lines = ends[0];
  run->until = ck_boot_after(run->ms);
  if (rc == 0) return 0;
  run->pid = 0;
  close(run->lines);
  run->lines = -1;
  run->error = ck_sprintf("renewd: %s", strerror(rc));
  return -1;
}

/* ---- its lines ---- */

static void take_line(struct run *run, struct ck_str text) {
  json_t *line = json_loadb(text.s, text.n, JSON_ALLOW_NUL, NULL), *value;
  const char *name;
  json_object_foreach(line, name, value) {
    if (strcmp(name, "error") == 0) {
      free(run->error);
      run->error = ck_strdup(json_is_string(value) ? json_string_value(value) : "it has failed");
    } else if (strcmp(name, "result") == 0) {
      json_decref(run->result);
      run->result = json_incref(value);
    } else if (run->ops.line) {
      run->ops.line(run->self, name, value);
    }
  }
  json_decref(line);
}

static void take_lines(struct run *run) {
  struct ck_buf *b = &run->read;
  size_t at = 0;
  for (char *end; at < b->len && (end = memchr(b->data + at, '\n', b->len - at));
       at = (size_t)(end - b->data) + 1)
    take_line(run, (struct ck_str){b->data + at, (size_t)(end - (b->data + at))});
  memmove(b->data, b->data + at, b->len - at);
  b->len -= at;
}

/* True: it has closed its end. Reads no more at a time than the loop can do with. */
static bool read_some(struct run *run) {
  ssize_t n = read(run->lines, ck_buf_room(&run->read, READ_BYTES), READ_BYTES);
  if (n < 0) return errno != EINTR && errno != EAGAIN;
  run->read.len += (size_t)n;
  if (n) take_lines(run);
  return n == 0;
}

/* ---- its end ---- */

/* Gone from the list; what it has said is told. */
static void finish(struct web_renewd *r, struct run *run, const char *why) {
  struct run **at = &r->runs;
  while (*at != run) at = &(*at)->next;
  *at = run->next;
  if (run->pid) kill(run->pid, SIGKILL);
  while (run->pid && waitpid(run->pid, NULL, 0) < 0 && errno == EINTR) {
  }
  if (run->lines >= 0) close(run->lines);
  const char *reason = run->error ? run->error : why ? why : "renewd ended before it was done";
  run->ops.done(run->self, run->error || why ? NULL : run->result, reason);
  json_decref(run->result);
  ck_buf_free(&run->read);
  for (char **word = run->words; *word; ++word) free(*word);
  free(run->words);
  free(run->error);
  free(run);
}

static bool is_silent(const struct run *run) { return ck_boot_ms() >= run->until; }

void web_renewd_step(struct web_renewd *r) {
  int running = 0;
  for (struct run *run = r->runs, *next; run; run = next) {
    next = run->next;
    if (!run->pid && running < RUN_MOST && start(r, run)) {
      finish(r, run, "");
      continue;
    }
    running += run->pid != 0;
    if (run->pid && read_some(run))
      finish(r, run, NULL);
    else if (run->pid && is_silent(run))
      finish(r, run, "it takes too long; try again later");
  }
}

void web_renewd_wait(struct web_renewd *r, struct ck_wait *w) {
  int running = 0;
  for (const struct run *run = r->runs; run; run = run->next) {
    running += run->pid != 0;
    if (!run->pid && running < RUN_MOST) ck_wait_within(w, 0);
    if (!run->pid) continue;
    ck_wait_for(w, NULL, run->lines, ZMQ_POLLIN);
    ck_wait_until(w, run->until);
  }
}

void web_renewd_ask(struct web_renewd *r, const char *const words[], int ms,
                    const struct web_renewd_ops *ops, void *self) {
  struct run *run = ck_zalloc(sizeof *run), **last = &r->runs;
  size_t n = 0;
  while (words[n]) ++n;
  *run = (struct run){.words = ck_zalloc((n + 1) * sizeof *run->words),
                      .ops = *ops,
                      .self = self,
                      .ms = ms,
                      .lines = -1};
  for (size_t i = 0; i < n; ++i) run->words[i] = ck_strdup(words[i]);
  while (*last) last = &(*last)->next;
  *last = run;
}

void web_renewd_free(struct web_renewd **renewd) {
  struct web_renewd *r = *renewd;
  if (!r) return;
  while (r->runs) finish(r, r->runs, "webd is being stopped");
  free(r);
  *renewd = NULL;
}

/* See beside.h. */
#include "syncd/beside.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/child.h"
#include "proto/file.h"

#define SELF "/proc/self/exe"
#define FLAGS "/proc/self/cmdline"
#define ARGUMENTS_MAX 128
#define FLAGS_BYTES 65536

/* Files of the kernel's have no size before they are read. */
static int read_flags(struct ck_buf *own, struct ck_err *err) {
  int fd = ck_open_file(AT_FDCWD, FLAGS, O_RDONLY, err);
  char *to = ck_buf_room(own, FLAGS_BYTES + 1);
  ssize_t n = fd >= 0 ? read(fd, to, FLAGS_BYTES) : -1;
  if (fd >= 0) close(fd);
  if (n <= 0 || n == FLAGS_BYTES) {
    ck_buf_free(own);
    return ck_fail(err, FLAGS ": cannot be read");
  }
  to[n] = '\0';
  own->len += (size_t)n;
  return 0;
}

/* The words of this process's own command line, then those of the task. The folder may have been
 * named relative to another one; it is the current one. */
static void arguments(char *argv[ARGUMENTS_MAX], struct ck_buf *own, char *words) {
  int n = 0;
  for (char *at = own->data, *end = own->data + own->len; at < end && n < ARGUMENTS_MAX - 8;
       at += strlen(at) + 1)
    argv[n++] = at;
  static char data[] = "--data", here[] = ".";
  argv[n++] = data;
  argv[n++] = here;
  char *rest = NULL;
  for (char *one = strtok_r(words, " ", &rest); one && n < ARGUMENTS_MAX - 1;
       one = strtok_r(NULL, " ", &rest))
    argv[n++] = one;
  argv[n] = NULL;
}

/* Between fork and exec. */
static void become(pid_t parent, char **argv, char **env) {
  sigset_t none;
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) _exit(127);
  int null = open("/dev/null", O_RDWR);
  if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0) _exit(127);
  close_range(STDERR_FILENO + 1, ~0u, 0);
  signal(SIGTERM, SIG_DFL);
  signal(SIGINT, SIG_DFL);
  signal(SIGPIPE, SIG_DFL);
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  execve(SELF, argv, env);
  _exit(127);
}

/* words: taken apart. */
static int start(struct sync_beside *b, char *words, struct ck_err *err) {
  struct ck_buf own = {0};
  char *argv[ARGUMENTS_MAX];
  if (read_flags(&own, err)) return -1;
  char **env = ck_own_env(NULL);
  arguments(argv, &own, words);
  pid_t parent = getpid(), pid = fork();
  if (pid == 0) become(parent, argv, env);
  if (pid < 0) ck_fail(err, "fork: %s", strerror(errno));
  if (pid > 0) b->pid = pid;
  free(env);
  ck_buf_free(&own);
  return pid < 0 ? -1 : 0;
}

static int start_next(struct sync_beside *b, struct ck_err *err) {
  char *words = b->next;
  if (b->pid || !words) return 0;
  b->next = NULL;
  int rc = start(b, words, err);
  free(words);
  return rc;
}

int sync_beside_start(struct sync_beside *b, struct ck_str words, struct ck_err *err) {
  free(b->next);
  b->next = ck_str_dup(words);
  return start_next(b, err);
}

int sync_beside_look(struct sync_beside *b, struct ck_err *err) {
  if (b->pid && waitpid(b->pid, NULL, WNOHANG) == b->pid) b->pid = 0;
  return start_next(b, err);
}

void sync_beside_end(struct sync_beside *b) {
  free(b->next);
  b->next = NULL;
  if (!b->pid) return;
  kill(b->pid, SIGTERM);
  while (waitpid(b->pid, NULL, 0) < 0 && errno == EINTR) {
  }
  b->pid = 0;
}

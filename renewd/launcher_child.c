/* From a name to a process; see launcher_internal.h. The launcher has one thread, and nothing here
 * allocates between fork and exec. */
#include "renewd/launcher_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/child.h"
#include "renewd/command.h"

#define EXIT_NOT_RUN 127
#define START_MS 5000
#define END_MS 1000
#define NOT_RUN_FD (STDERR_FILENO + 1) /* of the child, until it runs the program */

/* What the child says if it cannot run the program. */
struct not_run {
  enum { CANNOT_ENTER, CANNOT_RUN } what;
  int why; /* errno */
};

/* ---- the child ---- */

static void try_run(char *const *argv, char *const *env) {
  static const char *const folders[] = {"/usr/local/bin/", "/usr/bin/", "/bin/"};
  if (strchr(argv[0], '/')) {
    execve(argv[0], argv, env);
    return;
  }
  char path[4096];
  for (size_t i = 0; i < sizeof folders / sizeof *folders && strlen(argv[0]) < sizeof path - 32;
       i++) {
    stpcpy(stpcpy(path, folders[i]), argv[0]);
    execve(path, argv, env);
    if (errno != ENOENT) return;
  }
}

__attribute__((noreturn)) static void give_up(int what) {
  struct not_run n = {what, errno};
  if (write(NOT_RUN_FD, &n, sizeof n) < 0) _exit(EXIT_NOT_RUN);
  _exit(EXIT_NOT_RUN);
}

struct ends {
  int in, out, err, not_run;
};

__attribute__((noreturn)) static void become(const struct renew_command *c, char *const *env,
                                             const struct ends *ends, pid_t parent) {
  static const int ignored[] = {SIGTERM, SIGINT, SIGHUP, SIGPIPE};
  sigset_t none;
  sigemptyset(&none);
  setsid(); /* a group of its own, and no terminal to ask at */
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(EXIT_NOT_RUN);
  for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++) signal(ignored[i], SIG_DFL);
  sigprocmask(SIG_SETMASK, &none, NULL);
  dup2(ends->in, STDIN_FILENO);
  dup2(ends->out, STDOUT_FILENO);
  dup2(ends->err, STDERR_FILENO);
  dup2(ends->not_run, NOT_RUN_FD);
  fcntl(NOT_RUN_FD, F_SETFD, FD_CLOEXEC);
  close_range(NOT_RUN_FD + 1, ~0u, 0);
  if (c->folder && chdir(c->folder)) give_up(CANNOT_ENTER);
  try_run(c->argv, env);
  give_up(CANNOT_RUN);
}

/* ---- its environment and input ---- */

static bool same_variable(const char *a, const char *b) {
  size_t n = strcspn(a, "=");
  return strncmp(a, b, n) == 0 && b[n] == '=';
}

/* The launcher's environment, with `more` in it. The caller frees the array. */
static char **env_with(char *const *more) {
  char **env = ck_child_env();
  for (; more && *more; more++) {
    size_t n = 0;
    while (env[n] && !same_variable(*more, env[n])) n++;
    bool is_new = !env[n];
    if (is_new) env = ck_realloc(env, (n + 2) * sizeof *env);
    env[n] = *more;
    if (is_new) env[n + 1] = NULL;
  }
  return env;
}

/* A nameless file with its standard input, to be read from its beginning; -1 with errno. */
static int input_of(const struct ck_exec *exec, struct ck_str delivery, struct ck_str payload) {
  bool whole = exec->input == CK_EXEC_DELIVERY;
  struct ck_str given = whole ? delivery : exec->input == CK_EXEC_PAYLOAD ? payload : CK_LIT("");
  if (exec->input == CK_EXEC_NONE || exec->input == CK_EXEC_ARGUMENT)
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
  int fd = memfd_create("input", MFD_CLOEXEC);
  struct ck_buf all = {0};
  ck_buf_str(&all, given);
  if (whole) ck_buf_text(&all, "\n");
  for (size_t written = 0; fd >= 0 && written < all.len;) {
    ssize_t n = pwrite(fd, all.data + written, all.len - written, (off_t)written);
    if (n > 0) {
      written += (size_t)n;
    } else if (errno != EINTR) {
      int why = errno;
      close(fd);
      fd = -1;
      errno = why;
    }
  }
  ck_buf_free(&all);
  return fd;
}

/* ---- the parent ---- */

/* A folder that came with an observation decides what a program finds there, such as its settings:
 * it must be this user's, and nobody else's to write to. */
static int check_given(const struct renew_command *c, struct ck_err *err) {
  for (char **path = c->given; path && *path; path++) {
    struct stat st;
    if (stat(*path, &st) || !S_ISDIR(st.st_mode)) continue;
    if (st.st_uid != geteuid()) return ck_fail(err, "%.200s belongs to another user", *path);
    if (st.st_mode & S_IWOTH) return ck_fail(err, "anybody may write to %.200s", *path);
  }
  return 0;
}

static void shut(int *fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

static void shut_pair(int pair[2]) {
  shut(&pair[0]);
  shut(&pair[1]);
}

/* Waits until the child runs the program, or says that it cannot. A file system that does not
 * answer must not hold up the other commands for long. */
static int await(int not_run, const struct renew_command *c, bool *never_will, struct ck_err *err) {
  struct not_run n;
  ssize_t got;
  struct pollfd p = {not_run, POLLIN, 0};
  if (poll(&p, 1, START_MS) == 0)
    return ck_fail(err, "%.200s did not start within %d ms", c->argv[0], START_MS);
  while ((got = read(not_run, &n, sizeof n)) < 0 && errno == EINTR) {
  }
  if (got != (ssize_t)sizeof n) return 0;
  *never_will = n.why == E2BIG;
  return ck_fail(err, "cannot %s %.200s: %s", n.what == CANNOT_ENTER ? "enter" : "run",
                 n.what == CANNOT_ENTER ? c->folder : c->argv[0], strerror(n.why));
}

static int spawn(struct launch_child *child, const struct renew_command *c, char *const *env,
                 int in, bool *never_will, struct ck_err *err) {
  int out[2] = {-1, -1}, said[2] = {-1, -1}, not_run[2] = {-1, -1};
  pid_t parent = getpid();
  int rc = 0;
  child->pid = -1;
  if (pipe2(out, O_CLOEXEC | O_NONBLOCK) == 0 && pipe2(said, O_CLOEXEC | O_NONBLOCK) == 0 &&
      pipe2(not_run, O_CLOEXEC) == 0) {
    /* Only this process's ends do not block. */
    fcntl(out[1], F_SETFL, 0);
    fcntl(said[1], F_SETFL, 0);
    child->pid = fork();
  }
  if (child->pid == 0) become(c, env, &(struct ends){in, out[1], said[1], not_run[1]}, parent);
  if (child->pid < 0) rc = ck_fail(err, "not started: %s", strerror(errno));
  shut(&out[1]);
  shut(&said[1]);
  shut(&not_run[1]);
  if (rc == 0) rc = await(not_run[0], c, never_will, err);
  shut(&not_run[0]);
  child->out = out[0];
  child->err = said[0];
  child->pidfd = child->pid > 0 ? pidfd_open(child->pid, 0) : -1;
  if (rc == 0) return 0;
  if (child->pid > 0) {
    /* One that hangs in its file system does not end, and is not waited for. */
    struct pollfd ended = {child->pidfd, POLLIN, 0};
    kill(child->pid, SIGKILL);
    poll(&ended, 1, END_MS);
    waitpid(child->pid, NULL, WNOHANG);
  }
  shut_pair(out);
  shut_pair(said);
  shut(&child->pidfd);
  return -1;
}

int launch_child_start(struct launch_child *c, const struct ck_exec *exec, struct ck_str delivery,
                       struct ck_str payload, bool *never_will, struct ck_err *err) {
  struct renew_command command;
  int rc = renew_command_make(&command, exec, delivery, payload, err);
  if (rc) {
    *never_will = true;
  } else if (!(rc = check_given(&command, err))) {
    int in = input_of(exec, delivery, payload);
    char **env = env_with(command.env);
    rc = in < 0 ? ck_fail(err, "not started: %s", strerror(errno))
                : spawn(c, &command, env, in, never_will, err);
    free(env);
    shut(&in);
  }
  renew_command_free(&command);
  return rc;
}

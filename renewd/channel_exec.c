/* The kind `exec`: runs a program that the settings name, without a shell. It gets the delivery as
 * one line on its standard input, and answers with its exit code: 0 done, 75 try again, else
 * failed. It has a process group of its own, none of the daemon's files, and an environment without
 * secrets. Its input is whole before it runs, so renewd's death never gives it a part of a line. */
#include "renewd/channel.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/child.h"
#include "proto/clock.h"

#define EXIT_TRY_AGAIN 75 /* EX_TEMPFAIL */
#define EXIT_NOT_RUN 127
#define NOT_RUN_FD (STDERR_FILENO + 1) /* of the child, until it runs the program */
#define KILL_AFTER_MS 2000
#define OUTPUT_KEPT 4096

struct run {
  struct exec *exec;
  struct run *next;
  pid_t pid;
  int pidfd, out;           /* -1: closed */
  int not_run;              /* the child writes errno to it if it cannot run the program */
  const char *program;      /* the setting's first word */
  char output[OUTPUT_KEPT]; /* its newest bytes */
  size_t outputs;
  int64_t deadline; /* boot: when to send SIGTERM; after that, when to send SIGKILL */
  bool timed_out, killed, is_over;
  struct renew_result result;
};

struct exec {
  const struct ck_settings *settings;
  int epoll;
  char **env;
  struct run *all;
};

static void *exec_open(const struct renew_channel_env *env, struct ck_err *err) {
  struct exec *x = ck_zalloc(sizeof *x);
  x->settings = env->settings;
  x->env = ck_child_env();
  x->epoll = epoll_create1(EPOLL_CLOEXEC);
  if (x->epoll >= 0) return x;
  ck_fail(err, "epoll: %s", strerror(errno));
  free(x->env);
  free(x);
  return NULL;
}

static void shut(int *fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

static void run_free(struct run *r) {
  struct run **at = &r->exec->all;
  while (*at != r) at = &(*at)->next;
  *at = r->next;
  shut(&r->out);
  shut(&r->not_run);
  shut(&r->pidfd);
  free(r);
}

static void exec_abandon(void *delivery) {
  struct run *r = delivery;
  if (!r->is_over) {
    kill(-r->pid, SIGKILL);
    waitpid(r->pid, NULL, WNOHANG);
  }
  run_free(r);
}

static void exec_close(void *channel) {
  struct exec *x = channel;
  while (x->all) exec_abandon(x->all);
  close(x->epoll);
  free(x->env);
  free(x);
}

static int exec_fd(void *channel) { return ((struct exec *)channel)->epoll; }

static int64_t exec_until(void *channel) {
  int64_t until = INT64_MAX;
  for (const struct run *r = ((struct exec *)channel)->all; r; r = r->next)
    if (!r->is_over && r->deadline < until) until = r->deadline;
  return until;
}

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

/* Between fork and exec in a process with threads (libcurl, ZeroMQ): nothing here may lock or
 * allocate. */
__attribute__((noreturn)) static void become(char *const *argv, char *const *env, int in, int out,
                                             int not_run, pid_t parent) {
  sigset_t none;
  sigemptyset(&none);
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(EXIT_NOT_RUN);
  signal(SIGPIPE, SIG_DFL);
  signal(SIGHUP, SIG_DFL);
  sigprocmask(SIG_SETMASK, &none, NULL);
  dup2(in, STDIN_FILENO);
  dup2(out, STDOUT_FILENO);
  dup2(out, STDERR_FILENO);
  dup2(not_run, NOT_RUN_FD);
  fcntl(NOT_RUN_FD, F_SETFD, FD_CLOEXEC);
  close_range(NOT_RUN_FD + 1, ~0u, 0);
  try_run(argv, env);
  int why = errno;
  if (write(NOT_RUN_FD, &why, sizeof why) < 0) _exit(EXIT_NOT_RUN);
  _exit(EXIT_NOT_RUN);
}

/* ---- its output and end ---- */

static void watch(struct run *r, int fd, uint32_t events) {
  struct epoll_event e = {.events = events, .data.fd = fd};
  epoll_ctl(r->exec->epoll, EPOLL_CTL_ADD, fd, &e);
}

static void take_output(struct run *r) {
  char bytes[OUTPUT_KEPT];
  while (r->out >= 0) {
    ssize_t n = read(r->out, bytes, sizeof bytes);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) {
      shut(&r->out);
      return;
    }
    size_t fresh = (size_t)n,
           kept = r->outputs + fresh > OUTPUT_KEPT ? OUTPUT_KEPT - fresh : r->outputs;
    memmove(r->output, r->output + r->outputs - kept, kept);
    memcpy(r->output + kept, bytes, fresh);
    r->outputs = kept + fresh;
  }
}

static struct ck_str last_line(const struct run *r) {
  struct ck_str all = ck_trim((struct ck_str){r->output, r->outputs});
  size_t from = all.n;
  while (from && all.s[from - 1] != '\n') from--;
  return (struct ck_str){all.s + from, all.n - from};
}

/* 0: the program ran. */
static int why_not_run(const struct run *r) {
  int why;
  return read(r->not_run, &why, sizeof why) == (ssize_t)sizeof why ? why : 0;
}

static void judge_exit(struct run *r, int status) {
  char words[RENEW_WORDS];
  renew_words(words, last_line(r));
  int not_run = why_not_run(r);
  r->is_over = true;
  if (not_run) {
    renew_result_set(&r->result, RENEW_UNREACHED, "cannot run %.200s: %s", r->program,
                     strerror(not_run));
  } else if (r->timed_out) {
    kill(-r->pid, SIGKILL); /* the processes that it left running */
    renew_result_set(&r->result, RENEW_UNKNOWN, "no end within %lld ms, so it was stopped",
                     (long long)ck_set_int(r->exec->settings, CK_SET_RENEW_TIMEOUT));
  } else if (WIFSIGNALED(status)) {
    renew_result_set(&r->result, RENEW_UNKNOWN, "ended by signal %d%s%s", WTERMSIG(status),
                     words[0] ? ": " : "", words);
  } else {
    int code = WEXITSTATUS(status);
    enum renew_outcome outcome = code == 0                ? RENEW_DONE
                                 : code == EXIT_TRY_AGAIN ? RENEW_RETRY
                                                          : RENEW_FAILED;
    if (outcome == RENEW_DONE)
      renew_result_set(&r->result, outcome, "%s", "");
    else
      renew_result_set(&r->result, outcome, "exit %d%s%s", code, words[0] ? ": " : "", words);
    r->result.exit_code = code;
  }
}

static void step(struct run *r, int64_t now) {
  take_output(r);
  int status;
  pid_t ended = waitpid(r->pid, &status, WNOHANG);
  if (ended == r->pid) {
    take_output(r);
    judge_exit(r, status);
    return;
  }
  if (now < r->deadline) return;
  kill(-r->pid, r->timed_out ? SIGKILL : SIGTERM);
  r->timed_out = true;
  r->deadline = ck_boot_after(KILL_AFTER_MS);
}

static void exec_pump(void *channel) {
  struct exec *x = channel;
  int64_t now = ck_boot_ms();
  for (struct run *r = x->all; r; r = r->next)
    if (!r->is_over) step(r, now);
}

/* ---- one delivery ---- */

static int nonblocking(int fd) { return fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK); }

static void shut_pair(int pair[2]) {
  shut(&pair[0]);
  shut(&pair[1]);
}

/* A nameless file with the line, to be read from its start; -1 with errno. */
static int input_of(struct ck_str body) {
  struct ck_buf line = {0};
  ck_buf_str(&line, body);
  ck_buf_text(&line, "\n");
  int fd = memfd_create("delivery", MFD_CLOEXEC);
  for (size_t written = 0; fd >= 0 && written < line.len;) {
    ssize_t n = pwrite(fd, line.data + written, line.len - written, (off_t)written);
    if (n > 0)
      written += (size_t)n;
    else if (errno != EINTR)
      shut(&fd);
  }
  ck_buf_free(&line);
  return fd;
}

static int spawn(struct run *r, char *const *argv, int in) {
  int out[2] = {-1, -1}, not_run[2] = {-1, -1};
  pid_t parent = getpid();
  r->pid = -1;
  if (pipe2(out, O_CLOEXEC) == 0 && pipe2(not_run, O_CLOEXEC | O_NONBLOCK) == 0) r->pid = fork();
  if (r->pid == 0) become(argv, r->exec->env, in, out[1], not_run[1], parent);
  if (r->pid < 0) {
    int why = errno;
    shut_pair(out);
    shut_pair(not_run);
    errno = why;
    return -1;
  }
  shut(&out[1]);
  shut(&not_run[1]);
  r->out = out[0];
  r->not_run = not_run[0];
  setpgid(r->pid, r->pid); /* in both processes, as either may run first */
  nonblocking(r->out);
  r->pidfd = pidfd_open(r->pid, 0);
  if (r->pidfd >= 0) watch(r, r->pidfd, EPOLLIN);
  watch(r, r->out, EPOLLIN);
  return 0;
}

static char *const *words_of(const struct ck_settings *s, const struct renew_target *target) {
  char *const *argv = target->id ? ck_set_exec(s, target->id) : NULL;
  return argv && argv[0] ? argv : NULL;
}

static int exec_serves(const struct ck_settings *s, const struct renew_target *target,
                       struct ck_err *err) {
  if (words_of(s, target)) return 0;
  return target->id ? ck_fail(err, "there is no setting renew.exec.%.100s", target->id)
                    : ck_fail(err, "its target, of kind exec, has no id");
}

static void *exec_start(void *channel, const struct renew_parcel *parcel,
                        struct renew_result *result) {
  struct exec *x = channel;
  char *const *argv = words_of(x->settings, parcel->target);
  assert(argv); /* the target is served */
  struct run *r = ck_zalloc(sizeof *r);
  r->exec = x;
  r->program = argv[0];
  r->out = r->not_run = r->pidfd = -1;
  r->next = x->all;
  x->all = r;
  r->deadline = ck_boot_after(ck_set_int(x->settings, CK_SET_RENEW_TIMEOUT));
  int in = input_of(parcel->body), rc = in < 0 ? -1 : spawn(r, argv, in), why = errno;
  shut(&in);
  if (rc == 0) return r;
  renew_result_set(result, RENEW_UNREACHED, "not started: %s", strerror(why));
  run_free(r);
  return NULL;
}

static bool exec_over(void *delivery, struct renew_result *result) {
  struct run *r = delivery;
  if (!r->is_over) return false;
  *result = r->result;
  run_free(r);
  return true;
}

static bool exec_repeatable(const struct ck_settings *s, const struct renew_target *target) {
  (void)s;
  (void)target;
  return false;
}

const struct renew_channel renew_channel_exec = {
    .kind = "exec",
    .serves = exec_serves,
    .open = exec_open,
    .close = exec_close,
    .fd = exec_fd,
    .until = exec_until,
    .pump = exec_pump,
    .start = exec_start,
    .over = exec_over,
    .abandon = exec_abandon,
    .repeatable = exec_repeatable,
};

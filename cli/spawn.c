/* Forks and executes the daemons; see spawn.h. */
#include "cli/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "proto/child.h"
#include "proto/file.h"

#define LOG_MAX (16 << 20)
#define READY_FD 3

char *cli_daemon_path(const char *name, struct ck_err *err) {
  char self[PATH_MAX];
  ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
  if (n <= 0) {
    ck_fail(err, "/proc/self/exe: %s", strerror(errno));
    return NULL;
  }
  self[n] = '\0';
  char *slash = strrchr(self, '/');
  if (slash) *slash = '\0';
  char *path = ck_sprintf("%s/../libexec/convkeep/%s", self, name);
  if (access(path, X_OK) == 0) return path;
  ck_fail(err, "%s: %s", path, strerror(errno));
  free(path);
  return NULL;
}

int cli_log_open(const char *name, struct ck_err *err) {
  char path[128], old[140];
  struct stat st;
  snprintf(path, sizeof path, "logs/%s.log", name);
  snprintf(old, sizeof old, "%s.1", path);
  if (stat(path, &st) == 0 && st.st_size > LOG_MAX) rename(path, old);
  int fd = ck_open_file(AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT, err);
  return fd >= 0 ? fd : ck_fail_in(err, "%s", path);
}

/* So that the store and the syncds keep to the same mirrors if one of them is restarted after
 * convkeep.conf was edited. */
static char *all_sinks(const struct ck_settings *s) {
  struct ck_buf b = {0};
  const char *sink;
  ck_buf_text(&b, "sync.sinks=");
  for (int i = 0; (sink = ck_set_word(s, CK_SET_SYNC_SINKS, i)); ++i)
    ck_buf_printf(&b, "%s%s", i ? " " : "", sink);
  char *text = ck_str_dup(ck_buf_view(&b));
  ck_buf_free(&b);
  return text;
}

static char **arguments(const struct cli *c, char *path, const char *sink,
                        const char *const *words) {
  int n = 0, word_count = 0;
  while (words && words[word_count]) ++word_count;
  char **argv = ck_zalloc(((size_t)c->set_count * 2 + (size_t)word_count + 8) * sizeof *argv);
  argv[n++] = path;
  argv[n++] = ck_strdup("--data");
  argv[n++] = ck_strdup(c->dir);
  if (c->config_flag || words) { /* a task may have no folder to look for the file in */
    argv[n++] = ck_strdup("--config");
    argv[n++] = ck_strdup(c->config);
  }
  for (int i = 0; i < c->set_count; ++i) {
    argv[n++] = ck_strdup("--set");
    argv[n++] = ck_strdup(c->set_flags[i]);
  }
  if (sink || c->settings) {
    argv[n++] = ck_strdup("--set");
    argv[n++] = sink ? ck_sprintf("sync.sinks=%s", sink) : all_sinks(c->settings);
  }
  for (int i = 0; i < word_count; ++i) argv[n++] = ck_strdup(words[i]);
  return argv;
}

static void free_arguments(char **argv) {
  for (char **p = argv; *p; ++p) free(*p);
  free(argv);
}

/* Our environment with `ready` in place of CONVKEEP_READY_FD; the secrets are for syncd alone, and
 * of these what opens its sink. Free the array, not its strings. */
static char **environment(const char *daemon, const char *sink, char *ready) {
  char **env = strcmp(daemon, "syncd") == 0 ? ck_own_env(sink) : ck_child_env();
  size_t n = 0;
  while (env[n]) ++n;
  env = ck_realloc(env, (n + 2) * sizeof *env);
  env[n] = ready;
  env[n + 1] = NULL;
  return env;
}

struct child {
  char **argv, **env;
  int out, log, ready, death_signal; /* descriptors; ready: -1 for none */
  pid_t parent;
  const sigset_t *mask;
};

/* Runs between fork and exec: only async-signal-safe calls, because another thread may have held
 * any lock at the fork. */
static void become(const struct child *k) {
  prctl(PR_SET_PDEATHSIG, k->death_signal);
  if (getppid() != k->parent) _exit(CLI_SPAWN_FAILED);
  setpgid(0, 0);
  int null = open("/dev/null", O_RDONLY);
  if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(k->out, STDOUT_FILENO) < 0 ||
      dup2(k->log, STDERR_FILENO) < 0)
    _exit(CLI_SPAWN_FAILED);
  if (k->ready == READY_FD)
    fcntl(READY_FD, F_SETFD, 0);
  else if (k->ready >= 0 && dup2(k->ready, READY_FD) < 0)
    _exit(CLI_SPAWN_FAILED);
  close_range(k->ready < 0 ? READY_FD : READY_FD + 1, ~0u, 0);
  signal(SIGPIPE, SIG_DFL);
  signal(SIGHUP, SIG_DFL);
  sigprocmask(SIG_SETMASK, k->mask, NULL);
  execve(k->argv[0], k->argv, k->env);
  _exit(CLI_SPAWN_FAILED);
}

pid_t cli_spawn(const struct cli *c, const char *name, const char *sink, int death_signal,
                const sigset_t *mask, int *ready, struct ck_err *err) {
  char *path = cli_daemon_path(name, err);
  if (!path) return -1;
  int log = cli_log_open(name, err), ends[2] = {-1, -1};
  pid_t pid = -1;
  char variable[40];
  snprintf(variable, sizeof variable, "CONVKEEP_READY_FD=%d", READY_FD);
  struct child k = {arguments(c, path, sink, NULL),
                    environment(name, sink, variable),
                    log,
                    log,
                    -1,
                    death_signal,
                    getpid(),
                    mask};
  if (log < 0) goto out;
  if (pipe2(ends, O_CLOEXEC) || fcntl(ends[0], F_SETFL, O_NONBLOCK)) {
    ck_fail(err, "pipe: %s", strerror(errno));
    goto out;
  }
  k.ready = ends[1];
  pid = fork();
  if (pid == 0) become(&k);
  if (pid < 0) ck_fail(err, "fork: %s", strerror(errno));
out:
  if (ends[1] >= 0) close(ends[1]);
  if (pid < 0 && ends[0] >= 0) close(ends[0]);
  if (log >= 0) close(log);
  free_arguments(k.argv);
  free(k.env);
  *ready = pid < 0 ? -1 : ends[0];
  return pid;
}

static int own_error_output(struct ck_err *err) {
  int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
  return fd >= 0 ? fd : ck_fail(err, "standard error: %s", strerror(errno));
}

pid_t cli_spawn_task(const struct cli *c, const char *name, const char *sink,
                     const char *const *words, bool logged, int *lines, struct ck_err *err) {
  char *path = cli_daemon_path(name, err);
  if (!path) return -1;
  int log = logged ? cli_log_open(name, err) : own_error_output(err), ends[2] = {-1, -1};
  sigset_t none;
  sigemptyset(&none);
  pid_t pid = -1;
  char nothing[] = "CONVKEEP_READY_FD=";
  struct child k = {arguments(c, path, sink, words),
                    environment(name, sink, nothing),
                    -1,
                    log,
                    -1,
                    SIGTERM,
                    getpid(),
                    &none};
  if (log >= 0 && pipe2(ends, O_CLOEXEC)) ck_fail(err, "pipe: %s", strerror(errno));
  if (ends[1] >= 0) {
    k.out = ends[1];
    pid = fork();
    if (pid == 0) become(&k);
    if (pid < 0) ck_fail(err, "fork: %s", strerror(errno));
    close(ends[1]);
  }
  if (pid < 0 && ends[0] >= 0) close(ends[0]);
  if (log >= 0) close(log);
  free_arguments(k.argv);
  free(k.env);
  *lines = pid < 0 ? -1 : ends[0];
  return pid;
}

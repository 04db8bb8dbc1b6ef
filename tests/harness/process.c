/* Starting, watching and finding processes; see process.h. */
#include "tests/harness/process.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness/base.h"

#define MOST 2048
static struct t_process *started[MOST];
static int count;

/* Runs in the child, between fork and exec. */
static _Noreturn void become(struct t_process *p, const char *input, int ready,
                             const char *const argv[]) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  int in = open(input ? input : "/dev/null", O_RDONLY);
  int out = open(p->out, O_WRONLY | O_CREAT | O_TRUNC, 0600),
      err = open(p->err, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (in < 0 || out < 0 || err < 0) _exit(126);
  if (ready >= 0) {
    int high = fcntl(ready, F_DUPFD, 16);
    dup2(in, 0), dup2(out, 1), dup2(err, 2), dup2(high, 3);
    closefrom(4);
    setenv("CONVKEEP_READY_FD", "3", 1);
  } else {
    dup2(in, 0), dup2(out, 1), dup2(err, 2);
    closefrom(3);
  }
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  signal(SIGPIPE, SIG_DFL);
  execv(argv[0], (char *const *)(uintptr_t)argv);
  dprintf(2, "cannot start %s: %s\n", argv[0], strerror(errno));
  _exit(127);
}

struct t_process *t_start(const char *name, const char *input, bool ready,
                          const char *const argv[]) {
  T_CHECK(count < MOST, "too many processes in one test");
  struct t_process *p = ck_zalloc(sizeof *p);
  snprintf(p->name, sizeof p->name, "%s", name);
  snprintf(p->out, sizeof p->out, "%s/out/%04d-%s.out", t_folder(), count, name);
  snprintf(p->err, sizeof p->err, "%s/out/%04d-%s.err", t_folder(), count, name);
  int line[2] = {-1, -1};
  if (ready) T_CHECK(pipe2(line, O_CLOEXEC) == 0, "no pipe");
  fflush(NULL);
  p->pid = fork();
  T_CHECK(p->pid >= 0, "cannot fork: %s", strerror(errno));
  if (p->pid == 0) become(p, input, line[1], argv);
  if (ready) close(line[1]);
  p->ready = line[0];
  p->running = true;
  started[count++] = p;
  return p;
}

bool t_ended(struct t_process *p) {
  if (p->running && waitpid(p->pid, &p->status, WNOHANG) == p->pid) p->running = false;
  return !p->running;
}

static int code_of(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void t_wait_ready(struct t_process *p, int ms) {
  int64_t until = ck_boot_ms() + (int64_t)ms * T_SLOWER;
  char text[64];
  size_t have = 0;
  for (;;) {
    struct pollfd item = {p->ready, POLLIN, 0};
    int64_t left = until - ck_boot_ms();
    T_CHECK(left > 0 && poll(&item, 1, (int)left) > 0, "%s was not ready within %d ms", p->name,
            ms);
    ssize_t n = read(p->ready, text + have, sizeof text - have);
    if (n <= 0) {
      t_wait_end(p, 1000);
      T_FAIL("%s ended with %d before it was ready", p->name, code_of(p->status));
    }
    have += (size_t)n;
    if (have >= 6 && memcmp(text, "ready\n", 6) == 0) break;
    T_CHECK(have < 6, "%s said something other than ready", p->name);
  }
  close(p->ready);
  p->ready = -1;
}

int t_wait_end(struct t_process *p, int ms) {
  int64_t until = ck_boot_ms() + (int64_t)ms * T_SLOWER;
  while (!t_ended(p)) {
    T_CHECK(ck_boot_ms() < until, "%s had not ended after %d ms", p->name, ms);
    t_pause(2);
  }
  return code_of(p->status);
}

void t_signal(struct t_process *p, int sig) {
  if (!t_ended(p)) kill(p->pid, sig);
}

static bool file_has(const char *path, const char *part, bool whole_line) {
  char *text = t_read_file(path, NULL);
  size_t n = strlen(part);
  bool yes = false;
  for (char *at = text; !yes && at && (at = strstr(at, part)); at++)
    yes = !whole_line || ((at == text || at[-1] == '\n') && (at[n] == '\n' || at[n] == 0));
  free(text);
  return yes;
}

bool t_said_line(struct t_process *p, const char *line) { return file_has(p->out, line, true); }

bool t_said(struct t_process *p, const char *part) { return file_has(p->out, part, false); }

bool t_complained(struct t_process *p, const char *part) { return file_has(p->err, part, false); }

struct t_result t_run(const char *name, const char *input, int ms, const char *const argv[]) {
  struct t_process *p = t_start(name, input, false, argv);
  struct t_result r = {.code = t_wait_end(p, ms)};
  r.out = t_read_file(p->out, &r.out_size);
  r.err = t_read_file(p->err, &r.err_size);
  T_CHECK(r.out && r.err, "%s: its output has gone", name);
  return r;
}

void t_result_free(struct t_result *r) {
  free(r->out);
  free(r->err);
  *r = (struct t_result){0};
}

static bool names_folder(const char *proc, const char *what) {
  char path[PATH_MAX], text[PATH_MAX];
  snprintf(path, sizeof path, "%s/%s", proc, what);
  ssize_t n = readlink(path, text, sizeof text - 1);
  if (n < 0) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    n = read(fd, text, sizeof text - 1);
    close(fd);
  }
  return n > 0 && memmem(text, (size_t)n, t_folder(), strlen(t_folder())) != NULL;
}

long t_memory_mib(pid_t pid) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
  char *text = t_read_file(path, NULL), *line = text ? strstr(text, "VmHWM:") : NULL;
  T_CHECK(line != NULL, "process %d is gone", (int)pid);
  long mib = strtol(line + 6, NULL, 10) / 1024;
  free(text);
  return mib;
}

int t_processes_here(pid_t *found, int max) {
  DIR *d = opendir("/proc");
  int n = 0;
  for (struct dirent *e; d && (e = readdir(d));) {
    if (!isdigit((unsigned char)e->d_name[0])) continue;
    pid_t pid = (pid_t)atol(e->d_name);
    char proc[32];
    snprintf(proc, sizeof proc, "/proc/%d", (int)pid);
    if (pid == getpid() || (!names_folder(proc, "cwd") && !names_folder(proc, "cmdline"))) continue;
    if (n < max) found[n] = pid;
    n++;
  }
  if (d) closedir(d);
  return n;
}

void t_processes_kill(void) {
  for (int i = 0; i < count; i++) t_signal(started[i], SIGKILL);
  pid_t here[64];
  for (int tries = 0; tries < 200; tries++) {
    while (waitpid(-1, NULL, WNOHANG) > 0) continue;
    int n = t_processes_here(here, 64);
    if (n == 0) break;
    for (int i = 0; i < n && i < 64; i++) kill(here[i], SIGKILL);
    t_pause(5);
  }
}

static void tell(const char *path) {
  size_t n = 0;
  char *text = t_read_file(path, &n);
  if (n > 0) {
    char *from = text + n;
    for (int lines = 0; from > text && n - (size_t)(from - text) < 3000; from--)
      if (from[-1] == '\n' && ++lines > 12) break;
    fprintf(stderr, "  --- %s\n%s\n", path, from);
  }
  free(text);
}

static void tell_log(const char *path, void *self) {
  (void)self;
  tell(path);
}

void t_processes_tell(void) {
  for (int i = count > 6 ? count - 6 : 0; i < count; i++) {
    tell(started[i]->out);
    tell(started[i]->err);
  }
  char logs[PATH_MAX + 16];
  snprintf(logs, sizeof logs, "%s/data/logs", t_folder());
  t_walk(logs, tell_log, NULL);
}

/* Finds sockets and half-written files: temporary names and journals, and empty files in
 * artifacts/, where no file is ever empty. self: a buffer for the first finding. */
static void look(const char *path, void *self) {
  const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
  struct stat st;
  if (lstat(path, &st) != 0) return;
  size_t n = strlen(name);
  bool wal = n > 4 && strcmp(name + n - 4, "-wal") == 0; /* empty if a busy store was killed */
  bool half = strstr(name, ".tmp") || strstr(name, ".part") || strstr(name, ".new") ||
              (n > 8 && strcmp(name + n - 8, "-journal") == 0);
  bool hollow = st.st_size == 0 && strstr(path, "/artifacts/") != NULL && !wal;
  if ((S_ISSOCK(st.st_mode) || half || hollow) && *(char *)self == 0)
    snprintf(self, PATH_MAX, "%s: %s",
             S_ISSOCK(st.st_mode) ? "a socket is left" : "a half-written file is left", path);
}

/* Finds sanitizer reports in the processes' output; not every test looks at a daemon's exit code.
 */
static void look_for_findings(const char *path, void *self) {
  struct stat st;
  if (lstat(path, &st) != 0 || !S_ISREG(st.st_mode))
    return; /* reading a FIFO that a test uses would block */
  static const char *const words[] = {"ERROR: AddressSanitizer", "ERROR: LeakSanitizer",
                                      "WARNING: ThreadSanitizer", "runtime error: "};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (*(char *)self == 0 && file_has(path, words[i], false))
      snprintf(self, PATH_MAX, "%s in %s", words[i], path);
}

void t_check_left(void) {
  for (int i = 0; i < count; i++)
    T_CHECK(t_ended(started[i]), "%s (pid %d) still runs at the end of the test", started[i]->name,
            (int)started[i]->pid);
  pid_t here[1];
  int64_t until = ck_boot_ms() + 20000 * T_SLOWER; /* processes told to end may still be ending */
  int n;
  while ((n = t_processes_here(here, 1)) > 0 && ck_boot_ms() < until) t_pause(10);
  T_CHECK(n == 0, "%d processes are left, one is pid %d", n, (int)here[0]);
  while (waitpid(-1, NULL, WNOHANG) > 0) continue;
  char left[PATH_MAX + 64] = "";
  t_walk(".", look, left);
  T_CHECK(left[0] == 0, "%s", left);
  t_walk("logs", look_for_findings, left);
  t_walk("../out", look_for_findings, left);
  T_CHECK(left[0] == 0, "%s", left);
}

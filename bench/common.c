/* Samples, text, the disk and processes; see common.h. */
#include "bench/common.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <math.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/spawn.h"
#include "proto/clock.h"
#include "proto/daemon.h"
#include "proto/folder.h"
#include "proto/log.h"

#define READY_MS 120000
#define SYNCS 300
#define ROUNDS 5

void bench_fail(const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  fputs("bench: ", stderr);
  vfprintf(stderr, fmt, args);
  fputs("\n", stderr);
  va_end(args);
  fflush(NULL);
  _exit(1); /* at exit czmq would wait for sockets that are still open */
}

/* ---- samples ---- */

void bench_add(struct bench_series *s, double value) {
  if (s->n == s->cap) {
    s->cap = s->cap ? s->cap * 2 : 64;
    s->at = ck_realloc(s->at, s->cap * sizeof *s->at);
  }
  s->at[s->n++] = value;
  s->sorted = false;
}

void bench_add_all(struct bench_series *into, struct bench_series *from) {
  for (size_t i = 0; i < from->n; ++i) bench_add(into, from->at[i]);
  bench_free(from);
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

double bench_share(struct bench_series *s, double share) {
  if (!s->n) return 0;
  if (!s->sorted) qsort(s->at, s->n, sizeof *s->at, ascending);
  s->sorted = true;
  double at = share * (double)(s->n - 1);
  size_t below = (size_t)at;
  return below + 1 < s->n ? s->at[below] + (at - (double)below) * (s->at[below + 1] - s->at[below])
                          : s->at[s->n - 1];
}

void bench_free(struct bench_series *s) {
  free(s->at);
  *s = (struct bench_series){0};
}

int bench_rounds(void) {
  const char *text = getenv("BENCH_ROUNDS");
  int rounds = text ? atoi(text) : ROUNDS;
  return rounds > 0 ? rounds : ROUNDS;
}

/* ---- text ---- */

static char *cell(void) {
  static char cells[64][160];
  static unsigned at;
  return cells[at++ % 64];
}

const char *bench_number(double value, int decimals) {
  char *out = cell(), digits[64];
  snprintf(digits, sizeof digits, "%.*f", decimals, value);
  size_t whole = strcspn(digits, "."), first = digits[0] == '-', n = 0;
  for (size_t i = 0; digits[i]; ++i) {
    if (i > first && i < whole && (whole - i) % 3 == 0) out[n++] = ',';
    out[n++] = digits[i];
  }
  out[n] = '\0';
  return out;
}

const char *bench_cell(struct bench_series *s, int decimals) {
  if (s->n < 2) return bench_number(bench_share(s, 0.5), decimals);
  char *out = cell();
  snprintf(out, sizeof(char[160]), "%s (%s to %s)", bench_number(bench_share(s, 0.5), decimals),
           bench_number(bench_share(s, 0), decimals), bench_number(bench_share(s, 1), decimals));
  return out;
}

/* Appends a line to the file `bounds`, which all measurements of a run share. */
static void note(const char *kind, const char *what, const char *said) {
  const char *folder = getenv("CONVKEEP_BENCH_DATA");
  char *path = ck_sprintf("%s/bounds", folder ? folder : ".");
  FILE *file = fopen(path, "ae");
  if (!file || fprintf(file, "%s\t%s: %s\n", kind, what, said) < 0 || fclose(file))
    bench_fail("%s: cannot be written", path);
  free(path);
}

void bench_note(const char *what, const char *said, bool kept) {
  note(kept ? "kept" : "missed", what, said);
}

void bench_tell(const char *what, const char *said) { note("told", what, said); }

const char *bench_verdict(const char *what, double value, bool at_least, double target,
                          const char *unit) {
  char *out = cell(), said[160];
  bool kept = at_least ? value >= target : value <= target;
  int decimals = target < 10 ? 2 : 0;
  snprintf(out, sizeof(char[160]), "%s%s %s: %s", bench_number(target, decimals), unit,
           at_least ? "at least" : "at most", kept ? "kept" : "**missed**");
  snprintf(said, sizeof said, "%s%s, %s%s %s", bench_number(value, target < 100 ? 2 : 0), unit,
           bench_number(target, decimals), unit, at_least ? "at least" : "at most");
  if (what) bench_note(what, said, kept);
  return out;
}

/* ---- the disk ---- */

/* Only larger files are deleted right away; above all the store's readable files stay. ext4 without
 * a journal does not reuse an inode for some minutes after its deletion, and skips each such inode
 * when it looks for a free one, so deleting many files would slow down the next measurement.
 * bench/run.sh deletes the rest. */
#define SMALL_BYTES (256 << 10)

static int delete_large(const char *path, const struct stat *st, int kind, struct FTW *where) {
  (void)where;
  return kind == FTW_F && st->st_size > SMALL_BYTES ? remove(path) : 0;
}

/* Resolved once, before the working directory changes. */
static const char *base(void) {
  static char path[PATH_MAX];
  const char *given = getenv("CONVKEEP_BENCH_DATA");
  if (path[0]) return path;
  if (!given || (mkdir(given, 0755), !realpath(given, path)))
    bench_fail("CONVKEEP_BENCH_DATA: must name the folder to measure in; bench/run.sh does");
  return path;
}

void bench_leave(void) {
  static unsigned count;
  char here[PATH_MAX], left[64];
  if (!getcwd(here, sizeof here) || chdir(base())) bench_fail("cannot leave the folder");
  if (strncmp(here, base(), strlen(base())) != 0 || strcmp(here, base()) == 0) return;
  nftw(here, delete_large, 32, FTW_DEPTH | FTW_PHYS);
  snprintf(left, sizeof left, "left-%d-%u", (int)getpid(), ++count);
  if (rename(here, left)) bench_fail("%s: cannot be put aside", here);
}

void bench_enter(const char *name) {
  struct ck_err err;
  ck_log_setup("bench", CK_ERROR);
  if (chdir(base())) bench_fail("cannot enter %s", base());
  if (ck_data_enter(name, &err)) bench_fail("%s", err.text);
}

void bench_return(const char *name) {
  if (chdir(base()) || chdir(name)) bench_fail("cannot enter %s/%s", base(), name);
}

const struct ck_settings *bench_settings(void) {
  static struct ck_settings *settings;
  struct ck_err err;
  if (!settings && !(settings = ck_settings_load("convkeep.conf", &err)))
    bench_fail("%s", err.text);
  return settings;
}

void bench_calm(void) { sync(); }

void bench_probe_open(struct bench_probe *p, size_t bytes, bool append) {
  *p = (struct bench_probe){.bytes = bytes, .append = append, .block = ck_alloc(bytes)};
  memset(p->block, 'f', bytes);
  p->fd = open("fdatasync.probe", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (p->fd < 0 || pwrite(p->fd, p->block, bytes, 0) != (ssize_t)bytes || fsync(p->fd))
    bench_fail("fdatasync.probe: cannot be written");
}

void bench_probe(struct bench_probe *p) {
  int64_t began = ck_mono_us();
  if (p->append) p->at += (off_t)p->bytes;
  if (pwrite(p->fd, p->block, p->bytes, p->at) != (ssize_t)p->bytes || fdatasync(p->fd))
    bench_fail("fdatasync.probe: cannot be written");
  bench_add(&p->us, (double)(ck_mono_us() - began));
}

void bench_probe_close(struct bench_probe *p) {
  close(p->fd);
  unlink("fdatasync.probe");
  free(p->block);
}

double bench_fdatasync(bool append) {
  struct bench_probe p;
  bench_probe_open(&p, 4096, append);
  for (int i = 0; i < SYNCS; ++i) bench_probe(&p);
  bench_probe_close(&p);
  double median = bench_share(&p.us, 0.5);
  bench_free(&p.us);
  return median;
}

/* ---- processes ---- */

char *bench_program(const char *relative) {
  char self[PATH_MAX];
  ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
  if (n <= 0) bench_fail("/proc/self/exe cannot be read");
  self[n] = '\0';
  *strrchr(self, '/') = '\0';
  return ck_sprintf("%s/%s", self, relative);
}

pid_t bench_daemon(const char *name) {
  char here[PATH_MAX], word[8];
  struct ck_err err;
  sigset_t none;
  int ready;
  sigemptyset(&none);
  if (!getcwd(here, sizeof here)) bench_fail("no working directory");
  const struct cli c = {.dir = here};
  pid_t pid = cli_spawn(&c, name, NULL, SIGKILL, &none, &ready, &err);
  if (pid < 0) bench_fail("%s", err.text);
  struct pollfd fd = {ready, POLLIN, 0};
  if (poll(&fd, 1, READY_MS) != 1 || read(ready, word, sizeof word) <= 0)
    bench_fail("%s does not start: %s/logs/%s.log says why", name, here, name);
  close(ready);
  return pid;
}

pid_t bench_spawn(const char *output, const char *const argv[]) {
  char *const *words = (char *const *)(uintptr_t)argv;
  pid_t parent = getpid(), pid = fork();
  if (pid < 0) bench_fail("fork");
  if (pid) return pid;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);
  int out = open(output ? output : "/dev/null", O_WRONLY | O_CREAT | O_TRUNC, 0600),
      in = open("/dev/null", O_RDONLY);
  if (out < 0 || in < 0 || dup2(out, STDOUT_FILENO) < 0 || dup2(in, STDIN_FILENO) < 0) _exit(127);
  close_range(STDERR_FILENO + 1, ~0u, 0);
  execvp(words[0], words);
  _exit(127);
}

bool bench_ended(pid_t pid, int *code) {
  int status;
  if (waitpid(pid, &status, WNOHANG) != pid) return false;
  *code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return true;
}

double bench_run(const char *output, const char *const argv[]) {
  int code;
  int64_t began = ck_mono_us();
  pid_t pid = bench_spawn(output, argv);
  while (!bench_ended(pid, &code)) usleep(1000);
  if (code) bench_fail("%s ends with %d", argv[0], code);
  return (double)(ck_mono_us() - began) / 1e6;
}

unsigned bench_free_port(void) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t n = sizeof at;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || bind(fd, (struct sockaddr *)&at, n) || getsockname(fd, (struct sockaddr *)&at, &n))
    bench_fail("there is no free port");
  close(fd);
  return ntohs(at.sin_port);
}

double bench_cpu(pid_t pid) {
  clockid_t clock;
  struct timespec used;
  if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &used))
    bench_fail("the processor time of process %d cannot be read", (int)pid);
  return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

double bench_cpu_children(void) {
  struct rusage use;
  getrusage(RUSAGE_CHILDREN, &use);
  return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
         (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

/* The one line that the program prints; the caller frees it. */
static char *printed(const char *const argv[]) {
  char line[1024];
  bench_run("printed.txt", argv);
  FILE *f = fopen("printed.txt", "re");
  if (!f || !fgets(line, sizeof line, f)) bench_fail("%s prints nothing", argv[0]);
  fclose(f);
  line[strcspn(line, "\n")] = '\0';
  return ck_strdup(line);
}

static double number(const char *const argv[]) {
  char *line = printed(argv), *end;
  double value = strtod(line, &end);
  if (end == line) bench_fail("%s prints no number", argv[0]);
  free(line);
  return value;
}

char *bench_sql_text(const char *query) {
  return printed((const char *const[]){"sqlite3", "file:artifact.db?mode=ro", query, NULL});
}

double bench_sql(const char *query) {
  return number((const char *const[]){"sqlite3", "file:artifact.db?mode=ro", query, NULL});
}

double bench_zstd(const char *file) {
  return number((const char *const[]){"sh", "-c", "zstd -3 -c \"$1\" | wc -c", "-", file, NULL});
}

void bench_stop(pid_t *pid) {
  if (*pid <= 0) return;
  kill(*pid, SIGTERM);
  waitpid(*pid, NULL, 0);
  *pid = 0;
}

static FILE *open_of(pid_t pid, pid_t thread, const char *name) {
  char path[96];
  snprintf(path, sizeof path, "/proc/%d/task/%d/%s", (int)pid, (int)thread, name);
  return fopen(path, "re");
}

struct bench_use bench_use_of(pid_t pid, pid_t thread) {
  struct bench_use use = {0};
  char text[128];
  FILE *file = open_of(pid, thread, "schedstat");
  if (file && fgets(text, sizeof text, file)) use.cpu_us = (double)strtoull(text, NULL, 10) / 1e3;
  if (file) fclose(file);
  file = open_of(pid, thread, "io");
  while (file && fgets(text, sizeof text, file))
    if (strncmp(text, "wchar: ", 7) == 0) use.written = strtod(text + 7, NULL);
  if (file) fclose(file);
  return use;
}

/* A thread that has ended counts as 0. */
static bool is_named(pid_t pid, pid_t thread, const char *const names[]) {
  char name[32] = "";
  FILE *file = open_of(pid, thread, "comm");
  bool named = !file || !fgets(name, sizeof name, file);
  if (file) fclose(file);
  for (; *names && !named; ++names) named = strncmp(name, *names, strlen(*names)) == 0;
  return named;
}

struct bench_use bench_use_but(pid_t pid, const char *const names[]) {
  struct bench_use all = {0};
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
  DIR *threads = opendir(path);
  for (struct dirent *e; threads && (e = readdir(threads));) {
    pid_t thread = atoi(e->d_name);
    if (thread <= 0 || is_named(pid, thread, names)) continue;
    struct bench_use one = bench_use_of(pid, thread);
    all.cpu_us += one.cpu_us;
    all.written += one.written;
  }
  if (threads) closedir(threads);
  return all;
}

struct bench_use bench_use_each(struct bench_use a, struct bench_use b, size_t n) {
  return (struct bench_use){(b.cpu_us - a.cpu_us) / (double)n, (b.written - a.written) / (double)n};
}

double bench_memory(pid_t pid, const char *line) {
  char path[64], text[256];
  double kib = -1;
  snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
  FILE *file = fopen(path, "re");
  size_t n = strlen(line);
  while (file && kib < 0 && fgets(text, sizeof text, file))
    if (strncmp(text, line, n) == 0 && text[n] == ':') kib = strtod(text + n + 1, NULL);
  if (file) fclose(file);
  if (kib < 0) bench_fail("%s: no %s: has the process died?", path, line);
  return kib / 1024;
}

double bench_waits(pid_t pid) {
  char line[128], *path = ck_sprintf("/proc/%d/status", (int)pid);
  FILE *f = fopen(path, "re");
  double n = -1;
  while (f && fgets(line, sizeof line, f)) sscanf(line, "voluntary_ctxt_switches: %lf", &n);
  if (!f || n < 0) bench_fail("%s", path);
  fclose(f);
  free(path);
  return n;
}

json_t *bench_ask(const char *one, const char *two) {
  char *program = bench_program("../bin/convkeep");
  const char *argv[] = {program, "--data", ".", "--json", one, two, NULL};
  int code;
  pid_t pid = bench_spawn("said.json", argv);
  while (!bench_ended(pid, &code)) usleep(1000);
  json_t *said = code ? NULL : json_load_file("said.json", JSON_DISABLE_EOF_CHECK, NULL);
  if (!said) bench_fail("convkeep %s ends with %d", one, code);
  free(program);
  return said;
}

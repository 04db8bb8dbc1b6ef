/* Reads /proc/PID/task/TID/syscall: which call each thread is in, and on which file. */
#include "tests/fault/moment.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/harness/base.h"

static const char *const names[MOMENTS] = {
    "starting",         "writing the WAL", "checkpointing", "writing the spool",
    "making a segment", "waiting",         "running"};

/* Writing or syncing one of these files is a moment. The spool's folder is synced after a segment
 * was created. */
static const struct {
  const char *end;
  bool whole_sync; /* fsync, not fdatasync */
  enum moment moment;
} files[] = {{"/artifact.db-wal", false, MOMENT_WAL},
             {"/artifact.db", false, MOMENT_CHECKPOINT},
             {".seg", true, MOMENT_NEW_SEGMENT},
             {"/spool", true, MOMENT_NEW_SEGMENT},
             {".seg", false, MOMENT_SPOOL}};

const char *moment_name(enum moment moment) { return names[moment]; }

static bool ends_with(const char *text, const char *end) {
  size_t n = strlen(text), m = strlen(end);
  return n >= m && strcmp(text + n - m, end) == 0;
}

static enum moment of_file(const char *path, long call) {
  for (size_t i = 0; i < sizeof files / sizeof *files; i++)
    if (ends_with(path, files[i].end) && (!files[i].whole_sync || call == SYS_fsync))
      return files[i].moment;
  return MOMENT_RUNNING;
}

static enum moment of_thread(const char *proc, const char *thread) {
  char path[PATH_MAX], target[PATH_MAX];
  snprintf(path, sizeof path, "%s/task/%s/syscall", proc, thread);
  char *text = t_read_file(path, NULL), *rest = NULL;
  long call = text ? strtol(text, &rest, 10) : -1;
  bool blocked = rest && rest != text;
  unsigned long fd = blocked ? strtoul(rest, NULL, 16) : 0;
  free(text);
  if (!blocked) return MOMENT_RUNNING;
  if (call != SYS_pwrite64 && call != SYS_write && call != SYS_fsync && call != SYS_fdatasync)
    return MOMENT_WAITING;
  snprintf(path, sizeof path, "%s/fd/%lu", proc, fd);
  ssize_t n = readlink(path, target, sizeof target - 1);
  if (n < 0) return MOMENT_RUNNING;
  target[n] = 0;
  return of_file(target, call);
}

/* The rarest moment among the process's threads; if none is at a listed one, the main thread's. */
enum moment moment_of(pid_t pid, bool ready) {
  char proc[32], path[64], name[32];
  bool at[MOMENTS] = {false};
  if (!ready) return MOMENT_START_UP;
  snprintf(proc, sizeof proc, "/proc/%d", (int)pid);
  snprintf(path, sizeof path, "%s/task", proc);
  snprintf(name, sizeof name, "%d", (int)pid);
  enum moment own = of_thread(proc, name);
  at[own] = true;
  DIR *d = opendir(path);
  for (struct dirent *e; d && (e = readdir(d));)
    if (e->d_name[0] != '.' && strcmp(e->d_name, name) != 0) at[of_thread(proc, e->d_name)] = true;
  if (d) closedir(d);
  static const enum moment rare[] = {MOMENT_CHECKPOINT, MOMENT_NEW_SEGMENT, MOMENT_WAL,
                                     MOMENT_SPOOL};
  for (size_t i = 0; i < sizeof rare / sizeof *rare; i++)
    if (at[rare[i]]) return rare[i];
  return own;
}

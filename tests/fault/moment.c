#include "tests/fault/moment.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/harness/base.h"

static const char *const names[MOMENTS] = {"starting", "writing the WAL", "checkpointing", "writing the spool", "making a segment", "waiting", "running"};

/* The files whose writing or syncing is a moment. The folder is synced when a segment was made. */
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
    if (ends_with(path, files[i].end) && (!files[i].whole_sync || call == SYS_fsync)) return files[i].moment;
  return MOMENT_RUNNING;
}

enum moment moment_of(pid_t pid, bool ready) {
  char path[64], target[PATH_MAX];
  if (!ready) return MOMENT_START_UP;
  snprintf(path, sizeof path, "/proc/%d/syscall", (int)pid);
  char *text = t_read_file(path, NULL), *rest = NULL;
  long call = text ? strtol(text, &rest, 10) : -1;
  unsigned long fd = rest && rest != text ? strtoul(rest, NULL, 16) : 0;
  bool blocked = rest && rest != text;
  free(text);
  if (!blocked) return MOMENT_RUNNING;
  if (call != SYS_pwrite64 && call != SYS_write && call != SYS_fsync && call != SYS_fdatasync) return MOMENT_WAITING;
  snprintf(path, sizeof path, "/proc/%d/fd/%lu", (int)pid, fd);
  ssize_t n = readlink(path, target, sizeof target - 1);
  if (n < 0) return MOMENT_RUNNING;
  target[n] = 0;
  return of_file(target, call);
}

/* For LD_PRELOAD: records syncs and renames, in their order, as lines in the file that CALLS_FILE
 * names:
 *
 *   sync PATH     fsync, fdatasync
 *   syncfs PATH
 *   name PATH     the new name as it was given: rename, renameat, renameat2, linkat
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static long note(long rc, const char *call, const char *path) {
  char line[PATH_MAX + 16];
  const char *to = getenv("CALLS_FILE");
  int fd = rc == 0 && to ? (int)syscall(SYS_openat, AT_FDCWD, to,
                                        O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)
                         : -1;
  if (fd < 0) return rc;
  int n = snprintf(line, sizeof line, "%s %s\n", call, path);
  if (n > 0 && n < (int)sizeof line) syscall(SYS_write, fd, line, n);
  syscall(SYS_close, fd);
  return rc;
}

static int note_fd(long rc, const char *call, int fd) {
  char self[40], path[PATH_MAX];
  snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
  ssize_t n = rc == 0 ? readlink(self, path, sizeof path - 1) : -1;
  if (n < 0) return (int)rc;
  path[n] = '\0';
  return (int)note(rc, call, path);
}

int fsync(int fd) { return note_fd(syscall(SYS_fsync, fd), "sync", fd); }
int fdatasync(int fd) { return note_fd(syscall(SYS_fdatasync, fd), "sync", fd); }
int syncfs(int fd) { return note_fd(syscall(SYS_syncfs, fd), "syncfs", fd); }

int rename(const char *from, const char *to) {
  return (int)note(syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0), "name", to);
}
int renameat(int from_dir, const char *from, int to_dir, const char *to) {
  return (int)note(syscall(SYS_renameat2, from_dir, from, to_dir, to, 0), "name", to);
}
int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags) {
  return (int)note(syscall(SYS_renameat2, from_dir, from, to_dir, to, flags), "name", to);
}
int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags) {
  return (int)note(syscall(SYS_linkat, from_dir, from, to_dir, to, flags), "name", to);
}

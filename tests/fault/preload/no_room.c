/* For LD_PRELOAD: while the first byte of the file that NO_ROOM_FILE names is not 0, nothing can be
 * written to the database's WAL. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char none;
static const volatile char *full = &none;

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("NO_ROOM_FILE");
  int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (fd < 0) return;
  void *at = mmap(NULL, 1, PROT_READ, MAP_SHARED, fd, 0);
  if (at != MAP_FAILED) full = at;
  close(fd);
}

static int is_wal(int fd) {
  static const char name[] = "/artifact.db-wal";
  char self[40], path[4096];
  snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(self, path, sizeof path);
  return n >= (ssize_t)sizeof name - 1 &&
         memcmp(path + n - (sizeof name - 1), name, sizeof name - 1) == 0;
}

ssize_t pwrite64(int fd, const void *bytes, size_t n, off64_t at) {
  if (*full && is_wal(fd)) return errno = ENOSPC, -1;
  return syscall(SYS_pwrite64, fd, bytes, n, at);
}

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t at) { return pwrite64(fd, bytes, n, at); }

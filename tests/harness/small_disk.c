/* See small_disk.h. */
#include "tests/harness/small_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/harness/base.h"

void small_disk_mount(const char *path, const char *size) {
  char options[64];
  if (geteuid() != 0) t_skip("a small disk can be mounted by root only");
  if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
    t_skip("no file system of one's own here: %s", strerror(errno));
  snprintf(options, sizeof options, "size=%s,mode=0700", size);
  if (mount("none", path, "tmpfs", MS_NOSUID | MS_NODEV, options) != 0)
    t_skip("a small disk cannot be mounted here: %s", strerror(errno));
}

void small_disk_fill(const char *path, size_t leave) {
  static char block[65536];
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  T_CHECK(fd >= 0, "cannot make %s", path);
  memset(block, 'x', sizeof block);
  while (write(fd, block, sizeof block) > 0) continue;
  off_t size = lseek(fd, 0, SEEK_END);
  T_CHECK(size > (off_t)leave && ftruncate(fd, size - (off_t)leave) == 0, "cannot leave %zu bytes",
          leave);
  close(fd);
}

#include "proto/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int other_kind(mode_t mode, struct ck_err *err) {
  static const struct {
    mode_t type;
    const char *name;
  } kinds[] = {{S_IFIFO, "a FIFO"}, {S_IFSOCK, "a socket"}, {S_IFDIR, "a folder"}, {S_IFCHR, "a device"}, {S_IFBLK, "a device"}};
  const char *name = "something else";
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; ++i)
    if ((mode & S_IFMT) == kinds[i].type) name = kinds[i].name;
  ck_fail(err, "it is %s, not a file", name);
  errno = EINVAL;
  return -1;
}

int ck_no_other_kind(int dir, const char *name, struct ck_err *err) {
  struct stat st;
  if (fstatat(dir, name, &st, 0)) return errno == ENOENT ? 0 : ck_fail(err, "%s", strerror(errno));
  return S_ISREG(st.st_mode) ? 0 : other_kind(st.st_mode, err);
}

int ck_open_file(int dir, const char *name, int flags, struct ck_err *err) {
  struct stat st = {0};
  int fd = openat(dir, name, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
  int why = errno;
  if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) return fd;
  if (fd >= 0) {
    close(fd);
    return other_kind(st.st_mode, err);
  }
  /* What cannot even be opened so: a socket, a FIFO that nobody reads, a folder to be written to. */
  if (fstatat(dir, name, &st, flags & O_NOFOLLOW ? AT_SYMLINK_NOFOLLOW : 0) == 0 && !S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode))
    return other_kind(st.st_mode, err);
  ck_fail(err, "%s", strerror(why));
  errno = why;
  return -1;
}

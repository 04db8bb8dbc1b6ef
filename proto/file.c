/* Opening with O_NONBLOCK, looking at what it is, and reading. */
#include "proto/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int other_kind(mode_t mode, struct ck_err *err) {
  static const struct {
    mode_t type;
    const char *name;
  } kinds[] = {{S_IFIFO, "a FIFO"},   {S_IFSOCK, "a socket"}, {S_IFDIR, "a folder"},
               {S_IFCHR, "a device"}, {S_IFBLK, "a device"},  {S_IFLNK, "a symbolic link"}};
  const char *name = "something else";
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; ++i)
    if ((mode & S_IFMT) == kinds[i].type) name = kinds[i].name;
  ck_fail(err, "it is %s, not a file", name);
  errno = EINVAL;
  return -1;
}

static int two_names(struct ck_err *err) {
  ck_fail(err,
          "it has another name too, a hard link, whose file would be written to: put a copy of "
          "its own in its place");
  errno = EMLINK;
  return -1;
}

int ck_no_other_kind(int dir, const char *name, struct ck_err *err) {
  struct stat st;
  if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW))
    return errno == ENOENT ? 0 : ck_fail(err, "%s", strerror(errno));
  if (!S_ISREG(st.st_mode)) return other_kind(st.st_mode, err);
  return st.st_nlink > 1 ? two_names(err) : 0;
}

static int empty_if(int fd, int flags, struct ck_err *err) {
  if (!(flags & O_TRUNC) || ftruncate(fd, 0) == 0) return fd;
  int why = errno;
  ck_fail(err, "%s", strerror(why));
  close(fd);
  errno = why;
  return -1;
}

int ck_fail_write(struct ck_err *err, const char *name, int error, const char *why) {
  const char *slash = strrchr(name, '/');
  char *path = ck_absolute(slash ? name : ".");
  char *end = slash ? strrchr(path, '/') : path + strlen(path) - (path[0] == '.' ? 0 : 2);
  struct ck_str folder = {path, end > path ? (size_t)(end - path) : 1};
  int shown = (int)ck_utf8_cut(folder, 110).n;
  if (error == ENOSPC || error == EDQUOT)
    ck_fail(err, "the disk is full, the one of %.*s: make room (%.60s)", shown, path, why);
  else if (error == EROFS || error == EACCES || error == EPERM)
    ck_fail(err,
            "%.*s cannot be written: let this user write it and what is in it, or mount it"
            " writable (%.60s)",
            shown, path, why);
  else
    ck_fail(err, "%s", why);
  free(path);
  errno = error;
  return -1;
}

int ck_open_file(int dir, const char *name, int flags, struct ck_err *err) {
  struct stat st = {0};
  bool writes = (flags & O_ACCMODE) != O_RDONLY;
  if (writes) flags |= O_NOFOLLOW;
  /* Emptied only when it is known to be this name's alone. */
  int fd = openat(dir, name, (flags & ~O_TRUNC) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
  int why = errno;
  if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
    if (!writes || st.st_nlink <= 1) return empty_if(fd, flags, err);
    close(fd);
    return two_names(err);
  }
  if (fd >= 0) {
    close(fd);
    return other_kind(st.st_mode, err);
  }
  /* These fail to open at all: a socket, a FIFO without a reader, a folder for writing. */
  if (fstatat(dir, name, &st, flags & O_NOFOLLOW ? AT_SYMLINK_NOFOLLOW : 0) == 0 &&
      !S_ISREG(st.st_mode))
    return other_kind(st.st_mode, err);
  if (dir == AT_FDCWD && (flags & O_ACCMODE) != O_RDONLY)
    return ck_fail_write(err, name, why, strerror(why));
  ck_fail(err, "%s", strerror(why));
  errno = why;
  return -1;
}

int ck_check_owner(int fd, struct ck_err *err) {
  struct stat st;
  uid_t me = geteuid();
  if (fstat(fd, &st)) return ck_fail(err, "%s", strerror(errno));
  errno = EPERM;
  if (st.st_uid != me && st.st_uid != 0)
    return ck_fail(err,
                   "it belongs to user %d, and this is user %d: whoever owns it could change what "
                   "is done; run this as that user, or change its owner (chown)",
                   (int)st.st_uid, (int)me);
  if (st.st_mode & (S_IWGRP | S_IWOTH))
    return ck_fail(err, "others may write to it (mode %03o); take that away (chmod go-w)",
                   (unsigned)st.st_mode & 0777u);
  return 0;
}

/* The mode comes last: a change of owner may take bits of it away. */
int ck_take_place(int fd, int dir, const char *name, struct ck_err *err) {
  struct stat old, own;
  mode_t mode;
  if (fstatat(dir, name, &old, 0)) return errno == ENOENT ? 0 : ck_fail(err, "%s", strerror(errno));
  if (fstat(fd, &own)) return ck_fail(err, "%s", strerror(errno));
  mode = old.st_mode & 07777;
  if (fchown(fd, old.st_uid, old.st_gid)) {
    errno = EPERM;
    if (old.st_uid != own.st_uid)
      return ck_fail(err, "it belongs to user %d: only they or root may replace it",
                     (int)old.st_uid);
    mode &= (mode_t)~S_IRWXG;
  }
  return fchmod(fd, mode) ? ck_fail(err, "%s", strerror(errno)) : 0;
}

bool ck_has_name(int fd, const char *name) {
  struct stat mine, there;
  if (fstat(fd, &mine) || lstat(name, &there)) return false;
  errno = ENOENT;
  return mine.st_ino == there.st_ino && mine.st_dev == there.st_dev;
}

/* ---- reading ---- */

#define PIECE 4096

static int read_all(int fd, size_t most, struct ck_buf *b) {
  struct stat st;
  bool sized = fstat(fd, &st) == 0 && st.st_size > 0 && (uintmax_t)st.st_size <= most;
  ck_buf_room(b, sized ? (size_t)st.st_size + 1 : PIECE);
  for (;;) {
    if (b->cap == b->len) ck_buf_room(b, PIECE);
    ssize_t n = read(fd, b->data + b->len, b->cap - b->len);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return n < 0 ? -1 : 0;
    b->len += (size_t)n;
    if (b->len <= most) continue;
    b->len = most;
    errno = EFBIG;
    return -1;
  }
}

/* Reads all of fd, and closes it. */
static int read_and_close(int fd, size_t most, struct ck_buf *b, struct ck_err *err) {
  int rc = read_all(fd, most, b), why = errno;
  close(fd);
  if (rc && why == EFBIG)
    ck_fail(err, "larger than %zu bytes", most);
  else if (rc)
    ck_fail(err, "%s", strerror(why));
  errno = why;
  return rc;
}

int ck_read_file(int dir, const char *name, int flags, size_t most, struct ck_buf *b,
                 struct ck_err *err) {
  ck_buf_clear(b);
  int fd = ck_open_file(dir, name, O_RDONLY | flags, err);
  return fd < 0 ? -1 : read_and_close(fd, most, b, err);
}

int ck_read_own_file(const char *name, size_t most, struct ck_buf *b, struct ck_err *err) {
  ck_buf_clear(b);
  int fd = ck_open_file(AT_FDCWD, name, O_RDONLY, err);
  if (fd < 0) return -1;
  if (ck_check_owner(fd, err) == 0) return read_and_close(fd, most, b, err);
  close(fd);
  errno = EPERM;
  return -1;
}

/* ---- all bytes ---- */

/* Whether to go on after a call that took k bytes. */
static bool goes_on(ssize_t k) {
  if (k == 0) errno = EIO;
  return k > 0 || (k < 0 && errno == EINTR);
}

int ck_write_all(int fd, struct ck_str bytes) {
  for (size_t done = 0; done < bytes.n;) {
    ssize_t k = write(fd, bytes.s + done, bytes.n - done);
    if (!goes_on(k)) return -1;
    if (k > 0) done += (size_t)k;
  }
  return 0;
}

int ck_pwrite_all(int fd, struct ck_str bytes, off_t at) {
  for (size_t done = 0; done < bytes.n;) {
    ssize_t k = pwrite(fd, bytes.s + done, bytes.n - done, at + (off_t)done);
    if (!goes_on(k)) return -1;
    if (k > 0) done += (size_t)k;
  }
  return 0;
}

ssize_t ck_pread_all(int fd, char *bytes, size_t n, off_t at) {
  size_t got = 0;
  while (got < n) {
    ssize_t k = pread(fd, bytes + got, n - got, at + (off_t)got);
    if (k < 0 && errno == EINTR) continue;
    if (k < 0) return -1;
    if (k == 0) break;
    got += (size_t)k;
  }
  return (ssize_t)got;
}

char *ck_absolute(const char *path) {
  char here[PATH_MAX];
  bool known = path[0] != '/' && getcwd(here, sizeof here);
  return known ? ck_sprintf("%s/%s", here, path) : ck_strdup(path);
}

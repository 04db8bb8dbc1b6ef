/* flock, and the race between locking a file and unlinking it. */
#include "proto/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "proto/file.h"

/* A full disk is no error here: it must not keep a daemon from starting. */
static void write_pid(int fd) {
  if (ftruncate(fd, 0) == 0) dprintf(fd, "%d\n", (int)getpid());
}

/* 0: locked. 1: another process holds it. 2: the file was unlinked, try again. -1 with the
 * reason. */
static int try_lock(int fd, const char *path, struct ck_err *err) {
  while (flock(fd, LOCK_EX | LOCK_NB)) {
    if (errno == EWOULDBLOCK) return 1;
    if (errno != EINTR) return ck_fail(err, "%s: %s", path, strerror(errno));
  }
  /* If the last holder unlinked the file between our open and our lock, the lock keeps nobody out:
   * the next process makes a new file of that name. */
  if (!ck_has_name(fd, path)) return 2;
  write_pid(fd);
  return 0;
}

int ck_lock_file(const char *path, int *fd, struct ck_err *err) {
  int rc;
  do {
    *fd = ck_open_file(AT_FDCWD, path, O_RDWR | O_CREAT, err);
    if (*fd < 0) return ck_fail_in(err, "%s", path);
    rc = try_lock(*fd, path, err);
    if (rc) close(*fd);
  } while (rc == 2);
  if (rc) *fd = -1;
  return rc;
}

void ck_unlock_file(const char *path, int fd) {
  unlink(path);
  close(fd);
}

bool ck_lock_is_free(const char *path) {
  int fd = ck_open_file(AT_FDCWD, path, O_RDWR, NULL);
  /* Anything but a regular file is no lock; ck_lock_file will say what it is. */
  if (fd < 0) return errno == ENOENT || errno == EINVAL;
  bool is_free = flock(fd, LOCK_EX | LOCK_NB) == 0;
  close(fd);
  return is_free;
}

int ck_turn_open(const char *path, bool make, struct ck_err *err) {
  int fd = ck_open_file(AT_FDCWD, path, O_RDWR | (make ? O_CREAT : 0), err);
  return fd < 0 ? ck_fail_in(err, "%s", path) : fd;
}

bool ck_turn_try(int fd) { return flock(fd, LOCK_EX | LOCK_NB) == 0; }

void ck_turn_wait(int fd) {
  while (flock(fd, LOCK_EX) && errno == EINTR) continue;
}

void ck_turn_end(int fd) { flock(fd, LOCK_UN); }

/* flock, and the race between locking a file and unlinking it. */
#include "proto/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "proto/file.h"

/* How long a lock that another process holds is tried again. */
#define PATIENCE_MS 200
#define PAUSE_MS 10

/* ---- files and folders ---- */

static int cannot_lock(const char *path, struct ck_err *err) {
  if (errno == ENOLCK || errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL)
    return ck_fail(err, "%s: this file system has no locks (%s): use a data folder on a local disk",
                   path, strerror(errno));
  return ck_fail(err, "%s: %s", path, strerror(errno));
}

/* 0: locked. 1: another process holds it. 2: it has lost its name, try again. -1 with the reason.
 */
static int try_lock(int fd, const char *path, struct ck_err *err) {
  while (flock(fd, LOCK_EX | LOCK_NB)) {
    if (errno == EWOULDBLOCK) return 1;
    if (errno != EINTR) return cannot_lock(path, err);
  }
  /* If it was unlinked or renamed between our open and our lock, the lock keeps nobody out: the
   * next process makes a new file of that name. */
  return ck_has_name(fd, path) ? 0 : 2;
}

/* For reading, because nothing is written into it here: while a database is replaced, the former
 * one has two names. */
static int open_file(struct ck_lock *l, struct ck_err *err) {
  struct ck_err why;
  do {
    l->made = false;
    l->fd = ck_open_file(AT_FDCWD, l->path, O_RDWR, &why);
    if (l->fd < 0 && errno == EMLINK)
      l->fd = ck_open_file(AT_FDCWD, l->path, O_RDONLY | O_NOFOLLOW, &why);
    if (l->fd >= 0 || errno != ENOENT) break;
    l->fd = ck_open_file(AT_FDCWD, l->path, O_RDWR | O_CREAT | O_EXCL, &why);
    l->made = l->fd >= 0;
  } while (l->fd < 0 && errno == EEXIST);
  return l->fd < 0 ? ck_fail(err, "%s: %s", l->path, why.text) : 0;
}

static int open_folder(struct ck_lock *l, struct ck_err *err) {
  l->fd = open(l->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  return l->fd < 0 ? ck_fail(err, "%s: %s", l->path, strerror(errno)) : 0;
}

static int take_at_once(struct ck_lock *l, const char *path,
                        int (*open_it)(struct ck_lock *, struct ck_err *), struct ck_err *err) {
  int rc;
  *l = (struct ck_lock){.fd = -1};
  snprintf(l->path, sizeof l->path, "%s", path);
  do {
    if (open_it(l, err)) return -1;
    rc = try_lock(l->fd, path, err);
    if (rc) close(l->fd);
  } while (rc == 2);
  if (rc) l->fd = -1;
  return rc;
}

/* A process that only looks whether the lock is free holds it for a moment, and so does a child of
 * one that was killed, until it has its own program. */
static int take(struct ck_lock *l, const char *path,
                int (*open_it)(struct ck_lock *, struct ck_err *), struct ck_err *err) {
  const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
  int rc = take_at_once(l, path, open_it, err);
  for (int waited = 0; rc == 1 && waited < PATIENCE_MS; waited += PAUSE_MS) {
    nanosleep(&pause, NULL);
    rc = take_at_once(l, path, open_it, err);
  }
  return rc;
}

int ck_lock_file(struct ck_lock *l, const char *path, struct ck_err *err) {
  return take(l, path, open_file, err);
}

int ck_lock_folder(struct ck_lock *l, const char *path, struct ck_err *err) {
  return take(l, path, open_folder, err);
}

bool ck_lock_has_name(const struct ck_lock *l) { return l->fd >= 0 && ck_has_name(l->fd, l->path); }

void ck_lock_replace(struct ck_lock *l, struct ck_lock *next) {
  if (l->fd >= 0) close(l->fd);
  l->fd = next->fd;
  l->made = false;
  next->fd = -1;
}

void ck_lock_end(struct ck_lock *l) {
  struct stat st;
  if (l->fd < 0) return;
  if (l->made && fstat(l->fd, &st) == 0 && st.st_size == 0 && ck_lock_has_name(l)) unlink(l->path);
  close(l->fd);
  l->fd = -1;
}

bool ck_lock_is_free(const char *path) {
  int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  /* A file that cannot be locked counts as free here; ck_lock_… reports why. */
  if (fd < 0) return errno != EACCES && errno != EPERM;
  bool is_free = flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
  close(fd);
  return is_free;
}

/* ---- pid files ---- */

static void write_pid(int fd) {
  if (ftruncate(fd, 0) == 0) dprintf(fd, "%d\n", (int)getpid());
}

int ck_pid_write(const char *path, struct ck_err *err) {
  int fd = ck_open_file(AT_FDCWD, path, O_WRONLY | O_CREAT, err);
  if (fd < 0) return ck_fail_in(err, "%s", path);
  write_pid(fd);
  close(fd);
  return 0;
}

int ck_number_take(struct ck_lock *l, const char *before, const char *after, int *k,
                   struct ck_err *err) {
  for (*k = 0; *k < CK_INSTANCES_MAX; ++*k) {
    char path[CK_PLACE_MAX];
    snprintf(path, sizeof path, "%s%d%s", before, *k, after);
    int rc = take_at_once(l, path, open_file, err);
    if (rc == 0) write_pid(l->fd);
    if (rc <= 0) return rc;
  }
  return 1;
}

/* ---- in turn ---- */

int ck_turn_open(const char *path, bool make, struct ck_err *err) {
  int fd = ck_open_file(AT_FDCWD, path, O_RDWR | (make ? O_CREAT : 0), err);
  return fd < 0 ? ck_fail_in(err, "%s", path) : fd;
}

bool ck_turn_try(int fd) { return flock(fd, LOCK_EX | LOCK_NB) == 0; }

void ck_turn_wait(int fd) {
  while (flock(fd, LOCK_EX) && errno == EINTR) continue;
}

void ck_turn_end(int fd) { flock(fd, LOCK_UN); }

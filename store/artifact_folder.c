#include "store/artifact_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CURSOR ".cursor"
#define CURSOR_BYTES 96

/* What people write to each other is nobody else's business on this machine. */
#define FILE_MODE 0600
#define FOLDER_MODE 0700

/* Keeps errno for whoever asks which kind of failure it was. */
static int fail(struct ck_err *err, const char *path) {
  int why = errno;
  ck_fail(err, ARTIFACT_FOLDER "/%s: %s", path, strerror(why));
  errno = why;
  return -1;
}

/* ---- writing ---- */

/* Makes the folders on the way to path. */
static int make_folders(int fd, const char *path) {
  char dir[PATH_MAX];
  if (strlen(path) >= sizeof dir) return errno = ENAMETOOLONG, -1;
  for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
    snprintf(dir, sizeof dir, "%.*s", (int)(slash - path), path);
    if (mkdirat(fd, dir, FOLDER_MODE) && errno != EEXIST) return -1;
  }
  return 0;
}

/* dir/NAME → dir/.NAME.tmp: always the same for a file, so that what a crash leaves is overwritten when its record comes round again. */
static int temporary_name(char out[PATH_MAX], const char *path) {
  const char *slash = strrchr(path, '/');
  int dir = slash ? (int)(slash + 1 - path) : 0;
  int n = snprintf(out, PATH_MAX, "%.*s.%s.tmp", dir, path, path + dir);
  return n > 0 && n < PATH_MAX ? 0 : (errno = ENAMETOOLONG, -1);
}

static int open_new(int fd, const char *temporary) {
  const int flags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC;
  int file = openat(fd, temporary, flags, FILE_MODE);
  if (file >= 0 || errno != ENOENT) return file;
  return make_folders(fd, temporary) ? -1 : openat(fd, temporary, flags, FILE_MODE);
}

static int write_all(int file, struct ck_str s) {
  while (s.n) {
    ssize_t n = write(file, s.s, s.n);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return -1;
    s.s += n;
    s.n -= (size_t)n;
  }
  return 0;
}

/* Writes, syncs if asked, closes; the first thing that fails counts. */
static int fill(int file, struct ck_str contents, bool durable) {
  int rc = write_all(file, contents) || (durable && fsync(file)) ? -1 : 0;
  int why = errno;
  if (close(file) && rc == 0) return -1;
  errno = why;
  return rc;
}

static int put(int fd, const char *path, struct ck_str contents, bool durable, struct ck_err *err) {
  char temporary[PATH_MAX];
  if (temporary_name(temporary, path)) return fail(err, path);
  int file = open_new(fd, temporary);
  if (file < 0) return fail(err, path);
  if (fill(file, contents, durable) == 0 && renameat(fd, temporary, fd, path) == 0) return 0;
  fail(err, path);
  int why = errno;
  unlinkat(fd, temporary, 0);
  errno = why;
  return -1;
}

int artifact_folder_put(struct artifact_folder *f, const char *path, struct ck_str contents, struct ck_err *err) {
  return put(f->fd, path, contents, false, err);
}

/* ---- the cursor ---- */

int artifact_folder_mark(struct artifact_folder *f, const char *store_id, uint64_t version, struct ck_err *err) {
  if (syncfs(f->fd)) return fail(err, "syncfs");
  char line[CURSOR_BYTES];
  int n = snprintf(line, sizeof line, "%s %llu\n", store_id, (unsigned long long)version);
  if (put(f->fd, CURSOR, (struct ck_str){line, (size_t)n}, true, err)) return -1;
  f->marked = true;
  return 0;
}

int artifact_folder_unmark(struct artifact_folder *f, struct ck_err *err) {
  if (unlinkat(f->fd, CURSOR, 0) && errno != ENOENT) return fail(err, CURSOR);
  f->marked = false;
  return 0;
}

/* 0 unless the line is whole and of this store. */
static uint64_t cursor_of(const char *line, const char *store_id) {
  size_t n = strlen(store_id);
  if (strncmp(line, store_id, n) != 0 || line[n] != ' ' || line[n + 1] < '0' || line[n + 1] > '9') return 0;
  char *end;
  errno = 0;
  unsigned long long version = strtoull(line + n + 1, &end, 10);
  return errno == 0 && strcmp(end, "\n") == 0 ? version : 0;
}

static int read_cursor(int fd, const char *store_id, uint64_t *version) {
  *version = 0;
  int file = openat(fd, CURSOR, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (file < 0) return errno == ENOENT ? 0 : -1;
  char line[CURSOR_BYTES] = {0};
  ssize_t n = read(file, line, sizeof line - 1);
  int why = errno;
  close(file);
  errno = why;
  if (n < 0) return -1;
  *version = cursor_of(line, store_id);
  return 0;
}

uint64_t artifact_folder_seen(const char *store_id) {
  uint64_t version = 0;
  int fd = open(ARTIFACT_FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return 0;
  if (read_cursor(fd, store_id, &version)) version = 0;
  close(fd);
  return version;
}

/* ---- the folder ---- */

/* Of anything but a clear answer nothing follows: what is wrong then, the next write says. */
static bool gone(int fd, const char *path) {
  struct stat st;
  return fstatat(fd, path, &st, AT_SYMLINK_NOFOLLOW) && errno == ENOENT;
}

static int open_at_cursor(struct artifact_folder *f, const char *store_id, uint64_t *version, struct ck_err *err) {
  struct stat st;
  if (fstat(f->fd, &st) || read_cursor(f->fd, store_id, version)) return fail(err, CURSOR);
  f->device = st.st_dev;
  f->inode = st.st_ino;
  /* The index is put before the first mark: where it is gone, so may be the rest (rm -rf of all but hidden files leaves the cursor). */
  if (gone(f->fd, ARTIFACT_INDEX_TEXT)) *version = 0;
  f->marked = *version > 0;
  return f->marked ? 0 : artifact_folder_unmark(f, err);
}

int artifact_folder_open(struct artifact_folder *f, const char *store_id, uint64_t *version, struct ck_err *err) {
  *f = (struct artifact_folder){.fd = -1};
  if (mkdir(ARTIFACT_FOLDER, FOLDER_MODE) && errno != EEXIST) return fail(err, "");
  f->fd = open(ARTIFACT_FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (f->fd < 0) return fail(err, "");
  if (open_at_cursor(f, store_id, version, err) == 0) return 0;
  int why = errno;
  artifact_folder_close(f);
  errno = why;
  return -1;
}

void artifact_folder_close(struct artifact_folder *f) {
  if (f->fd >= 0) close(f->fd);
  f->fd = -1;
}

bool artifact_folder_whole(const struct artifact_folder *f) {
  struct stat st;
  if (stat(ARTIFACT_FOLDER, &st)) return errno != ENOENT;
  if (st.st_dev != f->device || st.st_ino != f->inode) return false;
  return !(f->marked && gone(f->fd, CURSOR)) && !(f->indexed && gone(f->fd, ARTIFACT_INDEX_TEXT));
}

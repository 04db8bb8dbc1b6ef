/* See power_disk.h: each file's synced state and changes since, the cut, the redirected calls. */
#include "tests/fault/power_disk.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/text.h"
#include "tests/fault/power_store.h"

ssize_t __real_pwrite(int fd, const void *from, size_t n, off_t at);
ssize_t __real_write(int fd, const void *from, size_t n);
int __real_fsync(int fd);
int __real_fdatasync(int fd);
int __real_ftruncate(int fd, off_t size);
int __real_renameat(int from, const char *a, int to, const char *b);
int __real_unlinkat(int dir, const char *name, int flags);
int __real_openat(int dir, const char *name, int flags, ...);

/* ---- the state of the disk ---- */

struct change {
  off_t at;
  char *data; /* NULL: a truncation */
  size_t n;
  bool doomed; /* a sync has failed: it is lost at a cut */
};

struct inode {
  ino_t ino;
  struct ck_buf synced;
  struct change change[4096];
  unsigned changes;
};

struct named {
  char name[128];
  ino_t ino;
};

struct names {
  struct named list[256];
  int n;
};

#define INODES 1024
static struct inode *inodes[INODES];
static int inode_count;
static struct names synced_names;
struct disk disk;

static struct inode *inode_of(ino_t ino) {
  for (int i = 0; i < inode_count; ++i)
    if (inodes[i]->ino == ino) return inodes[i];
  cr_assert_lt(inode_count, INODES);
  inodes[inode_count] = ck_zalloc(sizeof(struct inode));
  inodes[inode_count]->ino = ino;
  return inodes[inode_count++];
}

static void read_all(int fd, struct ck_buf *b) {
  char piece[65536];
  ssize_t n;
  ck_buf_clear(b);
  for (off_t at = 0; (n = pread(fd, piece, sizeof piece, at)) > 0; at += n)
    ck_buf_add(b, piece, (size_t)n);
}

static void list_names(struct names *names) {
  struct stat st;
  names->n = 0;
  DIR *d = opendir(disk.dir);
  int fd = dirfd(d);
  for (struct dirent *e; (e = readdir(d));) {
    if (fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) || !S_ISREG(st.st_mode)) continue;
    cr_assert_lt(names->n, 256);
    struct named *one = &names->list[names->n++];
    snprintf(one->name, sizeof one->name, "%.120s", e->d_name);
    one->ino = st.st_ino;
  }
  closedir(d);
}

static ino_t ino_of(const struct names *names, const char *name) {
  for (int i = 0; i < names->n; ++i)
    if (strcmp(names->list[i].name, name) == 0) return names->list[i].ino;
  return 0;
}

static void add(struct inode *f, off_t at, const void *data, size_t n) {
  cr_assert_lt(f->changes, 4096);
  struct change *c = &f->change[f->changes++];
  *c = (struct change){.at = at, .n = n};
  if (!data) return;
  c->data = ck_alloc(n + 1);
  memcpy(c->data, data, n);
}

static void forget(struct inode *f) {
  for (unsigned i = 0; i < f->changes; ++i) free(f->change[i].data);
  f->changes = 0;
}

/* ---- the calls ---- */

/* True for files and folders, while the test is armed. */
static bool is_ours(int fd, struct stat *st) {
  return disk.armed && fstat(fd, st) == 0 && (S_ISREG(st->st_mode) || S_ISDIR(st->st_mode));
}

/* 0, or -1 with errno if this is the operation that must fail. */
static int strike(enum what what) {
  if (disk.off) {
    errno = EIO;
    return -1;
  }
  if (!disk.fault.left || (disk.fault.what != ANY_CHANGE && disk.fault.what != what)) return 0;
  if (disk.fault.left > 1 && !disk.fault.came) {
    --disk.fault.left;
    return 0;
  }
  if (disk.fault.came && !disk.fault.stays) return 0;
  disk.fault.came = true;
  disk.off = disk.fault.error == 0;
  errno = disk.fault.error ? disk.fault.error : EIO;
  return -1;
}

ssize_t __wrap_pwrite(int fd, const void *from, size_t n, off_t at) {
  struct stat st;
  if (!is_ours(fd, &st)) return __real_pwrite(fd, from, n, at);
  bool was_off = disk.off;
  if (strike(A_WRITE)) {
    int error = errno;
    if (disk.off && !was_off) add(inode_of(st.st_ino), at, from, n / 2);
    if (!disk.off && error == ENOSPC && n > 1 && power_below(2)) {
      /* Half of it was written. */
      add(inode_of(st.st_ino), at, from, n / 2);
      return __real_pwrite(fd, from, n / 2, at);
    }
    errno = error;
    return -1;
  }
  add(inode_of(st.st_ino), at, from, n);
  return __real_pwrite(fd, from, n, at);
}

ssize_t __wrap_write(int fd, const void *from, size_t n) {
  struct stat st;
  return is_ours(fd, &st) && strike(A_WRITE) ? -1 : __real_write(fd, from, n);
}

static int sync_it(int fd, const struct stat *st) {
  struct inode *f = inode_of(st->st_ino);
  ++disk.syncs;
  if (strike(A_SYNC)) {
    int error = errno;
    for (unsigned i = 0; i < f->changes && !disk.off; ++i) f->change[i].doomed = true;
    errno = error;
    return -1;
  }
  if (S_ISDIR(st->st_mode)) {
    list_names(&synced_names);
    return 0;
  }
  char self[40];
  snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
  int again = openat(AT_FDCWD, self, O_RDONLY | O_CLOEXEC);
  cr_assert_geq(again, 0);
  read_all(again, &f->synced);
  close(again);
  forget(f);
  return 0;
}

int __wrap_fsync(int fd) {
  struct stat st;
  return is_ours(fd, &st) ? sync_it(fd, &st) : __real_fsync(fd);
}
int __wrap_fdatasync(int fd) {
  struct stat st;
  return is_ours(fd, &st) ? sync_it(fd, &st) : __real_fdatasync(fd);
}

int __wrap_ftruncate(int fd, off_t size) {
  struct stat st;
  if (is_ours(fd, &st)) {
    if (strike(ANY_CHANGE)) return -1;
    add(inode_of(st.st_ino), size, NULL, 0);
  }
  return __real_ftruncate(fd, size);
}

int __wrap_renameat(int from, const char *a, int to, const char *b) {
  return disk.armed && strike(ANY_CHANGE) ? -1 : __real_renameat(from, a, to, b);
}
int __wrap_unlinkat(int at, const char *name, int flags) {
  return disk.armed && strike(ANY_CHANGE) ? -1 : __real_unlinkat(at, name, flags);
}

int __wrap_openat(int at, const char *name, int flags, ...) {
  va_list args;
  va_start(args, flags);
  mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
  va_end(args);
  if (disk.armed && (flags & O_CREAT) && strike(ANY_CHANGE)) return -1;
  int fd = __real_openat(at, name, flags, mode);
  struct stat st;
  if (fd >= 0 && (flags & O_TRUNC) && is_ours(fd, &st)) add(inode_of(st.st_ino), 0, NULL, 0);
  return fd;
}

/* ---- the power is back ---- */

static bool one_in(uint64_t n) { return power_below(n) == 0; }

static void put(struct ck_buf *file, size_t at, const char *data, size_t n) {
  if (file->len < at + n) {
    memset(ck_buf_room(file, at + n - file->len), 0, at + n - file->len);
    file->len = at + n;
  }
  memcpy(file->data + at, data, n);
}

static void take_over(struct ck_buf *file, const struct change *c, bool torn) {
  if (!c->data && file->len > (size_t)c->at) file->len = (size_t)c->at;
  for (size_t i = 0; c->data && i < c->n;) {
    size_t n = 512 - ((size_t)c->at + i) % 512;
    if (n > c->n - i) n = c->n - i;
    if (!torn || one_in(2)) put(file, (size_t)c->at + i, c->data + i, n);
    i += n;
  }
}

static void write_file(const char *name, ino_t ino, enum survives what) {
  struct inode *f = inode_of(ino);
  for (unsigned i = 0; i < f->changes && what != SYNCED_ONLY; ++i)
    if (!f->change[i].doomed && (what == ALL || one_in(2)))
      take_over(&f->synced, &f->change[i], what == SOME && one_in(2));
  char *path = ck_sprintf("%s/%s", disk.dir, name);
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  cr_assert(fd >= 0 && __real_write(fd, f->synced.data, f->synced.len) == (ssize_t)f->synced.len);
  close(fd);
  free(path);
}

void disk_power_on(enum survives what) {
  struct names now, left = {.n = 0};
  disk.armed = disk.off = false;
  disk.fault.left = 0;
  list_names(&now);
  for (int i = 0; i < now.n; ++i) {
    char *path = ck_sprintf("%s/%s", disk.dir, now.list[i].name);
    unlink(path);
    free(path);
  }
  /* Each name points to what it did at the last sync, or at the cut. */
  for (int i = 0; i < now.n + synced_names.n; ++i) {
    const char *name = i < now.n ? now.list[i].name : synced_names.list[i - now.n].name;
    ino_t old = ino_of(&synced_names, name), new = ino_of(&now, name);
    if ((i >= now.n && new) || left.n == 256) continue;
    ino_t ino = old == new            ? new
                : what == SYNCED_ONLY ? old
                : what == ALL         ? new
                : one_in(2)           ? old
                                      : new;
    if (ino) write_file(name, ino, what);
    ++left.n;
  }
  for (int i = 0; i < inode_count; ++i) {
    forget(inodes[i]);
    ck_buf_free(&inodes[i]->synced);
    free(inodes[i]);
  }
  inode_count = 0;
}

void disk_arm(void) {
  list_names(&synced_names);
  for (int i = 0; i < synced_names.n; ++i) {
    char *path = ck_sprintf("%s/%s", disk.dir, synced_names.list[i].name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    read_all(fd, &inode_of(synced_names.list[i].ino)->synced);
    close(fd);
    free(path);
  }
  disk.armed = true;
}

void disk_fail_at(enum what what, unsigned nth, int error, bool stays) {
  disk.fault.what = what;
  disk.fault.left = nth;
  disk.fault.error = error;
  disk.fault.stays = stays;
  disk.fault.came = false;
}

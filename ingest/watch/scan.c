/* Scanning folders, a part at a time; and which file it is that stands under a name. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "ingest/watch/watch_inner.h"
#include "proto/clock.h"
#include "proto/file.h"
#include "proto/log.h"

#define ENTRIES_A_STEP 2000
#define GONE_MOST 1024 /* rows without a file that are kept, because files may only have moved */

/* A folder that is to be scanned, or is. */
struct watch_scan {
  struct watch_scan *next;
  struct watch_root *root;
  char *path;
  enum watch_age age;
  DIR *dir; /* NULL: it has not begun */
};

/* ---- rows ---- */

void watch_row_of(struct watch_row *row, struct watch_root *root) {
  if (row->root == root) return;
  watch_bad(row, NULL);
  if (row->root && !row->gone) --row->root->files;
  row->root = root;
  if (!root) return;
  root->files += !row->gone;
  if (row->taken_at > root->taken_at) root->taken_at = row->taken_at;
}

static void set_gone(struct watch_row *row, bool gone) {
  if (row->root && gone && !row->gone) --row->root->files;
  if (row->root && !gone && row->gone) ++row->root->files;
  row->gone = gone;
}

void watch_row_remove(struct ingest_watch *w, struct watch_row *row) {
  if (row->open || row->due_at) return;
  watch_row_of(row, NULL);
  watch_table_remove(w->table, row);
}

void watch_lost(struct ingest_watch *w, struct watch_row *row) {
  w->gone += !row->gone;
  set_gone(row, true);
  watch_bad(row, NULL);
}

static void remove_gone(void *self, struct watch_row *row) {
  if (row->root && row->gone) watch_row_remove(self, row);
}

void watch_remove_gone(struct ingest_watch *w) {
  if (w->gone <= GONE_MOST) return;
  w->gone = 0;
  watch_table_each(w->table, remove_gone, w);
}

/* ---- which file it is ---- */

/* A file that was read to its end, and has come here: moved from another disk, or copied. */
static struct watch_row *alike(struct ingest_watch *w, const char *path, const struct stat *st) {
  int64_t mtime = watch_mtime_ns(st);
  struct watch_row *like = NULL;
  int fd = -1;
  while ((like = watch_table_like(w->table, (uint64_t)st->st_size, mtime, like))) {
    if (fd < 0) fd = ck_open_file(AT_FDCWD, path, O_RDONLY | O_NOFOLLOW, NULL);
    if (fd < 0 || watch_mark_fits(&like->mark, fd)) break;
  }
  if (fd < 0) return NULL;
  close(fd);
  if (!like) return NULL;
  const struct watch_mark mark = like->mark;
  struct watch_row *row = like;
  if (access(like->path, F_OK) == 0)
    row = watch_table_add(w->table, path);
  else
    watch_table_move(w->table, row, path);
  watch_table_taken(w->table, row, st, &mark);
  return row;
}

/* The row of a file that has another name now. Another file may have the inode of one that is gone:
 * whether it goes on where that was, is seen when it is opened. */
static struct watch_row *moved(struct ingest_watch *w, struct watch_root *root, const char *path,
                               const struct stat *st) {
  struct watch_row *row = watch_table_inode(w->table, root, (uint64_t)st->st_ino);
  if (!row || row->size > (uint64_t)st->st_size || access(row->path, F_OK) == 0) return NULL;
  watch_table_move(w->table, row, path);
  return row;
}

/* The file is as it was when it was taken, and its last line need not be looked at. */
static bool is_as_taken(const struct watch_row *row, const struct stat *st) {
  return row->taken_at && (row->half_seen || !watch_row_is_half(row)) && !row->bad &&
         row->inode == (uint64_t)st->st_ino && row->size == (uint64_t)st->st_size &&
         row->mtime_ns == watch_mtime_ns(st);
}

static struct watch_row *new_row(struct ingest_watch *w, const char *path, const struct stat *st,
                                 enum watch_age age) {
  struct watch_row *row = watch_table_add(w->table, path);
  if (age == WATCH_BORN) watch_table_born(w->table, row, st);
  return row;
}

void watch_found(struct ingest_watch *w, struct watch_root *root, const char *path,
                 const struct stat *st, enum watch_age age) {
  if (!S_ISREG(st->st_mode)) return;
  struct watch_row *row = watch_table_at(w->table, path);
  if (!row) row = moved(w, root, path, st);
  if (!row) row = alike(w, path, st);
  if (!row) row = new_row(w, path, st, age);
  watch_row_of(row, root);
  set_gone(row, false);
  row->seen = root->scan;
  row->seen_size = (uint64_t)st->st_size;
  if (!is_as_taken(row, st)) watch_due(w, row);
}

/* ---- a root ---- */

static void push(struct ingest_watch *w, struct watch_root *root, const char *path,
                 enum watch_age age) {
  struct watch_scan *s = ck_zalloc(sizeof *s);
  *s = (struct watch_scan){.next = w->scans, .root = root, .path = ck_strdup(path), .age = age};
  w->scans = s;
  ++root->left;
}

/* Sees that it is heard of when the folder is made: by the nearest one above it that is there.
 * True: the folder is there now. */
static bool await(struct ingest_watch *w, const struct watch_root *root) {
  char *path = ck_strdup(root->of.folder);
  while (access(path, F_OK)) {
    char *slash = strrchr(path, '/');
    if (!slash) break;
    slash[slash == path] = '\0';
    if (access(path, F_OK) == 0) watch_folder_above(w, path);
    if (slash == path) break;
  }
  free(path);
  return access(root->of.folder, F_OK) == 0;
}

static void fail(struct watch_root *root, const char *path, const char *reason) {
  root->failed = true;
  watch_error(root->error, sizeof root->error, path, reason);
}

/* Kinds of file systems from which events do not come of what others write. */
static bool is_remote(const char *path) {
  static const unsigned types[] = {0x6969,     0x517b,     0xff534d42, 0xfe534d42, 0x65735546,
                                   0x01021997, 0x6a656a63, 0x786f4256, 0x00c36400, 0x5346414f};
  struct statfs fs;
  if (statfs(path, &fs)) return false;
  for (size_t i = 0; i < sizeof types / sizeof *types; ++i)
    if ((unsigned)fs.f_type == types[i]) return true;
  return false;
}

/* It is not there. No event tells of a mount, nor of what is made where this user may not look. */
static void seek(struct watch_root *root, int error) {
  bool may_be = error == ENOENT || error == ENOTDIR;
  if (root->of.given || !may_be) snprintf(root->error, sizeof root->error, "%s", strerror(error));
  root->rescan_at = root->scan_at + WATCH_SEEK_MS;
}

void watch_scan_root(struct ingest_watch *w, struct watch_root *root) {
  if (root->whole && root->left) {
    root->once_more = true;
    return;
  }
  root->there = access(root->of.folder, F_OK) == 0 || await(w, root);
  root->error[0] = '\0';
  root->failed = root->once_more = false;
  root->scan_at = ck_boot_ms();
  if (!root->there) {
    seek(root, errno);
    return;
  }
  root->rescan_at = 0;
  root->scan = ++w->scan_number;
  root->whole = true;
  root->still_slow = false;
  if (is_remote(root->of.folder)) watch_make_slow(root, "no events come from a network folder");
  push(w, root, root->of.folder, root->known ? WATCH_BORN : WATCH_OLD);
}

void watch_scan_folder(struct ingest_watch *w, struct watch_root *root, const char *path,
                       enum watch_age age) {
  /* A folder that was made a moment ago is looked at again when its mode changes. */
  for (const struct watch_scan *s = w->scans; s && age == WATCH_OLD; s = s->next)
    if (watch_is_in(path, s->path)) age = s->age;
  push(w, root, path, age);
}

struct sweep {
  struct ingest_watch *w;
  const struct watch_root *root;
};

/* It may be in a folder that is not scanned yet. */
static void lose_unseen(void *self, struct watch_row *row) {
  const struct sweep *s = self;
  if (row->root == s->root && row->seen != s->root->scan) watch_lost(s->w, row);
}

/* After a scan of all of it: what was not seen is not there. Returns how long it may rest. */
static int64_t end_whole(struct ingest_watch *w, struct watch_root *root, int64_t now) {
  struct sweep s = {w, root};
  int64_t pause = (now - root->scan_at) * WATCH_RESCAN_SHARE;
  if (!root->failed) watch_table_each(w->table, lose_unseen, &s);
  if (!root->still_slow) root->slow = NULL;
  root->whole = false;
  root->known = !root->failed;
  return pause > WATCH_RESCAN_MS ? pause : WATCH_RESCAN_MS;
}

static void end_root(struct ingest_watch *w, struct watch_root *root) {
  int64_t now = ck_boot_ms(), pause = root->whole ? end_whole(w, root, now) : WATCH_RESCAN_MS;
  if (root->once_more)
    watch_scan_root(w, root);
  else if ((root->slow || root->failed) && !root->rescan_at)
    root->rescan_at = now + pause;
}

/* ---- a folder ---- */

static void pop(struct ingest_watch *w) {
  struct watch_scan *s = w->scans;
  w->scans = s->next;
  if (s->dir) closedir(s->dir);
  if (--s->root->left == 0) end_root(w, s->root);
  free(s->path);
  free(s);
}

/* The watch is there before the folder is read: what comes into it later is heard of. */
static int begin(struct ingest_watch *w, struct watch_scan *s) {
  int rc = watch_folder_add(w, s->root, s->path);
  if (rc == 0) {
    bool is_root = strcmp(s->path, s->root->of.folder) == 0;
    int fd = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (is_root ? 0 : O_NOFOLLOW));
    s->dir = fd < 0 ? NULL : fdopendir(fd);
    if (fd >= 0 && !s->dir) close(fd);
  }
  if (s->dir) return 0;
  if (errno != ENOENT && errno != ENOTDIR) fail(s->root, s->path, strerror(errno));
  return -1;
}

static void see(struct ingest_watch *w, struct watch_scan *s, const struct dirent *e) {
  struct stat st;
  bool dots = strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0;
  bool log = ck_watched_is_log(e->d_name);
  if (dots || (e->d_type == DT_REG && !log)) return;
  if (e->d_type == DT_LNK || fstatat(dirfd(s->dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW)) return;
  char *path = ck_sprintf("%s/%s", s->path, e->d_name);
  if (S_ISDIR(st.st_mode))
    push(w, s->root, path, s->age);
  else if (log)
    watch_found(w, s->root, path, &st, s->age);
  free(path);
}

void watch_scan_step(struct ingest_watch *w) {
  for (int i = 0; w->scans && i < ENTRIES_A_STEP; ++i) {
    struct watch_scan *s = w->scans;
    if (!s->dir && begin(w, s)) {
      pop(w);
      continue;
    }
    errno = 0;
    const struct dirent *e = readdir(s->dir);
    if (e) {
      see(w, s, e);
      continue;
    }
    if (errno) fail(s->root, s->path, strerror(errno));
    pop(w);
  }
}

void watch_scan_end(struct ingest_watch *w) {
  while (w->scans) pop(w);
}

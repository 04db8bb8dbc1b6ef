/* Writing a file whole or not at all, and the cursor file. Linux only: O_TMPFILE, linkat,
 * openat2, renameat2, syncfs, file leases. */
#include "store/files/artifact_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "proto/file.h"

#define CURSOR ".cursor"
#define CURSOR_BYTES 256
#define BOOT_BYTES 64
#define WRITTEN "written "

/* The draft of the next file. A file that is replaced gets this name and is overwritten next time,
 * rather than deleted: ext4 does not reuse the inode of a deleted file for minutes, but looks at
 * every such inode when it creates a file, which takes ten times as long once some thousand files
 * have been replaced. */
#define SPARE ".spare"

/* The conversations are private: other users of this machine must not read them. */
#define FILE_MODE 0600
#define FOLDER_MODE 0700

/* Keeps errno, from which the caller learns the kind of failure. */
static int fail(struct ck_err *err, const char *path) {
  int why = errno;
  ck_fail_write(err, ARTIFACT_FOLDER "/", why, strerror(why));
  ck_fail_in(err, ARTIFACT_FOLDER "/%.120s", path);
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

/* A folder of ours, and a name in it. */
struct where {
  int fd;
  const char *name;
};

static int open_below(int fd, const char *path, size_t n) {
  char dir[PATH_MAX];
  if (n >= sizeof dir) return errno = ENAMETOOLONG, -1;
  snprintf(dir, sizeof dir, "%.*s", (int)n, path);
  const struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
                               .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
  return (int)syscall(SYS_openat2, fd, dir, &how, sizeof how);
}

/* Opens the folder that path is in, and makes it if it is missing. A symbolic link on the way is
 * an error (ELOOP). */
static int open_where(const struct artifact_folder *f, const char *path, struct where *w) {
  const char *slash = strrchr(path, '/');
  *w = (struct where){f->fd, slash ? slash + 1 : path};
  if (!slash) return 0;
  size_t n = (size_t)(slash - path);
  w->fd = open_below(f->fd, path, n);
  if (w->fd < 0 && errno == ENOENT && make_folders(f->fd, path) == 0)
    w->fd = open_below(f->fd, path, n);
  return w->fd < 0 ? -1 : 0;
}

static void close_where(const struct artifact_folder *f, const struct where *w) {
  if (w->fd >= 0 && w->fd != f->fd) close(w->fd);
}

/* True if no other process has the file open and it has no other name, so that nobody sees what is
 * written into it now. False also if the file system has no leases, as it is not known then. */
static bool is_ours_alone(int file) {
  struct stat st;
  if (fstat(file, &st) || !S_ISREG(st.st_mode) || st.st_nlink != 1) return false;
  /* A process that opens the file meanwhile breaks the lease, which raises a signal. The default,
   * SIGIO, would end this process; SIGURG is ignored. */
  if (fcntl(file, F_SETSIG, SIGURG) || fcntl(file, F_SETLEASE, F_WRLCK)) return false;
  return fcntl(file, F_SETLEASE, F_UNLCK) == 0;
}

/* The file that is being written, before it is in its place. */
struct draft {
  int file;   /* descriptor */
  bool named; /* its name is SPARE; otherwise it has none yet */
  bool fresh; /* it was empty */
};

/* Most files are new, and a file without a name that gets one when it is whole costs two thirds of
 * one that is renamed. Not every file system can do that. */
static int open_fresh(struct artifact_folder *f, struct draft *d) {
  const int flags = O_WRONLY | O_NOFOLLOW | O_CLOEXEC;
  *d = (struct draft){
      .file = f->nameless ? openat(f->fd, ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, FILE_MODE) : -1,
      .fresh = true};
  if (d->file >= 0) return 0;
  if (f->nameless && errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL) return -1;
  f->spare = d->named = true;
  d->file = openat(f->fd, SPARE, flags | O_CREAT | O_EXCL, FILE_MODE);
  return d->file < 0 ? -1 : 0;
}

static int open_draft(struct artifact_folder *f, struct draft *d) {
  if (!f->spare) return open_fresh(f, d);
  *d = (struct draft){.file = openat(f->fd, SPARE, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC),
                      .named = true};
  if (d->file >= 0 && is_ours_alone(d->file)) return 0;
  if (d->file >= 0) close(d->file);
  *d = (struct draft){.file = -1}; /* nothing for the caller to close or to delete */
  if (unlinkat(f->fd, SPARE, 0) && errno != ENOENT) return -1;
  f->spare = false;
  return open_fresh(f, d);
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

/* Shortens the file to n bytes after it was overwritten. If it were emptied first, ext4 would write
 * it to the disk at once. */
static int shorten(int file, size_t n) {
  struct stat st;
  if (fstat(file, &st)) return -1;
  return st.st_size > (off_t)n ? ftruncate(file, (off_t)n) : 0;
}

static int fill(const struct draft *d, struct ck_str contents, bool durable) {
  return write_all(d->file, contents) || (!d->fresh && shorten(d->file, contents.n)) ||
                 (durable && fsync(d->file))
             ? -1
             : 0;
}

static bool is_file(const struct where *w) {
  struct stat st;
  return fstatat(w->fd, w->name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
}

static int give_name(const struct draft *d, int fd, const char *name) {
  char self[40];
  snprintf(self, sizeof self, "/proc/self/fd/%d", d->file);
  return linkat(AT_FDCWD, self, fd, name, AT_SYMLINK_FOLLOW);
}

/* Puts the draft at a place where nothing is yet. */
static int place_new(struct artifact_folder *f, const struct draft *d, const struct where *w) {
  if (!d->named) return give_name(d, w->fd, w->name);
  if (renameat2(f->fd, SPARE, w->fd, w->name, RENAME_NOREPLACE)) return -1;
  f->spare = false;
  return 0;
}

/* Puts the draft in place of an existing file. keep: that file becomes the next spare, if the file
 * system can exchange names. A folder in the way stays where it is. */
static int replace(struct artifact_folder *f, struct draft *d, const struct where *w, bool keep) {
  if (!d->named && unlinkat(f->fd, SPARE, 0) && errno != ENOENT) return -1;
  if (!d->named && give_name(d, f->fd, SPARE)) return -1;
  f->spare = d->named = true;
  if (keep && is_file(w) && renameat2(f->fd, SPARE, w->fd, w->name, RENAME_EXCHANGE) == 0) return 0;
  if (renameat(f->fd, SPARE, w->fd, w->name)) return -1;
  f->spare = false;
  return 0;
}

static int place(struct artifact_folder *f, struct draft *d, const char *path, bool durable) {
  struct where w;
  if (open_where(f, path, &w)) return -1;
  int rc = !durable && place_new(f, d, &w) == 0 ? 0 : replace(f, d, &w, !durable);
  int why = errno;
  close_where(f, &w);
  errno = why;
  return rc;
}

/* durable: the contents are on the disk before the file gets its name, and the file it replaces is
 * not overwritten later, because after a power cut that one may still be in its place. */
static int put(struct artifact_folder *f, const char *path, struct ck_str contents, bool durable,
               struct ck_err *err) {
  struct draft d;
  int rc = open_draft(f, &d);
  if (rc == 0) rc = fill(&d, contents, durable) || place(f, &d, path, durable) ? -1 : 0;
  if (rc) fail(err, path);
  int why = errno;
  if (d.file >= 0 && close(d.file) && rc == 0) rc = fail(err, path), why = errno;
  if (rc && d.named) unlinkat(f->fd, SPARE, 0);
  errno = why;
  return rc;
}

int artifact_folder_put(struct artifact_folder *f, const char *path, struct ck_str contents,
                        struct ck_err *err) {
  return put(f, path, contents, false, err);
}

/* ---- the cursor ---- */

/* Names this boot of the machine; "" if it has no name. */
static void boot_id(char id[BOOT_BYTES]) {
  struct ck_buf b = {0};
  int rc = ck_read_file(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 0, BOOT_BYTES - 1, &b, NULL);
  snprintf(id, BOOT_BYTES, "%.*s", rc ? 0 : (int)strcspn(ck_buf_cstr(&b), "\n"), ck_buf_cstr(&b));
  ck_buf_free(&b);
}

static int put_cursor(struct artifact_folder *f, const char *text, int n, struct ck_err *err) {
  if (put(f, CURSOR, (struct ck_str){text, (size_t)n}, true, err)) return -1;
  f->cursor_saved = true;
  return 0;
}

int artifact_folder_save_cursor(struct artifact_folder *f, const char *store_id, uint64_t version,
                                struct ck_err *err) {
  if (syncfs(f->fd)) return fail(err, "syncfs");
  char text[CURSOR_BYTES];
  int n = snprintf(text, sizeof text, "%s %llu\n", store_id, (unsigned long long)version);
  return put_cursor(f, text, n, err);
}

int artifact_folder_note_written(struct artifact_folder *f, const char *store_id, uint64_t saved,
                                 uint64_t written, struct ck_err *err) {
  char text[CURSOR_BYTES], boot[BOOT_BYTES];
  boot_id(boot);
  if (!*boot) return 0;
  int n = snprintf(text, sizeof text, "%s %llu\n" WRITTEN "%llu %s\n", store_id,
                   (unsigned long long)saved, (unsigned long long)written, boot);
  return put_cursor(f, text, n, err);
}

int artifact_folder_drop_cursor(struct artifact_folder *f, struct ck_err *err) {
  if (unlinkat(f->fd, CURSOR, 0) && errno != ENOENT) return fail(err, CURSOR);
  f->cursor_saved = false;
  return 0;
}

/* The version in a cursor line; 0 unless the line is complete and from this store (NULL: any). */
static uint64_t cursor_of(const char *line, const char *store_id) {
  size_t n = store_id ? strlen(store_id) : strcspn(line, " ");
  if ((store_id && strncmp(line, store_id, n) != 0) || line[n] != ' ' || line[n + 1] < '0' ||
      line[n + 1] > '9')
    return 0;
  char *end;
  errno = 0;
  unsigned long long version = strtoull(line + n + 1, &end, 10);
  return errno == 0 && *end == '\n' ? version : 0;
}

/* The version in the second line; 0 unless it is there, whole, and of this boot. */
static uint64_t written_of(const char *text, const char *store_id) {
  char boot[BOOT_BYTES], *end;
  size_t n = store_id ? strlen(store_id) : strcspn(text, " ");
  bool same = !store_id || strncmp(text, store_id, n) == 0;
  const char *line = same && text[n] == ' ' ? strchr(text, '\n') : NULL;
  if (!line || strncmp(++line, WRITTEN, sizeof WRITTEN - 1) != 0) return 0;
  boot_id(boot);
  errno = 0;
  unsigned long long version = strtoull(line + sizeof WRITTEN - 1, &end, 10);
  bool whole = *boot && errno == 0 && *end == ' ' && strncmp(++end, boot, strlen(boot)) == 0;
  return whole && strcmp(end + strlen(boot), "\n") == 0 ? version : 0;
}

/* *version, *written: 0 if there is no valid cursor. -1 with errno and the reason. */
static int read_cursor(int fd, const char *store_id, uint64_t *version, uint64_t *written,
                       struct ck_err *err) {
  *version = *written = 0;
  int file = ck_open_file(fd, CURSOR, O_RDONLY | O_NOFOLLOW, err);
  if (file < 0) return errno == ENOENT ? 0 : ck_fail_in(err, ARTIFACT_FOLDER "/" CURSOR);
  char line[CURSOR_BYTES] = {0};
  ssize_t n = read(file, line, sizeof line - 1);
  int why = errno;
  close(file);
  errno = why;
  if (n < 0) return fail(err, CURSOR);
  *version = cursor_of(line, store_id);
  *written = written_of(line, store_id);
  return 0;
}

uint64_t artifact_folder_saved_cursor(const char *folder, const char *store_id) {
  uint64_t version = 0, written;
  int fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return 0;
  if (read_cursor(fd, store_id, &version, &written, NULL)) version = 0;
  close(fd);
  return version;
}

/* ---- the folder ---- */

/* True only if the path certainly does not exist. Any other error is left to the next write. */
static bool gone(int fd, const char *path) {
  struct stat st;
  return fstatat(fd, path, &st, AT_SYMLINK_NOFOLLOW) && errno == ENOENT;
}

static int open_at_cursor(struct artifact_folder *f, const char *store_id, uint64_t *version,
                          uint64_t *written, struct ck_err *err) {
  struct stat st;
  if (fstat(f->fd, &st)) return fail(err, "");
  if (read_cursor(f->fd, store_id, version, written, err)) return -1;
  f->device = st.st_dev;
  f->inode = st.st_ino;
  /* The session index is written before the first cursor. If it is gone, the other files may be
   * too: deleting everything but the hidden files leaves the cursor. */
  if (gone(f->fd, ARTIFACT_INDEX_TEXT)) *version = *written = 0;
  if (*written < *version) *written = *version;
  f->cursor_saved = *written > 0;
  return f->cursor_saved ? 0 : artifact_folder_drop_cursor(f, err);
}

int artifact_folder_open(struct artifact_folder *f, const char *store_id, uint64_t *version,
                         uint64_t *written, struct ck_err *err) {
  *f = (struct artifact_folder){
      .fd = -1, .spare = true, .nameless = access("/proc/self/fd", X_OK) == 0};
  if (mkdir(ARTIFACT_FOLDER, FOLDER_MODE) && errno != EEXIST) return fail(err, "");
  f->fd = open(ARTIFACT_FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (f->fd < 0) return fail(err, "");
  if (open_at_cursor(f, store_id, version, written, err) == 0) return 0;
  int why = errno;
  artifact_folder_close(f);
  errno = why;
  return -1;
}

void artifact_folder_close(struct artifact_folder *f) {
  if (f->fd >= 0) close(f->fd);
  f->fd = -1;
}

bool artifact_folder_same(const struct artifact_folder *f) {
  struct stat st;
  if (lstat(ARTIFACT_FOLDER, &st)) return errno != ENOENT;
  if (st.st_dev != f->device || st.st_ino != f->inode) return false;
  return !(f->cursor_saved && gone(f->fd, CURSOR)) &&
         !(f->indexed && gone(f->fd, ARTIFACT_INDEX_TEXT));
}

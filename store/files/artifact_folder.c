/* Writing a file whole or not at all, and the cursor. Linux only: O_TMPFILE, linkat,
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

/* Most files are new, and a file without a name that gets one when it is whole costs two thirds of
 * one that is renamed. Not every file system can do that. */
static int open_fresh(struct artifact_folder *f, struct artifact_draft *d) {
  const int flags = O_WRONLY | O_NOFOLLOW | O_CLOEXEC;
  *d = (struct artifact_draft){
      .file = f->nameless ? openat(f->fd, ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, FILE_MODE) : -1,
      .fresh = true};
  if (d->file >= 0) return 0;
  if (f->nameless && errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL) return -1;
  f->spare = d->named = true;
  d->file = openat(f->fd, SPARE, flags | O_CREAT | O_EXCL, FILE_MODE);
  return d->file < 0 ? -1 : 0;
}

static int open_draft(struct artifact_folder *f, struct artifact_draft *d) {
  if (!f->spare) return open_fresh(f, d);
  *d = (struct artifact_draft){
      .file = openat(f->fd, SPARE, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), .named = true};
  if (d->file >= 0 && is_ours_alone(d->file)) return 0;
  if (d->file >= 0) close(d->file);
  *d = (struct artifact_draft){.file = -1}; /* nothing for the caller to close or to delete */
  if (unlinkat(f->fd, SPARE, 0) && errno != ENOENT) return -1;
  f->spare = false;
  return open_fresh(f, d);
}

/* Shortens the file to what was written into it. If it were emptied first, ext4 would write it to
 * the disk at once. */
static int shorten(const struct artifact_draft *d) {
  struct stat st;
  if (d->fresh) return 0;
  if (fstat(d->file, &st)) return -1;
  return st.st_size > d->bytes ? ftruncate(d->file, d->bytes) : 0;
}

static bool is_file(const struct where *w) {
  struct stat st;
  return fstatat(w->fd, w->name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
}

static int give_name(const struct artifact_draft *d, int fd, const char *name) {
  char self[40];
  snprintf(self, sizeof self, "/proc/self/fd/%d", d->file);
  return linkat(AT_FDCWD, self, fd, name, AT_SYMLINK_FOLLOW);
}

/* Puts the draft at a place where nothing is yet. */
static int place_new(struct artifact_folder *f, const struct artifact_draft *d,
                     const struct where *w) {
  if (!d->named) return give_name(d, w->fd, w->name);
  if (renameat2(f->fd, SPARE, w->fd, w->name, RENAME_NOREPLACE)) return -1;
  f->spare = false;
  return 0;
}

/* Puts the draft in place of an existing file. keep: that file becomes the next spare, if the file
 * system can exchange names. A folder in the way stays where it is. */
static int replace(struct artifact_folder *f, struct artifact_draft *d, const struct where *w,
                   bool keep) {
  if (!d->named && unlinkat(f->fd, SPARE, 0) && errno != ENOENT) return -1;
  if (!d->named && give_name(d, f->fd, SPARE)) return -1;
  f->spare = d->named = true;
  if (keep && is_file(w) && renameat2(f->fd, SPARE, w->fd, w->name, RENAME_EXCHANGE) == 0) return 0;
  if (renameat(f->fd, SPARE, w->fd, w->name)) return -1;
  f->spare = false;
  return 0;
}

static int place(struct artifact_folder *f, struct artifact_draft *d, const char *path,
                 bool durable) {
  struct where w;
  if (open_where(f, path, &w)) return -1;
  int rc = !durable && place_new(f, d, &w) == 0 ? 0 : replace(f, d, &w, !durable);
  int why = errno;
  close_where(f, &w);
  errno = why;
  return rc;
}

/* Keeps errno. */
void artifact_folder_abandon(struct artifact_folder *f, struct artifact_draft *d) {
  int why = errno;
  if (d->file >= 0) close(d->file);
  if (d->named) unlinkat(f->fd, SPARE, 0);
  *d = (struct artifact_draft){.file = -1};
  errno = why;
}

static int draft_failed(struct artifact_folder *f, struct artifact_draft *d, const char *path,
                        struct ck_err *err) {
  fail(err, path);
  artifact_folder_abandon(f, d);
  return -1;
}

int artifact_folder_begin(struct artifact_folder *f, struct artifact_draft *d, struct ck_err *err) {
  return open_draft(f, d) ? draft_failed(f, d, SPARE, err) : 0;
}

int artifact_folder_write(struct artifact_folder *f, struct artifact_draft *d, struct ck_str bytes,
                          const char *path, struct ck_err *err) {
  if (ck_write_all(d->file, bytes)) return draft_failed(f, d, path, err);
  d->bytes += (off_t)bytes.n;
  return 0;
}

/* durable: the contents are on the disk before the file gets its name, and the file it replaces is
 * not overwritten later, because after a power cut that one may still be in its place. */
static int end_draft(struct artifact_folder *f, struct artifact_draft *d, const char *path,
                     bool durable, struct ck_err *err) {
  if (shorten(d) || (durable && fsync(d->file)) || place(f, d, path, durable))
    return draft_failed(f, d, path, err);
  int file = d->file;
  d->file = -1;
  return close(file) ? draft_failed(f, d, path, err) : 0;
}

int artifact_folder_end(struct artifact_folder *f, struct artifact_draft *d, const char *path,
                        struct ck_err *err) {
  return end_draft(f, d, path, false, err);
}

static int put(struct artifact_folder *f, const char *path, struct ck_str contents, bool durable,
               struct ck_err *err) {
  struct artifact_draft d;
  if (open_draft(f, &d)) return draft_failed(f, &d, path, err);
  if (artifact_folder_write(f, &d, contents, path, err)) return -1;
  return end_draft(f, &d, path, durable, err);
}

int artifact_folder_put(struct artifact_folder *f, const char *path, struct ck_str contents,
                        struct ck_err *err) {
  return put(f, path, contents, false, err);
}

/* ---- other changes ---- */

/* True only if the path certainly does not exist. Any other error is left to the next write. */
static bool gone(int fd, const char *path) {
  struct stat st;
  return fstatat(fd, path, &st, AT_SYMLINK_NOFOLLOW) && errno == ENOENT;
}

const char *const artifact_conversation_endings[2] = {".md", ".json"};

void artifact_conversation_path(struct ck_buf *path, struct ck_str name, const char *ending) {
  ck_buf_clear(path);
  ck_buf_printf(path, ARTIFACT_CONVERSATIONS "/%.*s%s", (int)name.n, name.s, ending);
}

bool artifact_folder_has(const struct artifact_folder *f, const char *path) {
  return !gone(f->fd, path);
}

int artifact_folder_make(struct artifact_folder *f, const char *path, struct ck_err *err) {
  if (mkdirat(f->fd, path, FOLDER_MODE) && errno != EEXIST) return fail(err, path);
  int fd = open_below(f->fd, path, strlen(path));
  if (fd < 0) return fail(err, path);
  close(fd);
  return 0;
}

int artifact_folder_rename(struct artifact_folder *f, const char *path, const char *to,
                           struct ck_err *err) {
  struct where w;
  const char *name = strrchr(to, '/');
  if (open_where(f, path, &w)) return fail(err, path);
  name = name ? name + 1 : to;
  int rc = renameat2(w.fd, w.name, w.fd, name, RENAME_NOREPLACE);
  if (rc && errno == EINVAL) rc = renameat(w.fd, w.name, w.fd, name);
  int why = errno;
  close_where(f, &w);
  errno = why;
  return rc && why != ENOENT ? fail(err, to) : 0;
}

/* The folders on the way to path that are empty. The mark stays: without it the folder is gone. */
static void remove_empty(const struct artifact_folder *f, const char *path) {
  char dir[PATH_MAX];
  if (snprintf(dir, sizeof dir, "%s", path) >= (int)sizeof dir) return;
  for (char *slash; (slash = strrchr(dir, '/')) != NULL;) {
    *slash = '\0';
    if ((f->mark && strcmp(dir, f->mark) == 0) || unlinkat(f->fd, dir, AT_REMOVEDIR)) return;
  }
}

int artifact_folder_remove(struct artifact_folder *f, const char *path, struct ck_err *err) {
  const char *slash = strrchr(path, '/');
  struct where w = {slash ? open_below(f->fd, path, (size_t)(slash - path)) : f->fd,
                    slash ? slash + 1 : path};
  int rc = w.fd < 0 ? -1 : unlinkat(w.fd, w.name, 0);
  int why = rc ? errno : 0;
  if (w.fd >= 0) remove_empty(f, path);
  close_where(f, &w);
  errno = why;
  bool other = why == ENOENT || why == ENOTDIR || why == EISDIR || why == ELOOP;
  return rc && !other ? fail(err, path) : 0;
}

int artifact_folder_drop_spare(struct artifact_folder *f, struct ck_err *err) {
  f->spare = false;
  return unlinkat(f->fd, SPARE, 0) && errno != ENOENT ? fail(err, SPARE) : 0;
}

/* ---- the cursor ---- */

static int put_cursor(struct artifact_folder *f, const char *store_id, uint64_t version,
                      uint64_t written, struct ck_err *err) {
  struct ck_buf text = {0};
  artifact_cursor_text(&text, store_id, f->form, version, written);
  int rc = put(f, ARTIFACT_CURSOR, ck_buf_view(&text), true, err);
  int why = errno;
  ck_buf_free(&text);
  errno = why;
  if (rc == 0) f->cursor_saved = true;
  return rc;
}

int artifact_folder_save_cursor(struct artifact_folder *f, const char *store_id, uint64_t version,
                                struct ck_err *err) {
  if (syncfs(f->fd)) return fail(err, "syncfs");
  return put_cursor(f, store_id, version, 0, err);
}

int artifact_folder_note_written(struct artifact_folder *f, const char *store_id, uint64_t saved,
                                 uint64_t written, struct ck_err *err) {
  return put_cursor(f, store_id, saved, written, err);
}

int artifact_folder_drop_cursor(struct artifact_folder *f, struct ck_err *err) {
  if (unlinkat(f->fd, ARTIFACT_CURSOR, 0) && errno != ENOENT) return fail(err, ARTIFACT_CURSOR);
  f->cursor_saved = false;
  return 0;
}

/* ---- the folder ---- */

static int open_at_cursor(struct artifact_folder *f, const char *store_id, uint64_t *version,
                          uint64_t *written, struct ck_err *err) {
  struct stat st;
  if (fstat(f->fd, &st)) return fail(err, "");
  if (artifact_cursor_read(f->fd, store_id, f->form, version, written, err)) return -1;
  f->device = st.st_dev;
  f->inode = st.st_ino;
  /* The mark is there before the first cursor. If it is gone, the other files may be too: deleting
   * everything but the hidden files leaves the cursor. */
  if (f->mark && gone(f->fd, f->mark)) *version = *written = 0;
  if (*written < *version) *written = *version;
  f->cursor_saved = *written > 0;
  return f->cursor_saved ? 0 : artifact_folder_drop_cursor(f, err);
}

int artifact_folder_open(struct artifact_folder *f, const char *store_id, const char *form,
                         const char *mark, uint64_t *version, uint64_t *written,
                         struct ck_err *err) {
  *f = (struct artifact_folder){
      .fd = -1, .form = form, .mark = mark, .nameless = access("/proc/self/fd", X_OK) == 0};
  if (mkdir(ARTIFACT_FOLDER, FOLDER_MODE) && errno != EEXIST) return fail(err, "");
  f->fd = open(ARTIFACT_FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (f->fd < 0) return fail(err, "");
  if (artifact_folder_drop_spare(f, err) == 0 &&
      open_at_cursor(f, store_id, version, written, err) == 0)
    return 0;
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
  return !(f->cursor_saved && gone(f->fd, ARTIFACT_CURSOR)) &&
         !(f->mark && f->marked && gone(f->fd, f->mark));
}

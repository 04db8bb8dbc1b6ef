/* The backup task: copies the database while it is written to.
 *
 * The writer's connection copies the pages, a few between two commits, so that nothing keeps the
 * WAL from starting over (store/database/backup_copy.h). The copy is one file without a WAL. It is
 * written beside its place, checked, made durable, then renamed. The attachments that it lists are
 * copied before that (backup_attachments.c), so whoever has the copy has them too.
 */
#include "store/tasks/task_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/file.h"
#include "proto/sqlite_pages.h"
#include "proto/map.h"
#include "store/database/backup_copy.h"

struct backup {
  struct task *task;
  char *file, *folder, *temporary; /* temporary: the copy's name until it is complete */
  bool force;                      /* replace an existing file */
  sqlite3 *to;                     /* the copy … */
  int fd;                          /* … and its file */
  uint64_t head;                   /* the newest version in it */
  unsigned damaged;                /* pages of it that are not as they were written */
  struct backup_attachments attachments;
  int64_t bytes;
};

/* ---- the place ---- */

static bool same_file(const char *a, const char *b) {
  struct stat x, y;
  return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* Files of the ring itself are never replaced by a copy, not even with --force. */
static bool is_ours(const struct backup *b, const char *name) {
  return same_file(b->folder, ".") &&
         (strncmp(name, "artifact", 8) == 0 || strncmp(name, "mirror.db", 9) == 0 ||
          strcmp(name, "convkeep.conf") == 0);
}

static int find_place(struct backup *b, struct ck_err *err) {
  struct ck_str file;
  struct stat st;
  if (!task_option_text(b->task, "file", &file) || file.n == 0 || file.s[0] != '/' ||
      file.n >= PATH_MAX || memchr(file.s, 0, file.n))
    return ck_fail(err, "backup: the file must be an absolute path");
  if (strncmp(ck_set_text(b->task->context->settings, CK_SET_DOOR_SNAPSHOT), "ipc://", 6) != 0)
    return ck_fail(err, "this store answers other machines too (door.snapshot) "
                        "and writes no files for them: stop it, then make the backup");
  b->force = task_option_bool(b->task, "force");
  b->file = ck_str_dup(file);
  b->folder = ck_str_dup((struct ck_str){file.s, (size_t)(strrchr(b->file, '/') - b->file) + 1});
  const char *name = b->file + strlen(b->folder);
  if (*name == '\0' || stat(b->folder, &st))
    return ck_fail(err, "%s: %s", b->folder,
                   *name ? strerror(errno) : "this is a folder; name a file in it");
  if (is_ours(b, name))
    return ck_fail(err, "%s: this is the ring's own file; name another", b->file);
  if (stat(b->file, &st) == 0 && !S_ISREG(st.st_mode))
    return ck_fail(err, "%s: it exists and is no file", b->file);
  if (!b->force && access(b->file, F_OK) == 0)
    return ck_fail(err, "%s: it exists already; --force replaces it", b->file);
  b->temporary = ck_sprintf("%s.%s.tmp", b->folder, name);
  return 0;
}

void backup_remove(const char *file) {
  static const char *const endings[] = {"", "-journal", "-wal", "-shm"};
  for (size_t i = 0; file && i < sizeof endings / sizeof *endings; ++i) {
    char *path = ck_sprintf("%s%s", file, endings[i]);
    unlink(path);
    free(path);
  }
}

/* ---- the copy ---- */

static int open_copy(struct backup *b, struct ck_err *err) {
  backup_remove(b->temporary);
  b->fd = open(b->temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (b->fd < 0) return ck_fail(err, "%s: %s", b->temporary, strerror(errno));
  if (b->force && ck_take_place(b->fd, AT_FDCWD, b->file, err))
    return ck_fail_in(err, "%s", b->file);
  if (sqlite3_open_v2(b->temporary, &b->to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
                      ck_sqlite_pages_vfs()) != SQLITE_OK)
    return db_fail(b->to, b->temporary, err);
  sqlite3_extended_result_codes(b->to, 1);
  /* It is not read before it is renamed, and is made durable as a whole. */
  return db_exec(
      b->to, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -4096", err);
}

static bool ends(const void *task) { return task_cancelled(task); }

static int copy(struct backup *b, struct ck_err *err) {
  struct task *t = b->task;
  struct backup_request copy = {
      .to = b->to, .fd = b->fd, .ends = ends, .task = t, .done = &t->done, .total = &t->total};
  if (backup_copy_run(t->context->backup_copy, &copy, err)) return ck_fail_in(err, "%s", b->file);
  b->head = copy.head;
  return 0;
}

int backup_make(struct task *t, const char *file, sqlite3 **to, struct ck_err *err) {
  struct backup b = {.task = t, .fd = -1};
  b.file = b.temporary = ck_strdup(file);
  int rc = open_copy(&b, err) || copy(&b, err) ? -1 : 0;
  if (b.fd >= 0) close(b.fd);
  free(b.file);
  *to = b.to;
  return rc;
}

/* An unchecked backup may be useless. */
static int check_copy(struct backup *b, struct ck_err *err) {
  struct ck_sqlite_pages seen;
  sqlite3_progress_handler(b->to, 10000, task_cancelled_handler, b->task);
  sqlite3_db_release_memory(b->to); /* so that every page is read from the file */
  sqlite3_stmt *s = db_prepare(b->to, "PRAGMA quick_check(1)", err);
  if (!s) return -1;
  int rc = sqlite3_step(s), bad = 0;
  struct ck_str said = rc == SQLITE_ROW ? db_str(s, 0) : (struct ck_str){0};
  if (rc == SQLITE_INTERRUPT)
    bad = ck_fail(err, BACKUP_COPY_GIVEN_UP);
  else if (rc != SQLITE_ROW)
    bad = db_fail(b->to, b->file, err);
  else if (!ck_str_is(said, "ok"))
    bad = ck_fail(err,
                  "the database itself is damaged, so no copy was made "
                  "(convkeep doctor says more): %.*s",
                  said.n > 120 ? 120 : (int)said.n, said.s);
  sqlite3_finalize(s);
  sqlite3_progress_handler(b->to, 0, NULL, NULL);
  if (ck_sqlite_pages_seen(b->to, "main", &seen)) b->damaged = seen.count;
  return bad;
}

static int close_copy(struct backup *b, struct ck_err *err) {
  /* So that a file which is to be carried away has no WAL beside it. */
  int rc = db_exec(b->to, "PRAGMA journal_mode = DELETE", err);
  struct stat st;
  db_close(&b->to);
  if (rc == 0 && (fsync(b->fd) || fstat(b->fd, &st)))
    rc = ck_fail(err, "%s: %s", b->temporary, strerror(errno));
  if (rc == 0) b->bytes = st.st_size;
  return rc;
}

/* Without --force, never replaces a file that has appeared meanwhile. Not every file system can
 * rename without replacing; there, a small gap remains between the check and the rename. */
static int rename_to(const struct backup *b) {
  if (b->force) return rename(b->temporary, b->file);
  if (renameat2(AT_FDCWD, b->temporary, AT_FDCWD, b->file, RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return -1;
  if (access(b->file, F_OK) == 0) return errno = EEXIST, -1;
  return rename(b->temporary, b->file);
}

static int put_in_place(struct backup *b, struct ck_err *err) {
  if (rename_to(b)) return ck_fail(err, "%s: %s", b->file, strerror(errno));
  int fd = open(b->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int rc = fd < 0 || fsync(fd) ? ck_fail(err, "%s: %s", b->folder, strerror(errno)) : 0;
  if (fd >= 0) close(fd);
  return rc;
}

/* ---- the task ---- */

static void tell(const struct backup *b, int64_t ms) {
  struct ck_buf line = {0};
  struct ck_map m = ck_map_open(&line);
  ck_pair_text(&m, "file", b->file);
  ck_pair_int(&m, "bytes", b->bytes);
  ck_pair_uint(&m, "version", b->head);
  ck_pair_text(&m, "store_id", b->task->context->store_id);
  ck_pair_int(&m, "ms", ms);
  ck_pair_uint(&m, "attachments", b->attachments.copied);
  ck_pair_uint(&m, "attachments_bad", b->attachments.bad);
  ck_pair_text(&m, "first_bad", b->attachments.first.text);
  ck_pair_uint(&m, "damaged", b->damaged);
  ck_map_close(&m);
  task_line(b->task, ck_buf_view(&line));
  ck_buf_free(&line);
}

int task_backup(struct task *t, struct ck_err *err) {
  struct backup b = {.task = t, .fd = -1};
  int64_t began = ck_boot_ms();
  int rc = find_place(&b, err);
  if (rc == 0)
    rc = open_copy(&b, err) || copy(&b, err) || check_copy(&b, err) ||
                 backup_attachments(t, b.to, b.folder, &b.attachments, err) ||
                 close_copy(&b, err) || put_in_place(&b, err)
             ? -1
             : 0;
  db_close(&b.to);
  if (b.fd >= 0) close(b.fd);
  if (rc)
    backup_remove(b.temporary);
  else
    tell(&b, ck_boot_ms() - began);
  free(b.file);
  free(b.folder);
  free(b.temporary);
  return rc;
}

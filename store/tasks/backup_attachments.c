/* The attachments of a backup: in a folder beside it, which all backups in that place share. They
 * never change, so a second backup there copies only what is new. */
#include "store/tasks/task_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/attachment.h"

struct folders {
  int from, to;
};

static bool same_folder(const struct folders *f) {
  struct stat a, b;
  return fstat(f->from, &a) == 0 && fstat(f->to, &b) == 0 && a.st_dev == b.st_dev &&
         a.st_ino == b.st_ino;
}

static int open_folders(struct folders *f, const char *folder, struct ck_err *err) {
  int beside = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  f->from = ck_attachments_open(AT_FDCWD, true);
  if (f->from < 0) ck_fail(err, CK_PLACE_ATTACHMENTS ": %s", strerror(errno));
  if (beside >= 0) f->to = ck_attachments_open(beside, true);
  if (f->to < 0) ck_fail(err, "%s" CK_PLACE_ATTACHMENTS ": %s", folder, strerror(errno));
  if (beside >= 0) close(beside);
  return f->from < 0 || f->to < 0 ? -1 : 0;
}

static void close_folders(const struct folders *f) {
  if (f->from >= 0) close(f->from);
  if (f->to >= 0) close(f->to);
}

static bool ends(void *task) { return task_cancelled(task); }

static int copy_one(struct task *t, const struct folders *f, struct ck_str hash, uint64_t bytes,
                    struct backup_attachments *made, struct ck_err *err) {
  if (ck_attachment_there(f->to, hash, bytes)) return 0;
  enum ck_attachment_state state = ck_attachment_copy(f->from, f->to, hash, bytes, ends, t, err);
  if (state == CK_ATTACHMENT_UNREAD)
    return ck_fail_in(err, CK_PLACE_ATTACHMENTS ": %.*s", (int)hash.n, hash.s);
  made->copied += state == CK_ATTACHMENT_SOUND;
  if (state != CK_ATTACHMENT_SOUND && made->bad++ == 0)
    ck_fail(&made->first, "%.*s is %s", (int)hash.n, hash.s,
            state == CK_ATTACHMENT_MISSING ? "missing" : "damaged");
  return 0;
}

int backup_attachments(struct task *t, sqlite3 *copy, const char *folder,
                       struct backup_attachments *made, struct ck_err *err) {
  struct folders f = {-1, -1};
  sqlite3_stmt *s = db_prepare(copy, "SELECT hash, bytes FROM attachments", err);
  if (!s) return -1;
  int rc = sqlite3_step(s), bad = 0;
  if (rc == SQLITE_ROW) bad = open_folders(&f, folder, err);
  if (rc == SQLITE_ROW && bad == 0 && same_folder(&f)) rc = SQLITE_DONE;
  while (rc == SQLITE_ROW && bad == 0) {
    bad = copy_one(t, &f, db_str(s, 0), (uint64_t)sqlite3_column_int64(s, 1), made, err);
    if (bad == 0) rc = sqlite3_step(s);
  }
  if (bad == 0 && rc != SQLITE_DONE) bad = db_fail(copy, "attachments", err);
  sqlite3_finalize(s);
  close_folders(&f);
  return bad;
}

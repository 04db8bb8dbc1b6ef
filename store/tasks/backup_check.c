/* The task backup_check: is a backup as it was made, with the attachments beside it? Reads FILE
 * alone, and changes nothing there. */
#include "store/tasks/task_internal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/attachment.h"
#include "proto/map.h"
#include "proto/sqlite_pages.h"
#include "store/format/migrations.h"

struct checked {
  struct task *task;
  char *file;
  sqlite3 *db;
  bool sealed;
  unsigned damaged; /* pages that are not as they were written */
  uint64_t head, attachments, bad;
  struct ck_err why, first; /* what else is wrong; and with the first bad attachment */
};

/* As a URI that says that nobody writes to it: so no other file is made beside it. */
static char *uri_of(const char *file) {
  struct ck_buf uri = {0};
  ck_buf_text(&uri, "file:");
  for (; *file; ++file)
    if (strchr("?#%", *file))
      ck_buf_printf(&uri, "%%%02x", (unsigned char)*file);
    else
      ck_buf_add(&uri, file, 1);
  ck_buf_text(&uri, "?immutable=1");
  char *text = ck_strdup(ck_buf_cstr(&uri));
  ck_buf_free(&uri);
  return text;
}

static int open_file(struct checked *k, struct ck_err *err) {
  struct stat st;
  char *wal = ck_sprintf("%s-wal", k->file), *uri = uri_of(k->file);
  int rc = stat(wal, &st) == 0 && st.st_size > 0
               ? ck_fail(err, "part of it is in %s: `convkeep backup` makes one file", wal)
               : 0;
  if (rc == 0 && (stat(k->file, &st) || !S_ISREG(st.st_mode)))
    rc = ck_fail(err, "there is no such file");
  if (rc == 0 &&
      sqlite3_open_v2(uri, &k->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX,
                      ck_sqlite_pages_vfs()) != SQLITE_OK)
    rc = db_fail(k->db, "opening", err);
  if (rc == 0) db_harden(k->db);
  if (rc == 0) sqlite3_progress_handler(k->db, 10000, task_cancelled_handler, k->task);
  free(wal);
  free(uri);
  return rc;
}

/* What SQLite finds is a finding, not a failure. */
static void check_pages(struct checked *k) {
  struct ck_sqlite_pages seen;
  int format;
  sqlite3_stmt *s = db_prepare(k->db, "PRAGMA integrity_check(1)", &k->why);
  int rc = s ? sqlite3_step(s) : SQLITE_ERROR;
  struct ck_str said = rc == SQLITE_ROW ? db_str(s, 0) : (struct ck_str){0};
  if (s && rc != SQLITE_ROW)
    db_fail(k->db, "reading", &k->why);
  else if (s && !ck_str_is(said, "ok"))
    ck_fail(&k->why, "%.*s", said.n > 200 ? 200 : (int)said.n, said.s);
  sqlite3_finalize(s);
  k->sealed = ck_sqlite_pages_seen(k->db, "main", &seen) && seen.sealed;
  k->damaged = seen.count;
  if (!k->why.text[0] && db_format(k->db, store_migrations, &format, &k->why) == 0 && format == 0)
    ck_fail(&k->why, "it is not a database of convkeep's store");
  if (!k->why.text[0]) db_head(k->db, &k->head, &k->why);
}

static bool ends(void *task) { return task_cancelled(task); }

static void check_attachment(struct checked *k, int folder, struct ck_str hash, uint64_t bytes) {
  struct ck_err err = {{0}};
  enum ck_attachment_state state =
      folder < 0 ? CK_ATTACHMENT_MISSING
                 : ck_attachment_verify(folder, hash, bytes, ends, k->task, &err);
  ++k->attachments;
  if (state == CK_ATTACHMENT_SOUND || k->bad++) return;
  ck_fail(&k->first, "%.*s is %s", (int)hash.n, hash.s,
          state == CK_ATTACHMENT_MISSING   ? "missing"
          : state == CK_ATTACHMENT_DAMAGED ? "damaged"
                                           : err.text);
}

static int open_beside(const char *file) {
  char *folder = ck_str_dup((struct ck_str){file, (size_t)(strrchr(file, '/') - file) + 1});
  int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int fd = dir < 0 ? -1 : ck_attachments_open(dir, false);
  if (dir >= 0) close(dir);
  free(folder);
  return fd;
}

static void check_attachments(struct checked *k) {
  int rc, folder = open_beside(k->file);
  sqlite3_stmt *s =
      db_prepare(k->db, "SELECT DISTINCT hash, bytes FROM attachments ORDER BY hash", &k->why);
  while (s && (rc = sqlite3_step(s)) == SQLITE_ROW && !task_cancelled(k->task))
    check_attachment(k, folder, db_str(s, 0), (uint64_t)sqlite3_column_int64(s, 1));
  if (s && rc != SQLITE_DONE && rc != SQLITE_ROW) db_fail(k->db, "attachments", &k->why);
  sqlite3_finalize(s);
  if (folder >= 0) close(folder);
}

static void tell(const struct checked *k) {
  struct ck_buf line = {0};
  struct ck_map m = ck_map_open(&line);
  ck_pair_text(&m, "file", k->file);
  ck_pair_uint(&m, "version", k->head);
  ck_pair_bool(&m, "sealed", k->sealed);
  ck_pair_uint(&m, "damaged", k->damaged);
  ck_pair_text(&m, "wrong", ck_utf8_ok(ck_str_of(k->why.text)) ? k->why.text : "(not UTF-8)");
  ck_pair_uint(&m, "attachments", k->attachments);
  ck_pair_uint(&m, "attachments_bad", k->bad);
  ck_pair_text(&m, "first_bad", k->first.text);
  ck_map_close(&m);
  task_line(k->task, ck_buf_view(&line));
  ck_buf_free(&line);
}

int task_backup_check(struct task *t, struct ck_err *err) {
  struct checked k = {.task = t};
  struct ck_str file;
  if (!task_option_text(t, "file", &file) || file.n == 0 || file.s[0] != '/' ||
      memchr(file.s, 0, file.n))
    return ck_fail(err, "backup: the file must be an absolute path");
  if (strncmp(ck_set_text(t->context->settings, CK_SET_DOOR_SNAPSHOT), "ipc://", 6) != 0)
    return ck_fail(err, "this store answers other machines too (door.snapshot) "
                        "and reads no files for them");
  k.file = ck_str_dup(file);
  int rc = open_file(&k, err);
  if (rc == 0) check_pages(&k);
  if (rc == 0 && !k.why.text[0]) check_attachments(&k);
  db_close(&k.db);
  if (rc == 0 && task_cancelled(t)) rc = ck_fail(err, "it was cancelled");
  if (rc == 0) tell(&k);
  if (rc) ck_fail_in(err, "%s", k.file);
  free(k.file);
  return rc;
}

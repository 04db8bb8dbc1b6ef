/* See names.h: looking, then rescuing. */
#include "store/database/names.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/sqlite_pages.h"

#define WAL DB_FILE "-wal"
#define SHM DB_FILE "-shm"
#define DRAFT "." DB_FILE CK_PLACE_SAVED "tmp"

struct identity {
  dev_t device;
  ino_t inode;
};

struct names {
  char *folder; /* its path */
  struct identity of_folder, of_database, of_wal, of_shm;
};

static int identify(const char *name, struct identity *i, struct ck_err *err) {
  struct stat st;
  if (stat(name, &st)) return ck_fail(err, "%s: %s", name, strerror(errno));
  *i = (struct identity){st.st_dev, st.st_ino};
  return 0;
}

struct names *names_new(struct ck_err *err) {
  struct names *n = ck_zalloc(sizeof *n);
  n->folder = getcwd(NULL, 0);
  if (n->folder && identify(n->folder, &n->of_folder, err) == 0 &&
      identify(DB_FILE, &n->of_database, err) == 0 && identify(WAL, &n->of_wal, err) == 0 &&
      identify(SHM, &n->of_shm, err) == 0)
    return n;
  if (!n->folder) ck_fail(err, "the data folder: %s", strerror(errno));
  names_free(&n);
  return NULL;
}

void names_free(struct names **n) {
  if (!*n) return;
  free((*n)->folder);
  free(*n);
  *n = NULL;
}

/* ---- looking ---- */

/* Any other error than a missing name says nothing about what the name stands for. */
static bool lost(const char *name, const struct identity *i, struct ck_err *err) {
  struct stat st;
  if (stat(name, &st)) {
    if (errno != ENOENT && errno != ENOTDIR) return false;
    ck_fail(err, "%s was removed or renamed", name);
    return true;
  }
  if (st.st_dev == i->device && st.st_ino == i->inode) return false;
  ck_fail(err, "%s was replaced by another", name);
  return true;
}

enum names_lost names_look(const struct names *n, struct ck_err *err) {
  struct ck_err unused;
  bool folder = lost(n->folder, &n->of_folder, err);
  if (lost(DB_FILE, &n->of_database, folder ? &unused : err)) return NAMES_LOST_DATABASE;
  if (folder) return NAMES_LOST_FOLDER;
  return lost(WAL, &n->of_wal, err) || lost(SHM, &n->of_shm, err) ? NAMES_LOST_WAL : NAMES_KEPT;
}

/* ---- rescuing ---- */

/* A WAL of that name which is not this database's must not be found beside it. */
static int move_strange_wal(const struct names *n, struct ck_err *err) {
  char time[CK_PLACE_TIME_MAX];
  struct stat st;
  if (stat(WAL, &st) || (st.st_dev == n->of_wal.device && st.st_ino == n->of_wal.inode)) return 0;
  ck_place_time(time);
  char *to = ck_sprintf(DB_FILE CK_PLACE_BEFORE "%s-wal", time);
  int rc = rename(WAL, to) ? ck_fail(err, WAL ": %s", strerror(errno)) : 0;
  free(to);
  return rc;
}

static int copy_wal(const struct names *n, sqlite3 *db, struct ck_err *err) {
  if (move_strange_wal(n, err)) return -1;
  int rc = sqlite3_wal_checkpoint_v2(db, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
  return rc == SQLITE_OK ? 0 : db_fail(db, "checkpoint", err);
}

/* The folder to save in: the working directory, unless it was removed; then the path that it had.
 */
static int enter_folder(const struct names *n, struct ck_err *err) {
  struct stat st;
  if (stat(".", &st) == 0 && st.st_nlink > 0) return 0;
  if ((mkdir(n->folder, 0700) && errno != EEXIST) || chdir(n->folder))
    return ck_fail(err, "%s: %s", n->folder, strerror(errno));
  return 0;
}

static int copy_pages(sqlite3 *from, sqlite3 *to, struct ck_err *err) {
  if (db_exec(to, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF", err)) return -1;
  ck_sqlite_pages_guard_copy(to, from);
  sqlite3_backup *b = sqlite3_backup_init(to, "main", from, "main");
  if (!b) return db_fail(to, "backup", err);
  int rc = sqlite3_backup_step(b, -1);
  int finished = sqlite3_backup_finish(b);
  if (rc != SQLITE_DONE) return db_fail_code(rc, "backup", err);
  if (finished != SQLITE_OK) return db_fail_code(finished, "backup", err);
  /* In the copy's header, WAL mode would ask for a WAL beside it. */
  return db_exec(to, "PRAGMA journal_mode = DELETE", err);
}

static int sync_and_name(const char *copy, struct ck_err *err) {
  int fd = open(DRAFT, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), dir = -1;
  int rc = fd < 0 || fsync(fd) || renameat2(AT_FDCWD, DRAFT, AT_FDCWD, copy, RENAME_NOREPLACE)
               ? ck_fail(err, "%s: %s", copy, strerror(errno))
               : 0;
  if (rc == 0 && ((dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0 || fsync(dir)))
    rc = ck_fail(err, "the data folder: %s", strerror(errno));
  if (fd >= 0) close(fd);
  if (dir >= 0) close(dir);
  return rc;
}

static int save_copy(sqlite3 *db, char copy[96], struct ck_err *err) {
  char time[CK_PLACE_TIME_MAX];
  sqlite3 *to = NULL;
  unlink(DRAFT);
  int rc =
      sqlite3_open_v2(DRAFT, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                      ck_sqlite_pages_vfs()) == SQLITE_OK
          ? 0
          : db_fail(to, DRAFT, err);
  if (rc == 0) rc = copy_pages(db, to, err);
  db_close(&to);
  ck_place_time(time);
  snprintf(copy, 96, DB_FILE CK_PLACE_SAVED "%s", time);
  if (rc == 0) rc = sync_and_name(copy, err);
  if (rc) unlink(DRAFT);
  return rc;
}

int names_rescue(const struct names *n, enum names_lost lost, sqlite3 *db, char copy[96],
                 struct ck_err *err) {
  copy[0] = '\0';
  if (lost != NAMES_LOST_DATABASE) return copy_wal(n, db, err);
  return enter_folder(n, err) || save_copy(db, copy, err) ? -1 : 0;
}

/* See swap.h: renaming, then the order in which it is done. */
#include "store/format/swap.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/log.h"
#include "store/database/db.h"
#include "store/files/artifact_folder.h"
#include "store/format/witness.h"

#define TIME_LETTERS "0123456789TZ"

static int sync_folder(struct ck_err *err) {
  int fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int rc = fd < 0 || fsync(fd) ? ck_fail(err, "the data folder: %s", strerror(errno)) : 0;
  if (fd >= 0) close(fd);
  return rc;
}

static int move(const char *from, const char *to, struct ck_err *err) {
  return rename(from, to) == 0 || errno == ENOENT ? 0
                                                  : ck_fail(err, "%s: %s", from, strerror(errno));
}

/* Renames FILE-wal and FILE-shm to TO-wal and TO-shm. */
static int move_wal_aside(const char *file, const char *to, struct ck_err *err) {
  static const char *const endings[] = {"-wal", "-shm"};
  for (size_t i = 0; i < sizeof endings / sizeof *endings; ++i) {
    char *from = ck_sprintf("%s%s", file, endings[i]), *name = ck_sprintf("%s%s", to, endings[i]);
    int rc = move(from, name, err);
    free(from);
    free(name);
    if (rc) return -1;
  }
  return 0;
}

/* Gives the former database the name `to` as well: its own name stays with it until the new one
 * takes it over. Where a file cannot have two names, it is renamed. An empty file is only
 * the one that the lock made; it is not kept. */
static int keep_former(const char *to, struct ck_err *err) {
  struct stat st;
  if (stat(DB_FILE, &st) || st.st_size == 0 || link(DB_FILE, to) == 0) return 0;
  if (errno == EEXIST) return 0; /* by the start before a crash: nothing else has that time */
  return move(DB_FILE, to, err);
}

/* The name of a decided database that is still to be put in place; false: there is none. */
static bool find_decided(char name[96]) {
  DIR *dir = opendir(".");
  bool found = false;
  const size_t prefix = sizeof SWAP_DECIDED - 1;
  for (struct dirent *e; dir && !found && (e = readdir(dir));) {
    const char *time = e->d_name + prefix;
    found = strncmp(e->d_name, SWAP_DECIDED, prefix) == 0 && *time &&
            strspn(time, TIME_LETTERS) == strlen(time) && strlen(e->d_name) < 96;
    if (found) snprintf(name, 96, "%s", e->d_name);
  }
  if (dir) closedir(dir);
  return found;
}

/* The embedded mirror shows the former database, so it moves aside too. syncd fills a new one. */
static int move_mirror_aside(const struct ck_settings *s, const char *time, struct restored *r,
                             struct ck_err *err) {
  const char *file = ck_set_text(s, CK_SET_SYNC_SQLITE_FILE);
  if (!ck_settings_has_sink(s, "sqlite")) return 0;
  char *to = ck_sprintf("%s" CK_PLACE_BEFORE "%s", file, time);
  bool there = access(file, F_OK) == 0;
  int rc = move_wal_aside(file, to, err) || move(file, to, err) ? -1 : 0;
  if (rc == 0 && (there || access(to, F_OK) == 0))
    snprintf(r->mirror_before, sizeof r->mirror_before, "%s", to);
  free(to);
  return rc;
}

/* The readable files of a former store belong to no record of a new one. An empty folder is only
 * removed: the store makes it. A folder that cannot move (a file system is mounted there) stays. */
static void move_files_aside(const char *time) {
  if (access(CK_PLACE_NEW_STORE, F_OK) || rmdir(ARTIFACT_FOLDER) == 0 || errno == ENOENT) return;
  char *to = ck_sprintf(ARTIFACT_FOLDER CK_PLACE_BEFORE "%s", time);
  if (rename(ARTIFACT_FOLDER, to))
    ck_log(CK_WARN, ARTIFACT_FOLDER, "not_moved", "reason=%s", ck_quotedz(strerror(errno)));
  free(to);
}

/* The WAL first: the old one must never be beside the new database. After a crash in between, the
 * next start continues. */
static int exchange(const struct ck_settings *s, const char *decided, const char *to,
                    struct restored *r, struct ck_err *err) {
  const char *time = decided + sizeof SWAP_DECIDED - 1;
  if (move_wal_aside(DB_FILE, to, err) || keep_former(to, err) ||
      move_mirror_aside(s, time, r, err))
    return -1;
  move_files_aside(time);
  unlink(CK_PLACE_WITNESS);
  unlink(CK_PLACE_NEW_STORE);
  return sync_folder(err) || move(decided, DB_FILE, err) || sync_folder(err) ? -1 : 0;
}

static int complete(const struct ck_settings *s, struct ck_lock *lock, const char *decided,
                    struct restored *r, struct ck_err *err) {
  struct ck_lock next;
  if (ck_lock_file(&next, decided, err)) return ck_fail_in(err, "restore");
  char *to = ck_sprintf(DB_FILE CK_PLACE_BEFORE "%s", decided + sizeof SWAP_DECIDED - 1);
  int rc = exchange(s, decided, to, r, err);
  if (rc == 0) ck_lock_replace(lock, &next);
  ck_lock_end(&next);
  if (rc == 0 && access(to, F_OK) == 0) snprintf(r->before, sizeof r->before, "%s", to);
  free(to);
  if (rc) return ck_fail_in(err, "restore");
  r->state = RESTORED_DONE;
  ck_log(CK_WARN, DB_FILE, "restored", "version=%llu paused=%llu before=%s",
         (unsigned long long)r->version, (unsigned long long)r->paused,
         *r->before ? r->before : "-");
  return 0;
}

int swap_in(const struct ck_settings *s, struct ck_lock *lock, const char *file, struct restored *r,
            struct ck_err *err) {
  char time[CK_PLACE_TIME_MAX];
  ck_place_time(time);
  char *name = ck_sprintf(SWAP_DECIDED "%s", time);
  int rc = move(file, name, err) || sync_folder(err) || complete(s, lock, name, r, err) ? -1 : 0;
  free(name);
  return rc;
}

int swap_pending(const struct ck_settings *s, struct ck_lock *lock, struct restored *r,
                 struct ck_err *err) {
  char decided[96];
  return find_decided(decided) ? complete(s, lock, decided, r, err) : 0;
}

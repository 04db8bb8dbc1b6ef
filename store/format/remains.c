/* What a store has left in a folder whose database is missing (witness.h). */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/file.h"
#include "proto/lock.h"
#include "proto/spool_files.h"
#include "store/files/artifact_folder.h"
#include "store/format/migrations.h"
#include "store/format/witness.h"

#define HEADER_BYTES 100 /* of an SQLite file */
#define MARK_AT 68       /* its application_id, big-endian */
#define WAL_EMPTY 32     /* bytes of a WAL without a frame */
#define DEPTH_MAX 8      /* folders in the readable files */

static uint32_t big_endian(const unsigned char *p) {
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void add(struct remains *r, const char *name) {
  size_t n = strlen(r->what);
  if (n + strlen(name) + 8 < sizeof r->what)
    snprintf(r->what + n, sizeof r->what - n, "%s%s", n ? ", " : "", name);
}

static void knows(struct remains *r, uint64_t version) {
  if (version > r->version) r->version = version;
}

static bool starts(const char *name, const char *prefix) {
  return strncmp(name, prefix, strlen(prefix)) == 0;
}

static bool ends(const char *name, const char *suffix) {
  size_t n = strlen(name), m = strlen(suffix);
  return n > m && strcmp(name + n - m, suffix) == 0;
}

/* ---- is the database there? ---- */

static int open_to_read(const char *file, sqlite3 **db, struct ck_err *err) {
  if (ck_no_other_kind(AT_FDCWD, file, err)) return ck_fail_in(err, "%s", file);
  if (sqlite3_open_v2(file, db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
    return db_fail(*db, file, err);
  db_harden(*db);
  sqlite3_busy_timeout(*db, DB_BUSY_MS);
  sqlite3_db_config(*db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
  return 0;
}

/* The database's first page, without SQLite, which would delete the WAL of an empty file. */
static ssize_t read_header(unsigned char header[HEADER_BYTES]) {
  int fd = ck_open_file(AT_FDCWD, DB_FILE, O_RDONLY, NULL);
  if (fd < 0) return errno == ENOENT ? 0 : HEADER_BYTES + 1;
  ssize_t n = pread(fd, header, HEADER_BYTES, 0);
  close(fd);
  return n < 0 ? HEADER_BYTES + 1 : n;
}

/* False: the file is missing, empty, or an SQLite database without a table. Everything else is left
 * to the one who opens it. *none: it is missing or has no byte. */
static bool is_there(bool *none) {
  unsigned char header[HEADER_BYTES];
  ssize_t n = read_header(header);
  *none = n == 0;
  if (*none) return false;
  if (n != HEADER_BYTES || big_endian(header + MARK_AT) == DB_MARK) return true;
  /* The first step may still be in the WAL. */
  sqlite3 *db = NULL;
  struct ck_err err;
  int format = 0;
  bool there = open_to_read(DB_FILE, &db, &err) || db_format(db, store_migrations, &format, &err) ||
               format > 0;
  db_close(&db);
  return there;
}

/* ---- the witnesses ---- */

/* Only if the database has no byte: a first start that was ended may leave a page and a WAL. */
static void look_at_wal(struct remains *r) {
  unsigned char head[4];
  struct stat st;
  int fd = ck_open_file(AT_FDCWD, DB_FILE "-wal", O_RDONLY, NULL);
  if (fd < 0) return;
  bool frames = fstat(fd, &st) == 0 && st.st_size > WAL_EMPTY &&
                pread(fd, head, sizeof head, 0) == (ssize_t)sizeof head &&
                (big_endian(head) & ~1u) == 0x377f0682u;
  close(fd);
  if (frames) add(r, DB_FILE "-wal");
}

static void look_at_note(struct remains *r) {
  struct witness w;
  witness_read(&w);
  r->run = w.run;
  if (w.version == 0) return;
  add(r, CK_PLACE_WITNESS);
  knows(r, w.version);
}

/* True if the folder or one in it has a file other than the session index. */
static bool has_files(int dir, const char *name, int depth) {
  int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  DIR *d = fd < 0 ? NULL : fdopendir(fd);
  bool found = false;
  if (!d && fd >= 0) close(fd);
  for (struct dirent *e; d && !found && (e = readdir(d));) {
    struct stat st;
    if (e->d_name[0] == '.' || starts(e->d_name, "latest.")) continue;
    if (fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW)) continue;
    found = S_ISREG(st.st_mode) ||
            (S_ISDIR(st.st_mode) && depth < DEPTH_MAX && has_files(fd, e->d_name, depth + 1));
  }
  if (d) closedir(d);
  return found;
}

static void look_at_files(struct remains *r) {
  uint64_t version = artifact_folder_saved_cursor(ARTIFACT_FOLDER, NULL);
  knows(r, version);
  if (version || has_files(AT_FDCWD, ARTIFACT_FOLDER, 0)) add(r, ARTIFACT_FOLDER "/");
}

static void look_at_spool(struct remains *r) {
  char producer[CK_SPOOL_ID_MAX];
  int dir = open("spool", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (dir < 0) return;
  ck_spool_read_producer(dir, producer);
  if (ck_spool_read_number(dir, CK_SPOOL_RELEASED, producer)) add(r, "spool/" CK_SPOOL_RELEASED);
  close(dir);
}

/* Rows in an embedded mirror, and their highest version. -1: it cannot be read. */
static int read_mirror(const char *file, int64_t *rows, uint64_t *version) {
  sqlite3 *db = NULL;
  struct ck_err err;
  int rc = open_to_read(file, &db, &err);
  *rows = 0;
  for (int t = 0; t < CK_TABLES && rc == 0; ++t) {
    char *count = ck_sprintf("SELECT count(*) FROM %s", ck_tables[t].name),
         *most = ck_sprintf("SELECT max(version) FROM %s", ck_tables[t].name);
    int64_t n = 0, v = 0;
    rc = db_int(db, count, 0, &n, &err) || db_int(db, most, 0, &v, &err) ? -1 : 0;
    *rows += n;
    if (v > 0 && (uint64_t)v > *version) *version = (uint64_t)v;
    free(count);
    free(most);
  }
  db_close(&db);
  return rc;
}

/* A mirror that cannot be read was filled by somebody. */
static void look_at_mirror(struct remains *r, const char *file) {
  struct stat st;
  int64_t rows;
  if (stat(file, &st) || st.st_size == 0) return;
  char *lock = ck_place_mirror_lock(file);
  int fd = ck_turn_open(lock, false, NULL);
  free(lock);
  if (fd >= 0) ck_turn_wait(fd);
  if (read_mirror(file, &rows, &r->version) || rows) add(r, file);
  if (fd >= 0) close(fd);
}

static void look_at_copy(struct remains *r, const char *file) {
  sqlite3 *db = NULL;
  struct ck_err err;
  uint64_t head = 0;
  if (open_to_read(file, &db, &err) == 0 && db_head(db, &head, &err) == 0) {
    knows(r, head);
    if (strcmp(file + sizeof DB_FILE - 1, r->copy[0] ? r->copy + sizeof DB_FILE - 1 : "") > 0)
      snprintf(r->copy, sizeof r->copy, "%s", file);
  }
  db_close(&db);
  add(r, file);
}

/* What was moved out of the way of another store, or saved when this one ended. */
static void look_at_former(struct remains *r, const char *mirror) {
  char *mirrors = ck_sprintf("%s" CK_PLACE_BEFORE, mirror);
  DIR *dir = opendir(".");
  for (struct dirent *e; dir && (e = readdir(dir));) {
    const char *name = e->d_name;
    if (ends(name, "-wal") || ends(name, "-shm")) continue;
    if (starts(name, DB_FILE CK_PLACE_BEFORE) || starts(name, DB_FILE CK_PLACE_SAVED))
      look_at_copy(r, name);
    else if (starts(name, mirrors))
      look_at_mirror(r, name);
    else if (starts(name, ARTIFACT_FOLDER CK_PLACE_BEFORE))
      knows(r, artifact_folder_saved_cursor(name, NULL));
  }
  if (dir) closedir(dir);
  free(mirrors);
}

void witness_remains(const struct ck_settings *s, struct remains *r) {
  const char *mirror = ck_set_text(s, CK_SET_SYNC_SQLITE_FILE);
  bool none;
  *r = (struct remains){.there = is_there(&none)};
  if (r->there) return;
  if (none) look_at_wal(r);
  look_at_note(r);
  look_at_mirror(r, mirror);
  look_at_files(r);
  look_at_spool(r);
  look_at_former(r, mirror);
}

int witness_refuse(const struct ck_settings *s, struct ck_err *err) {
  struct remains r;
  witness_remains(s, &r);
  if (r.there || !r.what[0]) return 0;
  return ck_fail(err,
                 DB_FILE " is missing or empty, but a store was here: %s. Put " DB_FILE
                         " back or use `convkeep restore %s`; or begin a new store beside them"
                         " with `convkeep up --new-store`",
                 r.what, r.copy[0] ? r.copy : "FILE");
}

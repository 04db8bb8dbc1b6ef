/* doctor: has every record that should have its two readable files both of them? */
#include "store/doctor.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/clock.h"
#include "store/artifact_folder.h"
#include "store/static_path.h"

/* One read transaction: the WAL is not held up by the files. */
#define CHUNK "2000"

struct files {
  struct doctor *d;
  int folder;
  uint64_t upto; /* files stand for all versions up to here */
  uint64_t records, present, lying;
  unsigned missing;
  char first[STATIC_PATH_MAX + 8];
  struct ck_buf path;
};

/* Empty ones are what a disk leaves that lost them. */
static void look(struct files *f, struct ck_str path, const char *ending) {
  struct stat st;
  ck_buf_clear(&f->path);
  static_path_file(&f->path, path, ending);
  if (fstatat(f->folder, ck_buf_cstr(&f->path), &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) && st.st_size > 0) {
    ++f->present;
    return;
  }
  if (f->missing++) return;
  struct ck_str name = ck_utf8_cut(ck_buf_view(&f->path), sizeof f->first - 1);
  memcpy(f->first, name.s, name.n);
  f->first[name.n] = '\0';
}

/* The rows behind *after, some of them. 1: there may be more. */
static int look_at_some(struct files *f, enum ck_table t, sqlite3_stmt *s, int64_t *after, struct ck_err *err) {
  int rc, n = 0;
  sqlite3_bind_int64(s, 1, *after);
  sqlite3_bind_int64(s, 2, (sqlite3_int64)f->upto);
  int64_t began = ck_mono_us();
  while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
    *after = sqlite3_column_int64(s, 0);
    ++n;
    struct ck_str path = db_str(s, 1);
    ++f->records;
    if (static_path_ok(t, path)) {
      look(f, path, ".txt");
      look(f, path, ".json");
    }
    if (doctor_piece_over(began)) break;
  }
  int bad = rc == SQLITE_DONE || rc == SQLITE_ROW ? 0 : db_fail(f->d->db, ck_tables[t].name, err);
  sqlite3_reset(s);
  doctor_piece_rest(began);
  return bad ? -1 : n > 0 && !care_ends(f->d->task);
}

static int look_at_table(struct files *f, enum ck_table t, struct ck_err *err) {
  char *sql = ck_sprintf("SELECT version, static_path FROM %s WHERE version > ?1 AND version <= ?2 ORDER BY version LIMIT " CHUNK, ck_tables[t].name);
  sqlite3_stmt *s = db_prepare(f->d->db, sql, err);
  int64_t after = 0;
  int rc = s ? 1 : -1;
  while (rc > 0) rc = look_at_some(f, t, s, &after, err);
  sqlite3_finalize(s);
  free(sql);
  return rc;
}

/* How many .txt and .json lie below a folder. */
static uint64_t count_files(const struct files *f, int at, const char *name) {
  uint64_t n = 0;
  int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  DIR *dir = fd < 0 ? NULL : fdopendir(fd);
  if (!dir && fd >= 0) close(fd);
  for (struct dirent *e; dir && !care_ends(f->d->task) && (e = readdir(dir));) {
    const char *dot = strrchr(e->d_name, '.');
    if (e->d_name[0] == '.') continue;
    if (dot && (strcmp(dot, ".txt") == 0 || strcmp(dot, ".json") == 0))
      ++n;
    else
      n += count_files(f, fd, e->d_name);
  }
  if (dir) closedir(dir);
  return n;
}

static uint64_t count_all(const struct files *f) {
  struct stat st;
  uint64_t n = count_files(f, f->folder, "msg") + count_files(f, f->folder, "exec") + count_files(f, f->folder, "session");
  bool index[] = {fstatat(f->folder, ARTIFACT_INDEX_TEXT, &st, 0) == 0, fstatat(f->folder, ARTIFACT_INDEX_JSON, &st, 0) == 0};
  return n - index[0] - index[1];
}

static void say(struct files *f) {
  uint64_t head = atomic_load(&f->d->task->shared->head);
  if (f->missing)
    doctor_say(f->d, "artifacts", FOUND_WRONG, "convkeep rebuild artifacts", "%u files of %llu records are missing or empty, the first: artifacts/%s",
               f->missing, (unsigned long long)f->records, f->first);
  else if (f->upto < head)
    doctor_say(f->d, "artifacts", FOUND_NOTE, "they are being made; convkeep status shows how far they are",
               "%llu records have their files, up to version %llu of %llu", (unsigned long long)f->records, (unsigned long long)f->upto,
               (unsigned long long)head);
  else
    doctor_say(f->d, "artifacts", FOUND_OK, "", "%llu records have their files", (unsigned long long)f->records);
  if (f->lying > f->present)
    doctor_say(f->d, "artifacts", FOUND_NOTE,
               "of a former database, or put there by hand; whoever does not want them deletes them, or the folder, which comes again",
               "%llu files belong to no record", (unsigned long long)(f->lying - f->present));
}

/* Records never go, and keep their path: what lay there before the records are read belongs to one of them, or to none. */
int doctor_artifacts(struct doctor *d, struct ck_err *err) {
  static const enum ck_table tables[] = {CK_MESSAGES, CK_EXECUTIONS, CK_SESSIONS};
  struct files f = {.d = d, .upto = atomic_load(&d->task->shared->artifacts_cursor)};
  f.folder = open(ARTIFACT_FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (f.folder < 0) return ck_fail(err, ARTIFACT_FOLDER ": %s", strerror(errno));
  int rc = 0;
  if (f.upto >= atomic_load(&d->task->shared->head)) f.lying = count_all(&f);
  for (size_t i = 0; i < sizeof tables / sizeof *tables && rc == 0; ++i) rc = look_at_table(&f, tables[i], err);
  close(f.folder);
  ck_buf_free(&f.path);
  if (rc == 0) say(&f);
  return rc;
}

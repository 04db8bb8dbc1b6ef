/* doctor's check `artifacts` of the form `records`: does every record have its two readable files,
 * and do they say what the row says? SQLite's pages have no checksums, so a bit that a disk
 * has flipped in a text goes unnoticed there; the database and the .json are two copies of it,
 * written at different times to different places. */
#include "store/tasks/doctor_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/file.h"
#include "store/files/artifact_folder.h"
#include "store/files/artifact_text.h"
#include "store/files/static_path.h"
#include "store/tasks/doctor_texts.h"

/* Records read in one transaction at most, so that the slow files do not hold up the WAL. */
#define CHUNK 2000

/* Of files, with the name of the first. */
struct count {
  unsigned n;
  char first[STATIC_PATH_MAX + 8];
};

/* A file says something else, perhaps because the record has changed since it was read. */
struct doubt {
  int64_t version;
  bool json;
};

struct files {
  struct doctor *d;
  int folder;
  uint64_t upto;    /* all records up to this version have their files */
  uint64_t records; /* examined */
  uint64_t present; /* files of these records */
  uint64_t all;     /* files in the folder; 0: not counted */
  struct doctor_texts *texts;
  struct count missing, different; /* different: the .json */
  struct count changed, older;     /* the .txt; older: of a session, whose messages may have changed
                                      since */
  struct ck_buf path, expected, found;
  struct doubt doubts[2 * CHUNK];
  int doubt_count;
};

static const char *file_of(struct files *f, struct ck_str path, const char *ending) {
  ck_buf_clear(&f->path);
  static_path_file(&f->path, path, ending);
  return ck_buf_cstr(&f->path);
}

/* Counts the file at f->path. */
static void count_one(struct files *f, struct count *count) {
  if (count->n++) return;
  struct ck_str name = ck_utf8_cut(ck_buf_view(&f->path), STATIC_PATH_MAX + 7);
  memcpy(count->first, name.s, name.n);
  count->first[name.n] = '\0';
}

/* Reads the file's first bytes, at most `most`, into f->found. false: there are none. */
static bool read_some(struct files *f, struct ck_str path, const char *ending, size_t most) {
  int rc = ck_read_file(f->folder, file_of(f, path, ending), O_NOFOLLOW, most, &f->found, NULL);
  return (rc == 0 || errno == EFBIG) && f->found.len > 0;
}

/* Compares it with f->expected. An empty file counts as missing: a disk that lost the contents
 * leaves one. */
static void check_file(struct files *f, int64_t version, struct ck_str path, bool json) {
  if (!read_some(f, path, json ? ".json" : ".txt", f->expected.len + 1)) {
    count_one(f, &f->missing);
    return;
  }
  ++f->present;
  if (!ck_str_eq(ck_buf_view(&f->found), ck_buf_view(&f->expected)))
    f->doubts[f->doubt_count++] = (struct doubt){version, json};
}

static int check_files(struct files *f, int64_t version, const struct ck_row *row,
                       struct ck_str path, struct ck_err *err) {
  if (doctor_texts_make(f->texts, row, &f->expected, err)) return -1;
  check_file(f, version, path, false);
  ck_buf_clear(&f->expected);
  artifact_json(&f->expected, row);
  check_file(f, version, path, true);
  return 0;
}

/* A doubt is a finding if the record still has the version that was read: then the file cannot be
 * newer. */
static int settle_doubts(struct files *f, enum ck_table t, struct ck_err *err) {
  if (f->doubt_count == 0) return 0;
  char *sql = ck_sprintf("SELECT static_path FROM %s WHERE version = ?1", ck_tables[t].name);
  sqlite3_stmt *s = db_prepare(f->d->db, sql, err);
  int rc = s ? SQLITE_DONE : SQLITE_ERROR;
  for (int i = 0; i < f->doubt_count && (rc == SQLITE_DONE || rc == SQLITE_ROW); ++i) {
    const struct doubt *doubt = &f->doubts[i];
    sqlite3_bind_int64(s, 1, doubt->version);
    rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
      file_of(f, db_str(s, 0), doubt->json ? ".json" : ".txt");
      count_one(f, doubt->json ? &f->different : t == CK_SESSIONS ? &f->older : &f->changed);
    }
    sqlite3_reset(s);
  }
  int bad = !s                                      ? -1
            : rc == SQLITE_DONE || rc == SQLITE_ROW ? 0
                                                    : db_fail(f->d->db, ck_tables[t].name, err);
  sqlite3_finalize(s);
  free(sql);
  f->doubt_count = 0;
  return bad;
}

/* Checks some of the rows above version *after, which moves on. 1: there may be more. */
static int check_some(struct files *f, enum ck_table t, sqlite3_stmt *s, int64_t *after,
                      struct ck_err *err) {
  int rc, n = 0, bad = 0;
  sqlite3_bind_int64(s, 1, *after);
  sqlite3_bind_int64(s, 2, (sqlite3_int64)f->upto);
  int64_t began = ck_mono_us();
  while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
    *after = sqlite3_column_int64(s, 0);
    ++n;
    struct ck_row row;
    db_row(s, 1, t, &row);
    struct ck_str path = db_str(s, 1 + ck_tables[t].columns);
    ++f->records;
    if (static_path_ok(t, path, ck_row_key(&row))) bad = check_files(f, *after, &row, path, err);
    if (bad || doctor_piece_over(began)) break;
  }
  if (rc != SQLITE_DONE && rc != SQLITE_ROW) bad = db_fail(f->d->db, ck_tables[t].name, err);
  sqlite3_reset(s);
  if (!bad) bad = settle_doubts(f, t, err);
  doctor_piece_rest(began);
  return bad ? -1 : n > 0 && !task_cancelled(f->d->task);
}

static int check_table(struct files *f, enum ck_table t, struct ck_err *err) {
  struct ck_buf sql = {0};
  ck_buf_text(&sql, "SELECT version, ");
  db_columns(&sql, t, "");
  ck_buf_printf(&sql,
                ", static_path FROM %s"
                " WHERE version > ?1 AND +version > ?1 AND version <= ?2 ORDER BY version LIMIT %d",
                ck_tables[t].name, CHUNK);
  sqlite3_stmt *s = db_prepare(f->d->db, ck_buf_cstr(&sql), err);
  ck_buf_free(&sql);
  int64_t after = 0;
  int rc = s ? 1 : -1;
  while (rc > 0) rc = check_some(f, t, s, &after, err);
  sqlite3_finalize(s);
  return rc;
}

/* How many files there are below a folder, whose names end so. */
uint64_t doctor_count_files(const struct doctor *d, int at, const char *name,
                            const char *const endings[2]) {
  uint64_t n = 0;
  int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  DIR *dir = fd < 0 ? NULL : fdopendir(fd);
  if (!dir && fd >= 0) close(fd);
  for (struct dirent *e; dir && !task_cancelled(d->task) && (e = readdir(dir));) {
    const char *dot = strrchr(e->d_name, '.');
    if (e->d_name[0] == '.') continue;
    if (dot && (strcmp(dot, endings[0]) == 0 || strcmp(dot, endings[1]) == 0))
      ++n;
    else
      n += doctor_count_files(d, fd, e->d_name, endings);
  }
  if (dir) closedir(dir);
  return n;
}

/* All of them, but for the session index. */
static uint64_t count_all(const struct files *f) {
  struct stat st;
  static const char *const endings[2] = {".txt", ".json"}, *const folders[] = {"msg", "exec",
                                                                               "session"};
  uint64_t n = 0;
  for (int i = 0; i < 3; ++i) n += doctor_count_files(f->d, f->folder, folders[i], endings);
  bool index[] = {fstatat(f->folder, ARTIFACT_INDEX_TEXT, &st, 0) == 0,
                  fstatat(f->folder, ARTIFACT_INDEX_JSON, &st, 0) == 0};
  return n - index[0] - index[1];
}

static void say_changed(struct files *f) {
  if (f->changed.n)
    doctor_say(f->d, "artifacts", CK_FOUND_WRONG, DOCTOR_CHANGED_ADVICE,
               "%u .txt %s not as written, the first: artifacts/%s", f->changed.n,
               ck_noun(f->changed.n, "file is", "files are"), f->changed.first);
  if (f->older.n)
    doctor_say(f->d, "artifacts", CK_FOUND_NOTE,
               "a message of it has changed since, or the file has; convkeep rebuild artifacts",
               "%u .txt of sessions %s not what it would be now, the first: artifacts/%s",
               f->older.n, f->older.n == 1 ? "is" : "are", f->older.first);
}

static void say(struct files *f) {
  uint64_t head = atomic_load(&f->d->task->context->head);
  if (f->missing.n)
    doctor_say(f->d, "artifacts", CK_FOUND_WRONG, "convkeep rebuild artifacts",
               "%u %s missing or empty (of %llu %s), the first: artifacts/%s", f->missing.n,
               ck_noun(f->missing.n, "file is", "files are"), (unsigned long long)f->records,
               ck_noun(f->records, "record", "records"), f->missing.first);
  else if (f->different.n + f->changed.n == 0 && f->upto < head)
    doctor_say(f->d, "artifacts", CK_FOUND_NOTE,
               "they are being made; convkeep status shows their progress",
               "%llu %s files, up to version %llu of %llu", (unsigned long long)f->records,
               ck_noun(f->records, "record has its", "records have their"),
               (unsigned long long)f->upto, (unsigned long long)head);
  else if (f->different.n + f->changed.n == 0)
    doctor_say(f->d, "artifacts", CK_FOUND_OK, "", "%llu %s files", (unsigned long long)f->records,
               ck_noun(f->records, "record has its", "records have their"));
  if (f->different.n) {
    f->d->differs = true;
    doctor_say(f->d, "artifacts", CK_FOUND_WRONG, DOCTOR_DIFFERENT_ADVICE,
               "%u %s .json says, the first: artifacts/%s", f->different.n,
               ck_noun(f->different.n, "record is not what its", "records are not what their"),
               f->different.first);
  }
  say_changed(f);
  if (f->all > f->present)
    doctor_say(f->d, "artifacts", CK_FOUND_NOTE, DOCTOR_FOREIGN_ADVICE, "%llu %s to no record",
               (unsigned long long)(f->all - f->present),
               ck_noun(f->all - f->present, "file belongs", "files belong"));
}

/* If all records have their files. */
static int check_index(struct files *f, struct ck_err *err) {
  const char *wrong;
  if (f->upto < atomic_load(&f->d->task->context->head)) return 0;
  if (doctor_texts_index(f->texts, f->d->task, f->folder, &wrong, err)) return -1;
  if (wrong)
    doctor_say(f->d, "artifacts", CK_FOUND_WRONG, DOCTOR_CHANGED_ADVICE,
               "artifacts/%s does not say what the sessions say", wrong);
  return 0;
}

/* Files are counted before the records are read. Records are never deleted and keep their paths, so
 * every file counted belongs to one of the records read, or to none. */
static int check_records(struct doctor *d, struct ck_err *err) {
  static const enum ck_table tables[] = {CK_MESSAGES, CK_EXECUTIONS, CK_SESSIONS};
  struct files f = {.d = d, .upto = atomic_load(&d->task->context->artifacts_cursor)};
  f.folder = open(ARTIFACT_FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (f.folder < 0) return ck_fail(err, ARTIFACT_FOLDER ": %s", strerror(errno));
  f.texts = doctor_texts_new(d->db, err);
  int rc = f.texts ? 0 : -1;
  if (f.upto >= atomic_load(&d->task->context->head)) f.all = count_all(&f);
  for (size_t i = 0; i < sizeof tables / sizeof *tables && rc == 0; ++i)
    rc = check_table(&f, tables[i], err);
  if (rc == 0) rc = check_index(&f, err);
  doctor_texts_free(&f.texts);
  close(f.folder);
  ck_buf_free(&f.path);
  ck_buf_free(&f.expected);
  ck_buf_free(&f.found);
  if (rc == 0) say(&f);
  return rc;
}

int doctor_artifacts(struct doctor *d, struct ck_err *err) {
  const char *form = ck_set_text(d->task->context->settings, CK_SET_ARTIFACTS_FORM);
  if (strcmp(form, "records") == 0) return check_records(d, err);
  if (strcmp(form, "conversations") == 0) return doctor_conversations(d, err);
  doctor_say(d, "artifacts", CK_FOUND_OK, "", "none are made (artifacts.form is none)");
  return 0;
}

/* See export_out.h. */
#include "cli/reading/export_out.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cli/reading/export_zip.h"
#include "proto/file.h"
#include "proto/words.h"

#define WRITE_AT (64u << 10) /* bytes that are gathered before they are written */

struct export_out {
  enum export_place place;
  int dir;           /* the caller's */
  char *path, *part; /* its name, and the one that it has until it is finished */
  bool force;
  bool made; /* part is there */
  int fd;    /* of the file or zip; in a folder of the document; -1: none */
  int folder;
  struct export_zip *zip;
  json_t *names; /* of the documents, to the name that each has on the disk */
};

static int failed(struct ck_err *err) { return ck_fail(err, "%s", strerror(errno)); }

/* ---- beginning ---- */

static bool is_empty(const struct export_out *o) {
  int fd = openat(o->dir, o->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *folder = fd < 0 ? NULL : fdopendir(fd);
  bool empty = folder != NULL;
  const struct dirent *e;
  if (!folder) return false;
  while (empty && (e = readdir(folder)) != NULL)
    empty = strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0;
  closedir(folder);
  return empty;
}

#define NOT_EMPTY "the folder exists and is not empty: name another"

/* Nothing of that name, or what may be replaced. */
static int check_name(struct export_out *o, struct ck_err *err) {
  struct stat st;
  if (fstatat(o->dir, o->path, &st, AT_SYMLINK_NOFOLLOW)) return errno == ENOENT ? 0 : failed(err);
  if (o->place == EXPORT_FOLDER && !S_ISDIR(st.st_mode))
    return ck_fail(err, "it is a file: name a folder");
  if (o->place == EXPORT_FOLDER) return is_empty(o) ? 0 : ck_fail(err, NOT_EMPTY);
  if (S_ISDIR(st.st_mode))
    return ck_fail(err, "it is a folder: name a file, or a folder with a / at the end");
  if (!S_ISREG(st.st_mode)) return ck_fail(err, "it exists, and is no regular file");
  return o->force ? 0 : ck_fail(err, "it exists: name another, or replace it with --force");
}

static int make_part(struct export_out *o, struct ck_err *err) {
  if (o->place == EXPORT_FOLDER) {
    if (mkdirat(o->dir, o->part, 0777)) return failed(err);
    o->made = true;
    o->folder = openat(o->dir, o->part, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return o->folder < 0 ? failed(err) : 0;
  }
  o->fd = openat(o->dir, o->part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (o->fd < 0) return failed(err);
  o->made = true;
  if (o->force && ck_take_place(o->fd, o->dir, o->path, err)) return -1;
  if (o->place != EXPORT_ZIP) return 0;
  o->zip = export_zip_new(o->fd, err);
  return o->zip ? 0 : -1;
}

struct export_out *export_out_new(enum export_place place, int dir, const char *path, bool force,
                                  struct ck_err *err) {
  struct export_out *o = ck_zalloc(sizeof *o);
  *o = (struct export_out){.place = place, .dir = dir, .force = force, .fd = -1, .folder = -1};
  o->names = json_object();
  if (place == EXPORT_STDOUT) {
    o->fd = STDOUT_FILENO;
    return o;
  }
  char id[33];
  size_t n = strlen(path);
  while (n > 1 && path[n - 1] == '/') --n;
  ck_random_id(id);
  o->path = ck_str_dup((struct ck_str){path, n});
  o->part = ck_sprintf("%s.%.8s.part", o->path, id);
  if (check_name(o, err) || make_part(o, err)) export_out_free(&o);
  return o;
}

static void remove_part(struct export_out *o) {
  const char *key;
  json_t *name;
  if (o->folder >= 0)
    json_object_foreach(o->names, key, name) unlinkat(o->folder, json_string_value(name), 0);
  unlinkat(o->dir, o->part, o->place == EXPORT_FOLDER ? AT_REMOVEDIR : 0);
}

void export_out_free(struct export_out **out) {
  struct export_out *o = *out;
  if (!o) return;
  export_zip_free(&o->zip);
  if (o->fd >= 0 && o->place != EXPORT_STDOUT) close(o->fd);
  if (o->made) remove_part(o);
  if (o->folder >= 0) close(o->folder);
  json_decref(o->names);
  free(o->path);
  free(o->part);
  free(o);
  *out = NULL;
}

/* ---- documents ---- */

static char *unique_name(struct export_out *o, const char *name, const char *ending) {
  for (unsigned i = 1;; ++i) {
    struct ck_buf folded = {0};
    char *whole =
        i == 1 ? ck_sprintf("%s.%s", name, ending) : ck_sprintf("%s (%u).%s", name, i, ending);
    ck_buf_lower(&folded, ck_str_of(whole));
    bool taken = json_object_get(o->names, ck_buf_cstr(&folded)) != NULL;
    if (!taken) json_object_set_new(o->names, ck_buf_cstr(&folded), json_string(whole));
    ck_buf_free(&folded);
    if (!taken) return whole;
    free(whole);
  }
}

int export_out_begin(struct export_out *o, const char *name, const char *ending, int64_t at,
                     struct ck_err *err) {
  int rc = 0;
  if (o->place != EXPORT_FOLDER && o->place != EXPORT_ZIP) return 0;
  char *whole = unique_name(o, name, ending);
  if (o->place == EXPORT_ZIP) {
    rc = export_zip_begin(o->zip, whole, at, err);
  } else {
    o->fd = openat(o->folder, whole, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (o->fd < 0) rc = failed(err);
  }
  free(whole);
  return rc;
}

int export_out_write(struct export_out *o, struct ck_str bytes, struct ck_err *err) {
  if (o->place == EXPORT_ZIP) return export_zip_write(o->zip, bytes, err);
  return ck_write_all(o->fd, bytes) ? failed(err) : 0;
}

bool export_text_write(struct export_text *t, bool all) {
  if (!all && t->text.len < WRITE_AT) return true;
  t->failed |= export_out_write(t->out, ck_buf_view(&t->text), t->err) != 0;
  ck_buf_clear(&t->text);
  return !t->failed;
}

/* Some disks say only now that they are full. */
static int close_file(struct export_out *o, struct ck_err *err) {
  int fd = o->fd;
  o->fd = -1;
  return close(fd) ? failed(err) : 0;
}

int export_out_end(struct export_out *o, struct ck_err *err) {
  return o->place == EXPORT_FOLDER ? close_file(o, err) : 0;
}

/* ---- the end ---- */

static int give_name(struct export_out *o, struct ck_err *err) {
  bool replaces = o->force || o->place == EXPORT_FOLDER;
  int rc = renameat2(o->dir, o->part, o->dir, o->path, replaces ? 0 : RENAME_NOREPLACE);
  if (rc && errno == EINVAL && !replaces) rc = renameat(o->dir, o->part, o->dir, o->path);
  if (rc && (errno == ENOTEMPTY || errno == EEXIST))
    return ck_fail(err, o->place == EXPORT_FOLDER
                            ? NOT_EMPTY
                            : "it exists: name another, or replace it with --force");
  if (rc) return failed(err);
  o->made = false;
  return 0;
}

int export_out_finish(struct export_out *o, struct ck_err *err) {
  if (o->place == EXPORT_STDOUT) return 0;
  if (o->zip && export_zip_close(o->zip, err)) return -1;
  if (o->fd >= 0 && close_file(o, err)) return -1;
  return give_name(o, err);
}

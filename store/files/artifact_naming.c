/* See artifact_naming.h. */
#include "store/files/artifact_naming.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/file.h"
#include "store/files/conversation.h"
#include "store/files/names.h"
#include "store/keys/keys.h"

#define HEAD_BYTES 4096 /* in which a file says whose it is */
#define ID_IN_JSON "\n\"conversation\":{\"local_conversation_id\":"
#define NUMBERS 9 /* of conversations with the same day and title … */
#define NAMES 24  /* … and the rest of the names that are tried */

int artifact_naming_trouble(struct artifacts *a, const struct ck_err *err) {
  if (names_damaged(a->names)) atomic_store(&a->context->artifacts_again, true);
  a->names_lost = true;
  return artifacts_trouble(a, SQL_TROUBLE, CK_LIT(NAMES_FILE), err);
}

/* ---- a name ---- */

static void path_of(struct artifacts *a, struct ck_str name, int ending) {
  artifact_conversation_path(&a->path, name, artifact_conversation_endings[ending]);
}

/* Reads the beginning of the file at a->path, which says whose it is. */
static bool read_head(struct artifacts *a, struct ck_buf *head) {
  return ck_read_file(a->folder.fd, ck_buf_cstr(&a->path), O_NOFOLLOW, HEAD_BYTES, head, NULL) ==
             0 ||
         errno == EFBIG;
}

static bool says_id(struct artifacts *a, struct ck_str id, int ending) {
  struct ck_buf head = {0}, line = {0};
  ck_buf_text(&line, ending ? ID_IN_JSON : "\nid: ");
  ck_buf_json_str(&line, id);
  bool says = read_head(a, &head) && memmem(head.data, head.len, line.data, line.len);
  ck_buf_free(&head);
  ck_buf_free(&line);
  return says;
}

/* 1: the files of this name are the conversation's, or would be. */
static int is_free(struct artifacts *a, struct ck_str id, struct ck_str name) {
  struct ck_err err;
  int taken = names_taken(a->names, id, name, &err);
  if (taken) return taken < 0 ? artifact_naming_trouble(a, &err) : 0;
  for (int i = 0; i < 2; ++i) {
    path_of(a, name, i);
    if (artifact_folder_has(&a->folder, ck_buf_cstr(&a->path)) && !says_id(a, id, i)) return 0;
  }
  return 1;
}

/* "name", "name (2)" …, and after some a part of the id's hash. */
static void number_name(struct ck_buf *name, size_t bytes, struct ck_str id, int n) {
  char hash[33];
  name->len = bytes;
  ck_hash_id(hash, &id, 1);
  if (n > NUMBERS)
    ck_buf_printf(name, " (%.*s)", 8 + n - NUMBERS, hash);
  else if (n > 1)
    ck_buf_printf(name, " (%d)", n);
}

/* Whether `has` is one of the names that `wanted` leads to, which stays as it is. */
static bool is_numbered(struct ck_str has, struct ck_str id, struct ck_buf *wanted) {
  size_t bytes = wanted->len;
  bool is = false;
  for (int n = 1; !is && n <= NAMES; ++n) {
    number_name(wanted, bytes, id, n);
    is = ck_str_eq(has, ck_buf_view(wanted));
  }
  wanted->len = bytes;
  return is;
}

/* Turns `name` into one that nobody else has. */
static int choose(struct artifacts *a, struct ck_str id, struct ck_buf *name) {
  size_t bytes = name->len;
  int rc = 0;
  for (int n = 1; rc == 0 && n <= NAMES; ++n) {
    number_name(name, bytes, id, n);
    rc = is_free(a, id, ck_buf_view(name));
  }
  struct ck_err err;
  if (rc == 0) ck_fail(&err, "%s: no name is free", ck_buf_cstr(name));
  if (rc == 0) return artifacts_trouble(a, EEXIST, id, &err);
  return rc < 0 ? -1 : 0;
}

/* Its files get the new name, too; the JSON first, by which they are found if that is not recorded.
 */
static int rename_files(struct artifacts *a, struct ck_str id, struct ck_str from,
                        struct ck_str to) {
  struct ck_err err;
  for (int i = 2; i-- > 0;) {
    path_of(a, from, i);
    char *old = ck_str_dup(ck_buf_view(&a->path));
    path_of(a, to, i);
    bool there = artifact_folder_has(&a->folder, ck_buf_cstr(&a->path));
    int rc = there ? artifact_folder_remove(&a->folder, old, &err)
                   : artifact_folder_rename(&a->folder, old, ck_buf_cstr(&a->path), &err);
    if (rc) artifacts_put_failed(a, id, &err);
    free(old);
    if (rc) return -1;
  }
  return 0;
}

int artifact_naming_find(struct artifacts *a, struct ck_str id, struct ck_buf *name) {
  struct ck_err err;
  struct ck_buf has = {0};
  int rc = names_find(a->names, id, &has, &err);
  if (rc < 0) artifact_naming_trouble(a, &err);
  ck_buf_clear(name);
  conversation_name(a->conversation, name);
  if (rc > 0 && is_numbered(ck_buf_view(&has), id, name)) {
    ck_buf_clear(name);
    ck_buf_str(name, ck_buf_view(&has));
  } else if (rc >= 0) {
    bool renamed = rc > 0;
    rc = choose(a, id, name);
    if (rc == 0 && renamed) rc = rename_files(a, id, ck_buf_view(&has), ck_buf_view(name));
    if (rc == 0 && (names_set(a->names, id, ck_buf_view(name), &err) ||
                    (renamed && names_commit(a->names, &err))))
      rc = artifact_naming_trouble(a, &err);
  }
  ck_buf_free(&has);
  return rc < 0 ? -1 : 0;
}

/* ---- files whose names were not recorded ---- */

/* The id that the JSON of this name begins with, a string that the caller frees; NULL: none. */
static json_t *id_of(struct artifacts *a, struct ck_str name) {
  static const char begin[] = ID_IN_JSON;
  struct ck_buf head = {0};
  path_of(a, name, 1);
  const char *at =
      read_head(a, &head) ? memmem(head.data, head.len, begin, sizeof begin - 1) : NULL;
  json_t *id = NULL;
  if (at) {
    at += sizeof begin - 1;
    id = json_loadb(at, head.len - (size_t)(at - head.data),
                    JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK | JSON_ALLOW_NUL, NULL);
  }
  ck_buf_free(&head);
  if (!json_is_string(id)) json_decref(id), id = NULL;
  return id;
}

/* 1: the store has this conversation. */
static int is_known(struct artifacts *a, sqlite3_stmt *known, struct ck_str id) {
  struct ck_err err;
  db_bind_str(known, 1, id);
  int rc = sqlite3_step(known);
  sqlite3_reset(known);
  if (rc == SQLITE_ROW || rc == SQLITE_DONE) return rc == SQLITE_ROW;
  db_fail(a->db, "a conversation", &err);
  return artifacts_trouble(a, SQL_TROUBLE, CK_LIT(DB_FILE), &err);
}

/* The JSON at `name` is this conversation's, and no name is recorded for it. If the recorded name
 * has no JSON, the files move there; if that has its own, this is a person's copy and stays; else
 * `name` is recorded. 1: the name recorded before is free. */
static int take_over(struct artifacts *a, struct ck_str id, struct ck_str name) {
  struct ck_err err;
  struct ck_buf has = {0};
  int rc = names_find(a->names, id, &has, &err);
  bool own = false, named = rc > 0;
  if (named) {
    path_of(a, ck_buf_view(&has), 1);
    if (!artifact_folder_has(&a->folder, ck_buf_cstr(&a->path)))
      own = true, rc = rename_files(a, id, name, ck_buf_view(&has)) ? -1 : 0;
    else
      own = says_id(a, id, 1);
  } else if (rc < 0) {
    artifact_naming_trouble(a, &err);
  }
  if (rc >= 0 && !own && (rc = names_set(a->names, id, name, &err)))
    artifact_naming_trouble(a, &err);
  ck_buf_free(&has);
  return rc < 0 ? -1 : named && !own;
}

static int adopt(struct artifacts *a, sqlite3_stmt *known, struct ck_str name) {
  struct ck_err err;
  int rc = names_taken(a->names, CK_LIT(""), name, &err);
  if (rc) return rc < 0 ? artifact_naming_trouble(a, &err) : 0;
  json_t *id = id_of(a, name);
  if (!id) return 0;
  struct ck_str own = {json_string_value(id), json_string_length(id)};
  rc = is_known(a, known, own);
  if (rc > 0) rc = take_over(a, own, name);
  json_decref(id);
  return rc;
}

static int folder_failed(struct artifacts *a) {
  struct ck_err err;
  int why = errno;
  ck_fail(&err, ARTIFACT_FOLDER "/" ARTIFACT_CONVERSATIONS ": %s", strerror(why));
  errno = why;
  return artifacts_put_failed(a, CK_LIT(ARTIFACT_CONVERSATIONS), &err);
}

/* 1: names have become free that may be another file's. */
static int adopt_each(struct artifacts *a, sqlite3_stmt *known, DIR *dir) {
  const char *ending = artifact_conversation_endings[1];
  int rc = 0, freed = 0;
  for (struct dirent *e; rc >= 0 && (errno = 0, e = readdir(dir));) {
    size_t n = strlen(e->d_name), tail = strlen(ending);
    if (artifacts_out_of_time(a)) return -1;
    if (n <= tail || strcmp(e->d_name + n - tail, ending) != 0) continue;
    rc = adopt(a, known, (struct ck_str){e->d_name, n - tail});
    freed |= rc > 0;
  }
  if (rc >= 0 && errno) return folder_failed(a);
  return rc < 0 ? -1 : freed;
}

static int adopt_all(struct artifacts *a, sqlite3_stmt *known, DIR *dir) {
  struct ck_err err;
  int rc = 1;
  while (rc > 0) {
    rewinddir(dir);
    rc = adopt_each(a, known, dir);
  }
  if (rc == 0 && names_commit(a->names, &err)) rc = artifact_naming_trouble(a, &err);
  return rc;
}

static DIR *open_dir(struct artifacts *a) {
  int fd =
      openat(a->folder.fd, ARTIFACT_CONVERSATIONS, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  DIR *dir = fd < 0 ? NULL : fdopendir(fd);
  int why = errno;
  if (!dir && fd >= 0) close(fd);
  errno = why;
  return dir;
}

int artifact_naming_adopt(struct artifacts *a) {
  struct ck_err err;
  DIR *dir = open_dir(a);
  if (!dir && errno == ENOENT) return 0;
  if (!dir) return folder_failed(a);
  sqlite3_stmt *known =
      db_prepare(a->db, "SELECT 1 FROM local_conversations WHERE local_conversation_id = ?1", &err);
  int rc =
      known ? adopt_all(a, known, dir) : artifacts_trouble(a, SQL_TROUBLE, CK_LIT(DB_FILE), &err);
  sqlite3_finalize(known);
  closedir(dir);
  return rc;
}

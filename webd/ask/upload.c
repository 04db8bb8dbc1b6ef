/* See upload.h. One import runs at a time: ingest reads no faster for several. */
#include "webd/ask/upload.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/file.h"

#define DEPTH_MAX 32 /* folders in a name */
#define PART_BYTES 255
#define ALIKE_MAX 1000 /* files of the same name */
#define LOOSE_MAX 1000 /* files that are named to import */

struct web_uploads {
  struct web_commands *commands;
  struct web_upload *head;
};

/* ---- folders ---- */

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at) {
  (void)st;
  (void)kind;
  (void)at;
  return remove(path);
}

static void remove_folder(const char *path) {
  nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

static int make_folder(const char *path, struct ck_err *err) {
  return mkdir(path, 0700) == 0 ? 0 : ck_fail(err, "%s: %s", path, strerror(errno));
}

/* ---- all of them ---- */

struct web_uploads *web_uploads_new(struct web_commands *commands, struct ck_err *err) {
  remove_folder(WEB_UPLOADS_FOLDER);
  if (make_folder(WEB_UPLOADS_FOLDER, err)) return NULL;
  struct web_uploads *all = ck_zalloc(sizeof *all);
  all->commands = commands;
  return all;
}

static void shut(int *fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

static void upload_free(struct web_upload *u) {
  struct web_upload **at = &u->all->head;
  while (*at != u) at = &(*at)->next;
  *at = u->next;
  shut(&u->fd);
  shut(&u->folder_fd);
  if (u->state != WEB_UPLOAD_ENDED) remove_folder(u->folder);
  json_decref(u->loose);
  json_decref(u->lines);
  json_decref(u->errors);
  free(u->folder);
  free(u->name);
  free(u->what);
  free(u);
}

void web_uploads_free(struct web_uploads **uploads) {
  struct web_uploads *all = *uploads;
  if (!all) return;
  while (all->head) upload_free(all->head);
  free(all);
  *uploads = NULL;
}

const struct web_upload *web_uploads_first(const struct web_uploads *all) { return all->head; }

const struct web_upload *web_upload_of(const struct web_uploads *all, struct ck_str id) {
  const struct web_upload *u = all->head;
  while (u && !ck_str_is(id, u->id)) u = u->next;
  return u;
}

/* ---- one that comes ---- */

static size_t count_open(const struct web_uploads *all) {
  size_t n = 0;
  for (const struct web_upload *u = all->head; u; u = u->next) n += u->state != WEB_UPLOAD_ENDED;
  return n;
}

/* The oldest reports give way. */
static void forget_old(struct web_uploads *all) {
  size_t n = 0;
  for (struct web_upload *u = all->head, *next; u; u = next) {
    next = u->next;
    if (u->state == WEB_UPLOAD_ENDED && ++n >= WEB_UPLOADS_KEPT) upload_free(u);
  }
}

struct web_upload *web_upload_begin(struct web_uploads *all, bool *busy, struct ck_err *err) {
  *busy = count_open(all) >= WEB_UPLOADS_AT_ONCE;
  if (*busy) {
    ck_fail(err, "%d uploads are under way; wait for the end of one", WEB_UPLOADS_AT_ONCE);
    return NULL;
  }
  forget_old(all);
  struct web_upload *u = ck_zalloc(sizeof *u);
  *u = (struct web_upload){.next = all->head,
                           .all = all,
                           .folder_fd = -1,
                           .fd = -1,
                           .began_at = ck_now_ms(),
                           .loose = json_array(),
                           .lines = json_array(),
                           .errors = json_array()};
  ck_random_id(u->id);
  u->folder = ck_sprintf(WEB_UPLOADS_FOLDER "/%s", u->id);
  all->head = u;
  if (make_folder(u->folder, err) == 0)
    u->folder_fd = open(u->folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (u->folder_fd >= 0) return u;
  ck_fail(err, "%s: %s", u->folder, strerror(errno));
  upload_free(u);
  return NULL;
}

void web_upload_drop(struct web_upload *u) {
  if (u->state == WEB_UPLOAD_COMES) upload_free(u);
}

/* A part of a name as a file can have it: none leads upwards, or means something to import. */
static void add_part(struct ck_buf *b, struct ck_str part) {
  struct ck_str cut = ck_utf8_cut(part, PART_BYTES);
  if (cut.n == 0 || ck_str_is(cut, ".") || ck_str_is(cut, "..") || ck_str_is(cut, "-"))
    ck_buf_text(b, "_");
  else
    ck_buf_str(b, cut);
}

static int make_parent(const struct web_upload *u, const char *path, struct ck_err *err) {
  if (mkdirat(u->folder_fd, path, 0700) == 0 || errno == EEXIST) return 0;
  return ck_fail(err, "%s: %s", path, strerror(errno));
}

/* The name's folders are made, its last part is left. */
static int make_parents(struct web_upload *u, struct ck_str name, struct ck_buf *path,
                        struct ck_err *err) {
  for (int depth = 0; name.n; ++depth) {
    const char *slash = memchr(name.s, '/', name.n);
    struct ck_str part = {name.s, slash ? (size_t)(slash - name.s) : name.n};
    if (depth == DEPTH_MAX) return ck_fail(err, "it is more than %d folders deep", DEPTH_MAX);
    add_part(path, part);
    if (!slash) return 0;
    if (make_parent(u, ck_buf_cstr(path), err)) return -1;
    ck_buf_text(path, "/");
    name = (struct ck_str){slash + 1, name.n - part.n - 1};
  }
  ck_buf_text(path, "_");
  return 0;
}

/* A second file of the same name gets a number before its own. Returns its path, on the heap. */
static char *create(struct web_upload *u, struct ck_str path, struct ck_err *err) {
  const char *slash = memrchr(path.s, '/', path.n);
  size_t n = slash ? (size_t)(slash - path.s) + 1 : 0;
  for (int i = 1; i < ALIKE_MAX; ++i) {
    char *name =
        i == 1 ? ck_str_dup(path)
               : ck_sprintf("%.*s(%d) %.*s", (int)n, path.s, i, (int)(path.n - n), path.s + n);
    u->fd = openat(u->folder_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (u->fd >= 0) return name;
    free(name);
    if (errno != EEXIST && errno != EISDIR) {
      ck_fail(err, "%s", strerror(errno));
      return NULL;
    }
  }
  ck_fail(err, "there are too many files of that name");
  return NULL;
}

/* Of files that import reads only if it finds them, rather than is given them, an unknown one is
 * skipped; and only of those that it finds it keeps images and documents. */
static bool may_hold(const char *name) {
  static const char *const endings[] = {".json", ".jsonl", ".ndjson", ".zip",    ".tar",
                                        ".tgz",  ".gz",    ".zst",    ".xz",     ".bz2",
                                        ".7z",   ".db",    ".sqlite", ".sqlite3"};
  const char *dot = strrchr(name, '.');
  for (size_t i = 0; dot && i < sizeof endings / sizeof *endings; ++i)
    if (strcasecmp(dot, endings[i]) == 0) return true;
  return false;
}

static void note_loose(struct web_upload *u, const char *path) {
  if (!u->loose) return;
  if (!strchr(path, '/') && may_hold(path) && json_array_size(u->loose) < LOOSE_MAX) {
    json_array_append_new(u->loose, json_string(path));
    return;
  }
  json_decref(u->loose);
  u->loose = NULL;
}

static void note_file(struct web_upload *u, const char *path) {
  struct ck_str top = {path, strcspn(path, "/")};
  bool first = u->files++ == 0;
  if (first) u->what = ck_str_dup(top);
  if (first || !strchr(path, '/') || !ck_str_is(top, u->what)) ++u->tops;
  note_loose(u, path);
}

int web_upload_file(struct web_upload *u, const char *name, struct ck_err *err) {
  struct ck_buf path = {0};
  if (u->fd >= 0 && u->at == 0 && u->name && strcmp(u->name, name) == 0) return 0;
  shut(&u->fd);
  free(u->name);
  u->name = ck_strdup(name);
  u->at = 0;
  if (u->files == WEB_UPLOAD_FILES)
    return ck_fail(err, "there are more than %d files", WEB_UPLOAD_FILES);
  int rc = make_parents(u, ck_str_of(name), &path, err);
  char *made = rc == 0 ? create(u, ck_buf_view(&path), err) : NULL;
  if (made) note_file(u, made);
  rc = made ? 0 : -1;
  free(made);
  ck_buf_free(&path);
  return rc ? ck_fail_in(err, "%.200s", name) : 0;
}

int web_upload_bytes(struct web_upload *u, struct ck_str bytes, struct ck_err *err) {
  if (bytes.n && ck_write_all(u->fd, bytes))
    return ck_fail(err, "%.200s cannot be kept on this machine: %s", u->name, strerror(errno));
  u->at += bytes.n;
  u->bytes += bytes.n;
  return 0;
}

/* ---- import ---- */

static void start_next(struct web_uploads *all);

static void ended(void *self, int code) {
  struct web_upload *u = self;
  u->state = WEB_UPLOAD_ENDED;
  u->code = code;
  u->ended_at = ck_now_ms();
  remove_folder(u->folder);
  start_next(u->all);
}

static void heard(void *self, json_t *line, bool error) {
  const struct web_upload *u = self;
  json_array_append_new(error ? u->errors : u->lines, json_deep_copy(line));
}

static struct web_upload *next_of(const struct web_uploads *all) {
  struct web_upload *next = NULL;
  for (struct web_upload *u = all->head; u; u = u->next) {
    if (u->state == WEB_UPLOAD_IS_READ) return NULL;
    if (u->state == WEB_UPLOAD_WAITS) next = u;
  }
  return next;
}

/* A single file is read whatever its name is, and of several, those that may hold conversations by
 * their names; else import chooses, as in a folder. */
static const char **words_of(const struct web_upload *u) {
  size_t named = json_array_size(u->loose), n = 0, i;
  const char **words = ck_zalloc((named + 4) * sizeof *words);
  const json_t *name;
  words[n++] = "import";
  words[n++] = "--";
  json_array_foreach(u->loose, i, name) words[n++] = json_string_value(name);
  if (!named) words[n++] = u->tops == 1 ? u->what : ".";
  return words;
}

static void start_next(struct web_uploads *all) {
  struct ck_err err;
  struct web_upload *u = next_of(all);
  if (!u) return;
  const char **words = words_of(u);
  u->state = WEB_UPLOAD_IS_READ;
  const struct web_command_wish wish = {
      .words = words, .folder = u->folder, .line = heard, .ended = ended, .self = u};
  int rc = web_command(all->commands, &wish, &err);
  free(words);
  if (rc == 0) return;
  json_array_append_new(u->errors, json_pack("{s:s}", "error", err.text));
  ended(u, -1);
}

int web_upload_whole(struct web_upload *u, struct ck_err *err) {
  shut(&u->fd);
  shut(&u->folder_fd);
  if (u->files == 0) return ck_fail(err, "no file was chosen");
  u->state = WEB_UPLOAD_WAITS;
  start_next(u->all);
  return 0;
}

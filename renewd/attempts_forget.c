/* Takes the lines of forgotten jobs out of the log of attempts (attempts.h). */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/file.h"
#include "proto/log.h"
#include "proto/places.h"
#include "renewd/attempts.h"

#define DRAFT ".draft"
#define ID_MAX 400 /* characters of an id in a line */

struct renew_forgotten {
  struct ck_str *ids; /* ascending, once they are sorted */
  size_t n, room;
  struct ck_arena arena;
};

static int by_bytes(const void *a, const void *b) {
  return ck_str_order(*(const struct ck_str *)a, *(const struct ck_str *)b);
}

/* The beginning of an id, as a line has it. */
static struct ck_str cut(struct ck_str id) {
  size_t at = 0;
  for (int n = 0; at < id.n; ++at) {
    bool begins = ((unsigned char)id.s[at] & 0xc0) != 0x80;
    if (begins && n++ == ID_MAX) break;
  }
  return (struct ck_str){id.s, at};
}

static bool is_gone(const struct renew_forgotten *f, struct ck_str line) {
  json_t *o = json_loadb(line.s, line.n, JSON_ALLOW_NUL, NULL);
  const json_t *id = json_object_get(o, "job_id");
  struct ck_str text = {json_string_value(id), json_string_length(id)};
  bool gone = text.s && bsearch(&text, f->ids, f->n, sizeof *f->ids, by_bytes);
  json_decref(o);
  return gone;
}

/* Appends the lines that stay. True: some do not. */
static bool keep_lines(const struct renew_forgotten *f, struct ck_str text, struct ck_buf *kept) {
  bool some = false;
  while (text.n) {
    const char *end = memchr(text.s, '\n', text.n);
    size_t n = end ? (size_t)(end - text.s) + 1 : text.n;
    bool gone = is_gone(f, (struct ck_str){text.s, n});
    if (!gone) ck_buf_add(kept, text.s, n);
    some |= gone;
    text = (struct ck_str){text.s + n, text.n - n};
  }
  return some;
}

static int replace(int folder, const char *name, struct ck_str text, struct ck_err *err) {
  int fd = ck_open_file(folder, DRAFT, O_WRONLY | O_CREAT | O_TRUNC, err);
  if (fd < 0) return -1;
  int rc =
      ck_write_all(fd, text) || fsync(fd) || renameat(folder, DRAFT, folder, name) || fsync(folder)
          ? -1
          : 0;
  if (rc) ck_fail(err, "%s", strerror(errno));
  close(fd);
  return rc;
}

static int clean_file(const struct renew_forgotten *f, int folder, const char *name) {
  struct ck_buf text = {0}, kept = {0};
  struct ck_err err = {{0}};
  int rc = ck_read_file(folder, name, O_NOFOLLOW, SIZE_MAX, &text, &err);
  if (rc == 0 && keep_lines(f, ck_buf_view(&text), &kept))
    rc = replace(folder, name, ck_buf_view(&kept), &err);
  if (rc) ck_log(CK_WARN, name, "not_forgotten", "reason=%s", ck_quotedz(err.text));
  ck_buf_free(&text);
  ck_buf_free(&kept);
  return rc;
}

/* A day's file, or what a kill has left of writing one. */
static int clean_one(const struct renew_forgotten *f, int folder, const char *name) {
  const char *dot = strrchr(name, '.');
  if (strcmp(name, DRAFT) == 0) return unlinkat(folder, DRAFT, 0) && errno != ENOENT ? -1 : 0;
  return dot && strcmp(dot, ".jsonl") == 0 ? clean_file(f, folder, name) : 0;
}

void renew_forgotten_add(struct renew_forgotten **forgotten, struct ck_str job_id) {
  if (!*forgotten) *forgotten = ck_zalloc(sizeof **forgotten);
  struct renew_forgotten *f = *forgotten;
  if (f->n == f->room) {
    f->room = f->room ? f->room * 2 : 16;
    f->ids = ck_realloc(f->ids, f->room * sizeof *f->ids);
  }
  f->ids[f->n++] = ck_arena_copy(&f->arena, cut(job_id));
}

void renew_forgotten_free(struct renew_forgotten **f) {
  if (!*f) return;
  free((*f)->ids);
  ck_arena_free(&(*f)->arena);
  free(*f);
  *f = NULL;
}

int renew_forgotten_clean(struct renew_forgotten **forgotten) {
  struct renew_forgotten *f = *forgotten;
  if (!f) return 0;
  qsort(f->ids, f->n, sizeof *f->ids, by_bytes);
  DIR *folder = opendir(CK_PLACE_ATTEMPTS);
  int rc = folder || errno == ENOENT ? 0 : -1;
  for (const struct dirent *e; folder && (e = readdir(folder));)
    if (clean_one(f, dirfd(folder), e->d_name)) rc = -1;
  if (folder) closedir(folder);
  if (rc == 0) renew_forgotten_free(forgotten);
  return rc;
}

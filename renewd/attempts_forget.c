/* Takes the lines of forgotten jobs out of the log of attempts (attempts.h). */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/log.h"
#include "proto/places.h"
#include "proto/quarantine.h"
#include "renewd/attempts.h"

#define ID_MAX 400 /* characters of an id in a line */

struct renew_forgotten {
  struct ck_str *ids;
  size_t n, room;
  struct ck_arena arena;
};

/* The beginning of an id, as a line has it. */
static struct ck_str cut(struct ck_str id) {
  size_t at = 0;
  for (int n = 0; at < id.n; ++at) {
    bool begins = ((unsigned char)id.s[at] & 0xc0) != 0x80;
    if (begins && n++ == ID_MAX) break;
  }
  return (struct ck_str){id.s, at};
}

static bool is_day(const char *name) {
  const char *dot = strrchr(name, '.');
  return dot && strcmp(dot, ".jsonl") == 0;
}

static int clean(const struct renew_forgotten *f, const char *name) {
  struct ck_err err = {{0}};
  char *path = ck_sprintf(CK_PLACE_ATTEMPTS "/%s", name);
  int rc = ck_quarantine_forget(path, f->ids, f->n, &err);
  if (rc) ck_log(CK_WARN, name, "not_forgotten", "reason=%s", ck_quotedz(err.text));
  free(path);
  return rc;
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
  DIR *folder = opendir(CK_PLACE_ATTEMPTS);
  int rc = folder || errno == ENOENT ? 0 : -1;
  for (const struct dirent *e; folder && (e = readdir(folder));)
    if (is_day(e->d_name) && clean(f, e->d_name)) rc = -1;
  if (folder) closedir(folder);
  if (rc == 0) renew_forgotten_free(forgotten);
  return rc;
}

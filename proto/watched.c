/* See watched.h. */
#include "proto/watched.h"

#include <stdlib.h>
#include <string.h>

static const struct {
  const char *name, *env, *home, *folder;
} known[] = {
    {CK_WATCHED_CLAUDE, "CLAUDE_CONFIG_DIR", ".claude", "projects"},
    {CK_WATCHED_CODEX, "CODEX_HOME", ".codex", "sessions"},
    {CK_WATCHED_ARCHIVED, "CODEX_HOME", ".codex", "archived_sessions"},
};
#define KNOWN (sizeof known / sizeof *known)

/* ~ stands for the home folder; without one it is nowhere. */
static char *expand(const char *path) {
  const char *home = getenv("HOME");
  char *folder = *path != '~'           ? ck_strdup(path)
                 : home && *home == '/' ? ck_sprintf("%s%s", home, path + 1)
                                        : ck_strdup("");
  for (size_t n = strlen(folder); n > 1 && folder[n - 1] == '/'; --n) folder[n - 1] = '\0';
  return folder;
}

static char *usual_folder(size_t i) {
  const char *env = getenv(known[i].env);
  char *path = env && *env == '/' ? ck_sprintf("%s/%s", env, known[i].folder)
                                  : ck_sprintf("~/%s/%s", known[i].home, known[i].folder);
  char *folder = expand(path);
  free(path);
  return folder;
}

static struct ck_watched *named(struct ck_watched *list, size_t n, const char *name) {
  for (size_t i = 0; i < n; ++i)
    if (strcmp(list[i].name, name) == 0) return &list[i];
  return NULL;
}

static bool is_within(const char *folder, const char *outer) {
  size_t n = strlen(outer);
  return strncmp(folder, outer, n) == 0 && (folder[n] == '/' || !folder[n] || n == 1);
}

/* Of two equal ones the first stays. */
static bool is_covered(const struct ck_watched *list, size_t n, size_t i) {
  for (size_t k = 0; k < n; ++k) {
    bool same = strcmp(list[k].folder, list[i].folder) == 0;
    if (k != i && *list[k].folder && is_within(list[i].folder, list[k].folder) && (!same || k < i))
      return true;
  }
  return false;
}

size_t ck_watched_list(const struct ck_settings *s, struct ck_watched **list) {
  struct ck_setting_view v;
  size_t n = 0, kept = 0;
  struct ck_watched *all = NULL;
  for (size_t i = 0; i < KNOWN; ++i) {
    all = ck_realloc(all, (n + 1) * sizeof *all);
    all[n++] = (struct ck_watched){ck_strdup(known[i].name), usual_folder(i), false};
  }
  for (int i = 0; ck_settings_view(s, i, &v); ++i) {
    if (strncmp(v.name, CK_WATCH, sizeof CK_WATCH - 1) != 0) continue;
    struct ck_watched *w = named(all, n, v.name + sizeof CK_WATCH - 1);
    if (!w) {
      all = ck_realloc(all, (n + 1) * sizeof *all);
      w = &all[n++];
      *w = (struct ck_watched){.name = ck_strdup(v.name + sizeof CK_WATCH - 1)};
    }
    free(w->folder);
    w->folder = expand(v.value);
    w->given = true;
  }
  bool *covered = ck_alloc(n * sizeof *covered);
  for (size_t i = 0; i < n; ++i) covered[i] = is_covered(all, n, i) || !*all[i].folder;
  for (size_t i = 0; i < n; ++i) {
    if (!covered[i]) {
      all[kept++] = all[i];
    } else {
      free(all[i].name);
      free(all[i].folder);
    }
  }
  free(covered);
  *list = all;
  return kept;
}

void ck_watched_free(struct ck_watched *list, size_t n) {
  for (size_t i = 0; i < n; ++i) {
    free(list[i].name);
    free(list[i].folder);
  }
  free(list);
}

bool ck_watched_is_log(const char *name) {
  static const char *const endings[] = {".jsonl", ".jsonl.zst", ".ndjson", ".ndjson.zst"};
  for (size_t i = 0; i < sizeof endings / sizeof *endings; ++i)
    if (ck_str_ends(ck_str_of(name), endings[i])) return name[0] != '.';
  return ck_watched_is_beside(name);
}

bool ck_watched_is_beside(const char *name) {
  struct ck_str s = ck_str_of(name);
  return ck_str_starts(s, "agent-") && ck_str_ends(s, ".meta.json");
}

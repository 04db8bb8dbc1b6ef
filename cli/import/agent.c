/* See agent.h. */
#include "cli/import/agent.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "proto/text.h"

#define FOLDERS 3
#define FILES 5

/* A home has one of the folders, in which the sessions are, and one of the files. */
static const struct {
  const char *name;
  const char *folders[FOLDERS], *files[FILES];
} homes[] = {
    [CLI_AGENT_CLAUDE] = {".claude",
                          {"projects"},
                          {"history.jsonl", "settings.json", ".credentials.json", ".claude.json"}},
    [CLI_AGENT_CODEX] = {".codex",
                         {"sessions", "archived_sessions"},
                         {"config.toml", "auth.json", "history.jsonl", "session_index.jsonl"}},
};

static bool has(int dir, const char *folder, const char *name, bool is_folder) {
  struct stat st;
  char *path = ck_sprintf("%s/%s", folder, name);
  bool there = fstatat(dir, path, &st, 0) == 0 && S_ISDIR(st.st_mode) == is_folder;
  free(path);
  return there;
}

enum cli_agent cli_agent_home(int dir, const char *folder) {
  for (enum cli_agent a = CLI_AGENT_CLAUDE; a <= CLI_AGENT_CODEX; ++a) {
    bool folders = false, files = false;
    for (int i = 0; i < FOLDERS && homes[a].folders[i]; ++i)
      folders |= has(dir, folder, homes[a].folders[i], true);
    for (int i = 0; i < FILES && homes[a].files[i]; ++i)
      files |= has(dir, folder, homes[a].files[i], false);
    if (folders && files) return a;
  }
  return CLI_AGENT_NONE;
}

static bool begins(const char *s, const char *with) { return strncmp(s, with, strlen(with)) == 0; }

/* Codex's database of its threads. */
static bool has_names(const char *below) {
  return begins(below, "state_") && !strchr(below, '/') && ck_str_ends(ck_str_of(below), ".sqlite");
}

/* below: the file's path in the home. */
static bool holds_session(enum cli_agent home, const char *below) {
  if (home == CLI_AGENT_CODEX)
    return begins(below, "sessions/") || begins(below, "archived_sessions/") ||
           strcmp(below, "session_index.jsonl") == 0 || has_names(below);
  const char *name = strrchr(below, '/');
  bool is_log = strstr(name ? name : below, ".jsonl") || strstr(below, ".meta.json");
  return begins(below, "projects/") && is_log && !strstr(below, "/tool-results/");
}

/* What follows the last folder of that name; NULL: none. */
static const char *below_folder(const char *path, const char *name) {
  size_t n = strlen(name);
  const char *found = NULL;
  for (const char *at = path; (at = strstr(at, name)); at += n)
    if ((at == path || at[-1] == '/') && at[n] == '/') found = at + n + 1;
  return found;
}

bool cli_agent_is_other(const char *name, enum cli_agent home, size_t n) {
  const char *below = name + n;
  while (home != CLI_AGENT_NONE && *below == '/') ++below;
  for (enum cli_agent a = CLI_AGENT_CLAUDE; home == CLI_AGENT_NONE && a <= CLI_AGENT_CODEX; ++a) {
    const char *at = below_folder(name, homes[a].name);
    if (at) home = a, below = at;
  }
  if (home == CLI_AGENT_NONE) return false;
  return !holds_session(home, below);
}

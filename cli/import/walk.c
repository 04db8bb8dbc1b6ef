/* A recursion over folders, each read whole and sorted. */
#include "cli/import/walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int is_entry(const struct dirent *e) {
  return strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
}

static int by_bytes(const struct dirent **a, const struct dirent **b) {
  return strcmp((*a)->d_name, (*b)->d_name);
}

static int walk(int parent, const char *name, const char *path, unsigned depth,
                const struct cli_walk_ops *ops);

static int visit(int folder, const char *name, const char *path, unsigned depth,
                 const struct cli_walk_ops *ops) {
  struct stat st;
  if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW)) {
    if (errno != ENOENT) ops->fault(ops->self, path, strerror(errno));
    return 0;
  }
  if (S_ISDIR(st.st_mode)) return walk(folder, name, path, depth + 1, ops);
  if (S_ISREG(st.st_mode)) return ops->file(ops->self, path);
  ops->other(ops->self, path, S_ISLNK(st.st_mode) ? "symbolic link" : "special file");
  return 0;
}

static int walk(int parent, const char *name, const char *path, unsigned depth,
                const struct cli_walk_ops *ops) {
  struct dirent **entries;
  if (depth > CLI_WALK_DEPTH) {
    ops->fault(ops->self, path, "folders are nested too deeply");
    return 0;
  }
  int folder = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (depth ? O_NOFOLLOW : 0));
  int n = folder < 0 ? -1 : scandirat(folder, ".", &entries, is_entry, by_bytes);
  if (n < 0) ops->fault(ops->self, path, strerror(errno));
  int rc = 0;
  for (int i = 0; i < n; ++i) {
    size_t end = strlen(path);
    char *below =
        ck_sprintf("%s%s%s", path, end && path[end - 1] == '/' ? "" : "/", entries[i]->d_name);
    if (rc == 0) rc = visit(folder, entries[i]->d_name, below, depth, ops);
    free(below);
    free(entries[i]);
  }
  if (n >= 0) free(entries);
  if (folder >= 0) close(folder);
  return rc;
}

int cli_walk(int folder, const char *path, const struct cli_walk_ops *ops) {
  return walk(folder, path, path, 0, ops);
}

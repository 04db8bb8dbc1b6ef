/* The files that the arguments of import stand for: a file stands for itself, a folder for the
 * files in it and below it, in the order of their names. */
#ifndef CLI_IMPORT_WALK_H
#define CLI_IMPORT_WALK_H

#include "proto/error.h"
#include "proto/text.h"

#define CLI_WALK_DEPTH 64 /* folders inside each other; deeper ones are an error */

struct cli_walk_ops {
  void *self;
  /* A file, by its path: the argument, and what is below it. Not 0: ends the walk. */
  int (*file)(void *self, const char *path);
  /* What is no file and no folder: a symbolic link, a pipe. */
  void (*other)(void *self, const char *path, const char *what);
  /* Something in a folder that cannot be read. */
  void (*fault)(void *self, const char *path, const char *reason);
};

/* Calls ops->file for each regular file in the folder `path` and below it. Symbolic links are not
 * followed. folder: what a relative path is relative to. Returns what ops->file returned last. */
int cli_walk(int folder, const char *path, const struct cli_walk_ops *ops);

#endif

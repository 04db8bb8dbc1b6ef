/* The folders that ingest follows (docs/watch.md): where Claude Code and Codex keep their sessions,
 * and those of the settings watch.NAME. */
#ifndef CK_PROTO_WATCHED_H
#define CK_PROTO_WATCHED_H

#include "proto/settings.h"

struct ck_watched {
  char *name;   /* NAME of watch.NAME */
  char *folder; /* absolute, without a slash at its end */
  bool given;   /* by a setting; else the folder need not be there */
};

/* Names of the folders that need no setting. */
#define CK_WATCHED_CLAUDE "claude"
#define CK_WATCHED_CODEX "codex"
#define CK_WATCHED_ARCHIVED "codex_archived"

/* Fills *list, which the caller frees with ck_watched_free, and returns how many they are. A folder
 * within another one of the list, or the same, is left out: the outer one has its files. So is one
 * whose setting is empty. */
size_t ck_watched_list(const struct ck_settings *s, struct ck_watched **list);
void ck_watched_free(struct ck_watched *list, size_t n);

/* Whether a file of this name, without its folders, is followed: JSON lines, also if they are
 * compressed with zstd, and what ck_watched_is_beside says. */
bool ck_watched_is_log(const char *name);
/* Whether a file of this name is one that Claude Code writes beside a subagent's log: one object,
 * which is no line and does not grow. */
bool ck_watched_is_beside(const char *name);

#endif

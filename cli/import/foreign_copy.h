/* A private copy of a database: the file and its WAL, in a folder of their own in run/, mode 0700.
 * SQLite writes beside what it opens, and a name in a stranger's file must lead nowhere. A rollback
 * journal is never copied, because SQLite removes the file that a journal names. */
#ifndef CLI_IMPORT_FOREIGN_COPY_H
#define CLI_IMPORT_FOREIGN_COPY_H

#include "cli/import/source.h"
#include "proto/lock.h"

struct foreign_copy {
  char folder[32]; /* "" if there is none */
  char *database;  /* its path */
  struct ck_lock lock;
  struct ck_err fault; /* "" or why the rest of the source could not be read */
};

/* Copies what the source is at from its beginning, and the WAL that belongs to it: of a file the
 * one beside it, of a member that of the same archive. Copies left by a command that was killed are
 * removed. 0, also if only the beginning could be read; or -1 with the reason. Remove *copy in
 * either case. */
int foreign_copy_make(struct cli *c, struct cli_source *source, char *bytes,
                      struct foreign_copy *copy, struct ck_err *err);
void foreign_copy_remove(struct foreign_copy *copy);

#endif

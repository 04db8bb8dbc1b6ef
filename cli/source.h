/* What import reads: a file, or a pipe that is kept in a nameless file of run/ as it is read, so
 * that it can be sent again from its start. */
#ifndef CLI_SOURCE_H
#define CLI_SOURCE_H

#include <sys/types.h>
#include "cli/cli.h"

struct cli_source {
  const char *name;
  int fd;
  int kept;      /* the nameless file; -1 for a file that can be read again itself */
  off_t read_at; /* bytes taken from a pipe so far */
  off_t size;    /* of a file; 0 where it is not known */
  bool ended;    /* a pipe: its end was seen */
};

/* Opens FILE (relative to c->cwd) or, for "-", standard input. 0, or -1 with the reason. */
int cli_source_open(struct cli *c, struct cli_source *s, const char *file, struct ck_err *err);
void cli_source_close(struct cli_source *s);

/* The bytes from `at` on, at most n: their number, 0 at the end, -1 with the reason. *wait: nothing
 * is there yet, wait until s->fd is readable. */
ssize_t cli_source_read(struct cli_source *s, off_t at, char *bytes, size_t n, bool *wait,
                        struct ck_err *err);

#endif

/* What import reads: a file, or a pipe. What is read from a pipe is also kept in an unnamed file in
 * run/, so that it can be sent again from the start. */
#ifndef CLI_SOURCE_H
#define CLI_SOURCE_H

#include <sys/types.h>
#include "cli/cli.h"

struct cli_source {
  const char *name;
  int fd;
  int kept;      /* the unnamed copy; -1 if the file itself can be read again */
  off_t read_at; /* bytes read from a pipe so far */
  off_t size;    /* in bytes; 0 if unknown (a pipe) */
  bool ended;    /* a pipe has ended */
};

/* Opens a file, relative to c->cwd, or standard input for "-". 0, or -1 with the reason in err.
 * Keep `file` valid while s is in use. */
int cli_source_open(struct cli *c, struct cli_source *s, const char *file, struct ck_err *err);
void cli_source_close(struct cli_source *s);

/* Reads up to n bytes from offset `at`. Returns their number, 0 at the end or if *wait is set, -1
 * with the reason in err. *wait: the pipe is empty for now; wait until s->fd is readable. */
ssize_t cli_source_read(struct cli_source *s, off_t at, char *bytes, size_t n, bool *wait,
                        struct ck_err *err);

#endif

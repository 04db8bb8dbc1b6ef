/* What import reads: a file, or a pipe, or the members of an archive (archive.h), one after
 * another. What is read from a pipe is also kept in an unnamed file in run/, so that it can be sent
 * again from the start. */
#ifndef CLI_IMPORT_SOURCE_H
#define CLI_IMPORT_SOURCE_H

#include <sys/types.h>
#include "cli/import/archive.h"
#include "cli/cli.h"

struct cli_source {
  char *name; /* UTF-8: the file's as it was given; of a member, with its own after it */
  const char *file;
  int fd;
  int kept;                    /* the unnamed copy; -1 if the file itself can be read again */
  off_t read_at;               /* bytes read so far from a pipe, or a member */
  off_t size;                  /* in bytes; 0 if unknown (a pipe, a member) */
  bool ended;                  /* a pipe has ended */
  uint64_t first;              /* as in struct cli_pieces */
  struct cli_archive *archive; /* NULL: the file is none */
  bool alone; /* what is read now is not a member with a name: the file is only compressed */
  char head[CLI_ARCHIVE_HEAD]; /* the file's first bytes */
  size_t head_n;
};

/* Makes an unnamed file in run/, for reading and writing, which the caller closes. -1 with the
 * reason in err. */
int cli_nameless(struct ck_err *err);

/* Opens a file, relative to c->cwd, or standard input for "-". If it turns out to be an archive,
 * s->archive is set, and nothing can be read before cli_source_next. A pipe is read until its first
 * bytes have come; if it brings an archive, until its end. 0, or -1 with the reason in err. Keep
 * `file` valid while s is in use. */
int cli_source_open(struct cli *c, struct cli_source *s, const char *file, struct ck_err *err);
/* The same, and the file is read as it is, also if it is an archive. */
int cli_source_open_plain(struct cli *c, struct cli_source *s, const char *file,
                          struct ck_err *err);
void cli_source_close(struct cli_source *s);

/* Of an archive: goes back to before its first file. 0, or -1 with the reason in err. */
int cli_source_restart(struct cli_source *s, struct ck_err *err);
/* Of an archive: goes to the next file in it, and names it in s->name. 1, or 0 if there is no more,
 * or -1 with the reason in err: that one cannot be read. */
int cli_source_next(struct cli_source *s, struct ck_err *err);

/* The first CLI_ARCHIVE_HEAD bytes of the file, or of the member before anything of it was read;
 * fewer if it is shorter. Valid until the next call. */
struct ck_str cli_source_head(const struct cli_source *s);

/* Reads up to n bytes from offset `at`; of a member, from 0 or from where the last read ended.
 * Returns their number, 0 at the end or if *wait is set, -1 with the reason in err. *wait: the pipe
 * is empty for now; wait until s->fd is readable. */
ssize_t cli_source_read(struct cli_source *s, off_t at, char *bytes, size_t n, bool *wait,
                        struct ck_err *err);

#endif

/* Writing the spool's notes (proto/spool_files.h). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "ingest/spool/spool_internal.h"
#include "proto/file.h"

int spool_note_write(const struct ingest_spool *s, const char *name, const char *line) {
  char fresh[32], text[128];
  snprintf(fresh, sizeof fresh, "%s.new", name);
  int n = snprintf(text, sizeof text, "%s\n", line);
  int fd = ck_open_file(s->dir, fresh, O_WRONLY | O_CREAT | O_TRUNC, NULL);
  errno = fd < 0 ? errno : ENOSPC; /* a short write sets no errno */
  bool ok = fd >= 0 && write(fd, text, (size_t)n) == n && fsync(fd) == 0;
  int error = errno;
  if (fd >= 0) close(fd);
  errno = error;
  return ok && renameat(s->dir, fresh, s->dir, name) == 0 && fsync(s->dir) == 0 ? 0 : -1;
}

int spool_note_write_number(const struct ingest_spool *s, const char *name, uint64_t number) {
  char line[CK_SPOOL_LINE_MAX];
  ck_spool_number_line(line, s->producer, number);
  return spool_note_write(s, name, line);
}

bool spool_note_overwrite(const struct ingest_spool *s, const char *name, uint64_t number) {
  char line[CK_SPOOL_LINE_MAX];
  int fd = ck_open_file(s->dir, name, O_WRONLY | O_CREAT, NULL);
  if (fd < 0) return false;
  int n = ck_spool_number_line(line, s->producer, number);
  line[n++] = '\n';
  bool written = pwrite(fd, line, (size_t)n, 0) == n;
  close(fd);
  return written;
}

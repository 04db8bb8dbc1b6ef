/* The spool's notes: files of one line beside its segments (ingest/spool.h lists them).
 *
 * Every note but `producer` counts only for the producer that it names, so that what an earlier
 * life of the spool left behind says nothing about this one. A damaged note counts as none.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ingest/crc32c.h"
#include "ingest/spool_internal.h"
#include "proto/file.h"

#define NOTE_MAX 4096 /* bytes */
/* "PRODUCER NUMBER CHECK\n", equally long for every number, because a new one overwrites the old
 * one. The checksum guards against a number read higher than it was written: it would never be
 * sent. */
#define LINE_MAX_BYTES 96

void spool_note_read(const struct ingest_spool *s, const char *name, struct ck_buf *line) {
  if (ck_read_file(s->dir, name, 0, NOTE_MAX, line, NULL)) ck_buf_clear(line);
  struct ck_str trimmed = ck_trim(ck_buf_view(line));
  if (trimmed.n) memmove(line->data, trimmed.s, trimmed.n);
  line->len = trimmed.n;
}

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

/* The length, without a line break. */
static int number_line(const struct ingest_spool *s, uint64_t number, char out[LINE_MAX_BYTES]) {
  int n = snprintf(out, LINE_MAX_BYTES, "%s %020llu", s->producer, (unsigned long long)number);
  unsigned check = (unsigned)ingest_crc32c(0, out, (size_t)n);
  return n + snprintf(out + n, LINE_MAX_BYTES - (size_t)n, " %08x", check);
}

uint64_t spool_note_number(const struct ingest_spool *s, const char *name) {
  struct ck_buf b = {0};
  char line[LINE_MAX_BYTES];
  size_t id = strlen(s->producer);
  uint64_t number = 0;
  spool_note_read(s, name, &b);
  if (id && b.len > id) number = strtoull(ck_buf_cstr(&b) + id, NULL, 10);
  number_line(s, number, line);
  if (!ck_str_is(ck_buf_view(&b), line)) number = 0;
  ck_buf_free(&b);
  return number;
}

int spool_note_write_number(const struct ingest_spool *s, const char *name, uint64_t number) {
  char line[LINE_MAX_BYTES];
  number_line(s, number, line);
  return spool_note_write(s, name, line);
}

bool spool_note_overwrite(const struct ingest_spool *s, const char *name, uint64_t number) {
  char line[LINE_MAX_BYTES];
  int fd = ck_open_file(s->dir, name, O_WRONLY | O_CREAT, NULL);
  if (fd < 0) return false;
  int n = number_line(s, number, line);
  line[n++] = '\n';
  bool written = pwrite(fd, line, (size_t)n, 0) == n;
  close(fd);
  return written;
}

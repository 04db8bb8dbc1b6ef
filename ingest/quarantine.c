/* See quarantine.h. Nothing here fails: what cannot be written goes to the log. */
#include "ingest/quarantine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "proto/file.h"
#include "proto/log.h"

void ingest_quarantine_init(struct ingest_quarantine *q, const char *path, uint64_t max) {
  *q = (struct ingest_quarantine){.path = ck_strdup(path), .fd = -1, .max = max};
}

static void shut(struct ingest_quarantine *q) {
  if (q->fd >= 0) close(q->fd);
  q->fd = -1;
}

void ingest_quarantine_free(struct ingest_quarantine *q) {
  if (q->path) shut(q);
  free(q->path);
  q->path = NULL;
}

static int open_file(struct ingest_quarantine *q, struct ck_err *err) {
  struct stat st;
  if (q->fd >= 0) return 0;
  q->fd = ck_open_file(AT_FDCWD, q->path, O_WRONLY | O_CREAT | O_APPEND, err);
  if (q->fd < 0) return -1;
  if (fstat(q->fd, &st)) return ck_fail(err, "%s", strerror(errno));
  q->size = (uint64_t)st.st_size;
  return 0;
}

static int make_room(struct ingest_quarantine *q, size_t n, struct ck_err *err) {
  if (open_file(q, err)) return -1;
  if (q->size == 0 || q->size + n <= q->max) return 0;
  char *old = ck_sprintf("%s.old", q->path);
  int rc = rename(q->path, old), why = errno;
  free(old);
  shut(q);
  return rc ? ck_fail(err, "%s", strerror(why)) : open_file(q, err);
}

void ingest_quarantine_add(struct ingest_quarantine *q, struct ck_str line) {
  struct iovec parts[] = {{(void *)(uintptr_t)line.s, line.n}, {(void *)(uintptr_t) "\n", 1}};
  ssize_t all = (ssize_t)line.n + 1;
  struct ck_err err = {{0}};
  ssize_t n = make_room(q, line.n + 1, &err) ? -1 : writev(q->fd, parts, 2);
  if (n > 0) q->size += (uint64_t)n;
  if (n == all) return;
  const char *why = err.text[0] ? err.text : n < 0 ? strerror(errno) : "no room";
  /* Cut off a partial line: it would make the next one unreadable. */
  if (n > 0 && ftruncate(q->fd, (off_t)(q->size - (uint64_t)n)) == 0) q->size -= (uint64_t)n;
  ck_log(CK_ERROR, q->path, "not_kept", "reason=%s line=%s", ck_quotedz(why), ck_quoted(line));
  shut(q);
}

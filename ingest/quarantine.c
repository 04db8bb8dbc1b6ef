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

void ingest_quarantine_init(struct ingest_quarantine *a, const char *path, uint64_t max) {
  *a = (struct ingest_quarantine){.path = ck_strdup(path), .fd = -1, .max = max};
}

static void shut(struct ingest_quarantine *a) {
  if (a->fd >= 0) close(a->fd);
  a->fd = -1;
}

void ingest_quarantine_free(struct ingest_quarantine *a) {
  if (a->path) shut(a);
  free(a->path);
  a->path = NULL;
}

static int open_file(struct ingest_quarantine *a, struct ck_err *err) {
  struct stat st;
  if (a->fd >= 0) return 0;
  a->fd = ck_open_file(AT_FDCWD, a->path, O_WRONLY | O_CREAT | O_APPEND, err);
  if (a->fd < 0) return -1;
  if (fstat(a->fd, &st)) return ck_fail(err, "%s", strerror(errno));
  a->size = (uint64_t)st.st_size;
  return 0;
}

static int make_room(struct ingest_quarantine *a, size_t n, struct ck_err *err) {
  if (open_file(a, err)) return -1;
  if (a->size == 0 || a->size + n <= a->max) return 0;
  char *old = ck_sprintf("%s.old", a->path);
  int rc = rename(a->path, old), why = errno;
  free(old);
  shut(a);
  return rc ? ck_fail(err, "%s", strerror(why)) : open_file(a, err);
}

void ingest_quarantine_add(struct ingest_quarantine *a, struct ck_str line) {
  struct iovec parts[] = {{(void *)(uintptr_t)line.s, line.n}, {(void *)(uintptr_t) "\n", 1}};
  ssize_t all = (ssize_t)line.n + 1;
  struct ck_err err = {{0}};
  ssize_t n = make_room(a, line.n + 1, &err) ? -1 : writev(a->fd, parts, 2);
  if (n > 0) a->size += (uint64_t)n;
  if (n == all) return;
  const char *why = err.text[0] ? err.text : n < 0 ? strerror(errno) : "no room";
  /* Half a line would make the next one unreadable. */
  if (n > 0 && ftruncate(a->fd, (off_t)(a->size - (uint64_t)n)) == 0) a->size -= (uint64_t)n;
  ck_log(CK_ERROR, a->path, "not_kept", "reason=%s line=%s", ck_quotedz(why), ck_quoted(line));
  shut(a);
}

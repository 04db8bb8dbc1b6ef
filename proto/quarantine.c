/* See quarantine.h. Nothing here fails: what cannot be written goes to the log. */
#include "proto/quarantine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "proto/file.h"
#include "proto/lock.h"
#include "proto/log.h"

void ck_quarantine_init(struct ck_quarantine *q, const char *path, uint64_t max) {
  *q = (struct ck_quarantine){.path = ck_strdup(path), .fd = -1, .max = max};
}

static void shut(struct ck_quarantine *q) {
  if (q->fd >= 0) close(q->fd);
  q->fd = -1;
}

void ck_quarantine_free(struct ck_quarantine *q) {
  if (q->path) shut(q);
  free(q->path);
  q->path = NULL;
}

static int open_file(struct ck_quarantine *q, struct ck_err *err) {
  if (q->fd < 0) q->fd = ck_open_file(AT_FDCWD, q->path, O_WRONLY | O_CREAT | O_APPEND, err);
  if (q->fd < 0) return -1;
  ck_turn_wait(q->fd);
  return 0;
}

/* Opens the file of that name, and locks it: another process may have renamed it meanwhile. */
static int enter(struct ck_quarantine *q, struct ck_err *err) {
  while (open_file(q, err) == 0) {
    if (ck_has_name(q->fd, q->path)) return 0;
    shut(q);
  }
  return -1;
}

static int make_room(struct ck_quarantine *q, size_t n, off_t *size, struct ck_err *err) {
  struct stat st;
  if (enter(q, err)) return -1;
  if (fstat(q->fd, &st)) return ck_fail(err, "%s", strerror(errno));
  *size = st.st_size;
  if (st.st_size == 0 || (uint64_t)st.st_size + n <= q->max) return 0;
  char *old = ck_sprintf("%s.old", q->path);
  int rc = rename(q->path, old), why = errno;
  free(old);
  shut(q);
  *size = 0;
  return rc ? ck_fail(err, "%s", strerror(why)) : enter(q, err);
}

void ck_quarantine_add(struct ck_quarantine *q, struct ck_str line) {
  struct iovec parts[] = {{(void *)(uintptr_t)line.s, line.n}, {(void *)(uintptr_t) "\n", 1}};
  off_t size = 0;
  struct ck_err err = {{0}};
  ssize_t n = make_room(q, line.n + 1, &size, &err) ? -1 : writev(q->fd, parts, 2);
  int why = errno;
  bool whole = n == (ssize_t)line.n + 1;
  /* Cut off a partial line: it would make the next one unreadable. */
  if (!whole && n > 0 && ftruncate(q->fd, size)) why = errno;
  if (q->fd >= 0) ck_turn_end(q->fd);
  if (whole) return;
  const char *reason = err.text[0] ? err.text : n < 0 ? strerror(why) : "no room";
  ck_log(CK_ERROR, q->path, "not_kept", "reason=%s line=%s", ck_quotedz(reason), ck_quoted(line));
  shut(q);
}

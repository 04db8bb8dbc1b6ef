/* See mark.h. */
#include "ingest/watch/mark.h"

#include <errno.h>

#include "proto/file.h"

#define SOME 4096

static int hash_at(int fd, uint64_t at, size_t n, uint64_t *out) {
  char bytes[SOME];
  ssize_t got = ck_pread_all(fd, bytes, n, (off_t)at);
  if (got < 0) return -1;
  if ((size_t)got < n) return errno = 0, -1;
  struct ck_str part = {bytes, n};
  *out = ck_hash_64(&part, 1);
  return 0;
}

int watch_mark_make(struct watch_mark *mark, int fd, uint64_t taken) {
  size_t n = taken < SOME ? (size_t)taken : SOME;
  mark->taken = taken;
  if (hash_at(fd, 0, n, &mark->head)) return -1;
  return hash_at(fd, taken - n, n, &mark->tail);
}

bool watch_mark_fits(const struct watch_mark *mark, int fd) {
  struct watch_mark now;
  return watch_mark_make(&now, fd, mark->taken) == 0 && now.head == mark->head &&
         now.tail == mark->tail;
}

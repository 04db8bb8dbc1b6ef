/* How a file's beginning is known again: by how much of it was taken, and by its first and last
 * bytes. */
#ifndef INGEST_WATCH_MARK_H
#define INGEST_WATCH_MARK_H

#include <stdbool.h>
#include <stdint.h>

struct watch_mark {
  uint64_t taken;      /* bytes */
  uint64_t head, tail; /* hashes of the first and the last 4 KiB of these */
};

/* The mark of the file's first `taken` bytes. -1: they cannot be read; errno says why, 0: the file
 * is shorter. */
int watch_mark_make(struct watch_mark *mark, int fd, uint64_t taken);
/* Does the file begin with what has this mark? */
bool watch_mark_fits(const struct watch_mark *mark, int fd);

#endif

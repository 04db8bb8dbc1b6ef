/* Reads a file that is compressed with zstd, piece by piece. One whose window is larger than
 * WATCH_UNPACK_MOST is not read: it is damaged, or was made for machines with much memory. */
#ifndef INGEST_WATCH_UNPACK_H
#define INGEST_WATCH_UNPACK_H

#include <sys/types.h>

#include "proto/error.h"
#include "proto/text.h"

#define WATCH_UNPACK_MOST (64u << 20) /* bytes */

struct watch_unpack;

struct watch_unpack *watch_unpack_new(void);
void watch_unpack_free(struct watch_unpack **unpack);
/* The next bytes, valid until the next call; they may be none. Returns 1; 0 at the end of the file;
 * or -1 with errno, and err says why: it cannot be read; 0: it is damaged or not complete. */
ssize_t watch_unpack_read(struct watch_unpack *unpack, int fd, struct ck_str *bytes,
                          struct ck_err *err);
/* How much memory it takes. */
size_t watch_unpack_memory(const struct watch_unpack *unpack);
/* How many bytes of the file were read. */
uint64_t watch_unpack_at(const struct watch_unpack *unpack);

#endif

/* See unpack.h. */
#include "ingest/watch/unpack.h"

#include <errno.h>
#include <stdlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "proto/file.h"

#define IN (64u << 10)
#define WINDOW_LOG 26
_Static_assert(WATCH_UNPACK_MOST == 1u << WINDOW_LOG, "the same");
#define OUT (256u << 10)

struct watch_unpack {
  ZSTD_DCtx *zstd;
  uint64_t at;
  size_t left; /* what ZSTD_decompressStream has returned last; 0: between two frames */
  bool full;   /* all room for bytes was used, so that there may be more without reading on */
  ZSTD_inBuffer in;
  char packed[IN], bytes[OUT];
};

struct watch_unpack *watch_unpack_new(void) {
  struct watch_unpack *u = ck_alloc(sizeof *u);
  if (!(u->zstd = ZSTD_createDCtx())) ck_no_memory();
  ZSTD_DCtx_setParameter(u->zstd, ZSTD_d_windowLogMax, WINDOW_LOG);
  u->at = 0;
  u->left = 0;
  u->full = false;
  u->in = (ZSTD_inBuffer){u->packed, 0, 0};
  return u;
}

void watch_unpack_free(struct watch_unpack **unpack) {
  if (!*unpack) return;
  ZSTD_freeDCtx((*unpack)->zstd);
  free(*unpack);
  *unpack = NULL;
}

/* Returns 0 at the end of the file. */
static ssize_t fill(struct watch_unpack *u, int fd, struct ck_err *err) {
  ssize_t n = ck_pread_all(fd, u->packed, IN, (off_t)u->at);
  if (n < 0) {
    int why = errno;
    ck_fail(err, "%s", strerror(why));
    errno = why;
    return -1;
  }
  u->in = (ZSTD_inBuffer){u->packed, (size_t)n, 0};
  u->at += (uint64_t)n;
  if (n > 0 || !u->left) return n;
  errno = 0;
  return ck_fail(err, "it is cut off: the zstd frame has no end");
}

ssize_t watch_unpack_read(struct watch_unpack *u, int fd, struct ck_str *bytes,
                          struct ck_err *err) {
  ZSTD_outBuffer out = {u->bytes, OUT, 0};
  if (u->in.pos == u->in.size && !u->full) {
    ssize_t n = fill(u, fd, err);
    if (n <= 0) return n;
  }
  u->left = ZSTD_decompressStream(u->zstd, &out, &u->in);
  if (ZSTD_isError(u->left)) {
    ck_fail(err, "zstd: %s", ZSTD_getErrorName(u->left));
    errno = ZSTD_getErrorCode(u->left) == ZSTD_error_memory_allocation ? ENOMEM : 0;
    return -1;
  }
  u->full = out.pos == OUT;
  *bytes = (struct ck_str){u->bytes, out.pos};
  return 1;
}

size_t watch_unpack_memory(const struct watch_unpack *u) {
  return sizeof *u + ZSTD_sizeof_DCtx(u->zstd);
}

uint64_t watch_unpack_at(const struct watch_unpack *u) { return u->at; }

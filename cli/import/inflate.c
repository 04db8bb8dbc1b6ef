/* See inflate.h. */
#include "cli/import/inflate.h"

#include <stdlib.h>
#include <string.h>
#define ZLIB_CONST
#include <zlib.h>
#include <zstd.h>

#define BLOCK (128u << 10)  /* at least ZSTD_DStreamOutSize() */
#define BLOCK_HEAD 3        /* bytes, of zstd (RFC 8878) */
#define GZIP_ONLY (15 + 16) /* the greatest window; with gzip's head and check */
#define GZIP_MAGIC "\x1f\x8b"
#define ZSTD_MAGIC "\x28\xb5\x2f\xfd"

struct cli_inflate {
  ssize_t (*next)(void *self, const char **bytes, struct ck_err *err);
  void *self;
  z_stream gzip;
  ZSTD_DCtx *zstd; /* NULL: it is gzip */
  size_t want;     /* bytes that end the present block and begin the next; zstd only */
  const char *in;  /* in_n bytes that have come and are not unpacked */
  size_t in_n;
  int64_t came; /* bytes of the compressed file */
  bool inside;  /* a member has begun and not ended */
  bool full;    /* the last block was full: there may be more without further bytes */
  bool ended;
  struct ck_err fault;
  char out[BLOCK];
};

bool cli_inflate_is(struct ck_str head) {
  return ck_str_starts(head, GZIP_MAGIC) || ck_str_starts(head, ZSTD_MAGIC);
}

struct cli_inflate *
cli_inflate_new(struct ck_str head,
                ssize_t (*next)(void *self, const char **bytes, struct ck_err *err), void *self) {
  struct cli_inflate *z = ck_zalloc(sizeof *z);
  z->next = next;
  z->self = self;
  bool is_zstd = ck_str_starts(head, ZSTD_MAGIC);
  if (is_zstd && (z->zstd = ZSTD_createDCtx())) z->want = ZSTD_initDStream(z->zstd);
  bool made = is_zstd ? z->zstd != NULL : inflateInit2(&z->gzip, GZIP_ONLY) == Z_OK;
  if (!made) abort(); /* only memory can be lacking */
  return z;
}

void cli_inflate_free(struct cli_inflate **freed) {
  struct cli_inflate *z = *freed;
  if (!z) return;
  if (!z->zstd) inflateEnd(&z->gzip);
  ZSTD_freeDCtx(z->zstd);
  free(z);
  *freed = NULL;
}

/* ---- a step: unpacks to `out` what it can of `in`. NULL, or what is wrong ---- */

static const char *step_gzip(struct cli_inflate *z, size_t *got) {
  z->gzip.next_in = (const Bytef *)z->in;
  z->gzip.avail_in = (uInt)z->in_n;
  z->gzip.next_out = (Bytef *)z->out;
  z->gzip.avail_out = BLOCK;
  int rc = inflate(&z->gzip, Z_NO_FLUSH);
  size_t left = z->gzip.avail_in;
  z->inside = rc != Z_STREAM_END && (z->inside || left < z->in_n);
  z->in += z->in_n - left;
  z->in_n = left;
  *got = BLOCK - z->gzip.avail_out;
  if (rc == Z_STREAM_END) inflateReset(&z->gzip);
  if (rc == Z_OK || rc == Z_STREAM_END || rc == Z_BUF_ERROR) return NULL;
  return z->gzip.msg ? z->gzip.msg : zError(rc);
}

/* One block at a time, without the head of the next: of a call that fails, zstd gives nothing. */
static const char *step_zstd(struct cli_inflate *z, size_t *got) {
  size_t most = z->want > BLOCK_HEAD ? z->want - BLOCK_HEAD : z->want;
  ZSTD_inBuffer in = {z->in, most && most < z->in_n ? most : z->in_n, 0};
  ZSTD_outBuffer out = {z->out, BLOCK, 0};
  size_t rc = ZSTD_decompressStream(z->zstd, &out, &in);
  z->inside = rc != 0 && (z->inside || in.pos > 0);
  z->in += in.pos;
  z->in_n -= in.pos;
  *got = out.pos;
  if (!ZSTD_isError(rc)) z->want = rc ? rc : ZSTD_initDStream(z->zstd);
  return ZSTD_isError(rc) ? ZSTD_getErrorName(rc) : NULL;
}

static int step(struct cli_inflate *z, size_t *got, struct ck_err *err) {
  const char *wrong = z->zstd ? step_zstd(z, got) : step_gzip(z, got);
  z->full = *got == BLOCK;
  if (!wrong) return 0;
  return ck_fail(err, "the compressed data is damaged at byte %lld (%s)",
                 (long long)(z->came - (int64_t)z->in_n), wrong);
}

/* ---- reading ---- */

/* Zeroes after a member only fill the last block of a tape or a disk. */
static void skip_zeroes(struct cli_inflate *z) {
  for (; !z->inside && z->in_n && *z->in == '\0'; ++z->in) --z->in_n;
}

/* Gets more of the compressed file, if more is needed. */
static int fetch(struct cli_inflate *z, struct ck_err *err) {
  if (z->full || z->in_n) return 0;
  ssize_t n = z->next(z->self, &z->in, err);
  if (n < 0) return -1;
  z->in_n = (size_t)n;
  z->came += n;
  z->ended = n == 0;
  if (!z->ended || !z->inside) return 0;
  return ck_fail(err, "the compressed data is cut off at byte %lld", (long long)z->came);
}

ssize_t cli_inflate_read(struct cli_inflate *z, const char **bytes, struct ck_err *err) {
  size_t got = 0;
  *bytes = z->out;
  if (!z->fault.text[0])
    while (got == 0 && !z->ended) {
      if (fetch(z, &z->fault)) break;
      skip_zeroes(z);
      if ((z->in_n || z->full) && step(z, &got, &z->fault)) break;
    }
  if (got == 0 && z->fault.text[0]) return ck_fail(err, "%s", z->fault.text);
  return (ssize_t)got;
}

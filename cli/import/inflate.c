/* See inflate.h. */
#include "cli/import/inflate.h"

#include <lzma.h>
#include <stdlib.h>
#include <string.h>
#define ZLIB_CONST
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#define BLOCK (128u << 10)            /* at least ZSTD_DStreamOutSize() */
#define BLOCK_HEAD 3                  /* bytes, of zstd (RFC 8878) */
#define GZIP_ONLY (15 + 16)           /* the greatest window; with gzip's head and check */
#define XZ_MEMORY (UINT64_C(1) << 30) /* as much as libarchive allows */

struct codec;

struct cli_inflate {
  const struct codec *codec;
  ssize_t (*next)(void *self, const char **bytes, struct ck_err *err);
  void *self;
  z_stream gzip;
  lzma_stream xz;
  ZSTD_DCtx *zstd;
  size_t want;    /* bytes that end the present block and begin the next; zstd only */
  const char *in; /* in_n bytes that have come and are not unpacked */
  size_t in_n;
  int64_t came; /* bytes of the compressed file */
  bool inside;  /* a member has begun and not ended */
  bool full;    /* the last block was full: there may be more without further bytes */
  bool ended;
  struct ck_err fault;
  char out[BLOCK];
};

/* ---- a step: unpacks to `out` what it can of `in`. NULL, or what is wrong ---- */

/* What is left of the input and of the room for output. goes_on: the member has not ended. */
static void stepped(struct cli_inflate *z, size_t left, size_t room, bool goes_on, size_t *got) {
  z->inside = goes_on && (z->inside || left < z->in_n);
  z->in += z->in_n - left;
  z->in_n = left;
  *got = BLOCK - room;
}

static const char *step_gzip(struct cli_inflate *z, size_t *got) {
  z->gzip.next_in = (const Bytef *)z->in;
  z->gzip.avail_in = (uInt)z->in_n;
  z->gzip.next_out = (Bytef *)z->out;
  z->gzip.avail_out = BLOCK;
  int rc = inflate(&z->gzip, Z_NO_FLUSH);
  stepped(z, z->gzip.avail_in, z->gzip.avail_out, rc != Z_STREAM_END, got);
  if (rc == Z_MEM_ERROR) ck_no_memory();
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
  stepped(z, z->in_n - in.pos, BLOCK - out.pos, rc != 0, got);
  if (!ZSTD_isError(rc)) z->want = rc ? rc : ZSTD_initDStream(z->zstd);
  if (ZSTD_getErrorCode(rc) == ZSTD_error_memory_allocation) ck_no_memory();
  return ZSTD_isError(rc) ? ZSTD_getErrorName(rc) : NULL;
}

static bool open_xz(struct cli_inflate *z) {
  return lzma_stream_decoder(&z->xz, XZ_MEMORY, 0) == LZMA_OK;
}

static const char *step_xz(struct cli_inflate *z, size_t *got) {
  z->xz.next_in = (const uint8_t *)z->in;
  z->xz.avail_in = z->in_n;
  z->xz.next_out = (uint8_t *)z->out;
  z->xz.avail_out = BLOCK;
  lzma_ret rc = lzma_code(&z->xz, LZMA_RUN);
  stepped(z, z->xz.avail_in, z->xz.avail_out, rc != LZMA_STREAM_END, got);
  if (rc == LZMA_MEM_ERROR || (rc == LZMA_STREAM_END && !open_xz(z))) ck_no_memory();
  if (rc == LZMA_OK || rc == LZMA_STREAM_END || rc == LZMA_BUF_ERROR) return NULL;
  return rc == LZMA_MEMLIMIT_ERROR ? "it needs too much memory" : "data error";
}

/* ---- which they are ---- */

static bool open_gzip(struct cli_inflate *z) { return inflateInit2(&z->gzip, GZIP_ONLY) == Z_OK; }
static void close_gzip(struct cli_inflate *z) { inflateEnd(&z->gzip); }

static bool open_zstd(struct cli_inflate *z) {
  z->zstd = ZSTD_createDCtx();
  if (z->zstd) z->want = ZSTD_initDStream(z->zstd);
  return z->zstd != NULL;
}
static void close_zstd(struct cli_inflate *z) { ZSTD_freeDCtx(z->zstd); }

static void close_xz(struct cli_inflate *z) { lzma_end(&z->xz); }

static const struct codec {
  const char *magic;
  bool (*open)(struct cli_inflate *z); /* false: memory is lacking */
  const char *(*step)(struct cli_inflate *z, size_t *got);
  void (*close)(struct cli_inflate *z);
} codecs[] = {{"\x1f\x8b", open_gzip, step_gzip, close_gzip},
              {"\x28\xb5\x2f\xfd", open_zstd, step_zstd, close_zstd},
              {"\xfd"
               "7zXZ",
               open_xz, step_xz, close_xz}};

static const struct codec *codec_of(struct ck_str head) {
  for (size_t i = 0; i < sizeof codecs / sizeof *codecs; ++i)
    if (ck_str_starts(head, codecs[i].magic)) return &codecs[i];
  return NULL;
}

struct cli_inflate *
cli_inflate_new(struct ck_str head,
                ssize_t (*next)(void *self, const char **bytes, struct ck_err *err), void *self) {
  const struct codec *codec = codec_of(head);
  if (!codec) return NULL;
  struct cli_inflate *z = ck_zalloc(sizeof *z);
  z->codec = codec;
  z->next = next;
  z->self = self;
  if (!codec->open(z)) ck_no_memory();
  return z;
}

void cli_inflate_free(struct cli_inflate **freed) {
  struct cli_inflate *z = *freed;
  if (!z) return;
  z->codec->close(z);
  free(z);
  *freed = NULL;
}

/* ---- reading ---- */

static int step(struct cli_inflate *z, size_t *got, struct ck_err *err) {
  const char *wrong = z->codec->step(z, got);
  z->full = *got == BLOCK;
  if (!wrong) return 0;
  return ck_fail(err, "the compressed data is damaged at byte %lld (%s)",
                 (long long)(z->came - (int64_t)z->in_n), wrong);
}

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

/* Blocks: the originals of one import, gathered, compressed and sent to the store after what was
 * read from them (BLOCK in proto/wire.h). */
#ifndef INGEST_FILES_BLOCKS_H
#define INGEST_FILES_BLOCKS_H

#include "proto/originals.h"

/* A block is sent once it has so many bytes, uncompressed; a larger original is one by itself. */
#define INGEST_BLOCK_BYTES (256u << 10)
/* Bytes of a conversation's platform and id together; one with more is not named by its originals,
 * so that the list of a block fits into a changeset. */
#define INGEST_BLOCK_NAME (64u << 10)
#define INGEST_BLOCK_LEVEL 3 /* zstd's */

/* Zero-initialise; free with ingest_blocks_free. send gets the mutations of one changeset, to be
 * added to the spool. */
struct ingest_blocks {
  void (*send)(void *self, struct ck_str mutations);
  void *self;
  /* Where the compressor is that several share, because making one takes as long as compressing a
   * megabyte; NULL there: none is made yet. Their owner frees it with ingest_blocks_end_shared. */
  struct ZSTD_CCtx_s **shared;
  /* ---- its own ---- */
  struct ZSTD_CCtx_s *zstd; /* without a shared one */
  struct ck_buf raw,
      list;            /* of the block in the making: bytes, and entries of struct ck_original */
  uint32_t count;      /* entries */
  struct ck_buf noted; /* entries of originals whose bytes are there already */
  uint32_t noted_count;
  /* The original that is being read. */
  bool open;
  char id[CK_ORIGINAL_ID + 1];
  bool kept;           /* its bytes are there already */
  size_t at;           /* in raw, */
  struct ck_str bytes; /* unless it is a block by itself */
  struct ck_buf reader, platform, conversation;
  int64_t age;
  uint64_t log, lines, window;
  unsigned char chain[CK_ORIGINAL_CHAIN], chain_end[CK_ORIGINAL_CHAIN]; /* unless window is 0 */
  uint64_t messages, executions, missing;
};

/* The next original. bytes: as it came; they last until the end. reader, age: as in struct
 * ck_original; a conversation has its own. */
void ingest_blocks_begin(struct ingest_blocks *b, const char *id, struct ck_str bytes, bool kept,
                         const char *reader, int64_t age);
/* The id of the original that is being read; empty: none is. */
struct ck_str ingest_blocks_id(const struct ingest_blocks *b);
/* Its conversation. */
void ingest_blocks_conversation(struct ingest_blocks *b, struct ck_str platform, struct ck_str id,
                                int64_t age);
/* It is a run of a log, on which others depend: it is kept, whatever comes of it, which is not
 * counted. run: its log, lines, window and chains, which are copied. */
void ingest_blocks_log(struct ingest_blocks *b, const struct ck_original *run);
/* What came of it. missing: what is not there though it should be, or what cannot be counted: then
 * the original is never whole, and each import reads it again. */
void ingest_blocks_count(struct ingest_blocks *b, uint64_t messages, uint64_t executions,
                         uint64_t missing);
/* The original is read. One from which nothing came, not even a conversation, is dropped. */
void ingest_blocks_end(struct ingest_blocks *b);
/* Sends what is gathered. */
void ingest_blocks_flush(struct ingest_blocks *b);
void ingest_blocks_free(struct ingest_blocks *b);
/* How much memory is kept between two calls. */
size_t ingest_blocks_memory(const struct ingest_blocks *b);
void ingest_blocks_end_shared(struct ZSTD_CCtx_s **shared);

#endif

/* See blocks.h. */
#include "ingest/files/blocks.h"

#include <string.h>
#include <zstd.h>

#include "ingest/parse/breath.h"
#include "proto/wire.h"

/* ---- compressing ---- */

static void step(ZSTD_CCtx *zstd, ZSTD_inBuffer *in, struct ck_buf *out) {
  bool last = in->size - in->pos <= INGEST_BREATH_BYTES;
  ZSTD_inBuffer some = {(const char *)in->src + in->pos,
                        last ? in->size - in->pos : INGEST_BREATH_BYTES, 0};
  size_t room = last ? ZSTD_compressBound(some.size) : ZSTD_CStreamOutSize(), left;
  do {
    ZSTD_outBuffer to = {ck_buf_room(out, room), room, 0};
    left = ZSTD_compressStream2(zstd, &to, &some, last ? ZSTD_e_end : ZSTD_e_continue);
    if (ZSTD_isError(left)) ck_no_memory(); /* nothing else can be wrong */
    out->len += to.pos;
  } while (last ? left > 0 : some.pos < some.size);
  in->pos += some.size;
}

static ZSTD_CCtx *compressor(void) {
  ZSTD_CCtx *zstd = ZSTD_createCCtx();
  if (!zstd) ck_no_memory();
  ZSTD_CCtx_setParameter(zstd, ZSTD_c_compressionLevel, INGEST_BLOCK_LEVEL);
  ZSTD_CCtx_setParameter(zstd, ZSTD_c_checksumFlag, 1);
  return zstd;
}

static void compress(struct ingest_blocks *b, struct ck_buf *out, struct ck_str bytes) {
  ZSTD_inBuffer in = {bytes.s, bytes.n, 0};
  ZSTD_CCtx **zstd = b->shared ? b->shared : &b->zstd;
  if (!*zstd) *zstd = compressor();
  ZSTD_CCtx_setPledgedSrcSize(*zstd, bytes.n);
  ck_buf_clear(out);
  do {
    step(*zstd, &in, out);
    ingest_breathe();
  } while (in.pos < in.size);
}

/* ---- sending ---- */

static void send_one(struct ingest_blocks *b, const struct ck_block *block) {
  struct ck_buf mutations = {0};
  struct ck_mutation m = {.kind = CK_OP_BLOCK};
  m.as.block = *block;
  ck_put_array(&mutations, 1);
  ck_mutation_encode(&mutations, &m);
  b->send(b->self, ck_buf_view(&mutations));
  ck_buf_free(&mutations);
}

static struct ck_str as_array(struct ck_buf *array, const struct ck_buf *entries, uint32_t n) {
  ck_put_array(array, n);
  ck_buf_str(array, ck_buf_view(entries));
  return ck_buf_view(array);
}

/* Sends a block in its parts, each a changeset. */
static void send_block(struct ingest_blocks *b, struct ck_str data, size_t bytes,
                       const struct ck_buf *list, uint32_t n) {
  char id[CK_ORIGINAL_ID + 1];
  struct ck_buf originals = {0}, part = {0};
  struct ck_block block = {.parts = (data.n + CK_BLOCK_PART - 1) / CK_BLOCK_PART, .bytes = bytes};
  ck_original_id(id, data);
  block.block = ck_str_of(id);
  block.originals = as_array(&originals, list, n);
  for (size_t at = 0; at < data.n; at += CK_BLOCK_PART, ++block.part) {
    ck_buf_clear(&part);
    ck_put_bin(&part, (struct ck_str){data.s + at,
                                      data.n - at < CK_BLOCK_PART ? data.n - at : CK_BLOCK_PART});
    block.data = ck_buf_view(&part);
    send_one(b, &block);
    block.originals = (struct ck_str){0};
  }
  ck_buf_free(&originals);
  ck_buf_free(&part);
}

static void send_gathered(struct ingest_blocks *b) {
  struct ck_buf data = {0};
  if (!b->count) return;
  compress(b, &data, ck_buf_view(&b->raw));
  send_block(b, ck_buf_view(&data), b->raw.len, &b->list, b->count);
  ck_buf_free(&data);
  ck_buf_clear(&b->raw);
  ck_buf_clear(&b->list);
  b->count = 0;
}

static void send_noted(struct ingest_blocks *b) {
  struct ck_buf originals = {0};
  if (!b->noted_count) return;
  const struct ck_block block = {.originals = as_array(&originals, &b->noted, b->noted_count)};
  send_one(b, &block);
  ck_buf_free(&originals);
  ck_buf_clear(&b->noted);
  b->noted_count = 0;
}

void ingest_blocks_flush(struct ingest_blocks *b) {
  send_gathered(b);
  send_noted(b);
  ck_buf_free(&b->raw);
  ck_buf_free(&b->list);
  ck_buf_free(&b->noted);
}

/* ---- an original ---- */

static void set(struct ck_buf *b, struct ck_str text) {
  ck_buf_clear(b);
  ck_buf_str(b, text);
}

/* Is it a block by itself? */
static bool is_large(const struct ingest_blocks *b) { return b->bytes.n >= INGEST_BLOCK_BYTES; }

void ingest_blocks_begin(struct ingest_blocks *b, const char *id, struct ck_str bytes, bool kept,
                         const char *reader, int64_t age) {
  b->open = true;
  memcpy(b->id, id, sizeof b->id);
  b->kept = kept;
  b->at = b->raw.len;
  b->bytes = bytes;
  b->age = age;
  b->log = b->lines = b->window = 0;
  b->messages = b->executions = b->missing = 0;
  set(&b->reader, ck_str_of(reader));
  set(&b->platform, (struct ck_str){0});
  set(&b->conversation, (struct ck_str){0});
  if (!kept && !is_large(b)) ck_buf_str(&b->raw, bytes);
}

struct ck_str ingest_blocks_id(const struct ingest_blocks *b) {
  return b->open ? ck_str_of(b->id) : (struct ck_str){0};
}

void ingest_blocks_conversation(struct ingest_blocks *b, struct ck_str platform, struct ck_str id,
                                int64_t age) {
  bool fits = platform.n + id.n <= INGEST_BLOCK_NAME;
  set(&b->platform, fits ? platform : (struct ck_str){0});
  set(&b->conversation, fits ? id : (struct ck_str){0});
  b->age = age;
}

void ingest_blocks_log(struct ingest_blocks *b, const struct ck_original *run) {
  b->log = run->log;
  b->lines = run->lines;
  b->window = run->window;
  if (!run->window) return;
  memcpy(b->chain, run->chain.s, sizeof b->chain);
  memcpy(b->chain_end, run->chain_end.s, sizeof b->chain_end);
}

void ingest_blocks_count(struct ingest_blocks *b, uint64_t messages, uint64_t executions,
                         uint64_t missing) {
  b->messages += messages;
  b->executions += executions;
  b->missing += missing;
}

static struct ck_str chain_of(const struct ingest_blocks *b, const unsigned char *chain) {
  return (struct ck_str){(const char *)chain, b->window ? CK_ORIGINAL_CHAIN : 0};
}

static void add_entry(const struct ingest_blocks *b, struct ck_buf *list, size_t at) {
  bool named = b->platform.len && b->conversation.len;
  const struct ck_original original = {
      .id = ck_str_of(b->id),
      .at = at,
      .bytes = b->bytes.n,
      .platform = named ? ck_buf_view(&b->platform) : (struct ck_str){0},
      .conversation = named ? ck_buf_view(&b->conversation) : (struct ck_str){0},
      .age = b->age,
      .reader = ck_buf_view(&b->reader),
      .messages = b->log ? 0 : b->messages + b->missing,
      .executions = b->log ? 0 : b->executions,
      .log = b->log,
      .lines = b->lines,
      .window = b->window,
      .chain = chain_of(b, b->chain),
      .chain_end = chain_of(b, b->chain_end)};
  ck_original_encode(list, &original);
}

/* It is compressed when all else that reading it took is gone. */
static void end_large(struct ingest_blocks *b) {
  struct ck_buf data = {0}, list = {0};
  if (b->log) send_gathered(b); /* in the order of the log */
  compress(b, &data, b->bytes);
  add_entry(b, &list, 0);
  send_block(b, ck_buf_view(&data), b->bytes.n, &list, 1);
  ck_buf_free(&list);
  ck_buf_free(&data);
}

void ingest_blocks_end(struct ingest_blocks *b) {
  bool gave = b->log || b->messages + b->executions + b->missing > 0;
  b->open = false;
  /* Of a conversation without messages none tells that it is there, so it is read each time. */
  b->missing += !gave && b->conversation.len;
  if (!gave && !b->missing) {
    b->raw.len = b->at;
  } else if (b->kept) {
    add_entry(b, &b->noted, 0);
    ++b->noted_count;
  } else if (is_large(b)) {
    end_large(b);
  } else {
    add_entry(b, &b->list, b->at);
    ++b->count;
  }
  if (b->raw.len >= INGEST_BLOCK_BYTES || b->list.len >= INGEST_BLOCK_BYTES) send_gathered(b);
  if (b->noted.len >= INGEST_BLOCK_BYTES) send_noted(b);
}

void ingest_blocks_end_shared(ZSTD_CCtx **shared) {
  ZSTD_freeCCtx(*shared);
  *shared = NULL;
}

size_t ingest_blocks_memory(const struct ingest_blocks *b) {
  return b->raw.cap + b->list.cap + b->noted.cap + b->reader.cap + b->platform.cap +
         b->conversation.cap;
}

void ingest_blocks_free(struct ingest_blocks *b) {
  ZSTD_freeCCtx(b->zstd);
  b->zstd = NULL;
  ck_buf_free(&b->raw);
  ck_buf_free(&b->list);
  ck_buf_free(&b->noted);
  ck_buf_free(&b->reader);
  ck_buf_free(&b->platform);
  ck_buf_free(&b->conversation);
}

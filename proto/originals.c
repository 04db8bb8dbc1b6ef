/* See originals.h. */
#include "proto/originals.h"

#include <string.h>

#include "proto/sha256.h"

void ck_original_id(char id[CK_ORIGINAL_ID + 1], struct ck_str bytes) {
  char hex[CK_SHA256_HEX + 1];
  struct ck_sha256 hash;
  ck_sha256_begin(&hash);
  ck_sha256_add(&hash, bytes);
  ck_sha256_end_hex(&hash, hex);
  memcpy(id, hex, CK_ORIGINAL_ID);
  id[CK_ORIGINAL_ID] = '\0';
}

bool ck_original_is_id(struct ck_str s) { return s.n == CK_ORIGINAL_ID && ck_str_is_hex(s); }

void ck_original_chain(unsigned char chain[CK_ORIGINAL_CHAIN], struct ck_str line) {
  unsigned char all[CK_SHA256_BYTES];
  struct ck_sha256 hash;
  ck_sha256_begin(&hash);
  ck_sha256_add(&hash, (struct ck_str){(const char *)chain, CK_ORIGINAL_CHAIN});
  ck_sha256_add(&hash, line);
  ck_sha256_end(&hash, all);
  memcpy(chain, all, CK_ORIGINAL_CHAIN);
}

void ck_original_encode(struct ck_buf *b, const struct ck_original *o) {
  ck_put_array(b, 14);
  ck_put_str(b, o->id);
  ck_put_uint(b, o->at);
  ck_put_uint(b, o->bytes);
  ck_put_str(b, o->platform);
  ck_put_str(b, o->conversation);
  ck_put_int(b, o->age);
  ck_put_str(b, o->reader);
  ck_put_uint(b, o->messages);
  ck_put_uint(b, o->executions);
  ck_put_uint(b, o->log);
  ck_put_uint(b, o->lines);
  ck_put_uint(b, o->window);
  ck_put_bin(b, o->chain);
  ck_put_bin(b, o->chain_end);
}

static bool read_original(struct ck_reader *r, struct ck_original *o) {
  uint32_t n;
  return ck_read_array(r, &n) == 0 && n == 14 && ck_read_str(r, &o->id) == 0 &&
         ck_read_uint(r, &o->at) == 0 && ck_read_uint(r, &o->bytes) == 0 &&
         ck_read_str(r, &o->platform) == 0 && ck_read_str(r, &o->conversation) == 0 &&
         ck_read_int(r, &o->age) == 0 && ck_read_str(r, &o->reader) == 0 &&
         ck_read_uint(r, &o->messages) == 0 && ck_read_uint(r, &o->executions) == 0 &&
         ck_read_uint(r, &o->log) == 0 && ck_read_uint(r, &o->lines) == 0 &&
         ck_read_uint(r, &o->window) == 0 && ck_read_bin(r, &o->chain) == 0 &&
         ck_read_bin(r, &o->chain_end) == 0;
}

int ck_original_decode(struct ck_reader *r, struct ck_original *o, struct ck_err *err) {
  if (!read_original(r, o))
    return ck_fail(err, "must be [id, at, bytes, platform, conversation, age, reader, messages, "
                        "executions, log, lines, window, chain, chain_end]");
  if (!ck_original_is_id(o->id)) return ck_fail(err, "id: must be 32 hexadecimal digits");
  if (o->reader.n == 0) return ck_fail(err, "reader: must not be empty");
  size_t chain = o->window ? CK_ORIGINAL_CHAIN : 0;
  if (o->chain.n != chain || o->chain_end.n != chain)
    return ck_fail(err, "chain, chain_end: must be of %zu bytes", chain);
  return 0;
}

void ck_kept_encode(struct ck_buf *b, const struct ck_kept *kept) {
  ck_put_array(b, 4);
  ck_put_uint(b, (uint64_t)kept->state);
  ck_put_uint(b, kept->messages);
  ck_put_uint(b, kept->executions);
  ck_put_int(b, kept->age);
}

int ck_kept_decode(struct ck_reader *r, struct ck_kept *kept, struct ck_err *err) {
  uint32_t n;
  uint64_t state;
  bool whole = ck_read_array(r, &n) == 0 && n == 4 && ck_read_uint(r, &state) == 0 &&
               state < CK_KEPT_STATES && ck_read_uint(r, &kept->messages) == 0 &&
               ck_read_uint(r, &kept->executions) == 0 && ck_read_int(r, &kept->age) == 0;
  if (!whole) return ck_fail(err, "must be [state, messages, executions, age]");
  kept->state = (enum ck_kept_state)state;
  return 0;
}

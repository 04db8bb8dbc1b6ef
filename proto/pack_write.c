/* Writes MessagePack. */
#include "proto/pack.h"

#include <msgpack.h>
#include <string.h>

static int into_buf(void *buf, const char *data, size_t n) {
  ck_buf_add(buf, data, n);
  return 0;
}

/* Text and integers make up nearly all of a record, and of the feed. They are written here, because
 * msgpack-c makes a callback for every piece. */
static char *write_lead(char *to, unsigned lead, uint64_t number, unsigned width) {
  *to++ = (char)(unsigned char)lead;
  for (unsigned i = width; i-- > 0;) *to++ = (char)(unsigned char)(number >> 8 * i);
  return to;
}

char *ck_write_nil(char *to) { return write_lead(to, 0xc0, 0, 0); }

char *ck_write_int(char *to, int64_t v) {
  uint64_t u = (uint64_t)v;
  if (v >= -32 && v < 128) return write_lead(to, (unsigned)(u & 0xff), 0, 0);
  if (v >= 0) {
    if (v <= UINT8_MAX) return write_lead(to, 0xcc, u, 1);
    if (v <= UINT16_MAX) return write_lead(to, 0xcd, u, 2);
    return v <= UINT32_MAX ? write_lead(to, 0xce, u, 4) : write_lead(to, 0xcf, u, 8);
  }
  if (v >= INT8_MIN) return write_lead(to, 0xd0, u, 1);
  if (v >= INT16_MIN) return write_lead(to, 0xd1, u, 2);
  return v >= INT32_MIN ? write_lead(to, 0xd2, u, 4) : write_lead(to, 0xd3, u, 8);
}

char *ck_write_str(char *to, struct ck_str s) {
  if (s.n < 32)
    to = write_lead(to, 0xa0 | (unsigned)s.n, 0, 0);
  else if (s.n <= UINT8_MAX)
    to = write_lead(to, 0xd9, s.n, 1);
  else
    to = s.n <= UINT16_MAX ? write_lead(to, 0xda, s.n, 2) : write_lead(to, 0xdb, s.n, 4);
  if (s.n) memcpy(to, s.s, s.n);
  return to + s.n;
}

static msgpack_packer packer_of(struct ck_buf *b) {
  msgpack_packer pk;
  msgpack_packer_init(&pk, b, into_buf);
  return pk;
}

void ck_put_nil(struct ck_buf *b) { b->len = (size_t)(ck_write_nil(ck_buf_room(b, 1)) - b->data); }

void ck_put_bool(struct ck_buf *b, bool v) {
  msgpack_packer pk = packer_of(b);
  if (v)
    msgpack_pack_true(&pk);
  else
    msgpack_pack_false(&pk);
}

void ck_put_int(struct ck_buf *b, int64_t v) {
  b->len = (size_t)(ck_write_int(ck_buf_room(b, 9), v) - b->data);
}

void ck_put_uint(struct ck_buf *b, uint64_t v) {
  msgpack_packer pk = packer_of(b);
  msgpack_pack_uint64(&pk, v);
}

void ck_put_float(struct ck_buf *b, double v) {
  msgpack_packer pk = packer_of(b);
  msgpack_pack_double(&pk, v);
}

void ck_put_str(struct ck_buf *b, struct ck_str s) {
  b->len = (size_t)(ck_write_str(ck_buf_room(b, 5 + s.n), s) - b->data);
}

void ck_put_text(struct ck_buf *b, const char *terminated) { ck_put_str(b, ck_str_of(terminated)); }

void ck_put_bin(struct ck_buf *b, struct ck_str bytes) {
  msgpack_packer pk = packer_of(b);
  msgpack_pack_bin(&pk, bytes.n);
  ck_buf_str(b, bytes);
}

void ck_put_array(struct ck_buf *b, uint32_t n) {
  msgpack_packer pk = packer_of(b);
  msgpack_pack_array(&pk, n);
}

void ck_put_map(struct ck_buf *b, uint32_t n) {
  msgpack_packer pk = packer_of(b);
  msgpack_pack_map(&pk, n);
}

void ck_put_raw(struct ck_buf *b, struct ck_str value) { ck_buf_str(b, value); }

size_t ck_open_array(struct ck_buf *b) {
  size_t at = b->len;
  ck_buf_add(b, (const unsigned char[]){0xdd, 0, 0, 0, 0}, 5);
  return at;
}

void ck_close_array(struct ck_buf *b, size_t opened, uint32_t n) {
  for (unsigned i = 0; i < 4; i++)
    b->data[opened + 1 + i] = (char)(unsigned char)(n >> (24 - 8 * i));
}

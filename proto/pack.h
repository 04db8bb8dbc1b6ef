/* MessagePack: writing through msgpack-c, reading through a bounded cursor that copies nothing.
 *
 * Frames come from sockets. A reader never leaves its bytes, whatever they are, and no length or
 * count that it gives exceeds what is left of them. ck_scan() says beforehand that they are exactly
 * one value, no deeper than CK_DEPTH_MAX. msgpack-c's own unpacker trusts counts (5 bytes reserve 4
 * GB), which is why reading does not use it.
 */
#ifndef CK_PROTO_PACK_H
#define CK_PROTO_PACK_H

#include "proto/error.h"
#include "proto/text.h"

#define CK_DEPTH_MAX 48
#define CK_FRAME_MAX (8u << 20) /* bytes; the doors drop what is larger, so senders check first */

/* ---- reading ---- */

/* 0 when data is exactly one whole value within the bounds, else -1 and the byte offset in err. */
int ck_scan(const void *data, size_t n, struct ck_err *err);

enum ck_type {
  CK_T_NIL,
  CK_T_BOOL,
  CK_T_INT,
  CK_T_UINT,
  CK_T_FLOAT,
  CK_T_STR,
  CK_T_BIN,
  CK_T_ARRAY,
  CK_T_MAP,
  CK_T_EXT
};

/* CK_T_UINT only for what does not fit int64_t. For ARRAY and MAP, n is the count of elements or
 * pairs, which follow. */
struct ck_item {
  enum ck_type type;
  union {
    bool b;
    int64_t i;
    uint64_t u;
    double f;
    struct ck_str str; /* STR, BIN, EXT */
    uint32_t n;
  } as;
};

/* A cursor over bytes. */
struct ck_reader {
  const unsigned char *p, *end;
};

struct ck_reader ck_reader_of(struct ck_str bytes);
struct ck_str ck_reader_rest(struct ck_reader r); /* what is still to be read */
int ck_read(struct ck_reader *r,
            struct ck_item *item); /* 0, or -1 at the end or where bytes are missing */
int ck_read_raw(struct ck_reader *r,
                struct ck_str *value); /* the next whole value's bytes, unread */
int ck_read_array(struct ck_reader *r,
                  uint32_t *n); /* -1 when it is something else; likewise below */
int ck_read_map(struct ck_reader *r, uint32_t *n);
int ck_read_str(struct ck_reader *r, struct ck_str *s);
/* Text of 1 to 31 bytes that is expected: true and the reader behind it where it comes next, in its
 * shortest form; else the reader stays. */
bool ck_read_this(struct ck_reader *r, struct ck_str text);
int ck_read_int(struct ck_reader *r, int64_t *i);
int ck_read_uint(struct ck_reader *r, uint64_t *u);

/* Appends the value as JSON text: BIN and EXT as a hex string, what is no number as null, a map key
 * that is no text as its JSON text in quotes. -1 at the end, for text that is not UTF-8, below
 * CK_DEPTH_MAX and for a key that is an array or a map; r and json are then as they were. */
int ck_read_json(struct ck_reader *r, struct ck_buf *json);

/* ---- writing: appends to buf ---- */
void ck_put_nil(struct ck_buf *b);
void ck_put_bool(struct ck_buf *b, bool v);
void ck_put_int(struct ck_buf *b, int64_t v);
void ck_put_uint(struct ck_buf *b, uint64_t v);
void ck_put_float(struct ck_buf *b, double v);
void ck_put_str(struct ck_buf *b, struct ck_str s);
void ck_put_text(struct ck_buf *b, const char *terminated);
void ck_put_array(struct ck_buf *b, uint32_t n);
void ck_put_map(struct ck_buf *b, uint32_t n);
void ck_put_raw(struct ck_buf *b, struct ck_str value); /* an already encoded value */

/* The same, unchecked, where the caller has made room for it: 1 byte, 9, 5 and the text's. They
 * return what is behind. */
char *ck_write_nil(char *to);
char *ck_write_int(char *to, int64_t v);
char *ck_write_str(char *to, struct ck_str s);

/* An array whose count is known only at the end (a map: proto/map.h): open reserves five bytes,
 * close writes the count there. */
size_t ck_open_array(struct ck_buf *b);
void ck_close_array(struct ck_buf *b, size_t opened, uint32_t n);

#endif

/* MessagePack: values are appended to a buffer, and read through a cursor that copies nothing.
 *
 * What is read comes from sockets. Whatever the bytes are, a reader stays within them, and no
 * length or count that it returns exceeds what is left. ck_scan() tells beforehand whether they are
 * exactly one value, nested at most CK_DEPTH_MAX deep. msgpack-c writes (most of it), but does not
 * read: its unpacker trusts counts, so 5 bytes can make it reserve 4 GB.
 *
 * Maps by name: proto/map.h.
 */
#ifndef CK_PROTO_PACK_H
#define CK_PROTO_PACK_H

#include "proto/error.h"
#include "proto/text.h"

#define CK_DEPTH_MAX 48
#define CK_FRAME_MAX (8u << 20) /* bytes; receivers drop larger frames, so senders check first */

/* ---- reading ---- */

/* 0 when the n bytes are exactly one whole value, at most CK_DEPTH_MAX deep. Else -1, and err says
 * what is wrong at which byte. Text is not checked for UTF-8. */
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

/* CK_T_UINT is only for numbers above INT64_MAX. After an ARRAY or MAP its n elements or pairs
 * follow, to be read next. */
struct ck_item {
  enum ck_type type;
  union {
    bool b;
    int64_t i;
    uint64_t u;
    double f;
    struct ck_str str; /* STR, BIN, EXT: a view */
    uint32_t n;
  } as;
};

/* A cursor over bytes. */
struct ck_reader {
  const unsigned char *p, *end;
};

/* A reader at the beginning of bytes, which must outlive it and everything it returns. */
struct ck_reader ck_reader_of(struct ck_str bytes);
/* The bytes that are still to be read. */
struct ck_str ck_reader_rest(struct ck_reader r);

/* All of these read the next value and move on: 0. Or -1, and the reader stays where it is: there
 * is no further value, bytes are missing, or it is of another type. */

/* Any value; of an array or map only its head. */
int ck_read(struct ck_reader *r, struct ck_item *item);
/* Any value with everything in it, as its encoded bytes. */
int ck_read_raw(struct ck_reader *r, struct ck_str *value);
/* The head of an array or map: how many elements or pairs follow. */
int ck_read_array(struct ck_reader *r, uint32_t *n);
int ck_read_map(struct ck_reader *r, uint32_t *n);
/* Text. Not checked for UTF-8. */
int ck_read_str(struct ck_reader *r, struct ck_str *s);
/* Bytes, of the type that MessagePack has for them. */
int ck_read_bin(struct ck_reader *r, struct ck_str *bytes);
/* An integer that fits. */
int ck_read_int(struct ck_reader *r, int64_t *i);
int ck_read_uint(struct ck_reader *r, uint64_t *u);
/* Any value, appended as JSON text: BIN and EXT as a hex string, NaN and infinities as null, a map
 * key that is not text as its JSON text in quotes. Also -1 for text that is not UTF-8, for nesting
 * deeper than CK_DEPTH_MAX, and for a key that is an array or a map; json is then unchanged. */
int ck_read_json(struct ck_reader *r, struct ck_buf *json);

/* True, and moves on, when the next value is exactly this text (1 to 31 bytes) in its shortest
 * form. Faster than ck_read_str where one text is expected. */
bool ck_read_this(struct ck_reader *r, struct ck_str text);

/* ---- writing: each appends one value to b ---- */

void ck_put_nil(struct ck_buf *b);
void ck_put_bool(struct ck_buf *b, bool v);
void ck_put_int(struct ck_buf *b, int64_t v);
void ck_put_uint(struct ck_buf *b, uint64_t v);
void ck_put_float(struct ck_buf *b, double v);
void ck_put_str(struct ck_buf *b, struct ck_str s);
void ck_put_text(struct ck_buf *b, const char *terminated);
void ck_put_bin(struct ck_buf *b, struct ck_str bytes);
/* The head; n elements or pairs must follow. */
void ck_put_array(struct ck_buf *b, uint32_t n);
void ck_put_map(struct ck_buf *b, uint32_t n);
/* A value that is already encoded. */
void ck_put_raw(struct ck_buf *b, struct ck_str value);

/* The same into memory that the caller has made large enough: 1 byte for nil, 9 for an integer, 5
 * and its length for text. They return the end of what they wrote. */
char *ck_write_nil(char *to);
char *ck_write_int(char *to, int64_t v);
char *ck_write_str(char *to, struct ck_str s);

/* An array whose length is known only at its end (for a map: proto/map.h). Opening reserves 5 bytes
 * and returns their place; closing writes the length n there. */
size_t ck_open_array(struct ck_buf *b);
void ck_close_array(struct ck_buf *b, size_t opened, uint32_t n);

#endif

/* SHA-256, by which contents are known: what has the same hash is the same. */
#ifndef CK_PROTO_SHA256_H
#define CK_PROTO_SHA256_H

#include "proto/text.h"

#define CK_SHA256_BYTES 32
#define CK_SHA256_HEX 64 /* digits, lower case */

/* A hash in the making. It may be copied, and needs no end. */
struct ck_sha256 {
  _Alignas(8) unsigned char state[128];
};

void ck_sha256_begin(struct ck_sha256 *h);
void ck_sha256_add(struct ck_sha256 *h, struct ck_str bytes);
/* The hash of all that was added; h begins again. */
void ck_sha256_end(struct ck_sha256 *h, unsigned char hash[CK_SHA256_BYTES]);
/* The same in hexadecimal digits, terminated. */
void ck_sha256_end_hex(struct ck_sha256 *h, char hex[CK_SHA256_HEX + 1]);

/* True for 64 hexadecimal digits in lower case. */
bool ck_sha256_is_hex(struct ck_str s);

#endif

/* A digest of the records in a range of keys: how many there are, and two sums. The store and a
 * mirror compare digests first, and rows only where those differ.
 *
 * `sum` adds up the records' versions. `mix` adds up the product of each key's hash and version: it
 * also changes when two records swap their versions, or when a record gets another key, which leave
 * count and sum as they were.
 *
 * D1 has no hash function, so this one is plain arithmetic that any SQL can do
 * (syncd/sql/mirror.h), modulo a prime below 2^31: no product exceeds 63 bits, and no sum over
 * millions of records exceeds the 53 bits that a JSON number keeps.
 */
#ifndef CK_PROTO_DIGEST_H
#define CK_PROTO_DIGEST_H

#include "proto/text.h"

#define CK_DIGEST_PRIME 2147483647
/* The hash reads a key in pieces of 7 bytes, big-endian; the last piece may be shorter. Of the
 * bytes after the 32nd piece only their number counts. */
#define CK_DIGEST_PIECE 7
#define CK_DIGEST_PIECES 32

/* Zero-initialised, it is the digest of no records. */
struct ck_digest {
  uint64_t count;
  int64_t sum, mix;
};

/* The factor of piece number i, from 0; for CK_DIGEST_PIECES, the factor of the key's length. */
int64_t ck_digest_weight(int piece);

/* Adds one record. The order of records does not matter. version: not negative. */
void ck_digest_add(struct ck_digest *d, struct ck_str key, int64_t version);
/* True when all three numbers are equal. */
bool ck_digest_eq(const struct ck_digest *a, const struct ck_digest *b);

#endif

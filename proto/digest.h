/* What two sides compare before they compare rows: of the records in a range of keys, how many
 * there are and two sums.
 *
 * `sum` adds up the versions, `mix` the products of each key's hash with its version: two records
 * that swapped their versions, or one whose key another one has now, leave the count and the sum as
 * they were. D1 has no hash function, so this one is plain arithmetic that any SQL can do
 * (syncd/sql/mirror.h): modulo a prime below 2^31, so that no product leaves 63 bits and no sum of
 * millions the 53 that a JSON number keeps.
 */
#ifndef CK_PROTO_DIGEST_H
#define CK_PROTO_DIGEST_H

#include "proto/text.h"

#define CK_DIGEST_PRIME 2147483647
/* A key is read in pieces of 7 bytes, big-endian, the last as it is; bytes behind the last piece
 * count by their number only. */
#define CK_DIGEST_PIECE 7
#define CK_DIGEST_PIECES 32

struct ck_digest {
  uint64_t count;
  int64_t sum, mix;
};

/* What piece number i (from 0) is multiplied with; CK_DIGEST_PIECES: what the length is. */
int64_t ck_digest_weight(int piece);

void ck_digest_add(struct ck_digest *d, struct ck_str key, int64_t version);
bool ck_digest_eq(const struct ck_digest *a, const struct ck_digest *b);

#endif

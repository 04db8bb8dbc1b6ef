/* The digest's arithmetic. syncd/sql/ has the same in SQL: change both or neither. */
#include "proto/digest.h"

#define FACTOR 48271

int64_t ck_digest_weight(int piece) {
  int64_t weight = FACTOR;
  for (int i = 0; i < piece; ++i) weight = weight * FACTOR % CK_DIGEST_PRIME;
  return weight;
}

static int64_t hash(struct ck_str key) {
  int64_t h = 0, weight = FACTOR;
  size_t at = 0;
  for (int i = 0; i < CK_DIGEST_PIECES; ++i) {
    int64_t piece = 0;
    for (size_t end = at + CK_DIGEST_PIECE; at < end && at < key.n; ++at)
      piece = piece << 8 | (unsigned char)key.s[at];
    h += piece % CK_DIGEST_PRIME * weight % CK_DIGEST_PRIME;
    weight = weight * FACTOR % CK_DIGEST_PRIME;
  }
  return (h + (int64_t)key.n * weight) % CK_DIGEST_PRIME;
}

void ck_digest_add(struct ck_digest *d, struct ck_str key, int64_t version) {
  int64_t v = version % CK_DIGEST_PRIME;
  ++d->count;
  d->sum += v;
  d->mix += hash(key) * (v + 1) % CK_DIGEST_PRIME;
}

bool ck_digest_eq(const struct ck_digest *a, const struct ck_digest *b) {
  return a->count == b->count && a->sum == b->sum && a->mix == b->mix;
}

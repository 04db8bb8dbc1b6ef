/* See bloom.h. */
#include "store/keys/bloom.h"

#define BITS 7
/* A block has 512 bits: nine bits of a number choose one. */
#define PLACE 9

/* FNV-1a, then the last steps of SplitMix64: every bit of the hash depends on every byte. */
uint64_t bloom_hash(struct ck_str key) {
  uint64_t h = 14695981039346656037u;
  for (size_t i = 0; i < key.n; ++i) h = (h ^ (unsigned char)key.s[i]) * 1099511628211u;
  h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9u;
  h = (h ^ (h >> 27)) * 0x94d049bb133111ebu;
  return h ^ (h >> 31);
}

size_t bloom_block(size_t bytes, uint64_t hash) {
  uint64_t blocks = bytes / BLOOM_BLOCK;
  return (size_t)((hash >> 32) * blocks >> 32) * BLOOM_BLOCK;
}

/* The places of the bits within the block, made of other bits than those that chose the block. */
static uint64_t places(uint64_t hash) { return (hash * 0x9e3779b97f4a7c15u) >> 1; }

void bloom_add(unsigned char *bits, size_t bytes, uint64_t hash) {
  unsigned char *block = bits + bloom_block(bytes, hash);
  uint64_t p = places(hash);
  for (int i = 0; i < BITS; ++i, p >>= PLACE)
    block[(p >> 3) & (BLOOM_BLOCK - 1)] |= (unsigned char)(1u << (p & 7));
}

bool bloom_perhaps(const unsigned char *bits, size_t bytes, uint64_t hash) {
  const unsigned char *block = bits + bloom_block(bytes, hash);
  uint64_t p = places(hash);
  for (int i = 0; i < BITS; ++i, p >>= PLACE)
    if (!(block[(p >> 3) & (BLOOM_BLOCK - 1)] & (1u << (p & 7)))) return false;
  return true;
}

/* A Bloom filter: says that a key was certainly never added, or that it may have been. It never
 * denies a key that was added.
 *
 * Blocked: all seven bits of a key are in one block of 64 bytes, so that a lookup costs one cache
 * line. With 16 bits a key, about one in a thousand keys that were not added is taken for one that
 * was. The bits are stored (filter.h), so neither the hash nor the place of a bit may ever change.
 * Pure. */
#ifndef CK_STORE_KEYS_BLOOM_H
#define CK_STORE_KEYS_BLOOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/text.h"

#define BLOOM_BLOCK 64u /* bytes */

/* The hash that the functions below take. */
uint64_t bloom_hash(struct ck_str key);

/* bits: `bytes` of them, a multiple of BLOOM_BLOCK, all 0 at first. A higher hash never selects a
 * lower block, whatever `bytes` is. */
void bloom_add(unsigned char *bits, size_t bytes, uint64_t hash);
bool bloom_perhaps(const unsigned char *bits, size_t bytes, uint64_t hash);
/* The offset of the hash's block. */
size_t bloom_block(size_t bytes, uint64_t hash);

#endif

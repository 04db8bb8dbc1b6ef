/* A Bloom filter: says of a key that it was never added, or that it perhaps was. It never says "not there" of one that was.
 *
 * Blocked: a key's seven bits lie in one block of 64 bytes, so that a look costs memory once. With 16 bits a key it is wrong about one key of a thousand that
 * is not there. The bits are stored (store/filter.h), so neither the hash nor the place of a bit may ever change. Pure: it calls nothing, and owns nothing.
 */
#ifndef CK_STORE_BLOOM_H
#define CK_STORE_BLOOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/text.h"

#define BLOOM_BLOCK 64u

uint64_t bloom_hash(struct ck_str key);

/* bits: `bytes` of them, a multiple of BLOOM_BLOCK, all 0 at first. Hashes in ascending order lie in blocks in ascending order, however many there are. */
void bloom_add(unsigned char *bits, size_t bytes, uint64_t hash);
bool bloom_perhaps(const unsigned char *bits, size_t bytes, uint64_t hash);
/* Where the hash's block begins. */
size_t bloom_block(size_t bytes, uint64_t hash);

#endif

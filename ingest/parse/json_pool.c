/* Pieces are cut from blocks, one after another. A freed piece waits in the list of its size; when
 * none is in use any more, the blocks are cut from their beginning again. */
#include "ingest/parse/json_pool.h"

#include <stdlib.h>
#include <string.h>

#include "proto/text.h"

#define UNIT 16 /* sizes of pieces, and what malloc aligns to */
#define HEAD sizeof(size_t)
#define SIZES 33 /* the largest piece has SIZES - 1 units, its head included */
#define BLOCK_BYTES (64u << 10)
#define KEPT 16 /* blocks */

/* Its bytes begin HEAD bytes after a multiple of UNIT, so what follows a head is aligned. */
struct block {
  struct block *next;
  char bytes[BLOCK_BYTES];
};

/* The head of a piece says how many units it has; 0: it came from malloc. A freed one has the next
 * of its list after the head. */
static struct {
  struct block *used, *spare;
  size_t spares, in_use;
  char *at, *end;
  void *freed[SIZES];
} pool;

static void *take_block(void) {
  struct block *b = pool.spare;
  if (b) {
    pool.spare = b->next;
    --pool.spares;
  } else {
    b = ck_alloc(sizeof *b);
  }
  b->next = pool.used;
  pool.used = b;
  pool.end = b->bytes + sizeof b->bytes;
  return b->bytes;
}

static void *with_head(char *piece, size_t units) {
  memcpy(piece, &units, HEAD);
  return piece + HEAD;
}

static void *cut(size_t units) {
  size_t bytes = units * UNIT;
  if ((size_t)(pool.end - pool.at) < bytes) pool.at = take_block();
  char *piece = pool.at;
  pool.at += bytes;
  return with_head(piece, units);
}

void *ingest_json_pool_alloc(size_t n) {
  size_t units = n / UNIT + (n % UNIT + HEAD + UNIT - 1) / UNIT;
  ++pool.in_use;
  if (units >= SIZES) return with_head((char *)ck_alloc(n + UNIT) + UNIT - HEAD, 0);
  void *p = pool.freed[units];
  if (!p) return cut(units);
  memcpy(&pool.freed[units], p, sizeof p);
  return p;
}

/* Nothing is in use. */
static void begin_again(void) {
  while (pool.used) {
    struct block *b = pool.used;
    pool.used = b->next;
    if (pool.spares == KEPT) {
      free(b);
      continue;
    }
    b->next = pool.spare;
    pool.spare = b;
    ++pool.spares;
  }
  pool.at = pool.end = NULL;
  memset(pool.freed, 0, sizeof pool.freed);
}

void ingest_json_pool_free(void *p) {
  size_t units;
  if (!p) return;
  memcpy(&units, (char *)p - HEAD, HEAD);
  if (units) {
    memcpy(p, &pool.freed[units], sizeof p);
    pool.freed[units] = p;
  } else {
    free((char *)p - UNIT);
  }
  if (--pool.in_use == 0) begin_again();
}

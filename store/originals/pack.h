/* Reads what is to be packed next, and compresses it: the packing thread's work. */
#ifndef CK_STORE_PACK_H
#define CK_STORE_PACK_H

#include <stdatomic.h>

#include "store/database/db.h"
#include "store/originals/internal.h"

/* An original that moves into the new block. */
struct pack_move {
  int64_t original, from; /* its number; the block that it is in */
  int64_t conversation;
  uint64_t at, bytes; /* where it is there */
  uint64_t to;        /* where it is in the new block */
};

struct pack {
  struct pack_move *moves;
  size_t count, room;
  int64_t *seen; /* the moves' originals, a hash table of seen_room places; 0: free */
  size_t seen_room;
  int64_t *conversations; /* that need not be packed any more */
  size_t conversation_count, conversation_room;
  uint64_t bytes; /* of the new block, uncompressed */
  char id[CK_ORIGINAL_ID + 1];
  struct ck_buf data; /* of the new block; empty: nothing moves */
};

/* Fills in the next pack, from an empty one. 1; 0: there is nothing to pack; -1 with the reason.
 * stop: gives up, which counts as nothing. */
int pack_make(struct pack *p, sqlite3 *db, struct unpack *unpack, const _Atomic bool *stop,
              struct ck_err *err);
void pack_free(struct pack *p);

#endif

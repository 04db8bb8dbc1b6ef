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
  size_t join;        /* the join that it becomes a part of, from 1; 0: it stays an original */
  unsigned char key[ORIGINAL_KEY]; /* of a part of a join */
};

/* Runs of a log that follow one another become one original. */
struct pack_join {
  size_t keeper; /* among the moves: its row becomes that of the whole */
  char id[CK_ORIGINAL_ID + 1];
  uint64_t to, bytes, first, lines;
  unsigned char chain[CK_ORIGINAL_CHAIN], chain_end[CK_ORIGINAL_CHAIN];
  bool done; /* the writer's: its row is made */
};

struct pack {
  struct pack_move *moves;
  size_t count, room;
  int64_t *seen; /* the moves' originals, a hash table of seen_room places; 0: free */
  size_t seen_room;
  int64_t *conversations; /* that need not be packed any more */
  size_t conversation_count, conversation_room;
  struct pack_join *joins;
  size_t join_count, join_room;
  int64_t log; /* whose runs move, if it is not 0; what it was in logs_grown, and will be: */
  int64_t log_runs, log_upto; /* INT64_MAX: nothing is left to be joined */
  uint64_t bytes;             /* of the new block, uncompressed */
  char id[CK_ORIGINAL_ID + 1];
  struct ck_buf data; /* of the new block; empty: nothing moves */
  uint64_t forgotten; /* originals_forgotten (forgotten.h), before anything was read */
};

/* Which logs are joined: those to which PACK_RUNS have come; and those above `after`, if not NULL.
 */
struct pack_logs {
  const int64_t *after;
};
#define PACK_RUNS 32

/* What the thread has at hand. */
struct pack_with {
  sqlite3 *db;
  struct unpack *unpack;
  const _Atomic bool *stop; /* gives up, which counts as nothing */
};

/* Fills in the next pack, from an empty one. 1; 0: there is nothing to pack; -1 with the reason. */
int pack_make(struct pack *p, const struct pack_with *with, struct pack_logs logs,
              struct ck_err *err);
void pack_free(struct pack *p);

/* ---- shared by pack.c and join.c ---- */

#define PACK_ONE_MAX ((32u << 20) - 65536) /* a larger original stays where it is */

struct ZSTD_CCtx_s;

void pack_add(struct pack *p, const struct pack_move *m);
/* Compresses bytes into the pack's data. end: nothing more follows. */
int pack_compress(struct pack *p, struct ZSTD_CCtx_s *z, struct ck_str bytes, bool end,
                  struct ck_err *err);
/* Compresses what is there of an original. */
int pack_compress_one(struct pack *p, struct ZSTD_CCtx_s *z, const struct pack_with *with,
                      const struct pack_move *m, struct ck_err *err);

/* Fills in the runs of the next log, and compresses them. As pack_make. */
int pack_join(struct pack *p, const struct pack_with *with, struct pack_logs logs,
              struct ck_err *err);

#endif

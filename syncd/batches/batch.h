/* A batch: a range of changes that the store has leased to this worker. It is decoded whole before
 * anything is done with it, then cut into slices (plan.h), each of which is answered by the sink
 * (slice.h). When no slice is left, the outcome is told: the range, and its dead letters.
 *
 * A batch has no state of its own; it follows from the slices that are left. */
#ifndef SYNCD_BATCH_H
#define SYNCD_BATCH_H

#include "syncd/batches/slice.h"

struct sync_batch {
  char *sink; /* on the heap */
  uint64_t generation, after, upto;
  bool parents; /* it came with what its rows point to */
  struct ck_arena arena;
  struct ck_buf json; /* where the rows' json is */
  struct sync_row *rows;
  size_t n;

  /* While a pipeline holds it. */
  struct sync_batch *next;
  struct ck_buf frame; /* what the rows point into; empty after sync_batch_shrink */
  struct sync_slice *slices;
  struct ck_buf dead_letters; /* encoded entries [table, key, version, reason] */
  uint32_t dead_letter_count;
  size_t bytes;   /* of its rows, once it is shrunk */
  bool postponed; /* it is returned because it waits for a person */
};

enum sync_batch_state {
  SYNC_BATCH_ACTIVE,  /* a slice is READY or SUSPECT */
  SYNC_BATCH_PARKED,  /* every slice waits, at least one for another batch (EARLY) */
  SYNC_BATCH_BLOCKED, /* every slice waits for a person (PAUSED, STUCK) */
  SYNC_BATCH_ANSWERED /* no slice is left */
};
enum sync_batch_state sync_batch_state(const struct sync_batch *b);

/* Decodes a BATCH frame, which must stay where it is as long as the batch is used (or until
 * sync_batch_shrink). -1: the frame is refused whole: an unknown table or column, a row without all
 * its columns, a wrong type, a version out of the range of a record that no other points to. Free
 * in both cases. */
int sync_batch_decode(struct sync_batch *b, struct ck_str frame, struct ck_err *err);
/* Frees what the batch holds, and leaves it empty. */
void sync_batch_free(struct sync_batch *b);

/* Puts a slice into the batch, after `place`, or as the first one where place is NULL. */
struct sync_slice *sync_batch_insert(struct sync_batch *b, struct sync_slice *place,
                                     struct sync_slice slice);
/* The slice was answered with this class, and nothing of it is left: GONE, and freed. */
void sync_batch_remove(struct sync_batch *b, struct sync_slice *s, enum sync_class cause);

/* The row becomes a dead letter, with the reason that it is marked with. */
void sync_batch_dead_letter(struct sync_batch *b, const struct sync_row *r);

/* Copies these rows and frees the frame's others. Returns them in their new place, in the same
 * order; the old ones are gone. */
struct sync_row *sync_batch_keep(struct sync_batch *b, struct sync_row *const *rows, size_t n);
/* A batch that is PARKED or BLOCKED may be held for long: it keeps its slices' rows and frees the
 * frame. Does nothing with any other. */
void sync_batch_shrink(struct sync_batch *b);

#endif

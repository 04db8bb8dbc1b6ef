/* A batch: a range of changes that the store has leased to this worker. The whole of it is decoded
 * before any of it is used; then it is cut into slices (plan.h), and the sink answers each
 * (slice.h). When no slice is left, the store is told the outcome: the range and its dead letters.
 *
 * A batch has no state of its own: its state follows from its remaining slices. */
#ifndef SYNCD_BATCH_H
#define SYNCD_BATCH_H

#include "syncd/batches/slice.h"

struct sync_batch {
  char *sink; /* on the heap */
  uint64_t generation, after, upto;
  bool parents;                     /* the parents of its rows came with it, complete */
  struct ck_mirror_witness witness; /* goes with each of its requests */
  struct ck_arena arena;
  struct ck_buf json; /* where the rows' json is */
  struct sync_row *rows;
  size_t n;

  /* Used while a pipeline holds it. */
  struct sync_batch *next;
  struct ck_buf frame; /* the rows point into it; empty after sync_batch_shrink */
  struct sync_slice *slices;
  struct ck_buf dead_letters; /* encoded entries [table, key, version, reason] */
  uint32_t dead_letter_count;
  size_t bytes;   /* of its rows; set by sync_batch_shrink */
  bool postponed; /* it is returned because it needs a person */
  bool witnessed; /* one of its requests has written the witness */
};

enum sync_batch_state {
  SYNC_BATCH_ACTIVE,  /* a slice is READY or SUSPECT */
  SYNC_BATCH_PARKED,  /* every slice waits; at least one waits for another batch (EARLY) */
  SYNC_BATCH_BLOCKED, /* every slice waits for a person (PAUSED, STUCK) */
  SYNC_BATCH_ANSWERED /* no slice is left */
};
enum sync_batch_state sync_batch_state(const struct sync_batch *b);

/* Decodes a BATCH frame, which must stay in place while the batch is used (or until
 * sync_batch_shrink). -1: the whole frame is refused, with the reason: an unknown table or column,
 * a row without all its columns, a wrong type, or a version outside the range, which only a record
 * that others point to may have. Free the batch in both cases. */
int sync_batch_decode(struct sync_batch *b, struct ck_str frame, struct ck_err *err);
/* Frees what the batch holds and leaves it empty. */
void sync_batch_free(struct sync_batch *b);

/* Inserts a slice after `place`, or first if place is NULL. Returns the batch's copy. */
struct sync_slice *sync_batch_insert(struct sync_batch *b, struct sync_slice *place,
                                     struct sync_slice slice);
/* An answer of class `cause` settled the slice: it moves to GONE, and is removed and freed. */
void sync_batch_remove(struct sync_batch *b, struct sync_slice *s, enum sync_class cause);

/* Adds the row, which is marked SYNC_ROW_DEAD, to the dead letters, with its reason. */
void sync_batch_dead_letter(struct sync_batch *b, const struct sync_row *r);

/* Copies these rows and frees all others of the frame. Returns the copies, in the same order; the
 * old rows are gone. */
struct sync_row *sync_batch_keep(struct sync_batch *b, struct sync_row *const *rows, size_t n);
/* If the batch is PARKED or BLOCKED, it may be held for long: copies the rows of its slices and
 * frees the frame. Otherwise does nothing. */
void sync_batch_shrink(struct sync_batch *b);

#endif

/* A slice: the rows that one request carries, and the state they are in.
 *
 * A batch is cut into slices (plan.h), and a slice is sent to the sink whole. What the answer does
 * to it depends on the answer's class (answer.h) and on the slice's state:
 *
 *                  READY       SUSPECT     EARLY       PAUSED      STUCK
 *   done         a GONE        GONE        GONE        GONE        GONE
 *   unknown      b =           =           =           =           =
 *   not_applied  b =           =           =           =           =
 *   less           halves      halves      halves      halves      halves
 *   split        c STUCK       STUCK       STUCK       STUCK       STUCK
 *   wait           =           =           =           =           =
 *   quota          =           =           =           =           =
 *   stop           =           =           =           =           =
 *   witness      g =           =           =           =           =
 *   table        d PAUSED      PAUSED      PAUSED      PAUSED      PAUSED
 *   early        e EARLY       EARLY       EARLY       EARLY       EARLY
 *   row          c SUSPECT, or GONE        GONE        GONE        GONE
 *                  GONE
 *   odd          f STUCK       STUCK       STUCK       STUCK       STUCK
 *
 *   =  It stays as it is; the sink as a whole waits, or is tried again.
 *   a  Rows that the sink skipped become a slice of their own, which moves from the same state to
 *      EARLY, or to GONE as dead letters if waiting is no use. PAUSED slices of a table of which
 *      rows were written become READY.
 *   b  If it fails so 9 times while others get through, it is treated as "split".
 *   c  A single row. Several are halved, and the halves keep the state of the whole; READY ones
 *      that "row" halves become SUSPECT. A row that "row" makes GONE is a dead letter.
 *   d  If all rows are of one table; others are split by table first. READY and SUSPECT slices of
 *      that table become PAUSED without being sent.
 *   e  A single row, after it was sent with more caution, and halved. After 5 minutes it is GONE,
 *      a dead letter. At the first foreign key the whole batch is returned to the store instead.
 *   f  A single row, after 8 tries, and halved.
 *   g  Its batch is returned to the store.
 *
 * slice.c has the moves as data, and sync_slice_move() asserts them. */
#ifndef SYNCD_SLICE_H
#define SYNCD_SLICE_H

#include "proto/wire.h"
#include "syncd/batches/answer.h"
#include "syncd/sql/mirror.h"
#include "syncd/sql/mirror_witness.h"

enum sync_row_state {
  SYNC_ROW_OPEN,
  SYNC_ROW_EARLY,    /* the sink skipped it: something must come first; reason says what */
  SYNC_ROW_DEAD,     /* a dead letter; reason says why */
  SYNC_ROW_DIFFERENT /* verify: it is not in the mirror exactly as here */
};

struct sync_row {
  uint64_t version;
  struct ck_row row;
  /* [column, …, version] as JSON, escaped once more as part of a string; empty unless the sink
   * takes JSON. */
  struct ck_str json;
  size_t json_bytes; /* the same before the second escape: what the parameter holds */
  size_t bytes;      /* of all values */
  enum sync_row_state state;
  char *reason; /* on the heap or NULL */
};

/* Sets the row's state and reason. reason is copied; it may be NULL. */
void sync_row_mark(struct sync_row *r, enum sync_row_state state, const char *reason);

enum sync_slice_state {
  SYNC_SLICE_READY,   /* no row of it is known to be at fault */
  SYNC_SLICE_SUSPECT, /* one of its rows is at fault: it is being halved to find it */
  SYNC_SLICE_EARLY,   /* waits until what its rows point to is in the mirror */
  SYNC_SLICE_PAUSED,  /* waits until a person has repaired its table */
  SYNC_SLICE_STUCK,   /* a single row that the sink does not take, for an unknown reason */
  SYNC_SLICE_GONE,    /* settled: in the mirror, or dead letters. It is freed at once. */
  SYNC_SLICE_STATES
};

/* The rows belong to the batch, the array to the slice. Verify and the sinks use only the rows, the
 * caution and the witness; the rest is the pipeline's. */
struct sync_slice {
  struct sync_row **rows;
  size_t n;
  enum ck_mirror_caution caution;
  const struct ck_mirror_witness *witness; /* of its batch; NULL: none is written */
  struct sync_slice *next;                 /* of the same batch */
  enum sync_slice_state state;
  int tries;          /* sets the wait before the next one */
  int64_t not_before; /* not sent before; boot ms */
  int64_t early_from; /* when it first became EARLY, by the pipeline's early clock; 0: never */
  /* How often it failed, its outcome unknown, while others got through; and how many had got
   * through the last time. */
  unsigned failed_alone;
  uint64_t others_through;
};

/* A slice of these n rows, READY. Free with sync_slice_free. */
struct sync_slice sync_slice_from(struct sync_row *const *rows, size_t n);
void sync_slice_free(struct sync_slice *s);

/* Splits s: its first n rows stay, the others are returned as a slice in the same state. */
struct sync_slice sync_slice_halve(struct sync_slice *s, size_t n);
/* How many rows, from the first, are of the first one's table. */
size_t sync_slice_same_table(const struct sync_slice *s);
/* The rows that are in `state`, as a slice in the state of s; rows is NULL if there are none. */
struct sync_slice sync_slice_of(const struct sync_slice *s, enum sync_row_state state);

/* Moves a slice to another state because of an answer of class `cause`. Asserts that the table
 * above has the move. */
void sync_slice_move(struct sync_slice *s, enum sync_class cause, enum sync_slice_state to);

/* True if it waits for something other than its turn: EARLY, PAUSED or STUCK. */
bool sync_slice_waits(const struct sync_slice *s);

#endif

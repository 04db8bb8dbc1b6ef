/* A leased range of changes, decoded whole before anything is done with it. */
#ifndef SYNCD_BATCH_H
#define SYNCD_BATCH_H

#include "proto/wire.h"

enum sync_row_state {
  SYNC_ROW_OPEN,
  SYNC_ROW_EARLY,    /* the sink passed it over: something must come first; reason says what */
  SYNC_ROW_DEAD,     /* set aside; reason says why */
  SYNC_ROW_DIFFERENT /* asked for: it is not in the mirror as it is here */
};

struct sync_row {
  uint64_t version;
  struct ck_row row;
  struct ck_str json; /* [column, …, version], escaped once more, as it stands in the text of a parameter; where the sink wants it */
  size_t json_bytes;  /* of the same before that: what the parameter will hold */
  size_t bytes;       /* of all values */
  enum sync_row_state state;
  char *reason; /* on the heap or NULL */
};

struct sync_batch {
  char *sink; /* on the heap */
  uint64_t generation, after, upto;
  bool parents; /* with what its rows point to */
  struct ck_arena arena;
  struct ck_buf json; /* where the rows' json stands */
  struct sync_row *rows;
  size_t n;
};

/* Decodes a BATCH frame, which must stay where it is as long as the batch is used (or until sync_batch_keep). -1: the frame is refused whole: an unknown table
 * or column, a row without all its columns, a wrong type, a version out of the range of a record that none points to. Free in both cases. */
int sync_batch_decode(struct sync_batch *b, struct ck_str frame, struct ck_err *err);
void sync_batch_free(struct sync_batch *b);

/* Lets go of the frame and of everything but these rows: copies them. Returns the rows in their new place, in the same order; the old ones are gone. */
struct sync_row *sync_batch_keep(struct sync_batch *b, struct sync_row *const *rows, size_t n);

/* state and reason of a row; text is copied. */
void sync_row_mark(struct sync_row *r, enum sync_row_state state, const char *reason);

#endif

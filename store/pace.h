/* Writers first: while more comes than the readable files could keep up with, what is made from the
 * database (those files, the mirror's batches) is made a piece a second, and the rest when less
 * comes. Any thread. Times are ck_boot_ms. */
#ifndef CK_STORE_PACE_H
#define CK_STORE_PACE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PACE_RECORDS 4800 /* messages and executions a second: more than this is pressing … */
#define PACE_BURST 100    /* … if it lasts longer than so many ms, and for so many ms after it */
#define PACE_APART 1000   /* ms from the beginning of one piece to that of the next */
#define PACE_PIECE 20     /* ms for which a piece that can be cut goes on */

struct pace {
  _Atomic int64_t pressed_until; /* us */
};

/* The writer has committed so many messages and executions. */
void pace_commit(struct pace *pace, size_t records, int64_t now);
/* When the next piece may be begun, if the last one was begun at `began`. It moves on while more
 * comes, so ask again, but never beyond began + PACE_APART. */
int64_t pace_next(const struct pace *pace, int64_t began);
/* True if a piece that was begun at `began` is to end here. */
bool pace_enough(const struct pace *pace, int64_t began, int64_t now);

#endif

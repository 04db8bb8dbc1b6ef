/* How far the mirror is behind in time, and when it last made progress. The writer reports commits
 * and ended batches; the snapshot thread reads the lag for STATUS. Locked inside. Times are
 * ck_boot_ms; durations are milliseconds. */
#ifndef CK_STORE_LAG_H
#define CK_STORE_LAG_H

#include <stdint.h>

struct lag;

/* head: the newest version at the start. Changes that are not mirrored by then count as committed
 * at the start. */
struct lag *lag_new(uint64_t head, int64_t now);
void lag_free(struct lag **lag);

/* A commit raised the head. */
void lag_commit(struct lag *lag, uint64_t head, int64_t now);
/* A batch has ended; `cursor` is the mirror's cursor now. */
void lag_ended(struct lag *lag, uint64_t cursor, int64_t now);

/* How long ago the oldest change above the cursor was committed; 0: there is none. Exact to one
 * percent of the time for which the mirror has been behind. */
int64_t lag_behind(struct lag *lag, uint64_t cursor, int64_t now);
/* How long ago a batch last ended; if none has, how long ago the store started. */
int64_t lag_since_ended(struct lag *lag, int64_t now);
/* How long ago a batch last moved the cursor; if none has, how long ago the store started. If this
 * is much more than lag_since_ended, a batch that does not succeed holds the cursor while later
 * ones end. */
int64_t lag_since_moved(struct lag *lag, int64_t now);

#endif

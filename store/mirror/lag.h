/* How long the mirror is behind, and when it last got on. Told by the writer, read by who answers
 * STATUS; locked inside. Times are ck_boot_ms. */
#ifndef CK_STORE_LAG_H
#define CK_STORE_LAG_H

#include <stdint.h>

struct lag;

/* The database as it is at the start: what is behind then is as old as the start. */
struct lag *lag_new(uint64_t head, int64_t now);
void lag_free(struct lag **p);

/* A commit raised the head. */
void lag_commit(struct lag *p, uint64_t head, int64_t now);
/* A batch has ended, and the cursor stands there. */
void lag_ended(struct lag *p, uint64_t cursor, int64_t now);

/* How long ago the oldest change behind the cursor was committed; 0: there is none. Exact to a
 * percent of the time for which the mirror has been behind. */
int64_t lag_behind(struct lag *p, uint64_t cursor, int64_t now);
/* How long ago a batch last ended; since the start, where none has. */
int64_t lag_still(struct lag *p, int64_t now);
/* How long ago one last moved the cursor, likewise. While others end behind it, one that does not
 * get in holds it. */
int64_t lag_stuck(struct lag *p, int64_t now);

#endif

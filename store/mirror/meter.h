/* How many requests the sync workers may send to a sink that counts them (Cloudflare: 1,200 in 5 minutes a token, past which nothing passes for 5 minutes).
 * One bucket for all workers on all machines. Locked inside; `now` is ck_boot_ms.
 *
 * Two buckets, both of which must have a token for a batch:
 *   long    fills at the rate; holds a twelfth of what 5 minutes bring, so that no window of 5 minutes ever sees more than 13/12 of the rate. A quarter of it
 *           is kept from batches, for what has to be tried again, taken apart or asked: that never waits for a backlog. What was used of it comes back
 *           slowly, so that batches do not wait for that either. It begins empty, so that 13/12 hold however often the store is started again.
 *   short   fills at three times the rate and holds 3. It spreads a burst: what changes again and again is sent a few times, not as often as it can be.
 */
#ifndef CK_STORE_METER_H
#define CK_STORE_METER_H

#include <stdbool.h>
#include <stdint.h>

#define METER_WINDOW_MS 300000

struct meter;

/* rate: requests in 5 minutes; 0: nothing is counted and everything is allowed. */
struct meter *meter_new(unsigned rate, int64_t now);
void meter_free(struct meter **m);

/* Takes the right to send one batch; false: not now. */
bool meter_batch(struct meter *m, int64_t now);
/* Takes the right to `wanted` requests, or as many as there are. */
unsigned meter_tokens(struct meter *m, unsigned wanted, int64_t now);
/* When the next batch, or token, can be had: `now` or later. */
int64_t meter_batch_at(struct meter *m, int64_t now);
int64_t meter_token_at(struct meter *m, int64_t now);
/* Nothing for so long: the sink said so. A longer hold stays. */
void meter_hold(struct meter *m, int64_t ms, int64_t now);

struct meter_view {
  unsigned rate; /* 0: nothing is counted, and the rest is 0 */
  unsigned used; /* requests allowed in the last 5 minutes */
  unsigned left; /* could be sent at once */
  int64_t held;  /* milliseconds until the hold ends */
};
void meter_look(struct meter *m, int64_t now, struct meter_view *v);

#endif

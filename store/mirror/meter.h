/* How many requests the sync workers may send to a sink that counts them. (Cloudflare allows 1,200
 * requests in 5 minutes per API token, and blocks everything for 5 minutes above that.) One meter
 * for all workers on all machines. Locked inside; `now` is ck_boot_ms.
 *
 * There are two token buckets. A batch needs a token in both; other requests need one in the long
 * bucket only.
 *
 *   long    Fills at the rate. Holds a twelfth of what 5 minutes bring, so no window of 5 minutes
 *           sees more than 13/12 of the rate. A quarter of it is a reserve that batches may not
 *           use: it is for retries, split batches and queries, which thus never wait for a backlog.
 *           A used reserve refills slowly, so that batches do not wait for it either. The bucket
 *           starts empty, so that 13/12 holds however often the store is restarted.
 *   short   Fills at three times the rate and holds 3. It spreads bursts: a record that changes
 *           again and again is sent a few times, not as often as it changes.
 */
#ifndef CK_STORE_METER_H
#define CK_STORE_METER_H

#include <stdbool.h>
#include <stdint.h>

#define METER_WINDOW_MS 300000

struct meter;

/* rate: requests in 5 minutes; 0: nothing is counted, and everything is allowed. */
struct meter *meter_new(unsigned rate, int64_t now);
void meter_free(struct meter **m);

/* Takes the right to send one batch; false: not now. */
bool meter_batch(struct meter *m, int64_t now);
/* Takes the right to send up to `wanted` other requests; returns how many were allowed. */
unsigned meter_tokens(struct meter *m, unsigned wanted, int64_t now);
/* The earliest time, `now` or later, at which a batch or a token can be had. */
int64_t meter_batch_at(struct meter *m, int64_t now);
int64_t meter_token_at(struct meter *m, int64_t now);
/* Allows nothing for `ms` milliseconds, because the sink demands it. A longer pause stays. */
void meter_pause(struct meter *m, int64_t ms, int64_t now);

struct meter_view {
  unsigned rate; /* 0: nothing is counted, and the rest is 0 */
  unsigned used; /* requests allowed in the last 5 minutes */
  unsigned left; /* requests that could be sent at once */
  int64_t pause; /* milliseconds until the pause ends */
};
/* Fills *v with the state at `now`. */
void meter_read(struct meter *m, int64_t now, struct meter_view *v);

#endif

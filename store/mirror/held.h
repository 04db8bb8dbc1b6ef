/* What sync workers say of their leases (HELD, see proto/wire.h): checked as a whole, then obeyed.
 * Used by the work thread only. */
#ifndef CK_STORE_HELD_H
#define CK_STORE_HELD_H

#include "proto/wire.h"
#include "store/mirror/leases.h"

/* Zero-initialise. */
struct held {
  bool parents;         /* a sink checks foreign keys, so batches carry their records' parents */
  int64_t postpones_at; /* ck_boot_ms at which a worker last said `postpones`; 0: never */
};

/* Obeys a frame that came at `now` (ck_boot_ms): extends the leases that are held, takes back those
 * that are returned, and makes the postponed ones a backlog. A lease that is not in flight is
 * ignored. -1: a list is malformed, `err` says which and why, and nothing was obeyed. */
int held_take(struct held *h, const struct ck_held *said, struct leases *leases, int64_t now,
              struct ck_err *err);

/* When postponed ranges may be granted again: CK_POSTPONES_MS after a worker last said `postpones`;
 * `now` if none ever did. The time may have passed. */
int64_t held_postpones_until(const struct held *h, int64_t now);

#endif

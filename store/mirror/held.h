/* What the sync workers say of their leases (HELD, proto/wire.h): checked, then obeyed. Used by the
 * work thread only. */
#ifndef CK_STORE_HELD_H
#define CK_STORE_HELD_H

#include "proto/wire.h"
#include "store/mirror/leases.h"

/* Zero-initialise. */
struct held {
  bool parents;         /* a sink checks foreign keys: batches carry what their records point to */
  int64_t postpones_at; /* ck_boot_ms at which a worker last said `postpones`; 0: none did */
};

/* Obeys the frame, which came at `now` (ck_boot_ms): extends leases, takes them back, makes them a
 * backlog. A lease that is not in flight is passed over. -1: a list is malformed, `err` says which
 * and why, and nothing was obeyed. */
int held_take(struct held *h, const struct ck_held *said, struct leases *leases, int64_t now,
              struct ck_err *err);

/* When what was postponed may be granted again: not after `now`, or when the last word of a worker
 * that postpones is no longer believed. */
int64_t held_postpones_until(const struct held *h, int64_t now);

#endif

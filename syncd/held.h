/* What the worker says to the store of its leases: HELD (proto/wire.h). */
#ifndef SYNCD_HELD_H
#define SYNCD_HELD_H

#include "syncd/batches/pipeline.h"

/* Appends the frame: the batches that are held, and those to be returned, which stay with `p` until
 * sync_held_said. */
void sync_held_encode(struct ck_buf *frame, const struct sync_pipeline *p, const char *worker,
                      const char *sink);
/* The frame is on its way: the batches that it returns are dropped. Where it is lost, their leases
 * run out. */
void sync_held_said(struct sync_pipeline *p);

/* Appends the list `held` alone. */
void sync_held_list(struct ck_buf *b, const struct sync_pipeline *p);

#endif

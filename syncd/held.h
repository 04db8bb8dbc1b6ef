/* Builds HELD (proto/wire.h), in which the worker tells the store about its leases: the ones it
 * holds, and the ones it returns; and the parts of its report that come from the pipeline. */
#ifndef SYNCD_HELD_H
#define SYNCD_HELD_H

#include "proto/map.h"
#include "syncd/batches/pipeline.h"

/* Appends the frame: the batches that are held, and those to be returned, which stay in `p` until
 * sync_held_said. */
void sync_held_encode(struct ck_buf *frame, const struct sync_pipeline *p, const char *worker,
                      const char *sink);
/* The frame was sent: drops the batches that it returns. If the frame is lost, their leases run
 * out. */
void sync_held_said(struct sync_pipeline *p);

/* Appends only the list `held`; the report shows it too. */
void sync_held_list(struct ck_buf *b, const struct sync_pipeline *p);

/* Appends the list of the tables that are paused, for the report. */
void sync_paused_list(struct ck_buf *b, const struct sync_pipeline *p);

/* Adds `hold` to the report: {class, reason, until}, by the clock on the wall; nil if it is
 * over. */
void sync_hold_pair(struct ck_map *m, const struct sync_hold *h);

#endif

/* What pipeline.c (what is held, and what is picked) and answers.c (what becomes of it after each
 * answer) share. For these two only. */
#ifndef SYNCD_PIPELINE_INTERNAL_H
#define SYNCD_PIPELINE_INTERNAL_H

#include "syncd/batches/pipeline.h"

/* The rows after the first n become a slice of their own, in the same state, after this one. */
void sync_pipeline_split(struct sync_batch *b, struct sync_slice *s, size_t n);
/* Splits it into slices of one table each. */
void sync_pipeline_by_table(struct sync_batch *b, struct sync_slice *s);
/* Moves the slice (sync_slice_move); it is not sent before `until`. */
void sync_pipeline_move(struct sync_slice *s, enum sync_class cause, enum sync_slice_state to,
                        int64_t until);

bool sync_pipeline_any_paused(const struct sync_pipeline *p);
/* The batch, which the sink does not have, is to be returned to the store. */
void sync_pipeline_return(struct sync_pipeline *p, struct sync_batch *b);

#endif

/* Shared by pipeline.c (what is held, and what is picked) and answers.c (what each answer does);
 * for these two only. */
#ifndef SYNCD_PIPELINE_INTERNAL_H
#define SYNCD_PIPELINE_INTERNAL_H

#include "syncd/batches/pipeline.h"

/* Moves the rows after the first n into a new slice after this one, in the same state. */
void sync_pipeline_split(struct sync_batch *b, struct sync_slice *s, size_t n);
/* Splits it into slices of one table each. */
void sync_pipeline_by_table(struct sync_batch *b, struct sync_slice *s);
/* Moves the slice to a state (sync_slice_move); it is not sent before `until` (boot ms). */
void sync_pipeline_move(struct sync_slice *s, enum sync_class cause, enum sync_slice_state to,
                        int64_t until);

bool sync_pipeline_any_paused(const struct sync_pipeline *p);
/* Puts the batch, which the sink must not have, on the list of those to be returned. */
void sync_pipeline_return(struct sync_pipeline *p, struct sync_batch *b);

#endif

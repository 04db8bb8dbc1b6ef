/* What jobs.c (what is in hand, and what is picked) and answers.c (what becomes of it after each answer) share. Nobody else's. */
#ifndef SYNCD_JOBS_OWN_H
#define SYNCD_JOBS_OWN_H

#include "syncd/jobs.h"

struct sync_piece *sync_piece_new(struct sync_slice slice, struct sync_piece *next);
/* The rows behind the first n become a piece of their own, in the same state, behind it. */
void sync_piece_split(struct sync_piece *p, size_t n);
void sync_piece_by_table(struct sync_piece *p);
void sync_piece_remove(struct sync_job *job, struct sync_piece *p);
void sync_park(struct sync_piece *p, enum sync_parked how, int64_t until);

bool sync_any_paused(const struct sync_jobs *j);
/* The job, which the sink does not have, is handed back. */
void sync_job_back(struct sync_jobs *j, struct sync_job *job);
/* The row is set aside with its reason. */
void sync_bury(struct sync_job *job, const struct sync_row *r);
/* A job that only waits holds its rows, not the whole frame. */
void sync_job_lighten(struct sync_job *job);

#endif

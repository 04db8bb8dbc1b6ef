/* What a plan would have the store write into jobs: whole jobs, and the targets that it found for
 * those without one. The store has none of it, so its answers are put right by this. */
#ifndef RENEWD_PLANNED_H
#define RENEWD_PLANNED_H

#include "proto/records.h"
#include "renewd/core/core.h"

/* Zero-initialise. */
struct renew_planned {
  struct renew_index jobs;
};

/* The job of this row is made. Copies the row's texts. */
void renew_planned_make(struct renew_planned *p, const struct ck_row *job);
/* That job goes to the target of this snapshot, whatever it had before. */
void renew_planned_address(struct renew_planned *p, struct ck_str job_id, struct ck_str snapshot);
/* The plan has made it, so the store does not know it. */
bool renew_planned_is_made(const struct renew_planned *p, struct ck_str job_id);
/* Puts into a->job what the plan knows of that job. Its texts are valid until p is freed, or that
 * job gets another target. */
void renew_planned_give(const struct renew_planned *p, struct ck_str job_id,
                        struct renew_answer *a);
void renew_planned_free(struct renew_planned *p);

#endif

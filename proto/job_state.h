/* The state of a follow-up job, for people and scripts: more than its status says
 * (docs/renewal.md, What a job waits for). It is made of the job's row, of what renewd reports of
 * the jobs that it holds up, and sometimes of one more row of the store. Pure. */
#ifndef CK_PROTO_JOB_STATE_H
#define CK_PROTO_JOB_STATE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* ---- what renewd reports; info: the store's answer to STATUS. Borrowed from it ---- */

/* What it says of itself, an object; NULL: it is not running. */
const json_t *ck_renewd_info(const json_t *info);
/* Of that job: {job_id, state, reason, until}; NULL: it does not hold it up, or has not named it.
 */
const json_t *ck_job_held(const json_t *info, const char *job_id);
/* All that it names, by their ids, for many jobs. The caller json_decrefs it. */
json_t *ck_jobs_held(const json_t *info);

/* ---- a job: an object with the columns of its row. held: as above, or NULL ---- */

/* It failed because nobody wanted it any more. */
bool ck_job_is_superseded(const json_t *job);
/* Is its state known? Not that of a pending job that is due, if renewd is not running, is still
 * starting, or holds up more jobs than it can name. */
bool ck_job_is_explained(const json_t *info, const json_t *job, const json_t *held, int64_t now);
/* The list whose row of the same job_id its state depends on besides; NULL: on none. */
const char *ck_job_state_list(const json_t *job, const json_t *held);
/* Its status, but `unknown` for an attempt of unknown outcome, `superseded` for a job that failed
 * so, and for a pending one the state that renewd reports, `unreached`, or `waiting`. row: that of
 * ck_job_state_list; NULL: there is none. Valid as long as job and held. */
const char *ck_job_state(const json_t *job, const json_t *held, const json_t *row);
/* Why it waits or is stopped, in words; else the error of its last attempt; else null. The caller
 * json_decrefs it. */
json_t *ck_job_reason(const json_t *job, const json_t *held);
/* Adds to `line` what scripts are told of that: `state`, null if it is not known, and `reason`. */
void ck_job_put_state(json_t *line, bool explained, const char *state, json_t *reason);

#endif

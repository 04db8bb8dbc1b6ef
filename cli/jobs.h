/* Follow-up jobs, for `convkeep jobs`.
 *
 * Functions returning an int return CLI_GO_ON or the exit code after reporting the error, unless
 * they say otherwise. */
#ifndef CLI_JOBS_H
#define CLI_JOBS_H

#include "cli/client.h"

struct cli_job {
  const char *id;
  json_t *row, *lease; /* lease: NULL unless running */
  const char *status;  /* the row's, or `unknown` if the lease's state is */
};

/* Finds what is known of the job; job->row is NULL if there is no such job. id must outlive it.
 * The caller frees it with cli_job_free, whatever is returned. */
int cli_job_find(struct cli *c, const char *id, struct cli_job *job);
/* The same of a row that is there; the row is borrowed. */
int cli_job_of(struct cli *c, json_t *row, struct cli_job *job);
void cli_job_free(struct cli_job *job);

/* *lines: the attempts that have ended, in order, as the lines of their log: of that job (NULL: of
 * all), and that ended, or changed, at that time (wall) or later. The caller json_decrefs it. */
int cli_attempts(struct cli *c, const char *job_id, int64_t since, json_t **lines);

/* Prints what has happened since `since`, a wall time in ms, in some ten lines. Returns the exit
 * code. */
int cli_jobs_report(struct cli *c, int64_t since);

/* Prints its attempts and what it waits for. Returns the exit code. */
int cli_job_why(struct cli *c, const struct cli_job *job);

#endif

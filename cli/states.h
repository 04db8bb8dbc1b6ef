/* The state of a job, for people: more than its status says. */
#ifndef CLI_STATES_H
#define CLI_STATES_H

#include "cli/client.h"
#include "proto/job_state.h"

/* The states that `list jobs --status` knows: waiting, stopped, running, unknown, failed and
 * superseded. Returns the status that such rows have; NULL for another word. */
const char *cli_state_status(const char *word);
/* Is that the job's state? state: one of these words, of which `waiting` is pending and not
 * stopped, whatever it waits for. The job has been given to cli_add_states. */
bool cli_state_is(const json_t *job, const char *state);
/* Refuses to choose jobs by a state that is not known of all of them: `unexplained` is from
 * cli_add_states. Returns CLI_GO_ON, or CLI_FAILED after reporting the error. */
int cli_states_known(const struct cli *c, const char *state, size_t unexplained);

/* Adds to each of these jobs its `state` and `why` (ck_job_state, ck_job_reason), and `explained`:
 * its state is known (ck_job_is_explained). *unexplained: of how many it is not. Returns CLI_GO_ON,
 * or the exit code after reporting the error. */
int cli_add_states(struct cli *c, json_t *jobs, size_t *unexplained);
/* Adds to `line` what such a job says of that: `state`, null if it is not known, and `reason`. */
void cli_state_json(json_t *line, const json_t *job);

#endif

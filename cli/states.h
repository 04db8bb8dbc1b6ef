/* The state of a job, for people: more than its status says. */
#ifndef CLI_STATES_H
#define CLI_STATES_H

#include "cli/client.h"

/* The states that `list jobs --status` knows: waiting, stopped, running, unknown, failed and
 * superseded. Returns the status that such rows have; NULL for another word. */
const char *cli_state_status(const char *word);
/* Is that the job's state? state: one of these words, of which `waiting` is pending and not
 * stopped, whatever it waits for. The job has been given to cli_add_states. */
bool cli_state_is(const json_t *job, const char *state);
/* Is the job's state known? Not that of a pending job that is due, if renewd is not running, is
 * still starting, or has more of them than it can name. info: the answer to STATUS. */
bool cli_is_explained(const json_t *info, const json_t *job, int64_t now);
/* Refuses to choose jobs by a state that is not known of all of them: `unexplained` is from
 * cli_add_states. Returns CLI_GO_ON, or CLI_FAILED after reporting the error. */
int cli_states_known(const struct cli *c, const char *state, size_t unexplained);

/* The job failed because nobody wanted it any more. */
bool cli_is_superseded(const json_t *job);

/* Adds the member `state` to each of these jobs: the status, but `unknown` for an attempt of
 * unknown outcome, `superseded` for a job that failed so, and for a pending one the reason that
 * renewd reports (docs/renewal.md), `unreached`, or `waiting`; and `why`, the reason in words, or
 * the error of its last attempt; and `explained`: its state is known (cli_is_explained).
 * *unexplained: of how many it is not. Returns CLI_GO_ON, or the exit code after reporting the
 * error.
 */
int cli_add_states(struct cli *c, json_t *jobs, size_t *unexplained);
/* Adds to `line` what such a job says of that: `state`, null if it is not known, and `reason`. */
void cli_state_json(json_t *line, const json_t *job);

/* What renewd reports: an object, NULL if it is not running. Borrowed from info, the answer to
 * STATUS. */
const json_t *cli_renewd_info(const json_t *info);
/* What renewd reports about that job; NULL: it is not held. */
const json_t *cli_held(const json_t *info, const char *job_id);

#endif

/* See states.h. */
#include "cli/states.h"

#include <string.h>
#include "cli/out.h"
#include "proto/clock.h"

static const struct {
  const char *word, *status;
} words[] = {{"waiting", "pending"}, {"stopped", "pending"},   {"running", "running"},
             {"unknown", "running"}, {"superseded", "failed"}, {"failed", "failed"}};

const char *cli_state_status(const char *word) {
  for (size_t i = 0; i < sizeof words / sizeof *words; ++i)
    if (strcmp(words[i].word, word) == 0) return words[i].status;
  return NULL;
}

bool cli_state_is(const json_t *job, const char *state) {
  if (strcmp(state, "waiting") == 0)
    return strcmp(cli_member(job, "status"), "pending") == 0 &&
           strcmp(cli_member(job, "state"), "stopped") != 0;
  return strcmp(cli_member(job, "state"), state) == 0;
}

static int state_of(struct cli *c, const json_t *job, const json_t *held, const char **state) {
  json_t *row = NULL;
  const char *list = ck_job_state_list(job, held);
  int rc = list ? cli_query_one(c, list, "job_id", cli_member(job, "job_id"), &row) : CLI_GO_ON;
  if (rc == CLI_GO_ON) *state = ck_job_state(job, held, row);
  json_decref(row);
  return rc;
}

int cli_states_known(const struct cli *c, const char *state, size_t unexplained) {
  const char *status = cli_state_status(state);
  if (!unexplained || !status || strcmp(status, "pending") != 0) return CLI_GO_ON;
  cli_error(c, "--status",
            "renewd does not say which of %zu pending %s %s: it is not running (convkeep up starts "
            "it), still starting, or holds up more than it can name; --status pending takes all",
            unexplained, ck_noun(unexplained, "job", "jobs"), state);
  return CLI_FAILED;
}

static int add_state(struct cli *c, json_t *job, const json_t *held, bool explained) {
  const char *state;
  int rc = state_of(c, job, held, &state);
  if (rc != CLI_GO_ON) return rc;
  json_object_set_new(job, "explained", json_boolean(explained));
  json_object_set_new(job, "state", json_string(state));
  json_object_set_new(job, "why", ck_job_reason(job, held));
  return CLI_GO_ON;
}

int cli_add_states(struct cli *c, json_t *jobs, size_t *unexplained) {
  json_t *info = NULL, *job;
  size_t i;
  int rc = json_array_size(jobs) ? cli_status_of(c, &info) : CLI_GO_ON;
  json_t *all = ck_jobs_held(info);
  *unexplained = 0;
  json_array_foreach(jobs, i, job) {
    const json_t *held = json_object_get(all, cli_member(job, "job_id"));
    bool explained = ck_job_is_explained(info, job, held, ck_now_ms());
    *unexplained += !explained;
    if (rc == CLI_GO_ON) rc = add_state(c, job, held, explained);
  }
  json_decref(all);
  json_decref(info);
  return rc;
}

void cli_state_json(json_t *line, const json_t *job) {
  ck_job_put_state(line, json_is_true(json_object_get(job, "explained")), cli_member(job, "state"),
                   json_object_get(job, "why"));
}

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

const json_t *cli_renewd_info(const json_t *info) {
  size_t i;
  const json_t *daemon;
  json_array_foreach(json_object_get(info, "daemons"), i, daemon) {
    if (strcmp(cli_member(daemon, "name"), "renewd") == 0) return json_object_get(daemon, "info");
  }
  return NULL;
}

const json_t *cli_held(const json_t *info, const char *job_id) {
  size_t i;
  const json_t *held = json_object_get(cli_renewd_info(info), "held"), *job;
  json_array_foreach(json_object_get(held, "jobs"), i, job) {
    if (strcmp(cli_member(job, "job_id"), job_id) == 0) return job;
  }
  return NULL;
}

/* *is: whether that table of the store has a row about the job, in that state if any is given. */
static int has_row(struct cli *c, const char *table, const json_t *job, const char *state,
                   bool *is) {
  json_t *row;
  int rc = cli_query_one(c, table, "job_id", cli_member(job, "job_id"), &row);
  if (rc != CLI_GO_ON) return rc;
  *is = row && (!state || strcmp(cli_member(row, "state"), state) == 0);
  json_decref(row);
  return CLI_GO_ON;
}

bool cli_is_superseded(const json_t *job) {
  return strcmp(cli_member(job, "status"), "failed") == 0 &&
         strncmp(cli_member(job, "last_error"), CK_SUPERSEDED, strlen(CK_SUPERSEDED)) == 0;
}

static int state_of(struct cli *c, const json_t *info, const json_t *job, const char **state) {
  bool is = false;
  int rc = CLI_GO_ON;
  *state = cli_member(job, "status");
  if (strcmp(*state, "running") == 0) {
    rc = has_row(c, "leases", job, "unknown", &is);
    if (is) *state = "unknown";
  } else if (strcmp(*state, "pending") == 0) {
    const json_t *held = cli_held(info, cli_member(job, "job_id"));
    if (!held) rc = has_row(c, "unreached", job, NULL, &is);
    *state = held ? cli_member(held, "state") : is ? "unreached" : "waiting";
  } else if (cli_is_superseded(job)) {
    *state = "superseded";
  }
  return rc;
}

/* renewd's list of what it holds up has a limit; its count has none. */
static bool is_cut(const json_t *renewd) {
  const json_t *held = json_object_get(renewd, "held");
  return (size_t)cli_member_int(held, "count", 0) > json_array_size(json_object_get(held, "jobs"));
}

bool cli_is_explained(const json_t *info, const json_t *job, int64_t now) {
  const json_t *renewd = cli_renewd_info(info);
  if (strcmp(cli_member(job, "status"), "pending") != 0) return true;
  if (cli_member_int(job, "next_attempt_at", INT64_MAX) > now) return true;
  if (!renewd || !json_is_true(json_object_get(renewd, "live"))) return false;
  return !is_cut(renewd) || cli_held(info, cli_member(job, "job_id"));
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

/* What renewd says of a job that waits; else how its last attempt ended. */
static void add_why(const json_t *info, json_t *job) {
  bool waits = strcmp(cli_member(job, "status"), "pending") == 0;
  const json_t *held = waits ? cli_held(info, cli_member(job, "job_id")) : NULL,
               *reason = json_object_get(held, "reason"),
               *error = json_object_get(job, "last_error");
  json_t *why = json_deep_copy(*cli_member(held, "reason") ? reason : error);
  json_object_set_new(job, "why", why ? why : json_null());
}

int cli_add_states(struct cli *c, json_t *jobs, size_t *unexplained) {
  json_t *info = NULL, *job;
  size_t i;
  int rc = json_array_size(jobs) ? cli_status_of(c, &info) : CLI_GO_ON;
  *unexplained = 0;
  json_array_foreach(jobs, i, job) {
    const char *state;
    bool explained = cli_is_explained(info, job, ck_now_ms());
    *unexplained += !explained;
    json_object_set_new(job, "explained", json_boolean(explained));
    if (rc == CLI_GO_ON) rc = state_of(c, info, job, &state);
    if (rc == CLI_GO_ON) json_object_set_new(job, "state", json_string(state));
    if (rc == CLI_GO_ON) add_why(info, job);
  }
  json_decref(info);
  return rc;
}

void cli_state_json(json_t *line, const json_t *job) {
  bool known = json_is_true(json_object_get(job, "explained"));
  json_object_set_new(line, "state", known ? json_string(cli_member(job, "state")) : json_null());
  json_object_set(line, "reason", json_object_get(job, "why"));
}

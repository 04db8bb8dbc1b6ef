/* See job_state.h. */
#include "proto/job_state.h"

#include <string.h>

#include "proto/wire.h"

static const char *text(const json_t *o, const char *name) {
  const char *value = json_string_value(json_object_get(o, name));
  return value ? value : "";
}

static bool is(const json_t *o, const char *name, const char *value) {
  return strcmp(text(o, name), value) == 0;
}

/* ---- what renewd reports ---- */

const json_t *ck_renewd_info(const json_t *info) {
  size_t i;
  const json_t *daemon;
  json_array_foreach(json_object_get(info, "daemons"), i, daemon) {
    if (is(daemon, "name", "renewd")) return json_object_get(daemon, "info");
  }
  return NULL;
}

static json_t *named(const json_t *info) {
  return json_object_get(json_object_get(ck_renewd_info(info), "held"), "jobs");
}

const json_t *ck_job_held(const json_t *info, const char *job_id) {
  size_t i;
  const json_t *job;
  json_array_foreach(named(info), i, job) {
    if (is(job, "job_id", job_id)) return job;
  }
  return NULL;
}

json_t *ck_jobs_held(const json_t *info) {
  json_t *all = json_object(), *job;
  size_t i;
  json_array_foreach(named(info), i, job) json_object_set(all, text(job, "job_id"), job);
  return all;
}

/* ---- a job ---- */

static bool waits(const json_t *job) { return is(job, "status", "pending"); }

bool ck_job_is_superseded(const json_t *job) {
  return is(job, "status", "failed") &&
         strncmp(text(job, "last_error"), CK_SUPERSEDED, strlen(CK_SUPERSEDED)) == 0;
}

/* renewd's list of what it holds up has a limit; its count has none. */
static bool is_cut(const json_t *info) {
  const json_t *count = json_object_get(json_object_get(ck_renewd_info(info), "held"), "count");
  return (size_t)json_integer_value(count) > json_array_size(named(info));
}

bool ck_job_is_explained(const json_t *info, const json_t *job, const json_t *held, int64_t now) {
  const json_t *due = json_object_get(job, "next_attempt_at"), *renewd = ck_renewd_info(info);
  if (!waits(job) || !json_is_integer(due) || json_integer_value(due) > now) return true;
  if (!json_is_true(json_object_get(renewd, "live"))) return false;
  return !is_cut(info) || held;
}

const char *ck_job_state_list(const json_t *job, const json_t *held) {
  if (is(job, "status", "running")) return "leases";
  return waits(job) && !held ? "unreached" : NULL;
}

const char *ck_job_state(const json_t *job, const json_t *held, const json_t *row) {
  if (waits(job)) return held ? text(held, "state") : row ? "unreached" : "waiting";
  if (is(job, "status", "running") && is(row, "state", "unknown")) return "unknown";
  return ck_job_is_superseded(job) ? "superseded" : text(job, "status");
}

json_t *ck_job_reason(const json_t *job, const json_t *held) {
  const json_t *of = waits(job) && *text(held, "reason") ? held : NULL;
  json_t *why = json_deep_copy(json_object_get(of ? of : job, of ? "reason" : "last_error"));
  return why ? why : json_null();
}

void ck_job_put_state(json_t *line, bool explained, const char *state, json_t *reason) {
  json_object_set_new(line, "state", explained ? json_string(state) : json_null());
  json_object_set(line, "reason", reason);
}

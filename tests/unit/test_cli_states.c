/* The states of jobs, by which commands choose them. */
#include <criterion/criterion.h>

#include "cli/states.h"

#define NOW 1000

static json_t *status_of(bool live, int count) {
  return json_pack("{s:[{s:s, s:{s:b, s:{s:i, s:[{s:s, s:s}]}}}]}", "daemons", "name", "renewd",
                   "info", "live", live, "held", "count", count, "jobs", "job_id", "j1", "state",
                   "stopped");
}

static bool explained(json_t *info, const char *id, const char *status, int due) {
  json_t *job =
      json_pack("{s:s, s:s, s:i}", "job_id", id, "status", status, "next_attempt_at", due);
  bool is = ck_job_is_explained(info, job, ck_job_held(info, id), NOW);
  json_decref(job);
  json_decref(info);
  return is;
}

Test(cli_states, what_renewd_does_not_say) {
  cr_expect(explained(status_of(true, 1), "j1", "pending", NOW));
  cr_expect(explained(status_of(true, 1), "j2", "pending", NOW), "the list is whole");
  cr_expect(explained(status_of(true, 2), "j1", "pending", NOW));
  cr_expect_not(explained(status_of(true, 2), "j2", "pending", NOW), "the list is cut");
  cr_expect(explained(status_of(true, 2), "j2", "pending", NOW + 1), "it is not due");
  cr_expect_not(explained(status_of(false, 1), "j2", "pending", NOW), "renewd is starting");
  cr_expect_not(explained(json_object(), "j1", "pending", NOW), "renewd is away");
  cr_expect(explained(json_object(), "j1", "pending", NOW + 1));
  cr_expect(explained(json_object(), "j1", "failed", NOW));
}

Test(cli_states, a_filter_is_a_state) {
  json_t *job = json_pack("{s:s, s:s}", "status", "pending", "state", "resting");
  cr_expect(cli_state_is(job, "waiting"), "for whatever reason");
  cr_expect_not(cli_state_is(job, "stopped"));
  json_object_set_new(job, "state", json_string("stopped"));
  cr_expect_not(cli_state_is(job, "waiting"));
  json_decref(job);
  job = json_pack("{s:s, s:s}", "status", "failed", "state", "superseded");
  cr_expect_not(cli_state_is(job, "failed"));
  json_decref(job);
  cr_expect_str_eq(cli_state_status("waiting"), "pending");
  cr_expect_str_eq(cli_state_status("stopped"), "pending");
  cr_expect_str_eq(cli_state_status("failed"), "failed");
  cr_expect_null(cli_state_status("pending"), "more than one state");
}

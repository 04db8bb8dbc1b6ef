/* What a person does with many follow-ups at once. */
#include "tests/flow/renewal_help.h"

/* A job by hand that is due in an hour, for each of three conversations. */
static void three_jobs(void) {
  static const char *const conversations[] = {"x:c0", "x:c1", "y:c2"};
  for (size_t i = 0; i < 3; i++) {
    t_import_lines(0,
                   "{'platform': '%c', 'conversation_id': 'c%zu', 'message_id': 'm%zu',"
                   " 'text': 'a', 'role': 'assistant', 'target': {'kind': 'null'}}\n",
                   *conversations[i], i, i);
    t_do(0, "renew", conversations[i], "--payload", "go on", "--at", "+1h");
  }
}

/* Hours from now until the message's job is due. */
static long due_in_hours(const char *message) {
  json_t *job = r_job_of(message);
  int64_t left = t_int_at(job, "next_attempt_at", 0) - ck_now_ms();
  json_decref(job);
  return (long)((left + 1800000) / 3600000);
}

T_STORY(jobs, many_are_snoozed, 60) {
  t_up();
  three_jobs();
  struct t_result r =
      t_convkeep("jobs", "snooze", "--status", "waiting", "--platform", "x", "--until", "+5h");
  T_CHECK(r.code == 2 && strstr(r.err, "2 waiting jobs. Let them wait?") &&
              strstr(r.err, "--yes says yes"),
          "exit %d: %s", r.code, r.err);
  t_result_free(&r);
  r = t_convkeep("jobs", "cancel", "--status", "waiting", "--json");
  T_CHECK(r.code == 2 && strstr(r.err, "With --json nothing is asked"), "exit %d: %s", r.code,
          r.err);
  t_result_free(&r);
  T_CHECK(due_in_hours("m0") == 1, "they were snoozed without being asked");
  json_t *rows = t_lines(0, "jobs", "snooze", "--status", "waiting", "--platform", "x", "--until",
                         "+5h", "--yes");
  T_CHECK(json_array_size(rows) == 2, "%zu jobs were snoozed", json_array_size(rows));
  json_decref(rows);
  T_CHECK(due_in_hours("m0") == 5 && due_in_hours("m1") == 5, "they are due in %ld and %ld hours",
          due_in_hours("m0"), due_in_hours("m1"));
  T_CHECK(due_in_hours("m2") == 1, "the other platform's job is due in %ld hours",
          due_in_hours("m2"));
  json_t *job = r_job_of("m2");
  t_do(0, "jobs", "snooze", t_text_at(job, "job_id"), "--until", "+3h");
  json_decref(job);
  T_CHECK(due_in_hours("m2") == 3, "one that is named is due in %ld hours", due_in_hours("m2"));
  t_do(2, "jobs", "snooze", "--status", "waiting", "--until", "-1h", "--yes");
  T_CHECK(due_in_hours("m2") == 3, "a time that has passed made it due");
}

T_STORY(jobs, many_are_cancelled_and_sent, 60) {
  t_up();
  three_jobs();
  t_do(0, "jobs", "cancel", "--status", "waiting", "--local-conversation-id", "y:c2", "--yes");
  T_CHECK(r_has_status("m2", "failed") && r_has_status("m0", "pending"),
          "not the conversation's jobs alone are cancelled");
  t_do(0, "jobs", "cancel", "--status", "stopped", "--yes");
  T_CHECK(r_has_status("m0", "pending"), "one that is not stopped was cancelled");
  t_do(0, "jobs", "retry", "--status", "failed", "--yes");
  r_wait_status("m2", "done", 20000);
  t_do(0, "jobs", "retry", "--status", "pending", "--yes");
  r_wait_status("m0", "done", 20000);
  r_wait_status("m1", "done", 20000);
}

/* One that is refused stops no other. */
T_STORY(jobs, one_that_is_refused, 60) {
  t_up();
  three_jobs();
  r_put_on_auto("{'kind': 'null'}");
  t_do(0, "set", CONVERSATION, "--automation", "paused");
  json_t *lines = t_lines(0, "jobs", "retry", "--status", "superseded", "--yes");
  T_CHECK(json_array_size(lines) == 0, "%zu jobs are superseded", json_array_size(lines));
  json_decref(lines);
  t_do(0, "jobs", "cancel", "--status", "pending", "--yes");
  t_do(0, "jobs", "cancel", "--status", "failed", "--yes"); /* they have failed already */
  static const char *const wrong[][6] = {{"jobs", "cancel"},
                                         {"jobs", "why", "--status", "failed"},
                                         {"jobs", "cancel", "m0", "--status", "failed"},
                                         {"jobs", "snooze", "--status", "waiting", "--yes"},
                                         {"jobs", "cancel", "--status", "failed", "--anyway"},
                                         {"jobs", "retry", "m0", "--until", "+1h"}};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    const char *words[7] = {0};
    memcpy(words, wrong[i], sizeof wrong[i]);
    t_do_words(2, NULL, words);
  }
}

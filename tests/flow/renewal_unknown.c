/* Deliveries that are cut off, by renewd, the store or the target: an end that is unknown is never
 * sent again blindly. */
#include "tests/flow/renewal_help.h"

/* renewd died between sending and the answer: the end is unknown, and nothing is sent again. */
T_STORY(renewal, an_unknown_end, 60) {
  char target[160];
  struct t_http *h = r_web("hang", target);
  t_up();
  r_put_on_auto(target);
  r_say("m1", "assistant", target);
  T_UNTIL(20000, t_http_count(h) == 1, "no POST");
  t_wait_other("renewd", t_kill("renewd", SIGKILL), 20000);
  T_UNTIL(20000, t_status_int("jobs.unknown", 0) == 1, "the attempt is not listed as unknown");
  r_check_quiet(h, 1, 700);
  r_wait_status("m1", "running", 20000);
  T_CHECK(t_status_int("jobs.running", -1) == 0, "an unknown attempt counts as running too");
  /* A person decides. */
  t_http_script(h, "200");
  json_t *job = r_job_of("m1");
  t_do(0, "jobs", "retry", t_text_at(job, "job_id"));
  json_decref(job);
  r_wait_status("m1", "done", 20000);
  T_CHECK(t_http_count(h) == 2, "%d requests", t_http_count(h));
  t_http_stop(&h);
}

/* …unless the target recognises a delivery that it already has. */
T_STORY(renewal, an_idempotent_target, 60) {
  char target[160], one[256], two[256];
  struct t_http *h = r_web("hang 200", target);
  t_set("renew.webhook.idempotent", t_http_url(h));
  t_up();
  r_put_on_auto(target);
  r_say("m1", "assistant", target);
  T_UNTIL(20000, t_http_count(h) == 1, "no POST");
  t_wait_other("renewd", t_kill("renewd", SIGKILL), 20000);
  r_wait_status("m1", "done", 20000);
  T_CHECK(t_http_count(h) == 2, "%d requests", t_http_count(h));
  T_CHECK(t_http_header(t_http_request(h, 0), "idempotency-key", one) &&
              t_http_header(t_http_request(h, 1), "idempotency-key", two) && strcmp(one, two) == 0,
          "sent again with another Idempotency-Key");
  t_http_stop(&h);
}

/* The store may apply a claim of the last run after this run has looked through all jobs. */
T_STORY(renewal, a_claim_of_a_dead_run_that_comes_late, 60) {
  t_up();
  r_put_on_auto("{'kind': 'null'}");
  struct t_producer *p = t_producer("late");
  t_taken(p, 'n', "renewal_jobs",
          "{'job_id': 'j1', 'local_conversation_id': '" CONVERSATION
          "', 'message_id': 'm-user', 'payload': 'go on', 'target_snapshot': {'kind': 'null'}, "
          "'next_attempt_at': 9000000000000}");
  struct ck_mutation m = {.kind = CK_OP_CLAIM};
  m.as.claim = (struct ck_claim){
      .job_id = CK_LIT("j1"), .token = CK_LIT("the token of a dead run"), .at = ck_now_ms()};
  t_mutate(p, &m);
  T_CHECK(t_commit(p) == 'u', "the claim was refused: %s", t_refusal(p));
  r_wait_status("m-user", "done", 20000);
  json_t *lines = r_wait_attempts("m-user", 2);
  T_CHECK(json_array_size(lines) == 2, "%zu attempts in the log, not one released and one done",
          json_array_size(lines));
  json_decref(lines);
}

T_STORY(renewal, a_connection_without_an_answer, 60) {
  char target[160];
  struct t_http *h = r_web("close", target);
  t_up();
  r_put_on_auto(target);
  r_say("m1", "assistant", target);
  T_UNTIL(20000, t_status_int("jobs.unknown", 0) == 1,
          "an attempt without an answer is not unknown");
  r_check_quiet(h, 1, 500);
  r_check_log("m1", (const char *const[]){"unknown"}, 1);
  t_http_stop(&h);
}

/* The store goes away during a delivery: it is told the outcome once it is back. */
T_STORY(renewal, the_store_dies_meanwhile, 60) {
  char target[160];
  struct t_http *h = r_web("200+1200", target);
  t_up();
  r_put_on_auto(target);
  r_say("m1", "assistant", target);
  T_UNTIL(20000, t_http_count(h) == 1, "no POST");
  t_wait_other("store", t_kill("store", SIGKILL), 20000);
  r_wait_status("m1", "done", 10000);
  r_check_quiet(h, 1, 500);
  t_http_stop(&h);
}

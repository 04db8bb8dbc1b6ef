/* One target does not get too much at once, and a target that is hung holds up nobody else. */
#include <string.h>

#include "tests/flow/renewal_help.h"

/* `n` conversations, NAME0 to NAME(n-1), with a job by hand each that is due now. target: JSON. */
static void jobs_to(struct t_producer *p, const char *name, int n, const char *target) {
  for (int i = 0; i < n; i++) {
    t_taken(p, 'n', "messages",
            "{'id': '%s%d', 'platform': 'x', 'conversation_id': '%s%d', 'role': 'assistant', "
            "'raw_text': 't', 'observed_at': %lld}",
            name, i, name, i, (long long)r_now_plus(0));
    t_taken(p, 'n', "local_conversations", "{'local_conversation_id': 'x:%s%d', 'platform': 'x'}",
            name, i);
  }
  for (int i = 0; i < n; i++)
    t_taken(p, 'n', "renewal_jobs",
            "{'job_id': 'hand-%s%d', 'local_conversation_id': 'x:%s%d', 'message_id': '%s%d', "
            "'payload': 'go on', 'target_snapshot': %s, 'next_attempt_at': %lld}",
            name, i, name, i, name, i, target, (long long)r_now_plus(0));
}

static bool is_said(const char *const words[], const char *part) {
  struct t_result r = words[3] ? t_convkeep(words[0], words[1], words[2], words[3])
                               : t_convkeep(words[0], words[1], words[2]);
  bool yes = r.code == 0 && strstr(r.out, part);
  t_result_free(&r);
  return yes;
}

static bool is_listed(const char *state, const char *job) {
  return is_said((const char *const[]){"list", "jobs", "--status", state}, job);
}

static bool why_says(const char *job, const char *part) {
  return is_said((const char *const[]){"jobs", "why", job, NULL}, part);
}

/* The same number of jobs is overdue after each start of renewd. */
T_STORY(renewal, overdue_jobs_of_one_target_go_out_apart, 90) {
  enum { JOBS = 60, APART = 100 };
  char target[160];
  t_set("renew.spacing", "100ms");
  struct t_http *h = r_web("200", target);
  t_up();
  struct t_producer *p = t_producer("hand");
  jobs_to(p, "c", JOBS, target);
  T_UNTIL(10000, t_http_count(h) >= 5, "%d requests", t_http_count(h));
  t_wait_other("renewd", t_kill("renewd", SIGKILL), 20000);
  T_UNTIL(30000, t_status_int("jobs.pending", -1) == 0 && t_status_int("jobs.running", -1) == 0,
          "%d requests", t_http_count(h));
  int n = t_http_count(h);
  T_CHECK(n >= JOBS - 4 && n <= JOBS, "%d requests, not %d", n, JOBS);
  /* A request may take a moment to get here, so five of them are looked at together. */
  for (int i = 5; i < n; i++) {
    int64_t took = t_http_request(h, i)->at - t_http_request(h, i - 5)->at;
    T_CHECK(took >= 4 * APART, "five deliveries after number %d began within %lld ms", i - 5,
            (long long)took);
  }
  t_http_stop(&h);
}

/* 20 deliveries to a web server that never answers, and one to each of 20 commands that never end:
 * others are not delayed. */
T_STORY(renewal, hung_targets_hold_up_themselves_only, 90) {
  char target[160], hung[160], allow[160], name[32], word[64];
  t_set("renew.spacing", "0s");
  struct t_http *h = r_web("200", target), *dead = r_web("hang", hung);
  snprintf(allow, sizeof allow, "%s %s", t_http_url(h), t_http_url(dead));
  t_set("renew.webhook.allow", allow);
  for (int i = 0; i < 20; i++) {
    snprintf(name, sizeof name, "renew.exec.hang%d", i);
    t_set(name, "sleep 120");
  }
  t_set("renew.exec.fine", "cat");
  t_up();
  struct t_producer *p = t_producer("hand");
  jobs_to(p, "dead", 20, hung);
  for (int i = 0; i < 20; i++) {
    snprintf(name, sizeof name, "e%d-", i);
    snprintf(word, sizeof word, "{'kind': 'exec', 'id': 'hang%d'}", i);
    jobs_to(p, name, 1, word);
  }
  T_UNTIL(10000, t_status_int("jobs.running", 0) == 24,
          "%lld deliveries are under way, not 4 and 20",
          (long long)t_status_int("jobs.running", 0));
  T_UNTIL(20000, why_says("hand-dead19", "slots"), "why does not name the slots");
  T_CHECK(is_listed("waiting", "hand-dead19"), "a job that waits for a slot is not listed so");
  jobs_to(p, "web", 3, target);
  jobs_to(p, "fine", 3, "{'kind': 'exec', 'id': 'fine'}");
  int64_t begin = ck_boot_ms();
  T_UNTIL(20000, t_status_int("jobs.done", 0) == 6, "%lld of 6 were delivered",
          (long long)t_status_int("jobs.done", 0));
  t_note("six deliveries took %lld ms", (long long)(ck_boot_ms() - begin));
  T_CHECK(t_http_count(dead) == 4, "%d at once to one target", t_http_count(dead));
  t_http_stop(&h);
  t_http_stop(&dead);
}

/* The target answers itself: an assistant's message comes after each delivery, and no person's. */
static void answer_itself(int from, int to, const char *target) {
  char id[16];
  for (int i = from; i <= to; i++) {
    snprintf(id, sizeof id, "m%d", i);
    r_say(id, "assistant", target);
    r_wait_status(id, "done", 20000);
  }
}

static void is_stopped(struct t_http *h, const char *message, int requests) {
  T_UNTIL(20000, r_has_status(message, "pending"), "%s has no job", message);
  r_check_quiet(h, requests, 700);
  T_CHECK(r_has_status(message, "pending"), "the job did not wait");
  json_t *job = r_job_of(message);
  const char *id = t_text_at(job, "job_id");
  T_UNTIL(20000, is_listed("stopped", id), "the job is not listed as stopped");
  T_CHECK(!is_listed("waiting", id), "the job is listed as waiting too");
  T_CHECK(why_says(id, "with no person in between"), "why does not say that it is stopped");
  json_decref(job);
}

T_STORY(renewal, a_target_that_answers_itself_is_stopped, 120) {
  char target[160];
  t_set("renew.spacing", "0s");
  t_set("renew.cooldown", "0s");
  t_set("renew.delay", "0s");
  t_set("renew.in_a_row", "3");
  struct t_http *h = r_web("200", target);
  t_up();
  r_put_on_auto(target);
  answer_itself(1, 3, target);
  r_say("m4", "assistant", target);
  is_stopped(h, "m4", 3);
  t_wait_other("renewd", t_kill("renewd", SIGKILL), 20000);
  is_stopped(h, "m4", 3);
  t_do(0, "set", CONVERSATION, "--automation", "auto");
  r_wait_status("m4", "done", 20000);
  answer_itself(5, 6, target);
  r_say("m7", "assistant", target);
  is_stopped(h, "m7", 6);
  t_do(0, "resume", CONVERSATION);
  r_wait_status("m7", "done", 20000);
  answer_itself(8, 9, target);
  r_say("m10", "assistant", target);
  is_stopped(h, "m10", 9);
  /* The page shows the follow-up as a person's message, which it is not. */
  t_import_lines(0,
                 "{'platform': 'chatgpt', 'conversation_id': 'conv-1', 'message_id': 'echo', "
                 "'role': 'user', 'text': 'continue', 'observed_at': %lld}\n",
                 (long long)r_now_plus(0));
  r_say("m11", "assistant", target);
  is_stopped(h, "m11", 9);
  r_say("u12", "user", target);
  json_t *job = r_job_of("m11");
  T_UNTIL(20000, is_listed("superseded", t_text_at(job, "job_id")), "an answer supersedes nothing");
  json_decref(job);
  T_CHECK(t_status_int("jobs.failed", -1) == 0 && t_status_int("jobs.superseded", 0) >= 1,
          "superseded jobs count as failed");
  r_say("m13", "assistant", target);
  r_wait_status("m13", "done", 20000);
  t_http_stop(&h);
}

/* Whatever the settings say. */
T_STORY(renewal, sixty_an_hour, 90) {
  char target[160];
  t_set("renew.spacing", "0s");
  t_set("renew.in_a_row", "1000");
  struct t_http *h = r_web("200", target);
  t_up();
  struct t_producer *p = t_producer("hand");
  t_taken(p, 'n', "local_conversations", "{'local_conversation_id': 'x:c', 'platform': 'x'}");
  for (int i = 0; i < 62; i++) {
    t_taken(p, 'n', "messages",
            "{'id': 'm%d', 'platform': 'x', 'conversation_id': 'c', 'role': 'assistant', "
            "'raw_text': 't', 'observed_at': %lld}",
            i, (long long)r_now_plus(0));
    t_taken(p, 'n', "renewal_jobs",
            "{'job_id': 'hand-%d', 'local_conversation_id': 'x:c', 'message_id': 'm%d', "
            "'payload': 'go on', 'target_snapshot': %s, 'next_attempt_at': %lld}",
            i, i, target, (long long)r_now_plus(0));
  }
  T_UNTIL(30000, t_http_count(h) == 60, "%d requests, not 60", t_http_count(h));
  r_check_quiet(h, 60, 700);
  t_wait_other("renewd", t_kill("renewd", SIGKILL), 20000);
  r_check_quiet(h, 60, 700);
  T_CHECK(t_status_int("jobs.pending", -1) == 2, "the others do not wait");
  T_UNTIL(20000,
          why_says("hand-61", "60 deliveries within an hour") ||
              why_says("hand-60", "60 deliveries within an hour"),
          "why does not say that it is stopped");
  t_http_stop(&h);
}

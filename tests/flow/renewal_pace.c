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
  t_wait_other("renewd", t_kill("renewd", SIGKILL), 8000);
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
  jobs_to(p, "web", 3, target);
  jobs_to(p, "fine", 3, "{'kind': 'exec', 'id': 'fine'}");
  int64_t begin = ck_boot_ms();
  T_UNTIL(5000, t_status_int("jobs.done", 0) == 6, "%lld of 6 were delivered",
          (long long)t_status_int("jobs.done", 0));
  t_note("six deliveries took %lld ms", (long long)(ck_boot_ms() - begin));
  T_CHECK(t_http_count(dead) == 4, "%d at once to one target", t_http_count(dead));
  t_http_stop(&h);
  t_http_stop(&dead);
}

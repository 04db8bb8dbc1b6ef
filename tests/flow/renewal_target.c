/* A job without a target that anything serves waits, says why, and goes when a target comes. */
#include "tests/flow/renewal_help.h"

/* Fails unless `jobs why` of the message's pending job says this. */
static void check_why(const char *message, const char *part) {
  json_t *job = r_job_of(message);
  struct t_result why = t_convkeep("jobs", "why", t_text_at(job, "job_id"));
  T_CHECK(why.code == 0 && strstr(why.out, "pending") && strstr(why.out, part),
          "`jobs why` does not say `%s`: %s%s", part, why.out, why.err);
  T_CHECK(t_int_at(job, "attempt_count", -1) == 0 && strstr(why.out, "no attempt yet"),
          "a job that has nowhere to go was tried: %s", why.out);
  t_result_free(&why);
  json_decref(job);
}

/* Fails unless `set --automation auto` is done and says this; NULL: and says nothing. */
static void check_set(const char *conversation, const char *part) {
  struct t_result set = t_convkeep("set", conversation, "--automation", "auto");
  T_CHECK(set.code == 0 && strstr(set.out, "automation auto"), "`set` ended with %d: %s%s",
          set.code, set.out, set.err);
  T_CHECK(part ? strstr(set.err, part) != NULL : !set.err[0], "`set` said `%s`, not `%s`", set.err,
          part ? part : "");
  t_result_free(&set);
}

static void wait_pending(const char *message) { r_wait_status(message, "pending", 20000); }

static bool lists_no_target(void) {
  struct t_result list = t_convkeep("list", "jobs", "--status", "waiting");
  bool yes = list.code == 0 && strstr(list.out, "no_target");
  t_result_free(&list);
  return yes;
}

/* An observation that names neither target nor client. */
static void say_nowhere(const char *id, const char *role) {
  t_import_lines(0,
                 "{'platform': 'chatgpt', 'conversation_id': 'conv-1', 'message_id': '%s', "
                 "'role': '%s', 'text': 'said', 'observed_at': %lld}\n",
                 id, role, (long long)r_now_plus(0));
}

T_STORY(renewal_target, nobody_said_where, 60) {
  char target[160];
  t_set("renew.delay", "0ms");
  struct t_http *h = r_web("200", target);
  t_up();
  say_nowhere("m-user", "user");
  check_set(CONVERSATION, "its active link names no target");
  t_do(1, "renew", CONVERSATION, "--payload", "go on");
  say_nowhere("m1", "assistant");
  wait_pending("m1");
  check_why("m1", "its active link names no target");
  T_UNTIL(20000, lists_no_target(), "`list jobs` does not say no_target");
  t_wait_other("renewd", t_kill("renewd", SIGKILL), 20000);
  r_check_quiet(h, 0, 300);
  check_why("m1", "its active link names no target");
  r_say("m1", "assistant", target); /* the same message, seen where it can be answered */
  r_wait_status("m1", "done", 20000);
  T_CHECK(t_http_count(h) == 1, "%d requests", t_http_count(h));
  r_check_log("m1", (const char *const[]){"done"}, 1);
  t_http_stop(&h);
}

/* A page that is gone is no target, until it is there again. */
T_STORY(renewal_target, no_active_link, 60) {
  t_set("renew.delay", "0ms");
  t_up();
  r_say("m-user", "user", "{'kind': 'null'}");
  struct t_producer *p = t_producer("pages");
  json_t *links = t_query("conversation_links", NULL, 5, 0);
  char *id = ck_strdup(t_text_at(links, "0.link_id"));
  json_decref(links);
  t_updated(p, 'u', "", "conversation_links", "{'link_id': '%s', 'is_active': 0}", id);
  check_set(CONVERSATION, "no active link");
  t_taken(p, 'n', "renewal_jobs",
          "{'job_id': 'j1', 'local_conversation_id': '" CONVERSATION
          "', 'message_id': 'm-user', 'payload': 'go on'}");
  check_why("m-user", "no active link");
  t_updated(p, 'u', "", "conversation_links", "{'link_id': '%s', 'is_active': 1}", id);
  r_wait_status("m-user", "done", 20000);
  check_set(CONVERSATION, NULL);
  free(id);
}

/* What the settings lack, they have at renewd's next start. */
T_STORY(renewal_target, settings_that_come_later, 60) {
  char conf[400];
  const char *target = "{'kind': 'exec', 'id': 'take'}";
  t_write_text("convkeep.conf", "renew.delay = \"0ms\"\n");
  t_up();
  r_say("m-user", "user", target);
  check_set(CONVERSATION, "there is no setting renew.exec.take");
  r_say("m1", "assistant", target);
  wait_pending("m1");
  check_why("m1", "there is no setting renew.exec.take");
  snprintf(conf, sizeof conf, "renew.delay = \"0ms\"\nrenew.exec.take = \"tee %s/out/taken\"\n",
           t_folder());
  t_write_text("convkeep.conf", conf);
  t_kill("renewd", SIGTERM);
  r_wait_status("m1", "done", 20000);
  json_t *lines = t_read_lines("../out/taken");
  T_CHECK(json_array_size(lines) == 1, "%zu deliveries", json_array_size(lines));
  json_decref(lines);
}

/* A target that a job has already is looked at again, too. */
T_STORY(renewal_target, settings_that_are_gone, 60) {
  char conf[400];
  const char *target = "{'kind': 'exec', 'id': 'take'}";
  snprintf(conf, sizeof conf, "renew.exec.take = \"tee %s/out/taken\"\n", t_folder());
  t_write_text("convkeep.conf", conf);
  t_up();
  r_say("m1", "user", target);
  t_do(0, "renew", CONVERSATION, "--payload", "later", "--at", "+1h");
  t_write_text("convkeep.conf", "");
  pid_t old = t_kill("renewd", SIGTERM);
  t_wait_other("renewd", old, 20000);
  json_t *job = r_job_of("m1");
  t_do(0, "jobs", "retry", t_text_at(job, "job_id"));
  json_decref(job);
  check_why("m1", "there is no setting renew.exec.take");
  r_say("m1", "user", "{'kind': 'null'}");
  r_wait_status("m1", "done", 20000);
}

/* set says at once, and exactly, what is missing, and so does renew, whose job waits. */
T_STORY(renewal_target, set_says_what_is_missing, 60) {
  static const struct {
    const char *target, *says;
  } cases[] = {
      {"{'kind': 'smoke', 'id': 'x'}", "no channel serves a target of kind smoke"},
      {"{'kind': 'exec', 'id': 'no such'}", "there is no setting renew.exec.no such"},
      {"{'kind': 'exec'}", "of kind exec, has no id"},
      {"{'kind': 'webhook', 'payload': {'url': 'http://127.0.0.1:1/'}}", "renew.webhook.allow"},
      {"{'kind': 'webhook'}", "of kind webhook, has no url"},
      {"{'kind': 'feed'}", "of kind feed, has neither client_id nor id"},
      {"{'kind': 'browser.proxy_delivery'}", "neither client_id nor id"},
      {"{'kind': 'browser.proxy_delivery', 'id': 'firefox-claude'}", NULL},
      {"{'kind': 'null'}", NULL},
  };
  char conversation[20];
  t_up();
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    t_import_lines(0,
                   "{'platform': 'x', 'conversation_id': 'c%zu', 'message_id': 'm%zu', 'role': "
                   "'user', 'text': 'said', 'observed_at': %lld, 'target': %s}\n",
                   i, i, (long long)r_now_plus(0), cases[i].target);
    snprintf(conversation, sizeof conversation, "x:c%zu", i);
    check_set(conversation, cases[i].says);
    if (!cases[i].says) continue;
    struct t_result renew = t_convkeep("renew", conversation, "--payload", "go on");
    T_CHECK(renew.code == 0 && strstr(renew.err, cases[i].says), "`renew` ended with %d: %s",
            renew.code, renew.err);
    t_result_free(&renew);
    snprintf(conversation, sizeof conversation, "m%zu", i);
    check_why(conversation, cases[i].says);
  }
  t_down();
  check_set("x:c0", "no channel serves a target of kind smoke"); /* without a ring */
}

/* What failed goes where the conversation is now, not where it was. */
T_STORY(renewal_target, retry_goes_to_the_present_target, 60) {
  char target[160], there[160];
  t_set("renew.delay", "0ms");
  struct t_http *h = r_web("404", target);
  snprintf(there, sizeof there, "{'kind': 'webhook', 'payload': {'url': '%sthere'}}",
           t_http_url(h));
  t_up();
  r_put_on_auto(target);
  r_say("m1", "assistant", target);
  r_wait_status("m1", "failed", 20000);
  r_say("m1", "assistant", there);
  t_http_script(h, "200");
  json_t *job = r_job_of("m1");
  t_do(0, "jobs", "retry", t_text_at(job, "job_id"));
  json_decref(job);
  r_wait_status("m1", "done", 20000);
  T_CHECK(t_http_count(h) == 2 && strcmp(t_http_request(h, 1)->path, "/there") == 0,
          "it went to %s", t_http_request(h, t_http_count(h) - 1)->path);
  t_http_stop(&h);
}

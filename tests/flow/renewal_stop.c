/* Follow-ups that stop by themselves, and say why. */
#include "tests/flow/renewal_help.h"

/* The conversation is on auto with a target that is always done. */
static void begin(void) {
  t_set("renew.delay", "0ms");
  t_set("renew.cooldown", "0ms");
  t_set("renew.spacing", "0ms");
  t_up();
  r_put_on_auto("{'kind': 'null'}");
}

static void answers(const char *id, const char *text) {
  t_import_lines(0,
                 "{'platform': 'chatgpt', 'conversation_id': 'conv-1', 'message_id': '%s',"
                 " 'text': '%s', 'role': 'assistant', 'observed_at': %lld}\n",
                 id, text, (long long)r_now_plus(0));
}

/* What `jobs why` says that the message's job waits for. */
static bool waits_for(const char *message, const char *part) {
  json_t *job = r_job_of(message);
  if (!job) return false;
  struct t_result r = t_convkeep("jobs", "why", t_text_at(job, "job_id"));
  bool waits = strstr(r.out, part) != NULL;
  t_result_free(&r);
  json_decref(job);
  return waits;
}

static void stops(const char *message, const char *part) {
  T_UNTIL(10000, waits_for(message, part), "%s does not wait for '%s'", message, part);
  T_CHECK(r_has_status(message, "pending"), "%s was sent", message);
}

/* A person's word, or that it may go on, ends it. */
T_STORY(renewal, a_question_stops, 60) {
  begin();
  answers("m1", "All is ready. Shall I continue?");
  r_wait_status("m1", "done", 10000);
  answers("m2", "Shall I delete the folder?");
  stops("m2", "stopped: the answer ends with a question");
  t_says(0, "the answer ends with a question", "list", "jobs");
  t_says(0, "which is stopped, the answer ends with a question: convkeep jobs why job_", "jobs",
         "why", CONVERSATION);
  json_t *stopped = t_lines(0, "list", "jobs", "--status", "stopped");
  T_CHECK(json_array_size(stopped) == 1, "%zu jobs are listed as stopped",
          json_array_size(stopped));
  json_decref(stopped);
  t_do(0, "jobs", "cancel", "--status", "waiting", "--yes");
  T_CHECK(r_has_status("m2", "pending"), "a stopped job was taken for one that waits");
  t_do(1, "jobs", "cancel", "--status", "pending", "--platform", "nope", "--yes");
  r_say("m3", "user", NULL);
  r_wait_status("m2", "failed", 10000);
  json_t *failed = t_lines(0, "list", "jobs", "--status", "failed");
  T_CHECK(json_array_size(failed) == 0, "a superseded job is listed as failed");
  json_decref(failed);
  answers("m4", "And this one?");
  stops("m4", "stopped: the answer ends with a question");
  t_do(0, "resume", CONVERSATION);
  r_wait_status("m4", "done", 10000);
}

T_STORY(renewal, a_stopped_job_goes_anyway, 60) {
  begin();
  answers("m1", "Shall I delete the folder?");
  stops("m1", "stopped: the answer ends with a question");
  json_t *job = r_job_of("m1");
  const char *id = t_text_at(job, "job_id");
  struct t_result r = t_convkeep("jobs", "retry", id);
  T_CHECK(r.code == 0 && strstr(r.out, "stays stopped: the answer ends with a question") &&
              strstr(r.out, "--anyway"),
          "it says %s%s", r.out, r.err);
  t_result_free(&r);
  stops("m1", "stopped: the answer ends with a question");
  t_do(0, "jobs", "retry", id, "--anyway");
  r_wait_status("m1", "done", 10000);
  json_decref(job);
}

static bool is_not_known(const char *state) {
  struct t_result r = t_convkeep("list", "jobs", "--status", state);
  bool is = r.code == 1 && strstr(r.err, "renewd does not say which of 1 pending job");
  t_result_free(&r);
  return is;
}

/* What --json says of the message's job; NULL: null. reason: a part of it. */
static void is_listed(const char *message, const char *state, const char *reason) {
  json_t *lines = t_lines(0, "list", "jobs", "--message-id", message),
         *job = json_array_get(lines, 0);
  const char *is = t_text_at(job, "state"), *why = t_text_at(job, "reason");
  T_CHECK(json_object_get(job, "state") && json_object_get(job, "reason"), "%s",
          json_dumps(lines, 0));
  T_CHECK(state ? is && strcmp(is, state) == 0 : !is, "%s", json_dumps(lines, 0));
  T_CHECK(reason ? why && strstr(why, reason) : !why, "%s", json_dumps(lines, 0));
  json_decref(lines);
}

/* Whether a job is stopped only renewd knows: without it, none is taken for one that waits. */
T_STORY(renewal, what_is_stopped_only_renewd_knows, 60) {
  t_set("renew.delay", "0ms");
  t_daemon("store", NULL);
  t_daemon("ingest", NULL);
  struct t_process *renewd = t_daemon("renewd", NULL);
  r_put_on_auto("{'kind': 'null'}");
  answers("m1", "Shall I delete the folder?");
  stops("m1", "stopped: the answer ends with a question");
  is_listed("m1", "stopped", "the answer ends with a question");
  t_signal(renewd, SIGTERM);
  T_CHECK(t_wait_end(renewd, 20000) == 0, "renewd did not end well");
  T_UNTIL(10000, is_not_known("stopped"), "stopped jobs are listed without renewd");
  T_CHECK(is_not_known("waiting"), "waiting ones are listed");
  is_listed("m1", NULL, NULL);
  t_do(1, "jobs", "cancel", "--status", "waiting", "--yes");
  t_do(1, "jobs", "cancel", "--status", "stopped", "--yes");
  T_CHECK(r_has_status("m1", "pending"), "a job was cancelled of which nothing is known");
  json_t *said = t_lines(0, "jobs", "report");
  T_CHECK(t_int_at(said, "0.unexplained", 0) == 1, "the report claims to know it");
  json_decref(said);
  t_do(0, "jobs", "cancel", "--status", "pending", "--yes");
  T_CHECK(r_has_status("m1", "failed"), "pending ones are not cancelled");
  is_listed("m1", "failed", "cancelled");
}

T_STORY(renewal, a_text_and_answers_alike_stop, 90) {
  begin();
  t_do(0, "set", CONVERSATION, "--stop-text", "/^DONE\\b/i", "--stop-alike", "2", "--payload",
       "go on");
  answers("m1", "It is not done yet.");
  r_wait_status("m1", "done", 10000);
  json_t *job = r_job_of("m1");
  T_CHECK(strcmp(t_text_at(job, "payload"), "go on") == 0, "it says %s", t_text_at(job, "payload"));
  json_decref(job);
  answers("m2", "It is not done yet.");
  stops("m2", "stopped: 2 answers are alike");
  answers("m3", "done, all of it");
  stops("m3", "stopped: the answer has /^DONE");
  t_do(0, "set", CONVERSATION, "--stop-text", "default");
  r_wait_status("m3", "done", 10000);
}

/* Each follow-up is filled in when it is made, and is known as one when the page shows it. */
T_STORY(renewal, a_template, 90) {
  begin();
  t_do(2, "set", CONVERSATION, "--payload", "{who}", "--payload-kind", "template");
  t_do(0, "set", CONVERSATION, "--payload", "{count}: {last} Yes, {{go} on.", "--payload-kind",
       "template");
  answers("m1", "Ready.");
  r_wait_status("m1", "done", 10000);
  answers("m2", "Still {count}.");
  r_wait_status("m2", "done", 10000);
  json_t *job = r_job_of("m2");
  T_CHECK(strcmp(t_text_at(job, "payload"), "2: Still {count}. Yes, {go} on.") == 0 &&
              strcmp(t_text_at(job, "payload_kind"), "text") == 0,
          "the follow-up says %s", t_text_at(job, "payload"));
  json_decref(job);
}

T_STORY(renewal, a_time_and_a_number_stop, 90) {
  begin();
  t_do(0, "set", CONVERSATION, "--stop-after", "1", "--until", "+1h");
  answers("m1", "One.");
  r_wait_status("m1", "done", 10000);
  answers("m2", "Two.");
  stops("m2", "stopped: 1 delivery with no person in between");
  t_do(0, "set", CONVERSATION, "--stop-after", "default", "--until", "-1s");
  stops("m2", "stopped: the time has come until which it was to go on; convkeep set CONVERSATION "
              "--until TIME moves it");
  struct t_result r = t_convkeep("resume", CONVERSATION);
  T_CHECK(r.code == 0 && strstr(r.err, "are stopped: the time has come until which"),
          "resume says %s%s", r.out, r.err);
  t_result_free(&r);
  T_CHECK(r_has_status("m2", "pending"), "m2 was sent after its conversation's end");
  t_do(2, "set", CONVERSATION, "--until", "1970-01-01");
  t_do(2, "set", CONVERSATION, "--until", "default");
  t_do(2, "set", CONVERSATION, "--payload-kind", "json");
  t_do(2, "set", CONVERSATION, "--payload-kind", "json", "--payload", "default");
  t_do(0, "set", CONVERSATION, "--until", "none", "--per-day", "1");
  stops("m2", "stopped: it had 1 delivery in 24 hours; it goes in");
  t_do(0, "set", CONVERSATION, "--per-day", "default");
  r_wait_status("m2", "done", 10000);
}

/* Its targets tell what they cost. */
T_STORY(renewal, a_budget_stops, 90) {
  char conf[300];
  t_write_text("../out/costs.sh", "#!/bin/sh\ncat >/dev/null\n"
                                  "echo '{\"outcome\":\"done\",\"cost\":0.6,\"tokens\":100}'\n");
  snprintf(conf, sizeof conf,
           "renew.exec.costs = \"/bin/sh %s/out/costs.sh\"\nrenew.cost_per_day = 1\n", t_folder());
  t_write_text("convkeep.conf", conf);
  t_set("renew.delay", "0ms");
  t_set("renew.cooldown", "0ms");
  t_set("renew.spacing", "0ms");
  t_set("renew.account.spacing", "0ms");
  t_up();
  r_put_on_auto("{'kind': 'exec', 'id': 'costs'}");
  answers("m1", "One.");
  r_wait_status("m1", "done", 10000);
  answers("m2", "Two.");
  r_wait_status("m2", "done", 10000);
  answers("m3", "Three.");
  stops("m3", "stopped: its deliveries cost 1 or more in 24 hours; it goes in");
  t_do(2, "set", CONVERSATION, "--cost-per-day", "much");
  t_do(2, "set", CONVERSATION, "--tokens-per-day", "-1");
  t_do(0, "set", CONVERSATION, "--cost-per-day", "1.8", "--tokens-per-day", "200");
  stops("m3", "stopped: its deliveries used 200 tokens or more in 24 hours; it goes in");
  struct t_result r = t_convkeep("plan", "--until", "+2d");
  T_CHECK(r.code == 0 && strstr(r.out, "a cost of 1.8 a day, 200 tokens a day") &&
              strstr(r.out, "\n1 delivery until "),
          "plan says %s%s", r.out, r.err);
  t_result_free(&r);
  t_do(0, "set", CONVERSATION, "--tokens-per-day", "0");
  r_wait_status("m3", "done", 10000);
  answers("m4", "Four.");
  stops("m4", "stopped: its deliveries cost 1.8 or more in 24 hours");
}

/* What somebody who was away is told. */
T_STORY(renewal, a_night_in_ten_lines, 60) {
  begin();
  answers("m1", "One.");
  r_wait_status("m1", "done", 10000);
  answers("m2", "Shall I delete the folder?");
  stops("m2", "stopped");
  json_t *said = t_lines(0, "jobs", "report");
  T_CHECK(t_int_at(said, "0.delivered", 0) == 1 && t_int_at(said, "0.conversations", 0) == 1 &&
              t_int_at(said, "0.stopped.the answer ends with a question", 0) == 1,
          "the report does not say so");
  json_decref(said);
  said = t_lines(0, "jobs", "report", "--since", "+1h");
  T_CHECK(t_int_at(said, "0.delivered", -1) == 0, "something was delivered in an hour");
  json_decref(said);
  r_say("m3", "user", NULL);
  r_wait_status("m2", "failed", 10000);
  struct t_result r = t_convkeep("jobs", "report");
  T_CHECK(r.code == 0 && strstr(r.out, "1 in 1 conversation") && strstr(r.out, "superseded  1\n") &&
              strstr(r.out, "1: somebody answered"),
          "it says %s%s", r.out, r.err);
  t_result_free(&r);
  t_do(0, "renew", CONVERSATION, "--payload", "x", "--message", "m3", "--at", "+1h");
  t_do(0, "jobs", "cancel", "--status", "waiting", "--yes");
  said = t_lines(0, "jobs", "report");
  T_CHECK(t_int_at(said, "0.cancelled", 0) == 1 &&
              json_object_size(json_object_get(json_array_get(said, 0), "failed")) == 0,
          "it says %s", json_dumps(said, 0));
  json_decref(said);
  t_do(2, "jobs", "report", "--status", "failed");
  t_do(2, "jobs", "why", "m1", "--since", "-1h");
}

T_STORY(renewal, quiet_hours, 60) {
  char from[CK_TIME_TEXT], to[CK_TIME_TEXT], hours[40];
  begin();
  ck_time_text(from, r_now_plus(-3600000));
  ck_time_text(to, r_now_plus(3600000));
  snprintf(hours, sizeof hours, "%.5s-%.5s UTC", from + 11, to + 11);
  t_do(0, "set", CONVERSATION, "--quiet", hours);
  answers("m1", "One.");
  stops("m1", "stopped: these are its quiet hours");
  t_do(2, "set", CONVERSATION, "--quiet", "23:00-07:00 Nowhere");
  t_do(0, "set", CONVERSATION, "--quiet", "");
  r_wait_status("m1", "done", 10000);
}

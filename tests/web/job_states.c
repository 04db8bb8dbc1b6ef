/* /v1/jobs says of each job what `list jobs --json` says: also its state, and why it waits. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/clock.h"
#include "proto/text.h"
#include "proto/wire.h"
#include "tests/harness/base.h"
#include "tests/harness/ring.h"
#include "tests/harness/talk.h"
#include "tests/web/client.h"
#include "tests/web/follow_up.h"

static json_t *served(void) {
  struct t_reply r = t_ask_web("GET", "/v1/jobs?limit=100", t_person(), "", NULL);
  T_CHECK(r.status == 200, "%d %s", r.status, r.body);
  json_t *jobs = t_at(t_reply_json(&r), "jobs");
  t_reply_free(&r);
  return jobs;
}

static const json_t *of(const json_t *jobs, const char *conversation) {
  const json_t *job;
  size_t i;
  json_array_foreach(jobs, i, job) {
    const char *name = json_string_value(json_object_get(job, "local_conversation_id"));
    if (name && strcmp(name, conversation) == 0) return job;
  }
  return NULL;
}

static const char *text(const json_t *job, const char *member) {
  const char *value = json_string_value(json_object_get(job, member));
  return value ? value : "";
}

/* Both say that, and the same of all the others. */
static bool both_say(const char *conversation, const char *state, const char *reason) {
  json_t *own = t_lines(0, "list", "jobs", "--limit", "100"), *jobs = served();
  const json_t *job = of(jobs, conversation);
  bool same = json_equal(own, jobs) && strcmp(text(job, "state"), state) == 0 &&
              strstr(text(job, "reason"), reason);
  json_decref(own);
  return same;
}

static void say(const char *conversation, const char *state, const char *reason) {
  T_UNTIL(20000, both_say(conversation, state, reason), "%s is not %s (%s): %s\n%s", conversation,
          state, reason, json_dumps(of(served(), conversation), 0),
          json_dumps(t_lines(0, "list", "jobs", "--limit", "100"), 0));
}

static void answer(const char *conversation, const char *text) {
  t_import_lines(0,
                 "{'platform': 'x', 'conversation_id': '%s', 'message_id': 'a-%s',"
                 " 'role': 'assistant', 'text': '%s', 'observed_at': %lld, 'client_id': 'ff1'}\n",
                 conversation, conversation, text, (long long)ck_now_ms());
}

/* A client claims the job, and says how it ended. */
static void deliver(const char *id) {
  const char *token = t_token("browser", "deliver");
  json_t *offer = NULL;
  T_UNTIL(20000, ({
            struct t_reply r =
                t_ask_web("GET", "/v1/deliveries?client=ff1&wait=5", token, "", NULL);
            offer = t_at(t_reply_json(&r), "deliveries.0");
            t_reply_free(&r);
            offer;
          }),
          "it is not offered");
  T_CHECK(strcmp(t_text_at(offer, "job_id"), id) == 0, "another is offered");
  char *claim = ck_sprintf("/v1/deliveries/%s/claim", id),
       *end = ck_sprintf("/v1/deliveries/%s/end", id),
       *body = ck_sprintf("{\"client\":\"ff1\",\"offer\":\"%s\",\"token\":\"t\"}",
                          t_text_at(offer, "offer"));
  t_web_says(200, NULL, "POST", claim, token, "", body);
  t_web_says(200, NULL, "POST", end, token, "",
             "{\"attempt\":1,\"token\":\"t\",\"outcome\":\"done\"}");
  free(claim), free(end), free(body);
}

T_STORY(web_lists, jobs_as_the_command_line_has_them, 90) {
  t_set("renew.delay", "0ms");
  t_up();
  t_say("x", 8);
  char *unknown = t_renew("x:c0", "now");
  t_web_unknown(unknown);
  char *done = t_renew("x:c1", "now");
  deliver(done);
  char *failed = t_renew("x:c2", "+1h");
  t_do(0, "jobs", "cancel", failed);
  t_do(0, "set", "x:c3", "--automation", "auto");
  answer("c3", "Shall I delete the folder?");
  free(t_renew("x:c4", "+1h"));
  t_do(0, "pause", "x:c5", "--until", "+1h");
  free(t_renew("x:c5", "now"));
  free(t_renew("x:c6", "now"));
  struct t_producer *p = t_producer("person");
  t_taken(p, 'n', "renewal_jobs",
          "{'job_id': 'old', 'local_conversation_id': 'x:c7', 'message_id': 'x-m7', 'payload': "
          "'go', 'status': 'failed', 'last_error': '" CK_SUPERSEDED "somebody answered'}");
  say("x:c0", "unknown", "");
  say("x:c1", "done", "");
  say("x:c2", "failed", "cancelled by hand");
  say("x:c3", "stopped", "the answer ends with a question");
  say("x:c4", "waiting", "");
  say("x:c5", "paused", "");
  say("x:c6", "offered", "ff1");
  say("x:c7", "superseded", "somebody answered");
  free(unknown), free(done), free(failed);
}

/* What a due job waits for is not known while renewd is away. */
T_STORY(web_lists, states_without_renewd, 60) {
  t_up();
  t_say("x", 2);
  t_do(0, "pause");
  free(t_renew("x:c0", "now"));
  free(t_renew("x:c1", "+1h"));
  say("x:c0", "paused", "");
  t_signal(t_up_process(), SIGSTOP);
  t_kill("renewd", SIGKILL);
  T_UNTIL(20000, json_is_null(json_object_get(of(served(), "x:c0"), "state")),
          "the state of x:c0 is still known");
  say("x:c0", "", "");
  say("x:c1", "waiting", "");
  t_signal(t_up_process(), SIGCONT);
  say("x:c0", "paused", "");
}

/* What a person changes over HTTP: conversations, jobs, pauses. The same again is harmless, and a
 * refusal has the store's reason. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/base.h"
#include "tests/harness/ring.h"
#include "tests/harness/talk.h"
#include "tests/web/client.h"

#define CONVERSATION "x:c"

static const char *admin;

/* A conversation with a job by hand that is due in an hour; its id, which the caller frees. */
static char *begin(void) {
  t_up();
  admin = t_token("admin", "admin");
  t_import_lines(0, "{'platform': 'x', 'conversation_id': 'c', 'message_id': 'm', 'role': 'user', "
                    "'text': 'said', 'observed_at': 1, 'client_id': 'ff1'}\n");
  t_do(0, "renew", CONVERSATION, "--payload", "go on", "--at", "+1h");
  json_t *jobs = t_query("renewal_jobs", NULL, 1, 0);
  char *id = ck_strdup(t_text_at(jobs, "0.job_id"));
  json_decref(jobs);
  return id;
}

/* JSON with ' instead of ". *said: borrowed. */
static int change(const char *path, const char *body, json_t **said) {
  char *text = ck_strdup(body);
  for (char *c = text; *c; ++c)
    if (*c == '\'') *c = '"';
  struct t_reply r = t_ask_web("POST", path, admin, "", text);
  int status = r.status;
  *said = t_reply_json(&r);
  t_reply_free(&r);
  free(text);
  return status;
}

static json_t *done(const char *path, const char *body) {
  json_t *said = NULL;
  int status = change(path, body, &said);
  T_CHECK(status == 200, "%s %s: %d %s", path, body, status, t_text_at(said, "reason"));
  return said;
}

static void refused(int status, const char *part, const char *path, const char *body) {
  json_t *said = NULL;
  int is = change(path, body, &said);
  const char *reason = t_text_at(said, "reason");
  T_CHECK(is == status && reason && strstr(reason, part), "%s %s: %d %s, not %d with %s", path,
          body, is, reason ? reason : "", status, part);
}

static void job_is(json_t *job, const char *status) {
  T_CHECK(strcmp(t_text_at(job, "status"), status) == 0, "it is %s, not %s",
          t_text_at(job, "status"), status);
}

static char *path_of(const char *id, const char *verb) {
  return ck_sprintf("/v1/jobs/%s/%s", id, verb);
}

T_STORY(web_changes, of_a_job, 60) {
  char *id = begin(), *retry = path_of(id, "retry"), *cancel = path_of(id, "cancel"),
       *snooze = path_of(id, "snooze"), *resolve = path_of(id, "resolve");
  for (int i = 0; i < 2; ++i) {
    json_t *job = done(snooze, "{'until': 2000000000000}");
    T_CHECK(t_int_at(job, "next_attempt_at", 0) == 2000000000000, "it is not snoozed");
  }
  done(snooze, "{'until': '+2h', 'anyway': true}");
  refused(400, "has passed", snooze, "{'until': 1}");
  refused(400, "until", snooze, "{}");
  refused(409, "not unknown", resolve, "{'arrived': true}");
  refused(400, "arrived", resolve, "{}");
  for (int i = 0; i < 2; ++i) job_is(done(cancel, ""), "failed");
  refused(409, "does not wait", snooze, "{'until': '+2h'}");
  done(retry, "{}");
  refused(400, "more", retry, "{'more': 1}");
  refused(404, "no job", "/v1/jobs/none/cancel", "");
  t_web_says(403, "scope", "POST", cancel, t_token("other", "read,deliver,capture"), "", "");
  free(id), free(retry), free(cancel), free(snooze), free(resolve);
}

T_STORY(web_changes, of_an_unknown_job, 90) {
  char *id = begin(), *retry = path_of(id, "retry"), *resolve = path_of(id, "resolve");
  done(retry, "");
  t_web_unknown(id);
  job_is(done(resolve, "{'arrived': false}"), "pending");
  t_do(0, "web", "token", "revoke", "client");
  t_web_unknown(id);
  for (int i = 0; i < 2; ++i) job_is(done(resolve, "{'arrived': true}"), "done");
  refused(409, "it was delivered", retry, "");
  free(id), free(retry), free(resolve);
}

static size_t pauses(void) {
  json_t *rows = t_query("pauses", NULL, 10, 0);
  size_t n = json_array_size(rows);
  json_decref(rows);
  return n;
}

static void status_is(const char *status) {
  json_t *rows =
      t_query("local_conversations", "{'local_conversation_id': '" CONVERSATION "'}", 1, 0);
  const char *is = t_text_at(rows, "0.automation_status");
  T_CHECK(strcmp(is, status) == 0, "the conversation is %s, not %s", is, status);
  json_decref(rows);
}

T_STORY(web_changes, of_pauses, 60) {
  free(begin());
  for (int i = 0; i < 2; ++i) done("/v1/pause", "{'kind': 'everything'}");
  T_CHECK(pauses() == 1, "%zu pauses", pauses());
  for (int i = 0; i < 2; ++i) done("/v1/resume", "{'kind': 'everything'}");
  T_CHECK(pauses() == 0, "%zu pauses", pauses());
  json_t *said = done("/v1/pause", "{'kind': 'platform', 'name': 'x', 'until': '+1h'}");
  T_CHECK(t_int_at(said, "until", 0) > ck_now_ms(), "it says no end");
  done("/v1/pause", "{'kind': 'account', 'name': 'work'}");
  T_CHECK(pauses() == 2, "%zu pauses", pauses());
  done("/v1/resume", "{'kind': 'platform', 'name': 'x'}");
  done("/v1/resume", "{'kind': 'account', 'name': 'work'}");
  for (int i = 0; i < 2; ++i)
    done("/v1/pause", "{'kind': 'conversation', 'name': '" CONVERSATION "'}");
  status_is("paused");
  done("/v1/resume", "{'kind': 'conversation', 'name': '" CONVERSATION "', 'to': 'manual'}");
  status_is("manual");
  done("/v1/pause", "{'kind': 'conversation', 'name': '" CONVERSATION "', 'until': '+1h'}");
  status_is("manual");
  T_CHECK(pauses() == 1, "%zu pauses", pauses());
  done("/v1/resume", "{'kind': 'conversation', 'name': '" CONVERSATION "'}");
  T_CHECK(pauses() == 0, "%zu pauses", pauses());
  refused(404, "no conversation", "/v1/pause", "{'kind': 'conversation', 'name': 'none'}");
  refused(409, "pause.", "/v1/pause", "{'kind': 'nothing'}");
  refused(409, "has passed", "/v1/pause", "{'kind': 'everything', 'until': 1}");
  refused(400, "kind", "/v1/pause", "{}");
  refused(400, "until", "/v1/pause", "{'kind': 'everything', 'until': 'soon'}");
}

T_STORY(web_changes, of_a_conversation, 60) {
  const char *path = "/v1/conversations/" CONVERSATION;
  free(begin());
  json_t *said = done(path, "{'automation': 'auto', 'title': 'A title', 'stop_after': 5, "
                            "'stop_question': true, 'payload': 'go', 'until': '+1d'}");
  T_CHECK(strcmp(t_text_at(said, "automation_status"), "auto") == 0 &&
              strcmp(t_text_at(said, "title"), "A title") == 0 &&
              t_int_at(said, "renewal.in_a_row", 0) == 5 &&
              json_is_true(t_at(said, "renewal.question")) &&
              strcmp(t_text_at(said, "renewal.payload"), "go") == 0,
          "it is %s", json_dumps(said, 0));
  json_t *again = done(path, "{'stop_after': 'default', 'automation': 'auto'}");
  T_CHECK(!t_at(again, "renewal.in_a_row") &&
              strcmp(t_text_at(again, "renewal.payload"), "go") == 0,
          "it is %s", json_dumps(again, 0));
  again = done(path, "{'cost_per_day': 2.5, 'tokens_per_day': 500000}");
  T_CHECK(json_number_value(t_at(again, "renewal.cost_per_day")) == 2.5 &&
              t_int_at(again, "renewal.tokens_per_day", 0) == 500000,
          "it is %s", json_dumps(again, 0));
  refused(400, "cost_per_day: must be a number", path, "{'cost_per_day': 0.0000001}");
  refused(400, "stop_after: must be a number", path, "{'stop_after': 0}");
  refused(400, "per_day: must be a number", path, "{'per_day': 'many'}");
  refused(400, "stop_question", path, "{'stop_question': 'perhaps'}");
  refused(400, "no such member", path, "{'titel': 'x'}");
  refused(400, "must be text", path, "{'title': null}");
  refused(400, "nothing to change", path, "{}");
  refused(400, "until", path, "{'until': 'soon'}");
  refused(409, "automation_status", path, "{'automation': 'always'}");
  refused(404, "no conversation", "/v1/conversations/none", "{'title': 'x'}");
  t_web_says(403, "scope", "POST", path, t_token("other", "read,deliver,capture"), "", "{}");
}

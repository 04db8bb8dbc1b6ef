/* A conversation on auto gets its follow-up delivered, once, and every attempt is in the log. */
#include <dirent.h>
#include <sys/stat.h>

#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/http.h"
#include "tests/harness/ring.h"
#include "tests/harness/talk.h"

#define CONVERSATION "chatgpt:conv-1"

static int64_t now_plus(int64_t ms) { return ck_now_ms() + ms; }

/* An observation of the conversation that has the target in it. */
static void say(const char *id, const char *role, const char *target) {
  t_import_lines(
      0,
      "{'platform': 'chatgpt', 'conversation_id': 'conv-1', 'message_id': '%s', "
      "'role': '%s', 'text': 'said', 'observed_at': %lld, 'client_id': 'browser-1'%s%s}\n",
      id, role, (long long)now_plus(0), target ? ", 'target': " : "", target ? target : "");
}

static void put_on_auto(const char *target) {
  say("m-user", "user", target);
  t_do(0, "set", CONVERSATION, "--automation", "auto");
}

static struct t_http *web(const char *script, char target[160]) {
  struct t_http *h = t_http_start(script);
  snprintf(target, 160, "{'kind': 'webhook', 'id': 'hook', 'payload': {'url': '%shook'}}",
           t_http_url(h));
  t_set("renew.webhook.allow", t_http_url(h));
  return h;
}

/* The message's job; NULL while there is none. */
static json_t *job_of(const char *message) {
  char filter[96];
  snprintf(filter, sizeof filter, "{'message_id': '%s'}", message);
  json_t *rows = t_query("renewal_jobs", filter, 20, 0);
  T_CHECK(json_array_size(rows) <= 1, "%s has %zu jobs", message, json_array_size(rows));
  json_t *job = json_incref(json_array_get(rows, 0));
  json_decref(rows);
  return job;
}

static bool has_status(const char *message, const char *status) {
  json_t *job = job_of(message);
  const char *is = t_text_at(job, "status");
  bool yes = is && strcmp(is, status) == 0;
  json_decref(job);
  return yes;
}

static void wait_status(const char *message, const char *status, int ms) {
  T_UNTIL(ms, has_status(message, status), "the job of %s is not %s after %d ms: %s", message,
          status, ms, json_dumps(job_of(message), 0));
}

static void read_log(const char *path, void *self) {
  if (strstr(path, ".jsonl") == NULL) return;
  json_t *lines = t_read_lines(path);
  json_array_extend(self, lines);
  json_decref(lines);
}

/* The log's lines for one message's job, in order. */
static json_t *attempts(const char *message) {
  json_t *all = json_array(), *mine = json_array(), *job = job_of(message), *line;
  size_t i;
  t_walk("logs/renewal", read_log, all);
  json_array_foreach(all, i, line) {
    const char *id = t_text_at(line, "job_id"), *event = t_text_at(line, "outcome");
    if (id && event && job && strcmp(id, t_text_at(job, "job_id")) == 0)
      json_array_append(mine, line);
  }
  json_decref(all), json_decref(job);
  return mine;
}

static void check_log(const char *message, const char *const outcomes[], size_t n) {
  json_t *lines = attempts(message);
  char *said = json_dumps(lines, 0);
  T_CHECK(json_array_size(lines) == n, "%zu attempts in the log, not %zu: %s",
          json_array_size(lines), n, said);
  for (size_t i = 0; i < n; i++) {
    json_t *line = json_array_get(lines, i);
    T_CHECK(strcmp(t_text_at(line, "outcome"), outcomes[i]) == 0, "attempt %zu is %s, not %s: %s",
            i + 1, t_text_at(line, "outcome"), outcomes[i], said);
    T_CHECK(t_int_at(line, "attempt", 0) == (int64_t)i + 1, "attempt %zu has another number: %s",
            i + 1, said);
    T_CHECK(t_at(line, "at") && t_at(line, "channel"),
            "the log does not say when and by which channel: %s", said);
  }
  free(said);
  json_decref(lines);
}

/* Checks that nothing more comes for this long. */
static void check_quiet(struct t_http *h, int requests, int ms) {
  int64_t until = ck_boot_ms() + ms;
  while (ck_boot_ms() < until) {
    T_CHECK(t_http_count(h) == requests, "%d requests, not %d", t_http_count(h), requests);
    t_pause(20);
  }
}

T_STORY(renewal, one_post_within_a_second, 60) {
  char target[160], header[256];
  struct t_http *h = web("200", target);
  t_up();
  put_on_auto(target);
  check_quiet(h, 0, 300);
  say("m1", "assistant", target);
  T_UNTIL(5000, t_http_count(h) == 1, "no POST within 5 s");
  const struct t_request *r = t_http_request(h, 0);
  json_t *body = t_http_json(r), *message = t_record("messages", "m1");
  wait_status("m1", "done", 3000);
  json_t *job = job_of("m1");
  int64_t due = t_int_at(job, "next_attempt_at", 0) ? t_int_at(job, "next_attempt_at", 0)
                                                    : t_int_at(message, "created_at", 0);
  if (due > t_int_at(message, "created_at", 0)) due = t_int_at(message, "created_at", 0);
  t_note("the POST came %lld ms after it was due", (long long)(r->at - due));
  T_CHECK(r->at - due <= 1000 * T_SLOWER, "the POST came %lld ms after it was due",
          (long long)(r->at - due));
  T_CHECK(strcmp(r->method, "POST") == 0 && strcmp(r->path, "/hook") == 0, "%s %s", r->method,
          r->path);
  T_CHECK(t_http_header(r, "content-type", header) && strcmp(header, "application/json") == 0,
          "content-type is %s", header);
  T_CHECK(t_http_header(r, "idempotency-key", header) &&
              strcmp(header, t_text_at(body, "delivery_id")) == 0,
          "Idempotency-Key is %s", header);
  json_t *want = t_json("{'attempt': 1, 'platform': 'chatgpt', 'conversation_id': 'conv-1', "
                        "'local_conversation_id': '" CONVERSATION
                        "', 'payload': 'continue', 'payload_kind': 'text'}");
  json_object_set(want, "delivery_id", json_object_get(job, "job_id"));
  json_object_set(want, "job_id", json_object_get(job, "job_id"));
  T_CHECK(json_equal(body, want), "the body is %s", r->body);
  json_decref(body), json_decref(want), json_decref(message), json_decref(job);
  check_log("m1", (const char *const[]){"done"}, 1);
  /* No second one comes, whatever is restarted. */
  for (int i = 0; i < 2; i++) t_wait_other("renewd", t_kill("renewd", SIGKILL), 8000);
  t_wait_other("store", t_kill("store", SIGKILL), 8000);
  check_quiet(h, 1, 700);
  json_t *conversation = t_record("local_conversations", CONVERSATION);
  T_CHECK(t_int_at(conversation, "cooldown_until", 0) > ck_now_ms(),
          "the conversation does not rest after a delivery");
  json_decref(conversation);
  t_whole(10000);
  t_http_stop(&h);
}

/* No job: manual, paused, a person's message, a message from before auto. */
T_STORY(renewal, which_messages_get_none, 60) {
  char target[160];
  struct t_http *h = web("200", target);
  t_up();
  say("m0", "assistant", target);
  check_quiet(h, 0, 300);
  t_do(0, "set", CONVERSATION, "--automation", "auto");
  check_quiet(h, 0, 300);
  say("m1", "user", target);
  check_quiet(h, 0, 300);
  t_do(0, "set", CONVERSATION, "--automation", "paused");
  say("m2", "assistant", target);
  check_quiet(h, 0, 300);
  T_CHECK(t_count("renewal_jobs") == 0, "%lld jobs were made", (long long)t_count("renewal_jobs"));
  t_http_stop(&h);
}

T_STORY(renewal, a_server_that_is_down, 60) {
  char target[160];
  t_set("renew.backoff", "100ms");
  struct t_http *h = web("200", target);
  t_http_refuse(h);
  t_up();
  put_on_auto(target);
  say("m1", "assistant", target);
  wait_status("m1", "failed", 15000);
  json_t *job = job_of("m1");
  T_CHECK(t_int_at(job, "attempt_count", 0) == 3 && t_int_at(job, "max_attempts", 0) == 3,
          "%lld attempts", (long long)t_int_at(job, "attempt_count", 0));
  T_CHECK(t_text_at(job, "last_error") && t_int_at(job, "finished_at", 0) > 0,
          "a failed job says neither why nor when");
  struct t_result why = t_convkeep("jobs", "why", t_text_at(job, "job_id"));
  T_CHECK(why.code == 0 && strstr(why.out, "retry") && strstr(why.out, "failed"),
          "`jobs why` ended with %d and said: %s%s", why.code, why.out, why.err);
  t_result_free(&why);
  json_decref(job);
  check_log("m1", (const char *const[]){"retry", "retry", "failed"}, 3);
  t_http_listen(h);
  check_quiet(h, 0, 500);
  t_http_stop(&h);
}

/* After `jobs retry` a job has all its attempts again: with max_attempts 2, the server gets four
 * requests. */
T_STORY(renewal, a_failed_job_is_retried_with_all_its_attempts, 60) {
  char target[160];
  t_set("renew.backoff", "20ms");
  t_set("renew.max_attempts", "2");
  struct t_http *h = web("503", target);
  t_up();
  put_on_auto(target);
  say("m1", "assistant", target);
  wait_status("m1", "failed", 10000);
  json_t *job = job_of("m1");
  t_do(0, "jobs", "retry", t_text_at(job, "job_id"));
  json_decref(job);
  T_UNTIL(10000, t_http_count(h) == 4, "%d requests after a retry, not 4", t_http_count(h));
  wait_status("m1", "failed", 10000);
  job = job_of("m1");
  T_CHECK(t_int_at(job, "attempt_count", 0) == 2, "%lld attempts are counted",
          (long long)t_int_at(job, "attempt_count", 0));
  json_decref(job);
  t_http_stop(&h);
}

T_STORY(renewal, tried_again_until_it_works, 60) {
  char target[160], first[256], header[256];
  t_set("renew.backoff", "50ms");
  t_set("renew.max_attempts", "6");
  struct t_http *h = web("500 503 408 429 200", target);
  t_up();
  put_on_auto(target);
  say("m1", "assistant", target);
  wait_status("m1", "done", 15000);
  T_CHECK(t_http_count(h) == 5, "%d requests, not 5", t_http_count(h));
  for (int i = 0; i < 5; i++) {
    json_t *body = t_http_json(t_http_request(h, i));
    T_CHECK(t_int_at(body, "attempt", 0) == i + 1, "request %d says attempt %lld", i + 1,
            (long long)t_int_at(body, "attempt", 0));
    json_decref(body);
    T_CHECK(t_http_header(t_http_request(h, i), "idempotency-key", i ? header : first),
            "no Idempotency-Key");
    T_CHECK(i == 0 || strcmp(first, header) == 0,
            "the Idempotency-Key of attempt %d is another one", i + 1);
  }
  check_log("m1", (const char *const[]){"retry", "retry", "retry", "retry", "done"}, 5);
  t_http_stop(&h);
}

T_STORY(renewal, retry_after_is_kept, 60) {
  char target[160];
  t_set("renew.backoff", "10ms");
  struct t_http *h = web("429/1 200", target);
  t_up();
  put_on_auto(target);
  say("m1", "assistant", target);
  wait_status("m1", "done", 10000);
  int64_t between = t_http_request(h, 1)->at - t_http_request(h, 0)->at;
  T_CHECK(between >= 990, "tried again after %lld ms, though Retry-After said 1 s",
          (long long)between);
  t_http_stop(&h);
}

T_STORY(renewal, other_answers_fail_at_once, 60) {
  char target[160];
  t_set("renew.backoff", "10ms");
  struct t_http *h = web("404", target);
  t_up();
  put_on_auto(target);
  say("m1", "assistant", target);
  wait_status("m1", "failed", 10000);
  check_quiet(h, 1, 300);
  check_log("m1", (const char *const[]){"failed"}, 1);
  t_http_stop(&h);
}

/* Targets come in with observations: only addresses that the settings allow are reached. */
T_STORY(renewal, an_address_that_is_not_allowed, 60) {
  char target[160], error[400];
  struct t_http *h = web("200", target);
  t_set("renew.webhook.allow", "https://hooks.example/");
  t_up();
  put_on_auto(target);
  say("m1", "assistant", target);
  wait_status("m1", "failed", 10000);
  json_t *job = job_of("m1");
  snprintf(error, sizeof error, "%s", t_text_at(job, "last_error"));
  T_CHECK(strstr(error, "renew.webhook.allow"), "the error does not name the setting: %s", error);
  json_decref(job);
  T_CHECK(t_http_count(h) == 0, "an address that is not allowed was reached");
  t_http_stop(&h);
}

/* The conversation rests after a delivery, and the next message's follow-up waits. */
T_STORY(renewal, cooldown, 60) {
  char target[160];
  t_set("renew.cooldown", "1500ms");
  struct t_http *h = web("200", target);
  t_up();
  put_on_auto(target);
  say("m1", "assistant", target);
  wait_status("m1", "done", 5000);
  int64_t until = 0;
  json_t *conversation = t_record("local_conversations", CONVERSATION);
  until = t_int_at(conversation, "cooldown_until", 0);
  json_decref(conversation);
  say("m2", "user", target);
  say("m3", "assistant", target);
  wait_status("m3", "done", 8000);
  int64_t late = t_http_request(h, 1)->at - until;
  T_CHECK(late >= 0 && late <= 1000 * T_SLOWER, "the second POST came %lld ms after the rest",
          (long long)late);
  T_CHECK(t_http_count(h) == 2, "%d requests", t_http_count(h));
  t_http_stop(&h);
}

T_STORY(renewal, a_delay, 60) {
  char target[160];
  t_set("renew.delay", "1200ms");
  struct t_http *h = web("200", target);
  t_up();
  put_on_auto(target);
  say("m1", "assistant", target);
  json_t *message = t_record("messages", "m1");
  int64_t due = t_int_at(message, "created_at", 0) + 1200;
  json_decref(message);
  pid_t old = t_kill("renewd", SIGKILL);
  t_wait_other("renewd", old, 8000);
  wait_status("m1", "done", 8000);
  int64_t late = t_http_request(h, 0)->at - due;
  T_CHECK(late >= -1 && late <= 1000 * T_SLOWER, "the POST came %lld ms after it was due",
          (long long)late);
  T_CHECK(t_http_count(h) == 1, "%d requests", t_http_count(h));
  t_http_stop(&h);
}

/* renewd died between sending and the answer: the end is unknown, and nothing is sent again. */
T_STORY(renewal, an_unknown_end, 60) {
  char target[160];
  struct t_http *h = web("hang", target);
  t_up();
  put_on_auto(target);
  say("m1", "assistant", target);
  T_UNTIL(5000, t_http_count(h) == 1, "no POST");
  t_wait_other("renewd", t_kill("renewd", SIGKILL), 8000);
  T_UNTIL(8000, t_status_int("jobs.unknown", 0) == 1, "the attempt is not listed as unknown");
  check_quiet(h, 1, 700);
  wait_status("m1", "running", 1000);
  T_CHECK(t_status_int("jobs.running", -1) == 0, "an unknown attempt counts as running too");
  /* A person decides. */
  t_http_script(h, "200");
  json_t *job = job_of("m1");
  t_do(0, "jobs", "retry", t_text_at(job, "job_id"));
  json_decref(job);
  wait_status("m1", "done", 8000);
  T_CHECK(t_http_count(h) == 2, "%d requests", t_http_count(h));
  t_http_stop(&h);
}

/* …unless the target recognises a delivery that it already has. */
T_STORY(renewal, an_idempotent_target, 60) {
  char target[160], one[256], two[256];
  struct t_http *h = web("hang 200", target);
  t_set("renew.webhook.idempotent", t_http_url(h));
  t_up();
  put_on_auto(target);
  say("m1", "assistant", target);
  T_UNTIL(5000, t_http_count(h) == 1, "no POST");
  t_wait_other("renewd", t_kill("renewd", SIGKILL), 8000);
  wait_status("m1", "done", 8000);
  T_CHECK(t_http_count(h) == 2, "%d requests", t_http_count(h));
  T_CHECK(t_http_header(t_http_request(h, 0), "idempotency-key", one) &&
              t_http_header(t_http_request(h, 1), "idempotency-key", two) && strcmp(one, two) == 0,
          "sent again with another Idempotency-Key");
  t_http_stop(&h);
}

/* The store may apply a claim of the last run after this run has looked through all jobs. */
T_STORY(renewal, a_claim_of_a_dead_run_that_comes_late, 60) {
  t_up();
  put_on_auto("{'kind': 'null'}");
  struct t_producer *p = t_producer("late");
  t_taken(p, 'n', "renewal_jobs",
          "{'job_id': 'j1', 'local_conversation_id': '" CONVERSATION
          "', 'message_id': 'm-user', 'payload': 'go on', 'target_snapshot': {'kind': 'null'}, "
          "'next_attempt_at': 9000000000000}");
  struct ck_mutation m = {.kind = CK_OP_CLAIM};
  m.as.claim = (struct ck_claim){CK_LIT("j1"), CK_LIT("the token of a dead run"), ck_now_ms()};
  t_mutate(p, &m);
  T_CHECK(t_commit(p) == 'u', "the claim was refused: %s", t_refusal(p));
  wait_status("m-user", "done", 8000);
  json_t *lines = attempts("m-user");
  T_CHECK(json_array_size(lines) == 2, "%zu attempts in the log, not one released and one done",
          json_array_size(lines));
  json_decref(lines);
}

T_STORY(renewal, a_connection_without_an_answer, 60) {
  char target[160];
  struct t_http *h = web("close", target);
  t_up();
  put_on_auto(target);
  say("m1", "assistant", target);
  T_UNTIL(8000, t_status_int("jobs.unknown", 0) == 1,
          "an attempt without an answer is not unknown");
  check_quiet(h, 1, 500);
  check_log("m1", (const char *const[]){"unknown"}, 1);
  t_http_stop(&h);
}

/* The store goes away during a delivery: it is told the outcome once it is back. */
T_STORY(renewal, the_store_dies_meanwhile, 60) {
  char target[160];
  struct t_http *h = web("200+1200", target);
  t_up();
  put_on_auto(target);
  say("m1", "assistant", target);
  T_UNTIL(5000, t_http_count(h) == 1, "no POST");
  t_wait_other("store", t_kill("store", SIGKILL), 8000);
  wait_status("m1", "done", 10000);
  check_quiet(h, 1, 500);
  t_http_stop(&h);
}

static void script_file(const char *path, const char *text) {
  t_write_text(path, text);
  T_CHECK(chmod(path, 0700) == 0, "no chmod");
}

T_STORY(renewal, a_command, 60) {
  char conf[700];
  script_file("../out/take.sh", "#!/bin/sh\n"
                                "n=$(cat ../out/tries 2>/dev/null || echo 0)\n"
                                "echo $((n + 1)) >../out/tries\n"
                                "cat >>../out/taken\n"
                                "printf '%s\\n' \"$#:$1:$2\" >>../out/args\n"
                                "[ $n -gt 0 ] || exit 75\n"
                                "exit 0\n");
  snprintf(conf, sizeof conf,
           "renew.backoff = \"50ms\"\nrenew.exec.take = \"%s/out/take.sh one $(two)\"\n",
           t_folder());
  t_write_text("convkeep.conf", conf);
  t_up();
  const char *target = "{'kind': 'exec', 'id': 'take'}";
  put_on_auto(target);
  say("m1", "assistant", target);
  wait_status("m1", "done", 10000);
  json_t *lines = t_read_lines("../out/taken");
  T_CHECK(json_array_size(lines) == 2,
          "the command was given %zu lines, not one for each of two attempts",
          json_array_size(lines));
  T_CHECK(t_int_at(lines, "0.attempt", 0) == 1 && t_int_at(lines, "1.attempt", 0) == 2,
          "the attempts are not numbered");
  T_CHECK(t_text_at(lines, "0.payload") && strcmp(t_text_at(lines, "0.payload"), "continue") == 0,
          "the payload is another one");
  json_decref(lines);
  char *args = t_read_file("../out/args", NULL);
  T_CHECK(args && strncmp(args, "2:one:$(two)\n", 13) == 0,
          "the command's words went through a shell: %s", args);
  free(args);
  check_log("m1", (const char *const[]){"retry", "done"}, 2);
}

T_STORY(renewal, a_command_that_fails, 60) {
  char conf[400];
  script_file("../out/no.sh", "#!/bin/sh\necho no such thing >&2\nexit 3\n");
  snprintf(conf, sizeof conf, "renew.exec.no = \"%s/out/no.sh\"\n", t_folder());
  t_write_text("convkeep.conf", conf);
  t_up();
  const char *target = "{'kind': 'exec', 'id': 'no'}";
  put_on_auto(target);
  say("m1", "assistant", target);
  wait_status("m1", "failed", 10000);
  json_t *job = job_of("m1");
  T_CHECK(strstr(t_text_at(job, "last_error"), "3"), "the error does not name the exit code: %s",
          t_text_at(job, "last_error"));
  json_decref(job);
  say("m2", "user", "{'kind': 'exec', 'id': '/bin/true'}");
  say("m3", "assistant", "{'kind': 'exec', 'id': '/bin/true'}");
  wait_status("m3", "failed", 10000);
}

T_STORY(renewal, to_nowhere, 60) {
  t_up();
  put_on_auto("{'kind': 'null'}");
  say("m1", "assistant", "{'kind': 'null'}");
  wait_status("m1", "done", 8000);
  check_log("m1", (const char *const[]){"done"}, 1);
}

/* ---- feed ---- */

static json_t *next_delivery(void *feed, int ms) {
  struct ck_buf b = {0};
  struct ck_message m;
  struct ck_err err;
  if (!t_raw_recv(feed, &b, ms)) return NULL;
  T_CHECK(ck_message_decode(&m, b.data, b.len, &err) == 0 && m.kind == CK_MSG_DELIVERY,
          "not a delivery: %s", err.text);
  json_t *body = json_loadb(m.as.delivery.body.s, m.as.delivery.body.n, 0, NULL);
  T_CHECK(body != NULL, "the delivery's body is not JSON");
  ck_buf_free(&b);
  return body;
}

static char confirm(struct t_producer *p, json_t *delivery, const char *token,
                    const char *outcome) {
  struct ck_mutation m = {.kind = CK_OP_END};
  m.as.end = (struct ck_end){.job_id = ck_str_of(t_text_at(delivery, "job_id")),
                             .attempt = (uint64_t)t_int_at(delivery, "attempt", 0),
                             .token = ck_str_of(token ? token : t_text_at(delivery, "lease_token")),
                             .outcome = ck_str_of(outcome),
                             .at = ck_now_ms()};
  t_mutate(p, &m);
  return t_commit(p);
}

T_STORY(renewal, through_the_browser, 60) {
  t_up();
  void *feed = t_raw_socket(CK_DOOR_FEED, ZMQ_SUB);
  zmq_setsockopt(feed, ZMQ_SUBSCRIBE, "delivery/browser-1", 18);
  put_on_auto(NULL);
  say("m1", "assistant", NULL);
  json_t *delivery = next_delivery(feed, 5000);
  T_CHECK(delivery != NULL, "nothing came under delivery/browser-1");
  T_CHECK(t_text_at(delivery, "lease_token") && t_int_at(delivery, "attempt", 0) == 1 &&
              strcmp(t_text_at(delivery, "payload"), "continue") == 0,
          "the delivery is %s", json_dumps(delivery, 0));
  struct t_producer *browser = t_producer("browser");
  T_CHECK(confirm(browser, delivery, "another token", "done") == 'r',
          "a wrong token ended the job");
  T_CHECK(has_status("m1", "running"), "a wrong token ended the job");
  char result = confirm(browser, delivery, NULL, "done");
  T_CHECK(result == 'u', "the confirmation gave '%c': %s", result, t_refusal(browser));
  wait_status("m1", "done", 3000);
  T_CHECK(confirm(browser, delivery, NULL, "failed") == 'r', "an ended job was ended again");
  T_CHECK(has_status("m1", "done"), "an ended job was ended again");
  json_decref(delivery);
}

T_STORY(renewal, a_browser_that_never_answers, 60) {
  t_set("renew.timeout", "400ms");
  t_up();
  put_on_auto(NULL);
  say("m1", "assistant", NULL);
  T_UNTIL(8000, t_status_int("jobs.unknown", 0) == 1, "the attempt is not unknown after its time");
  check_log("m1", (const char *const[]){"unknown"}, 1);
  json_t *lines = attempts("m1");
  T_CHECK(t_int_at(lines, "0.took_ms", 0) >= 400, "the browser had %lld ms, not 400",
          (long long)t_int_at(lines, "0.took_ms", 0));
  json_decref(lines);
}

/* ---- by hand ---- */

T_STORY(renewal, by_hand, 60) {
  char target[160], at[32];
  struct t_http *h = web("200", target);
  t_up();
  say("m0", "user", target);
  say("m1", "user", target);
  snprintf(at, sizeof at, "%lld", (long long)now_plus(800));
  int64_t due = strtoll(at, NULL, 10);
  t_import_lines(0, "{'platform': 'x', 'text': 'of another one', 'message_id': 'other', "
                    "'role': 'user', 'conversation_id': 'other', 'observed_at': 1}\n");
  t_do(1, "renew", CONVERSATION, "--payload", "in my own words", "--message", "other");
  t_do(1, "renew", CONVERSATION, "--payload", "in my own words", "--message", "nobody said it");
  t_do(0, "renew", CONVERSATION, "--payload", "in my own words", "--message", "m0", "--at", "+1h");
  T_CHECK(t_count("renewal_jobs") == 1, "%lld jobs were made", (long long)t_count("renewal_jobs"));
  t_do(0, "renew", CONVERSATION, "--payload", "in my own words", "--at", at);
  wait_status("m1", "done", 8000);
  const struct t_request *r = t_http_request(h, 0);
  json_t *body = t_http_json(r);
  T_CHECK(strcmp(t_text_at(body, "payload"), "in my own words") == 0, "the payload is %s",
          t_text_at(body, "payload"));
  T_CHECK(r->at >= due - 1 && r->at <= due + 1000 * T_SLOWER, "the POST came %lld ms after --at",
          (long long)(r->at - due));
  json_decref(body);
  t_do(1, "renew", CONVERSATION, "--payload", "again");
  t_http_stop(&h);
}

/* A pause holds and survives kill -9; afterwards the waiting job is delivered. */
T_STORY(renewal, pause_and_resume, 60) {
  char target[160];
  struct t_http *h = web("200", target);
  t_up();
  put_on_auto(target);
  t_do(0, "pause", CONVERSATION);
  t_do(0, "renew", CONVERSATION, "--payload", "waits");
  check_quiet(h, 0, 400);
  t_wait_other("renewd", t_kill("renewd", SIGKILL), 8000);
  check_quiet(h, 0, 400);
  t_do(0, "resume", CONVERSATION);
  T_UNTIL(5000, t_http_count(h) == 1, "what waited did not go out after the pause");
  check_quiet(h, 1, 300);
  t_http_stop(&h);
}

/* Many conversations at once: one delivery at a time each, and each message at most once. */
T_STORY(renewal, many_at_once, 90) {
  char target[160];
  struct t_http *h = web("200", target);
  t_up();
  struct ck_buf b = {0};
  for (int round = 0; round < 2; round++) {
    ck_buf_clear(&b);
    for (int i = 0; i < 60; i++) {
      char line[500];
      snprintf(line, sizeof line,
               "{'platform': 'x', 'conversation_id': 'c%d', 'message_id': 'm%d-%d', 'role': '%s', "
               "'text': 't', 'observed_at': %lld, 'target': %s}\n",
               i, i, round, round ? "assistant" : "user", (long long)now_plus(0), target);
      for (char *c = line; *c; c++)
        if (*c == '\'') *c = '"';
      ck_buf_text(&b, line);
    }
    if (round) t_kill("renewd", SIGKILL);
    t_write_file("../out/many", b.data, b.len);
    t_do_in(0, "../out/many", "import", "-");
    struct t_producer *p = t_producer(round ? "second" : "first");
    for (int i = 0; i < 60 && !round; i++)
      t_updated(p, 'u', "", "local_conversations",
                "{'local_conversation_id': 'x:c%d', 'automation_status': 'auto'}", i);
  }
  ck_buf_free(&b);
  T_UNTIL(20000, t_status_int("jobs.done", 0) == 60, "%lld of 60 were delivered",
          (long long)t_status_int("jobs.done", 0));
  check_quiet(h, 60, 300);
  bool seen[60] = {false};
  for (int i = 0; i < 60; i++) {
    json_t *body = t_http_json(t_http_request(h, i));
    int n = atoi(t_text_at(body, "conversation_id") + 1);
    T_CHECK(n >= 0 && n < 60 && !seen[n], "conversation %d was followed up twice", n);
    seen[n] = true;
    json_decref(body);
  }
  t_whole(10000);
  t_http_stop(&h);
}

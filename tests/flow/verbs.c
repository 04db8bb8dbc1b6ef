/* Each verb of the command line does what docs/cli.md says, and nothing else. */
#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/http.h"
#include "tests/harness/ring.h"
#include "tests/harness/talk.h"

/* A message of x:CONVERSATION, seen now, with this target (JSON, ' for "). */
static void say_to(const char *conversation, const char *id, const char *target) {
  t_import_lines(0,
                 "{'platform': 'x', 'conversation_id': '%s', 'message_id': '%s', 'role': 'user',"
                 " 'text': 'said', 'observed_at': %lld, 'target': %s}\n",
                 conversation, id, (long long)ck_now_ms(), target);
}

static void say(const char *id) { say_to("c", id, "{'kind': 'null'}"); }

/* The id of a message's job, on the heap. */
static char *job_id_of(const char *message) {
  char filter[96];
  snprintf(filter, sizeof filter, "{'message_id': '%s'}", message);
  json_t *rows = t_query("renewal_jobs", filter, 2, 0);
  T_CHECK(json_array_size(rows) == 1, "%s has %zu jobs", message, json_array_size(rows));
  char *id = strdup(t_text_at(rows, "0.job_id"));
  json_decref(rows);
  return id;
}

static bool text_is(const char *table, const char *key, const char *column, const char *text) {
  json_t *row = t_record(table, key);
  const char *is = t_text_at(row, column);
  bool yes = text ? is && strcmp(is, text) == 0 : json_is_null(t_at(row, column));
  json_decref(row);
  return yes;
}

static int64_t number_of(const char *table, const char *key, const char *column) {
  json_t *row = t_record(table, key);
  int64_t n = t_int_at(row, column, 0);
  json_decref(row);
  return n;
}

static bool is_on(const char *conversation, const char *status) {
  return text_is("local_conversations", conversation, "automation_status", status);
}

/* ---- jobs ---- */

T_STORY(verbs, a_job_that_waits_is_cancelled_and_retried, 60) {
  t_up();
  say("m1");
  t_do(0, "renew", "x:c", "--payload", "later", "--at", "+1h");
  char *job = job_id_of("m1");
  t_says(0, "attempt 0 of 3", "jobs", "why", job);
  t_says(0, "it is not due yet", "jobs", "why", job);
  t_says(0, "is cancelled", "jobs", "cancel", job);
  T_CHECK(text_is("renewal_jobs", job, "status", "failed"), "a cancelled job has not failed");
  T_CHECK(text_is("renewal_jobs", job, "last_error", "cancelled by hand"), "it does not say why");
  T_CHECK(number_of("renewal_jobs", job, "attempt_count") == 0, "a cancelled job was charged");
  T_CHECK(number_of("renewal_jobs", job, "finished_at") > 0, "it does not say when");
  t_says(0, "had failed already", "jobs", "cancel", job);
  t_says(0, "is due now", "jobs", "retry", job);
  T_UNTIL(20000, text_is("renewal_jobs", job, "status", "done"),
          "what is retried is not delivered");
  t_says(1, "it was delivered", "jobs", "retry", job);
  t_says(1, "it was delivered", "jobs", "cancel", job);
  T_CHECK(text_is("renewal_jobs", job, "status", "done"),
          "what was delivered is not done any more");
  T_CHECK(number_of("renewal_jobs", job, "attempt_count") == 1, "it was delivered twice");
  free(job);
}

/* Cancelled, it is never sent again, not by the next start either. */
T_STORY(verbs, a_job_whose_end_is_unknown_is_cancelled, 60) {
  char target[160];
  struct t_http *h = t_http_start("hang");
  snprintf(target, sizeof target, "{'kind': 'webhook', 'payload': {'url': '%shook'}}",
           t_http_url(h));
  t_set("renew.webhook.allow", t_http_url(h));
  t_up();
  say_to("c", "m1", target);
  t_do(0, "renew", "x:c", "--payload", "once");
  T_UNTIL(20000, t_http_count(h) == 1, "no POST");
  char *job = job_id_of("m1");
  t_says(1, "an attempt is under way", "jobs", "retry", job);
  t_wait_other("renewd", t_kill("renewd", SIGKILL), 20000);
  T_UNTIL(20000, t_status_int("jobs.unknown", 0) == 1, "the attempt is not listed as unknown");
  t_http_script(h, "200");
  t_says(0, "is cancelled", "jobs", "cancel", job);
  T_CHECK(text_is("renewal_jobs", job, "status", "failed"), "a cancelled job has not failed");
  T_CHECK(text_is("renewal_jobs", job, "last_error", "cancelled by hand"), "it does not say why");
  t_wait_other("renewd", t_kill("renewd", SIGKILL), 20000);
  for (int64_t until = ck_boot_ms() + 500; ck_boot_ms() < until; t_pause(20))
    T_CHECK(t_http_count(h) == 1, "it was sent again");
  free(job);
  t_http_stop(&h);
}

/* ---- pause, resume ---- */

/* Conversations x:a and x:b on auto, x:m on manual, and y:c on auto. */
static void four_conversations(void) {
  for (const char *c = "abm"; *c; c++)
    say_to((char[]){*c, 0}, (char[]){'m', *c, 0}, "{'kind': 'null'}");
  t_import_lines(0, "{'platform': 'y', 'conversation_id': 'c', 'message_id': 'y', 'text': 'said', "
                    "'observed_at': 1}\n");
  t_do(0, "set", "x:a", "--automation", "auto");
  t_do(0, "set", "x:b", "--automation", "auto");
  t_do(0, "set", "y:c", "--automation", "auto");
}

T_STORY(verbs, pause_of_a_platform, 60) {
  t_up();
  four_conversations();
  int64_t before = ck_now_ms();
  t_says(0, "paused: the platform x", "pause", "x");
  t_says(0, "paused: everything", "pause");
  T_CHECK(is_on("x:a", "auto") && is_on("x:m", "manual") && is_on("y:c", "auto"),
          "a pause of many has changed one of them");
  json_t *rows = t_query("pauses", NULL, 10, 0);
  T_CHECK(json_array_size(rows) == 2 && t_int_at(json_array_get(rows, 0), "at", 0) >= before,
          "it does not say since when: %s", json_dumps(rows, 0));
  json_decref(rows);
  t_says(0, "x:m: paused, was manual", "pause", "x:m");
  T_CHECK(number_of("local_conversations", "x:m", "paused_at") >= before,
          "it does not say since when");
  T_CHECK(is_on("x:m", "paused"), "a conversation on manual that was named goes on");
}

T_STORY(verbs, resume_to_auto_and_to_manual, 60) {
  t_up();
  four_conversations();
  for (const char *const *id = (const char *const[]){"x:a", "x:b", "y:c", NULL}; *id; id++)
    t_do(0, "pause", *id);
  t_says(0, "x:a: manual, was paused", "resume", "x:a", "--to", "manual");
  T_CHECK(is_on("x:a", "manual"), "--to manual did something else");
  T_CHECK(text_is("local_conversations", "x:a", "paused_at", NULL),
          "what goes on is paused since …");
  t_says(2, "must be auto|manual", "resume", "--to", "paused");
  t_says(0, "y:c: auto, was paused", "resume", "y:c");
  t_says(0, "still paused: 1 conversation", "resume");
  T_CHECK(is_on("x:b", "paused"), "one that was paused by itself goes on");
  t_says(0, "x:b: auto, was paused", "resume", "--all");
  T_CHECK(is_on("x:b", "auto") && is_on("x:a", "manual") && is_on("x:m", "manual"),
          "resume did not turn what is paused, and only that");
}

T_STORY(verbs, pause_of_a_job, 60) {
  t_up();
  say("m1");
  t_do(0, "renew", "x:c", "--payload", "later", "--at", "+1h");
  char *job = job_id_of("m1");
  t_says(0, "paused: the job ", "pause", job);
  t_says(0, "paused: the job ", "jobs", "why", job);
  t_says(0, "resumed: the job ", "resume", job);
  job[12] = '\0'; /* as a list shows it */
  t_says(0, "paused: the job ", "pause", job);
  free(job);
}

/* ---- set ---- */

T_STORY(verbs, set_changes_what_it_names, 60) {
  t_up();
  say("m1");
  t_do(0, "set", "x:c", "--title", "A title");
  t_says(0, "summary A summary", "set", "x:c", "--summary", "A summary");
  T_CHECK(text_is("local_conversations", "x:c", "title", "A title"), "--summary changed the title");
  T_CHECK(text_is("local_conversations", "x:c", "summary", "A summary"),
          "--summary did not set it");
  t_do(0, "set", "x:c", "--summary", "");
  T_CHECK(text_is("local_conversations", "x:c", "summary", NULL), "an empty text does not clear");
  T_CHECK(is_on("x:c", "manual"), "a title turned the automation");
  t_do(0, "set", "x:c", "--automation", "paused");
  int64_t since = number_of("local_conversations", "x:c", "paused_at");
  T_UNTIL(1000, ck_now_ms() > since + 2, "the clock stands still");
  t_says(0, "already set", "set", "x:c", "--automation", "paused");
  T_CHECK(number_of("local_conversations", "x:c", "paused_at") == since,
          "what was paused already is paused since now");
}

/* ---- renew ---- */

static void link_to(struct t_producer *p, const char *link, int64_t seen, bool active) {
  t_taken(p, 'n', "conversation_links",
          "{'link_id': '%s', 'local_conversation_id': 'x:c', 'platform': 'x', 'observed_at': %lld,"
          " 'is_active': %d, 'target_kind': 'exec', 'target_id': 'of-%s'}",
          link, (long long)seen, active, link);
}

/* Several pages have the conversation open: the one that was seen last gets it, not one that was
 * closed. */
T_STORY(verbs, renew_goes_where_it_was_seen_last, 60) {
  t_up();
  say("m1");
  int64_t now = ck_now_ms();
  struct t_producer *p = t_producer("pages");
  link_to(p, "older", now + 400, true);
  link_to(p, "newest", now + 1200, true);
  link_to(p, "between", now + 800, true);
  link_to(p, "closed", now + 1600, false);
  t_do(0, "renew", "x:c", "--payload", "later", "--at", "+1h", "--max-attempts", "7");
  char *job = job_id_of("m1");
  json_t *row = t_record("renewal_jobs", job);
  const char *target = t_text_at(row, "target_snapshot");
  T_CHECK(target && strstr(target, "of-newest"), "it goes to %s", target ? target : "nowhere");
  T_CHECK(t_int_at(row, "max_attempts", 0) == 7, "--max-attempts gave %lld",
          (long long)t_int_at(row, "max_attempts", 0));
  json_decref(row);
  free(job);
  t_says(2, "from 1 to 1000", "renew", "x:c", "--payload", "a", "--max-attempts", "0");
}

/* A message before the last one may be named; it has to be the conversation's. */
T_STORY(verbs, renew_of_a_message_that_is_named, 60) {
  t_up();
  say("m1");
  say("m2");
  say_to("other", "o1", "{'kind': 'null'}");
  t_says(1, "belongs to another conversation", "renew", "x:c", "--payload", "a", "--message", "o1");
  t_do(0, "renew", "x:c", "--payload", "a", "--message", "m1");
  t_says(1, "already has a follow-up", "renew", "x:c", "--payload", "a", "--message", "m1");
  T_CHECK(t_count("renewal_jobs") == 1, "%lld jobs were made", (long long)t_count("renewal_jobs"));
}

/* ---- ping ---- */

static int ping(const char *name) {
  struct t_result r = t_convkeep("ping", name);
  int code = r.code;
  T_CHECK(r.out_size == 0, "ping %s prints: %s", name, r.out);
  t_result_free(&r);
  return code;
}

/* `up` is stopped, so that it does not restart the killed daemon. */
T_STORY(verbs, ping_says_who_answers, 60) {
  static const char *const names[] = {"store", "ingest", "renewd", "webd", "syncd"};
  for (size_t i = 0; i < 5; i++)
    T_CHECK(ping(names[i]) == 3, "%s answers, and nothing runs", names[i]);
  T_CHECK(!t_exists("artifact.db"), "ping started something");
  t_up();
  for (size_t i = 0; i < 5; i++)
    T_UNTIL(20000, ping(names[i]) == 0, "%s runs, and does not answer", names[i]);
  t_signal(t_up_process(), SIGSTOP);
  t_kill("renewd", SIGKILL);
  T_UNTIL(20000, ping("renewd") != 0, "renewd is dead, and answers");
  T_CHECK(ping("renewd") == 3, "ping of a dead renewd ended with %d", ping("renewd"));
  t_kill("ingest", SIGKILL);
  T_CHECK(ping("ingest") == 3, "ping of a dead ingest ended with %d", ping("ingest"));
  T_CHECK(ping("syncd") == 0 && ping("store") == 0, "the others do not answer any more");
  t_signal(t_up_process(), SIGCONT);
  T_UNTIL(20000, ping("renewd") == 0 && ping("ingest") == 0, "what comes back does not answer");
}

/* ---- list, config, keys ---- */

T_STORY(verbs, limits_are_what_they_say, 60) {
  t_up();
  say("m1");
  t_do(0, "list", "messages", "--limit", "1000");
  t_do(0, "list", "messages", "--limit", "1");
  t_says(2, "from 1 to 1000", "list", "messages", "--limit", "1001");
}

T_STORY(verbs, config_check_reads_the_webhooks, 30) {
  t_set("renew.webhook.allow", "https://good.example/ ftp://bad.example/");
  t_says(1, "renew.webhook.allow", "config", "--check");
  t_set("renew.webhook.allow", "https://good.example/");
  t_says(0, "ok", "config", "--check");
}

/* Existing keys are in use on other machines. */
T_STORY(verbs, keys_init_replaces_nothing, 30) {
  size_t n, m;
  t_do(0, "keys", "init");
  char *before = t_read_file("keys/store.key_secret", &n);
  t_says(1, "keys already exist", "keys", "init");
  char *after = t_read_file("keys/store.key_secret", &m);
  T_CHECK(before && after && n == m && memcmp(before, after, n) == 0, "keys init made others");
  free(before);
  free(after);
}

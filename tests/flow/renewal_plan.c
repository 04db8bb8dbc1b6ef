/* What would be sent, by the code that sends it; and nothing is written meanwhile. */
#include <signal.h>
#include <string.h>

#include "proto/clock.h"
#include "tests/flow/renewal_help.h"

/* A conversation x:ID on auto, of which the assistant's last message gets a follow-up. */
static void on_auto(const char *id, const char *target) {
  t_import_lines(0,
                 "{'platform': 'x', 'conversation_id': '%s', 'message_id': 'u-%s', 'role': 'user',"
                 " 'text': 't', 'observed_at': %lld, 'target': %s}\n",
                 id, id, (long long)r_now_plus(0), target);
  char conversation[40];
  snprintf(conversation, sizeof conversation, "x:%s", id);
  t_do(0, "set", conversation, "--automation", "auto");
  t_import_lines(0,
                 "{'platform': 'x', 'conversation_id': '%s', 'message_id': 'a-%s', 'role': "
                 "'assistant', 'text': 't', 'observed_at': %lld, 'target': %s}\n",
                 id, id, (long long)r_now_plus(0), target);
}

static const char *member(json_t *line, const char *name) {
  const char *text = t_text_at(line, name);
  return text ? text : "";
}

/* The only line about the conversation and that state. */
static json_t *line_of(json_t *lines, const char *conversation, const char *state) {
  json_t *line, *found = NULL;
  size_t i;
  json_array_foreach(lines, i, line) {
    if (strcmp(member(line, "local_conversation_id"), conversation) != 0 ||
        strcmp(member(line, "state"), state) != 0)
      continue;
    T_CHECK(!found, "%s %s twice: %s", conversation, state, json_dumps(lines, 0));
    found = line;
  }
  T_CHECK(found, "no %s %s: %s", conversation, state, json_dumps(lines, 0));
  return found;
}

/* Without a ring nothing else writes either. */
T_STORY(renewal_plan, says_what_goes_when_and_where, 60) {
  t_set("renew.spacing", "10s");
  t_set("renew.webhook.allow", "http://127.0.0.1:1/");
  on_auto("a", "{'kind': 'webhook', 'id': 'w', 'payload': {'url': 'http://127.0.0.1:1/hook'}}");
  on_auto("b", "{'kind': 'webhook', 'id': 'w', 'payload': {'url': 'http://127.0.0.1:1/hook'}}");
  on_auto("c", "{'kind': 'feed', 'id': 'ff1'}");
  on_auto("d", "{'kind': 'null'}");
  on_auto("e", "{'kind': 'exec', 'id': 'nothing'}");
  t_do(0, "set", "x:d", "--until", "-1h", "--stop-after", "3");
  t_do(0, "renew", "x:d", "--payload", "by hand", "--message", "u-d", "--at", "+2h");
  int64_t before = ck_now_ms();
  json_t *lines = t_lines(0, "plan", "--until", "+3h");
  json_t *a = line_of(lines, "x:a", "goes"), *b = line_of(lines, "x:b", "goes");
  int64_t apart = t_int_at(b, "at", 0) - t_int_at(a, "at", 0);
  T_CHECK((apart >= 10000 && apart < 11000) || (apart <= -10000 && apart > -11000),
          "they go %lld ms apart", (long long)apart);
  T_CHECK(strcmp(member(a, "payload"), "continue") == 0 &&
              strstr(member(a, "snapshot"), "http://127.0.0.1:1/hook") &&
              strstr(member(a, "ends"), "10 in a row"),
          "%s", json_dumps(a, 0));
  json_t *c = line_of(lines, "x:c", "goes");
  T_CHECK(strstr(member(c, "snapshot"), "ff1"), "%s", json_dumps(c, 0));
  json_t *hand = line_of(lines, "x:d", "goes"), *stopped = line_of(lines, "x:d", "stopped");
  int64_t at = t_int_at(hand, "at", 0) - before;
  T_CHECK(at > 7190000 && at < 7210000, "by hand in %lld ms", (long long)at);
  T_CHECK(strstr(member(stopped, "reason"), "the time has come") &&
              strstr(member(stopped, "ends"), "3 in a row"),
          "%s", json_dumps(stopped, 0));
  json_t *lacks = line_of(lines, "x:e", "no_target");
  T_CHECK(strstr(member(lacks, "reason"), "renew.exec.nothing"), "%s", json_dumps(lacks, 0));
  json_decref(lines);
  lines = t_lines(0, "plan", "--until", "+1h");
  json_decref(line_of(lines, "x:a", "goes") ? lines : NULL);
  json_t *jobs = t_lines(0, "list", "jobs");
  T_CHECK(json_array_size(jobs) == 1, "planning has made jobs: %s", json_dumps(jobs, 0));
  json_decref(jobs);
}

/* As the settings say, or the conversation itself. */
T_STORY(renewal_plan, names_the_rules_of_answers, 60) {
  t_set("renew.alike", "4");
  on_auto("a", "{'kind': 'null'}");
  on_auto("b", "{'kind': 'null'}");
  on_auto("c", "{'kind': 'null'}");
  t_do(0, "set", "x:b", "--stop-alike", "2", "--stop-question", "no");
  t_do(0, "set", "x:c", "--stop-alike", "0");
  json_t *lines = t_lines(0, "plan");
  const char *a = member(line_of(lines, "x:a", "goes"), "ends"),
             *b = member(line_of(lines, "x:b", "goes"), "ends"),
             *c = member(line_of(lines, "x:c", "goes"), "ends");
  T_CHECK(strcmp(a, "10 in a row, 4 alike, a question") == 0, "a ends: %s", a);
  T_CHECK(strcmp(b, "10 in a row, 2 alike") == 0, "b ends: %s", b);
  T_CHECK(strcmp(c, "10 in a row, a question") == 0, "c ends: %s", c);
  json_decref(lines);
  t_set("renew.question", "ignore");
  t_do(0, "set", "x:b", "--stop-question", "yes");
  lines = t_lines(0, "plan");
  a = member(line_of(lines, "x:a", "goes"), "ends");
  b = member(line_of(lines, "x:b", "goes"), "ends");
  T_CHECK(strcmp(a, "10 in a row, 4 alike") == 0, "a ends: %s", a);
  T_CHECK(strcmp(b, "10 in a row, 2 alike, a question") == 0, "b ends: %s", b);
  json_decref(lines);
}

/* A pause moves what it holds up, and one without an end holds it. */
T_STORY(renewal_plan, knows_of_pauses, 60) {
  on_auto("a", "{'kind': 'null'}");
  t_do(0, "pause", "--for", "1h");
  int64_t before = ck_now_ms();
  json_t *lines = t_lines(0, "plan");
  int64_t at = t_int_at(line_of(lines, "x:a", "goes"), "at", 0) - before;
  T_CHECK(at > 3590000 && at < 3610000, "it goes in %lld ms", (long long)at);
  json_decref(lines);
  t_do(0, "pause", "x");
  lines = t_lines(0, "plan");
  T_CHECK(strstr(member(line_of(lines, "x:a", "paused"), "reason"), "the platform x is paused"),
          "%s", json_dumps(lines, 0));
  json_decref(lines);
}

T_STORY(renewal_plan, beside_a_ring_that_runs, 60) {
  t_up();
  r_say("m0", "user", "{'kind': 'null'}");
  r_say("m1", "assistant", "{'kind': 'null'}");
  t_do(0, "renew", CONVERSATION, "--payload", "later", "--at", "+1h");
  int64_t version = t_status_int("version", 0);
  json_t *lines = t_lines(0, "plan");
  line_of(lines, CONVERSATION, "goes");
  json_decref(lines);
  t_says(0, "nothing was written", "renew", CONVERSATION, "--payload", "x", "--dry-run",
         "--message", "m0");
  T_CHECK(t_status_int("version", 0) == version, "it has written something");
  T_CHECK(r_has_status("m1", "pending"), "the job was changed");
}

static void finish(struct t_http *h, json_t *lines) {
  json_decref(lines);
  t_http_stop(&h);
}

/* What waits for a person does not hold up what comes after it. */
T_STORY(renewal_plan, what_may_have_arrived_waits_for_a_person, 60) {
  char target[160];
  struct t_http *h = r_web("hang 200", target);
  t_up();
  r_say("m1", "assistant", target);
  t_do(0, "renew", CONVERSATION, "--payload", "one");
  T_UNTIL(20000, t_http_count(h) == 1, "no request");
  t_wait_other("renewd", t_kill("renewd", SIGKILL), 20000);
  T_UNTIL(15000, t_status_int("jobs.unknown", 0) == 1, "its end is not unknown");
  r_say("m2", "assistant", target);
  t_do(0, "renew", CONVERSATION, "--payload", "two", "--at", "+1h");
  json_t *lines = t_lines(0, "plan");
  json_t *first = line_of(lines, CONVERSATION, "unknown"),
         *later = line_of(lines, CONVERSATION, "goes");
  T_CHECK(strstr(member(first, "reason"), "may have arrived") && !json_object_get(first, "due"),
          "%s", json_dumps(first, 0));
  T_CHECK(strcmp(member(later, "payload"), "two") == 0, "%s", json_dumps(later, 0));
  json_t *job = r_job_of("m1");
  struct t_result r = t_convkeep("plan");
  T_CHECK(!strstr(r.out, t_text_at(job, "job_id")) && strstr(r.out, "1 delivery until"), "%s",
          r.out);
  for (char *at = strstr(r.out, "waits "), *end; (end = strchr(at, '\n')); at = end + 1)
    T_CHECK(end - at <= 80, "a line has %d columns: %s", (int)(end - at), r.out);
  t_result_free(&r);
  json_decref(job);
  finish(h, lines);
}

T_STORY(renewal_plan, what_a_person_wants_anyway_goes, 60) {
  t_up();
  r_put_on_auto("{'kind': 'null'}");
  t_do(0, "pause", "--for", "1h");
  r_say("m1", "assistant", "{'kind': 'null'}");
  T_UNTIL(10000, r_has_status("m1", "pending"), "it has no job");
  r_say("m2", "user", NULL);
  r_wait_status("m1", "failed", 10000);
  json_t *job = r_job_of("m1");
  t_do(0, "jobs", "retry", t_text_at(job, "job_id"), "--anyway");
  json_t *lines = t_lines(0, "plan");
  T_CHECK(
      strcmp(member(line_of(lines, CONVERSATION, "goes"), "job_id"), t_text_at(job, "job_id")) == 0,
      "%s", json_dumps(lines, 0));
  json_decref(job);
  json_decref(lines);
}

/* By the command line, which needs no ring. */
static json_t *listed(const char *message) {
  json_t *jobs = t_lines(0, "list", "jobs"), *job, *found = NULL;
  size_t i;
  json_array_foreach(jobs, i, job) {
    if (strcmp(member(job, "message_id"), message) == 0) found = json_incref(job);
  }
  T_CHECK(found, "%s has no job: %s", message, json_dumps(jobs, 0));
  json_decref(jobs);
  return found;
}

/* `jobs retry` takes the target out of a job, and nobody writes one while there is no ring: what is
 * said is what renewd would do, which finds one before it sends. */
static void retried_without_ring(const char *conversation, const char *target) {
  char name[40], message[40];
  snprintf(name, sizeof name, "x:%s", conversation);
  snprintf(message, sizeof message, "u-%s", conversation);
  t_import_lines(0,
                 "{'platform': 'x', 'conversation_id': '%s', 'message_id': '%s', 'role': 'user',"
                 " 'text': 't', 'observed_at': %lld, 'target': %s}\n",
                 conversation, message, (long long)r_now_plus(0), target);
  t_do(0, "renew", name, "--payload", "once more");
  json_t *job = listed(message);
  t_do(0, "jobs", "cancel", t_text_at(job, "job_id"));
  t_do(0, "jobs", "retry", t_text_at(job, "job_id"));
  json_decref(job);
  job = listed(message);
  T_CHECK(!*member(job, "target_snapshot"), "it has a target: %s", json_dumps(job, 0));
  json_decref(job);
}

static json_t *line_of_message(json_t *lines, const char *message) {
  json_t *job = listed(message), *line;
  size_t i;
  json_array_foreach(lines, i, line) {
    if (strcmp(member(line, "job_id"), t_text_at(job, "job_id")) != 0) continue;
    json_decref(job);
    return line;
  }
  T_CHECK(0, "nothing about %s: %s", t_text_at(job, "job_id"), json_dumps(lines, 0));
  return NULL;
}

T_STORY(renewal_plan, a_job_whose_target_is_not_written_goes, 60) {
  t_set("renew.webhook.allow", "http://127.0.0.1:1/");
  retried_without_ring("a", "{'kind': 'webhook', 'payload': {'url': 'http://127.0.0.1:1/hook'}}");
  retried_without_ring("b", "{'kind': 'feed', 'id': 'ff1'}");
  json_t *lines = t_lines(0, "plan");
  json_t *webhook = line_of_message(lines, "u-a"), *client = line_of_message(lines, "u-b");
  T_CHECK(strcmp(member(webhook, "state"), "goes") == 0 &&
              strstr(member(webhook, "snapshot"), "http://127.0.0.1:1/hook"),
          "%s", json_dumps(webhook, 0));
  T_CHECK(strcmp(member(client, "state"), "goes") == 0 && strstr(member(client, "snapshot"), "ff1"),
          "%s", json_dumps(client, 0));
  json_decref(lines);
}

/* The account is that of where it goes. */
T_STORY(renewal_plan, why_knows_the_account_of_a_job_whose_target_is_not_written, 60) {
  t_set("renew.webhook.allow", "http://127.0.0.1:1/");
  retried_without_ring("a", "{'kind': 'webhook', 'payload': {'url': 'http://127.0.0.1:1/hook', "
                            "'account': 'mine'}}");
  t_do(0, "pause", "--account", "mine");
  json_t *job = listed("u-a");
  t_says(0, "paused: the account mine", "jobs", "why", t_text_at(job, "job_id"));
  json_t *lines = t_lines(0, "plan");
  T_CHECK(strstr(member(line_of_message(lines, "u-a"), "reason"), "the account mine is paused"),
          "%s", json_dumps(lines, 0));
  json_decref(lines);
  json_decref(job);
}

/* No client could read it. */
T_STORY(renewal_plan, what_cannot_be_said_fails, 60) {
  t_up();
  struct t_producer *p = t_producer("hand");
  t_taken(p, 'n', "messages",
          "{'id': 'a', 'platform': 'x', 'conversation_id': 'a', 'role': 'assistant', "
          "'raw_text': 't', 'observed_at': %lld}",
          (long long)r_now_plus(0));
  t_taken(p, 'n', "local_conversations", "{'local_conversation_id': 'x:a', 'platform': 'x'}");
  t_taken(p, 'n', "renewal_jobs",
          "{'job_id': 'hand-a', 'local_conversation_id': 'x:a', 'message_id': 'a', 'payload': "
          "'no JSON', 'payload_kind': 'json', 'target_snapshot': {'kind': 'feed', 'client_id': "
          "'ff1'}, 'next_attempt_at': %lld}",
          (long long)r_now_plus(3600000));
  json_t *lines = t_lines(0, "plan", "--until", "+2h");
  json_t *fails = line_of(lines, "x:a", "failed");
  T_CHECK(*member(fails, "reason") && json_array_size(lines) == 1, "%s", json_dumps(lines, 0));
  struct t_result r = t_convkeep("plan", "--until", "+30m");
  T_CHECK(!strstr(r.out, "waits for an answer"), "%s", r.out);
  t_result_free(&r);
  json_decref(lines);
}

static void dry_run_says(const char *part) {
  t_says(0, part, "renew", "x:a", "--payload", "x", "--dry-run", "--message", "u-a");
}

/* What holds up the account of its target. */
T_STORY(renewal_plan, a_dry_run_knows_the_account, 60) {
  char any[160], target[256];
  struct t_http *h = r_web("429/30", any);
  snprintf(target, sizeof target,
           "{'kind': 'webhook', 'payload': {'url': '%shook', 'account': 'mine'}}", t_http_url(h));
  t_up();
  on_auto("a", target);
  for (int64_t until = ck_boot_ms() + 10000;; t_pause(100)) {
    struct t_result r = t_convkeep("list", "accounts");
    bool limited = strstr(r.out, "http 429") != NULL;
    t_result_free(&r);
    if (limited) break;
    T_CHECK(ck_boot_ms() < until, "the account has no limit");
  }
  dry_run_says("; it waits, limited is mine until ");
  t_do(0, "pause", "--account", "mine");
  dry_run_says("; it waits, paused is the account mine;");
  json_t *lines = t_lines(0, "renew", "x:a", "--payload", "x", "--dry-run", "--message", "u-a");
  json_t *said = json_array_get(lines, 0);
  T_CHECK(strcmp(member(said, "paused"), "the account mine") == 0 &&
              strstr(member(said, "limited"), "http 429"),
          "%s", json_dumps(lines, 0));
  finish(h, lines);
}

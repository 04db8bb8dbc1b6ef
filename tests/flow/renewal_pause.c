/* Pauses of everything, a platform, a conversation and a job: what comes later is paused, too; they
 * survive kill -9, and end by themselves or by hand. */
#include <string.h>

#include "tests/flow/renewal_help.h"

static bool says(const char *part, const char *a, const char *b) {
  struct t_result r = b ? t_convkeep(a, "why", b) : t_convkeep(a);
  bool yes = r.code == 0 && strstr(r.out, part);
  t_result_free(&r);
  return yes;
}

/* `list jobs` shows this state of the message's job. */
static bool is_in_state(const char *message, const char *state) {
  struct t_result r = t_convkeep("list", "jobs", "--message-id", message);
  bool yes = r.code == 0 && strstr(r.out, state);
  t_result_free(&r);
  return yes;
}

static void wait_paused(const char *message) {
  T_UNTIL(10000, is_in_state(message, "paused"), "the job of %s is not paused: %s", message,
          json_dumps(r_job_of(message), 0));
}

static char *job_of(const char *message) {
  json_t *job = r_job_of(message);
  T_CHECK(job, "%s has no job", message);
  char *id = ck_strdup(t_text_at(job, "job_id"));
  json_decref(job);
  return id;
}

/* A conversation that is put on auto during a pause of everything is paused, also after the store
 * and renewd were killed. */
T_STORY(renewal_pause, of_everything_holds_for_what_comes_later, 90) {
  char target[160];
  t_set("renew.delay", "0ms");
  struct t_http *h = r_web("200", target);
  t_up();
  t_says(0, "paused: everything", "pause");
  r_put_on_auto(target);
  r_say("m1", "assistant", NULL);
  wait_paused("m1");
  T_CHECK(says("paused", "status", NULL) && says("everything", "status", NULL),
          "status does not show it");
  char *job = job_of("m1");
  T_CHECK(says("paused: everything", "jobs", job), "why does not name it");
  t_wait_other("store", t_kill("store", SIGKILL), 20000);
  t_wait_other("renewd", t_kill("renewd", SIGKILL), 20000);
  wait_paused("m1");
  r_check_quiet(h, 0, 400);
  json_t *rows = t_lines(0, "status");
  json_t *pause = json_array_get(t_at(json_array_get(rows, 0), "pauses"), 0);
  T_CHECK(strcmp(t_text_at(pause, "kind"), "everything") == 0 && t_int_at(pause, "at", 0) > 0 &&
              json_is_null(t_at(pause, "until")),
          "status --json says %s", json_dumps(rows, 0));
  json_decref(rows);
  t_says(0, "resumed: everything", "resume");
  r_wait_status("m1", "done", 20000);
  T_CHECK(t_http_count(h) == 1, "%d requests", t_http_count(h));
  free(job);
  t_http_stop(&h);
}

/* From the moment at which `pause` returns, nothing begins; jobs by hand are paused, too. */
T_STORY(renewal_pause, of_a_platform_and_of_a_job, 60) {
  char target[160];
  struct t_http *h = r_web("200", target);
  t_up();
  r_say("m1", "assistant", target);
  t_import_lines(0,
                 "{'platform': 'x', 'conversation_id': 'c', 'message_id': 'm2', 'role': "
                 "'assistant', 'text': 't', 'target': %s}\n",
                 target);
  t_says(0, "paused: the platform chatgpt", "pause", "chatgpt");
  t_do(0, "renew", CONVERSATION, "--payload", "waits");
  t_do(0, "renew", "x:c", "--payload", "goes");
  r_wait_status("m2", "done", 20000);
  wait_paused("m1");
  char *job = job_of("m1");
  T_CHECK(says("paused: the platform chatgpt; convkeep resume --platform chatgpt ends that", "jobs",
               job),
          "why does not name it, and what ends it");
  t_says(0, "paused: the job", "pause", job);
  t_says(0, "still paused: the job", "resume", "--platform", "chatgpt");
  wait_paused("m1");
  T_CHECK(t_http_count(h) == 1, "%d requests", t_http_count(h));
  char ends[120];
  snprintf(ends, sizeof ends, "; convkeep resume %s ends that", job);
  T_CHECK(says(ends, "jobs", job), "why does not say what ends it");
  t_says(0, "resumed: the job", "resume", job);
  r_wait_status("m1", "done", 20000);
  t_says(1, "it was delivered", "pause", job);
  free(job);
  t_http_stop(&h);
}

T_STORY(renewal_pause, ends_by_itself, 60) {
  char target[160];
  struct t_http *h = r_web("200", target);
  t_up();
  r_say("m1", "assistant", target);
  t_do(0, "pause", CONVERSATION, "--for", "1h");
  t_do(0, "renew", CONVERSATION, "--payload", "waits");
  wait_paused("m1");
  json_t *shorter = t_lines(0, "pause", CONVERSATION, "--for", "3s");
  int64_t until = t_int_at(json_array_get(shorter, 0), "until", 0);
  json_decref(shorter);
  r_wait_status("m1", "done", 15000);
  T_CHECK(until && t_http_request(h, 0)->at >= until, "it went during the pause");
  t_says(2, "only one", "pause", "chatgpt", "--platform", "x");
  json_t *rows = t_lines(0, "list", "conversations");
  T_CHECK(strcmp(t_text_at(json_array_get(rows, 0), "automation_status"), "manual") == 0,
          "a pause with an end has changed its status");
  json_decref(rows);
  t_http_stop(&h);
}

static size_t count_of(const char *table) {
  json_t *rows = t_query(table, NULL, 100, 0);
  size_t n = json_array_size(rows);
  json_decref(rows);
  return n;
}

/* The account of a job is the one that its conversation's owner names, else its target's. */
T_STORY(renewal_pause, of_an_account, 60) {
  char any[160], target[256];
  struct t_http *h = r_web("200", any);
  snprintf(target, sizeof target,
           "{'kind': 'webhook', 'id': 'hook', 'payload': {'url': '%shook', 'account': 'theirs'}}",
           t_http_url(h));
  t_up();
  r_put_on_auto(target);
  struct t_result r = t_convkeep("pause", "theirs"); /* as `list accounts` has it */
  T_CHECK(r.code == 0 && strstr(r.out, "paused: the account theirs") && !*r.err, "%s%s", r.out,
          r.err);
  t_result_free(&r);
  t_do(0, "renew", CONVERSATION, "--payload", "waits");
  wait_paused("m-user");
  char *job = job_of("m-user");
  T_CHECK(says("waiting: paused: the account theirs; convkeep resume --account theirs ends that",
               "jobs", job),
          "why does not name it");
  t_says(0, "no account has the name it's mine", "pause", "--account", "it's mine");
  t_do(0, "set", CONVERSATION, "--account", "it's mine");
  t_do(0, "resume", "theirs");
  T_UNTIL(10000,
          says("waiting: paused: the account it's mine; convkeep resume --account "
               "'it'\\''s mine' ends that",
               "jobs", job),
          "why does not name the other one");
  wait_paused("m-user");
  T_CHECK(t_http_count(h) == 0, "%d requests", t_http_count(h));
  t_do(0, "resume", "--account", "it's mine");
  r_wait_status("m-user", "done", 10000);
  t_says(0, "no conversation is of the platform typo", "pause", "--platform", "typo");
  free(job);
  t_http_stop(&h);
}

/* Nothing of this reaches the store. */
T_STORY(renewal_pause, words_that_make_none, 60) {
  char longer[5001] = {0};
  memset(longer, 'a', sizeof longer - 1);
  t_up();
  r_say("m1", "assistant", NULL);
  t_says(2, "must have 1 to 4096 bytes", "pause", "--platform", "");
  t_says(2, "must have 1 to 512 bytes", "pause", "--account", " ");
  t_says(2, "must have 1 to 4096 bytes", "pause", "");
  t_says(2, "must have 1 to 4096 bytes", "pause", longer);
  struct t_result r = t_convkeep("pause", "--account", longer);
  T_CHECK(r.code == 2 && strstr(r.err, "must have 1 to 512 bytes") && !strstr(r.err, "aaa"),
          "%d: %s", r.code, r.err);
  t_result_free(&r);
  t_says(2, "-1h has passed", "pause", "--until", "-1h");
  t_says(2, "--for: 0s is no time at all", "pause", "--for", "0s");
  t_says(2, "--for: 1x is not a length of time; write 90min", "pause", "--for", "1x");
  t_says(2, "goes with a CONVERSATION or --all", "resume", "--to", "manual");
  t_says(2, "goes with a CONVERSATION or --all", "resume", "chatgpt", "--to", "manual");
  T_CHECK(count_of("pauses") == 0 && count_of("refusals") == 0, "%zu pauses, %zu refusals",
          count_of("pauses"), count_of("refusals"));
}

/* With --json the conversation as it is afterwards, whether it has changed or not. */
static void becomes(const char *status, const char *verb) {
  json_t *rows = t_lines(0, verb, CONVERSATION);
  T_CHECK(json_array_size(rows) == 1 &&
              strcmp(t_text_at(json_array_get(rows, 0), "automation_status"), status) == 0,
          "%s --json says %s", verb, json_dumps(rows, 0));
  json_decref(rows);
}

T_STORY(renewal_pause, of_what_is_paused_already, 60) {
  t_up();
  r_say("m1", "assistant", "{'kind': 'null'}");
  t_says(0, "nothing to do: it is on manual, and not paused", "resume", CONVERSATION);
  becomes("manual", "resume");
  becomes("paused", "pause");
  becomes("paused", "pause");
  t_says(0, "is paused already", "pause", CONVERSATION);
  becomes("auto", "resume");
  becomes("auto", "resume");
  /* A pause that has ended by itself is none. */
  json_t *rows = t_lines(0, "pause", "chatgpt", "--for", "2s");
  int64_t until = t_int_at(json_array_get(rows, 0), "until", 0);
  json_decref(rows);
  T_UNTIL(10000, ck_now_ms() > until, "it does not end");
  t_says(0, "nothing to do: no pause of: the platform chatgpt", "resume", "chatgpt");
}

/* Everything, one by one: `resume --all`. */
T_STORY(renewal_pause, all_end_at_once, 60) {
  t_up();
  r_say("m1", "assistant", "{'kind': 'null'}");
  t_do(0, "set", CONVERSATION, "--automation", "auto");
  t_do(0, "pause");
  t_do(0, "pause", "--account", "claude:/home/x/.claude");
  t_says(0, "paused, was auto", "pause", CONVERSATION);
  t_says(0, "still paused: the account claude:/home/x/.claude, 1 conversation;", "resume");
  struct t_result all = t_convkeep("resume", "--all");
  T_CHECK(all.code == 0 && strstr(all.out, "auto, was paused") &&
              strstr(all.out, "resumed: the account") && !strstr(all.out, "nothing to do"),
          "%s%s", all.out, all.err);
  t_result_free(&all);
  t_says(0, "nothing to do: nothing is paused", "resume", "--all");
  json_t *rows = t_query("pauses", NULL, 10, 0);
  T_CHECK(json_array_size(rows) == 0, "%s", json_dumps(rows, 0));
  json_decref(rows);
  t_says(0, "nothing to do: no pause of: everything", "resume");
}

/* Nothing begins later than 100 ms after the pause is durable: a stream of jobs to many targets. */
T_STORY(renewal_pause, is_in_force_at_once, 90) {
  enum { JOBS = 300 };
  char target[160];
  t_set("renew.spacing", "0ms");
  struct t_http *h = r_web("200", target);
  t_up();
  struct t_producer *p = t_producer("hand");
  for (int i = 0; i < JOBS; i++) {
    t_taken(p, 'n', "messages",
            "{'id': 'm%d', 'platform': 'x', 'conversation_id': 'c%d', 'role': 'assistant', "
            "'raw_text': 't', 'observed_at': %lld}",
            i, i, (long long)r_now_plus(0));
    t_taken(p, 'n', "local_conversations", "{'local_conversation_id': 'x:c%d', 'platform': 'x'}",
            i);
    t_taken(p, 'n', "renewal_jobs",
            "{'job_id': 'hand-%d', 'local_conversation_id': 'x:c%d', 'message_id': 'm%d', "
            "'payload': 'go on', 'target_snapshot': %s, 'next_attempt_at': %lld}",
            i, i, i, target, (long long)r_now_plus(i * 10));
    if (i != JOBS / 2) continue;
    struct ck_mutation m = {.kind = CK_OP_PAUSE};
    m.as.pause = (struct ck_pause){CK_LIT("everything"), CK_LIT(""), 0};
    T_UNTIL(10000, t_http_count(h) > 0, "nothing goes out");
    t_mutate(p, &m);
    T_CHECK(t_commit(p) == 'u', "the pause was refused: %s", t_refusal(p));
    int64_t from = ck_now_ms();
    while (ck_now_ms() < from + 100) t_pause(5);
    r_check_quiet(h, t_http_count(h), 500);
  }
  t_do(0, "resume");
  T_UNTIL(30000, t_http_count(h) == JOBS, "%d requests", t_http_count(h));
  t_http_stop(&h);
}

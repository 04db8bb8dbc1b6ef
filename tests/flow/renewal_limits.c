/* Limits of accounts: what a target reports, or an answer says, holds up that account alone,
 * charges nobody, and survives kills; one delivery goes first when it is over. */
#include <string.h>
#include <sys/stat.h>

#include "proto/clock.h"
#include "tests/flow/renewal_help.h"

/* A conversation NAME with a job by hand for message NAME that is due now. target: JSON. */
static void job_to(struct t_producer *p, const char *name, const char *target) {
  t_taken(p, 'n', "messages",
          "{'id': '%s', 'platform': 'x', 'conversation_id': '%s', 'role': 'assistant', "
          "'raw_text': 't', 'observed_at': %lld}",
          name, name, (long long)r_now_plus(0));
  t_taken(p, 'n', "local_conversations", "{'local_conversation_id': 'x:%s', 'platform': 'x'}",
          name);
  t_taken(p, 'n', "renewal_jobs",
          "{'job_id': 'hand-%s', 'local_conversation_id': 'x:%s', 'message_id': '%s', "
          "'payload': 'go on', 'target_snapshot': %s, 'next_attempt_at': %lld}",
          name, name, name, target, (long long)r_now_plus(0));
}

/* The webhook of `target` by that account. */
static void by_account(char out[256], struct t_http *h, const char *account) {
  snprintf(out, 256,
           "{'kind': 'webhook', 'id': 'hook', 'payload': {'url': '%shook', 'account': '%s'}}",
           t_http_url(h), account);
}

static bool is_said(const char *a, const char *b, const char *c, const char *part) {
  struct t_result r = c ? t_convkeep(a, b, c) : b ? t_convkeep(a, b) : t_convkeep(a);
  bool yes = r.code == 0 && strstr(r.out, part);
  t_result_free(&r);
  return yes;
}

/* An attempt of the job met a limit. */
static bool was_released(const char *job) {
  char filter[60];
  snprintf(filter, sizeof filter, "{'job_id': '%s'}", job);
  json_t *rows = t_query("attempts", filter, 20, 0), *row;
  bool was = false;
  size_t i;
  json_array_foreach(rows, i, row) {
    const char *outcome = t_text_at(row, "outcome");
    was |= outcome && strcmp(outcome, "released") == 0;
  }
  json_decref(rows);
  return was;
}

static bool is_uncharged(const char *message) {
  json_t *job = r_job_of(message);
  bool is = job && t_int_at(job, "attempt_count", -1) == 0 &&
            strcmp(t_text_at(job, "status"), "pending") == 0;
  json_decref(job);
  return is;
}

/* The server's first answer is 429 with Retry-After of a second. */
T_STORY(renewal_limits, retry_after_holds_up_one_account, 60) {
  char any[160], x[256], y[256];
  t_set("renew.spacing", "0s");
  t_set("renew.account.spacing", "0s");
  struct t_http *h = r_web("429/30 200", any);
  by_account(x, h, "mine");
  by_account(y, h, "work");
  t_up();
  struct t_producer *p = t_producer("hand");
  job_to(p, "a", x);
  T_UNTIL(20000, is_said("list", "accounts", NULL, "http 429"), "the account has no limit");
  T_UNTIL(20000, is_uncharged("a"), "the attempt was charged");
  job_to(p, "b", x);
  job_to(p, "c", y);
  r_wait_status("c", "done", 20000);
  T_UNTIL(20000, is_said("jobs", "why", "hand-b", "the limit of its account is reached, until"),
          "why does not say so");
  T_UNTIL(20000, is_said("jobs", "why", "hand-b", "; convkeep resume --account mine ends it"),
          "why does not say what ends it");
  T_UNTIL(20000, is_said("status", "--json", NULL, "\"account\":\"mine\""),
          "status does not say so");
  t_wait_other("renewd", t_kill("renewd", SIGKILL), 20000);
  r_check_quiet(h, 2, 1500);
  T_CHECK(is_uncharged("a") && is_uncharged("b"), "the limit did not survive");
  struct t_result r = t_convkeep("resume", "mine");
  T_CHECK(r.code == 0 && strstr(r.out, "its limit ends now; one delivery goes first"), "%s%s",
          r.out, r.err);
  t_result_free(&r);
  r_wait_status("a", "done", 20000);
  r_wait_status("b", "done", 20000);
  T_CHECK(t_http_count(h) == 4, "%d requests", t_http_count(h));
  t_http_stop(&h);
}

/* It ends by itself: one request goes first. */
T_STORY(renewal_limits, it_ends_by_itself, 60) {
  char any[160], x[256], names[8][4];
  t_set("renew.spacing", "0s");
  t_set("renew.account.spacing", "0s");
  struct t_http *h = r_web("429/1 200", any);
  by_account(x, h, "mine");
  t_up();
  struct t_producer *p = t_producer("hand");
  job_to(p, "a", x);
  T_UNTIL(10000, was_released("hand-a"), "the limit was not met");
  for (int i = 0; i < 8; i++) {
    snprintf(names[i], sizeof names[i], "b%d", i);
    job_to(p, names[i], x);
  }
  for (int i = 0; i < 8; i++) r_wait_status(names[i], "done", 10000);
  r_wait_status("a", "done", 20000);
  T_CHECK(t_http_count(h) == 10, "%d requests", t_http_count(h));
  int64_t wait = t_http_request(h, 1)->at - t_http_request(h, 0)->at;
  T_CHECK(wait >= 990, "the account cooled %lld ms, though Retry-After said 1 s", (long long)wait);
  t_http_stop(&h);
}

/* A program says until when. */
T_STORY(renewal_limits, a_program_says_so, 60) {
  const char *target = "{'kind': 'exec', 'id': 'it', 'payload': {'account': 'home'}}";
  t_set("renew.spacing", "0s");
  char script[700];
  static const char says[] = "#!/bin/sh\necho '{\"outcome\":\"limit\","
                             "\"until\":\"2031-01-01T00:00Z\",\"text\":\"no more today\"}'\n";
  snprintf(script, sizeof script, "%s/out/says.sh", t_folder());
  t_write_file(script, says, sizeof says - 1);
  T_CHECK(chmod(script, 0700) == 0, "%s", script);
  t_set("renew.exec.it", script);
  t_up();
  struct t_producer *p = t_producer("hand");
  job_to(p, "a", target);
  T_UNTIL(20000, is_said("list", "accounts", NULL, "no more today"), "the account has no limit");
  T_UNTIL(20000, is_uncharged("a"), "the attempt was charged");
  T_UNTIL(20000, is_said("list", "jobs", NULL, "limited"), "the job is not listed so");
}

/* What stands where an answer would be. */
T_STORY(renewal_limits, an_answer_says_so, 60) {
  char any[160], x[256];
  t_set("renew.delay", "20ms");
  struct t_http *h = r_web("200", any);
  by_account(x, h, "mine");
  t_up();
  r_put_on_auto(x);
  t_import_lines(0,
                 "{'platform': 'chatgpt', 'conversation_id': 'conv-1', 'message_id': 'm1', "
                 "'role': 'assistant', 'text': 'You have hit your usage limit. Try again in 2 "
                 "hours.', 'observed_at': %lld, 'target': %s}\n",
                 (long long)r_now_plus(0), x);
  T_UNTIL(20000, is_said("list", "accounts", NULL, "Try again in 2 hours"), "there is no limit");
  T_UNTIL(20000, is_uncharged("m1"), "it has no job");
  r_check_quiet(h, 0, 300);
  struct t_result r = t_convkeep("resume", "mine");
  T_CHECK(r.code == 0, "%s", r.err);
  t_result_free(&r);
  r_wait_status("m1", "done", 20000);
  t_http_stop(&h);
}

/* rows: the accounts as `NAME UNDER_WAY,`, and the cursor as `next NAME`. Frees them. */
static bool accounts_are(const char *want, json_t *rows) {
  struct ck_buf b = {0};
  json_t *row;
  size_t i;
  json_array_foreach(rows, i, row) {
    ck_buf_printf(&b, "%s %lld,", t_text_at(row, "account"),
                  (long long)t_int_at(row, "under_way", -1));
    if (t_at(row, "next")) ck_buf_printf(&b, "next %s", t_text_at(row, "next"));
  }
  bool are = strcmp(ck_buf_cstr(&b), want) == 0;
  ck_buf_free(&b);
  json_decref(rows);
  return are;
}

/* Of conversations on manual, one of which is charged to another account than its target's: by
 * name, a page after another, and not those whose end is unknown. */
T_STORY(renewal_limits, accounts_of_deliveries_are_listed, 60) {
  const char *target = "{'kind': 'exec', 'id': 'it', 'payload': {'account': 'theirs'}}";
  char script[700], text[900];
  t_set("renew.spacing", "0s");
  t_set("renew.account.spacing", "0s");
  snprintf(script, sizeof script, "%s/out/waits.sh", t_folder());
  snprintf(text, sizeof text,
           "#!/bin/sh\nwhile [ ! -e %s/out/go ]; do sleep 0.05; done\n"
           "echo '{\"outcome\":\"unknown\"}'\n",
           t_folder());
  t_write_file(script, text, strlen(text));
  T_CHECK(chmod(script, 0700) == 0, "%s", script);
  t_set("renew.exec.it", script);
  t_up();
  t_do(0, "pause");
  struct t_producer *p = t_producer("hand");
  job_to(p, "a", target);
  job_to(p, "b", target);
  t_says(0, "charged to the account mine", "set", "x:b", "--account", "mine");
  t_do(0, "resume");
  T_UNTIL(10000, accounts_are("mine 1,theirs 1,", t_lines(0, "list", "accounts")),
          "both deliveries are not under way");
  T_CHECK(accounts_are("mine 1,next mine", t_lines(0, "list", "accounts", "--limit", "1")),
          "the first page is another");
  T_CHECK(accounts_are("theirs 1,", t_lines(0, "list", "accounts", "--next", "mine")),
          "the second page is another");
  t_write_text("../out/go", "");
  T_UNTIL(10000, t_status_int("jobs.unknown", 0) == 2, "their ends are not unknown");
  T_CHECK(accounts_are("", t_lines(0, "list", "accounts")), "what has ended is under way");
}

static size_t times_in(const char *file, const char *part) {
  size_t n = 0;
  char *text = t_read_file(file, NULL);
  for (const char *at = text; at && (at = strstr(at, part)); at++) n++;
  free(text);
  return n;
}

/* In what the program got that is told of what needs a person. */
static size_t notices_of(const char *part) { return times_in("../out/told", part); }

/* It holds up all of the account, also through a kill, and is told once; a person ends it. */
T_STORY(renewal_limits, what_waiting_does_not_cure, 90) {
  const char *target = "{'kind': 'exec', 'id': 'it', 'payload': {'account': 'home'}}";
  static const char says[] = "#!/bin/sh\nif [ -e $1/paid ]; then echo '{\"outcome\":\"done\"}'; "
                             "else echo '{\"outcome\":\"limit\",\"text\":\"You are out of extra "
                             "usage.\"}'; fi\necho >>$1/runs\n";
  t_set("renew.spacing", "0s");
  t_set("renew.account.spacing", "0s");
  t_write_text("../out/says.sh", says);
  T_CHECK(chmod("../out/says.sh", 0700) == 0, "no chmod");
  t_setf("renew.exec.it", "%s/out/says.sh %s/out", t_folder(), t_folder());
  t_setf("renew.exec.tell", "/bin/sh -c \"cat >>%s/out/told; echo >>%s/out/told\"", t_folder(),
         t_folder());
  t_set("renew.notify", "exec tell");
  t_up();
  struct t_producer *p = t_producer("hand");
  job_to(p, "a", target);
  T_UNTIL(20000, was_released("hand-a"), "the limit was not met");
  T_UNTIL(20000, is_said("status", "--json", NULL, "\"until\":null"), "status has an end of it");
  T_UNTIL(20000, is_said("status", NULL, NULL, "home, until a person ends it: You are out"),
          "status does not say so");
  T_UNTIL(20000,
          is_said("list", "accounts", "--json",
                  "\"limited_until\":null,\"reason\":\"You are out of extra usage.\""),
          "the account has no limit, or one with an end");
  T_UNTIL(10000, notices_of("\"kind\":\"limit\"") == 1, "nobody was told");
  T_CHECK(notices_of("\"account\":\"home\"") == 1 && notices_of("\"job_id\"") == 0,
          "the notice is about something else");
  T_UNTIL(20000, times_in("logs/renewal/notified", "\"told\":true") == 1,
          "it is not kept that it was told");
  t_wait_other("renewd", t_kill("renewd", SIGKILL), 20000);
  /* A job by hand tries whether it is over. */
  job_to(p, "b", target);
  T_UNTIL(20000, t_sql_int("artifact.db", "SELECT times FROM limits") == 2, "it was not tried");
  T_UNTIL(20000, is_said("jobs", "why", "hand-b", "waiting does not cure that: home: You are out"),
          "why does not say so");
  T_CHECK(is_uncharged("a") && is_uncharged("b"), "one is charged");
  t_write_text("../out/paid", "");
  struct t_result r = t_convkeep("resume", "home");
  T_CHECK(r.code == 0 && strstr(r.out, "its limit ends now; one delivery goes first"), "%s%s",
          r.out, r.err);
  t_result_free(&r);
  r_wait_status("a", "done", 20000);
  r_wait_status("b", "done", 20000);
  T_CHECK(notices_of("\"kind\":\"limit\"") == 1, "it was told again");
  T_CHECK(t_sql_int("artifact.db", "SELECT over FROM limits") == 1, "it is not over");
}

/* What it prints counts, not its exit code. */
T_STORY(renewal_limits, claude_code_is_refused, 60) {
  const char *target = "{'kind': 'exec', 'id': 'claude', 'payload': {'home': '/home/ada/.claude'}}";
  char script[500];
  int64_t until = r_now_plus(7200000) / 1000;
  snprintf(script, sizeof script,
           "#!/bin/sh\n"
           "echo '{\"type\":\"rate_limit_event\",\"rate_limit_info\":{\"status\":\"rejected\","
           "\"resetsAt\":%lld}}'\n"
           "echo '{\"type\":\"result\",\"subtype\":\"success\",\"is_error\":true,\"result\":"
           "\"Not now\",\"total_cost_usd\":0}'\n",
           (long long)until);
  t_write_text("../out/claude.sh", script);
  T_CHECK(chmod("../out/claude.sh", 0700) == 0, "no chmod");
  t_setf("renew.exec.claude", "%s/out/claude.sh", t_folder());
  t_up();
  struct t_producer *p = t_producer("hand");
  job_to(p, "a", target);
  T_UNTIL(20000, was_released("hand-a"), "the limit was not met");
  T_UNTIL(20000, is_uncharged("a"), "the attempt was charged");
  json_t *rows = t_query("limits", "{}", 20, 0);
  T_CHECK(json_array_size(rows) == 1 && t_int_at(rows, "0.until", 0) == 1000 * until &&
              strcmp(t_text_at(rows, "0.reason"), "Not now") == 0 &&
              strcmp(t_text_at(rows, "0.account"), "/home/ada/.claude") == 0,
          "%s", json_dumps(rows, 0));
  json_decref(rows);
}

/* Its target says nothing, but its messages do: a pause of that account holds, and is lifted. */
T_STORY(renewal_limits, the_organization_of_a_capture, 60) {
  char any[160];
  t_set("renew.spacing", "0s");
  struct t_http *h = r_web("200", any);
  t_up();
  t_import_lines(0,
                 "{'platform': 'claude', 'conversation_id': 'conv-9', 'message_id': 'm9', 'role': "
                 "'assistant', 'text': 't', 'organization_id': 'org-1', 'target': %s}\n",
                 any);
  t_do(0, "pause", "--account", "claude:org-1");
  t_do(0, "renew", "claude:conv-9", "--payload", "go on");
  json_t *job = r_job_of("m9");
  T_UNTIL(20000,
          is_said("jobs", "why", t_text_at(job, "job_id"), "paused: the account claude:org-1"),
          "it is not paused");
  r_check_quiet(h, 0, 300);
  t_do(0, "set", "claude:conv-9", "--automation", "auto");
  T_UNTIL(20000, is_said("list", "accounts", NULL, "claude:org-1"), "the account is not listed");
  t_do(0, "resume", "--account", "claude:org-1");
  r_wait_status("m9", "done", 20000);
  json_decref(job);
  t_http_stop(&h);
}

/* A session of Claude Code that is followed and on auto gets a follow-up at the end of each turn,
 * and none before. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/flow/renewal_help.h"

#define CONVERSATION_ID "claude-code:S"
#define DELAY_MS 300

static char file[400];

/* It says what it is told as the user, and answers; ../out/runs has a line for each of its runs. */
static const char program[] =
    "#!/bin/sh\n"
    "n=$(($(wc -l <$1/runs) + 1))\n"
    "echo \"$3\" >>$1/runs\n"
    "at=$(date -u +%Y-%m-%dT%H:%M:%S.%3NZ)\n"
    "say() { printf '{\"type\":\"%s\",\"uuid\":\"%s%s\",\"sessionId\":\"S\",\"timestamp\":\"%s\","
    "\"message\":{\"role\":\"%s\",\"id\":\"m%s%s\",\"stop_reason\":%s,\"content\":[{\"type\":"
    "\"text\",\"text\":\"%s\"}]}}\\n' $1 $2 $n $at $1 $2 $n \"$3\" \"$4\" >>\"$file\"; }\n"
    "file=$2\n"
    "say user echo null \"$(cat)\"\n"
    "say assistant answer '\"end_turn\"' \"Answer $n.\"\n";

static void begin(void) {
  char path[300], conf[1200];
  snprintf(path, sizeof path, "%s/home", t_folder());
  mkdir(path, 0700);
  setenv("HOME", path, 1);
  unsetenv("CLAUDE_CONFIG_DIR");
  unsetenv("CODEX_HOME");
  snprintf(path, sizeof path, "%s/home/.claude", t_folder());
  mkdir(path, 0700);
  snprintf(path, sizeof path, "%s/home/.claude/projects", t_folder());
  mkdir(path, 0700);
  snprintf(file, sizeof file, "%s/S.jsonl", path);
  t_write_text("../out/claude.sh", program);
  t_write_text("../out/runs", "");
  T_CHECK(chmod("../out/claude.sh", 0700) == 0, "no chmod");
  snprintf(conf, sizeof conf,
           "renew.exec.claude = \"%s/out/claude.sh %s/out %s {session_id}\"\n"
           "renew.exec.claude.input = payload\n"
           "renew.delay = %dms\nrenew.cooldown = 0ms\nrenew.spacing = 0ms\n"
           "renew.in_a_row = 1\ningest.watch = on\nlog.level = debug\n",
           t_folder(), t_folder(), file, DELAY_MS);
  t_write_text("convkeep.conf", conf);
}

/* ---- what the session says ---- */

/* reason: why the answer stops, as JSON. block: its last one, as JSON; or "". */
static void line(const char *role, const char *id, const char *reason, const char *block) {
  char at[CK_TIME_TEXT];
  ck_time_text(at, ck_now_ms());
  FILE *f = fopen(file, "a");
  T_CHECK(f != NULL, "%s", file);
  fprintf(f,
          "{\"type\":\"%s\",\"uuid\":\"%s\",\"sessionId\":\"S\",\"cwd\":\"/\",\"timestamp\":\"%s\","
          "\"message\":{\"role\":\"%s\",\"id\":\"m-%s\",\"stop_reason\":%s,\"content\":[{\"type\":"
          "\"text\",\"text\":\"It is %s.\"}%s%s]}}\n",
          role, id, at, role, id, reason, id, *block ? "," : "", block);
  T_CHECK(fclose(f) == 0, "%s", file);
}

static void user_says(const char *id) { line("user", id, "null", ""); }
static void ends_turn(const char *id) { line("assistant", id, "\"end_turn\"", ""); }
static void calls_tool(const char *id) {
  line("assistant", id, "\"tool_use\"",
       "{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"Bash\",\"input\":{}}");
}

/* ---- what comes of it ---- */

static void wait_for(const char *id) {
  char sql[100];
  snprintf(sql, sizeof sql, "SELECT count(*) FROM messages WHERE id = '%s'", id);
  T_UNTIL(10000, t_sql_int("artifact.db", sql) == 1, "%s did not come", id);
}

static bool says(const char *which, const char *part) {
  struct t_result r = t_convkeep("jobs", "why", which);
  bool it_says = strstr(r.out, part) != NULL;
  t_result_free(&r);
  return it_says;
}

static size_t runs(void) {
  size_t n = 0;
  char *text = t_read_file("../out/runs", NULL);
  for (const char *at = text; at && (at = strstr(at, "S\n")); ++at) ++n;
  free(text);
  return n;
}

/* The follow-up to this message is sent; and the answer to it gets none, because nobody has said
 * anything in between. */
static void goes_on_once(const char *id, size_t n) {
  char answer[40], echo[40];
  r_wait_status(id, "done", 10000);
  T_CHECK(runs() == n, "%zu runs, not %zu", runs(), n);
  snprintf(answer, sizeof answer, "answer%zu", n);
  snprintf(echo, sizeof echo, "echo%zu", n);
  r_wait_status(answer, "pending", 10000);
  json_t *job = r_job_of(answer);
  T_UNTIL(10000, says(t_text_at(job, "job_id"), "1 delivery with no person in between"),
          "the answer is not stopped");
  json_decref(job);
  T_CHECK(runs() == n, "%zu runs, not %zu", runs(), n);
  char sql[120];
  snprintf(sql, sizeof sql, "SELECT raw_text = 'continue' AND live FROM messages WHERE id = '%s'",
           echo);
  T_CHECK(t_sql_int("artifact.db", sql) == 1, "it was told something else");
}

/* renewd has judged this message, as its log says, and made no job of it. */
static bool is_judged(const char *id) {
  bool is = false;
  char *log = t_read_file("logs/renewd.log", NULL), *rest = log, *one, message[60];
  snprintf(message, sizeof message, " message=\"%s\" ", id);
  while (!is && rest && (one = strsep(&rest, "\n")))
    is =
        strstr(one, message) && (strstr(one, " event=declined ") || strstr(one, " event=put_off "));
  free(log);
  return is;
}

static void gets_none(const char *id, size_t n) {
  T_UNTIL(10000, is_judged(id), "%s is not judged", id);
  T_CHECK(runs() == n, "%zu runs, not %zu", runs(), n);
}

T_STORY(watch, a_session_on_auto_goes_on_at_the_ends_of_its_turns, 120) {
  begin();
  user_says("u1");
  ends_turn("a1");
  t_up();
  wait_for("a1");
  t_do(0, "set", CONVERSATION_ID, "--automation", "auto");
  gets_none("a1", 0);
  T_CHECK(t_count("renewal_jobs") == 0, "what was there has a job");
  user_says("u2");
  calls_tool("a2");
  T_UNTIL(10000, says(CONVERSATION_ID, "its turn goes on"), "it does not say");
  gets_none("a2", 0);
  T_CHECK(t_count("renewal_jobs") == 0, "a turn that goes on has a job");
  ends_turn("a3");
  goes_on_once("a3", 1);
  user_says("u4"); /* takes its place */
  r_wait_status("answer1", "failed", 10000);
  gets_none("u4", 1);
  ends_turn("a4");
  goes_on_once("a4", 2);
  /* It goes on while ingest is restarted. */
  pid_t old = t_kill("ingest", SIGKILL);
  user_says("u5");
  ends_turn("a5");
  t_wait_other("ingest", old, 20000);
  goes_on_once("a5", 3);
  T_CHECK(
      t_sql_int("artifact.db", "SELECT count(*) FROM messages WHERE live = 0") == 2 &&
          t_sql_int("artifact.db", "SELECT count(*) FROM messages WHERE live = 0 AND id = 'a1'"),
      "what was there is not history");
  T_CHECK(t_count("renewal_jobs") == 6, "%lld jobs", (long long)t_count("renewal_jobs"));
  t_whole(20000);
}

/* The same lines that an import brings first are history, also if the file is followed. */
T_STORY(watch, what_an_import_brings_first_gets_none, 60) {
  begin();
  user_says("u1");
  t_up();
  wait_for("u1");
  t_do(0, "set", CONVERSATION_ID, "--automation", "auto");
  t_do(0, "watch", "off");
  ends_turn("a1");
  t_do(0, "import", file);
  t_do(0, "watch", "on", "--yes");
  T_UNTIL(10000, says(CONVERSATION_ID, "not seen live"), "it does not say why");
  gets_none("a1", 0);
  ends_turn("a2");
  goes_on_once("a2", 1);
}

/* ---- Codex ---- */

#define THREAD "0199a000-0000-7000-8000-000000000001"

static void codex_line(const char *type, const char *payload) {
  char at[CK_TIME_TEXT];
  ck_time_text(at, ck_now_ms());
  FILE *f = fopen(file, "a");
  T_CHECK(f &&
              fprintf(f, "{\"timestamp\":\"%s\",\"type\":\"%s\",\"payload\":{%s}}\n", at, type,
                      payload) > 0 &&
              fclose(f) == 0,
          "%s", file);
}

static void codex_says(const char *role, const char *id) {
  char payload[300];
  bool user = *role == 'u';
  snprintf(payload, sizeof payload,
           "\"type\":\"message\",\"id\":\"%s\",\"role\":\"%s\",\"content\":[{\"type\":\"%s\","
           "\"text\":\"It is %s.\"}]",
           id, role, user ? "input_text" : "output_text", id);
  codex_line("response_item", payload);
}

static void begin_codex(void) {
  char path[300];
  begin();
  snprintf(path, sizeof path, "%s/home/.codex", t_folder());
  mkdir(path, 0700);
  snprintf(path, sizeof path, "%s/home/.codex/sessions", t_folder());
  mkdir(path, 0700);
  snprintf(file, sizeof file, "%s/rollout-2026-11-30T10-00-00-" THREAD ".jsonl", path);
  t_setf("renew.exec.codex", "/bin/sh -c \"echo S >>%s/out/runs\"", t_folder());
  codex_line("session_meta", "\"id\":\"" THREAD "\",\"cwd\":\"/\"");
  t_up();
}

/* Its last words are there long before its turn has ended. */
T_STORY(watch, a_turn_of_codex_ends_when_it_says_so, 60) {
  begin_codex();
  codex_line("event_msg", "\"type\":\"task_started\",\"turn_id\":\"t1\"");
  codex_says("user", "u1");
  wait_for("u1");
  t_do(0, "set", "codex:" THREAD, "--automation", "auto");
  codex_says("assistant", "a1");
  T_UNTIL(10000, says("codex:" THREAD, "its turn goes on"), "it does not say");
  gets_none("a1", 0);
  T_CHECK(t_count("renewal_jobs") == 0, "a turn that goes on has a job");
  codex_line("event_msg", "\"type\":\"task_complete\",\"turn_id\":\"t1\"");
  r_wait_status("a1", "done", 10000);
  T_CHECK(runs() == 1, "%zu runs", runs());
  codex_line("event_msg", "\"type\":\"task_started\",\"turn_id\":\"t2\"");
  codex_says("user", "u2");
  codex_says("assistant", "a2");
  codex_line("event_msg",
             "\"type\":\"turn_aborted\",\"turn_id\":\"t2\",\"reason\":\"interrupted\"");
  r_wait_status("a2", "pending", 10000);
  json_t *job = r_job_of("a2");
  T_UNTIL(10000, says(t_text_at(job, "job_id"), "somebody has interrupted its turn"),
          "it does not stop");
  json_decref(job);
  T_CHECK(runs() == 1, "%zu runs", runs());
}

static void check_limit(int64_t until) {
  char account[340];
  snprintf(account, sizeof account, "codex:%s/home/.codex", t_folder());
  json_t *rows = t_query("limits", "{}", 20, 0);
  T_CHECK(json_array_size(rows) == 1 && strcmp(t_text_at(rows, "0.account"), account) == 0 &&
              t_int_at(rows, "0.until", 0) == until,
          "%s", json_dumps(rows, 0));
  json_decref(rows);
}

/* It ends when the service says, whatever the words of the error mean here. */
T_STORY(watch, a_limit_of_codex_ends_when_its_service_says, 60) {
  char tokens[300];
  begin_codex();
  int64_t until = ck_now_ms() / 1000 + 7200;
  codex_line("event_msg", "\"type\":\"task_started\",\"turn_id\":\"t1\"");
  codex_says("user", "u1");
  wait_for("u1");
  t_do(0, "set", "codex:" THREAD, "--automation", "auto");
  snprintf(tokens, sizeof tokens,
           "\"type\":\"token_count\",\"info\":null,\"rate_limits\":{\"primary\":{"
           "\"used_percent\":100.0,\"window_minutes\":300,\"resets_at\":%lld}}",
           (long long)until);
  codex_line("event_msg", tokens);
  codex_line("event_msg",
             "\"type\":\"task_complete\",\"turn_id\":\"t1\",\"error\":{\"message\":\"You've "
             "hit your usage limit. Try again at 3:07 AM.\",\"codex_error_info\":"
             "\"usage_limit_exceeded\"}");
  T_UNTIL(10000, t_count("renewal_jobs") == 1, "the error gets no follow-up");
  T_UNTIL(20000, t_sql_int("artifact.db", "SELECT count(*) FROM limits") == 1, "no limit");
  check_limit(1000 * until);
  T_CHECK(runs() == 0, "%zu runs", runs());
}

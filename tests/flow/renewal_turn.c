/* A follow-up belongs to the end of a turn: none goes out after an answer, in mid-turn, or for
 * history. */
#include "tests/flow/renewal_help.h"

static void r_retry(int code, const char *message, bool anyway) {
  json_t *job = r_job_of(message);
  if (anyway)
    t_do(code, "jobs", "retry", t_text_at(job, "job_id"), "--anyway");
  else
    t_do(code, "jobs", "retry", t_text_at(job, "job_id"));
  json_decref(job);
}

static bool has_error(const char *message, const char *error) {
  json_t *job = r_job_of(message);
  const char *is = t_text_at(job, "last_error");
  bool yes = r_has_status(message, "failed") && is && strcmp(is, error) == 0;
  json_decref(job);
  return yes;
}

/* The job ended for this reason, which counts as no failure. */
static void check_superseded(const char *message, const char *reason) {
  char error[200];
  snprintf(error, sizeof error, "superseded: %s", reason);
  T_UNTIL(20000, has_error(message, error), "the job of %s is not %s: %s", message, error,
          json_dumps(r_job_of(message), 0));
  T_CHECK(t_status_int("jobs.failed", -1) == 0 && t_status_int("jobs.superseded", -1) == 1,
          "status says %s", json_dumps(t_status(1000), 0));
}

static void check_output(const char *what, struct t_result r, const char *const words[]) {
  for (; *words; words++)
    T_CHECK(r.code == 0 && strstr(r.out, *words), "%s does not say %s: %s%s", what, *words, r.out,
            r.err);
  t_result_free(&r);
}

/* An observation with this text and time. */
static void say_at(const char *id, const char *role, const char *target, const char *text,
                   const char *time) {
  t_import_lines(0,
                 "{'platform': 'chatgpt', 'conversation_id': 'conv-1', 'message_id': '%s', "
                 "'role': '%s', 'text': '%s', 'target': %s%s}\n",
                 id, role, text, target, time);
}

/* ---- answers ---- */

/* Sets renew.delay to so many ms that what is said next comes within it, however slow the ring is.
 */
static int set_delay(void) {
  char text[24];
  int ms = 2500 * T_SLOWER;
  snprintf(text, sizeof text, "%dms", ms);
  t_set("renew.delay", text);
  return ms;
}

#define REST_MS (3000 * T_SLOWER)
#define PUT_OFF_S (2 * T_SLOWER)
/* The second attempt would have come by then. */
#define AFTER_PUT_OFF_MS (PUT_OFF_S * 1000 + 500)

/* A server that puts the first follow-up off, for so long that what is done next comes before the
 * second attempt, however slow the ring is. */
static struct t_http *web_that_puts_off(char target[160]) {
  char script[32];
  snprintf(script, sizeof script, "503/%d 200", PUT_OFF_S);
  return r_web(script, target);
}

T_STORY(renewal_turn, an_answer_while_the_message_settles, 60) {
  char target[160];
  struct t_http *h = r_web("200", target);
  int delay = set_delay();
  t_up();
  r_put_on_auto(target);
  r_say("delete", "assistant", target);
  t_pause(500);
  r_say("stop", "user", target);
  r_check_quiet(h, 0, delay + 1000);
  T_CHECK(t_count("renewal_jobs") == 0, "a job was made after the answer");
  t_http_stop(&h);
}

T_STORY(renewal_turn, an_answer_while_the_conversation_rests, 60) {
  char target[160];
  struct t_http *h = r_web("200", target);
  t_setf("renew.cooldown", "%dms", REST_MS);
  t_up();
  r_put_on_auto(target);
  r_say("m1", "assistant", target);
  r_wait_status("m1", "done", 20000);
  r_say("m2", "user", target);
  r_say("delete", "assistant", target);
  r_wait_status("delete", "pending", 20000);
  r_say("stop", "user", target);
  check_superseded("delete", "somebody answered");
  r_check_quiet(h, 1, REST_MS + 500);
  json_t *job = r_job_of("delete");
  check_output("jobs why", t_convkeep("jobs", "why", t_text_at(job, "job_id")),
               (const char *const[]){"superseded, attempt 0 of 3", "somebody answered",
                                     "convkeep jobs retry JOB --anyway", NULL});
  json_decref(job);
  T_UNTIL(10000,
          t_sql_int("mirror.db", "SELECT count(*) FROM renewal_jobs WHERE status = 'failed' AND "
                                 "last_error = 'superseded: somebody answered'") == 1,
          "the mirror does not say so");
  t_http_stop(&h);
}

T_STORY(renewal_turn, an_answer_between_two_attempts, 60) {
  char target[160];
  struct t_http *h = web_that_puts_off(target);
  t_up();
  r_put_on_auto(target);
  r_say("delete", "assistant", target);
  T_UNTIL(20000, t_http_count(h) == 1, "no POST");
  r_wait_status("delete", "pending", 20000);
  r_say("stop", "user", target);
  check_superseded("delete", "somebody answered");
  r_check_quiet(h, 1, AFTER_PUT_OFF_MS);
  /* A retry wants to be told that this is known; then it goes out. */
  r_retry(1, "delete", false);
  r_check_quiet(h, 1, 300);
  t_http_script(h, "200");
  r_retry(0, "delete", true);
  r_wait_status("delete", "done", 20000);
  T_CHECK(t_http_count(h) == 2, "%d requests", t_http_count(h));
  t_http_stop(&h);
}

T_STORY(renewal_turn, an_answer_during_a_pause, 60) {
  char target[160];
  struct t_http *h = web_that_puts_off(target);
  t_up();
  r_put_on_auto(target);
  r_say("delete", "assistant", target);
  T_UNTIL(20000, t_http_count(h) == 1, "no POST");
  r_wait_status("delete", "pending", 20000);
  t_do(0, "pause", CONVERSATION);
  r_check_quiet(h, 1, AFTER_PUT_OFF_MS);
  r_say("stop", "user", target);
  t_wait_other("renewd", t_kill("renewd", SIGKILL), 20000);
  t_do(0, "resume", CONVERSATION);
  check_superseded("delete", "somebody answered");
  r_check_quiet(h, 1, 800);
  t_http_stop(&h);
}

/* A pause alone ends nothing. */
T_STORY(renewal_turn, a_pause_without_an_answer, 60) {
  char target[160];
  struct t_http *h = web_that_puts_off(target);
  t_up();
  r_put_on_auto(target);
  r_say("m1", "assistant", target);
  T_UNTIL(20000, t_http_count(h) == 1, "no POST");
  t_do(0, "pause", CONVERSATION);
  r_check_quiet(h, 1, AFTER_PUT_OFF_MS);
  t_do(0, "resume", CONVERSATION);
  r_wait_status("m1", "done", 20000);
  t_http_stop(&h);
}

T_STORY(renewal_turn, the_conversation_leaves_auto, 60) {
  char target[160];
  struct t_http *h = web_that_puts_off(target);
  t_up();
  r_put_on_auto(target);
  r_say("m1", "assistant", target);
  T_UNTIL(20000, t_http_count(h) == 1, "no POST");
  r_wait_status("m1", "pending", 20000);
  t_do(0, "set", CONVERSATION, "--automation", "manual");
  check_superseded("m1", "the conversation is not on auto");
  t_do(0, "set", CONVERSATION, "--automation", "auto");
  r_check_quiet(h, 1, AFTER_PUT_OFF_MS);
  t_do(0, "set", CONVERSATION, "--automation", "manual");
  /* Anyway: also without auto. */
  r_retry(1, "m1", false);
  r_retry(0, "m1", true);
  r_wait_status("m1", "done", 20000);
  t_http_stop(&h);
}

/* What a person made goes out as they said, whoever answers. */
T_STORY(renewal_turn, by_hand_it_goes_all_the_same, 60) {
  char target[160];
  struct t_http *h = r_web("200", target);
  t_up();
  r_put_on_auto(target);
  t_do(0, "renew", CONVERSATION, "--payload", "mine", "--at", "+1500ms");
  r_say("m2", "assistant", target);
  r_say("m3", "user", target);
  t_do(0, "set", CONVERSATION, "--automation", "manual");
  r_wait_status("m-user", "done", 20000);
  t_http_stop(&h);
}

/* ---- the end of a turn ---- */

T_STORY(renewal_turn, eight_messages_get_one_follow_up, 60) {
  char target[160], id[16];
  struct t_http *h = r_web("200", target);
  int delay = set_delay();
  t_set("renew.cooldown", "0s");
  t_up();
  r_put_on_auto(target);
  for (int i = 0; i < 8; i++) {
    snprintf(id, sizeof id, "m%d", i);
    r_say(id, "assistant", target);
  }
  r_wait_status("m7", "done", 20000);
  r_check_quiet(h, 1, delay + 300);
  T_CHECK(t_count("renewal_jobs") == 1, "%lld jobs", (long long)t_count("renewal_jobs"));
  t_http_stop(&h);
}

T_STORY(renewal_turn, a_message_that_grows, 60) {
  char target[160], text[32], time[48];
  struct t_http *h = r_web("200", target);
  int delay = set_delay();
  t_up();
  r_put_on_auto(target);
  int64_t grown = 0;
  for (int i = 0; i < 6; i++) {
    snprintf(text, sizeof text, "%.*s", 4 * (i + 1), "one two three four five six ");
    snprintf(time, sizeof time, ", 'observed_at': %lld", (long long)r_now_plus(0));
    say_at("m1", "assistant", target, text, time);
    grown = ck_now_ms();
    r_check_quiet(h, 0, 600);
  }
  /* It is observed again, and has not grown. */
  snprintf(time, sizeof time, ", 'observed_at': %lld", (long long)r_now_plus(0));
  say_at("m1", "assistant", target, text, time);
  r_wait_status("m1", "done", 10000);
  int64_t after = t_http_request(h, 0)->at - grown;
  T_CHECK(after >= delay - 300 && after <= delay + 1000 * T_SLOWER,
          "the POST came %lld ms after the last growth", (long long)after);
  r_check_quiet(h, 1, delay + 300);
  t_http_stop(&h);
}

/* A message grows while its follow-up waits: the follow-up waits on. */
T_STORY(renewal_turn, a_message_that_grows_later, 60) {
  char target[160], time[48];
  struct t_http *h = web_that_puts_off(target);
  int delay = set_delay();
  t_up();
  r_put_on_auto(target);
  r_say("m1", "assistant", target);
  T_UNTIL(20000, t_http_count(h) == 1, "no POST");
  t_pause(500);
  snprintf(time, sizeof time, ", 'observed_at': %lld", (long long)r_now_plus(0));
  say_at("m1", "assistant", target, "said, and more", time);
  int64_t grown = ck_now_ms();
  r_wait_status("m1", "done", 20000);
  int64_t after = t_http_request(h, 1)->at - grown;
  T_CHECK(after >= delay - 100, "the second POST came %lld ms after the growth", (long long)after);
  t_http_stop(&h);
}

/* ---- what is not new ---- */

static int64_t declined_count(void) {
  json_t *info = t_status(1000), *one;
  int64_t count = -1;
  size_t i;
  json_array_foreach(t_at(info, "daemons"), i, one) {
    if (strcmp(t_text_at(one, "name"), "renewd") == 0)
      count = t_int_at(one, "info.declined_count", -1);
  }
  json_decref(info);
  return count;
}

/* The last message gets none, and `status` and `jobs why` name it, with the command. */
static void check_declined(const char *reason) {
  T_UNTIL(20000, declined_count() == 1, "renewd reports %lld declined ones",
          (long long)declined_count());
  const char *command = "convkeep renew '" CONVERSATION "' --payload 'continue'";
  check_output("status", t_convkeep("status"),
               (const char *const[]){CONVERSATION, reason, command, NULL});
  check_output("jobs why", t_convkeep("jobs", "why", CONVERSATION),
               (const char *const[]){CONVERSATION, reason, command, NULL});
}

/* An export that was made a moment ago, of a conversation that is on auto. */
T_STORY(renewal_turn, an_export_of_today_sends_nothing, 60) {
  char target[160], file[1200];
  struct t_http *h = r_web("200", target);
  t_up();
  r_put_on_auto(target);
  double at = (double)ck_now_ms() / 1000;
  snprintf(file, sizeof file,
           "[{\"conversation_id\":\"%s\",\"title\":\"n\",\"update_time\":%.3f,"
           "\"current_node\":\"new\",\"mapping\":{\"new\":{\"message\":{\"id\":\"new\","
           "\"author\":{\"role\":\"assistant\"},\"create_time\":%.3f,"
           "\"content\":{\"content_type\":\"text\",\"parts\":[\"t\"]}}}}}]",
           strchr(CONVERSATION, ':') + 1, at, at);
  t_write_text("export.json", file);
  t_import_counts("export.json", 1, 0, 0, 0);
  check_declined("not seen live");
  r_check_quiet(h, 0, 2500);
  t_http_stop(&h);
}

T_STORY(renewal_turn, imported_history_sends_nothing, 60) {
  char target[160], time[48];
  struct t_http *h = r_web("200", target);
  t_up();
  snprintf(time, sizeof time, ", 'observed_at': %lld", (long long)r_now_plus(-10800000));
  say_at("m0", "user", target, "three hours old", time);
  t_do(0, "set", CONVERSATION, "--automation", "auto");
  /* Another conversation, whose history is seven weeks old. */
  t_import_lines(0, "{'platform': 'p', 'conversation_id': 'old', 'message_id': 'o0', 'role': "
                    "'user', 'text': 't', 'observed_at': 1000}\n");
  t_do(0, "set", "p:old", "--automation", "auto");
  t_import_lines(0,
                 "{'platform': 'p', 'conversation_id': 'old', 'message_id': 'o1', 'role': "
                 "'assistant', 'text': 't', 'observed_at': %lld, 'target': %s}\n",
                 (long long)r_now_plus(-INT64_C(49) * 86400000), target);
  r_check_quiet(h, 0, 800);
  T_CHECK(t_count("renewal_jobs") == 0, "history got a job");
  T_UNTIL(20000, declined_count() == 1, "renewd does not report it");
  check_output(
      "jobs why", t_convkeep("jobs", "why", "p:old"),
      (const char *const[]){"too old", "convkeep renew 'p:old' --payload 'continue'", NULL});
  check_output("status", t_convkeep("status"),
               (const char *const[]){"p:old", "too old", "convkeep renew 'p:old'", NULL});
  /* The command sends it. */
  t_do(0, "renew", "p:old", "--payload", "continue");
  r_wait_status("o1", "done", 20000);
  T_UNTIL(20000, declined_count() == 0, "it is still named");
  /* A restart does not make it new. */
  snprintf(time, sizeof time, ", 'observed_at': %lld", (long long)r_now_plus(-7200000));
  say_at("m1", "assistant", target, "two hours old", time);
  check_declined("too old");
  t_wait_other("renewd", t_kill("renewd", SIGKILL), 20000);
  r_check_quiet(h, 1, 500);
  check_declined("too old");
  t_http_stop(&h);
}

T_STORY(renewal_turn, a_time_of_the_year_2099, 60) {
  char target[160];
  struct t_http *h = r_web("200", target);
  t_up();
  r_put_on_auto(target);
  say_at("m1", "assistant", target, "from the future", ", 'observed_at': 4085000000000");
  r_check_quiet(h, 0, 500);
  T_CHECK(t_sql_int("artifact.db", "SELECT observed_at FROM messages WHERE id = 'm1'") ==
              INT64_C(4085000000000),
          "its time is not what was told");
  T_CHECK(t_count("renewal_jobs") == 0, "it got a job");
  r_say("m2", "assistant", target);
  r_wait_status("m2", "done", 20000);
  r_check_quiet(h, 1, 300);
  t_http_stop(&h);
}

T_STORY(renewal_turn, no_time_at_all, 60) {
  char target[160];
  struct t_http *h = r_web("200", target);
  t_up();
  r_put_on_auto(target);
  say_at("m1", "assistant", target, "some time", "");
  r_check_quiet(h, 0, 500);
  check_declined("had no time");
  r_say("m2", "assistant", target);
  r_wait_status("m2", "done", 20000);
  r_check_quiet(h, 1, 300);
  t_http_stop(&h);
}

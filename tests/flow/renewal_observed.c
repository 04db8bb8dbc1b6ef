/* Deliveries of unknown end that are told by what is observed afterwards. */
#include "tests/flow/renewal_help.h"

static int64_t age_of_the_end;

/* A delivery to a server that takes the request and does not answer. */
static struct t_http *unknown_delivery(void) {
  char target[160];
  struct t_http *h = r_web("hang", target);
  t_set("renew.timeout", "400ms");
  t_set("renew.payload", "go on");
  t_up();
  r_put_on_auto(target);
  r_say("m1", "assistant", target);
  T_UNTIL(20000, t_status_int("jobs.unknown", 0) == 1, "the attempt is not unknown");
  json_t *lines = r_wait_attempts("m1", 1);
  age_of_the_end = t_int_at(lines, "0.ended", 0);
  json_decref(lines);
  t_http_script(h, "200");
  return h;
}

static void check_why(const char *part) {
  json_t *job = r_job_of("m1");
  struct t_result why = t_convkeep("jobs", "why", t_text_at(job, "job_id"));
  T_CHECK(why.code == 0 && strstr(why.out, part), "`jobs why` ended with %d and said: %s%s",
          why.code, why.out, why.err);
  t_result_free(&why);
  json_decref(job);
}

static void our_text_is_seen(void) {
  t_import_lines(0,
                 "{'platform': 'chatgpt', 'conversation_id': 'conv-1', 'message_id': 'ours', "
                 "'role': 'user', 'text': 'go on ', 'observed_at': %lld}\n",
                 (long long)r_now_plus(0));
}

T_STORY(renewal_observed, our_text_is_a_delivery, 60) {
  struct t_http *h = unknown_delivery();
  our_text_is_seen();
  r_wait_status("m1", "done", 10000);
  json_t *lines = r_wait_attempts("m1", 2);
  T_CHECK(json_array_size(lines) == 2 && strcmp(t_text_at(lines, "1.outcome"), "done") == 0 &&
              strcmp(t_text_at(lines, "1.sent_message_id"), "ours") == 0 &&
              t_int_at(lines, "1.ended", 0) == age_of_the_end,
          "the log says %s", json_dumps(lines, 0));
  json_decref(lines);
  check_why("seen in the conversation afterwards");
  r_check_quiet(h, 1, 500);
  t_http_stop(&h);
}

/* It is seen while renewd is down, and the store is killed. */
T_STORY(renewal_observed, our_text_while_renewd_is_down, 90) {
  struct t_http *h = unknown_delivery();
  t_wait_other("renewd", t_kill("renewd", SIGKILL), 20000);
  our_text_is_seen();
  t_wait_other("store", t_kill("store", SIGKILL), 20000);
  r_wait_status("m1", "done", 15000);
  json_decref(r_wait_attempts("m1", 2));
  r_check_quiet(h, 1, 300);
  t_http_stop(&h);
}

/* An export of the conversation as it was at that time, with what has been said before. */
static void import_export(int64_t at) {
  char text[1200];
  int n = snprintf(
      text, sizeof text,
      "[{\"conversation_id\": \"conv-1\", \"title\": \"a title\", \"create_time\": %lld,"
      " \"update_time\": %lld, \"current_node\": \"m1\", \"mapping\": {\"m-user\": {\"id\": "
      "\"m-user\", \"parent\": null, \"children\": [\"m1\"], \"message\": {\"id\": \"m-user\","
      " \"author\": {\"role\": \"user\"}, \"content\": {\"content_type\": \"text\", \"parts\": "
      "[\"said in m-user\"]}}}, \"m1\": {\"id\": \"m1\", \"parent\": \"m-user\", \"children\": [],"
      " \"message\": {\"id\": \"m1\", \"author\": {\"role\": \"assistant\"}, \"content\": "
      "{\"content_type\": \"text\", \"parts\": [\"said in m1\"]}}}}}]",
      (long long)(at / 1000 - 9000), (long long)(at / 1000));
  t_write_file("../out/export.json", text, (size_t)n);
  json_decref(t_import(0, "../out/export.json"));
}

/* The attempt is made two minutes older, so that the test need not wait. */
T_STORY(renewal_observed, a_later_export_without_it, 90) {
  struct t_http *h = unknown_delivery();
  import_export(age_of_the_end + 30000);
  t_pause(3000);
  T_CHECK(t_status_int("jobs.unknown", 0) == 1, "an export of half a minute later decides");
  t_down();
  t_sql_run("artifact.db", "UPDATE attempts SET begun = begun - 120000, ended = ended - 120000");
  t_up();
  import_export(r_now_plus(-1000));
  r_wait_status("m1", "done", 25000);
  T_CHECK(t_http_count(h) == 2, "%d requests", t_http_count(h));
  json_t *lines = r_wait_attempts("m1", 3);
  T_CHECK(strcmp(t_text_at(lines, "0.outcome"), "unknown") == 0 &&
              strcmp(t_text_at(lines, "1.outcome"), "released") == 0 &&
              strstr(t_text_at(lines, "1.why"), "not sent") &&
              strcmp(t_text_at(lines, "2.outcome"), "done") == 0,
          "the log says %s", json_dumps(lines, 0));
  json_decref(lines);
  r_check_quiet(h, 2, 500);
  t_http_stop(&h);
}

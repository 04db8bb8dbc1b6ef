/* A conversation on auto gets its follow-up delivered, once, and every attempt is in the log. */
#include "tests/flow/renewal_help.h"

#include <sys/stat.h>
#include <time.h>

T_STORY(renewal, one_post_once_it_is_due, 60) {
  char target[160], header[256];
  struct t_http *h = r_web("200", target);
  t_up();
  r_put_on_auto(target);
  r_check_quiet(h, 0, 300);
  r_say("m1", "assistant", target);
  T_UNTIL(20000, t_http_count(h) == 1, "no POST within 20 s");
  const struct t_request *r = t_http_request(h, 0);
  json_t *body = t_http_json(r), *message = t_record("messages", "m1");
  r_wait_status("m1", "done", 20000);
  json_t *job = r_job_of("m1");
  int64_t due = t_int_at(job, "next_attempt_at", 0) ? t_int_at(job, "next_attempt_at", 0)
                                                    : t_int_at(message, "created_at", 0);
  if (due > t_int_at(message, "created_at", 0)) due = t_int_at(message, "created_at", 0);
  t_note("the POST came %lld ms after it was due", (long long)(r->at - due));
  T_CHECK(r->at >= due, "the POST came %lld ms before it was due", (long long)(due - r->at));
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
  r_check_log("m1", (const char *const[]){"done"}, 1);
  /* No second one comes, whatever is restarted. */
  for (int i = 0; i < 2; i++) t_wait_other("renewd", t_kill("renewd", SIGKILL), 20000);
  t_wait_other("store", t_kill("store", SIGKILL), 20000);
  r_check_quiet(h, 1, 700);
  json_t *conversation = t_record("local_conversations", CONVERSATION);
  T_CHECK(t_int_at(conversation, "cooldown_until", 0) > ck_now_ms(),
          "the conversation does not rest after a delivery");
  json_decref(conversation);
  t_whole(10000);
  t_http_stop(&h);
}

/* The rows of the attempts are the truth, the files are made from them. Here something is in the
 * way of the day's file, and of the next one, should the day end meanwhile. */
T_STORY(renewal, a_line_that_cannot_be_written_is_said_and_made_later, 60) {
  char target[160], days[2][80], day[40];
  struct t_http *h = r_web("200", target);
  t_up();
  for (int i = 0; i < 2; ++i) {
    time_t at = (time_t)(ck_now_ms() / 1000) + i * 86400;
    strftime(day, sizeof day, "%Y-%m-%d", gmtime(&at));
    snprintf(days[i], sizeof days[i], "logs/renewal/%s.jsonl", day);
    T_CHECK(mkdir(days[i], 0700) == 0, "%s", days[i]);
  }
  r_put_on_auto(target);
  r_say("m1", "assistant", target);
  r_wait_status("m1", "done", 20000);
  struct t_result r;
  T_UNTIL(10000, (r = t_convkeep("status"), strstr(r.out, days[0]) || (t_result_free(&r), false)),
          "nobody says that the line could not be written");
  t_result_free(&r);
  char *log = t_read_file("logs/renewd.log", NULL);
  T_CHECK(log && strstr(log, "event=not_logged"), "the log does not say it");
  free(log);
  t_wait_other("renewd", t_kill("renewd", SIGKILL), 20000); /* nothing is only in its memory */
  for (int i = 0; i < 2; ++i) T_CHECK(rmdir(days[i]) == 0, "%s", days[i]);
  r_check_log("m1", (const char *const[]){"done"}, 1);
  T_UNTIL(20000, (r = t_convkeep("status"), !strstr(r.out, days[0]) || (t_result_free(&r), false)),
          "it is still said");
  t_result_free(&r);
  r_check_quiet(h, 1, 300);
  t_http_stop(&h);
}

/* No job: manual, paused, a person's message, a message from before auto. */
T_STORY(renewal, which_messages_get_none, 60) {
  char target[160];
  struct t_http *h = r_web("200", target);
  t_up();
  r_say("m0", "assistant", target);
  r_check_quiet(h, 0, 300);
  t_do(0, "set", CONVERSATION, "--automation", "auto");
  r_check_quiet(h, 0, 300);
  r_say("m1", "user", target);
  r_check_quiet(h, 0, 300);
  t_do(0, "set", CONVERSATION, "--automation", "paused");
  r_say("m2", "assistant", target);
  r_check_quiet(h, 0, 300);
  T_CHECK(t_count("renewal_jobs") == 0, "%lld jobs were made", (long long)t_count("renewal_jobs"));
  t_http_stop(&h);
}

/* Down when the follow-up is due, and back before it is given up: nothing ends. The last attempt
 * is at renew.give_up after the first. */
T_STORY(renewal, a_server_that_comes_back, 60) {
  char target[160];
  t_set("renew.give_up", "2s");
  struct t_http *h = r_web("200", target);
  t_http_refuse(h);
  t_up();
  r_put_on_auto(target);
  r_say("m1", "assistant", target);
  json_t *job = NULL;
  T_UNTIL(10000, (json_decref(job), t_text_at(job = r_job_of("m1"), "last_error")),
          "no attempt within 10 s");
  T_CHECK(strcmp(t_text_at(job, "status"), "pending") == 0 &&
              t_int_at(job, "attempt_count", -1) == 0,
          "what nobody got is charged: %s", json_dumps(job, 0));
  struct t_result why = t_convkeep("jobs", "why", t_text_at(job, "job_id"));
  T_CHECK(why.code == 0 && strstr(why.out, "unreached") && strstr(why.out, "not charged"),
          "`jobs why` ended with %d and said: %s%s", why.code, why.out, why.err);
  t_result_free(&why);
  json_decref(job);
  t_http_listen(h);
  r_wait_status("m1", "done", 10000);
  T_CHECK(t_http_count(h) == 1, "%d requests", t_http_count(h));
  json_t *lines = r_wait_attempts("m1", 2);
  T_CHECK(json_array_size(lines) == 2 && t_int_at(lines, "1.attempt", 0) == 1, "the log is %s",
          json_dumps(lines, 0));
  json_decref(lines);
  t_http_stop(&h);
}

T_STORY(renewal, a_server_that_stays_down_is_given_up, 60) {
  char target[160];
  t_set("renew.give_up", "1s");
  struct t_http *h = r_web("200", target);
  t_http_refuse(h);
  t_up();
  r_put_on_auto(target);
  r_say("m1", "assistant", target);
  r_wait_status("m1", "failed", 15000);
  json_t *job = r_job_of("m1");
  T_CHECK(t_text_at(job, "last_error") && t_int_at(job, "finished_at", 0) > 0,
          "a failed job says neither why nor when");
  struct t_result why = t_convkeep("jobs", "why", t_text_at(job, "job_id"));
  T_CHECK(why.code == 0 && strstr(why.out, "renew.give_up"),
          "`jobs why` ended with %d and said: %s%s", why.code, why.out, why.err);
  t_result_free(&why);
  json_decref(job);
  json_t *lines = r_wait_attempts("m1", 2);
  T_CHECK(json_array_size(lines) == 2 &&
              t_int_at(lines, "1.at", 0) - t_int_at(lines, "0.at", 0) >= 1000,
          "the log is %s", json_dumps(lines, 0));
  json_decref(lines);
  t_http_listen(h);
  r_check_quiet(h, 0, 500);
  t_http_stop(&h);
}

/* After `jobs retry` a job has all its attempts again: with max_attempts 2, the server gets four
 * requests. */
T_STORY(renewal, a_failed_job_is_retried_with_all_its_attempts, 60) {
  char target[160];
  t_set("renew.backoff", "20ms");
  t_set("renew.max_attempts", "2");
  struct t_http *h = r_web("503", target);
  t_up();
  r_put_on_auto(target);
  r_say("m1", "assistant", target);
  r_wait_status("m1", "failed", 10000);
  json_t *job = r_job_of("m1");
  t_do(0, "jobs", "retry", t_text_at(job, "job_id"));
  json_decref(job);
  T_UNTIL(10000, t_http_count(h) == 4, "%d requests after a retry, not 4", t_http_count(h));
  r_wait_status("m1", "failed", 10000);
  job = r_job_of("m1");
  T_CHECK(t_int_at(job, "attempt_count", 0) == 2, "%lld attempts are counted",
          (long long)t_int_at(job, "attempt_count", 0));
  json_decref(job);
  t_http_stop(&h);
}

T_STORY(renewal, tried_again_until_it_works, 60) {
  char target[160], first[256], header[256];
  t_set("renew.backoff", "50ms");
  t_set("renew.max_attempts", "6");
  struct t_http *h = r_web("500 503 408 429 200", target);
  t_up();
  r_put_on_auto(target);
  r_say("m1", "assistant", target);
  r_wait_status("m1", "done", 15000);
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
  r_check_log("m1", (const char *const[]){"retry", "retry", "retry", "retry", "done"}, 5);
  t_http_stop(&h);
}

T_STORY(renewal, retry_after_is_kept, 60) {
  char target[160];
  t_set("renew.backoff", "10ms");
  struct t_http *h = r_web("429/1 200", target);
  t_up();
  r_put_on_auto(target);
  r_say("m1", "assistant", target);
  r_wait_status("m1", "done", 10000);
  int64_t between = t_http_request(h, 1)->at - t_http_request(h, 0)->at;
  T_CHECK(between >= 990, "tried again after %lld ms, though Retry-After said 1 s",
          (long long)between);
  t_http_stop(&h);
}

T_STORY(renewal, other_answers_fail_at_once, 60) {
  char target[160];
  t_set("renew.backoff", "10ms");
  struct t_http *h = r_web("404", target);
  t_up();
  r_put_on_auto(target);
  r_say("m1", "assistant", target);
  r_wait_status("m1", "failed", 10000);
  r_check_quiet(h, 1, 300);
  r_check_log("m1", (const char *const[]){"failed"}, 1);
  t_http_stop(&h);
}

/* Targets come in with observations: only addresses that the settings allow are reached. */
T_STORY(renewal, an_address_that_is_not_allowed, 60) {
  char target[160];
  struct t_http *h = r_web("200", target);
  t_set("renew.webhook.allow", "https://hooks.example/");
  t_up();
  r_put_on_auto(target);
  r_say("m1", "assistant", target);
  r_wait_status("m1", "pending", 10000);
  json_t *job = r_job_of("m1");
  struct t_result why = t_convkeep("jobs", "why", t_text_at(job, "job_id"));
  T_CHECK(strstr(why.out, "renew.webhook.allow"), "`jobs why` does not name the setting: %s",
          why.out);
  t_result_free(&why);
  json_decref(job);
  r_check_quiet(h, 0, 500);
  t_http_stop(&h);
}

/* The conversation rests after a delivery, and the next message's follow-up waits. */
T_STORY(renewal, cooldown, 60) {
  char target[160];
  t_set("renew.cooldown", "1500ms");
  t_set("renew.spacing", "0s");
  struct t_http *h = r_web("200", target);
  t_up();
  r_put_on_auto(target);
  r_say("m1", "assistant", target);
  r_wait_status("m1", "done", 20000);
  int64_t until = 0;
  json_t *conversation = t_record("local_conversations", CONVERSATION);
  until = t_int_at(conversation, "cooldown_until", 0);
  json_decref(conversation);
  r_say("m2", "user", target);
  r_say("m3", "assistant", target);
  r_wait_status("m3", "done", 20000);
  int64_t late = t_http_request(h, 1)->at - until;
  T_CHECK(late >= 0 && late <= 1000 * T_SLOWER, "the second POST came %lld ms after the rest",
          (long long)late);
  T_CHECK(t_http_count(h) == 2, "%d requests", t_http_count(h));
  t_http_stop(&h);
}

T_STORY(renewal, a_delay, 60) {
  char target[160];
  t_set("renew.delay", "1200ms");
  struct t_http *h = r_web("200", target);
  t_up();
  r_put_on_auto(target);
  r_say("m1", "assistant", target);
  json_t *message = t_record("messages", "m1");
  int64_t due = t_int_at(message, "created_at", 0) + 1200;
  json_decref(message);
  pid_t old = t_kill("renewd", SIGKILL);
  t_wait_other("renewd", old, 20000);
  r_wait_status("m1", "done", 20000);
  int64_t late = t_http_request(h, 0)->at - due;
  T_CHECK(late >= -1 && late <= 1000 * T_SLOWER, "the POST came %lld ms after it was due",
          (long long)late);
  T_CHECK(t_http_count(h) == 1, "%d requests", t_http_count(h));
  t_http_stop(&h);
}

/* The store does not answer what renewd asks about a message that has settled. */
T_STORY(renewal, ends_well_while_it_asks, 60) {
  const char *target = "{'kind': 'null'}";
  t_set("renew.delay", "2s");
  t_daemon("store", NULL);
  t_daemon("ingest", NULL);
  struct t_process *renewd = t_daemon("renewd", NULL);
  r_put_on_auto(target);
  r_say("m1", "assistant", target);
  t_kill("store", SIGSTOP);
  t_pause(2500); /* the delay */
  t_signal(renewd, SIGTERM);
  int status = t_wait_end(renewd, 20000);
  t_kill("store", SIGCONT);
  T_CHECK(status == 0, "renewd ended with status %#x", (unsigned)status);
  T_CHECK(t_count("renewal_jobs") == 0, "the job was made before the store was stopped");
  t_daemon("renewd", NULL);
  r_wait_status("m1", "done", 10000);
}

/* ---- by hand ---- */

T_STORY(renewal, by_hand, 60) {
  char target[160], at[32];
  struct t_http *h = r_web("200", target);
  t_up();
  r_say("m0", "user", target);
  r_say("m1", "user", target);
  t_import_lines(0, "{'platform': 'x', 'text': 'of another one', 'message_id': 'other', "
                    "'role': 'user', 'conversation_id': 'other', 'observed_at': 1}\n");
  t_do(1, "renew", CONVERSATION, "--payload", "in my own words", "--message", "other");
  t_do(1, "renew", CONVERSATION, "--payload", "in my own words", "--message", "nobody said it");
  t_do(0, "renew", CONVERSATION, "--payload", "in my own words", "--message", "m0", "--at", "+1h");
  T_CHECK(t_count("renewal_jobs") == 1, "%lld jobs were made", (long long)t_count("renewal_jobs"));
  int64_t due = r_now_plus(800 * T_SLOWER);
  snprintf(at, sizeof at, "%lld", (long long)due);
  t_do(0, "renew", CONVERSATION, "--payload", "in my own words", "--at", at);
  r_wait_status("m1", "done", 20000);
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
  struct t_http *h = r_web("200", target);
  t_up();
  r_put_on_auto(target);
  t_do(0, "pause", CONVERSATION);
  t_do(0, "renew", CONVERSATION, "--payload", "waits");
  r_check_quiet(h, 0, 400);
  t_wait_other("renewd", t_kill("renewd", SIGKILL), 20000);
  r_check_quiet(h, 0, 400);
  t_do(0, "resume", CONVERSATION);
  T_UNTIL(20000, t_http_count(h) == 1, "what waited did not go out after the pause");
  r_check_quiet(h, 1, 300);
  t_http_stop(&h);
}

/* Many conversations at once: one delivery at a time each, and each message at most once. */
T_STORY(renewal, many_at_once, 90) {
  char target[160];
  t_set("renew.spacing", "0s");
  struct t_http *h = r_web("200", target);
  t_up();
  struct ck_buf b = {0};
  for (int round = 0; round < 2; round++) {
    ck_buf_clear(&b);
    for (int i = 0; i < 60; i++) {
      char line[500];
      snprintf(line, sizeof line,
               "{'platform': 'x', 'conversation_id': 'c%d', 'message_id': 'm%d-%d', 'role': '%s', "
               "'text': 't', 'observed_at': %lld, 'target': %s}\n",
               i, i, round, round ? "assistant" : "user", (long long)r_now_plus(0), target);
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
  r_check_quiet(h, 60, 300);
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

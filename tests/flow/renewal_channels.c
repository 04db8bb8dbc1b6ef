/* Follow-ups through the other channels: a command, nowhere, and the browser on the feed. */
#include <sys/stat.h>

#include "tests/flow/renewal_help.h"

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
  r_put_on_auto(target);
  r_say("m1", "assistant", target);
  r_wait_status("m1", "done", 10000);
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
  r_check_log("m1", (const char *const[]){"retry", "done"}, 2);
}

T_STORY(renewal, a_command_that_fails, 60) {
  char conf[400];
  script_file("../out/no.sh", "#!/bin/sh\necho no such thing >&2\nexit 3\n");
  snprintf(conf, sizeof conf, "renew.exec.no = \"%s/out/no.sh\"\n", t_folder());
  t_write_text("convkeep.conf", conf);
  t_up();
  const char *target = "{'kind': 'exec', 'id': 'no'}";
  r_put_on_auto(target);
  r_say("m1", "assistant", target);
  r_wait_status("m1", "failed", 10000);
  json_t *job = r_job_of("m1");
  T_CHECK(strstr(t_text_at(job, "last_error"), "3"), "the error does not name the exit code: %s",
          t_text_at(job, "last_error"));
  json_decref(job);
}

/* A target names a setting, never a program. */
T_STORY(renewal, a_command_that_no_setting_names, 60) {
  const char *target = "{'kind': 'exec', 'id': '/bin/touch ../out/run'}";
  t_up();
  r_put_on_auto(target);
  r_say("m1", "assistant", target);
  r_wait_status("m1", "pending", 10000);
  t_pause(300);
  T_CHECK(r_has_status("m1", "pending") && !t_exists("../out/run"), "it was run");
}

T_STORY(renewal, to_nowhere, 60) {
  t_up();
  r_put_on_auto("{'kind': 'null'}");
  r_say("m1", "assistant", "{'kind': 'null'}");
  r_wait_status("m1", "done", 8000);
  r_check_log("m1", (const char *const[]){"done"}, 1);
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
  zmq_setsockopt(feed, ZMQ_SUBSCRIBE, "delivery/browser-1/", 19);
  r_put_on_auto(NULL);
  r_say("m1", "assistant", NULL);
  json_t *delivery = next_delivery(feed, 5000);
  T_CHECK(delivery != NULL, "nothing came under delivery/browser-1");
  T_CHECK(t_text_at(delivery, "lease_token") && t_int_at(delivery, "attempt", 0) == 1 &&
              strcmp(t_text_at(delivery, "payload"), "continue") == 0,
          "the delivery is %s", json_dumps(delivery, 0));
  struct t_producer *browser = t_producer("browser");
  T_CHECK(confirm(browser, delivery, "another token", "done") == 'r',
          "a wrong token ended the job");
  T_CHECK(r_has_status("m1", "running"), "a wrong token ended the job");
  char result = confirm(browser, delivery, NULL, "done");
  T_CHECK(result == 'u', "the confirmation gave '%c': %s", result, t_refusal(browser));
  r_wait_status("m1", "done", 3000);
  T_CHECK(confirm(browser, delivery, NULL, "failed") == 'r', "an ended job was ended again");
  T_CHECK(r_has_status("m1", "done"), "an ended job was ended again");
  json_decref(delivery);
}

T_STORY(renewal, a_browser_that_never_answers, 60) {
  t_set("renew.timeout", "400ms");
  t_up();
  r_put_on_auto(NULL);
  r_say("m1", "assistant", NULL);
  T_UNTIL(8000, t_status_int("jobs.unknown", 0) == 1, "the attempt is not unknown after its time");
  r_check_log("m1", (const char *const[]){"unknown"}, 1);
  json_t *lines = r_attempts("m1");
  T_CHECK(t_int_at(lines, "0.took_ms", 0) >= 400, "the browser had %lld ms, not 400",
          (long long)t_int_at(lines, "0.took_ms", 0));
  json_decref(lines);
}

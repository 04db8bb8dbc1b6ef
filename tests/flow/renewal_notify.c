/* A person is told of what needs one, by a program and by a webhook: once, also through kill -9. */
#include <string.h>
#include <sys/stat.h>

#include "tests/flow/renewal_help.h"

/* A target that refuses everything, and a web server that is told of it. */
static struct t_http *begin(struct t_http **target, const char *script) {
  struct t_http *told = t_http_start(script);
  char allow[300], url[160];
  *target = t_http_start("404");
  snprintf(allow, sizeof allow, "%s %s", t_http_url(*target), t_http_url(told));
  snprintf(url, sizeof url, "%stell", t_http_url(told));
  t_set("renew.webhook.allow", allow);
  t_set("renew.notify", url);
  t_up();
  return told;
}

/* So many are known to have been told. */
static bool are_told(size_t n) {
  char *text = t_read_file("logs/renewal/notified", NULL);
  for (const char *at = text; at && (at = strstr(at, "\"told\":true")); at++) n--;
  free(text);
  return n == 0;
}

static void fail(struct t_http *target, const char *id) {
  t_import_lines(0,
                 "{'platform': 'x', 'conversation_id': '%s', 'message_id': 'm-%s', 'role': "
                 "'assistant', 'text': 't', 'target': {'kind': 'webhook', 'payload': {'url': "
                 "'%shook'}}}\n",
                 id, id, t_http_url(target));
  char conversation[40], message[40];
  snprintf(conversation, sizeof conversation, "x:%s", id);
  snprintf(message, sizeof message, "m-%s", id);
  t_do(0, "renew", conversation, "--payload", "go on");
  r_wait_status(message, "failed", 10000);
}

T_STORY(renewal_notify, by_a_webhook_once_through_kills, 150) {
  struct t_http *target, *told = begin(&target, "200");
  T_UNTIL(20000, t_exists("logs/renewal/notified"), "it does not keep how far it is");
  fail(target, "a");
  T_UNTIL(10000, t_http_count(told) == 1, "nobody was told");
  int64_t first = ck_boot_ms();
  json_t *body = t_http_json(t_http_request(told, 0));
  T_CHECK(t_int_at(body, "count", 0) == 1 &&
              strcmp(t_text_at(body, "events.0.kind"), "failed") == 0 &&
              strcmp(t_text_at(body, "events.0.local_conversation_id"), "x:a") == 0 &&
              strstr(t_text_at(body, "events.0.reason"), "http 404") &&
              strstr(t_text_at(body, "text"), "x:a: failed: http 404"),
          "%s", json_dumps(body, 0));
  json_decref(body);
  T_UNTIL(20000, are_told(1), "it is not kept that it was told");
  /* What comes within the minute waits for its end, and is not lost. */
  fail(target, "b");
  fail(target, "c");
  t_wait_other("renewd", t_kill("renewd", SIGKILL), 20000);
  T_UNTIL(75000, t_http_count(told) == 2, "what was gathered is lost");
  int64_t apart = ck_boot_ms() - first;
  T_CHECK(apart > 55000, "two messages within %lld ms", (long long)apart);
  body = t_http_json(t_http_request(told, 1));
  T_CHECK(t_int_at(body, "count", 0) == 2, "%s", json_dumps(body, 0));
  json_decref(body);
  /* A kill before that is known repeats the message. */
  T_UNTIL(20000, are_told(3), "it is not kept that they were told");
  t_wait_other("renewd", t_kill("renewd", SIGKILL), 20000);
  r_check_quiet(told, 2, 2500);
  t_http_stop(&told);
  t_http_stop(&target);
}

/* A failure of the notifier is shown, and holds up nothing. */
T_STORY(renewal_notify, that_fails_is_shown, 60) {
  struct t_http *target, *told = begin(&target, "500");
  T_UNTIL(20000, t_exists("logs/renewal/notified"), "it does not keep how far it is");
  fail(target, "a");
  T_UNTIL(10000, t_http_count(told) == 1, "nobody was told");
  fail(target, "b");
  for (int64_t until = ck_boot_ms() + 20000;; t_pause(100)) {
    struct t_result r = t_convkeep("status");
    bool says = strstr(r.out, "1 message failed: http 500") != NULL;
    t_result_free(&r);
    if (says) break;
    T_CHECK(ck_boot_ms() < until, "status does not show it");
  }
  t_http_stop(&told);
  t_http_stop(&target);
}

/* A program gets the message as text; it is told of an answer that stops. */
T_STORY(renewal_notify, by_a_program_of_a_question, 60) {
  char conf[700];
  t_write_text("../out/tell.sh",
               "#!/bin/sh\ncat >../out/told.new\nmv ../out/told.new ../out/told\n");
  T_CHECK(chmod("../out/tell.sh", 0700) == 0, "no chmod");
  snprintf(conf, sizeof conf,
           "renew.delay = \"0ms\"\nrenew.notify = \"exec tell\"\n"
           "renew.exec.tell = \"%s/out/tell.sh\"\nrenew.exec.tell.input = payload\n",
           t_folder());
  t_write_text("convkeep.conf", conf);
  t_up();
  r_put_on_auto("{'kind': 'null'}");
  t_import_lines(0,
                 "{'platform': 'chatgpt', 'conversation_id': 'conv-1', 'message_id': 'q', 'role': "
                 "'assistant', 'text': 'Which one?', 'observed_at': %lld}\n",
                 (long long)r_now_plus(0));
  T_UNTIL(15000, t_exists("../out/told"), "it was not run");
  char *told = t_read_file("../out/told", NULL);
  T_CHECK(told && strstr(told, "chatgpt:conv-1: stopped: the answer ends with a question"),
          "it was told %s", told);
  free(told);
}

T_STORY(renewal_notify, is_checked, 60) {
  t_says(1, "renew.notify: there is no setting renew.exec.nobody", "--set",
         "renew.notify=exec nobody", "config", "--check");
  t_says(1, "neither exec NAME nor", "--set", "renew.notify=somebody", "config", "--check");
}

/* Does a file of the daemons' own have what the program has said? */
static bool says(const char *path) {
  char *text = t_read_file(path, NULL);
  bool has = text && strstr(text, "key is 4711");
  free(text);
  return has;
}

static bool status_says(void) {
  struct t_result r = t_convkeep("status", "--json");
  bool has = strstr(r.out, "key is 4711") != NULL;
  T_CHECK(r.code == 0, "exit %d: %s", r.code, r.err);
  t_result_free(&r);
  return has;
}

/* What a program has said of an answer goes with the answer, also while nobody was told of it. */
T_STORY(renewal_notify, what_was_forgotten_is_not_kept, 90) {
  char conf[300], url[160];
  struct t_http *told = t_http_start("500");
  t_write_text("../out/bad.sh", "#!/bin/sh\ncat >/dev/null\necho the key is 4711\nexit 3\n");
  snprintf(conf, sizeof conf, "renew.exec.bad = \"/bin/sh %s/out/bad.sh\"\n", t_folder());
  t_write_text("convkeep.conf", conf);
  snprintf(url, sizeof url, "%stell", t_http_url(told));
  t_set("renew.webhook.allow", t_http_url(told));
  t_set("renew.notify", url);
  t_up();
  T_UNTIL(20000, t_exists("logs/renewal/notified"), "it does not keep how far it is");
  for (int i = 1; i <= 2; i++) {
    t_import_lines(0,
                   "{'platform': 'x', 'conversation_id': 'c', 'message_id': 'm%d', 'role': "
                   "'assistant', 'text': 't', 'target': {'kind': 'exec', 'id': 'bad'}}\n",
                   i);
    char message[8];
    snprintf(message, sizeof message, "m%d", i);
    t_do(0, "renew", "x:c", "--payload", "go on", "--message", message);
    r_wait_status(message, "failed", 10000);
  }
  T_UNTIL(20000, says("logs/renewal/notified"), "that it failed is not kept, which is no test");
  t_do(0, "forget", "m2", "--yes");
  T_UNTIL(10000, !says("logs/renewal/notified"), "what is to be told has it");
  T_CHECK(!says("logs/renewd.log"), "renewd's log has it");
  T_UNTIL(10000, !status_says(), "status has it"); /* renewd reports once a second */
  t_do(0, "forget", "x:c", "--yes");
  T_UNTIL(10000, !strstr(t_read_file("logs/renewal/notified", NULL), "x:c"), "it is kept");
}

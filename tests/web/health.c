/* /m and /h: what they say of mirrors and daemons, sending dead letters again, doctor. */
#include <stdlib.h>
#include <string.h>

#include "proto/text.h"
#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/ring.h"
#include "tests/web/client.h"

static const char *headers, *form;

static char *page(const char *path) { return t_page(200, path, NULL, headers); }

static bool says(const char *path, const char *part) {
  char *body = page(path);
  bool there = strstr(body, part) != NULL;
  free(body);
  return there;
}

/* Posts a form; the status must be this one. Returns where it leads; the caller frees. */
static char *post(int status, const char *path, const char *secret, const char *fields) {
  char *body = ck_sprintf("form=%s&%s", secret, fields);
  struct t_reply r = t_ask_web("POST", path, NULL, headers, body);
  T_CHECK(r.status == status, "%s: %d %s", path, r.status, r.body);
  const char *to = t_reply_header(&r, "Location");
  char *location = ck_strdup(to ? to : "");
  t_reply_free(&r);
  free(body);
  return location;
}

static int refused_rows(void) {
  json_t *lines = t_lines(0, "list", "dead-letters");
  int n = (int)json_array_size(lines);
  json_decref(lines);
  return n;
}

T_STORY(web_health, dead_letters_are_sent_again, 60) {
  t_up();
  headers = t_browser(&form);
  t_import_lines(0, "{'platform': 'x', 'text': 'a', 'message_id': 'good', 'observed_at': 1}\n");
  t_settle(10000);
  char *body = page("/m");
  t_page_has(body, "<h2 id=\"sink-sqlite\">sqlite</h2>");
  t_page_has(body, "nothing: up to date");
  t_page_has(body, "none yet: <code>convkeep sync verify</code>");
  free(body);
  t_sql_run("mirror.db", "CREATE TRIGGER refuse BEFORE INSERT ON messages WHEN NEW.id LIKE 'bad%'"
                         " BEGIN SELECT RAISE(ABORT, 'CHECK constraint failed: <bad>'); END");
  t_import_lines(0, "{'platform': 'x', 'text': 'a', 'message_id': 'bad-1', 'observed_at': 1}\n"
                    "{'platform': 'x', 'text': 'a', 'message_id': 'bad&2', 'observed_at': 1}\n");
  T_UNTIL(10000, refused_rows() == 2, "%d dead letters, not 2", refused_rows());
  body = page("/m");
  t_page_has(body, "2 rows that the mirror refuses");
  t_page_has(body, "CHECK constraint failed: &lt;bad&gt;");
  t_page_has(body, "bad&amp;2");
  free(body);
  t_sql_run("mirror.db", "DROP TRIGGER refuse");
  free(post(403, "/m/retry", "0", "sink=sqlite"));
  free(post(404, "/m/retry", form, "sink=other"));
  free(post(404, "/m/retry", form, ""));
  T_CHECK(refused_rows() == 2, "what was refused did something");
  char *to = post(303, "/m/retry", form, "sink=sqlite&key=bad%262");
  T_CHECK(strcmp(to, "/m?again=1") == 0, "it leads to %s", to);
  body = page(to);
  t_page_has(body, "1 row is sent again.");
  free(body);
  free(to);
  T_CHECK(refused_rows() == 1, "not the one that was named");
  free(post(409, "/m/retry", form, "sink=sqlite&key=none"));
  free(post(303, "/m/retry", form, "sink=sqlite"));
  T_CHECK(refused_rows() == 0, "there is still a dead letter");
  t_do(0, "sync", "verify");
  T_UNTIL(10000, says("/m", "rows compared, all right"), "the comparison is not shown");
  t_web_says(405, NULL, "GET", "/m/retry", t_token("admin", "admin"), "", NULL);
}

T_STORY(web_health, daemons_sources_doctor, 90) {
  t_up();
  headers = t_browser(&form);
  t_import_lines(0, "{'platform': 'x', 'text': 'a', 'message_id': 'm', 'conversation_id': 'c',"
                    " 'observed_at': '2026-01-02T10:00:00Z'}\n"
                    "{'platform': 'y', 'text': 'a', 'message_id': 'n', 'conversation_id': 'd',"
                    " 'observed_at': '9999-01-02T10:00:00Z'}\n");
  T_UNTIL(10000, says("/h", "<th scope=\"row\">syncd sqlite</th><td><span class=\"tag good\">"),
          "the daemons are not there");
  char *body = page("/h");
  t_page_has(body, "<th scope=\"row\">store</th><td><span class=\"tag good\">running</span>");
  t_page_has(body, "2 messages, 0 executions");
  t_page_has(body, "<th scope=\"row\" dir=\"auto\">x</th><td>platform</td>");
  t_page_has(body, "<td data-name=\"Last capture\"><time datetime=\"20");
  T_CHECK(!strstr(body, "data-name=\"Last capture\"><time datetime=\"2026-01-02T"),
          "what was said long ago was captured then:\n%s", body);
  t_page_has(body, "datetime=\"2026-01-02T");
  t_page_has(body, " 2 January 9999, ");
  t_page_has(body, "It has not run here");
  free(body);
  free(post(403, "/h/doctor", "0", ""));
  free(post(303, "/h/doctor", form, ""));
  T_UNTIL(30000, says("/h", "<th scope=\"row\">mirror</th>") && says("/h", "Examine everything"),
          "doctor has not ended");
  body = page("/h");
  t_page_has(body, "<th scope=\"row\">database</th><td><span class=\"tag good\">ok</span>");
  free(body);
  /* While the store is away, the page says so. */
  t_kill("store", SIGSTOP);
  T_UNTIL(20000, says("/h", "<th scope=\"row\">store</th><td><span class=\"tag failed\">still"),
          "it is not said that the store stands still");
  t_kill("store", SIGCONT);
  T_UNTIL(10000, says("/h", "<th scope=\"row\">store</th><td><span class=\"tag good\">running"),
          "it is not said that the store runs again");
}

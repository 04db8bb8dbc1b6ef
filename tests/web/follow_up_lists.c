/* The lists of /j, and what is done with all that match. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/text.h"
#include "proto/wire.h"
#include "proto/clock.h"
#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/ring.h"
#include "tests/harness/talk.h"
#include "tests/web/client.h"
#include "tests/web/follow_up.h"

static size_t count(const char *filter) {
  json_t *jobs = t_query("renewal_jobs", filter, 1000, 0);
  size_t n = json_array_size(jobs);
  json_decref(jobs);
  return n;
}

/* ---- many ---- */

static char *value_of(const char *body, const char *name) {
  char *before = ck_sprintf("name=\"%s\" value=\"", name);
  const char *at = strstr(body, before);
  T_CHECK(at, "the page has no %s:\n%s", before, body);
  at += strlen(before);
  char *value = ck_str_dup((struct ck_str){at, strcspn(at, "\"")});
  free(before);
  return value;
}

/* What the form of that confirmation says, as it is sent. */
static char *form_of(const char *path) {
  static const char *const names[] = {"do",           "status", "platform", "account",
                                      "conversation", "count",  "asked_at"};
  char *body = t_view(path);
  struct ck_buf b = {0};
  for (size_t i = 0; i < sizeof names / sizeof *names; ++i) {
    char *value = value_of(strstr(body, "class=\"sure\""), names[i]), *encoded = t_in_query(value);
    ck_buf_printf(&b, "%s%s=%s", i ? "&" : "", names[i], encoded);
    free(value);
    free(encoded);
  }
  char *form = ck_str_dup(ck_buf_view(&b));
  ck_buf_free(&b);
  free(body);
  return form;
}

static void done_with_all(const char *form, const char *part) {
  struct t_reply r = t_ask_web("POST", "/j/all", t_person(), AS_FORM, form);
  T_CHECK(r.status == 200 && strstr(r.body, part), "%d without %s: %s", r.status, part, r.body);
  t_reply_free(&r);
}

T_STORY(web_follow_ups, all_that_match_are_counted_first, 90) {
  t_up();
  t_say("x", 6);
  t_say("y", 2);
  for (int i = 0; i < 6; ++i) {
    char *name = ck_sprintf("x:c%d", i);
    free(t_renew(name, "+1h"));
    free(name);
  }
  free(t_renew("y:c0", "+1h"));
  t_view_has("/j/all?do=cancel&status=waiting", "<strong>7 follow-ups that wait</strong>");
  const char *path = "/j/all?do=cancel&status=waiting&platform=x";
  t_view_has(path, "<strong>6 follow-ups that wait, of the platform <bdi>x</bdi></strong>");
  char *form = form_of(path), *moved = t_job_of("x:c3");
  t_do(0, "jobs", "snooze", moved, "--until", "+2h");
  done_with_all(form, "<strong>5 were cancelled</strong>, of the 6");
  T_CHECK(count("{'status': 'failed'}") == 5, "%zu were cancelled", count("{'status': 'failed'}"));
  T_CHECK(count("{'status': 'pending'}") == 2, "others were cancelled");
  done_with_all(form, "<strong>0 were cancelled</strong>");
  free(form);
  form = form_of("/j/all?do=snooze&status=waiting&platform=x");
  char *later = ck_sprintf("%s&until=%%2B5h", form);
  t_form_refused(400, "until", "/j/all", form);
  done_with_all(later, "<strong>1 waits longer</strong>, of the 1");
  t_view_has("/j?status=waiting&platform=x", ">in 4 h 59 min<");
  free(form);
  form = form_of("/j/all?do=again&status=failed");
  done_with_all(form, "<strong>5 are due again</strong>");
  t_view_has("/j/all?do=again&status=failed", "<strong>0 follow-ups that failed</strong>");
  t_web_says(400, "argument", "GET", "/j/all?do=arrived&status=failed", t_person(), "", NULL);
  t_web_says(400, "argument", "GET", "/j/all?do=cancel", t_person(), "", NULL);
  t_form_refused(400, "do, status", "/j/all", "do=cancel&status=waiting&count=5");
  free(form), free(later), free(moved);
}

/* ---- lists ---- */

/* Where the page goes on; NULL: it is the last. The caller frees. */
static char *next_of(const char *body) {
  const char *next = strstr(body, "<a rel=\"next\" href=\"");
  if (!next) return NULL;
  struct ck_buf b = {0};
  for (next += 20; *next && *next != '"'; ++next) {
    ck_buf_add(&b, next, 1);
    if (strncmp(next, "&amp;", 5) == 0) next += 4;
  }
  char *path = ck_str_dup(ck_buf_view(&b));
  ck_buf_free(&b);
  return path;
}

/* How often the lists of all states, each to its end, have the job. */
static size_t listed(const char *id) {
  static const char *const states[] = {"unknown", "running",    "stopped", "waiting",
                                       "failed",  "superseded", "done"};
  char *entry = ck_sprintf("id=\"j-%s\"", id);
  size_t n = 0;
  for (size_t i = 0; i < sizeof states / sizeof *states; ++i) {
    char *path = ck_sprintf("/j?status=%s", states[i]);
    while (path) {
      char *body = t_view(path);
      n += t_page_times(body, entry);
      free(path);
      path = next_of(body);
      free(body);
    }
  }
  free(entry);
  return n;
}

static void is_on_one_list(const char *id) {
  size_t n = listed(id);
  T_CHECK(n == 1, "%s is on %zu lists", id, n);
}

static void put_job(struct t_producer *p, int i, const char *next_attempt_at) {
  t_taken(p, 'n', "renewal_jobs",
          "{'job_id': 'hand_%d', 'local_conversation_id': 'x:c%d', 'message_id': 'x-m%d', "
          "'payload': 'go', 'next_attempt_at': %s}",
          i, i, i, next_attempt_at);
}

/* Also one that is not due at any time. */
T_STORY(web_follow_ups, each_is_on_one_list, 120) {
  t_up();
  struct t_producer *p = t_producer("person");
  t_say("x", 61);
  for (int i = 0; i < 56; ++i) put_job(p, i, i < 50 ? "4000000000000" : "null");
  char *unknown = t_renew("x:c57", "now"), *over = t_renew("x:c58", "+1h");
  t_web_unknown(unknown);
  t_do(0, "jobs", "cancel", over);
  is_on_one_list(unknown);
  is_on_one_list(over);
  is_on_one_list("hand_0");
  is_on_one_list("hand_49");
  is_on_one_list("hand_50");
  is_on_one_list("hand_55");
  t_view_has("/j?status=waiting&conversation=x%3Ac55", "it has no time at which it is due");
  t_view_has("/j?status=waiting&conversation=x%3Ac49", "it is not due yet");
  t_view_has("/j/all?do=cancel&status=waiting", "<strong>56 follow-ups that wait</strong>");
  /* Where all of them fit on a page, nothing goes on. */
  for (int i = 50; i < 56; ++i) {
    char *id = ck_sprintf("hand_%d", i);
    t_do(0, "jobs", "cancel", id);
    free(id);
  }
  char *body = t_view("/j?status=waiting");
  T_CHECK(t_page_times(body, "<li class=\"entry job-entry\"") == 50, "not 50:\n%s", body);
  t_page_has_not(body, "rel=\"next\"");
  free(body), free(unknown), free(over);
}

static bool is_on(const char *path, const char *part) {
  char *body = t_view(path);
  bool is = strstr(body, part) != NULL;
  free(body);
  return is;
}

/* Both are pending: what is stopped only renewd knows. */
T_STORY(web_follow_ups, what_is_stopped_does_not_wait, 60) {
  t_set("renew.delay", "0ms");
  t_up();
  t_say("x", 2);
  t_do(0, "set", "x:c0", "--automation", "auto");
  t_import_lines(0,
                 "{'platform': 'x', 'conversation_id': 'c0', 'message_id': 'x-a0',"
                 " 'role': 'assistant', 'text': 'Shall I delete the folder?',"
                 " 'observed_at': %lld, 'client_id': 'ff1'}\n",
                 (long long)ck_now_ms());
  T_UNTIL(20000, is_on("/j?status=stopped", "the answer ends with a question"), "it does not stop");
  free(t_renew("x:c1", "+1h"));
  T_CHECK(count("{'status': 'pending'}") == 2, "%zu are pending", count("{'status': 'pending'}"));
  t_view_has("/j/all?do=cancel&status=stopped",
             "There is <strong>1 follow-up that is stopped</strong>.");
  t_view_has("/j/all?do=cancel&status=waiting",
             "There is <strong>1 follow-up that waits</strong>.");
  t_view_has("/j/all?do=snooze&status=waiting", "<h1>Let it wait?</h1>");
  char *form = form_of("/j/all?do=cancel&status=waiting");
  done_with_all(form, "<strong>1 was cancelled</strong>, of the 1");
  free(form);
  t_view_has("/j/all?do=cancel&status=stopped", "There is <strong>1 follow-up ");
  t_view_has("/j/all?do=cancel&status=waiting",
             "There are <strong>0 follow-ups that wait</strong>.");
}

T_STORY(web_follow_ups, pages_have_each_once_in_order, 90) {
  struct t_producer *p;
  t_up();
  p = t_producer("person");
  t_say("x", 120);
  for (int i = 0; i < 120; ++i) {
    char *at = ck_sprintf("%lld", 4000000000000LL + i * 60000LL);
    put_job(p, i, at);
    free(at);
  }
  char *path = ck_strdup("/j?status=waiting");
  for (int at = 0; at < 3; ++at) {
    char *body = t_view(path);
    for (int i = 0; i < 120; ++i) {
      char *id = ck_sprintf("id=\"j-hand_%d\"", i);
      T_CHECK(!!strstr(body, id) == (i / 50 == at), "%s on page %d:\n%s", id, at, body);
      free(id);
    }
    free(path);
    path = next_of(body);
    T_CHECK(!path == (at == 2), "page %d is the last", at);
    free(body);
  }
  free(path);
  t_web_says(400, "argument", "GET", "/j?status=waiting&next=nonsense", t_person(), "", NULL);
}

/* A list of very many is a page of them, its count whole: of those that wait all, some without a
 * time; of those that have failed 50,000, of which 100 are superseded. */
T_STORY(web_follow_ups, a_hundred_thousand, 120) {
  t_up();
  t_say("x", 1);
  t_down();
  t_sql_run_sealed(
      "artifact.db",
      "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)"
      " INSERT INTO renewal_jobs (version, job_id, local_conversation_id, message_id, status,"
      " payload, payload_kind, attempt_count, max_attempts, next_attempt_at, created_at, "
      "updated_at)"
      " SELECT 1000 + i, 'hand_' || i, 'x:c0', 'm' || i, 'pending', 'go on', 'text', 0, 3,"
      " iif(i % 1000, 4000000000000 + i, NULL), 1, 1 FROM n;"
      "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000)"
      " INSERT INTO renewal_jobs (version, job_id, local_conversation_id, message_id, status,"
      " payload, payload_kind, attempt_count, max_attempts, last_error, created_at, updated_at)"
      " SELECT 200000 + i, 'done_' || i, 'x:c0', 'f' || i, 'failed', 'go on', 'text', 3, 3,"
      " iif(i % 500, 'HTTP 500', '" CK_SUPERSEDED "it was answered'), i, i FROM n");
  t_up();
  char *body = t_view("/j");
  t_page_has(body, "Waiting <small>100,000</small>");
  t_page_has(body, "id=\"j-hand_30\"");
  t_page_has_not(body, "id=\"j-hand_31\"");
  T_CHECK(strlen(body) < 200000, "the page has %zu bytes", strlen(body));
  free(body);
  t_view_has("/j/all?do=cancel&status=waiting", "<strong>100,000 follow-ups that wait</strong>");
  t_view_has("/j/all?do=cancel&status=waiting", "The first 10,000 are meant.");
  t_view_has("/j/all?do=cancel&status=waiting&platform=x",
             "<strong>100,000 follow-ups that wait, of the platform <bdi>x</bdi></strong>");
  t_view_has("/j/all?do=cancel&status=waiting&platform=y", "<strong>0 follow-ups that wait");
  t_view_has("/j/all?do=again&status=failed", "<strong>49,900 follow-ups that failed</strong>");
  t_view_has("/j/all?do=anyway&status=superseded",
             "<strong>100 follow-ups that are superseded</strong>");
  t_view_has("/j?status=failed", "id=\"j-done_49999\"");
  t_view_has_not("/j?status=failed", "id=\"j-done_50000\"");
}

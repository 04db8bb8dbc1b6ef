/* Follow-ups on the page: the switch that every page has, /j, what is done with one and with all
 * that match, the controls of a conversation. Nothing is changed by GET. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/text.h"
#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/ring.h"
#include "tests/harness/talk.h"
#include "tests/web/client.h"

#define AS_BROWSER "Accept: text/html\r\n"
#define AS_FORM AS_BROWSER "Content-Type: application/x-www-form-urlencoded\r\n"

static const char *who(void) {
  static const char *token;
  if (!token) token = t_token("person", "read,admin");
  return token;
}

static char *page(const char *path) { return t_page(200, path, who(), AS_BROWSER); }

static void page_has(const char *path, const char *part) {
  char *body = page(path);
  t_page_has(body, part);
  free(body);
}

static void page_has_not(const char *path, const char *part) {
  char *body = page(path);
  t_page_has_not(body, part);
  free(body);
}

/* A form is sent; it leads there. */
static void leads(const char *to, const char *path, const char *form) {
  struct t_reply r = t_ask_web("POST", path, who(), AS_FORM, form);
  const char *location = t_reply_header(&r, "Location");
  T_CHECK(r.status == 303 && location && strcmp(location, to) == 0, "%s %s: %d %s, not to %s\n%s",
          path, form, r.status, location ? location : "nowhere", to, r.body);
  t_reply_free(&r);
}

static void refused(int status, const char *part, const char *path, const char *form) {
  struct t_reply r = t_ask_web("POST", path, who(), AS_FORM, form);
  T_CHECK(r.status == status && strstr(r.body, part), "%s %s: %d, not %d with %s\n%s", path, form,
          r.status, status, part, r.body);
  t_reply_free(&r);
}

/* Conversations x:c0, x:c1, … of which each has said one thing. */
static void say(const char *platform, int n) {
  struct ck_buf b = {0};
  for (int i = 0; i < n; ++i)
    ck_buf_printf(&b,
                  "{'platform': '%s', 'conversation_id': 'c%d', 'message_id': '%s-m%d', "
                  "'role': 'user', 'text': 'said %d', 'observed_at': %d, 'client_id': 'ff1', "
                  "'page_title': 'Work %d'}\n",
                  platform, i, platform, i, i, i + 1, i);
  t_import_lines(0, "%s", ck_buf_cstr(&b));
  ck_buf_free(&b);
}

/* The id of the conversation's job; the caller frees. */
static char *job_of(const char *conversation) {
  char *filter = ck_sprintf("{'local_conversation_id': '%s'}", conversation);
  json_t *jobs = t_query("renewal_jobs", filter, 1, 0);
  const char *id = t_text_at(jobs, "0.job_id");
  T_CHECK(id, "%s has no follow-up", conversation);
  char *copy = ck_strdup(id);
  json_decref(jobs);
  free(filter);
  return copy;
}

static char *renew(const char *conversation, const char *at) {
  t_do(0, "renew", conversation, "--payload", "go on", "--at", at);
  return job_of(conversation);
}

static size_t count(const char *filter) {
  json_t *jobs = t_query("renewal_jobs", filter, 1000, 0);
  size_t n = json_array_size(jobs);
  json_decref(jobs);
  return n;
}

/* ---- one ---- */

T_STORY(web_follow_ups, one_is_cancelled_sent_and_snoozed, 60) {
  t_up();
  page_has("/j", "No follow-up waits, runs or has failed");
  say("x", 1);
  char *id = renew("x:c0", "+1h"), *path = ck_sprintf("/j/%s", id),
       *place = ck_sprintf("/j?status=waiting#j-%s", id), *entry = ck_sprintf("id=\"j-%s\"", id);
  char *body = page("/j");
  t_page_has(body, entry);
  t_page_has(body, ">in 59 min ");
  t_page_has(body, "href=\"/c/x%3Ac0?m=x-m0#m-x-m0\">Work 0</a>");
  t_page_has(body, "it is not due yet");
  t_page_has(body, "<h2 class=\"when\">Waiting <small>1</small>");
  t_page_has(body, "1 waits</a>");
  free(body);
  leads(place, path, "do=cancel&back=%2Fj%3Fstatus%3Dwaiting");
  body = page("/j");
  t_page_has(body, "<h2 class=\"when\">Failed <small>1</small>");
  t_page_has(body, "cancelled by hand");
  t_page_has_not(body, ">Waiting <small>");
  free(body);
  leads(place, path, "do=again&back=%2Fj%3Fstatus%3Dwaiting");
  page_has("/j?status=waiting", entry);
  leads(place, path, "do=snooze&until=%2B3h&back=%2Fj%3Fstatus%3Dwaiting");
  page_has("/j?status=waiting", ">in 2 h 59 min<");
  page_has_not("/j?status=failed", entry);
  page_has("/j?platform=x&conversation=x%3Ac0", entry);
  page_has("/j?platform=y", "No follow-up is like that");
  page_has_not("/j?account=nobody", entry);
  refused(400, "until", path, "do=snooze&until=");
  refused(400, "has passed", path, "do=snooze&until=2001-01-01");
  refused(400, "do:", path, "do=nothing");
  refused(404, "no job", "/j/none", "do=cancel");
  refused(409, "not unknown", path, "do=arrived");
  t_web_says(400, "argument", "GET", "/j?status=bad", who(), "", NULL);
  t_web_says(405, "method", "GET", path, who(), "", NULL);
  /* Nothing leads away from here. */
  const char *const bad[] = {"%2F%2Fevil.example", "https%3A%2F%2Fevil.example", "%2F%5Cevil",
                             "%2Fj%0D%0AX%3A1", ""};
  char *own = ck_sprintf("/j#j-%s", id);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i) {
    char *form = ck_sprintf("do=snooze&until=%%2B3h&back=%s", bad[i]);
    leads(own, path, form);
    free(form);
  }
  free(own), free(id), free(path), free(place), free(entry);
}

T_STORY(web_follow_ups, unknown_is_on_top_and_told, 90) {
  t_up();
  say("x", 2);
  free(renew("x:c1", "+1h"));
  char *id = renew("x:c0", "now"), *path = ck_sprintf("/j/%s", id);
  t_web_unknown(id);
  char *body = page("/j");
  const char *unknown = strstr(body, "section class=\"state unknown\""),
             *waiting = strstr(body, "section class=\"state waiting\"");
  T_CHECK(unknown && waiting && unknown < waiting, "unknown is not on top:\n%s", body);
  t_page_has(body, "it went to client <bdi>ff1</bdi>");
  t_page_has(body, "value=\"arrived\"");
  t_page_has(body, ", 1 unknown</a>");
  free(body);
  page_has("/j?status=unknown", id);
  page_has_not("/j?status=running", id);
  page_has("/c/x%3Ac0", "tag state\">unknown</span>");
  page_has("/j/all?do=again&status=unknown", "may have arrived already");
  t_do(0, "web", "token", "revoke", "client");
  char *place = ck_sprintf("/c/x%%3Ac0#j-%s", id);
  for (int i = 0; i < 2; ++i) leads(place, path, "do=arrived&back=%2Fc%2Fx%253Ac0");
  page_has("/j?status=done", id);
  free(id), free(path), free(place);
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
  char *body = page(path);
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
  struct t_reply r = t_ask_web("POST", "/j/all", who(), AS_FORM, form);
  T_CHECK(r.status == 200 && strstr(r.body, part), "%d without %s: %s", r.status, part, r.body);
  t_reply_free(&r);
}

T_STORY(web_follow_ups, all_that_match_are_counted_first, 90) {
  t_up();
  say("x", 6);
  say("y", 2);
  for (int i = 0; i < 6; ++i) {
    char *name = ck_sprintf("x:c%d", i);
    free(renew(name, "+1h"));
    free(name);
  }
  free(renew("y:c0", "+1h"));
  page_has("/j/all?do=cancel&status=waiting", "<strong>7 follow-ups that wait</strong>");
  const char *path = "/j/all?do=cancel&status=waiting&platform=x";
  page_has(path, "<strong>6 follow-ups that wait, of the platform <bdi>x</bdi></strong>");
  char *form = form_of(path), *moved = job_of("x:c3");
  t_do(0, "jobs", "snooze", moved, "--until", "+2h");
  done_with_all(form, "<strong>5 were cancelled</strong>, of the 6");
  T_CHECK(count("{'status': 'failed'}") == 5, "%zu were cancelled", count("{'status': 'failed'}"));
  T_CHECK(count("{'status': 'pending'}") == 2, "others were cancelled");
  done_with_all(form, "<strong>0 were cancelled</strong>");
  free(form);
  form = form_of("/j/all?do=snooze&status=waiting&platform=x");
  char *later = ck_sprintf("%s&until=%%2B5h", form);
  refused(400, "until", "/j/all", form);
  done_with_all(later, "<strong>1 wait longer</strong>, of the 1");
  page_has("/j?status=waiting&platform=x", ">in 4 h 59 min<");
  free(form);
  form = form_of("/j/all?do=again&status=failed");
  done_with_all(form, "<strong>5 are due again</strong>");
  page_has("/j/all?do=again&status=failed", "<strong>0 follow-ups that failed</strong>");
  t_web_says(400, "argument", "GET", "/j/all?do=arrived&status=failed", who(), "", NULL);
  t_web_says(400, "argument", "GET", "/j/all?do=cancel", who(), "", NULL);
  refused(400, "do, status", "/j/all", "do=cancel&status=waiting&count=5");
  free(form), free(later), free(moved);
}

T_STORY(web_follow_ups, pages_have_each_once_in_order, 90) {
  struct t_producer *p;
  t_up();
  p = t_producer("person");
  say("x", 120);
  for (int i = 0; i < 120; ++i)
    t_taken(p, 'n', "renewal_jobs",
            "{'job_id': 'hand_%d', 'local_conversation_id': 'x:c%d', 'message_id': 'x-m%d', "
            "'payload': 'go', 'next_attempt_at': %lld}",
            i, i, i, 4000000000000LL + i * 60000LL);
  char *path = ck_strdup("/j?status=waiting");
  for (int at = 0; at < 3; ++at) {
    char *body = page(path);
    for (int i = 0; i < 120; ++i) {
      char *id = ck_sprintf("id=\"j-hand_%d\"", i);
      T_CHECK(!!strstr(body, id) == (i / 50 == at), "%s on page %d:\n%s", id, at, body);
      free(id);
    }
    free(path);
    const char *next = strstr(body, "<a rel=\"next\" href=\"");
    T_CHECK(!next == (at == 2), "page %d is the last", at);
    struct ck_buf b = {0};
    for (next = next ? next + 20 : ""; *next && *next != '"'; ++next) {
      ck_buf_add(&b, next, 1);
      if (strncmp(next, "&amp;", 5) == 0) next += 4;
    }
    path = ck_str_dup(ck_buf_view(&b));
    ck_buf_free(&b);
    free(body);
  }
  free(path);
  t_web_says(400, "argument", "GET", "/j?status=waiting&next=nonsense", who(), "", NULL);
}

/* A list of very many is a page of them, its count whole. */
T_STORY(web_follow_ups, a_hundred_thousand, 120) {
  t_up();
  say("x", 1);
  t_down();
  t_sql_run_sealed(
      "artifact.db",
      "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)"
      " INSERT INTO renewal_jobs (version, job_id, local_conversation_id, message_id, status,"
      " payload, payload_kind, attempt_count, max_attempts, next_attempt_at, created_at, "
      "updated_at)"
      " SELECT 1000 + i, 'hand_' || i, 'x:c0', 'm' || i, 'pending', 'go on', 'text', 0, 3,"
      " 4000000000000 + i, 1, 1 FROM n");
  t_up();
  char *body = page("/j");
  t_page_has(body, "Waiting <small>100,000</small>");
  t_page_has(body, "id=\"j-hand_30\"");
  t_page_has_not(body, "id=\"j-hand_31\"");
  T_CHECK(strlen(body) < 200000, "the page has %zu bytes", strlen(body));
  free(body);
}

/* ---- pauses ---- */

T_STORY(web_follow_ups, every_page_has_the_switch, 60) {
  static const char *const views[] = {"/",         "/s",      "/j",
                                      "/c/x%3Ac0", "/j/plan", "/j/all?do=cancel&status=waiting"};
  t_up();
  say("x", 1);
  free(renew("x:c0", "+1h"));
  for (size_t i = 0; i < sizeof views / sizeof *views; ++i)
    page_has(views[i], "Pause all follow-ups</button>");
  leads("/s?q=x", "/pause", "kind=everything&name=&back=%2Fs%3Fq%3Dx");
  for (size_t i = 0; i < sizeof views / sizeof *views; ++i) {
    page_has(views[i], "Resume all follow-ups</button>");
    page_has(views[i], "<strong>Paused</strong>: everything since ");
  }
  page_has("/s?q=x", "name=\"back\" value=\"/s?q=x\"");
  leads("/j", "/resume", "kind=everything&name=&back=%2Fj");
  page_has("/j", "Pause all follow-ups</button>");
  leads("/j", "/pause", "kind=platform&name=x&until=%2B2h&back=%2Fj");
  leads("/j", "/pause", "kind=account&name=work&back=%2Fj");
  char *body = page("/j");
  t_page_has(body, "2 more pauses</a>");
  t_page_has(body, "Paused: the account <bdi>work</bdi> since ");
  t_page_has(body, "paused: the platform <bdi>x</bdi> since ");
  free(body);
  page_has("/c/x%3Ac0", "the platform <bdi>x</bdi> since ");
  leads("/j", "/resume", "kind=platform&name=x&back=%2Fj");
  leads("/j", "/resume", "kind=account&name=work&back=%2Fj");
  page_has_not("/j", "Paused:");
  refused(409, "pause.", "/pause", "kind=nothing&name=x");
  refused(400, "until", "/pause", "kind=everything&until=soon");
}

/* ---- a conversation ---- */

T_STORY(web_follow_ups, a_conversation_is_controlled, 60) {
  const char *path = "/c/x%3Ac0";
  t_up();
  say("x", 1);
  page_has(path, "value=\"auto\">Automatic follow-ups</button>");
  leads("/c/x%3Ac0#follow-ups", path, "automation=auto&back=%2Fc%2Fx%253Ac0");
  page_has(path, "tag auto\">auto");
  leads("/c/x%3Ac0#follow-ups", path,
        "stop_after=5&until=%2B8h&stop_text=DONE&stop_question=no&quiet=&payload=go+%3C%2Ftextarea"
        "%3E&per_day=&back=%2Fc%2Fx%253Ac0");
  char *body = page(path);
  t_page_has(body, "name=\"stop_after\" inputmode=\"numeric\" size=\"6\" value=\"5\"");
  t_page_has(body, "value=\"DONE\"");
  t_page_has(body, "<option value=\"no\" selected>");
  t_page_has(body, "go &lt;/textarea&gt;</textarea>");
  free(body);
  leads("/c/x%3Ac0#follow-ups", path, "stop_after=&until=&back=%2Fc%2Fx%253Ac0");
  page_has_not(path, "size=\"6\" value=\"5\"");
  leads("/c/x%3Ac0", "/pause", "kind=conversation&name=x%3Ac0&back=%2Fc%2Fx%253Ac0");
  page_has(path, "tag paused\">paused");
  leads("/c/x%3Ac0", "/resume", "kind=conversation&name=x%3Ac0&to=auto&back=%2Fc%2Fx%253Ac0");
  leads("/c/x%3Ac0#follow-ups", path, "automation=manual&back=%2Fc%2Fx%253Ac0");
  refused(400, "stop_after", path, "stop_after=many");
  refused(400, "stop_question", path, "stop_question=perhaps");
  refused(400, "nothing to change", path, "other=1");
  refused(409, "automation_status", path, "automation=always");
  refused(404, "no conversation", "/c/none", "automation=auto");
}

T_STORY(web_follow_ups, one_is_sent_by_hand, 60) {
  t_up();
  say("x", 1);
  t_import_lines(0, "{'platform': 'z', 'conversation_id': 'c', 'message_id': 'z', 'role': 'user', "
                    "'text': 'said', 'observed_at': 1}\n");
  refused(400, "payload", "/c/x%3Ac0/renew", "payload=++");
  refused(400, "at:", "/c/x%3Ac0/renew", "payload=go&at=2001-01-01");
  leads("/c/x%3Ac0#follow-ups", "/c/x%3Ac0/renew",
        "payload=go+on+%26+on&at=%2B1h&back=%2Fc%2Fx%253Ac0");
  char *id = job_of("x:c0"), *link = ck_sprintf("href=\"/j?conversation=x%%3Ac0#j-%s\"", id);
  page_has("/c/x%3Ac0", link);
  page_has("/j", "go on &amp; on");
  char *body = page("/j/plan");
  t_page_has(body, "go on &amp; on");
  t_page_has(body, "to <bdi>client ff1</bdi>");
  t_page_has(body, "Would be sent <small>1</small>");
  free(body);
  refused(409, "has a follow-up already, which is pending", "/c/x%3Ac0/renew", "payload=go");
  refused(409, "nowhere to go", "/c/z%3Ac/renew", "payload=go");
  refused(404, "no conversation", "/c/none/renew", "payload=go");
  free(id), free(link);
}

/* ---- who may ---- */

static char *signed_in(void) {
  json_t *said = t_lines(0, "open");
  const char *path = strstr(t_text_at(said, "0.link"), "/open/");
  struct t_reply r = t_ask_web("GET", path, NULL, AS_BROWSER, NULL);
  const char *set = t_reply_header(&r, "Set-Cookie");
  char *cookie = ck_sprintf("Cookie: %.*s\r\n", (int)strcspn(set, ";"), set);
  t_reply_free(&r);
  json_decref(said);
  return cookie;
}

T_STORY(web_follow_ups, a_forged_form_changes_nothing, 60) {
  static const char *const paths[] = {"/pause",  "/resume",   "/j/all",
                                      "/j/none", "/c/x%3Ac0", "/c/x%3Ac0/renew"};
  t_up();
  say("x", 1);
  char *cookie = signed_in(), *headers = ck_sprintf("%s" AS_FORM, cookie),
       *evil = ck_sprintf("%sOrigin: https://evil.example\r\n", headers);
  const char *reader = t_token("reader", "read");
  for (size_t i = 0; i < sizeof paths / sizeof *paths; ++i) {
    const char *form = "kind=everything&automation=auto&payload=x&do=cancel";
    t_web_says(403, NULL, "POST", paths[i], NULL, headers, form);
    t_web_says(403, NULL, "POST", paths[i], NULL, evil, form);
    t_web_says(401, NULL, "POST", paths[i], NULL, AS_FORM, form);
    t_web_says(403, NULL, "POST", paths[i], reader, AS_FORM, form);
  }
  json_t *pauses = t_query("pauses", NULL, 10, 0);
  T_CHECK(json_array_size(pauses) == 0, "something is paused");
  json_decref(pauses);
  struct t_reply r = t_ask_web("GET", "/j", NULL, headers, NULL);
  /* With no-referrer a browser would hide where a form comes from, and all would be refused. */
  T_CHECK(strcmp(t_reply_header(&r, "Referrer-Policy"), "same-origin") == 0, "%s", r.head);
  char *secret = value_of(r.body, "form"),
       *form = ck_sprintf("form=%s&kind=everything&name=&back=%%2Fj", secret);
  t_reply_free(&r);
  t_web_says(303, NULL, "POST", "/pause", NULL, headers, form);
  page_has("/j", "Resume all follow-ups");
  free(cookie), free(headers), free(evil), free(secret), free(form);
}

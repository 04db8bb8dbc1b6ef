/* Follow-ups on the page, one at a time: the switch that every page has, a job, the controls of a
 * conversation. Nothing is changed by GET. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/text.h"
#include "tests/harness/base.h"
#include "tests/harness/ring.h"
#include "tests/harness/talk.h"
#include "tests/web/client.h"
#include "tests/web/follow_up.h"

/* ---- one ---- */

T_STORY(web_follow_ups, one_is_cancelled_sent_and_snoozed, 60) {
  t_up();
  t_view_has("/j", "No follow-up waits, runs or has failed");
  t_say("x", 1);
  char *id = t_renew("x:c0", "+1h"), *path = ck_sprintf("/j/%s", id),
       *place = ck_sprintf("/j?status=waiting#j-%s", id), *entry = ck_sprintf("id=\"j-%s\"", id);
  char *body = t_view("/j");
  t_page_has(body, entry);
  t_page_has(body, ">in 59 min ");
  t_page_has(body, "href=\"/c/x%3Ac0?m=x-m0#m-x-m0\">Work 0</a>");
  t_page_has(body, "it is not due yet");
  t_page_has(body, "<h2 class=\"when\">Waiting <small>1</small>");
  t_page_has(body, "<summary>1 waits</summary>");
  free(body);
  t_form_leads(place, path, "do=cancel&back=%2Fj%3Fstatus%3Dwaiting");
  body = t_view("/j");
  t_page_has(body, "<h2 class=\"when\">Failed <small>1</small>");
  t_page_has(body, "cancelled by hand");
  t_page_has_not(body, ">Waiting <small>");
  free(body);
  t_form_leads(place, path, "do=again&back=%2Fj%3Fstatus%3Dwaiting");
  t_view_has("/j?status=waiting", entry);
  t_form_leads(place, path, "do=snooze&until=%2B3h&back=%2Fj%3Fstatus%3Dwaiting");
  t_view_has("/j?status=waiting", ">in 2 h 59 min<");
  t_view_has_not("/j?status=failed", entry);
  t_view_has("/j?platform=x&conversation=x%3Ac0", entry);
  t_view_has("/j?platform=y", "No follow-up is like that");
  t_view_has_not("/j?account=nobody", entry);
  t_form_refused(400, "until", path, "do=snooze&until=");
  t_form_refused(400, "has passed", path, "do=snooze&until=2001-01-01");
  t_form_refused(400, "do:", path, "do=nothing");
  t_form_refused(404, "no job", "/j/none", "do=cancel");
  t_form_refused(409, "not unknown", path, "do=arrived");
  t_web_says(400, "argument", "GET", "/j?status=bad", t_person(), "", NULL);
  t_web_says(405, "method", "GET", path, t_person(), "", NULL);
  /* Nothing leads away from here. */
  const char *const bad[] = {"%2F%2Fevil.example", "https%3A%2F%2Fevil.example", "%2F%5Cevil",
                             "%2Fj%0D%0AX%3A1", ""};
  char *own = ck_sprintf("/j#j-%s", id);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i) {
    char *form = ck_sprintf("do=snooze&until=%%2B3h&back=%s", bad[i]);
    t_form_leads(own, path, form);
    free(form);
  }
  free(own), free(id), free(path), free(place), free(entry);
}

T_STORY(web_follow_ups, unknown_is_on_top_and_told, 90) {
  t_up();
  t_say("x", 2);
  free(t_renew("x:c1", "+1h"));
  char *id = t_renew("x:c0", "now"), *path = ck_sprintf("/j/%s", id);
  t_web_unknown(id);
  char *body = t_view("/j");
  const char *unknown = strstr(body, "section class=\"state unknown\""),
             *waiting = strstr(body, "section class=\"state waiting\"");
  T_CHECK(unknown && waiting && unknown < waiting, "unknown is not on top:\n%s", body);
  t_page_has(body, "it went to client <bdi>ff1</bdi>");
  t_page_has(body, "value=\"arrived\"");
  t_page_has(body, ", 1 unknown</summary>");
  free(body);
  t_view_has("/j?status=unknown", id);
  t_view_has_not("/j?status=running", id);
  t_view_has("/c/x%3Ac0", "tag state\">unknown</span>");
  t_view_has(
      "/j/all?do=again&status=unknown",
      "There is <strong>1 follow-up of unknown outcome</strong>. It may have arrived already.");
  t_do(0, "web", "token", "revoke", "client");
  char *place = ck_sprintf("/c/x%%3Ac0#j-%s", id);
  for (int i = 0; i < 2; ++i) t_form_leads(place, path, "do=arrived&back=%2Fc%2Fx%253Ac0");
  t_view_has("/j?status=done", id);
  free(id), free(path), free(place);
}

/* ---- pauses ---- */

/* The page of an import of one file; the caller frees. */
static char *an_import(void) {
  static const char type[] = "Content-Type: multipart/form-data; boundary=----one\r\n",
                    body[] = "------one\r\nContent-Disposition: form-data; name=\"file\"; "
                             "filename=\"a.jsonl\"\r\n\r\n{}\r\n------one--\r\n";
  struct t_reply r = t_ask_web("POST", "/i", t_token("giver", "capture"), type, body);
  const char *at = t_reply_header(&r, "Location");
  T_CHECK(r.status == 303 && at && strncmp(at, "/i/", 3) == 0, "%d %s", r.status, r.body);
  char *path = ck_strdup(at);
  t_reply_free(&r);
  return path;
}

T_STORY(web_follow_ups, every_page_has_the_switch, 60) {
  t_up();
  t_say("x", 1);
  char *import = an_import();
  const char *const views[] = {
      "/",  "/s",   "/j", "/c/x%3Ac0", "/j/plan", "/j/all?do=cancel&status=waiting",
      "/i", import, "/m", "/h"};
  free(t_renew("x:c0", "+1h"));
  for (size_t i = 0; i < sizeof views / sizeof *views; ++i)
    t_view_has(views[i], "Pause all follow-ups</button>");
  t_form_leads("/s?q=x", "/pause", "kind=everything&name=&back=%2Fs%3Fq%3Dx");
  for (size_t i = 0; i < sizeof views / sizeof *views; ++i) {
    t_view_has(views[i], "Resume all follow-ups</button>");
    t_view_has(views[i], "<summary><strong>Paused</strong>, 1 waits</summary>");
    t_view_has(views[i], "<li>Paused: everything since ");
  }
  t_view_has("/s?q=x", "name=\"back\" value=\"/s?q=x\"");
  t_form_leads("/j", "/resume", "kind=everything&name=&back=%2Fj");
  t_view_has("/j", "Pause all follow-ups</button>");
  t_form_leads("/j", "/pause", "kind=platform&name=x&until=%2B2h&back=%2Fj");
  t_form_leads("/j", "/pause", "kind=account&name=work&back=%2Fj");
  char *body = t_view("/j");
  t_page_has(body, "<summary>1 waits, 2 pauses</summary>");
  t_page_has(body, "Paused: the account <bdi>work</bdi> since ");
  t_page_has(body, "paused: the platform <bdi>x</bdi> since ");
  free(body);
  t_view_has("/c/x%3Ac0", "the platform <bdi>x</bdi> since ");
  t_form_leads("/j", "/resume", "kind=platform&name=x&back=%2Fj");
  t_form_leads("/j", "/resume", "kind=account&name=work&back=%2Fj");
  t_view_has_not("/j", "Paused:");
  t_form_refused(409, "pause.", "/pause", "kind=nothing&name=x");
  t_form_refused(400, "until", "/pause", "kind=everything&until=soon");
  free(import);
}

/* ---- a conversation ---- */

T_STORY(web_follow_ups, a_conversation_is_controlled, 60) {
  const char *path = "/c/x%3Ac0";
  t_up();
  t_say("x", 1);
  t_view_has(path, "value=\"auto\">Automatic follow-ups</button>");
  t_form_leads("/c/x%3Ac0#follow-ups", path, "automation=auto&back=%2Fc%2Fx%253Ac0");
  t_view_has(path, "tag auto\">auto");
  t_form_leads(
      "/c/x%3Ac0#follow-ups", path,
      "stop_after=5&until=%2B8h&stop_text=DONE&stop_question=no&quiet=&payload=go+%3C%2Ftextarea"
      "%3E&per_day=&back=%2Fc%2Fx%253Ac0");
  char *body = t_view(path);
  t_page_has(body, "name=\"stop_after\" inputmode=\"numeric\" size=\"6\" value=\"5\"");
  t_page_has(body, "value=\"DONE\"");
  t_page_has(body, "<option value=\"no\" selected>");
  t_page_has(body, "go &lt;/textarea&gt;</textarea>");
  free(body);
  t_form_leads("/c/x%3Ac0#follow-ups", path, "stop_after=&until=&back=%2Fc%2Fx%253Ac0");
  t_view_has_not(path, "size=\"6\" value=\"5\"");
  t_form_leads("/c/x%3Ac0", "/pause", "kind=conversation&name=x%3Ac0&back=%2Fc%2Fx%253Ac0");
  t_view_has(path, "tag paused\">paused");
  t_form_leads("/c/x%3Ac0", "/resume",
               "kind=conversation&name=x%3Ac0&to=auto&back=%2Fc%2Fx%253Ac0");
  t_form_leads("/c/x%3Ac0#follow-ups", path, "automation=manual&back=%2Fc%2Fx%253Ac0");
  t_form_refused(400, "stop_after", path, "stop_after=many");
  t_form_refused(400, "stop_question", path, "stop_question=perhaps");
  t_form_refused(400, "nothing to change", path, "other=1");
  t_form_refused(409, "automation_status", path, "automation=always");
  t_form_refused(404, "no conversation", "/c/none", "automation=auto");
}

T_STORY(web_follow_ups, one_is_sent_by_hand, 60) {
  t_up();
  t_say("x", 1);
  t_import_lines(0, "{'platform': 'z', 'conversation_id': 'c', 'message_id': 'z', 'role': 'user', "
                    "'text': 'said', 'observed_at': 1}\n");
  t_form_refused(400, "payload", "/c/x%3Ac0/renew", "payload=++");
  t_form_refused(400, "at:", "/c/x%3Ac0/renew", "payload=go&at=2001-01-01");
  t_form_leads("/c/x%3Ac0#follow-ups", "/c/x%3Ac0/renew",
               "payload=go+on+%26+on&at=%2B1h&back=%2Fc%2Fx%253Ac0");
  char *id = t_job_of("x:c0"), *link = ck_sprintf("href=\"/j?conversation=x%%3Ac0#j-%s\"", id);
  t_view_has("/c/x%3Ac0", link);
  t_view_has("/j", "go on &amp; on");
  char *body = t_view("/j/plan");
  t_page_has(body, "go on &amp; on");
  t_page_has(body, "to <bdi>client ff1</bdi>");
  t_page_has(body, "Would be sent <small>1</small>");
  free(body);
  t_form_refused(409, "has a follow-up already, which is pending", "/c/x%3Ac0/renew", "payload=go");
  t_form_refused(409, "nowhere to go", "/c/z%3Ac/renew", "payload=go");
  t_form_refused(404, "no conversation", "/c/none/renew", "payload=go");
  free(id), free(link);
}

/* ---- who may ---- */

T_STORY(web_follow_ups, a_forged_form_changes_nothing, 60) {
  static const char *const paths[] = {"/pause",  "/resume",   "/j/all",
                                      "/j/none", "/c/x%3Ac0", "/c/x%3Ac0/renew"};
  t_up();
  t_say("x", 1);
  const char *secret, *browser = t_browser(&secret);
  char *headers = ck_sprintf("%sContent-Type: application/x-www-form-urlencoded\r\n", browser),
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
  char *form = ck_sprintf("form=%s&kind=everything&name=&back=%%2Fj", secret);
  t_reply_free(&r);
  t_web_says(303, NULL, "POST", "/pause", NULL, headers, form);
  t_view_has("/j", "Resume all follow-ups");
  free(headers), free(evil), free(form);
}

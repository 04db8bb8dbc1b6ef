/* Scripts in each field, of each view: they are text there, and nothing that was said, named or
 * answered can do anything in a page. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/text.h"
#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/ring.h"
#include "tests/harness/talk.h"
#include "tests/web/client.h"

/* In JSON; and the text itself. */
#define PLANTED "<script>alert(1)</script>\\\"'><img src=x onerror=alert(1)><!--</textarea>"
#define PLAIN "<script>alert(1)</script>\"'><img src=x onerror=alert(1)><!--</textarea>"
/* A platform has 64 bytes at most where it is observed. */
#define SHORT_PLANTED "<script>alert(1)</script>\\\"'><img src=x><!--"
#define SHORT_PLAIN "<script>alert(1)</script>\"'><img src=x><!--"
/* As the name of a file in a form, which ends at a quotation mark. */
#define NAMED "<script>alert(1)</script>'><img src=x onerror=alert(1)><!--"

static const char *headers, *form;

/* The page at that path; the caller frees. */
static char *page(const char *path) { return t_page(200, path, NULL, headers); }

/* What stands after `before` up to a quotation mark; the caller frees. */
static char *after(const char *body, const char *before) {
  const char *at = strstr(body, before);
  T_CHECK(at, "the page has no %s:\n%s", before, body);
  at += strlen(before);
  return ck_str_dup((struct ck_str){at, strcspn(at, "\"")});
}

/* Only what the page itself has is more than text. */
static void is_inert(const char *body) {
  T_CHECK(t_page_times(body, "<script") == 1, "a script is in the page:\n%s", body);
  t_page_has_not(body, "<img");
  t_page_has_not(body, "<!--");
  T_CHECK(t_page_times(body, "</textarea>") == t_page_times(body, "<textarea "),
          "a field ends early:\n%s", body);
  t_page_has_not(body, "href=\"javascript:");
  t_page_has_not(body, "src=\"http");
  t_page_has_not(body, "'><");
}

/* And each of these letters stands before a script that is text. */
static void is_inert_with(const char *path, const char *letters) {
  char *body = page(path);
  is_inert(body);
  for (; *letters; ++letters) {
    char part[40];
    snprintf(part, sizeof part, "%c&lt;script&gt;", *letters);
    t_page_has(body, part);
  }
  free(body);
}

static const char planted[] =
    "{\"convkeep\":1,\"conversations\":[{\"convkeep\":1,\"conversation\":"
    "{\"local_conversation_id\":\"ID" PLANTED "\",\"platform\":\"P" PLANTED "\","
    "\"automation_status\":\"manual\",\"title\":\"word T" PLANTED "\",\"summary\":\"S" PLANTED "\","
    "\"last_message_id\":\"M" PLANTED "\",\"last_message_at\":1700000000000,"
    "\"created_at\":1700000000000,\"updated_at\":1700000000000,"
    "\"details\":{\"model\":\"D" PLANTED "\",\"project_name\":\"J" PLANTED "\",\"cwd\":\"W" PLANTED
    "\"}},"
    "\"links\":[{\"link_id\":\"L" PLANTED "\",\"local_conversation_id\":\"ID" PLANTED "\","
    "\"platform\":\"P" PLANTED "\",\"remote_conversation_id\":\"R" PLANTED "\","
    "\"page_url\":\"javascript:alert(1)//" PLANTED "\",\"is_active\":1,"
    "\"observed_at\":1700000000000,\"created_at\":1700000000000,\"updated_at\":1700000000000}],"
    "\"sessions\":[],\"jobs\":[],\"messages\":[{\"id\":\"M" PLANTED "\",\"platform\":\"P" PLANTED
    "\",\"conversation_id\":\"R" PLANTED "\",\"role\":\"assistant\","
    "\"raw_text\":\"word X" PLANTED " [a](javascript:alert(1)) ![b](https://evil.example/x.png)\","
    "\"observed_at\":1700000000000,\"created_at\":1700000000001,\"static_path\":\"\","
    "\"details\":{\"model\":\"O" PLANTED "\",\"thinking\":[\"H" PLANTED "\"],"
    "\"attachments\":[{\"name\":\"A" PLANTED "\",\"type\":\"Y" PLANTED "\",\"text\":\"B" PLANTED
    "\"}],\"citations\":[{\"title\":\"C" PLANTED "\",\"url\":\"javascript:alert(1)//" PLANTED
    "\"}]},"
    "\"executions\":[{\"instruction_id\":\"E" PLANTED "\",\"message_id\":\"M" PLANTED "\","
    "\"target\":\"G" PLANTED "\",\"tool\":\"V" PLANTED "\",\"params\":\"U" PLANTED "\","
    "\"params_kind\":\"body\",\"result_ok\":0,\"result_error\":\"F" PLANTED "\","
    "\"executed_at\":1700000000000,\"created_at\":1700000000001}]}]}\n]}\n";

T_STORY(web_planted, what_was_said, 60) {
  t_up();
  headers = t_browser(&form);
  char *text = ck_strdup(planted);
  t_write_text("planted.json", text);
  free(text);
  t_do(0, "import", "planted.json");
  char *body = page("/");
  t_page_has(body, "T&lt;script&gt;");
  t_page_has(body, "P&lt;script&gt;");
  is_inert(body);
  char *path = after(body, "<div class=\"what\"><a dir=\"auto\" href=\"");
  free(body);
  is_inert_with(path, "TDJWXOHABCGVUF");
  free(path);
  for (int i = 0; i < 50; ++i) {
    body = page("/s?q=word");
    bool found = strstr(body, "X&lt;script&gt;") != NULL;
    if (found || i == 49) break;
    free(body);
    t_pause(100);
  }
  t_page_has(body, "X&lt;script&gt;");
  t_page_has(body, "T&lt;script&gt;");
  is_inert(body);
  free(body);
  body = page("/?title=%3Cscript%3Ealert(1)%3C/script%3E&platform=%22%3E%3Cimg%20src=x%3E");
  is_inert(body);
  free(body);
  body = page("/s?q=%3C/title%3E%3Cscript%3Ealert(1)%3C/script%3E%22%3E%3Cimg%20src=x%3E");
  is_inert(body);
  free(body);
}

/* ---- follow-ups ---- */

static const char observed[] =
    "{\"platform\":\"P" SHORT_PLANTED "\",\"conversation_id\":\"R" PLANTED
    "\",\"message_id\":\"M" PLANTED "\",\"role\":\"user\",\"text\":\"X" PLANTED
    "\",\"page_title\":\"T" PLANTED "\",\"client_id\":\"K" PLANTED
    "\",\"observed_at\":1700000000000}\n";

/* The text of a column of the only row of a table; the caller frees. */
static char *only(const char *table, const char *column) {
  char path[60];
  json_t *rows = t_query(table, NULL, 2, 0);
  snprintf(path, sizeof path, "0.%s", column);
  T_CHECK(json_array_size(rows) == 1 && t_text_at(rows, path), "%s has not one row", table);
  char *text = ck_strdup(t_text_at(rows, path));
  json_decref(rows);
  return text;
}

/* The client claims the job, and does not know what came of it. */
static void unknown(const char *job) {
  const char *token = t_token("client", "deliver");
  char *client = t_in_query("K" PLAIN),
       *path = ck_sprintf("/v1/deliveries?client=%s&wait=20", client);
  struct t_reply r = t_ask_web("GET", path, token, "", NULL);
  const char *offer = t_text_at(t_reply_json(&r), "deliveries.0.offer");
  T_CHECK(offer, "it is not offered: %s", r.body);
  json_t *claim = json_pack("{s:s, s:s, s:s}", "client", "K" PLAIN, "offer", offer, "token", "t");
  json_t *end = json_pack("{s:i, s:s, s:s, s:s}", "attempt", 1, "token", "t", "outcome", "unknown",
                          "error", "E" PLAIN);
  char *claims = json_dumps(claim, 0), *ends = json_dumps(end, 0),
       *claim_at = ck_sprintf("/v1/deliveries/%s/claim", job),
       *end_at = ck_sprintf("/v1/deliveries/%s/end", job);
  t_reply_free(&r);
  t_web_says(200, NULL, "POST", claim_at, token, "", claims);
  is_inert_with("/j?status=running", "TQPK");
  t_web_says(200, NULL, "POST", end_at, token, "", ends);
  json_decref(claim), json_decref(end);
  free(claims), free(ends), free(claim_at), free(end_at), free(client), free(path);
}

T_STORY(web_planted, follow_ups, 90) {
  t_up();
  headers = t_browser(&form);
  char *text = ck_strdup(observed);
  t_write_text("planted.json", text);
  free(text);
  t_do(0, "import", "planted.json");
  char *id = only("local_conversations", "local_conversation_id");
  t_do(0, "renew", id, "--payload", "Q" PLAIN, "--at", "+1h");
  char *job = only("renewal_jobs", "job_id"), *platform = t_in_query("P" SHORT_PLAIN),
       *account = t_in_query("A" PLAIN), *conversation = t_in_query(id);
  is_inert_with("/j", "TQP");
  is_inert_with("/j/plan", "TQK");
  t_do(0, "pause", "--platform", "P" SHORT_PLAIN);
  t_do(0, "pause", "--account", "A" PLAIN);
  is_inert_with("/j?status=waiting", "TQPA");
  is_inert_with("/j/plan", "TPA");
  char *path =
      ck_sprintf("/j?platform=%s&account=%s&conversation=%s", platform, account, conversation);
  is_inert_with(path, "PA");
  free(path);
  path = ck_sprintf("/j/all?do=cancel&status=waiting&platform=%s&account=%s&conversation=%s",
                    platform, account, conversation);
  is_inert_with(path, "PA");
  free(path);
  path = ck_sprintf("/j/all?do=snooze&status=waiting&platform=%s", platform);
  is_inert_with(path, "PA");
  free(path);
  t_do(0, "resume", "--all");
  t_do(0, "jobs", "retry", job);
  unknown(job);
  is_inert_with("/j?status=unknown", "TQPEK");
  free(id), free(job), free(platform), free(account), free(conversation);
}

/* ---- imports ---- */

T_STORY(web_planted, imports, 60) {
  static const char files[] =
      "------planted\r\nContent-Disposition: form-data; name=\"form\"\r\n\r\n%s\r\n"
      "------planted\r\nContent-Disposition: form-data; name=\"file\"; filename=\"N" NAMED
      ".jsonl\"\r\n\r\n%s"
      "{\"platform\":\"F" SHORT_PLANTED "\",\"role\":\"user\"}\n"
      "{\"platform\":\"x\",\"role\":\"user\",\"text\":\"a\",\"observed_at\":\"W" PLANTED "\"}\n"
      "{\"platform\":\"x\",\"Z" PLANTED "\":1,\"text\":7}\n"
      "{\"platform\":\"x\", <script>\r\n------planted--\r\n";
  t_up();
  headers = t_browser(&form);
  char *body = ck_sprintf(files, form, observed),
       *head = ck_sprintf("%sContent-Type: multipart/form-data; boundary=----planted\r\n", headers);
  struct t_reply r = t_ask_web("POST", "/i", NULL, head, body);
  const char *at = t_reply_header(&r, "Location");
  T_CHECK(r.status == 303 && at, "%d %s", r.status, r.body);
  char *report = ck_strdup(at), *seen = NULL;
  T_UNTIL(30000, (free(seen), seen = page(report)) && !strstr(seen, "data-every"), "no end: %s",
          seen);
  t_page_has(seen, "<dt>New messages</dt><dd dir=\"auto\">1</dd>");
  t_page_has(seen, "line 2: ");
  is_inert_with(report, "NW");
  is_inert_with("/i", "N");
  t_reply_free(&r);
  free(report), free(seen), free(body), free(head);
}

/* ---- mirrors and health ---- */

T_STORY(web_planted, mirrors_and_health, 60) {
  t_up();
  headers = t_browser(&form);
  t_settle(10000);
  t_sql_run("mirror.db", "CREATE TRIGGER refuse BEFORE INSERT ON messages BEGIN SELECT "
                         "RAISE(ABORT, 'CHECK constraint failed: C<script>\"''><img src=x>'); END");
  char *text = ck_strdup(observed);
  t_write_text("planted.json", text);
  free(text);
  t_do(0, "import", "planted.json");
  char *seen = NULL;
  T_UNTIL(20000, (free(seen), seen = page("/m")) && strstr(seen, "constraint failed"),
          "no row is refused: %s", seen);
  free(seen);
  is_inert_with("/m", "CM");
  is_inert_with("/h", "P");
}

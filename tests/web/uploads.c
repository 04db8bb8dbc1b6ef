/* Files that are uploaded to be imported: what comes of them, what is refused, and that nothing of
 * them stays. */
#include <archive.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/text.h"
#include "tests/harness/archive.h"
#include "tests/harness/base.h"
#include "tests/harness/ring.h"
#include "tests/harness/talk.h"
#include "tests/web/client.h"

#define BOUNDARY "----fourteen"
#define AS_FORM "Content-Type: multipart/form-data; boundary=" BOUNDARY "\r\n"

static const char *headers, *form;

static void sign_in(void) { headers = t_browser(&form); }

static void add_field(struct ck_buf *b, const char *name, const char *value) {
  ck_buf_printf(b, "--" BOUNDARY "\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\n%s\r\n",
                name, value);
}

static void add_file(struct ck_buf *b, const char *name, struct ck_str bytes) {
  ck_buf_printf(b,
                "--" BOUNDARY "\r\nContent-Disposition: form-data; name=\"file\"; "
                "filename=\"%s\"\r\nContent-Type: application/octet-stream\r\n\r\n",
                name);
  ck_buf_str(b, bytes);
  ck_buf_text(b, "\r\n");
}

/* Posts the form, which is given up. */
static struct t_reply post(struct ck_buf *b, const char *more) {
  ck_buf_text(b, "--" BOUNDARY "--\r\n");
  int fd = t_web_connect();
  char *head = ck_sprintf("POST /i HTTP/1.1\r\nHost: %s\r\n%s%s" AS_FORM
                          "Content-Length: %zu\r\nConnection: close\r\n\r\n",
                          t_web_host(), headers, more, b->len);
  t_web_send(fd, head, strlen(head));
  t_web_send(fd, b->data, b->len);
  struct t_reply r = t_web_read(fd, 10000);
  close(fd);
  free(head);
  ck_buf_free(b);
  return r;
}

/* The caller frees; NULL: there was no answer. */
static char *page_at(const char *path) {
  struct t_reply r = t_ask_web("GET", path, NULL, headers, NULL);
  free(r.head);
  return r.body;
}

/* The report at that address, once it is there; the caller frees. */
static char *report_of(const struct t_reply *r) {
  const char *at = t_reply_header(r, "Location");
  char *body = NULL;
  T_CHECK(r->status == 303 && at && strncmp(at, "/i/", 3) == 0, "%d %s", r->status, r->body);
  T_UNTIL(30000, (free(body), body = page_at(at)) && !strstr(body, "data-every"),
          "there is no end: %s", body);
  return body;
}

/* The files are gone once they were read. */
static void nothing_is_left(void) {
  T_UNTIL(5000, t_walk("web/uploads", NULL, NULL) == 0, "files are left in web/uploads");
}

T_STORY(web_uploads, an_export_goes_in, 60) {
  static const char *const messages =
      "{\"platform\":\"x\",\"conversation_id\":\"a\",\"message_id\":\"m1\",\"role\":\"user\","
      "\"text\":\"How many fish?\",\"observed_at\":1700000000000}\n"
      "{\"platform\":\"x\",\"role\":\"user\"}\n";
  const struct t_member members[] = {{"b/said.jsonl", ck_str_of(messages)},
                                     {"page.html", CK_LIT("<p>no</p>")}};
  struct ck_buf b = {0}, zip = t_archive(ARCHIVE_FORMAT_ZIP, ARCHIVE_FILTER_NONE, members, 2);
  t_up();
  sign_in();
  add_field(&b, "form", form);
  add_file(&b, "export.zip", ck_buf_view(&zip));
  struct t_reply r = post(&b, "");
  char *report = report_of(&r);
  t_page_has(report, "export.zip: b/said.jsonl");
  t_page_has(report, "<dt>New messages</dt><dd dir=\"auto\">1</dd>");
  t_page_has(report, "line 2: text: missing");
  t_page_has(report, "spool/refused.jsonl");
  t_page_has(report, "1 other file skipped: 1 .html");
  free(report);
  t_reply_free(&r);
  json_t *rows = t_query("messages", "{'id': 'm1'}", 1, 0);
  T_CHECK(json_array_size(rows) == 1, "it is not in the database");
  json_decref(rows);
  nothing_is_left();
  /* The same again is known. */
  add_field(&b, "form", form);
  add_file(&b, "export.zip", ck_buf_view(&zip));
  r = post(&b, "");
  report = report_of(&r);
  t_page_has(report, "<dt>Known already</dt><dd dir=\"auto\">1</dd>");
  free(report);
  t_reply_free(&r);
  ck_buf_free(&zip);
}

/* The names lead nowhere, and each of several files has its own end. */
T_STORY(web_uploads, a_folder_and_loose_files, 60) {
  static const char *const said = "{\"platform\":\"x\",\"role\":\"user\",\"text\":\"Hi\","
                                  "\"message_id\":\"m2\",\"observed_at\":1700000000000}\n";
  struct ck_buf b = {0};
  t_up();
  sign_in();
  add_field(&b, "form", form);
  add_file(&b, "a/../../../out/said.jsonl", ck_str_of(said));
  add_file(&b, "/etc/other.jsonl", ck_str_of(said));
  struct t_reply r = post(&b, "");
  char *report = report_of(&r);
  t_page_has(report, "a/_/_/_/out/said.jsonl");
  t_page_has(report, "_/etc/other.jsonl");
  T_CHECK(!t_exists("../out/said.jsonl"), "a name leads out of the folder");
  free(report);
  t_reply_free(&r);
  add_field(&b, "form", form);
  add_file(&b, "broken.json", CK_LIT("{\"broken\": "));
  add_file(&b, "said.jsonl", ck_str_of(said));
  add_file(&b, "said.jsonl", ck_str_of(said));
  r = post(&b, "");
  report = report_of(&r);
  t_page_has(report, "<b>broken.json</b>: cut off at byte 11");
  t_page_has(report, ">said.jsonl</td>");
  t_page_has(report, ">(2) said.jsonl</td>");
  t_page_has(report, "done, with failures");
  free(report);
  t_reply_free(&r);
  nothing_is_left();
}

static void is_refused(struct ck_buf *b, const char *more, int status, const char *why) {
  struct t_reply r = post(b, more);
  T_CHECK(r.status == status && strstr(r.body, why), "%d %s", r.status, r.body);
  t_reply_free(&r);
  nothing_is_left();
}

T_STORY(web_uploads, what_is_refused, 60) {
  struct ck_buf b = {0};
  t_up();
  sign_in();
  add_field(&b, "form", "0123");
  add_file(&b, "a.json", CK_LIT("{}"));
  is_refused(&b, "", 403, "another session");
  add_file(&b, "a.json", CK_LIT("{}"));
  add_field(&b, "form", form);
  is_refused(&b, "", 403, "another session");
  add_field(&b, "form", form);
  add_file(&b, "a.json", CK_LIT("{}"));
  is_refused(&b, "Origin: http://evil.example\r\n", 403, "may not ask here");
  add_field(&b, "form", form);
  add_file(&b, "", CK_LIT(""));
  is_refused(&b, "", 400, "no file was chosen");
  t_web_says(400, "syntax", "POST", "/i", t_token("giver", "capture"), AS_FORM,
             "--" BOUNDARY "\r\nContent-Disposition: form-data; name=\"file\"; "
             "filename=\"a.json\"\r\n\r\n{}");
  t_web_says(415, "type", "POST", "/i", t_token("other", "capture"),
             "Content-Type: application/json\r\n", "{}");
  t_web_says(403, "scope", "POST", "/i", t_token("reader", "read"), AS_FORM, "--" BOUNDARY "--");
  free(page_at("/i/none"));
  nothing_is_left();
}

/* A large one is not held in memory; one whose sender goes leaves nothing. */
T_STORY(web_uploads, large_and_unfinished, 90) {
  static char part[1 << 20];
  enum { PARTS = 100 };
  struct ck_buf b = {0};
  t_up();
  sign_in();
  long before = t_memory_mib(t_pid("webd"));
  add_field(&b, "form", form);
  add_file(&b, "large.bin", CK_LIT(""));
  b.len -= 2;
  char *head = ck_sprintf(
      "POST /i HTTP/1.1\r\nHost: %s\r\n%s" AS_FORM "Content-Length: %zu\r\n\r\n", t_web_host(),
      headers, b.len + PARTS * sizeof part + strlen("\r\n--" BOUNDARY "--\r\n"));
  memset(part, 'x', sizeof part);
  int whole = t_web_connect(), gone = t_web_connect();
  for (int i = 0; i < 2; ++i) {
    int fd = i ? gone : whole;
    t_web_send(fd, head, strlen(head));
    t_web_send(fd, b.data, b.len);
    for (int k = 0; k < (i ? 3 : PARTS); ++k) t_web_send(fd, part, sizeof part);
  }
  T_UNTIL(20000, t_walk("web/uploads", NULL, NULL) == 2, "what comes is not in web/uploads");
  close(gone);
  T_UNTIL(20000, t_walk("web/uploads", NULL, NULL) == 1, "what was left unfinished stays");
  t_web_send(whole, "\r\n--" BOUNDARY "--\r\n", strlen("\r\n--" BOUNDARY "--\r\n"));
  struct t_reply r = t_web_read(whole, 20000);
  long after = t_memory_mib(t_pid("webd"));
  T_CHECK(after - before < 30, "100 MiB that come take %ld MiB of memory", after - before);
  char *report = report_of(&r);
  t_page_has(report, "large.bin");
  t_page_has(report, "100 MiB");
  free(report);
  t_reply_free(&r);
  close(whole);
  free(head);
  ck_buf_free(&b);
  nothing_is_left();
}

/* What was on its way when webd died is gone, and the next one works. */
T_STORY(web_uploads, webd_dies_meanwhile, 60) {
  struct ck_buf b = {0};
  t_up();
  sign_in();
  add_field(&b, "form", form);
  add_file(&b, "half.json", CK_LIT("{"));
  char *head =
      ck_sprintf("POST /i HTTP/1.1\r\nHost: %s\r\n%s" AS_FORM "Content-Length: 100000\r\n\r\n",
                 t_web_host(), headers);
  int fd = t_web_connect();
  t_web_send(fd, head, strlen(head));
  t_web_send(fd, b.data, b.len);
  T_UNTIL(5000, t_walk("web/uploads", NULL, NULL) == 1, "what comes is not in web/uploads");
  pid_t old = t_kill("webd", SIGKILL);
  t_wait_other("webd", old, 10000);
  close(fd);
  nothing_is_left();
  ck_buf_free(&b);
  free(head);
  sign_in(); /* a cookie is for one port */
  add_field(&b, "form", form);
  add_file(&b, "said.jsonl", CK_LIT("{\"platform\":\"x\",\"role\":\"user\",\"text\":\"Hi\"}"));
  struct t_reply r = post(&b, "");
  free(report_of(&r));
  t_reply_free(&r);
}

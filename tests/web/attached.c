/* Attachments and originals over HTTP: bytes from outside, which may do nothing in a browser. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "proto/text.h"
#include "tests/harness/base.h"
#include "tests/harness/ring.h"
#include "tests/web/client.h"

#define AS_BROWSER "Accept: text/html\r\n"

static const char *token;

/* The page at that path; the caller frees. */
static char *page(int status, const char *path) { return t_page(status, path, token, AS_BROWSER); }

/* What stands after `before` up to a quotation mark; the caller frees. */
static char *link_after(const char *body, const char *before) {
  const char *at = strstr(body, before);
  T_CHECK(at, "the page has no %s:\n%s", before, body);
  at += strlen(before);
  return ck_str_dup((struct ck_str){at, strcspn(at, "\"")});
}

#define FILE_ID "file-Lp8qkpA7PBzrPMkzs8qDsJ"
#define OTHER_ID "file-Mp8qkpA7PBzrPMkzs8qDsK"

/* An image is shown, what could be a page is saved, and neither may do anything. */
T_STORY(web_attached, attachments_and_the_original, 60) {
  static const char *const chat =
      "[{\"id\":\"c1\",\"title\":\"t\",\"create_time\":1700000000.0,\"mapping\":{\"n\":{\"id\":"
      "\"n\",\"message\":{\"id\":\"m1\",\"author\":{\"role\":\"user\"},\"create_time\":"
      "1700000000.5,\"metadata\":{\"attachments\":[{\"id\":\"" FILE_ID "\",\"name\":\"a.png\"},"
      "{\"id\":\"" OTHER_ID "\",\"name\":\"b.svg\"},{\"id\":\"file-none\",\"name\":\"c\"}]},"
      "\"content\":{\"content_type\":\"text\",\"parts\":[\"look\"]}},\"parent\":null,"
      "\"children\":[]}},\"current_node\":\"n\"}]";
  static const char png[] = "\x89PNG\r\n\x1a\n and what a picture has",
                    svg[] = "<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>";
  T_CHECK(mkdir("../out/e", 0700) == 0, "no folder");
  t_write_text("../out/e/conversations.json", chat);
  t_write_file("../out/e/" FILE_ID "-a.png", png, sizeof png - 1);
  t_write_file("../out/e/" OTHER_ID "-b.svg", svg, sizeof svg - 1);
  t_up();
  t_do(0, "import", "../out/e");
  token = t_token("reader", "read");
  char *body = page(200, "/c/chatgpt%3Ac1");
  char *image = link_after(body, "<img src=\"");
  t_page_has(body, "alt=\"a.png\"");
  t_page_has(body, ">b.svg</a>");
  T_CHECK(t_page_times(body, "class=\"attached\"") == 2, "%zu are links",
          t_page_times(body, "class=\"attached\""));
  t_page_has(body, "<p class=\"note\" dir=\"auto\">Attachment, not kept here: c</p>");
  T_CHECK(t_page_times(body, "not kept here") == 1, "another is not kept: %s", body);
  struct t_result read = t_convkeep("read", "chatgpt:c1");
  T_CHECK(strstr(read.out, "▸ attachment a.png\n▸ attachment b.svg\n"
                           "▸ attachment, not kept here: c\n"),
          "%s", read.out);
  t_result_free(&read);
  t_page_has(body, "<a href=\"/o/chatgpt%3Ac1\">The original</a>");
  struct t_reply r = t_ask_web("GET", image, token, AS_BROWSER, NULL);
  T_CHECK(r.status == 200 && r.n == sizeof png - 1 && memcmp(r.body, png, r.n) == 0 &&
              strcmp(t_reply_header(&r, "Content-Type"), "image/png") == 0 &&
              strncmp(t_reply_header(&r, "Content-Disposition"), "inline; ", 8) == 0 &&
              strstr(t_reply_header(&r, "Content-Security-Policy"), "sandbox") &&
              strcmp(t_reply_header(&r, "X-Content-Type-Options"), "nosniff") == 0,
          "%d %s", r.status, r.head);
  t_reply_free(&r);
  char *other = strstr(body, ">b.svg</a>");
  while (strncmp(other, "/a/", 3) != 0) --other;
  other = ck_str_dup((struct ck_str){other, strcspn(other, "\"")});
  r = t_ask_web("GET", other, token, AS_BROWSER, NULL);
  T_CHECK(r.status == 200 && strcmp(r.body, svg) == 0 &&
              strcmp(t_reply_header(&r, "Content-Type"), "application/octet-stream") == 0 &&
              strncmp(t_reply_header(&r, "Content-Disposition"), "attachment; ", 12) == 0,
          "%d %s", r.status, r.head);
  t_reply_free(&r);
  t_web_says(401, "token", "GET", image, NULL, "", NULL);
  t_web_says(401, "token", "GET", "/o/chatgpt%3Ac1", NULL, "", NULL);
  t_web_says(403, "scope", "GET", image, t_token("giver", "capture"), "", NULL);
  free(page(404, "/a/..%2F..%2Fartifact.db"));
  free(page(404, "/a/0000000000000000000000000000000000000000000000000000000000000000"));
  free(page(404, "/o/none"));
  r = t_ask_web("GET", "/o/chatgpt%3Ac1", token, AS_BROWSER, NULL);
  T_CHECK(r.status == 200 && strlen(chat) == r.n + 2 && strncmp(chat + 1, r.body, r.n) == 0 &&
              strncmp(t_reply_header(&r, "Content-Type"), "text/plain", 10) == 0,
          "%d %s %s", r.status, r.head, r.body);
  t_reply_free(&r);
  free(other);
  free(image);
  free(body);
}

/* The page's views: what they show, and where their links lead. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/text.h"
#include "tests/harness/base.h"
#include "tests/harness/ring.h"
#include "tests/harness/talk.h"
#include "tests/web/client.h"

#define AS_BROWSER "Accept: text/html\r\n"

/* Each test is a process. */
static const char *reader(void) {
  static const char *token;
  if (!token) token = t_token("reader", "read");
  return token;
}

/* The page at that path; the caller frees. */
static char *page(int status, const char *path) {
  return t_page(status, path, reader(), AS_BROWSER);
}

static void in_order(const char *body, const char *first, const char *second) {
  t_page_has(body, first);
  t_page_has(body, second);
  T_CHECK(strstr(body, first) < strstr(body, second), "%s does not stand before %s", first, second);
}

/* What stands after `before` up to a quotation mark, with &amp; resolved; the caller frees. */
static char *link_after(const char *body, const char *before) {
  const char *at = strstr(body, before);
  struct ck_buf b = {0};
  T_CHECK(at, "the page has no %s:\n%s", before, body);
  for (at += strlen(before); *at && *at != '"'; ++at) {
    ck_buf_add(&b, at, 1);
    if (strncmp(at, "&amp;", 5) == 0) at += 4;
  }
  char *link = ck_strdup(ck_buf_cstr(&b));
  ck_buf_free(&b);
  return link;
}

static void is_kept(const char *path, bool kept) {
  struct t_reply r = t_ask_web("GET", path, NULL, "", NULL);
  const char *says = t_reply_header(&r, "Cache-Control");
  T_CHECK(r.status == 200, "%s: it answers %d", path, r.status);
  T_CHECK(says && (strstr(says, "immutable") != NULL) == kept, "%s: %s", path, says);
  t_reply_free(&r);
}

T_STORY(web_views, a_browser_keeps_a_file_of_the_page_while_it_is_the_same, 60) {
  static const char *const before[] = {"rel=\"stylesheet\" href=\"", "type=\"module\" src=\"",
                                       "rel=\"icon\" href=\""};
  t_up();
  char *body = page(200, "/");
  for (size_t i = 0; i < sizeof before / sizeof *before; ++i) {
    char *link = link_after(body, before[i]), *other = ck_sprintf("%s0", link),
         *bare = ck_str_dup((struct ck_str){link, strcspn(link, "?")});
    is_kept(link, true);
    is_kept(other, false);
    is_kept(bare, false);
    free(bare), free(other), free(link);
  }
  free(body);
}

T_STORY(web_views, the_module_is_small, 60) {
  t_up();
  struct t_reply r = t_ask_web("GET", "/static/page.js", NULL, "", NULL);
  T_CHECK(r.status == 200 && r.n > 0 && r.n <= 15 << 10, "%d, %zu bytes", r.status, r.n);
  t_reply_free(&r);
}

/* ---- the timeline ---- */

T_STORY(web_views, timeline, 60) {
  t_up();
  char *body = page(200, "/");
  t_page_has(body, "no conversation yet");
  free(body);
  t_import_lines(0, "{'platform':'chatgpt','conversation_id':'tank','message_id':'t1',"
                    "'role':'user','text':'How many fish?','observed_at':'2026-01-02T10:00:00Z',"
                    "'page_title':'Fish tank'}\n"
                    "{'platform':'chatgpt','conversation_id':'tank','message_id':'t2',"
                    "'role':'assistant','text':'Three.','observed_at':'2026-01-02T10:00:05Z'}\n"
                    "{'platform':'claude','conversation_id':'a/b?c','message_id':'c1',"
                    "'role':'user','text':'Why is it so?','observed_at':'2026-02-03T10:00:00Z'}\n");
  t_do(0, "set", "chatgpt:tank", "--automation", "auto");
  body = page(200, "/");
  in_order(body, "February 2026", "January 2026");
  t_page_has(body, "href=\"/c/claude%3Aa%2Fb%3Fc\">“Why is it so?”</a>");
  t_page_has(body, "Fish tank</a>");
  t_page_has(body, "<p class=\"question\" dir=\"auto\">How many fish?</p>");
  t_page_has(body, "2 messages");
  t_page_has(body, "tag auto\">auto");
  t_page_has_not(body, "tag new");
  free(body);
  body = page(200, "/?platform=claude&title=&since=&until=&status=");
  t_page_has(body, "Why is it so?");
  t_page_has_not(body, "Fish tank");
  t_page_has(body, "value=\"claude\"");
  free(body);
  body = page(200, "/?since=2026-01-01&until=2026-01-02");
  t_page_has(body, "Fish tank");
  t_page_has_not(body, "Why is it so?");
  free(body);
  body = page(200, "/?status=auto&title=TANK");
  t_page_has(body, "Fish tank");
  t_page_has_not(body, "Why is it so?");
  free(body);
  body = page(200, "/?title=nothing%20at%20all");
  t_page_has(body, "No conversation is like that");
  free(body);
  free(page(400, "/?status=other"));
  free(page(400, "/?since=lunch"));
  free(page(400, "/?sort=x"));
  body = page(200, "/c/claude%3Aa%2Fb%3Fc");
  t_page_has(body, "Why is it so?");
  free(body);
}

T_STORY(web_views, older_conversations, 60) {
  struct ck_buf lines = {0};
  t_up();
  for (int i = 0; i < 120; ++i)
    ck_buf_printf(&lines,
                  "{'platform':'x','conversation_id':'n%03d','message_id':'m%d','role':'user',"
                  "'text':'number %03d','observed_at':%lld}\n",
                  i, i, i, 1700000000000LL + i * 1000LL);
  t_import_lines(0, "%s", ck_buf_cstr(&lines));
  ck_buf_free(&lines);
  char *path = ck_strdup("/?platform=x");
  size_t seen = 0;
  for (int at = 0; at < 3; ++at) {
    char *body = page(200, path);
    for (int i = 0; i < 120; ++i) {
      char text[20];
      snprintf(text, sizeof text, "number %03d", i);
      if (!strstr(body, text)) continue;
      ++seen;
      T_CHECK(i < 120 - at * 50 && i >= 70 - at * 50, "%s is on page %d", text, at);
    }
    free(path);
    T_CHECK(strstr(body, ">Older<") || at == 2, "page %d is the last", at);
    path = at < 2 ? link_after(body, "<a rel=\"next\" href=\"") : NULL;
    free(body);
  }
  T_CHECK(seen == 120, "%zu conversations were shown", seen);
  free(page(400, "/?next=nonsense"));
}

/* The cookie says when this browser was here before: what changed since is new. */
T_STORY(web_views, new_since_the_last_visit, 60) {
  char cookie[200];
  t_up();
  t_import_lines(0, "{'platform':'x','conversation_id':'a','role':'user','text':'hello',"
                    "'observed_at':1700000000000}\n");
  struct t_reply r = t_ask_web("GET", "/", reader(), AS_BROWSER, NULL);
  const char *set = t_reply_header(&r, "Set-Cookie");
  T_CHECK(set && strstr(set, "HttpOnly") && strstr(set, "-seen=0-"), "%s", set ? set : "none");
  snprintf(cookie, sizeof cookie, AS_BROWSER "Cookie: %.*s=1000-2000\r\n", (int)strcspn(set, "="),
           set);
  t_reply_free(&r);
  r = t_ask_web("GET", "/", reader(), cookie, NULL);
  T_CHECK(strstr(r.body, "tag new"), "nothing is new: %s", r.body);
  T_CHECK(strstr(t_reply_header(&r, "Set-Cookie"), "-seen=2000-"), "%s", r.head);
  t_reply_free(&r);
  /* What its owner changes about it is no news. */
  snprintf(cookie + strcspn(cookie, "=") + 1, 60, "%lld-%lld\r\n", (long long)ck_now_ms(),
           (long long)ck_now_ms());
  t_do(0, "set", "x:a", "--stop-after", "3");
  r = t_ask_web("GET", "/", reader(), cookie, NULL);
  T_CHECK(!strstr(r.body, "tag new"), "it is new: %s", r.body);
  t_reply_free(&r);
  t_import_lines(0, "{'platform':'x','conversation_id':'a','role':'assistant','text':'hello',"
                    "'observed_at':1700000001000}\n");
  r = t_ask_web("GET", "/", reader(), cookie, NULL);
  T_CHECK(strstr(r.body, "tag new"), "an answer is not new: %s", r.body);
  t_reply_free(&r);
}

/* ---- a conversation ---- */

static void import_branches(void) {
  t_import_lines(
      0, "{'platform':'x','conversation_id':'b','message_id':'q','role':'user',"
         "'text':'First question','observed_at':1700000001000}\n"
         "{'platform':'x','conversation_id':'b','message_id':'a1','parent_id':'q',"
         "'role':'assistant','text':'An old answer','observed_at':1700000002000}\n"
         "{'platform':'x','conversation_id':'b','message_id':'a2','parent_id':'q',"
         "'role':'assistant','text':'A **new** answer\\n\\n```c\\nint x;\\n```',"
         "'observed_at':1700000003000}\n"
         "{'platform':'x','conversation_id':'b','message_id':'q2','parent_id':'a2','role':'user',"
         "'text':'Second question','observed_at':1700000004000}\n"
         "{'platform':'x','conversation_id':'b','message_id':'t','parent_id':'q2','role':'tool',"
         "'text':'','observed_at':1700000005000,'execution':{'target':'shell','tool':'run',"
         "'params':'ls','result_ok':true,'result':'a.txt'}}\n");
}

T_STORY(web_views, branches_questions_and_folds, 60) {
  t_up();
  import_branches();
  char *body = page(200, "/c/x%3Ab");
  t_page_has(body, "<strong>new</strong>");
  t_page_has(body, "<span class=\"language\">c</span>");
  t_page_has_not(body, "An old answer");
  in_order(body, "id=\"questions\"", "Second question</a></li>");
  t_page_has(body, "<a dir=\"auto\" href=\"#m-q2\">Second question</a>");
  t_page_has(body, "<details class=\"tool\"><summary dir=\"auto\">shell run → ok</summary>");
  t_page_has(body, "<span>1/2</span>");
  in_order(body, "id=\"m-q\"", "<span>1/2</span>");
  in_order(body, "<span>1/2</span>", "id=\"m-a2\"");
  char *other = link_after(body, "<a href=\"/c/x%3Ab?branch=");
  T_CHECK(strncmp(other, "2#", 2) == 0, "the other branch is %s", other);
  free(other);
  free(body);
  body = page(200, "/c/x%3Ab?branch=2");
  t_page_has(body, "An old answer");
  t_page_has_not(body, "Second question");
  t_page_has(body, "<span>2/2</span>");
  free(body);
  body = page(200, "/c/x%3Ab?m=a1");
  t_page_has(body, "id=\"m-a1\"");
  free(body);
  body = page(200, "/c/x%3Ab?m=zzz");
  t_page_has(body, "is not here");
  t_page_has(body, "id=\"m-a2\"");
  free(body);
  free(page(404, "/c/x%3Ab?branch=3"));
  free(page(400, "/c/x%3Ab?branch=x"));
  body = page(404, "/c/no%3Csuch");
  t_page_has(body, "there is no conversation no&lt;such");
  free(body);
}

/* More than a stream holds goes out as it is read, whole and in order. */
T_STORY(web_views, a_long_conversation_comes_whole, 120) {
  struct ck_buf lines = {0};
  char filler[3001];
  memset(filler, 'x', sizeof filler - 1);
  filler[sizeof filler - 1] = 0;
  t_up();
  for (int i = 0; i < 2000; ++i)
    ck_buf_printf(&lines,
                  "{'platform':'x','conversation_id':'long','message_id':'m%d','role':'%s',"
                  "'text':'number %d. %s','observed_at':%lld}\n",
                  i, i % 2 ? "assistant" : "user", i, filler, 1700000000000LL + i * 1000LL);
  t_import_lines(0, "%s", ck_buf_cstr(&lines));
  ck_buf_free(&lines);
  char *body = page(200, "/c/x%3Along");
  const char *at = body;
  for (int i = 0; i < 2000; ++i) {
    char id[40];
    snprintf(id, sizeof id, "id=\"m-m%d\"", i);
    T_CHECK((at = strstr(at, id)), "message %d is missing, or not in its place", i);
  }
  t_page_has(at, "</html>");
  T_CHECK(t_page_times(body, "<li><a dir=\"auto\" href=\"#m-m") == 1000, "questions are missing");
  free(body);
}

/* ---- search ---- */

static void found(int n, const char *path, char **body) {
  char words[40];
  snprintf(words, sizeof words, "%d found", n);
  for (int i = 0; i < 50 && (!*body || !strstr(*body, words)); ++i) {
    if (*body) t_pause(100);
    free(*body);
    *body = page(200, path);
  }
  t_page_has(*body, words);
}

/* A message that came without a conversation can be found and read; the link of another one leads
 * to where it stands. */
T_STORY(web_views, a_message_without_a_conversation, 60) {
  char *body = NULL;
  t_up();
  t_import_lines(0, "{'platform':'zed','message_id':'z/1','role':'user','text':'lone zebra',"
                    "'observed_at':1700000009000}\n"
                    "{'platform':'yak','message_id':'y1','role':'user','text':'lone <b>yak</b>',"
                    "'observed_at':1700000009000}\n"
                    "{'platform':'yak','conversation_id':'c','message_id':'y2','role':'user',"
                    "'text':'herd','observed_at':1700000009000}\n");
  found(2, "/s?q=lone", &body);
  T_CHECK(t_page_times(body, "<section class=\"found\">") == 2, "they are one group:\n%s", body);
  t_page_has(body, "href=\"/message/z%2F1\"");
  T_CHECK(!strstr(body, "/c/"), "a link leads to a conversation:\n%s", body);
  free(body);
  body = page(200, "/message/z%2F1");
  t_page_has(body, "lone zebra");
  t_page_has(body, "came without a conversation");
  t_page_has(body, "1 message");
  free(body);
  body = page(200, "/message/y1");
  t_page_has(body, "lone &lt;b&gt;yak");
  free(body);
  struct t_reply r = t_ask_web("GET", "/message/y2", reader(), AS_BROWSER, NULL);
  const char *to = t_reply_header(&r, "Location");
  T_CHECK(r.status == 303 && to && strncmp(to, "/c/yak%3Ac?m=y2#m-y2", 20) == 0, "%d %s", r.status,
          r.head);
  t_reply_free(&r);
  free(page(404, "/message/none"));
}

T_STORY(web_views, search, 60) {
  t_up();
  import_branches();
  t_import_lines(0, "{'platform':'y','conversation_id':'z','message_id':'z1','role':'user',"
                    "'text':'another question','observed_at':1700000009000}\n");
  char *body = NULL;
  found(3, "/s?q=question", &body);
  in_order(body, "another <mark>question</mark>", "Second <mark>question</mark>");
  t_page_has(body, "href=\"/c/x%3Ab?m=q2#m-q2\"");
  t_page_has(body, "“First question”");
  t_page_has(body, "href=\"/s?q=question&amp;role=user\"");
  t_page_has(body, "href=\"/s?q=question&amp;platform=y\"");
  T_CHECK(t_page_times(body, "<section class=\"found\">") == 2, "they are not grouped:\n%s", body);
  free(body);
  body = page(200, "/s?q=question&platform=y");
  t_page_has(body, "1 found");
  t_page_has(body, "aria-current=\"true\" href=\"/s?q=question\">y<");
  free(body);
  body = page(200, "/s?q=question&in=x%3Ab");
  t_page_has(body, "2 found");
  free(body);
  body = page(200, "/s?q=nowhere");
  t_page_has(body, "Nothing found");
  free(body);
  body = page(200, "/s");
  t_page_has(body, "title:disk");
  free(body);
  free(page(400, "/s?q=x&next=nonsense"));
  free(page(400, "/s?q=x&by=worst"));
}

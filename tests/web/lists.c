/* GET of lists, of one conversation, and of a search: the same rows as the command line's. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/base.h"
#include "tests/harness/ring.h"
#include "tests/harness/talk.h"
#include "tests/web/client.h"

static const char *token;

static json_t *get(int status, const char *path) {
  struct t_reply r = t_ask_web("GET", path, token, "", NULL);
  T_CHECK(r.status == status, "%s: %d, not %d: %.400s", path, r.status, status,
          r.body ? r.body : "");
  json_t *said = t_reply_json(&r);
  t_reply_free(&r);
  return said;
}

static void fill(void) {
  struct ck_buf b = {0};
  for (int i = 0; i < 25; ++i)
    ck_buf_printf(&b,
                  "{\"platform\":\"%s\",\"conversation_id\":\"c%d\",\"message_id\":\"m%d\","
                  "\"role\":\"user\",\"text\":\"a word about fish %d\",\"page_title\":\"T%d\","
                  "\"observed_at\":%lld}\n",
                  i % 5 ? "chatgpt" : "claude", i, i, i, i, 1700000000000ll + i * 1000);
  t_write_file("../out/fill", b.data, b.len);
  ck_buf_free(&b);
  t_do_in(0, "../out/fill", "import", "-");
}

/* Page after page: all rows once, in the command line's order. */
T_STORY(web_lists, pages, 60) {
  t_up();
  fill();
  token = t_token("reader", "read");
  json_t *own = t_lines(0, "list", "conversations", "--limit", "100");
  size_t n = 0;
  char path[600] = "/v1/conversations?limit=10";
  for (int page = 0; page < 5; ++page) {
    json_t *said = get(200, path), *rows = t_at(said, "conversations"), *row;
    size_t i;
    json_array_foreach(rows, i, row) {
      char at[48];
      snprintf(at, sizeof at, "%zu.local_conversation_id", n++);
      T_CHECK(strcmp(t_text_at(row, "local_conversation_id"), t_text_at(own, at)) == 0,
              "row %zu is another", n);
    }
    const char *next = t_text_at(said, "next");
    if (!next) break;
    char *cursor = t_in_query(next);
    snprintf(path, sizeof path, "/v1/conversations?limit=10&cursor=%s", cursor);
    free(cursor);
  }
  T_CHECK(n == 25, "%zu rows", n);
  json_decref(own);
}

T_STORY(web_lists, filters, 60) {
  t_up();
  fill();
  token = t_token("reader", "read");
  json_t *said = get(200, "/v1/messages?platform=claude&since=2023-11-14T22:13:25Z");
  T_CHECK(json_array_size(t_at(said, "messages")) == 4, "%s", json_dumps(said, 0));
  said = get(200, "/v1/messages?id=m3");
  T_CHECK(strcmp(t_text_at(said, "messages.0.raw_text"), "a word about fish 3") == 0, "%s",
          json_dumps(said, 0));
  said = get(200, "/v1/jobs?status=pending");
  T_CHECK(json_array_size(t_at(said, "jobs")) == 0, "%s", json_dumps(said, 0));
  said = get(200, "/v1/conversations?sort=created&title=T7");
  T_CHECK(json_array_size(t_at(said, "conversations")) == 1, "%s", json_dumps(said, 0));
  char *one =
      ck_sprintf("/v1/conversations/%s", t_text_at(said, "conversations.0.local_conversation_id"));
  said = get(200, one);
  T_CHECK(strcmp(t_text_at(said, "title"), "T7") == 0, "%s", json_dumps(said, 0));
  free(one);
  t_web_says(404, "missing", "GET", "/v1/conversations/none", token, "", NULL);
  t_web_says(400, "argument", "GET", "/v1/messages?colour=red", token, "", NULL);
  t_web_says(400, "argument", "GET", "/v1/messages?limit=0", token, "", NULL);
  t_web_says(400, "argument", "GET", "/v1/messages?since=yesterday-ish", token, "", NULL);
  t_web_says(400, "argument", "GET", "/v1/jobs?status=sideways", token, "", NULL);
  t_web_says(400, "argument", "GET", "/v1/messages?cursor=nonsense", token, "", NULL);
  t_web_says(400, "argument", "GET", "/v1/conversations/x?deep=1", token, "", NULL);
}

T_STORY(web_lists, search, 60) {
  t_up();
  fill();
  token = t_token("reader", "read");
  json_t *said = NULL;
  T_UNTIL(10000, (said = get(200, "/v1/search?q=fish&limit=5")) && t_int_at(said, "behind", 1) == 0,
          "the index is behind");
  T_CHECK(json_array_size(t_at(said, "hits")) == 5 && t_int_at(said, "count", 0) == 25 &&
              t_at(said, "hits.0.ranges.0.0"),
          "%s", json_dumps(said, 0));
  char *cursor = t_in_query(t_text_at(said, "next")),
       *path = ck_sprintf("/v1/search?q=fish&limit=50&cursor=%s", cursor);
  free(cursor);
  said = get(200, path);
  T_CHECK(json_array_size(t_at(said, "hits")) == 20 && !t_text_at(said, "next"), "%s",
          json_dumps(said, 0));
  free(path);
  said = get(200, "/v1/search?q=%22about+fish+7%22");
  T_CHECK(json_array_size(t_at(said, "hits")) == 1, "%s", json_dumps(said, 0));
  t_web_says(400, "argument", "GET", "/v1/search?q=fish&cursor=x", token, "", NULL);
  t_web_says(400, "argument", "GET", "/v1/search?query=fish", token, "", NULL);
}

/* A conversation without a title is called by its first question; and ids that a browser would
 * resolve are reached. */
T_STORY(web_lists, first_questions_and_dots, 60) {
  t_up();
  t_import_lines(0, "{'platform':'x','conversation_id':'a','message_id':'m1','role':'user',"
                    "'text':'Why?','observed_at':1700000000000}\n"
                    "{'platform':'x','conversation_id':'b','message_id':'m2','role':'user',"
                    "'text':'How?','page_title':'Titled','observed_at':1700000001000}\n");
  struct t_producer *p = t_producer("dots");
  for (int i = 0; i < 3; ++i)
    t_taken(p, 'n', "local_conversations",
            "{'local_conversation_id': '%s', 'platform': 'x', 'title': 'dots %d',"
            " 'automation_status': 'manual', 'created_at': 1, 'updated_at': 1}",
            i == 2 ? "~."
            : i    ? ".."
                   : ".",
            i);
  token = t_token("reader", "read");
  json_t *said = get(200, "/v1/conversations?sort=created&limit=2");
  T_CHECK(!t_at(said, "conversations.0.first_question") &&
              strcmp(t_text_at(said, "conversations.1.first_question"), "Why?") == 0,
          "%s", json_dumps(said, 0));
  said = get(200, "/v1/conversations/x%3Aa");
  T_CHECK(strcmp(t_text_at(said, "first_question"), "Why?") == 0, "%s", json_dumps(said, 0));
  static const char *const paths[] = {"/v1/conversations/~.", "/v1/conversations/~..",
                                      "/v1/conversations/~~."};
  for (int i = 0; i < 3; ++i) {
    char title[16];
    snprintf(title, sizeof title, "dots %d", i);
    said = get(200, paths[i]);
    T_CHECK(strcmp(t_text_at(said, "title"), title) == 0, "%s: %s", paths[i], json_dumps(said, 0));
  }
  struct t_reply r = t_ask_web("GET", "/", token, "Accept: text/html\r\n", NULL);
  T_CHECK(strstr(r.body, "href=\"/c/~.\"") && strstr(r.body, "href=\"/c/~..\"") &&
              strstr(r.body, "href=\"/c/~~.\""),
          "%s", r.body);
  t_reply_free(&r);
}

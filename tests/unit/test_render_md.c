/* A conversation as Markdown (proto/render/markdown.c), and what a text leaves open. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include "cli/reading/message.h"
#include "cli/rows.h"
#include "proto/render/open_end.h"

static void live_in_utc(void) { setenv("TZ", "UTC0", 1); }
TestSuite(render_md, .init = live_in_utc);

/* Single quotes in JSON for double ones. */
static json_t *json(const char *text) {
  char *copy = ck_strdup(text);
  for (char *c = copy; *c; ++c)
    if (*c == '\'') *c = '"';
  json_t *value = json_loads(copy, 0, NULL);
  cr_assert(value, "%s", copy);
  free(copy);
  return value;
}

static void add(struct render *r, const char *message, const char *details) {
  struct ck_step step = {.branch = 1, .placed = true};
  struct cli_message m;
  json_t *object = json(message), *d = json(details);
  char *text = json_dumps(d, 0);
  json_object_set_new(object, "details", json_string(text));
  cli_message_of(&m, object, &step);
  render_message(r, &m.m);
  cli_message_free(&m);
  json_decref(object);
  json_decref(d);
  free(text);
}

static void begin(struct render *r, const char *conversation, const char *link) {
  struct render_conversation c;
  struct ck_row row, link_row;
  json_t *object = json(conversation), *of = json(link);
  cli_row_of(&row, CK_CONVERSATIONS, object);
  cli_row_of(&link_row, CK_LINKS, of);
  render_conversation_of(&c, &row, &link_row);
  render_begin(r, &c);
  render_conversation_free(&c);
  json_decref(object);
  json_decref(of);
}

static void expect(struct ck_buf *out, const char *want) {
  cr_expect_str_eq(ck_buf_cstr(out), want);
  ck_buf_clear(out);
}

Test(render_md, a_conversation) {
  struct ck_buf out = {0};
  struct render_style style = {0};
  struct render *r = render_new(RENDER_MD, &out, &style);
  begin(r,
        "{'local_conversation_id':'chatgpt:1','platform':'chatgpt','title':'Fish: *how* many?',"
        "'summary':null,'created_at':1767348000000,'newest_at':1767348030000}",
        "{'page_url':'https://chatgpt.com/c/1'}");
  expect(&out, "---\n"
               "title: \"Fish: *how* many?\"\n"
               "aliases:\n  - \"Fish: *how* many?\"\n"
               "date: 2026-01-02\n"
               "created: 2026-01-02T10:00:00Z\n"
               "updated: 2026-01-02T10:00:30Z\n"
               "source: \"https://chatgpt.com/c/1\"\n"
               "platform: \"chatgpt\"\n"
               "id: \"chatgpt:1\"\n"
               "tags:\n  - chat\n  - chatgpt\n"
               "---\n\n# Fish: \\*how\\* many?\n");
  add(r, "{'role':'system','raw_text':'','observed_at':0}", "{}");
  expect(&out, "");
  add(r, "{'role':'user','raw_text':'How many?','observed_at':1767348005000}", "{}");
  expect(&out, "\n#### You:\n*2026-01-02 10:00:05*\n\nHow many?\n");
  add(r, "{'role':'assistant','raw_text':'Three.\\n```c\\nint x;','observed_at':1767348009000}",
      "{'model':'gpt-4o','thinking':['Count.\\nAgain.'],'citations':[{'title':'A [b]',"
      "'url':'https://a.example/(x) y'}]}");
  expect(&out, "\n#### ChatGPT:\n*2026-01-02 10:00:09 · gpt-4o*\n"
               "\n> [!quote]- Thinking\n> Count.\n> Again.\n"
               "\nThree.\n```c\nint x;\n```\n"
               "\nSources:\n\n- [A \\[b\\]](https://a.example/%28x%29%20y)\n");
  add(r,
      "{'role':'assistant','raw_text':'{}','observed_at':9,'executions':[{'target':'web',"
      "'tool':'get','params':'{}','params_kind':'inline_json','result_ok':1,"
      "'result_data':'one\\n```\\ntwo'}]}",
      "{'kind':'call'}");
  expect(&out, "\n> [!example]- web get → ok\n> ```json\n> {}\n> ```\n>\n> Result:\n"
               "> ````\n> one\n> ```\n> two\n> ````\n");
  add(r, "{'role':'tool','raw_text':'one\\n```\\ntwo','observed_at':9}", "{'kind':'result'}");
  expect(&out, "");
  add(r, "{'role':'tool','raw_text':'more','observed_at':9}", "{'kind':'result','name':'web'}");
  expect(&out, "\n> [!example]- Result of Tool (web)\n> ```\n> more\n> ```\n");
  render_branch(r, 2, 3, CK_LIT("m_1"));
  expect(&out, "\n---\n\n## Branch 2 of 3\n*after m\\_1*\n");
  render_end(r);
  render_free(&r);
  ck_buf_free(&out);
}

static void expect_close(const char *text, const char *want) {
  struct ck_buf close = {0};
  cr_expect(render_open_end(ck_str_of(text), &close), "%s", text);
  cr_expect_str_eq(ck_buf_cstr(&close), want, "%s is closed by %s, not %s", text,
                   ck_buf_cstr(&close), want);
  ck_buf_free(&close);
}

Test(render_md, what_a_text_leaves_open_is_closed) {
  expect_close("plain", "");
  expect_close("```\ncode\n```", "");
  expect_close("```\ncode", "```\n");
  expect_close("````\n```\ncode", "````\n");
  expect_close("~~~ x\ncode\n```", "~~~\n");
  expect_close("a <b> c ``` d", "");
  expect_close("<!-- a", "-->\n");
  expect_close("<!-- a -->", "");
  expect_close("<script>\nalert(1)", "</pre>\n");
  expect_close("<?php\n", "?>\n");
  expect_close("<![CDATA[ x", "]]>\n");
  expect_close("<!DOCTYPE", ">\n");
  expect_close("- ```\n  code", "");
  expect_close("> ```\n> code", "");
  expect_close("<div>\n\n```", "```\n");
}

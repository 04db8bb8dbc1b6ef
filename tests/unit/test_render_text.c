/* What a message is as text (proto/render/text.c); whole conversations are in the flow tests. */
#include <criterion/criterion.h>
#include <locale.h>
#include <stdlib.h>
#include "cli/reading/message.h"

static void use_utf8(void) {
  setlocale(LC_CTYPE, "C.UTF-8");
  setenv("TZ", "UTC0", 1);
}
TestSuite(render_text, .init = use_utf8);

#define OPEN "\xEE\x88\x80"
#define CLOSE "\xEE\x88\x81"
#define NEXT "\xEE\x88\x82"

/* Single quotes in JSON for double ones. */
static json_t *json(const char *text) {
  char *copy = ck_strdup(text);
  for (char *c = copy; *c; ++c)
    if (*c == '\'') *c = '"';
  json_t *value = json_loads(copy, JSON_DECODE_ANY, NULL);
  cr_assert(value, "%s", copy);
  free(copy);
  return value;
}

static void expect_cited(const char *text, const char *citations, const char *want) {
  struct ck_buf b = {0};
  json_t *all = json(citations);
  render_cited(&b, ck_str_of(text), all, false, NULL);
  cr_expect_str_eq(ck_buf_cstr(&b), want);
  json_decref(all);
  ck_buf_free(&b);
}

static void expect_called(const char *title, const char *question, const char *want,
                          const char *file) {
  const struct render_conversation c = {
      .id = CK_LIT("x:c"), .title = ck_str_of(title), .question = ck_str_of(question)};
  struct ck_buf b = {0};
  render_title(&b, c.title, c.question);
  cr_expect_str_eq(ck_buf_cstr(&b), want);
  ck_buf_clear(&b);
  render_file_name(&b, &c);
  cr_expect_str_eq(ck_buf_cstr(&b), file);
  ck_buf_free(&b);
}

Test(render_text, what_has_no_title_is_called_by_its_question) {
  expect_called("Fish", "How many?", "Fish", "Fish (chat)");
  expect_called("", " How\nmany? ", "“How many?”", "How many (chat)");
  expect_called("", "", "(no title)", "x c (chat)");
  expect_called("", " \n", "(no title)", "x c (chat)");
  expect_called("", "[image: file-service://a]\n[audio: sediment://b]\nWhat is it?",
                "“What is it?”", "What is it (chat)");
  expect_called("", "[image: file-service://a]\n", "“[image: file-service://a]”",
                "image file-service a (chat)");
  expect_called("", "[image: ] of what?\nA", "“[image: ] of what? A”", "image of what A (chat)");
  char longer[400];
  memset(longer, 'x', sizeof longer);
  longer[sizeof longer - 1] = '\0';
  struct ck_buf b = {0};
  render_title(&b, (struct ck_str){0}, ck_str_of(longer));
  cr_expect_leq(b.len, 90u);
  ck_buf_free(&b);
}

Test(render_text, citations_are_what_they_cite) {
  static const char cited[] = "[{'text':'" OPEN "cite" NEXT "a" CLOSE "','title':'T','url':'u'}]";
  expect_cited("x " OPEN "cite" NEXT "a" CLOSE ".", cited, "x [T](u).");
  expect_cited("x" OPEN "cite" NEXT "a" CLOSE ".", cited, "x [T](u).");
  expect_cited("x.(" OPEN "cite" NEXT "a" CLOSE ")", cited, "x.([T](u))");
  expect_cited("x " OPEN "cite" NEXT "b" NEXT "c" CLOSE, cited, "x [cite b c]");
  expect_cited("x " OPEN "never closed", cited, "x " OPEN "never closed");
  expect_cited(OPEN CLOSE, cited, "[]");
  expect_cited("【4†source】 and 【5】", "[{'text':'【4†source】','url':'u'}]", "<u> and 【5】");
  expect_cited(OPEN "x" CLOSE,
               "[{'text':'" OPEN "x" CLOSE "','url':'u'},{'text':'" OPEN "x" CLOSE
               "','title':'T'}]",
               "<u> [T]");
  expect_cited("none", "[]", "none");
  expect_cited("", "[1,null,{}]", "");
}

static void expect_shown(const char *text, const char *attachments, const char *want) {
  struct ck_buf b = {0};
  json_t *all = json(attachments);
  const struct render_message m = {.text = ck_str_of(text), .attachments = all};
  struct ck_str shown = render_shown_text(&b, &m);
  cr_expect(ck_str_is(shown, want), "%s becomes %.*s", text, (int)shown.n, shown.s);
  json_decref(all);
  ck_buf_free(&b);
}

Test(render_text, what_stands_for_a_listed_attachment_is_left_out) {
  static const char one[] = "[{'file':'file-1','name':'a.png'},{'name':'b'},7]";
  expect_shown("[image: file-service://file-1]\nWhat?", one, "What?");
  expect_shown("a\n[image: sediment://file-1]\n[audio: sediment://file-2]\n", one,
               "a\n[audio: sediment://file-2]\n");
  expect_shown("[image: file-service://file-1]", one, "");
  expect_shown("[image: file-service://file-12]", one, "[image: file-service://file-12]");
  expect_shown("[image: other-file-1]", one, "[image: other-file-1]");
  expect_shown("x [image: file-service://file-1]", one, "x [image: file-service://file-1]");
  expect_shown("[image: ]\n[image: \n]", one, "[image: ]\n[image: \n]");
  expect_shown("[image: file-service://file-1]", "[]", "[image: file-service://file-1]");
  expect_shown("", one, "");
}

/* details: JSON, or any other text. */
static void message_of(struct cli_message *m, json_t *object, const char *details) {
  struct ck_step step = {.branch = 1, .placed = true};
  json_object_set_new(object, "details", json_string(details));
  cli_message_of(m, object, &step);
}

static void expect_text(const char *message, const char *details, bool full, const char *want) {
  struct ck_buf b = {0};
  json_t *object = json(message), *d = json(details);
  char *text = json_dumps(d, 0);
  struct cli_message m;
  struct render_style style = {.terminal = true, .full = full, .width = 40};
  message_of(&m, object, text);
  render_text_message(&b, &m.m, &style);
  cr_expect_str_eq(ck_buf_cstr(&b), want);
  cli_message_free(&m);
  json_decref(object);
  json_decref(d);
  free(text);
  ck_buf_free(&b);
}

static bool is_kept(void *self, const json_t *attachment, struct render_attached *a) {
  (void)a;
  return strcmp(json_string_value(json_object_get(attachment, "file")), self) == 0;
}

Test(render_text, attachments_say_whether_they_are_kept) {
  char kept[] = "file-1";
  struct ck_buf b = {0};
  json_t *object = json("{'role':'user','raw_text':'','observed_at':0,'created_at':1}");
  struct cli_message m;
  struct render_style style = {
      .terminal = true, .width = 100, .attached = is_kept, .attached_self = kept};
  message_of(&m, object,
             "{\"attachments\":[{\"file\":\"file-1\",\"name\":\"a.txt\"},"
             "{\"file\":\"file-2\",\"name\":\"b.txt\",\"size\":1200},"
             "{\"file\":\"\",\"text\":\"in it\",\"type\":\"text/plain\"}]}");
  render_text_message(&b, &m.m, &style);
  cr_expect_str_eq(ck_buf_cstr(&b), "── user · 1970-01-01 00:00:00 ──\n▸ attachment a.txt\n"
                                    "▸ attachment, not kept here: b.txt (1,200 bytes)\n"
                                    "▸ attachment, only its text is kept here: without a name "
                                    "(text/plain)\n");
  cli_message_free(&m);
  json_decref(object);
  ck_buf_free(&b);
}

Test(render_text, tools_and_thinking_are_a_line_each) {
  static const char call[] =
      "{'role':'assistant','raw_text':'print(1)','observed_at':5,'created_at':5,'executions':["
      "{'target':'python','tool':'python','params':'print(1)\\nprint(2)\\nprint(3)','result_ok':1,"
      "'result_data':'1'},"
      "{'target':'web','tool':'get','params':null,'result_ok':0,'result_data':null,"
      "'result_error':'no route'},"
      "{'target':'web','tool':'get','params':null,'result_ok':0,'result_data':null,"
      "'result_error':null}]}";
  expect_text(call, "{'kind':'call'}", false,
              "▸ python: print(1) print(2) p… → ok: 1\n▸ web get → failed: no route\n"
              "▸ web get → no result\n");
  expect_text(call, "{'kind':'call'}", true,
              "── assistant · call ──\nprint(1)\n▾ python\nprint(1)\nprint(2)\nprint(3)\n▾ ok\n1\n"
              "▾ web get\n▾ failed\nno route\n▾ web get\n▾ no result\n");
  /* Of a result as text and as an object, the text. */
  static const char forms[] =
      "{'role':'assistant','raw_text':'','observed_at':5,'created_at':5,'executions':["
      "{'target':'Bash','tool':'Bash','params':'ls','result_ok':1,"
      "'result_data':'{\\'text\\':\\'a.txt\\',\\'toolUseResult\\':{\\'code\\':0}}'},"
      "{'target':'Bash','tool':'Bash','params':'cat','result_ok':1,"
      "'result_data':'{\\'text\\':\\'a.txt\\'}'}]}";
  expect_text(forms, "{}", false,
              "── assistant ──\n▸ Bash: ls → ok: a.txt\n▸ Bash: cat → ok: {\"text\":\"a.txt\"}\n");
  /* What was said to the tool is not shown twice. */
  expect_text("{'role':'assistant','raw_text':'print(1)','observed_at':5,'created_at':5,"
              "'executions':[{'target':'python','tool':'python','params':'print(1)','result_ok':1,"
              "'result_data':'1'}]}",
              "{'kind':'call','thinking':['Hm.']}", true,
              "── assistant · call ──\n▾ thinking\nHm.\n▾ python\nprint(1)\n▾ ok\n1\n");
  expect_text("{'role':'assistant','raw_text':'Hm.\\nYes.','observed_at':5}", "{'kind':'thinking'}",
              false, "▸ thinking: Hm. Yes.\n");
  expect_text("{'role':'tool','raw_text':'out'}", "{'kind':'result'}", false,
              "▸ result of tool: out\n");
  expect_text("{'role':'tool','raw_text':'out'}", "{'kind':'result','name':'web\\u001b'}", false,
              "▸ result of web<U+001B>: out\n");
  expect_text("{'role':'user','raw_text':'','observed_at':0,'created_at':1}",
              "{'attachments':[{'name':'a.txt','text':'in it'},{'file':'file-1','size':1}]}", true,
              "── user · 1970-01-01 00:00:00 ──\n▾ attachment a.txt\nin it\n"
              "▸ attachment file-1 (1 byte)\n");
  expect_text("{'role':'user','raw_text':'','observed_at':0}", "{'time_known':false}", false,
              "── user ──\n▸ (no text)\n");
}

static bool is_repeated(struct render *r, const char *row, const char *details) {
  json_t *object = json(row);
  struct cli_message m;
  message_of(&m, object, details);
  bool repeated = render_is_repeated(r, &m.m);
  cli_message_free(&m);
  json_decref(object);
  return repeated;
}

/* A record has what was executed without the blanks around it, a message has them. */
Test(render_text, a_result_is_shown_once) {
  static const char call[] =
      "{'role':'assistant','raw_text':'f()','executions':[{'target':'python',"
      "'tool':'python','params':'f()','result_ok':1,'result_data':'%s'}]}";
  char row[sizeof call + (100u << 10)], answer[sizeof row], big[100u << 10];
  memset(big, 'x', sizeof big);
  big[sizeof big - 1] = '\0';
  const char *const results[] = {"2", "two words", big};
  for (size_t i = 0; i < sizeof results / sizeof *results; ++i) {
    struct ck_buf b = {0};
    struct render *r = render_new(RENDER_TEXT, &b, &(struct render_style){.width = 50});
    snprintf(row, sizeof row, call, results[i]);
    snprintf(answer, sizeof answer, "{'role':'tool','raw_text':'%s\\n'}", results[i]);
    cr_expect_not(is_repeated(r, row, "{\"kind\":\"call\"}"));
    cr_expect(is_repeated(r, answer, "{\"kind\":\"result\"}"), "%zu", i);
    cr_expect(is_repeated(r, answer, "{\"kind\":\"error\"}"), "%zu", i);
    cr_expect_not(is_repeated(r, "{'role':'tool','raw_text':'3'}", "{\"kind\":\"error\"}"));
    cr_expect_not(is_repeated(r, "{'role':'assistant','raw_text':'2'}", "{}"));
    cr_expect_not(is_repeated(r, answer, "{\"kind\":\"result\"}"), "%zu", i);
    render_free(&r);
    ck_buf_free(&b);
  }
  expect_text(
      "{'role':'assistant','raw_text':'1/"
      "0','observed_at':5,'created_at':5,'executions':[{'target':'python',"
      "'tool':'python','params':'1/0','result_ok':0,'result_data':'no','result_error':'no'}]}",
      "{'kind':'call'}", true, "── assistant · call ──\n▾ python\n1/0\n▾ failed\nno\n");
  expect_text(
      "{'role':'assistant','raw_text':'print(1)\\n','observed_at':5,'created_at':5,'executions':["
      "{'target':'python','tool':'python','params':'print(1)','result_ok':1,"
      "'result_data':'1'}]}",
      "{'kind':'call'}", true, "── assistant · call ──\n▾ python\nprint(1)\n▾ ok\n1\n");
}

Test(render_text, nonsense_in_details_is_nothing) {
  static const char *const texts[] = {"null", "no JSON", "[1]", "", "17"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; ++i) {
    json_t *object = json("{'role':'user','raw_text':'x'}");
    struct cli_message m;
    message_of(&m, object, texts[i]);
    cr_expect_eq(json_object_size(m.m.details), 0u, "%s", texts[i]);
    cr_expect_not(m.m.hidden);
    cli_message_free(&m);
    json_decref(object);
  }
  expect_text("{'role':'user','raw_text':'x'}",
              "{'thinking':'a','attachments':{},'citations':7,'kind':3,'model':[],'hidden':'yes'}",
              false, "── user · 1970-01-01 00:00:00 ──\nx\n");
}

/* Whole files through the reader: the project's samples, files made by hand, and other people's
 * files if they exist. */
#include <criterion/criterion.h>
#include <criterion/logging.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/files/reader.h"
#include "tests/unit/test_ingest_collect.h"

static void counts(const struct collected *c, const char *format, unsigned observations,
                   unsigned executions, unsigned failures) {
  cr_assert_str_eq(c->format, format, "format %s, not %s: %s", c->format, format, c->error);
  cr_assert_eq(c->observations, observations, "%u observations, not %u", c->observations,
               observations);
  cr_assert_eq(c->executions, executions, "%u executions, not %u", c->executions, executions);
  cr_assert_eq(c->failures, failures, "%u failures, not %u: %s", c->failures, failures,
               c->first_failure);
}

static void sample(const char *path, const char *format, unsigned observations,
                   unsigned executions) {
  struct ck_buf b = {0};
  struct collected c;
  cr_assert(load_own(&b, path), "%s is not there", path);
  collect(&c, path, ck_buf_view(&b), 0);
  counts(&c, format, observations, executions, 0);
  cr_assert_str_eq(c.error, "");
  cr_assert(collect_same(path, ck_buf_view(&b)));
  collected_free(&c);
  ck_buf_free(&b);
}

Test(ingest_sources, samples) {
  sample("samples/chatgpt.json", "chatgpt", 9, 1);
  sample("samples/claude.json", "claude", 6, 2);
  sample("samples/observations.jsonl", "observations", 6, 1);
}

/* ---- other people's files ---- */

static const struct {
  const char *path, *format;
  unsigned observations, executions, failures, hidden;
  const char *first_failure, *error; /* error: a part of it, "": none */
} inputs[] = {
    {"chatgpt/realazthat-conversations.json", "chatgpt", 44, 11, 0, 2, "", ""},
    {"chatgpt/librechat-chatgpt-modern-export.json", "chatgpt", 7, 0, 1, 0,
     "conversation 2 (id 6b0f0d9c-0000-4000-8000-000000000002): mapping is missing", ""},
    {"chatgpt/polylogue-native-conversation-v1.json", "chatgpt", 8, 1, 0, 0, "", ""},
    {"claude-ai/simonw-artifacts.json", "claude", 20, 0, 0, 0, "", ""},
    {"claude-ai/simonw-example.json", "claude", 2, 0, 0, 0, "", ""},
    {"claude-ai/structurer-example.json", "claude", 4, 0, 0, 0, "", ""},
    {"claude-code/agentsessions-claude-small.jsonl", "claude code", 13, 4, 0, 0, "", ""},
    {"claude-code/agentsview-queued.jsonl", "claude code", 3, 0, 0, 0, "", ""},
    {"claude-code/ccl-edge_cases.jsonl", "claude code", 11, 4, 3, 2,
     "line 13: expected an object, got text", ""},
    {"claude-code/ccl-representative.jsonl", "claude code", 11, 4, 0, 2, "", ""},
    {"claude-code/ccl-todowrite_examples.jsonl", "claude code", 11, 6, 0, 3, "", ""},
    {"claude-code/ccv-1af7fc5e-8455-4414-9ccd-011d40f70b2a.jsonl", "claude code", 21, 24, 0, 4, "",
     ""},
    {"claude-code/ccv-5c0375b4-57a5-4f26-b12d-d022ee4e51b7.jsonl", "claude code", 45, 42, 0, 13, "",
     ""},
    {"claude-code/large.jsonl", "claude code", 10, 2, 0, 0, "", ""},
    {"claude-code/polylogue-acompact.jsonl", "claude code", 3, 0, 0, 0, "", ""},
    {"claude-code/polylogue-main.jsonl", "claude code", 12, 5, 0, 0, "", ""},
    {"claude-code/subagent-agent.jsonl", "claude code", 3, 2, 0, 0, "", ""},
    {"claude-code/subagent-main.jsonl", "claude code", 2, 1, 0, 0, "", ""},
    {"codex/agentsessions-codex-small.jsonl", "codex", 19, 24, 0, 5, "", ""},
    {"codex/dsh-custom-tool.jsonl", "codex", 4, 2, 0, 0, "", ""},
    {"codex/old-050-legacy.jsonl", "codex", 0, 0, 0, 0, "", ""},
    {"codex/old-051-usage.jsonl", "codex", 0, 0, 0, 0, "", ""},
    {"codex/old-053-rate_limit.jsonl", "codex", 1, 0, 0, 0, "", ""},
    {"copilot/agentsessions-cli-small.jsonl", "copilot", 0, 0, 0, 0, "", "GitHub Copilot"},
    {"copilot/dealenx-chat.json", "copilot", 0, 0, 0, 0, "", "GitHub Copilot"},
    {"cursor/agentsessions-transcript.jsonl", "cursor", 0, 0, 0, 0, "", "Cursor"},
    {"gemini-cli/agentsessions-jsonl_v040.jsonl", "gemini cli", 0, 0, 0, 0, "", "Gemini CLI"},
    {"gemini-cli/agentsessions-large.json", "gemini cli", 0, 0, 0, 0, "", "Gemini CLI"},
    {"gemini-takeout/aistudio.json", "aistudio", 0, 0, 0, 0, "", "AI Studio"},
    {"opencode/dsh-tool.json", "opencode", 0, 0, 0, 0, "", "opencode"},
    {"opencode/storage_v2/part/m_user_small/001.json", "opencode", 0, 0, 0, 0, "", "opencode"},
    {"opencode/storage_v2/session/proj_test/ses_s_stage0_small.json", "opencode", 0, 0, 0, 0, "",
     "opencode"},
    {"openwebui/owi-webui.json", "openwebui", 0, 0, 0, 0, "", "Open WebUI"},
    {"cases/tavern.jsonl", "sillytavern", 0, 0, 0, 0, "", "SillyTavern"},
    {"grok/owi-real-grok.json", "grok", 0, 0, 0, 0, "", "Grok"},
    {"other/structurer-example_grok.json", "grok", 0, 0, 0, 0, "", "Grok"},
    {"other/deepseek-exporter-raw-api.json", "deepseek", 0, 0, 0, 0, "", "DeepSeek"},
    {"other/librechat-openwebui-export.json", "openwebui", 0, 0, 0, 0, "", "Open WebUI"},
    {"other/fastchat-dummy_conversation.json", "sharegpt", 0, 0, 0, 0, "", "ShareGPT"},
    {"other/llamafactory-glaive_toolcall_zh_demo.json", "sharegpt", 0, 0, 0, 0, "", "ShareGPT"},
    {"other/llamafactory-v1_sft_demo.jsonl", "openai", 0, 0, 0, 0, "", "OpenAI"},
};

Test(ingest_sources, files_of_others, .timeout = 60) {
  for (size_t i = 0; i < sizeof inputs / sizeof *inputs; ++i) {
    struct ck_buf b = {0};
    struct collected c;
    if (!load_input(&b, inputs[i].path)) {
      fprintf(stderr, "../shared/inputs/%s is not there: left out\n", inputs[i].path);
      continue;
    }
    collect(&c, inputs[i].path, ck_buf_view(&b), 0);
    counts(&c, inputs[i].format, inputs[i].observations, inputs[i].executions, inputs[i].failures);
    cr_assert_eq(c.hidden, inputs[i].hidden, "%s: %u empty messages", inputs[i].path, c.hidden);
    cr_assert_str_eq(c.first_failure, inputs[i].first_failure);
    cr_assert(*inputs[i].error ? strstr(c.error, inputs[i].error) != NULL : !*c.error, "%s: %s",
              inputs[i].path, c.error);
    cr_assert(collect_same(inputs[i].path, ck_buf_view(&b)));
    collected_free(&c);
    ck_buf_free(&b);
  }
}

/* The offset of the last collected line. */
static size_t before_end(struct collected *c) {
  size_t n = c->text.len - 1;
  while (n && c->text.data[n - 1] != '\n') --n;
  return n;
}

/* A file cut anywhere gives a beginning of what the whole gives, and the error names the cut. */
static void cut_everywhere(const char *path, struct ck_str file, size_t step) {
  struct collected whole, part;
  collect(&whole, path, file, 0);
  struct ck_str head = {whole.text.data, before_end(&whole)};
  for (size_t n = 0; n < file.n; n += step) {
    collect(&part, path, (struct ck_str){file.s, n}, 0);
    size_t end = before_end(&part);
    cr_assert(part.failures || (end <= head.n && memcmp(part.text.data, head.s, end) == 0),
              "%s cut at %zu is not a beginning of the whole", path, n);
    if (n > 2 && !strstr(path, "jsonl") && part.observations < whole.observations)
      cr_assert(strstr(part.error, "cut off at byte") != NULL, "%s cut at %zu: %s", path, n,
                part.error);
    collected_free(&part);
  }
  collected_free(&whole);
}

Test(ingest_sources, cut_files, .timeout = 100) {
  static const char *const own[] = {"samples/chatgpt.json",
                                    "samples/claude.json",
                                    "samples/observations.jsonl",
                                    "tests/golden/sources/claude-content.json",
                                    "tests/golden/sources/claude-tools.json",
                                    "tests/golden/sources/claude-project.json",
                                    "tests/golden/sources/claude-memories.json",
                                    "tests/golden/sources/claude-design.json"};
  struct ck_buf b = {0};
  for (size_t i = 0; i < sizeof own / sizeof *own; ++i) {
    cr_assert(load_own(&b, own[i]));
    cut_everywhere(own[i], ck_buf_view(&b), 29);
  }
  for (size_t i = 0; i < 6; ++i)
    if (load_input(&b, inputs[i].path))
      cut_everywhere(inputs[i].path, ck_buf_view(&b), b.len / 61 + 1);
  ck_buf_free(&b);
}

/* ---- files made by hand ---- */

static void text_gives(const char *name, const char *text, const char *format,
                       unsigned observations, unsigned failures, const char *first,
                       const char *error) {
  struct collected c;
  collect_text(&c, name, text);
  counts(&c, format, observations, c.executions, failures);
  if (first) cr_assert_str_eq(c.first_failure, first, "%s", c.first_failure);
  cr_assert(error ? strstr(c.error, error) != NULL : !*c.error, "%s: %s", text, c.error);
  cr_assert(collect_same(name, ck_str_of(text)));
  collected_free(&c);
}

#define NODE(id, parent, children, author, time, more) \
  "\"" id "\":{\"id\":\"" id "\",\"parent\":" parent ",\"children\":[" children \
  "],\"message\":{\"id\":\"" id "\",\"author\":{" author "},\"create_time\":" time "," more "}}"
#define TEXT(text) \
  "\"content\":{\"content_type\":\"text\",\"parts\":[\"" text "\"]},\"recipient\":\"all\""
#define CONTENT(type, field, text) \
  "\"content\":{\"content_type\":\"" type "\",\"" field "\":" text "}"
#define TO(tool) ",\"recipient\":\"" tool "\""
#define USER "\"role\":\"user\""
#define ASSISTANT "\"role\":\"assistant\""
#define TOOL(name) "\"role\":\"tool\",\"name\":\"" name "\""

/* clang-format off */
static const char order_and_times[] =
  "[{\"id\":\"c\",\"create_time\":5,\"current_node\":\"b2\",\"mapping\":{"
  NODE("a1", "\"r\"", "\"b1\",\"b2\"", USER, "null", TEXT("q")) ","
  NODE("b1", "\"a1\"", "", ASSISTANT, "7.0004", TEXT("old")) ","
  NODE("b2", "\"a1\"", "", ASSISTANT, "null", TEXT("new")) ","
  "\"r\":{\"id\":\"r\",\"message\":null,\"parent\":null,\"children\":[\"a1\"]}}}]";

/* Two calls in a row, then their results, one of them failed; then a call without a result. */
static const char calls_and_results[] = "{\"id\":\"c\",\"mapping\":{"
  NODE("c1", "null", "\"c2\"", ASSISTANT, "1", CONTENT("text", "parts", "[\"{}\"]") TO("web")) ","
  NODE("c2", "\"c1\"", "\"r1\"", ASSISTANT, "2",
       CONTENT("code", "text", "\"1/0\"") TO("python")) ","
  NODE("r1", "\"c2\"", "\"r2\"", TOOL("python"), "3",
       CONTENT("system_error", "name", "\"E\",\"text\":\"bad\"")) ","
  NODE("r2", "\"r1\"", "\"c3\"", TOOL("web"), "4",
       CONTENT("tether_browsing_display", "result", "\"page\"")) ","
  NODE("c3", "\"r2\"", "\"u\"", ASSISTANT, "5", CONTENT("code", "text", "\"2\"") TO("python")) ","
  NODE("u", "\"c3\"", "", USER, "6", TEXT("never mind")) "}}";
/* clang-format on */

Test(ingest_sources, chatgpt_order_and_times) {
  struct collected c;
  collect_text(&c, "x.json", order_and_times);
  counts(&c, "chatgpt", 3, 0, 0);
  const char *text = ck_buf_cstr(&c.text);
  const char *first = strstr(text, "message a1 at=5000"),
             *second = strstr(text, "message b2 at=5000"),
             *third = strstr(text, "message b1 at=7000");
  cr_assert(first && second && third && first < second && second < third, "%s", text);
  collected_free(&c);
}

Test(ingest_sources, chatgpt_calls_and_results) {
  struct collected c;
  collect_text(&c, "x.json", calls_and_results);
  counts(&c, "chatgpt", 6, 3, 0); /* c3 is one, too */
  const char *text = ck_buf_cstr(&c.text);
  cr_assert(
      strstr(text,
             "message c1 at=1000 role=assistant call=c1 tool=web ok=1 result=page executed=4000"),
      "%s", text);
  cr_assert(
      strstr(
          text,
          "message c2 at=2000 role=assistant call=c2 tool=python ok=0 result=E\nbad executed=3000"),
      "%s", text);
  collected_free(&c);
}

Test(ingest_sources, chatgpt_broken_trees) {
  text_gives("x.json", "[{\"mapping\":{}}]", "chatgpt", 0, 0, NULL, NULL);
  text_gives("x.json",
             "[{\"mapping\":{},\"id\":\"a\"},{\"id\":\"b\",\"mapping\":null},{\"mapping\":[1]}]",
             "chatgpt", 0, 2, "conversation 2 (id b): mapping is missing", NULL);
  text_gives(
      "x.json",
      "[{\"id\":\"a\",\"mapping\":{\"x\":7,\"y\":{\"message\":\"m\"},\"z\":{\"message\":{}}}}]",
      "chatgpt", 1, 2, "conversation 1 (id a), node x: the node or its message is not an object",
      NULL);
  /* A cycle, a missing parent, a child with another parent, an unknown current_node. */
  text_gives("x.json",
             "[{\"id\":\"a\",\"current_node\":\"q\",\"mapping\":{\"x\":{\"parent\":\"y\","
             "\"children\":[\"y\"],\"message\":{}},\"y\":{\"parent\":\"x\",\"children\":[\"x\","
             "\"x\"],\"message\":{}},\"z\":{\"parent\":\"gone\",\"children\":[\"x\",\"z\",7],"
             "\"message\":{}},\"s\":{\"parent\":\"s\","
             "\"message\":{\"author\":{\"role\":\"assistant\"},\"recipient\":\"t\"}}}}]",
             "chatgpt", 4, 0, NULL, NULL);
  text_gives("x.json",
             "[{\"mapping\":{\"x\":{\"message\":{\"author\":7,\"content\":[],\"create_time\":\"x\","
             "\"recipient\":{},\"metadata\":3}}}}]",
             "chatgpt", 1, 0, NULL, NULL);
}

static void keep_text(void *self, const struct ingest_observation *o, const char *place) {
  (void)place;
  ck_buf_str(self, o->text);
}

static void no_failure(void *self, const char *place, const char *reason, struct ck_str raw) {
  (void)self;
  (void)raw;
  cr_assert_fail("%s: %s", place, reason);
}

static void no_begin(void *self, const struct ingest_conversation *c, const char *place) {
  (void)self;
  (void)c;
  (void)place;
}

static void no_end(void *self) { (void)self; }

static void no_note(void *self, const char *kind, uint64_t n) {
  (void)self;
  (void)kind;
  (void)n;
}

static void chatgpt_text(const char *content, const char *expected) {
  struct ck_buf file = {0}, text = {0};
  const struct ingest_visitor visitor = {&text,      no_begin, no_end, keep_text,
                                         no_failure, no_note,  NULL};
  struct ingest_reader *r = ingest_reader_new("x.json", &visitor);
  ck_buf_printf(&file,
                "[{\"id\":\"c\",\"mapping\":{\"n\":{\"message\":{\"id\":\"m\",\"content\":%s}}}}]",
                content);
  ingest_reader_feed(r, file.data, file.len);
  ingest_reader_end(r);
  cr_expect_str_eq(ck_buf_cstr(&text), expected);
  ingest_reader_free(&r);
  ck_buf_free(&file);
  ck_buf_free(&text);
}

/* Nothing of a content is lost, whether its type is known or not. */
Test(ingest_sources, chatgpt_contents) {
  chatgpt_text("{\"content_type\":\"computer_output\",\"screenshot\":{\"asset_pointer\":\"s://1\","
               "\"content_type\":\"image_asset_pointer\"},\"state\":{\"url\":\"https://e\","
               "\"title\":\"T\"}}",
               "[image: s://1]\nT\nhttps://e");
  chatgpt_text("{\"content_type\":\"citable_code_output\",\"output_str\":\"42\"}", "42");
  chatgpt_text("{\"content_type\":\"sonic_webpage\",\"title\":\"T\",\"url\":\"https://e\","
               "\"text\":\"page\"}",
               "T\nhttps://e\npage");
  chatgpt_text("{\"content_type\":\"super_widget\",\"data\":{\"a\":[1,\"b\"]}}",
               "{\"content_type\":\"super_widget\",\"data\":{\"a\":[1,\"b\"]}}");
  chatgpt_text("{\"parts\":[\"x\",\"y\"]}", "x\ny");
}

/* `parent` suffices to join a call with its result. */
Test(ingest_sources, chatgpt_without_children) {
  struct collected c;
  collect_text(&c, "x.json",
               "[{\"id\":\"c\",\"mapping\":{"
               "\"a\":{\"message\":{\"id\":\"a\",\"author\":{\"role\":\"assistant\"},"
               "\"recipient\":\"python\",\"content\":{\"content_type\":\"code\",\"text\":\"1\"}}},"
               "\"b\":{\"parent\":\"a\",\"message\":{\"id\":\"b\",\"author\":{\"role\":\"tool\"},"
               "\"content\":{\"content_type\":\"execution_output\",\"text\":\"1\"}}}}}]");
  counts(&c, "chatgpt", 2, 1, 0);
  collected_free(&c);
}

Test(ingest_sources, claude_shapes) {
  text_gives(
      "x.json",
      "{\"conversations\":[{\"uuid\":\"c\",\"chat_messages\":[{\"uuid\":\"m\",\"text\":\"t\","
      "\"sender\":\"human\"}]}]}",
      "claude", 1, 0, NULL, NULL);
  text_gives("x.json",
             "[{\"uuid\":\"c\",\"name\":\"n\",\"account\":{}},{\"uuid\":\"d\",\"chat_messages\":[7,"
             "{\"content\":{},\"attachments\":3}]},{\"chat_messages\":\"no\"}]",
             "claude", 1, 3, "conversation 1 (id c): chat_messages is missing", NULL);
  text_gives("x.json", "[{\"uuid\":\"p\",\"name\":\"n\",\"docs\":[],\"prompt_template\":\"\"}]",
             "claude project", 0, 0, NULL, NULL);
  text_gives("x.json", "[{\"uuid\":\"p\",\"full_name\":\"n\",\"email_address\":\"e\"}]",
             "claude users", 0, 0, NULL, "users.json");
}

Test(ingest_sources, claude_tools) {
  struct collected c;
  collect_text(
      &c, "x.json",
      "[{\"uuid\":\"c\",\"chat_messages\":[{\"uuid\":\"m1\",\"sender\":\"assistant\","
      "\"content\":[{\"type\":\"tool_use\",\"id\":\"t1\",\"name\":\"a\",\"input\":{}},"
      "{\"type\":\"tool_use\",\"id\":\"t2\",\"name\":\"b\"}]},{\"uuid\":\"m2\","
      "\"sender\":\"human\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"t1\","
      "\"content\":\"far\"}]},{\"uuid\":\"m3\",\"sender\":\"assistant\","
      "\"content\":[{\"type\":\"tool_use\",\"name\":\"a\"},{\"type\":\"tool_use\","
      "\"name\":\"b\"},{\"type\":\"tool_result\",\"content\":[]},{\"type\":\"tool_result\","
      "\"is_error\":true,\"content\":[{\"type\":\"image\"}]}]}]}]");
  counts(&c, "claude", 3, 4, 0);
  collected_free(&c);
}

Test(ingest_sources, observations) {
  text_gives("-",
             "{\"platform\":\"x\",\"text\":\"a\",\"message_id\":\"1\"}\n"
             "{\"platform\":\"x\"}\n"
             "\n"
             "[1]\n"
             "{\"text\":\"no\"}\n"
             "{\"platform\":\"x\",\"text\":\"b\",\"message_id\":\"2\"}",
             "observations", 3, 2, "line 4: expected an object, got an array",
             NULL); /* the one without text fails only when it becomes a changeset */
  text_gives("-", "{\"platform\":\"x\",\"text\n{\"platform\":\"x\",\"text\":\"b\"}\n",
             "observations", 1, 1, NULL, NULL);
  text_gives("a.json", "[{\"platform\":\"x\",\"text\":\"a\"},{\"text\":\"b\"}]", "observations", 1,
             1, "element 2: platform: missing", NULL);
  text_gives("-", "\xef\xbb\xbf{\"platform\":\"x\",\"text\":\"a\"}", "observations", 1, 0, NULL,
             NULL);
  text_gives("-", "{\"platform\":\"x\",\"text\":\"a\",\"type\":\"t\",\"payload\":{}}",
             "observations", 1, 0, NULL, NULL);
}

Test(ingest_sources, what_is_nothing) {
  text_gives("x", "", "empty", 0, 0, NULL, NULL);
  text_gives("x", "  \n", "empty", 0, 0, NULL, NULL);
  text_gives("x", "[]", "empty", 0, 0, NULL, NULL);
  text_gives("x", "[", "unknown", 0, 0, NULL, "cut off at byte 1");
  text_gives("x", "{\"a\":1}", "unknown", 0, 0, NULL, "unknown format");
  /* Its first character has bytes of the byte order mark. */
  text_gives("x", "\xef\xbc\x88note", "unknown", 0, 0, NULL, "invalid token near '\xef\xbc\x88'");
  text_gives("x", "hello\n", "unknown", 0, 0, NULL, "unknown format");
  text_gives("x", "PK\3\4....", "not json", 0, 0, NULL, "zip");
  text_gives("x", "\x1f\x8b.", "not json", 0, 0, NULL, "gzip");
  text_gives("x", "<!DOCTYPE html>", "not json", 0, 0, NULL, "HTML");
}

/* Bad lines are failures if a good line shows the file's format; else the file has one error. */
Test(ingest_sources, bad_lines_before_the_first_good_one) {
  struct ck_buf b = {0};
  for (int i = 0; i < 900; i++) ck_buf_printf(&b, "word %d\n{\"n\":%d}\n", i, i);
  text_gives("x.jsonl", "one\n\ntwo\n{\"three\":3}\n", "unknown", 0, 0, NULL,
             "JSON lines (line 1: ");
  text_gives("x.jsonl", "one\n{\"two\":2}\n{\"platform\":\"x\",\"text\":\"a\"}\nfour\n",
             "observations", 1, 3, NULL, NULL);
  text_gives("x.jsonl", "one\n{\"messages\":[{\"role\":\"user\"}]}\n", "openai", 0, 0, NULL,
             "OpenAI");
  text_gives("x.jsonl", "one\n{\"sessionId\":\"s\",\"type\":\"t\"}\n", "claude code", 0, 1, NULL,
             NULL);
  text_gives("x.jsonl", ck_buf_cstr(&b), "unknown", 0, 0, NULL, "unknown format");
  ck_buf_free(&b);
}

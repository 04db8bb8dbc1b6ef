/* The contents of the readable files. */
#include <criterion/criterion.h>

#include <stdio.h>

#include "store/files/artifact_text.h"

#define NOON INT64_C(1795348800000) /* 2026-11-22T12:00:00Z */

static struct ck_row message_of(const char *id, int64_t at) {
  struct ck_row row = {.table = CK_MESSAGES};
  row.v[CK_MESSAGES_ID] = ck_textz(id);
  row.v[CK_MESSAGES_OBSERVED_AT] = ck_int(at);
  return row;
}

static void expect_text(const struct ck_row *row, const struct artifact_message *messages,
                        int count, int most, const char *expected) {
  struct ck_buf out = {0};
  artifact_text(&out, row, messages, count, most);
  cr_expect_str_eq(ck_buf_cstr(&out), expected);
  ck_buf_free(&out);
}

Test(artifact_text, of_a_message) {
  struct ck_row row = message_of("m1", NOON);
  row.v[CK_MESSAGES_PLATFORM] = ck_textz("chatgpt");
  row.v[CK_MESSAGES_ROLE] = ck_textz("assistant");
  row.v[CK_MESSAGES_CONVERSATION_ID] = ck_textz("c1");
  row.v[CK_MESSAGES_PAGE_TITLE] = ck_textz("A title\nrole  forged \x1b[31m");
  row.v[CK_MESSAGES_RAW_TEXT] = ck_textz("  Hello,\nworld");
  expect_text(&row, NULL, 0, 0,
              "message        m1\n"
              "platform       chatgpt\n"
              "role           assistant\n"
              "time           2026-11-22T12:00:00.000Z\n"
              "conversation   c1\n"
              "page           A title role forged ?[31m\n"
              "\n"
              "  Hello,\nworld\n");
  row.v[CK_MESSAGES_CONVERSATION_ID] = row.v[CK_MESSAGES_PAGE_TITLE] = ck_null();
  row.v[CK_MESSAGES_PARENT_ID] = ck_textz("m0");
  row.v[CK_MESSAGES_POSITION] = ck_int(1);
  row.v[CK_MESSAGES_RAW_TEXT] = ck_textz("");
  expect_text(&row, NULL, 0, 0,
              "message        m1\n"
              "platform       chatgpt\n"
              "role           assistant\n"
              "time           2026-11-22T12:00:00.000Z\n"
              "after          m0\n"
              "position       1\n"
              "\n"
              "(no text)\n");
}

Test(artifact_text, of_an_execution) {
  struct ck_row row = {.table = CK_EXECUTIONS};
  row.v[CK_EXECUTIONS_INSTRUCTION_ID] = ck_textz("e1");
  row.v[CK_EXECUTIONS_MESSAGE_ID] = ck_textz("m1");
  row.v[CK_EXECUTIONS_TARGET] = ck_textz("browser");
  row.v[CK_EXECUTIONS_TOOL] = ck_textz("open_url");
  row.v[CK_EXECUTIONS_PARAMS] = ck_textz("{\"url\":\"x\"}");
  row.v[CK_EXECUTIONS_PARAMS_KIND] = ck_textz("inline_json");
  row.v[CK_EXECUTIONS_RESULT_OK] = ck_int(0);
  row.v[CK_EXECUTIONS_RESULT_ERROR] = ck_textz("refused\n");
  row.v[CK_EXECUTIONS_HTTP_STATUS] = ck_int(403);
  row.v[CK_EXECUTIONS_EXECUTED_AT] = ck_int(NOON);
  expect_text(&row, NULL, 0, 0,
              "execution      e1\n"
              "message        m1\n"
              "target         browser\n"
              "tool           open_url\n"
              "time           2026-11-22T12:00:00.000Z\n"
              "result         failed\n"
              "http status    403\n"
              "params kind    inline_json\n"
              "\n── params ──\n{\"url\":\"x\"}\n"
              "\n── error ──\nrefused\n");
  for (int i = CK_EXECUTIONS_PARAMS; i < CK_EXECUTIONS_COLUMNS; i++) row.v[i] = ck_null();
  row.v[CK_EXECUTIONS_RESULT_OK] = ck_int(0);
  expect_text(&row, NULL, 0, 0,
              "execution      e1\n"
              "message        m1\n"
              "target         browser\n"
              "tool           open_url\n"
              "result         none\n");
}

static struct ck_row session_row(void) {
  struct ck_row row = {.table = CK_SESSIONS};
  row.v[CK_SESSIONS_ID] = ck_textz("chatgpt:c1@2026-11-22");
  row.v[CK_SESSIONS_PLATFORM] = ck_textz("chatgpt");
  row.v[CK_SESSIONS_STARTED_AT] = ck_int(NOON);
  row.v[CK_SESSIONS_LAST_ACTIVITY_AT] = ck_int(NOON + 1500);
  row.v[CK_SESSIONS_MESSAGE_COUNT] = ck_int(2);
  row.v[CK_SESSIONS_EXECUTION_COUNT] = ck_int(0);
  row.v[CK_SESSIONS_STATIC_PATH] = ck_textz("session/s.txt");
  return row;
}

static struct ck_row line_of(const char *id, int64_t at, const char *role, const char *summary) {
  struct ck_row row = message_of(id, at);
  row.v[CK_MESSAGES_ROLE] = ck_textz(role);
  row.v[CK_MESSAGES_SUMMARY] = ck_textz(summary);
  return row;
}

Test(artifact_text, of_a_session) {
  struct ck_row row = session_row();
  struct artifact_message messages[] = {{line_of("m1", NOON, "user", NULL), false},
                                        {line_of("m2", NOON + 1500, "assistant", "Yes?"), true}};
  static const char facts[] = "session        chatgpt:c1@2026-11-22\n"
                              "platform       chatgpt\n"
                              "started        2026-11-22T12:00:00.000Z\n"
                              "last activity  2026-11-22T12:00:01.500Z\n"
                              "messages       2\n"
                              "executions     0\n"
                              "\n";
  static const char lines[] = "  2026-11-22T12:00:00.000Z  user      (no text)\n"
                              "~ 2026-11-22T12:00:01.500Z  assistant Yes?\n";
  char expected[1000];
  snprintf(expected, sizeof expected, "%s%s", facts, lines);
  expect_text(&row, messages, 2, 200, expected);
  snprintf(expected, sizeof expected, "%s  … the newest 2 messages:\n%s", facts, lines);
  expect_text(&row, messages, 2, 2, expected);
}

Test(artifact_text, of_the_session_index) {
  struct artifact_message message = {line_of("m1", NOON, "user", "Hi \"you\""), false};
  struct artifact_session sessions[] = {{session_row(), &message, 1}, {session_row(), NULL, 0}};
  struct ck_buf out = {0};
  artifact_latest_text(&out, sessions, 1);
  cr_expect_str_eq(ck_buf_cstr(&out),
                   "The sessions last active, the newest first, each with its newest messages.\n"
                   "\n2026-11-22T12:00:01.500Z  chatgpt:c1@2026-11-22\n"
                   "  messages 2, executions 0, session/s.txt\n"
                   "  2026-11-22T12:00:00.000Z  user      Hi \"you\"\n");
  ck_buf_clear(&out);
  artifact_latest_json(&out, sessions, 2);
  static const char s[] =
      "{\"id\":\"chatgpt:c1@2026-11-22\",\"platform\":\"chatgpt\",\"started_at\":1795348800000,"
      "\"last_activity_at\":1795348801500,"
      "\"message_count\":2,\"execution_count\":0,\"static_path\":\"session/s.txt\",\"messages\":[";
  char expected[1000];
  snprintf(expected, sizeof expected,
           "{\"sessions\":[\n%s\n  {\"id\":\"m1\",\"role\":\"user\",\"summary\":\"Hi "
           "\\\"you\\\"\",\"observed_at\":1795348800000}]},\n%s]}]}\n",
           s, s);
  cr_expect_str_eq(ck_buf_cstr(&out), expected);
  ck_buf_clear(&out);
  message.beside = true;
  artifact_latest_json(&out, sessions, 1);
  cr_expect(strstr(ck_buf_cstr(&out), "1795348800000,\"beside\":true}]}"), "%s", ck_buf_cstr(&out));
  ck_buf_clear(&out);
  artifact_latest_json(&out, NULL, 0);
  cr_expect_str_eq(ck_buf_cstr(&out), "{\"sessions\":[]}\n");
  ck_buf_free(&out);
}

/* Claude.ai exports of 2024 and later are imported completely, and only once. */
#include "tests/flow/exports.h"
#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/ring.h"

T_STORY(import_claude, a_real_one, 60) {
  const char *path = input_file("claude-ai/simonw-artifacts.json");
  t_up();
  check_export(path, "claude", 1, 20, 0);
  T_CHECK(t_sql_int("artifact.db",
                    "SELECT count(*) FROM messages WHERE role NOT IN ('user', 'assistant')") == 0,
          "roles are not folded to user and assistant");
  T_CHECK(t_sql_int("artifact.db",
                    "SELECT count(*) FROM messages WHERE raw_text LIKE '%<antArtifact%'") > 0,
          "the artifacts inside the text are gone");
  check_again(path);
}

T_STORY(import_claude, the_smallest, 60) {
  const char *path = input_file("claude-ai/simonw-example.json");
  t_up();
  check_export(path, "claude", 1, 2, 0);
  check_again(path);
}

T_STORY(import_claude, an_account_that_is_a_string, 60) {
  t_up();
  check_export(input_file("claude-ai/structurer-example.json"), "claude", 1, 4, 0);
}

/* Content blocks of 2025: a tool use and its result are one execution. */
T_STORY(import_claude, tool_blocks, 60) {
  t_write_text(
      "../out/claude.json",
      "[{\"uuid\":\"c-1\",\"name\":\"Tools\",\"created_at\":\"2025-05-01T10:00:00.123456Z\","
      "\"updated_at\":\"2025-05-01T10:05:00Z\",\"account\":{\"uuid\":\"a\"},"
      "\"chat_messages\":[{\"uuid\":\"u1\",\"text\":\"what time is it\","
      "\"content\":[{\"type\":\"text\",\"text\":\"what time is it\"}],\"sender\":\"human\","
      "\"created_at\":\"2025-05-01T10:00:00.123456Z\","
      "\"updated_at\":\"2025-05-01T10:00:00Z\",\"attachments\":[],\"files\":[]},"
      "{\"uuid\":\"u2\",\"text\":\"\",\"content\":[{\"type\":\"tool_use\",\"id\":\"t1\","
      "\"name\":\"clock\",\"input\":{\"zone\":\"UTC\"}},{\"type\":\"tool_result\","
      "\"tool_use_id\":\"t1\",\"name\":\"clock\",\"content\":[{\"type\":\"text\","
      "\"text\":\"10:00\"}],\"is_error\":false},{\"type\":\"text\",\"text\":\"It is ten.\"}],"
      "\"sender\":\"assistant\",\"created_at\":\"2025-05-01T10:01:00Z\","
      "\"updated_at\":\"2025-05-01T10:01:00Z\",\"attachments\":[],\"files\":[]}]}]");
  t_up();
  check_export("../out/claude.json", "claude", 1, 2, 0);
  json_t *rows = t_sql("artifact.db", "SELECT * FROM executions");
  T_CHECK(json_array_size(rows) == 1, "%zu executions, not one", json_array_size(rows));
  T_CHECK(strcmp(t_text_at(rows, "0.tool"), "clock") == 0, "the tool is %s",
          t_text_at(rows, "0.tool"));
  T_CHECK(t_int_at(rows, "0.result_ok", -1) == 1, "the result is not ok");
  T_CHECK(t_text_at(rows, "0.result_data") && strstr(t_text_at(rows, "0.result_data"), "10:00"),
          "the result is not joined: %s", json_dumps(rows, 0));
  json_decref(rows);
  check_again("../out/claude.json");
}

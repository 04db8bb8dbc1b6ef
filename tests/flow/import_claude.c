/* Claude.ai exports of 2024 and later are imported completely, and only once. */
#include <limits.h>

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

/* ---- order and branches ---- */

/* A file that the golden readings have, too. */
static const char *own_file(const char *name) {
  static char path[PATH_MAX];
  snprintf(path, sizeof path, "%s/tests/golden/sources/%s", t_root(), name);
  return path;
}

/* The current branch of a conversation: its texts, from its last message up. */
static void check_branch(const char *conversation, const char *texts) {
  char sql[640];
  snprintf(
      sql, sizeof sql,
      "WITH RECURSIVE up(id, text) AS (SELECT m.id, m.raw_text FROM local_conversations c JOIN "
      "messages m ON m.id = c.last_message_id WHERE c.local_conversation_id = '%s' "
      "UNION ALL SELECT m.id, m.raw_text || '|' || up.text FROM up JOIN messages below ON "
      "below.id = up.id JOIN messages m ON m.id = below.parent_id) "
      "SELECT text FROM up ORDER BY length(text) DESC LIMIT 1",
      conversation);
  json_t *rows = t_sql("artifact.db", sql);
  const char *said = t_text_at(rows, "0.text");
  T_CHECK(said && strcmp(said, texts) == 0, "%s reads: %s", conversation, said ? said : "nothing");
  json_decref(rows);
}

T_STORY(import_claude, branches, 60) {
  t_up();
  const char *path = own_file("claude-branches.json");
  check_export(path, "claude", 2, 8, 0);
  check_branch("claude:cb-1", "How do I cook rice?|In a pot.");
  check_branch("claude:cb-2", "one|two, again");
  T_CHECK(t_sql_int("artifact.db", "SELECT count(*) FROM messages WHERE id = 'cb-1-q2' AND "
                                   "parent_id = 'cb-1-a1b' AND position = 2") == 1,
          "a message of another branch is not in its place");
  check_again(path);
}

/* Question and answer have one time: the order is that of the file. */
T_STORY(import_claude, equal_times, 60) {
  t_up();
  check_export(input_file("cases/claude-equal-times.json"), "claude", 1, 4, 0);
  check_branch("claude:00000000-0000-4000-9000-000000002000",
               "question one|answer one|question two|answer two");
}

/* ---- nothing is lost ---- */

T_STORY(import_claude, all_of_the_tools, 60) {
  t_up();
  const char *path = own_file("claude-tools.json");
  check_export(path, "claude", 2, 7, 0);
  T_CHECK(t_sql_int("artifact.db",
                    "SELECT count(*) FROM executions WHERE result_ok = 0 AND result_data IS NULL "
                    "AND result_error IS NULL AND params LIKE '%\"content\":\"source\"%'") == 1,
          "an artifact without a result is not there whole");
  T_CHECK(t_sql_int("artifact.db", "SELECT count(*) FROM executions WHERE result_data IN "
                                   "('again', 'from nowhere', 'too many')") == 3,
          "a second result, or one without a call, is not there");
  check_again(path);
}

T_STORY(import_claude, what_is_beside_the_text, 60) {
  t_up();
  check_export(own_file("claude-content.json"), "claude", 1, 8, 0);
  T_CHECK(t_sql_int("artifact.db",
                    "SELECT count(*) FROM messages WHERE id = 'cc-a1' AND "
                    "details ->> '$.thinking[0]' = 'Tea is mentioned.' AND "
                    "details ->> '$.citations[0].url' = 'https://example.org/n'") == 1,
          "thinking and citations are not there");
  T_CHECK(t_sql_int("artifact.db", "SELECT count(*) FROM messages WHERE id = 'cc-q2' AND "
                                   "details ->> '$.attachments[0].name' = 'only-a-file.pdf'") == 1,
          "the name of a file is not there");
}

/* A conversation that nobody wrote in is there, too. */
T_STORY(import_claude, conversations_without_messages, 90) {
  t_up();
  check_export(input_file("claude-ai/owi-real-claude-430k.json"), "claude", 83, 557, 0);
  T_CHECK(t_count("local_conversations") == 85, "%lld conversations, not 85",
          (long long)t_count("local_conversations"));
}

/* ---- projects, memories and design chats ---- */

static void check_conversation(const char *conversation, const char *title, int messages) {
  char sql[256];
  snprintf(sql, sizeof sql,
           "SELECT count(*) FROM messages WHERE platform || ':' || conversation_id = '%s'",
           conversation);
  T_CHECK(t_sql_int("artifact.db", sql) == messages, "%s has %lld messages", conversation,
          (long long)t_sql_int("artifact.db", sql));
  snprintf(sql, sizeof sql,
           "SELECT count(*) FROM local_conversations WHERE local_conversation_id = '%s' AND "
           "title = '%s'",
           conversation, title);
  T_CHECK(t_sql_int("artifact.db", sql) == 1, "%s is not called %s", conversation, title);
}

/* They are kept as conversations, and even one that follows up by itself sends nothing. */
T_STORY(import_claude, what_is_beside_the_conversations, 90) {
  static const char *const files[] = {"claude-project.json", "claude-memories.json",
                                      "claude-design.json"};
  t_up();
  for (size_t i = 0; i < 3; i++) json_decref(t_import(0, own_file(files[i])));
  t_whole(20000);
  check_conversation("claude:project:p-1", "Kitchen", 4);
  check_conversation("claude:project:p-2", "Bare", 0);
  check_conversation("claude:memories:acc-1", "Memories", 5);
  check_conversation("claude:d-1", "Card", 5);
  check_branch("claude:d-1", "Draw a card\n[attachment: shot.png]\n[attachment: Hi-fi]\nSkill text|"
                             "Drawn.\nStream ended\n{\"type\":\"hologram\",\"n\":1}|"
                             "Also the back||plain");
  t_do(0, "set", "claude:project:p-1", "--automation", "auto");
  t_do(0, "set", "claude:memories:acc-1", "--automation", "auto");
  for (size_t i = 0; i < 3; i++) check_again(own_file(files[i]));
  T_CHECK(t_count("renewal_jobs") == 0, "an import made %lld jobs",
          (long long)t_count("renewal_jobs"));
}

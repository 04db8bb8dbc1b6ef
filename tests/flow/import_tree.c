/* What a ChatGPT conversation is as a tree: its branches, what it was forked from, and calls whose
 * results come later. */
#include <limits.h>
#include <stdlib.h>

#include "tests/flow/exports.h"
#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/ring.h"

static const char *source(const char *name) {
  static char path[PATH_MAX];
  snprintf(path, sizeof path, "%s/tests/golden/sources/%s", t_root(), name);
  return path;
}

static void take(const char *name) { json_decref(t_import(0, source(name))); }

/* The first value of each row, a line each. */
static void check_rows(const char *sql, const char *expected) {
  struct ck_buf b = {0};
  json_t *rows = t_sql("artifact.db", sql), *row, *value;
  const char *name;
  size_t i;
  json_array_foreach(rows, i, row) json_object_foreach(row, name, value)
      ck_buf_printf(&b, "%s\n", json_string_value(value));
  T_CHECK(strcmp(ck_buf_cstr(&b), expected) == 0, "%s:\n%s", sql, ck_buf_cstr(&b));
  json_decref(rows);
  ck_buf_free(&b);
}

/* ---- branches ---- */

/* The current branch ends where the page says, though another has the newest message. */
T_STORY(import_tree, the_current_branch, 60) {
  t_up();
  take("chatgpt-branches.json");
  check_rows("SELECT last_message_id FROM local_conversations", "a2-edited\n");
  check_rows("WITH RECURSIVE up(id, n) AS (SELECT last_message_id, 0 FROM local_conversations "
             "UNION ALL SELECT m.parent_id, n + 1 FROM up JOIN messages m ON m.id = up.id) "
             "SELECT id FROM up WHERE id IS NOT NULL ORDER BY n DESC",
             "q1\na1-again\nq2-edited\na2-edited\n");
  check_again(source("chatgpt-branches.json"));
}

/* ---- forks ---- */

/* A fork begins at its first own message. What the other conversation says itself counts more than
 * what the copy says of it, whichever came first. */
static void check_forks(void) {
  check_rows(
      "SELECT conversation_id || ' ' || ifnull(parent_id || '/', '') || id || ' ' || position "
      "FROM messages ORDER BY conversation_id, position, id",
      "c-branch b2-edited 0\nc-branch f2/b3 2\nc-branch b3/b4 3\nc-branch-2 b4/c5 4\n"
      "c-itself i1 0\nc-named f4/e5 4\nc-named e5/e6 5\nc-trunk f1 0\nc-trunk f1/f2 1\n"
      "c-trunk f2/f3 2\nc-trunk f3/f4 3\nc-trunk f4/f5 4\nc-users f2/d3 2\n");
  check_rows(
      "SELECT local_conversation_id || ' ' || ifnull(last_message_id, '-') || ' ' || title "
      "FROM local_conversations ORDER BY 1",
      "chatgpt:c-branch b4 Trunk, branched\nchatgpt:c-branch-2 c5 A branch of the branch\n"
      "chatgpt:c-itself i1 Says it is from itself\nchatgpt:c-named e6 Marked with a message\n"
      "chatgpt:c-silent - Nothing was said yet\nchatgpt:c-trunk f5 Trunk, renamed\nchatgpt:c-users "
      "d3 Marked by the user's message\n");
  check_again(source("chatgpt-forks.json"));
  check_again(source("chatgpt-trunk.json"));
}

T_STORY(import_tree, forks_and_then_the_trunk, 90) {
  t_up();
  take("chatgpt-forks.json");
  take("chatgpt-trunk.json");
  check_forks();
}

T_STORY(import_tree, the_trunk_and_then_forks, 90) {
  t_up();
  take("chatgpt-trunk.json");
  take("chatgpt-forks.json");
  check_forks();
}

/* ---- tools ---- */

#define CALL(result) \
  "[{\"conversation_id\":\"c\",\"update_time\":17672256" result "\"mapping\":{\"a\":{\"message\":" \
  "{\"id\":\"a\",\"author\":{\"role\":\"assistant\"},\"create_time\":1767225601," \
  "\"recipient\":\"python\",\"content\":{\"content_type\":\"code\",\"text\":\"1+1\"}}}"

/* A call is an execution before it has a result, and is told apart from one that failed. */
T_STORY(import_tree, a_result_that_comes_later, 60) {
  t_up();
  t_write_text("call.json", CALL("02,") "}}]");
  t_write_text(
      "result.json",
      CALL("04,") ",\"b\":{\"parent\":\"a\",\"message\":{\"id\":\"b\",\"create_time\":"
                  "1767225603,\"author\":{\"role\":\"tool\",\"name\":\"python\"},"
                  "\"content\":{\"content_type\":\"execution_output\",\"text\":\"2\"}}}}}]");
  json_decref(t_import(0, "call.json"));
  check_rows("SELECT instruction_id || ' ' || params || ' ' || result_ok || "
             "ifnull(result_data, ' none') || ifnull(result_error, ' none') FROM executions",
             "a 1+1 0 none none\n");
  json_decref(t_import(0, "result.json"));
  check_rows("SELECT instruction_id || ' ' || params || ' ' || result_ok || ' ' || result_data || "
             "ifnull(result_error, ' none') FROM executions",
             "a 1+1 1 2 none\n");
  json_decref(t_import(0, "call.json"));
  check_rows("SELECT result_ok || ' ' || result_data FROM executions", "1 2\n");
}

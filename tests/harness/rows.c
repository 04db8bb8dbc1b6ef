/* See rows.h. */
#include "tests/harness/rows.h"

#include "tests/harness/base.h"
#include "tests/harness/database.h"

static const char *const selects[] = {
    "SELECT id, platform, conversation_id, role, raw_text, summary, observed_at, parent_id,"
    " position, details FROM messages ORDER BY id",
    "SELECT instruction_id, message_id, target, tool, params, result_ok, result_data,"
    " result_error, executed_at FROM executions ORDER BY 1",
    "SELECT id, message_count, execution_count, started_at, last_activity_at FROM sessions"
    " ORDER BY id",
    "SELECT local_conversation_id, title, last_message_id, last_message_at, created_at, details"
    " FROM local_conversations ORDER BY 1",
    "SELECT link_id, local_conversation_id, target_kind, target_id, target_payload"
    " FROM conversation_links ORDER BY 1"};

json_t *t_rows(const char *file) {
  json_t *all = json_array();
  for (size_t i = 0; i < sizeof selects / sizeof *selects; ++i)
    json_array_append_new(all, t_sql(file, selects[i]));
  return all;
}

static void check(json_t *got, const json_t *expected) {
  for (size_t t = 0; t < json_array_size(expected); ++t) {
    json_t *a = json_array_get(got, t), *b = json_array_get(expected, t);
    size_t n = json_array_size(a) < json_array_size(b) ? json_array_size(a) : json_array_size(b);
    for (size_t i = 0; i < n; ++i)
      T_CHECK(json_equal(json_array_get(a, i), json_array_get(b, i)), "%.3000s\nnot\n%.3000s",
              json_dumps(json_array_get(a, i), 0), json_dumps(json_array_get(b, i), 0));
    T_CHECK(json_array_size(a) == json_array_size(b), "%zu rows, not %zu: %s", json_array_size(a),
            json_array_size(b), selects[t]);
  }
}

void t_wait_rows(const json_t *expected, int ms) {
  int64_t until = ck_boot_ms() + (int64_t)ms * T_SLOWER;
  json_t *got = NULL;
  do {
    int64_t begun = ck_boot_ms();
    json_decref(got);
    got = t_rows("artifact.db");
    if (json_equal(got, expected)) break;
    t_pause(50 + 2 * (int)(ck_boot_ms() - begun));
  } while (ck_boot_ms() < until);
  check(got, expected);
  json_decref(got);
}

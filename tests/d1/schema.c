/* sync schema --apply: whatever D1 database there is, it is made ready, once. */
#include "tests/d1/d1.h"

#include <string.h>

/* What it says of a table; NULL: nothing. Borrowed from lines. */
static const char *did(json_t *lines, const char *table) {
  size_t i;
  json_t *line;
  json_array_foreach(lines, i, line) {
    const char *its = t_text_at(line, "table");
    if (its && strcmp(its, table) == 0) return t_text_at(line, "what");
  }
  return NULL;
}

static void nothing_to_do(void) {
  int64_t before = d1_stat("rows_written");
  json_t *lines = t_lines(0, "sync", "schema", "--apply");
  T_CHECK(json_array_size(lines) == 1 && t_int_at(lines, "0.statements", -1) == 0, "there is still something to do: %s", did(lines, "messages"));
  T_CHECK(d1_stat("rows_written") == before, "rows are written where nothing is to be done");
  json_decref(lines);
}

T_STORY(d1_schema, an_empty_database_is_made_ready, 60) {
  d1_start();
  json_t *lines = t_lines(0, "sync", "schema", "--apply");
  T_CHECK(json_array_size(lines) == 7, "%zu lines for six tables", json_array_size(lines));
  T_CHECK(strcmp(did(lines, "messages"), "table, index messages_conversation") == 0, "of messages it says %s", did(lines, "messages"));
  json_decref(lines);
  nothing_to_do();
  t_daemon("store", NULL);
  t_daemon("syncd", NULL);
  d1_write(t_producer("test"), 1, 20, 0);
  d1_same(10000);
  d1_stop();
}

/* A database that somebody changed, or that an earlier version made. */
T_STORY(d1_schema, what_is_missing_is_made_and_nothing_else, 60) {
  d1_start();
  d1_ring();
  d1_write(t_producer("test"), 1, 20, 0);
  d1_settle(10000);
  json_decref(
      d1_sql("DROP TABLE sessions; DROP INDEX executions_message; ALTER TABLE messages DROP COLUMN page_title; ALTER TABLE messages DROP COLUMN static_path"));
  json_t *lines = t_lines(0, "sync", "schema", "--apply");
  T_CHECK(json_array_size(lines) == 4, "%zu lines", json_array_size(lines));
  T_CHECK(strcmp(did(lines, "messages"), "column static_path, column page_title") == 0, "of messages it says %s", did(lines, "messages"));
  T_CHECK(strcmp(did(lines, "executions"), "index executions_message") == 0, "of executions it says %s", did(lines, "executions"));
  T_CHECK(strncmp(did(lines, "sessions"), "table", 5) == 0, "of sessions it says %s", did(lines, "sessions"));
  json_decref(lines);
  nothing_to_do();
  json_decref(t_lines(0, "sync", "repair", "--deep"));
  d1_same(1000);
  d1_stop();
}

/* The predecessor's rows are older than all that is here. Those that nobody writes again are its own: neither wrong nor deleted. */
T_STORY(d1_schema, the_predecessors_database_is_brought_up, 60) {
  d1_start();
  d1_predecessor();
  json_t *lines = t_lines(0, "sync", "schema", "--apply");
  T_CHECK(strcmp(did(lines, "messages"), "column version") == 0 && json_array_size(lines) == 7, "of messages it says %s", did(lines, "messages"));
  json_decref(lines);
  nothing_to_do();
  t_daemon("store", NULL);
  t_daemon("syncd", NULL);
  d1_write(t_producer("test"), 1, 60, 0);
  d1_settle(10000);
  T_CHECK(t_status_int("sync.dead", -1) == 0, "%lld dead letters", (long long)t_status_int("sync.dead", -1));
  lines = t_lines(0, "sync", "verify", "--deep");
  T_CHECK(t_int_at(lines, "0.kept", -1) == 2, "%lld rows of its own", (long long)t_int_at(lines, "0.kept", -1));
  json_decref(lines);
  /* With its foreign keys: a message that its execution points to, a conversation without its link. */
  json_decref(d1_sql(
      "PRAGMA defer_foreign_keys = on; UPDATE messages SET version = 1 WHERE id = 'm5-1'; DELETE FROM conversation_links WHERE link_id = 'l7';"
      "INSERT INTO messages (id, platform, role, raw_text, observed_at, static_path, created_at, version) VALUES ('by-hand', 'p', 'user', '', 1, 'x', 1, 9)"));
  lines = t_lines(0, "sync", "repair");
  T_CHECK(t_int_at(lines, "3.written", -1) == 3 && t_int_at(lines, "3.left", -1) == 0, "%lld written", (long long)t_int_at(lines, "3.written", -1));
  json_decref(lines);
  T_CHECK(d1_int("SELECT count(*) AS n FROM messages WHERE id = 'other' AND raw_text = 'kept'") == 1, "a row of the predecessor's was touched");
  json_decref(d1_sql("DELETE FROM messages WHERE id = 'other'; DELETE FROM local_conversations WHERE local_conversation_id = 'c-old'"));
  d1_same(1000);
  d1_stop();
}

/* Tables that were filled without constraints: the upsert needs them. */
T_STORY(d1_schema, a_missing_unique_constraint_is_made, 60) {
  d1_start();
  json_decref(d1_sql(
      "CREATE TABLE messages (id TEXT, platform TEXT, conversation_id TEXT, role TEXT, raw_text TEXT, summary TEXT, observed_at INTEGER, static_path TEXT, "
      "page_url TEXT, page_title TEXT, organization_id TEXT, created_at INTEGER)"));
  json_t *lines = t_lines(0, "sync", "schema", "--apply");
  T_CHECK(strcmp(did(lines, "messages"), "column version, unique index on id") == 0, "of messages it says %s", did(lines, "messages"));
  json_decref(lines);
  nothing_to_do();
  t_daemon("store", NULL);
  t_daemon("syncd", NULL);
  d1_write(t_producer("test"), 1, 20, 0);
  d1_same(10000);
  d1_stop();
}

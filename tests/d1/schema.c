/* sync schema --apply on D1. */
#include <string.h>

#include "tests/d1/d1.h"
#include "tests/mirror/stories.h"

T_STORY(d1_schema, an_empty_database_is_made_ready, 60) {
  story_an_empty_database_is_made_ready(&mirror_d1);
}
T_STORY(d1_schema, what_is_missing_is_made_and_nothing_else, 60) {
  story_what_is_missing_is_made_and_nothing_else(&mirror_d1);
}
T_STORY(d1_schema, the_places_of_messages_come_to_an_older_mirror, 60) {
  story_the_places_of_messages_come_to_an_older_mirror(&mirror_d1);
}
T_STORY(d1_schema, rows_in_the_way_of_a_unique_index_are_named, 60) {
  story_rows_in_the_way_of_a_unique_index_are_named(&mirror_d1, "");
}
T_STORY(d1_schema, what_is_printed_is_what_is_missing, 60) {
  story_what_is_printed_is_what_is_missing(&mirror_d1, "");
}
T_STORY(d1_schema, the_predecessors_indexes_are_made_on_demand, 60) {
  story_the_predecessors_indexes_are_made_on_demand(&mirror_d1);
}
T_STORY(d1_schema, without_a_database_it_says_so, 60) {
  d1_start();
  t_set("d1.database", "");
  struct t_result r = t_convkeep("sync", "schema", "--old");
  T_CHECK(r.code == 1 && strstr(r.err, "d1.database") && !*r.out, "it says %s%s", r.out, r.err);
  t_result_free(&r);
  d1_stop();
}
T_STORY(d1_schema, a_missing_unique_constraint_is_made, 60) {
  d1_start();
  json_decref(d1_sql("CREATE TABLE messages (id TEXT, platform TEXT, conversation_id TEXT, role "
                     "TEXT, raw_text TEXT, summary TEXT, observed_at INTEGER, static_path TEXT, "
                     "page_url TEXT, page_title TEXT, organization_id TEXT, created_at INTEGER)"));
  story_a_missing_unique_constraint_is_made(
      &mirror_d1, "column parent_id, column position, column version, unique index on id");
}

/* The predecessor's rows are older than anything convkeep writes. Rows that convkeep never writes
 * remain the predecessor's: they do not count as wrong, and are not deleted. */
T_STORY(d1_schema, the_predecessors_database_is_brought_up, 60) {
  d1_start();
  d1_predecessor();
  json_t *lines = t_lines(0, "sync", "schema", "--apply");
  const char *table = t_text_at(lines, "0.table"), *what = t_text_at(lines, "0.what");
  T_CHECK(json_array_size(lines) == CK_TABLES + 2 && strcmp(table, "messages") == 0 &&
              strcmp(what, "column parent_id, column position, column version") == 0,
          "of %s it says %s", table, what);
  json_decref(lines);
  lines = t_lines(0, "sync", "schema", "--apply");
  T_CHECK(t_int_at(lines, "0.statements", -1) == 0, "there is still something to do");
  json_decref(lines);
  t_daemon("store", NULL);
  t_daemon("syncd", NULL);
  mirror_write(t_producer("test"), 1, 60, 0);
  mirror_settle(10000);
  mirror_none_dead();
  lines = t_lines(0, "sync", "verify", "--deep");
  T_CHECK(t_int_at(lines, "0.kept", -1) == 2, "%lld rows of its own",
          (long long)t_int_at(lines, "0.kept", -1));
  json_decref(lines);
  /* Against its foreign keys: deletes a message that an execution points to, and a conversation but
   * not its link. */
  json_decref(
      d1_sql("PRAGMA defer_foreign_keys = on; UPDATE messages SET version = 1 WHERE id = 'm5-1'; "
             "DELETE FROM conversation_links WHERE link_id = 'l7';"
             "INSERT INTO messages (id, platform, role, raw_text, observed_at, static_path, "
             "created_at, version) VALUES ('by-hand', 'p', 'user', '', 1, 'x', 1, 9)"));
  lines = t_lines(0, "sync", "repair");
  T_CHECK(t_int_at(lines, "3.written", -1) == 3 && t_int_at(lines, "3.left", -1) == 0,
          "%lld written", (long long)t_int_at(lines, "3.written", -1));
  json_decref(lines);
  T_CHECK(d1_int("SELECT count(*) AS n FROM messages WHERE id = 'other' AND raw_text = 'kept'") ==
              1,
          "a row of the predecessor's was touched");
  json_decref(d1_sql("DELETE FROM messages WHERE id = 'other'; DELETE FROM local_conversations "
                     "WHERE local_conversation_id = 'c-old'"));
  mirror_same(&mirror_d1, 20000);
  d1_stop();
}

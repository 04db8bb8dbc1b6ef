/* sync schema --apply makes a database ready, whatever is in it, and a second run does nothing. */
#include <string.h>

#include "tests/mirror/stories.h"

/* The line of the output about a table; "" if there is none. Points into `lines`. */
static const char *did(json_t *lines, const char *table) {
  size_t i;
  json_t *line;
  json_array_foreach(lines, i, line) {
    const char *its = t_text_at(line, "table");
    if (its && strcmp(its, table) == 0) return t_text_at(line, "what");
  }
  return "";
}

static void nothing_to_do(void) {
  json_t *lines = t_lines(0, "sync", "schema", "--apply");
  T_CHECK(json_array_size(lines) == 1 && t_int_at(lines, "0.statements", -1) == 0,
          "there is still something to do: %s", did(lines, "messages"));
  json_decref(lines);
}

static void fill(const struct mirror *m) {
  t_daemon("store", NULL);
  t_daemon("syncd", NULL);
  mirror_write(t_producer("test"), 1, 20, 0);
  mirror_same(m, 10000);
}

void story_an_empty_database_is_made_ready(const struct mirror *m) {
  mirror_start(m);
  json_t *lines = t_lines(0, "sync", "schema", "--apply");
  T_CHECK(json_array_size(lines) == CK_TABLES + 2, "%zu lines for eight tables",
          json_array_size(lines));
  T_CHECK(strcmp(did(lines, "messages"), "table, index messages_conversation") == 0,
          "of messages it says %s", did(lines, "messages"));
  json_decref(lines);
  nothing_to_do();
  fill(m);
  mirror_stop(m);
}

/* A database that a person or an earlier version has changed. */
void story_what_is_missing_is_made_and_nothing_else(const struct mirror *m) {
  mirror_ring(m);
  mirror_write(t_producer("test"), 1, 20, 0);
  mirror_settle(10000);
  m->sql("DROP TABLE sessions; DROP INDEX executions_message; ALTER TABLE messages DROP COLUMN "
         "page_title; ALTER TABLE messages DROP COLUMN static_path");
  json_t *lines = t_lines(0, "sync", "schema", "--apply");
  T_CHECK(json_array_size(lines) == 4, "%zu lines", json_array_size(lines));
  T_CHECK(strcmp(did(lines, "messages"), "column static_path, column page_title") == 0,
          "of messages it says %s", did(lines, "messages"));
  T_CHECK(strcmp(did(lines, "executions"), "index executions_message") == 0,
          "of executions it says %s", did(lines, "executions"));
  T_CHECK(strncmp(did(lines, "sessions"), "table", 5) == 0, "of sessions it says %s",
          did(lines, "sessions"));
  json_decref(lines);
  T_UNTIL(10000, m->number("SELECT count(*) AS n FROM sessions") == 20,
          "the table that was made is not filled again");
  mirror_settle(10000);
  int64_t before = m->written();
  nothing_to_do();
  T_CHECK(m->written() == before, "rows are written where nothing is to be done");
  json_decref(t_lines(0, "sync", "repair", "--deep"));
  mirror_same(m, 1000);
  mirror_stop(m);
}

/* A mirror of before messages had their place. */
void story_the_places_of_messages_come_to_an_older_mirror(const struct mirror *m) {
  mirror_ring(m);
  mirror_write(t_producer("test"), 1, 20, 0);
  mirror_settle(10000);
  t_down();
  m->sql("ALTER TABLE messages DROP COLUMN parent_id; ALTER TABLE messages DROP COLUMN position");
  json_t *lines = t_lines(0, "sync", "schema", "--apply");
  T_CHECK(strcmp(did(lines, "messages"), "column parent_id, column position") == 0,
          "of messages it says %s", did(lines, "messages"));
  json_decref(lines);
  nothing_to_do();
  t_daemon("store", NULL);
  t_daemon("syncd", NULL);
  t_taken(t_producer("later"), 'n', "messages",
          "{'id':'placed','platform':'p','role':'user','raw_text':'','observed_at':1,"
          "'parent_id':'m1-1','position':7,'details':'{}','original':'00'}");
  mirror_settle(10000);
  T_CHECK(m->number("SELECT count(*) AS n FROM messages WHERE id = 'placed' AND"
                    " parent_id = 'm1-1' AND position = 7") == 1,
          "its place did not arrive");
  json_decref(t_lines(0, "sync", "verify", "--deep"));
  mirror_same(m, 1000);
  mirror_stop(m);
}

/* Tables without constraints: the upsert needs them. */
void story_a_missing_unique_constraint_is_made(const struct mirror *m, const char *messages) {
  json_t *lines = t_lines(0, "sync", "schema", "--apply");
  T_CHECK(strcmp(did(lines, "messages"), messages) == 0, "of messages it says %s",
          did(lines, "messages"));
  json_decref(lines);
  nothing_to_do();
  fill(m);
  mirror_stop(m);
}

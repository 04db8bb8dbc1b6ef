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
  mirror_same(m, 20000);
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
  mirror_same(m, 20000);
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

/* The names of the rows that are said to be in the way, in order: "KEY (SHARES) …". */
static void in_the_way(json_t *lines, struct ck_buf *names) {
  size_t i;
  json_t *line;
  json_array_foreach(lines, i, line) {
    if (!t_text_at(line, "shares")) continue;
    ck_buf_printf(names, "%s.%s (%s) ", t_text_at(line, "table"), t_text_at(line, "key"),
                  t_text_at(line, "shares"));
  }
}

static void is_in_the_way(const char *expected, const char *why) {
  struct ck_buf names = {0};
  json_t *lines = t_lines(1, "sync", "schema", "--apply");
  in_the_way(lines, &names);
  json_decref(lines);
  T_CHECK(strcmp(ck_buf_cstr(&names), expected) == 0, "in the way are %s", ck_buf_cstr(&names));
  ck_buf_free(&names);
  struct t_result r = t_convkeep("sync", "schema", "--apply");
  T_CHECK(r.code == 1 && strstr(r.err, why), "it ended with %d and said %s", r.code, r.err);
  t_result_free(&r);
}

void story_rows_in_the_way_of_a_unique_index_are_named(const struct mirror *m, const char *owner) {
  mirror_start(m);
  m->sql("CREATE TABLE messages (id TEXT, platform TEXT);"
         "INSERT INTO messages VALUES ('m1', 'p'), ('m2', 'p'), ('m1', 'q'), ('m1', 'r'),"
         " ('m3', 'p'), ('m3', 'p');"
         "CREATE TABLE conversation_links (link_id TEXT PRIMARY KEY, platform TEXT,"
         " remote_conversation_id TEXT);"
         "INSERT INTO conversation_links VALUES ('l1', 'p', 'r1'), ('l2', 'p', 'r1'),"
         " ('l3', 'p', 'r2'), ('l4', 'p', NULL), ('l5', 'p', NULL), ('l6', 'q', 'r1')");
  if (*owner) m->sql(owner);
  is_in_the_way("messages.m3 (2 times) messages.m1 (3 times) ",
                "messages: 5 rows share their id, which must be unique");
  m->sql("DELETE FROM messages WHERE id <> 'm2'");
  is_in_the_way("conversation_links.l1 (p, r1) conversation_links.l2 (p, r1) ",
                "conversation_links: 2 rows share their platform, remote_conversation_id");
  m->sql("DELETE FROM conversation_links WHERE link_id = 'l2'");
  json_decref(t_lines(0, "sync", "schema", "--apply"));
  nothing_to_do();
  m->sql("DELETE FROM messages; DELETE FROM conversation_links");
  fill(m);
  mirror_stop(m);
}

/* What --old prints is what --apply runs, whatever is there. */
void story_what_is_printed_is_what_is_missing(const struct mirror *m, const char *owner) {
  mirror_start(m);
  mirror_schema(m);
  struct t_result r = t_convkeep("sync", "schema", "--old");
  T_CHECK(r.code == 0 && strcmp(r.out, "-- nothing is missing\n") == 0, "it prints %s%s", r.out,
          r.err);
  t_result_free(&r);
  m->sql("DROP TABLE sessions; ALTER TABLE messages DROP COLUMN page_title;"
         "ALTER TABLE renewal_jobs DROP COLUMN version");
  for (int i = 0; i < 2; ++i) { /* it changes nothing */
    r = t_convkeep("sync", "schema", "--old");
    T_CHECK(r.code == 0 && strstr(r.out, "ADD COLUMN page_title") &&
                strstr(r.out, "ALTER TABLE renewal_jobs ADD COLUMN version") &&
                strstr(r.out, "sessions") && !strstr(r.out, "executions"),
            "it prints %s%s", r.out, r.err);
    if (i == 0) t_result_free(&r);
  }
  m->sql(r.out);
  t_result_free(&r);
  if (*owner) m->sql(owner);
  nothing_to_do();
  fill(m);
  mirror_stop(m);
}

void story_the_predecessors_indexes_are_made_on_demand(const struct mirror *m) {
  mirror_ring(m);
  struct t_result r = t_convkeep("sync", "schema", "--indexes");
  T_CHECK(r.code == 0 && strstr(r.out, "-- jobs_status: one more row written for each new job, and"
                                       " each time that its state changes\nCREATE INDEX"),
          "it prints %s%s", r.out, r.err);
  t_result_free(&r);
  json_t *lines = t_lines(0, "sync", "schema", "--indexes", "--apply");
  T_CHECK(strstr(did(lines, "renewal_jobs"), "index jobs_status (one more row written") &&
              strstr(did(lines, "messages"), "index messages_platform"),
          "of jobs it says %s, of messages %s", did(lines, "renewal_jobs"), did(lines, "messages"));
  json_decref(lines);
  lines = t_lines(0, "sync", "schema", "--indexes", "--apply");
  T_CHECK(t_int_at(lines, "0.statements", -1) == 0, "there is still something to do: %s",
          did(lines, "renewal_jobs"));
  json_decref(lines);
  nothing_to_do();
  mirror_write(t_producer("test"), 1, 20, 0);
  mirror_same(m, 10000);
  mirror_stop(m);
}

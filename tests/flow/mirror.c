/* The mirror equals the database, in every column of the six tables, and has nothing else. */
#include "proto/records.h"
#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/ring.h"
#include "tests/harness/talk.h"

T_STORY(mirror, every_table_and_null, 60) {
  t_up();
  struct t_producer *p = t_producer("test");
  for (int i = 0; i < 20; i++) {
    t_taken(p, 'n', "messages",
            "{'id': 'm%d', 'platform': 'x', 'role': 'user', "
            "'raw_text': 'line\\none \\u00e4\\ud83d\\ude00', 'observed_at': %d, 'page_title': 'T'}",
            i, i);
    t_taken(p, 'n', "executions",
            "{'instruction_id': 'e%d', 'message_id': 'm%d', 'target': 'a', 'tool': 'b', "
            "'result_ok': 0, 'executed_at': %d, 'http_status': -1}",
            i, i, i);
    t_taken(p, 'n', "sessions",
            "{'id': 's%d', 'platform': 'x', 'started_at': 1, 'last_activity_at': 9007199254740993}",
            i);
    t_taken(p, 'n', "local_conversations",
            "{'local_conversation_id': 'l%d', 'platform': 'x', 'title': '0123'}", i);
    t_taken(p, 'n', "conversation_links",
            "{'link_id': 'k%d', 'local_conversation_id': 'l%d', 'platform': 'x', 'observed_at': 1, "
            "'route_params': {'q': 'it is \\\"so\\\"'}, 'target_payload': 'plain'}",
            i, i);
    t_taken(p, 'n', "renewal_jobs",
            "{'job_id': 'j%d', 'local_conversation_id': 'l%d', 'message_id': 'm%d', "
            "'payload': ' x ', 'next_attempt_at': null}",
            i, i, i);
  }
  t_whole(20000);
  for (int i = 0; i < 20; i++) {
    t_taken(p, 'u', "messages",
            "{'id': 'm%d', 'platform': 'x', 'role': 'user', 'raw_text': '', 'observed_at': %d, "
            "'parent_id': 'm0', 'position': 1}",
            i, i + 1000);
    t_updated(p, 'u', "", "messages", "{'id': 'm%d', 'page_title': 'mine'}", i);
    t_updated(p, 'u', "", "messages", "{'id': 'm%d', 'page_title': null}", i);
    t_updated(p, 'u', "", "renewal_jobs",
              "{'job_id': 'j%d', 'status': 'failed', 'last_error': 'because'}", i);
  }
  t_whole(20000);
}

/* The mirror of a version before messages had their place. */
T_STORY(mirror, an_older_one_is_brought_up, 60) {
  t_up();
  t_taken(t_producer("test"), 'n', "messages",
          "{'id': 'm1', 'platform': 'x', 'role': 'user', 'raw_text': '', 'observed_at': 1}");
  t_whole(20000);
  t_down();
  t_sql_run("mirror.db", "DROP VIEW messages_iso; ALTER TABLE messages DROP COLUMN parent_id;"
                         "ALTER TABLE messages DROP COLUMN position;"
                         "CREATE VIEW messages_iso AS SELECT id, version FROM messages");
  t_up();
  t_taken(t_producer("later"), 'n', "messages",
          "{'id': 'm2', 'platform': 'x', 'role': 'user', 'raw_text': '', 'observed_at': 2, "
          "'parent_id': 'm1', 'position': 1, 'details': '{}', 'original': '00'}");
  t_whole(20000);
  T_CHECK(t_sql_int("mirror.db", "SELECT count(*) FROM messages_iso WHERE parent_id = 'm1'") == 1,
          "the view does not show the place");
}

T_STORY(mirror, nothing_else_is_in_it, 60) {
  t_up();
  t_import_lines(0, "{'platform': 'x', 'text': 'a', 'message_id': 'm1', 'role': 'user', "
                    "'conversation_id': 'c', 'observed_at': 1, 'secret': 'keep me here'}\n");
  t_whole(10000);
  json_t *tables = t_sql(
             "mirror.db",
             "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"),
         *row;
  size_t i;
  json_array_foreach(tables, i, row) {
    const char *name = t_text_at(row, "name");
    if (strcmp(name, "convkeep_mirror") == 0) continue; /* its witness */
    enum ck_table t = ck_table_named(ck_str_of(name));
    T_CHECK(t != CK_TABLES && strcmp(ck_tables[t].name, name) == 0, "the mirror has a table %s",
            name);
    char sql[128];
    snprintf(sql, sizeof sql, "SELECT name FROM pragma_table_info('%s')", name);
    json_t *columns = t_sql("mirror.db", sql);
    T_CHECK((int)json_array_size(columns) == ck_tables[t].mirrored + 1,
            "%s has %zu columns in the mirror", name, json_array_size(columns));
    json_decref(columns);
  }
  T_CHECK(json_array_size(tables) == CK_TABLES + 1, "the mirror has %zu tables",
          json_array_size(tables));
  json_decref(tables);
}

/* The properties that Datasette, sqlite3 and other tools rely on. */
T_STORY(mirror, other_tools_find_keys_references_and_times, 60) {
  t_up();
  t_import_lines(0, "{'platform': 'x', 'text': 'a', 'message_id': 'm1', 'role': 'user', "
                    "'conversation_id': 'c', 'observed_at': 1732267800250}\n");
  t_whole(10000);
  T_CHECK(t_sql_int("mirror.db", "SELECT count(*) FROM messages_iso WHERE id = 'm1' AND "
                                 "observed_at = '2024-11-22T09:30:00.250Z'") == 1,
          "messages_iso does not show the time");
  T_CHECK(t_sql_int("mirror.db", "SELECT count(*) FROM pragma_foreign_key_list('executions') WHERE "
                                 "\"table\" = 'messages' AND \"to\" = 'id'") == 1,
          "executions does not refer to messages");
  T_CHECK(t_sql_int(
              "mirror.db",
              "SELECT count(*) FROM pragma_table_info('messages') WHERE pk = 1 AND name = 'id'") ==
              1,
          "messages has no key");
  T_CHECK(t_sql_int("mirror.db", "SELECT count(*) FROM pragma_foreign_key_check") == 0,
          "a record that is referred to is missing");
  T_CHECK(
      t_sql_int(
          "artifact.db",
          "SELECT count(*) FROM message_ids JOIN messages USING (id, version) WHERE id = 'm1'") ==
          1,
      "message_ids does not find the message");
}

static bool sync_state_is(const char *state) {
  json_t *status = t_status(1000);
  const char *now = t_text_at(t_daemon_entry(status, "syncd", 0), "info.state");
  bool is = now && strcmp(now, state) == 0;
  json_decref(status);
  return is;
}

/* A sink that lacks a setting says which, and the rest of the ring works. */
T_STORY(mirror, a_sink_without_its_token, 60) {
  t_set("sync.sinks", "d1");
  t_set("d1.account", "a");
  t_set("d1.database", "d");
  t_set("d1.token_file", "nowhere");
  t_up();
  t_import_lines(0, "{'platform': 'x', 'text': 'a', 'message_id': 'm1', 'role': 'user', "
                    "'conversation_id': 'c', 'observed_at': 1}\n");
  T_UNTIL(20000, sync_state_is("stopped"), "syncd does not say that it is stopped");
  json_t *status = t_status(1000);
  T_CHECK(strstr(t_text_at(status, t_sync("last_error")), "nowhere: No such file"),
          "the error does not name the file: %s", t_text_at(status, t_sync("last_error")));
  T_CHECK(t_int_at(status, t_sync("pending"), -1) == 4 &&
              t_int_at(status, "records.messages", 0) == 1,
          "status: %s", json_dumps(t_at(status, "sync"), 0));
  json_decref(status);
  char *log = t_read_file("logs/syncd.log", NULL);
  const char *error = log ? strstr(log, " error ") : NULL;
  T_CHECK(error && strstr(error, "sink_stopped") && !strstr(error + 1, " error "),
          "syncd does not say it once: %s", log);
  free(log);
}

/* A worker that starts late or is killed continues from the store's cursor; several share the
 * work. */
T_STORY(mirror, many_workers, 90) {
  t_daemon("store", NULL);
  struct t_producer *p = t_producer("test");
  char row[400], text[201];
  memset(text, 'x', 200), text[200] = 0;
  for (int i = 0; i < 3000; i++) {
    snprintf(row, sizeof row,
             "{'id': 'm%d', 'platform': 'x', 'role': 'user', 'raw_text': '%s', 'observed_at': %d}",
             i, text, i);
    t_put(p, "messages", row);
    if (i % 100 == 99) T_CHECK(t_commit(p) == 'n', "row %d: %s", i, t_refusal(p));
  }
  t_set("sync.batch", "20000");
  struct t_process *workers[3];
  for (int i = 0; i < 3; i++) workers[i] = t_daemon("syncd", NULL);
  for (int i = 0; i < 500; i++)
    t_taken(
        p, 'u', "messages",
        "{'id': 'm%d', 'platform': 'x', 'role': 'user', 'raw_text': 'changed', 'observed_at': %d}",
        i * 3, i * 3 + 1);
  t_signal(workers[1], SIGKILL);
  T_CHECK(t_wait_end(workers[1], 20000) == 128 + SIGKILL, "a worker that cannot be killed");
  for (int i = 0; i < 500; i++)
    t_taken(p, 'u', "messages",
            "{'id': 'm%d', 'platform': 'x', 'role': 'user', 'raw_text': 'changed again', "
            "'observed_at': %d}",
            i * 3, i * 3 + 2);
  t_settle(30000);
  t_check_mirror("artifact.db", "mirror.db");
  json_t *status = t_status(1000);
  T_CHECK(t_daemon_entry(status, "syncd", 1) != NULL, "the status shows fewer than two workers");
  T_CHECK(t_int_at(status, t_sync("dead_letters"), -1) == 0, "there are dead letters");
  json_decref(status);
}

/* Batches that come twice, late or out of order change nothing: the version decides. */
T_STORY(mirror, a_restart_sends_again_and_changes_nothing, 60) {
  t_up();
  t_import_lines(0, "{'platform': 'x', 'text': 'a', 'message_id': 'm1', 'role': 'user', "
                    "'conversation_id': 'c', 'observed_at': 1}\n");
  t_whole(10000);
  for (int i = 0; i < 3; i++) {
    pid_t old = t_kill("syncd", SIGKILL);
    t_import_lines(0,
                   "{'platform': 'x', 'text': 'again %d', 'message_id': 'm1', 'role': 'user', "
                   "'conversation_id': 'c', 'observed_at': %d}\n",
                   i, i + 2);
    t_wait_other("syncd", old, 10000);
  }
  t_whole(20000);
}

T_STORY(mirror, a_null_sink, 60) {
  t_set("sync.sinks", "null");
  t_up();
  t_import_lines(0, "{'platform': 'x', 'text': 'a', 'message_id': 'm1', 'role': 'user', "
                    "'conversation_id': 'c', 'observed_at': 1}\n");
  t_settle(10000);
  T_CHECK(!t_exists("mirror.db"), "the null sink wrote a mirror.db");
}

/* One row that was deleted by hand, with the ring up. */
T_STORY(mirror, verify_and_repair, 60) {
  t_up();
  t_import_lines(0, "{'platform': 'x', 'text': 'a', 'message_id': 'm1', 'role': 'user', "
                    "'conversation_id': 'c', 'observed_at': 1}\n");
  t_settle(10000);
  t_do(0, "sync", "verify");
  t_sql_run("mirror.db", "DELETE FROM messages");
  json_t *lines = t_lines(1, "sync", "verify");
  const char *key = t_text_at(lines, "0.key"), *how = t_text_at(lines, "0.how");
  T_CHECK(json_array_size(lines) == 2 && key && strcmp(key, "m1") == 0 && how &&
              strcmp(how, "missing") == 0,
          "verify does not name the row: %s", json_dumps(lines, 0));
  T_CHECK(t_int_at(lines, "1.missing", 0) == 1 && t_int_at(lines, "1.written", -1) == 0,
          "verify counts: %s", json_dumps(lines, 0));
  json_decref(lines);
  t_do(0, "sync", "repair");
  t_do(0, "sync", "verify");
  /* A column that differs: the advice is what repairs it. */
  t_sql_run("mirror.db", "UPDATE messages SET raw_text = 'b'");
  struct t_result r = t_convkeep("sync", "verify", "--deep");
  T_CHECK(r.code == 1 && strstr(r.out, "convkeep sync repair --deep writes"),
          "verify --deep ended with %d: %s", r.code, r.out);
  t_result_free(&r);
  t_do(0, "sync", "repair", "--deep");
  t_do(0, "sync", "verify", "--deep");
  t_whole(10000);
}

static int dead_letters(const char *key) {
  json_t *lines = t_lines(0, "list", "dead-letters"), *line;
  int n = 0;
  size_t i;
  json_array_foreach(lines, i, line) n += !key || strcmp(t_text_at(line, "key"), key) == 0;
  json_decref(lines);
  return n;
}

/* To people and to programs, the list says which table the row belongs to. */
static void check_the_list_names_the_table(void) {
  json_t *lines = t_lines(0, "list", "dead-letters");
  T_CHECK(strcmp(t_text_at(lines, "0.table_name"), "messages") == 0, "no table in %s",
          json_dumps(lines, 0));
  json_decref(lines);
  struct t_result r = t_convkeep("list", "dead-letters");
  const char *title = strstr(r.out, "table"), *row = strchr(r.out, '\n');
  T_CHECK(r.code == 0 && title && row && title < row && strstr(row, " messages "),
          "the table is not shown: %s%s", r.out, r.err);
  t_result_free(&r);
}

/* Two rows are refused; when that is mended, the one that is named is sent again, then the other.
 */
T_STORY(mirror, retry_of_one_and_of_all, 60) {
  t_up();
  t_import_lines(0, "{'platform': 'x', 'text': 'a', 'message_id': 'good', 'observed_at': 1}\n");
  t_settle(10000);
  t_sql_run("mirror.db", "CREATE TRIGGER refuse BEFORE INSERT ON messages WHEN NEW.id LIKE 'bad%'"
                         " BEGIN SELECT RAISE(ABORT, 'CHECK constraint failed: bad'); END");
  t_import_lines(0, "{'platform': 'x', 'text': 'a', 'message_id': 'bad-1', 'observed_at': 1}\n"
                    "{'platform': 'x', 'text': 'a', 'message_id': 'bad-2', 'observed_at': 1}\n");
  T_UNTIL(10000, dead_letters(NULL) == 2, "%d dead letters, not 2", dead_letters(NULL));
  check_the_list_names_the_table();
  t_sql_run("mirror.db", "DROP TRIGGER refuse");
  t_do(1, "sync", "retry", "good");
  json_t *lines = t_lines(0, "sync", "retry", "bad-1");
  T_CHECK(t_int_at(lines, "0.retried", 0) == 1, "%lld rows are sent again, not 1",
          (long long)t_int_at(lines, "0.retried", 0));
  json_decref(lines);
  T_CHECK(dead_letters("bad-1") == 0 && dead_letters("bad-2") == 1, "not the one that was named");
  t_settle(10000);
  T_CHECK(t_sql_int("mirror.db", "SELECT count(*) FROM messages WHERE id LIKE 'bad%'") == 1,
          "what was named is not in the mirror, or the other is");
  t_do(0, "sync", "retry");
  T_CHECK(dead_letters(NULL) == 0, "there is still a dead letter");
  t_whole(10000);
}

static void write_one(struct t_producer *p, int i) {
  t_taken(p, 'n', "messages",
          "{'id': 'm%d', 'platform': 'x', 'role': 'user', 'raw_text': '', 'observed_at': %d}", i,
          i);
}

/* The advice is about the mirror that is wrong, also where only that one is shown. */
T_STORY(mirror, the_advice_names_the_mirror, 60) {
  t_set("sync.sinks", "sqlite null");
  t_up();
  write_one(t_producer("test"), 0);
  t_settle(10000);
  t_sql_run("mirror.db", "DELETE FROM messages");
  t_says(1, "convkeep sync repair --sink sqlite writes what differs", "sync", "verify");
  t_says(0, "convkeep sync repair --sink sqlite writes what differs", "status");
  t_says(0, "convkeep sync repair --sink sqlite writes", "sync", "status", "--sink", "sqlite");
}

/* Another store's mirror is one mirror's alarm; a database that was set back is everybody's. */
T_STORY(mirror, what_was_set_back_stops_all, 60) {
  t_set("sync.sinks", "sqlite null");
  t_up();
  struct t_producer *p = t_producer("test");
  write_one(p, 0);
  t_settle(10000);
  t_sql_run("mirror.db", "UPDATE convkeep_mirror SET store_id = 'f00d', run = 'beef'");
  write_one(p, 1);
  T_UNTIL(10000, t_mirror_says("sqlite", "alarm", "other_store"), "it is no alarm");
  write_one(p, 2);
  T_UNTIL(10000, t_mirror_has_all("null"), "the other waits");
  T_CHECK(t_mirror_says("null", "alarm", NULL), "it is the other's alarm too");
  t_do(0, "sync", "adopt", "--sink", "sqlite");
  t_settle(10000);
  t_sql_run("mirror.db", "UPDATE convkeep_mirror SET version = 3000000000000000000");
  write_one(p, 3);
  T_UNTIL(10000,
          t_mirror_says("sqlite", "alarm", "set_back") && t_mirror_says("null", "alarm", "held"),
          "the other goes on");
  write_one(p, 4);
  t_says(0, "held: the database was set back, as the mirror in sqlite shows", "status");
  T_CHECK(!t_mirror_has_all("null"), "something was handed out");
  t_says(1, "settle the mirror in sqlite first", "sync", "backfill", "--sink", "null");
  t_do(0, "sync", "adopt", "--sink", "sqlite");
  t_settle(10000);
  T_CHECK(t_mirror_says("null", "alarm", NULL), "it is still held");
  t_says(1, "null keeps nothing to take over", "sync", "adopt", "--sink", "null");
}

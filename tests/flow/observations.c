/* Single observations: JSON lines on standard input, and MessagePack at ingest's door. */
#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/ring.h"
#include "tests/harness/talk.h"

#define CONVERSATION_URL "https://chatgpt.com/c/6761a3f0-1111-8000-9c4e-aaaaaaaaaaaa"
#define REMOTE "6761a3f0-1111-8000-9c4e-aaaaaaaaaaaa"

static json_t *the_only(const char *table) {
  char sql[96];
  snprintf(sql, sizeof sql, "SELECT * FROM %s", table);
  json_t *rows = t_sql("artifact.db", sql);
  T_CHECK(json_array_size(rows) == 1, "%zu rows in %s, not one", json_array_size(rows), table);
  json_t *row = json_incref(json_array_get(rows, 0));
  json_decref(rows);
  return row;
}

static void check_has(json_t *row, const char *column, const char *want) {
  const char *got = t_text_at(row, column);
  T_CHECK(got && strcmp(got, want) == 0, "%s is \"%s\", not \"%s\"", column, got ? got : "NULL",
          want);
}

/* One observation makes a message, an execution, a session, a local conversation and a link. */
T_STORY(observations, all_that_one_makes, 30) {
  t_up();
  t_import_lines(
      0, "{'platform': 'chatgpt', 'text': 'the answer', 'role': 'assistant', "
         "'message_id': 'm1', 'observed_at': '2026-03-01T12:00:00.5+01:00', 'page_url': "
         "'" CONVERSATION_URL "?model=x#here', 'page_title': 'A page', 'client_id': 'browser-1', "
         "'organization_id': 'org', 'target': {'kind': 'null', 'id': 't', 'payload': {'a': 1}}, "
         "'execution': {'instruction_id': 'e1', 'target': 'python', 'tool': 'run', "
         "'params': {'code': '1+1'}, 'result_ok': true, 'result': '2', 'http_status': 200, "
         "'executed_at': 1772362801000}}\n");
  int64_t at = 1772362800500;
  json_t *m = the_only("messages"), *e = the_only("executions"), *s = the_only("sessions"),
         *c = the_only("local_conversations"), *k = the_only("conversation_links");
  check_has(m, "conversation_id", REMOTE), check_has(m, "organization_id", "org"),
      check_has(m, "page_title", "A page"), check_has(m, "summary", "the answer");
  T_CHECK(t_int_at(m, "observed_at", 0) == at, "observed_at is %lld",
          (long long)t_int_at(m, "observed_at", 0));
  check_has(e, "message_id", "m1"), check_has(e, "result_data", "2"),
      check_has(e, "params_kind", "inline_json");
  T_CHECK(t_int_at(e, "http_status", 0) == 200 && t_int_at(e, "executed_at", 0) == 1772362801000,
          "the execution's numbers are others");
  check_has(s, "conversation_id", REMOTE), check_has(s, "id", "chatgpt:" REMOTE "@2026-03-01");
  T_CHECK(t_int_at(s, "message_count", 0) == 1 && t_int_at(s, "execution_count", 0) == 1,
          "the session's counts are others");
  check_has(c, "local_conversation_id", "chatgpt:" REMOTE), check_has(c, "last_message_id", "m1"),
      check_has(c, "automation_status", "manual");
  check_has(k, "link_id", "link:chatgpt:" REMOTE), check_has(k, "remote_conversation_id", REMOTE),
      check_has(k, "client_id", "browser-1");
  check_has(k, "target_kind", "null"), check_has(k, "target_id", "t");
  json_decref(m), json_decref(e), json_decref(s), json_decref(c), json_decref(k);
  t_whole(10000);
}

/* A hundred failures are named, and of the rest it is said how many there are. */
T_STORY(observations, many_bad_lines_are_counted, 30) {
  struct ck_buf b = {0};
  for (int i = 0; i < 150; i++) ck_buf_text(&b, "{\"platform\":\"x\",\"text\":7}\n");
  t_write_file("../out/lines", b.data, b.len);
  ck_buf_free(&b);
  struct t_result r = t_convkeep("import", "../out/lines");
  T_CHECK(r.code == 1 && strstr(r.out, ": 0 new, 0 updated, 0 unchanged, 150 failed\n"),
          "import ended with %d: %s", r.code, r.out);
  int named = 0;
  for (const char *at = r.err; (at = strstr(at, "line ")); ++at) ++named;
  T_CHECK(named == 100 && strstr(r.err, "and 50 more failed"), "%d failures are named: %s", named,
          r.err);
  t_result_free(&r);
}

/* An observation that only the store can refuse is named by its place too, and by its record in
 * refused.jsonl. */
T_STORY(observations, what_the_store_refuses_is_named, 30) {
  t_up();
  t_write_text("../out/refused", "{\"platform\":\"x\",\"message_id\":\"nobody\",\"observed_at\":1,"
                                 "\"execution\":{\"instruction_id\":\"e1\","
                                 "\"target\":\"t\",\"tool\":\"u\",\"result_ok\":true}}\n");
  json_t *lines = t_lines_in(1, "../out/refused", "import", "-");
  T_CHECK(t_int_at(lines, "0.failed", 0) == 1, "one observation cannot go in: %s",
          json_dumps(lines, 0));
  json_decref(lines);
  lines = t_read_lines("spool/refused.jsonl");
  const char *place = t_text_at(lines, "0.place"), *reason = t_text_at(lines, "0.reason");
  T_CHECK(json_array_size(lines) == 1 && place && strcmp(place, "execution e1") == 0 && reason &&
              strstr(reason, "nobody"),
          "refused.jsonl: %s", json_dumps(lines, 0));
  json_decref(lines);
}

T_STORY(observations, bad_lines_are_named, 30) {
  t_up();
  t_write_text("../out/lines",
               "{\"platform\":\"x\",\"text\":\"one\",\"message_id\":\"m1\",\"role\":\"user\","
               "\"observed_at\":1}\n"
               "{\"platform\":\"x\",\"text\":\"two\"\n"
               "\n"
               "[1, 2]\n"
               "{\"text\":\"no platform\",\"message_id\":\"m4\"}\n"
               "{\"platform\":\"x\",\"message_id\":\"m5\",\"role\":\"user\"}\n"
               "{\"platform\":\"x\",\"text\":7,\"message_id\":\"m6\"}\n"
               "{\"platform\":\"x\",\"text\":\"\xff\xfe\",\"message_id\":\"m7\"}\n"
               "{\"platform\":\"x\",\"text\":\"a time\",\"message_id\":\"m8\","
               "\"observed_at\":\"yesterday\"}\n"
               "{\"platform\":\"x\",\"text\":\"\",\"message_id\":\"m9\",\"role\":\"user\","
               "\"observed_at\":1}\n"
               "{\"platform\":\"x\",\"text\":\"last\",\"message_id\":\"m10\",\"role\":\"user\","
               "\"observed_at\":1}");
  json_t *lines = t_lines_in(1, "../out/lines", "import", "-");
  char *said = json_dumps(lines, 0);
  T_CHECK(t_int_at(lines, "0.new", -1) == 3, "three good lines: %s", said);
  T_CHECK(t_int_at(lines, "0.failed", -1) == 7, "seven bad lines: %s", said);
  static const int bad[] = {2, 4, 5, 6, 7, 8, 9};
  for (size_t i = 0; i < 7; i++) {
    char path[64], place[16];
    snprintf(path, sizeof path, "0.failures.%zu.place", i);
    snprintf(place, sizeof place, "%d", bad[i]);
    const char *got = t_text_at(lines, path);
    T_CHECK(got && strstr(got, place), "failure %zu names \"%s\", not line %s: %s", i + 1,
            got ? got : "nothing", place, said);
  }
  free(said);
  json_decref(lines);
  T_CHECK(t_count("messages") == 3, "%lld messages, not 3", (long long)t_count("messages"));
  t_whole(10000);
}

T_STORY(observations, the_same_twice_is_one, 30) {
  t_up();
  for (int i = 0; i < 2; i++)
    t_import_lines(0, "{'platform': 'claude', 'text': 'no id', 'role': 'user', "
                      "'page_url': 'https://claude.ai/chat/2f1e0c9a-0000-4000-8000-000000000001', "
                      "'observed_at': 1700000000000}\n"
                      "{'platform': 'claude', 'text': 'no id, another', 'role': 'user', "
                      "'page_url': 'https://claude.ai/chat/2f1e0c9a-0000-4000-8000-000000000001', "
                      "'observed_at': 1700000000000}\n");
  T_CHECK(t_count("messages") == 2, "%lld messages, not 2", (long long)t_count("messages"));
  T_CHECK(t_sql_int("artifact.db",
                    "SELECT count(*) FROM messages WHERE id LIKE 'msg_%' "
                    "AND conversation_id = '2f1e0c9a-0000-4000-8000-000000000001'") == 2,
          "the ids or the conversation are others");
}

/* A page that is not a conversation gives no identity, nor does a look-alike host. */
T_STORY(observations, addresses, 30) {
  t_up();
  t_import_lines(
      0, "{'platform': 'chatgpt', 'text': 'a', 'message_id': 'a', 'role': 'user', "
         "'observed_at': 1, 'page_url': 'https://chatgpt.com/c/WEB:" REMOTE "'}\n"
         "{'platform': 'chatgpt', 'text': 'b', 'message_id': 'b', 'role': 'user', "
         "'observed_at': 1, 'page_url': 'https://chatgpt.com.evil.example/c/" REMOTE "'}\n"
         "{'platform': 'gemini', 'text': 'c', 'message_id': 'c', 'role': 'user', "
         "'observed_at': 1, 'page_url': 'https://gemini.google.com/u/1/app/0123456789abcdef'}\n"
         "{'platform': 'chatgpt', 'text': 'd', 'message_id': 'd', 'role': 'user', "
         "'observed_at': 1, 'page_url': 'https://chatgpt.com/g/g-p-abc/c/" REMOTE "'}\n"
         "{'platform': 'own', 'text': 'e', 'message_id': 'e', 'role': 'user', 'observed_at': 1}\n");
  T_CHECK(t_sql_int("artifact.db", "SELECT count(*) FROM messages WHERE id IN ('a', 'e') AND "
                                   "conversation_id IS NULL") == 2,
          "a page without a conversation gave an identity");
  json_t *c = t_record("messages", "c"), *d = t_record("messages", "d");
  check_has(c, "conversation_id", "0123456789abcdef"), check_has(d, "conversation_id", REMOTE);
  json_decref(c), json_decref(d);
  T_CHECK(
      t_sql_int(
          "artifact.db",
          "SELECT count(*) FROM conversation_links WHERE remote_conversation_id LIKE '%WEB%'") == 0,
      "a provisional id became an identity");
  T_CHECK(t_sql_int("artifact.db", "SELECT count(*) FROM local_conversations "
                                   "WHERE local_conversation_id LIKE 'chatgpt:page-%'") == 1,
          "a page alone made no local conversation");
  json_t *b = t_record("messages", "b");
  char page[96];
  snprintf(page, sizeof page, "chatgpt:%s", t_text_at(b, "conversation_id"));
  json_t *read = t_lines_words(0, NULL, (const char *const[]){"read", page, "--json", NULL});
  T_CHECK(json_array_size(read) == 1, "read finds %zu messages of a page", json_array_size(read));
  json_decref(b), json_decref(read);
  T_CHECK(t_sql_int("artifact.db", "SELECT count(*) FROM sessions WHERE id LIKE 'own@%'") == 1,
          "no session without a conversation");
}

T_STORY(observations, at_the_own_door, 30) {
  t_up();
  struct ck_err err = {""};
  uint64_t one = t_observe(
      "{'platform': 'chatgpt', 'text': 'at the door', 'role': 'user', 'message_id': 'm1', "
      "'conversation_id': 'c1', 'observed_at': 1}",
      &err);
  T_CHECK(one > 0, "not accepted: %s", err.text);
  uint64_t two = t_observe(
      "{'platform': 'chatgpt', 'text': 'and another', 'message_id': 'm2', 'role': 'user', "
      "'conversation_id': 'c1', 'colour': 'red'}",
      &err);
  T_CHECK(two == one + 1, "accepted as %llu after %llu: %s", (unsigned long long)two,
          (unsigned long long)one, err.text);
  T_CHECK(t_observe("{'text': 'no platform'}", &err) == 0 && strstr(err.text, "platform"),
          "without a platform: %s", err.text);
  T_CHECK(t_observe("{'platform': 'x'}", &err) == 0 && strstr(err.text, "text"),
          "without a text: %s", err.text);
  T_CHECK(t_observe("[1]", &err) == 0 && err.text[0], "no map: %s", err.text);
  T_CHECK(t_observe("{'platform': 'own', 'message_id': 'm1', 'execution': {'instruction_id': 'e1', "
                    "'target': 'a', 'tool': 'b', 'result_ok': 0, 'error': 'no'}}",
                    &err) > 0,
          "an execution of a message that is there: %s", err.text);
  T_CHECK(
      t_observe(
          "{'platform': 'own', 'execution': {'instruction_id': 'e2', 'target': 'a', 'tool': 'b', "
          "'result_ok': 1}}",
          &err) == 0 &&
          strstr(err.text, "message_id"),
      "an execution of no message: %s", err.text);
  t_settle(10000);
  T_CHECK(t_count("messages") == 2 && t_count("executions") == 1, "%lld messages, %lld executions",
          (long long)t_count("messages"), (long long)t_count("executions"));
  t_whole(20000);
}

/* An answer that was still growing, and an old message that arrives after newer ones. */
T_STORY(observations, growing_and_late, 30) {
  t_up();
  t_import_lines(0,
                 "{'platform': 'x', 'text': 'The', 'message_id': 'm1', 'role': 'assistant', "
                 "'conversation_id': 'c', 'observed_at': 1000}\n"
                 "{'platform': 'x', 'text': 'The whole', 'message_id': 'm1', 'role': 'assistant', "
                 "'conversation_id': 'c', 'observed_at': 2000}\n"
                 "{'platform': 'x', 'text': 'next', 'message_id': 'm2', 'role': 'user', "
                 "'conversation_id': 'c', 'observed_at': 3000}\n"
                 "{'platform': 'x', 'text': 'older', 'message_id': 'm0', 'role': 'user', "
                 "'conversation_id': 'c', 'observed_at': 500}\n");
  json_t *m = t_record("messages", "m1"), *c = t_record("local_conversations", "x:c");
  check_has(m, "raw_text", "The whole");
  check_has(c, "last_message_id", "m2");
  T_CHECK(t_int_at(c, "last_message_at", 0) == 3000, "last_message_at went back");
  json_decref(m), json_decref(c);
  T_CHECK(t_sql_int("artifact.db", "SELECT sum(message_count) FROM sessions") == 3,
          "the sessions count other than 3");
  t_whole(10000);
}

/* Observations accepted while no store runs arrive when it starts. */
T_STORY(observations, a_store_that_is_away, 40) {
  t_daemon("ingest", NULL);
  struct ck_err err = {""};
  for (int i = 0; i < 100; i++) {
    char one[200];
    snprintf(one, sizeof one,
             "{'platform': 'x', 'text': 'while away', 'role': 'user', 'message_id': 'm%d', "
             "'conversation_id': 'c', 'observed_at': %d}",
             i, i);
    T_CHECK(t_observe(one, &err) > 0, "without a store: %s", err.text);
  }
  T_CHECK(t_kill("ingest", SIGKILL) > 0, "no ingest");
  t_daemon("store", NULL);
  t_daemon("ingest", NULL);
  T_UNTIL(10000, t_count("messages") == 100, "%lld of 100 arrived", (long long)t_count("messages"));
  T_UNTIL(10000, t_status_int("spool.pending", -1) == 0,
          "the spool keeps changesets that have receipts");
}

/* ---- the same observation again ---- */

/* Imports one line and compares the tally. of: the line, with # for the message id and ' for ". */
static void observe(const char *counts, const char *of, const char *message) {
  char line[400];
  const char *id = strchr(of, '#');
  snprintf(line, sizeof line, "%.*s%s%s", (int)(id - of), of, message, id + 1);
  for (char *p = line; *p; p++)
    if (*p == '\'') *p = '"';
  t_write_text("../out/line.jsonl", line);
  json_t *r = t_import(0, "../out/line.jsonl");
  char got[64];
  snprintf(got, sizeof got, "%lld new %lld updated %lld unchanged",
           (long long)t_int_at(r, "new", -1), (long long)t_int_at(r, "updated", -1),
           (long long)t_int_at(r, "unchanged", -1));
  T_CHECK(strcmp(got, counts) == 0, "%s: %s, not %s", line, got, counts);
  json_decref(r);
}

#define NEW "1 new 0 updated 0 unchanged"
#define UPDATED "0 new 1 updated 0 unchanged"
#define UNCHANGED "0 new 0 updated 1 unchanged"

/* An observation without a time changes nothing the second time; a new one becomes its
 * conversation's last message all the same. */
T_STORY(observations, without_a_time_again, 60) {
  static const char line[] =
      "{'platform': 'x', 'conversation_id': 'c', 'role': 'user', 'text': 'a', "
      "'message_id': '#', 'page_url': 'https://h/p', 'execution': {'target': 't', "
      "'tool': 'u', 'result_ok': 1}}\n";
  t_up();
  int64_t before = ck_now_ms();
  observe(NEW, line, "m1");
  int64_t head = t_status_int("version", -1);
  T_UNTIL(1000, ck_now_ms() > before + 20, "time stands still");
  observe(UNCHANGED, line, "m1");
  T_CHECK(t_status_int("version", -1) == head, "the same again has version %lld, not %lld",
          (long long)t_status_int("version", -1), (long long)head);
  observe(NEW, line, "m2");
  json_t *m1 = t_record("messages", "m1"), *m2 = t_record("messages", "m2"),
         *c = t_record("local_conversations", "x:c");
  int64_t at = t_int_at(m2, "observed_at", -1);
  T_CHECK(t_int_at(m1, "observed_at", -1) >= before && at > t_int_at(m1, "observed_at", -1),
          "observed_at: %s %s", json_dumps(m1, 0), json_dumps(m2, 0));
  check_has(c, "last_message_id", "m2");
  T_CHECK(t_int_at(c, "last_message_at", -1) == at, "the last message was at %lld, not %lld",
          (long long)t_int_at(c, "last_message_at", -1), (long long)at);
  json_t *s = t_sql("artifact.db", "SELECT * FROM sessions WHERE id LIKE 'x:c@%' ORDER BY id DESC"),
         *k = the_only("conversation_links");
  T_CHECK(t_int_at(s, "0.last_activity_at", -1) == at && t_int_at(k, "observed_at", -1) == at,
          "session and link: %s %s", json_dumps(s, 0), json_dumps(k, 0));
  head = t_status_int("version", -1);
  observe(UNCHANGED, line, "m1");
  T_CHECK(t_status_int("version", -1) == head, "the first one again moved something");
  observe(UPDATED,
          "{'platform': 'x', 'conversation_id': 'c', 'role': 'user', 'text': 'a', "
          "'message_id': '#', 'execution': {'instruction_id': 'late', 'target': 't', 'tool': 'u', "
          "'result_ok': 1}}\n",
          "m1");
  /* Its text may still grow, and its time stays. */
  observe(UPDATED,
          "{'platform': 'x', 'conversation_id': 'c', 'role': 'user', 'text': 'a and more', "
          "'message_id': '#'}\n",
          "m1");
  json_t *grown = t_record("messages", "m1"), *after = t_record("local_conversations", "x:c");
  check_has(grown, "raw_text", "a and more"), check_has(after, "last_message_id", "m2");
  T_CHECK(t_int_at(grown, "observed_at", -1) == t_int_at(m1, "observed_at", -2),
          "a message that grew has another time");
  json_decref(m1), json_decref(m2), json_decref(c), json_decref(s), json_decref(k),
      json_decref(grown), json_decref(after);
  t_whole(10000);
}

static void check_in_session(const char *session, const char *message, bool wanted) {
  struct t_result r = t_convkeep("show", session, "--json");
  T_CHECK(r.code == 0, "show %s: %s", session, r.err);
  json_t *shown = json_loads(r.out, 0, NULL), *one;
  bool there = false;
  size_t i;
  json_array_foreach(t_at(shown, "messages"), i, one) there |=
      strcmp(t_text_at(one, "id"), message) == 0;
  T_CHECK(there == wanted, "%s is %s %s: %s", message, there ? "in" : "not in", session, r.out);
  json_decref(shown);
  t_result_free(&r);
}

static void check_session_file(const char *name, int messages) {
  char path[96];
  snprintf(path, sizeof path, "artifacts/session/2026/03/%s", name);
  char *text = t_read_file(path, NULL);
  int n = 0;
  for (const char *p = text; p && (p = strstr(p, "Z  user ")); p++) n++;
  T_CHECK(n == messages, "%s lists %d messages, not %d: %s", path, n, messages, text);
  free(text);
}

/* A message stays in the session of the day on which it was first observed, whenever it is seen
 * again, and is counted there. */
T_STORY(observations, seen_again_on_another_day, 60) {
  t_set("artifacts.form", "records");
  static const char day1[] =
      "{'platform': 'x', 'conversation_id': 'c', 'role': 'user', 'text': 'a', "
      "'message_id': '#', 'observed_at': '2026-03-01T23:00:00Z'}\n";
  static const char day2[] =
      "{'platform': 'x', 'conversation_id': 'c', 'role': 'user', 'text': 'a', "
      "'message_id': '#', 'observed_at': '2026-03-02T01:00:00Z'}\n";
  static const char more2[] =
      "{'platform': 'x', 'conversation_id': 'c', 'role': 'user', 'text': 'b', "
      "'message_id': '#', 'observed_at': '2026-03-02T02:00:00Z'}\n";
  t_up();
  observe(NEW, day1, "m1");
  observe(NEW, day1, "m2");
  observe(UPDATED, day2, "m1");
  T_CHECK(t_count("sessions") == 1, "seeing a message again made a session: %lld",
          (long long)t_count("sessions"));
  check_in_session("x:c@2026-03-01", "m1", true);
  observe(NEW, more2, "m3");
  observe(UPDATED, more2, "m1");
  check_in_session("x:c@2026-03-01", "m1", true), check_in_session("x:c@2026-03-01", "m2", true),
      check_in_session("x:c@2026-03-01", "m3", false);
  check_in_session("x:c@2026-03-02", "m1", false), check_in_session("x:c@2026-03-02", "m3", true);
  T_CHECK(t_sql_int("artifact.db",
                    "SELECT message_count FROM sessions WHERE id = 'x:c@2026-03-01'") == 2 &&
              t_sql_int("artifact.db", "SELECT sum(message_count) FROM sessions") ==
                  t_count("messages"),
          "the sessions count %lld of %lld messages",
          (long long)t_sql_int("artifact.db", "SELECT sum(message_count) FROM sessions"),
          (long long)t_count("messages"));
  t_whole(10000);
  /* The readable files say so too, also when they are made again. */
  t_do(0, "rebuild", "artifacts");
  check_session_file("01/x%3Ac%402026-03-01.txt", 2);
  check_session_file("02/x%3Ac%402026-03-02.txt", 1);
}

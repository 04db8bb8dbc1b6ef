/* What came in comes back as it came, whoever asks and however large it is; and what cannot come
 * back is said. */
#include "tests/harness/originals.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/ring.h"
#include "tests/harness/terminal.h"

/* A conversation with one message and one execution, of this original; NULL: of none. */
static void put_conversation(struct t_producer *p, const char *name, const char *original) {
  char row[600], given[80] = "";
  if (original) snprintf(given, sizeof given, ", 'original': '%s'", original);
  snprintf(
      row, sizeof row,
      "{'id': 'message-of-%s', 'platform': 'x', 'conversation_id': 'remote-%s', 'role': 'user',"
      " 'raw_text': 'hello', 'observed_at': 1700000000000%s}",
      name, name, given);
  t_put(p, "messages", row);
  snprintf(row, sizeof row,
           "{'instruction_id': 'execution-of-%s', 'message_id': 'message-of-%s', 'target': 't',"
           " 'tool': 'ls', 'executed_at': 1700000000000%s}",
           name, name, given);
  t_put(p, "executions", row);
  snprintf(row, sizeof row, "{'local_conversation_id': 'conversation-%s', 'platform': 'x'}", name);
  t_put(p, "local_conversations", row);
  snprintf(row, sizeof row,
           "{'link_id': 'link-%s', 'local_conversation_id': 'conversation-%s', 'platform': 'x',"
           " 'remote_conversation_id': 'remote-%s', 'observed_at': 1700000000000}",
           name, name, name);
  t_put(p, "conversation_links", row);
  char result = t_commit(p);
  T_CHECK(result == 'n' || result == 'u', "%s: '%c' %s", name, result, t_refusal(p));
}

static void gives(const char *id, struct ck_str bytes) {
  struct t_result r = t_convkeep("original", id);
  T_CHECK(r.code == 0, "original %s: exit %d, %s", id, r.code, r.err);
  T_CHECK(r.out_size == bytes.n && memcmp(r.out, bytes.s, bytes.n) == 0,
          "original %s: %zu bytes, not %zu; or others", id, r.out_size, bytes.n);
  t_result_free(&r);
}

static void fails(const char *id, const char *part) {
  struct t_result r = t_convkeep("original", id);
  T_CHECK(r.code == 1 && strstr(r.err, part), "original %s: exit %d, %s; not %s", id, r.code, r.err,
          part);
  T_CHECK(r.out_size == 0, "original %s: %zu bytes", id, r.out_size);
  t_result_free(&r);
}

T_STORY(originals, come_back_by_every_id, 60) {
  t_daemon("store", NULL);
  struct t_producer *p = t_producer("importer");
  struct ck_str bytes[] = {CK_LIT("{\"older\": \"\xc3\xa9\"}"),
                           CK_LIT("{\"newer\":\r\n \"\\u00e9\"}")};
  struct ck_original both[] = {{.platform = CK_LIT("x"),
                                .conversation = CK_LIT("remote-one"),
                                .age = 1,
                                .reader = CK_LIT("test 1")},
                               {.platform = CK_LIT("x"),
                                .conversation = CK_LIT("remote-one"),
                                .age = 2,
                                .reader = CK_LIT("test 1")}};
  t_block(p, both, bytes, 2, 100);
  put_conversation(p, "one", t_original_id(bytes[0]));
  char beginning[9];
  snprintf(beginning, sizeof beginning, "%.8s", t_original_id(bytes[0]));
  gives("message-of-one", bytes[0]);
  gives("execution-of-one", bytes[0]);
  gives("message-", bytes[0]);
  gives("conversation-one", bytes[1]);
  gives("remote-one", bytes[1]);
  gives(t_original_id(bytes[1]), bytes[1]);
  gives(beginning, bytes[0]);
  struct t_result r = t_terminal(80, "original", beginning);
  T_CHECK(r.code == 0 && strcmp(r.out, "{\"older\": \"\xc3\xa9\"}\n") == 0, "a terminal shows %s",
          r.out);
  t_result_free(&r);
  put_conversation(p, "two", NULL);
  fails("message-", "several ids begin so");
  fails("message-of-two", "no original of the message is kept");
  fails("execution-of-two", "no original of the execution is kept");
  fails("conversation-two", "no original of the conversation is kept");
  fails("00000000", "no such record or original");
  fails("nothing", "no such record or original");
}

/* Also where a piece of the answer ends within a character, or within a line break. */
T_STORY(originals, a_terminal_shows_what_it_would_obey, 60) {
  t_daemon("store", NULL);
  struct t_producer *p = t_producer("importer");
  static const char *const ends[][2] = {{"\xc3\xa9\r\n\xe2\x80\xae", "\xc3\xa9\n<U+202E>\n"},
                                        {"\r\n\033[2J\r", "\n<U+001B>[2J<U+000D>\n"},
                                        {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80\n"},
                                        {"\xff\xe6\xbc", "<FF><E6><BC>\n"}};
  for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
    char *prose = t_prose(CK_FETCH_MAX - 1),
         *text = ck_sprintf("%.*s%s", (int)CK_FETCH_MAX - 1, prose, ends[i][0]);
    struct ck_str bytes = ck_str_of(text);
    struct ck_original one = {.reader = CK_LIT("test 1")};
    t_block(p, &one, &bytes, 1, CK_BLOCK_PART);
    struct t_result r = t_terminal(80, "original", t_original_id(bytes));
    const char *want = ends[i][1];
    size_t n = strlen(want);
    T_CHECK(r.code == 0 && r.out_size == CK_FETCH_MAX - 1 + n &&
                strcmp(r.out + r.out_size - n, want) == 0,
            "%zu: exit %d, %zu bytes, with the end %s", i, r.code, r.out_size,
            r.out + r.out_size - 40);
    t_result_free(&r);
    free(text);
    free(prose);
  }
}

T_STORY(originals, of_any_size, 60) {
  const size_t n = 20000000;
  t_daemon("store", NULL);
  struct t_producer *p = t_producer("importer");
  char *prose = t_prose(n);
  struct ck_str bytes[] = {CK_LIT("first"), {prose, n}, CK_LIT("last")};
  struct ck_original all[3] = {{.reader = CK_LIT("test 1")}};
  all[1] = all[2] = all[0];
  t_block(p, all, bytes, 3, CK_BLOCK_PART);
  T_CHECK(t_count("block_parts") > 3, "it fits into %lld parts", (long long)t_count("block_parts"));
  for (int i = 0; i < 3; i++) gives(t_original_id(bytes[i]), bytes[i]);
  t_do(0, "original", t_original_id(bytes[0]), "-o", "-");
  T_CHECK(!t_exists("-"), "a file has the name of standard output");
  t_do(0, "original", t_original_id(bytes[1]), "-o", "../out/copy");
  size_t size;
  char *copy = t_read_file("../out/copy", &size);
  T_CHECK(size == n && memcmp(copy, prose, n) == 0, "the file has other bytes");
  free(copy);
  free(prose);
}

/* The command says what it cannot give, and exits with 1; the records can be read all the same. */
T_STORY(originals, damage_is_said, 60) {
  t_daemon("store", NULL);
  struct t_producer *p = t_producer("importer");
  struct ck_str bytes[] = {CK_LIT("{\"a\": 1}"), CK_LIT("{\"b\": 2}")};
  struct ck_original a = {.reader = CK_LIT("test 1")}, b = a;
  t_block(p, &a, &bytes[0], 1, 100);
  t_block(p, &b, &bytes[1], 1, 100);
  put_conversation(p, "a", t_original_id(bytes[0]));
  put_conversation(p, "b", t_original_id(bytes[1]));
  put_conversation(p, "c", "0123456789abcdef0123456789abcdef");
  t_down();
  t_sql_run("artifact.db", "UPDATE block_parts SET data = x'28b52ffd' WHERE block = 1;"
                           "UPDATE originals SET at = at + 1, bytes = bytes - 1 WHERE block = 2");
  t_daemon("store", NULL);
  fails("message-of-a", "block 1");
  struct t_result r = t_convkeep("original", "message-of-b");
  T_CHECK(r.code == 1 && strstr(r.err, "damaged"), "exit %d, %s", r.code, r.err);
  T_CHECK(r.out_size == bytes[1].n - 1, "what can be read is written: %s", r.out);
  t_result_free(&r);
  fails("message-of-c", "is missing");
  t_do(0, "show", "message-of-a");
  t_do(0, "show", "message-of-c");
  t_doctor_finds(1, "originals", "wrong", "2 of 2 damaged; the first is original");
  t_doctor_finds(1, "originals", "wrong", "name 1 that is missing; the first is 0123456789abcdef");
}

/* Starts the store's doctor, or asks how far it is: how many checks are done. *found: the result of
 * the one of originals; NULL until it is there. */
static int64_t doctor_task(const char **found) {
  static json_t *info;
  struct ck_message m = {.kind = CK_MSG_TASK}, answer;
  struct ck_err err;
  zmq_msg_t frame;
  size_t i;
  json_t *line;
  m.as.task = (struct ck_task){0, CK_LIT("doctor"), CK_LIT("one"), {0}};
  T_CHECK(t_ask(CK_DOOR_SNAPSHOT, &m, &answer, &frame, 5000, &err) == 0, "%s", err.text);
  json_decref(info);
  info = t_json_of(answer.as.info.info);
  zmq_msg_close(&frame);
  json_array_foreach(json_object_get(info, "lines"), i,
                     line) if (strcmp(t_text_at(line, "check"), "originals") == 0) *found =
      t_text_at(line, "result");
  return t_int_at(info, "done", 0);
}

T_STORY(originals, doctor_waits_for_one_on_its_way, 60) {
  t_daemon("store", NULL);
  struct t_producer *p = t_producer("importer");
  struct ck_str bytes = CK_LIT("{\"a\": 1}");
  struct ck_original a = {.reader = CK_LIT("test 1")};
  const char *found = NULL;
  put_conversation(p, "a", t_original_id(bytes));
  /* Eight checks come before that of the originals. */
  T_UNTIL(20000, doctor_task(&found) >= 8, "doctor does not come to the originals");
  t_block(p, &a, &bytes, 1, 100);
  T_UNTIL(20000, doctor_task(&found) > 8 && found, "doctor says nothing about the originals");
  T_CHECK(strcmp(found, "ok") == 0, "it did not wait: %s", found);
}

T_STORY(originals, go_with_a_backup, 60) {
  t_daemon("store", NULL);
  struct t_producer *p = t_producer("importer");
  char *prose = t_prose(3000000);
  struct ck_str bytes[] = {CK_LIT("{\"a\": 1}"), {prose, 3000000}};
  struct ck_original a[2] = {
      {.platform = CK_LIT("x"), .conversation = CK_LIT("remote-a"), .reader = CK_LIT("test 1")},
      {.reader = CK_LIT("test 1")}};
  t_block(p, a, bytes, 2, CK_BLOCK_PART);
  put_conversation(p, "a", t_original_id(bytes[0]));
  t_do(0, "backup", "../out/copy.db");
  t_down();
  t_sql_run("artifact.db", "DELETE FROM originals; DELETE FROM blocks; DELETE FROM block_parts");
  t_do(0, "restore", "../out/copy.db");
  gives("message-of-a", bytes[0]);
  gives(t_original_id(bytes[1]), bytes[1]);
  t_doctor_finds(0, "originals", "ok", "2, each as it came");
  free(prose);
}

/* ---- with imports ---- */

/* An export of two conversations, in odd but good JSON, with what is in each. */
static const char *const elements[] = {
    "{\"conversation_id\": \"conversation-1\" , \"title\":\"\\u00e9\xc3\xa9\",\r\n"
    "\"create_time\": 1700000000.5, \"update_time\": 1700000900, \"current_node\": \"n2\",\n"
    " \"mapping\": {\"n1\": {\"id\": \"n1\", \"parent\": null, \"children\": [\"n2\"], \"message\":"
    " {\"id\": \"n1\", \"author\": {\"role\": \"user\"}, \"create_time\": 1700000000.5,"
    " \"content\": {\"content_type\": \"text\", \"parts\": [\"a question\"]}}},"
    "\"n2\": {\"id\": \"n2\", \"parent\": \"n1\", \"children\": [], \"message\":"
    " {\"id\": \"n2\", \"author\": {\"role\": \"assistant\"}, \"create_time\": 1700000001,"
    " \"content\": {\"content_type\": \"text\", \"parts\": [\"an answer\"]}}}}}",
    "{\"mapping\": {\"m1\": {\"id\": \"m1\", \"parent\": null, \"children\": [], \"message\":"
    " {\"id\": \"m1\", \"author\": {\"role\": \"user\"}, \"create_time\": 1700000002,"
    " \"content\": {\"content_type\": \"text\", \"parts\": [\"alone\"]}}}},"
    " \"conversation_id\": \"conversation-2\", \"title\": \"two\", \"create_time\": 1700000002,"
    " \"update_time\": 1700000003, \"current_node\": \"m1\"}"};

static void write_export(void) {
  struct ck_buf b = {0};
  ck_buf_printf(&b, "[\n %s ,\t%s]\n", elements[0], elements[1]);
  t_write_file("../out/export.json", b.data, b.len);
  ck_buf_free(&b);
}

/* Everything that a rebuild may change: all rows, with their versions. */
static char *everything(void) {
  static const char *const tables[] = {
      "messages",  "executions", "sessions",    "local_conversations", "conversation_links",
      "originals", "blocks",     "block_parts", "originals_grown"};
  struct ck_buf all = {0};
  for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
    char sql[200];
    snprintf(
        sql, sizeof sql, "SELECT * FROM %s ORDER BY 1",
        strcmp(tables[i], "block_parts") == 0 ? "(SELECT block, part, hex(data) FROM block_parts)"
        : strcmp(tables[i], "originals") == 0
            ? "(SELECT original, hex(id), block, at, bytes, conversation, age, reader, messages,"
              " executions, log FROM originals)"
            : tables[i]);
    json_t *rows = t_sql("artifact.db", sql);
    char *text = json_dumps(rows, JSON_SORT_KEYS);
    ck_buf_text(&all, text);
    free(text);
    json_decref(rows);
  }
  char *copy = ck_str_dup(ck_buf_view(&all));
  ck_buf_free(&all);
  return copy;
}

static void rebuild_counts(int originals, int added, int updated, int unchanged, int failed) {
  json_t *lines = t_lines(failed ? 1 : 0, "rebuild", "messages"), *line = json_array_get(lines, 0);
  char *said = json_dumps(lines, 0);
  T_CHECK(
      t_int_at(line, "originals", -1) == originals && t_int_at(line, "new", -1) == added &&
          t_int_at(line, "updated", -1) == updated &&
          t_int_at(line, "unchanged", -1) == unchanged && t_int_at(line, "failed", -1) == failed,
      "rebuild messages says %s; %d originals, %d new, %d updated, %d unchanged, %d failed were "
      "expected",
      said, originals, added, updated, unchanged, failed);
  free(said);
  json_decref(lines);
}

static void gives_the_export(void) {
  gives("n1", ck_str_of(elements[0]));
  gives("n2", ck_str_of(elements[0]));
  gives("conversation-2", ck_str_of(elements[1]));
}

T_STORY(originals, of_an_import_and_a_rebuild, 90) {
  write_export();
  t_import_counts("../out/export.json", 3, 0, 0, 0);
  gives_the_export();
  t_doctor_finds(0, "originals", "ok", "2, each as it came");
  char *before = everything();
  rebuild_counts(2, 0, 0, 3, 0);
  char *after = everything();
  T_CHECK(strcmp(before, after) == 0, "a rebuild right after an import changes something");
  free(before), free(after);
}

/* What somebody deleted is there again after either of the two; the ring may be up. */
T_STORY(originals, make_deleted_rows_again, 90) {
  write_export();
  t_import_counts("../out/export.json", 3, 0, 0, 0);
  t_sql_run("artifact.db", "DELETE FROM messages WHERE id = 'n2'; DELETE FROM sessions;"
                           "DELETE FROM messages WHERE id = 'm1'");
  t_up();
  rebuild_counts(2, 2, 0, 1, 0);
  T_CHECK(t_count("messages") == 3 && t_count("sessions") == 2, "%lld messages, %lld sessions",
          (long long)t_count("messages"), (long long)t_count("sessions"));
  t_down();
  t_sql_run("artifact.db", "DELETE FROM conversation_links");
  t_do(0, "import", "../out/export.json");
  T_CHECK(t_count("conversation_links") == 2, "the links are not there again");
  gives_the_export();
}

/* Lines of a session: a question, and an answer in two lines, which has the first one's id. */
static void add_turns(struct ck_buf *b, int from, int upto) {
  for (int i = from; i < upto; i++) {
    char parent[16];
    snprintf(parent, sizeof parent, i ? "\"b%d\"" : "null", i - 1);
    ck_buf_printf(
        b,
        "{\"type\":\"user\",\"uuid\":\"u%d\",\"parentUuid\":%s,\"sessionId\":\"s\","
        "\"timestamp\":\"2026-03-01T10:%02d:%02dZ\",\"message\":{\"content\":\"%0400d\"}}\n",
        i, parent, i / 60, i % 60, i);
    for (int k = 0; k < 2; k++)
      ck_buf_printf(
          b,
          "{\"type\":\"assistant\",\"uuid\":\"%c%d\",\"parentUuid\":\"%c%d\","
          "\"sessionId\":\"s\",\"timestamp\":\"2026-03-01T10:%02d:%02dZ\","
          "\"message\":{\"id\":\"m%d\",\"content\":[{\"type\":\"text\",\"text\":\"%0200d\"}]}}\n",
          k ? 'b' : 'a', i, k ? 'a' : 'u', i, i / 60, i % 60, i, k);
  }
}

#define TURNS 300

/* A log's lines depend on those before them, and the log comes in several originals. */
T_STORY(originals, of_a_session_are_read_again_in_their_order, 90) {
  struct ck_buf b = {0};
  add_turns(&b, 0, TURNS / 3);
  t_write_file("../out/s.jsonl", b.data, b.len);
  t_do(0, "import", "../out/s.jsonl");
  add_turns(&b, TURNS / 3, TURNS);
  t_write_file("../out/s.jsonl", b.data, b.len);
  t_do(0, "import", "../out/s.jsonl");
  T_CHECK(t_count("messages") == 2 * TURNS, "%lld messages", (long long)t_count("messages"));
  char *before = everything();
  t_do(0, "rebuild", "messages");
  char *after = everything();
  T_CHECK(strcmp(before, after) == 0, "a rebuild right after an import changes something");
  static const char places[] = "SELECT id, parent_id, position, raw_text FROM messages ORDER BY id";
  json_t *there = t_sql("artifact.db", places);
  t_sql_run("artifact.db", "DELETE FROM messages");
  t_do(0, "rebuild", "messages");
  json_t *again = t_sql("artifact.db", places);
  T_CHECK(json_equal(there, again), "after a rebuild the messages are others");
  json_decref(there), json_decref(again);
  free(before), free(after);
  ck_buf_free(&b);
}

T_STORY(originals, that_are_damaged_do_not_stop_a_rebuild, 90) {
  write_export();
  t_import_counts("../out/export.json", 3, 0, 0, 0);
  t_sql_run("artifact.db", "UPDATE originals SET at = at + 1 WHERE messages = 1;"
                           "DELETE FROM messages WHERE id = 'n2'");
  rebuild_counts(2, 1, 0, 1, 1);
}

/* What cannot be read is named, so that `original` shows it. */
T_STORY(originals, that_cannot_be_read_are_named, 90) {
  t_write_text("../out/bad.json", "[{\"title\": \"x\", \"create_time\": 1, \"mapping\": 1}]");
  t_do(1, "import", "../out/bad.json");
  struct t_result r = t_convkeep("rebuild", "messages");
  const char *name = strstr(r.err, "original ");
  T_CHECK(r.code == 1 && name && strncmp(name + 41, ": conversation 1: ", 18) == 0,
          "rebuild ended with %d: %s", r.code, r.err);
  char id[33];
  snprintf(id, sizeof id, "%.32s", name + 9);
  gives(id, CK_LIT("{\"title\": \"x\", \"create_time\": 1, \"mapping\": 1}"));
  t_result_free(&r);
}

/* Lines are an original by themselves, as they came. */
T_STORY(originals, of_lines, 90) {
  static const char lines[] =
      "{\"platform\":\"x\",\"text\":\"one\",\"message_id\":\"m1\",\"conversation_id\":\"c1\","
      "\"observed_at\":1700000000}\r\n"
      "\n"
      "{\"platform\":\"x\",\"text\":\"two\",\"message_id\":\"m2\",\"conversation_id\":\"c2\","
      "\"observed_at\":1700000001}\n";
  t_write_file("../out/lines.jsonl", lines, sizeof lines - 1);
  t_import_counts("../out/lines.jsonl", 2, 0, 0, 0);
  struct t_result r = t_convkeep("original", "m2");
  T_CHECK(r.code == 0 && strstr(r.out, "\"one\"") && strstr(r.out, "\"two\""), "%s%s", r.out,
          r.err);
  t_result_free(&r);
  char *before = everything();
  rebuild_counts(1, 0, 0, 2, 0);
  char *after = everything();
  T_CHECK(strcmp(before, after) == 0, "a rebuild right after an import changes something");
  free(before), free(after);
}

/* ChatGPT exports are imported completely, and only once. */
#include <dirent.h>
#include <limits.h>
#include <stdlib.h>

#include "tests/flow/exports.h"
#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/ring.h"

T_STORY(import_chatgpt, a_real_one, 90) {
  const char *path = input_file("chatgpt/realazthat-conversations.json");
  t_up();
  check_export(path, "chatgpt", 1, 44, 0);
  T_CHECK(t_count("executions") == 11, "%lld executions, not 11", (long long)t_count("executions"));
  T_CHECK(t_sql_int("artifact.db", "SELECT count(*) FROM messages WHERE raw_text = ''") == 2,
          "%lld empty messages, not the two hidden ones",
          (long long)t_sql_int("artifact.db", "SELECT count(*) FROM messages WHERE raw_text = ''"));
  /* A call and its result are one record. */
  T_CHECK(
      t_sql_int(
          "artifact.db",
          "SELECT count(*) FROM executions WHERE params IS NOT NULL AND (result_data IS NOT NULL "
          "OR result_error IS NOT NULL)") == 11,
      "an execution lacks its call or its result");
  T_CHECK(t_sql_int("artifact.db",
                    "SELECT count(*) FROM executions e JOIN messages m ON m.id = e.message_id "
                    "WHERE m.role = 'assistant'") == 11,
          "an execution does not belong to the message that called");
  T_CHECK(t_sql_int("artifact.db", "SELECT sum(message_count) FROM sessions") == 44,
          "the sessions do not count 44 messages");
  T_CHECK(t_sql_int("artifact.db", "SELECT sum(execution_count) FROM sessions") == 11,
          "the sessions do not count 11 executions");
  T_CHECK(t_sql_int("artifact.db",
                    "SELECT count(*) FROM local_conversations WHERE last_message_id IN (SELECT id "
                    "FROM messages) AND title IS NOT NULL") == 1,
          "the conversation does not name its last message and title");
  check_again(path);
}

T_STORY(import_chatgpt, the_form_of_2026, 60) {
  t_up();
  check_export(input_file("chatgpt/librechat-chatgpt-modern-export.json"), "chatgpt", 2, 7, 1);
}

T_STORY(import_chatgpt, branches_and_thoughts, 60) {
  t_up();
  const char *path = input_file("chatgpt/polylogue-native-conversation-v1.json");
  check_export(path, "chatgpt", 1, 8, 0);
  check_again(path);
}

/* Imports all files in samples/ and returns their number. unchanged: nothing in them may be new. */
static int samples(bool unchanged) {
  char dir[PATH_MAX], path[PATH_MAX + 256];
  snprintf(dir, sizeof dir, "%s/samples", t_root());
  DIR *d = opendir(dir);
  T_CHECK(d != NULL, "the project has no samples/");
  int n = 0;
  for (struct dirent *e; (e = readdir(d));) {
    const char *dot = strrchr(e->d_name, '.');
    if (!dot || (strcmp(dot, ".json") != 0 && strcmp(dot, ".jsonl") != 0)) continue;
    snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
    json_t *line = t_import(0, path);
    T_CHECK(!unchanged || (t_int_at(line, "new", -1) == 0 && t_int_at(line, "updated", -1) == 0 &&
                           t_int_at(line, "unchanged", 0) > 0),
            "%s again: %s", e->d_name, json_dumps(line, 0));
    json_decref(line);
    n++;
  }
  closedir(d);
  return n;
}

T_STORY(import_chatgpt, own_samples, 90) {
  t_up();
  T_CHECK(samples(false) > 0, "samples/ holds no .json and no .jsonl");
  t_whole(20000);
  T_CHECK(t_count("messages") > 0 && t_count("executions") > 0,
          "the samples give %lld messages and %lld executions", (long long)t_count("messages"),
          (long long)t_count("executions"));
  int64_t head = t_status_int("version", -1);
  samples(true);
  T_CHECK(t_status_int("version", -2) == head, "the same files again made versions");
  t_whole(20000);
}

/* Without a ring, the import starts its own store and ingest, and stops them at the end. */
T_STORY(import_chatgpt, without_a_ring, 60) {
  T_CHECK(samples(false) > 0, "samples/ holds nothing");
  t_check_left();
  int64_t messages = t_count("messages");
  T_CHECK(messages > 0, "nothing went in");
  t_up();
  t_whole(20000);
  T_CHECK(t_count("messages") == messages,
          "the ring changed records that were imported without it");
}

/* ---- a large conversation ---- */

#define LARGE "../large.json"
#define LARGE_BYTES (24u << 20)
#define NODE_NUMBERS 10000

/* Appends a node with very many small values, which take most memory once they are parsed. */
static void add_node(struct ck_buf *b, int n) {
  ck_buf_printf(b,
                "%s\"m%d\":{\"message\":{\"id\":\"m%d\",\"author\":{\"role\":\"user\"},"
                "\"content\":{\"content_type\":\"text\",\"parts\":[\"word %d\"]},"
                "\"create_time\":%d,\"metadata\":{\"numbers\":[0",
                n ? "," : "", n, n, n, 1700000000 + n);
  for (int i = 0; i < NODE_NUMBERS; ++i) ck_buf_text(b, ",1234567");
  if (n)
    ck_buf_printf(b, "]}},\"parent\":\"m%d\"}", n - 1);
  else
    ck_buf_text(b, "]}},\"parent\":null}");
}

/* Writes it; returns how many messages it has. */
static int write_large(void) {
  struct ck_buf b = {0};
  int n = 0;
  ck_buf_text(&b,
              "[{\"id\":\"large\",\"title\":\"Large\",\"create_time\":1700000000,\"mapping\":{");
  while (b.len < LARGE_BYTES) add_node(&b, n++);
  ck_buf_printf(&b, "},\"current_node\":\"m%d\"}]", n - 1);
  t_write_file(LARGE, b.data, b.len);
  ck_buf_free(&b);
  return n;
}

/* Of its messages only those are in memory that are being read. */
T_STORY(import_chatgpt, a_large_conversation, 60) {
  t_asan_option("quarantine_size_mb=4");
  int n = write_large();
  t_up();
  json_t *line = t_import(0, LARGE);
  T_CHECK(t_int_at(line, "new", -1) == n && t_int_at(line, "failed", -1) == 0, "%s",
          json_dumps(line, 0));
  json_decref(line);
  long mib = t_memory_mib(t_pid("ingest"));
  T_CHECK(t_tsan() || mib <= (LARGE_BYTES >> 20) + 64, "ingest had %ld MiB in memory", mib);
  T_CHECK(t_sql_int("artifact.db", "SELECT max(position) FROM messages") == n - 1,
          "the last message has another place");
}

/* A file that is imported again changes nothing, whatever was asked and answered about its
 * originals; and what is missing is read again from it. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/flow/exports.h"
#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/ring.h"
#include "tests/harness/talk.h"

#define OWN "../out/own.json"
#define LOG "../out/log.jsonl"

static const char *const own_samples[] = {"samples/chatgpt.json", "samples/claude.json",
                                          "samples/observations.jsonl"};

static const char *sample(size_t i) {
  static char path[512];
  snprintf(path, sizeof path, "%s/%s", t_root(), own_samples[i]);
  return path;
}

/* All rows of a table in one text, every column as SQL writes it. */
static void add_table(struct ck_buf *image, const char *table) {
  struct ck_buf sql = {0};
  size_t i;
  json_t *column;
  ck_buf_printf(&sql, "SELECT name FROM pragma_table_info('%s')", table);
  json_t *columns = t_sql("artifact.db", ck_buf_cstr(&sql));
  ck_buf_clear(&sql);
  ck_buf_text(&sql, "SELECT ''");
  json_array_foreach(columns, i, column)
      ck_buf_printf(&sql, " || quote(\"%s\") || ','", t_text_at(column, "name"));
  ck_buf_printf(&sql, " AS row FROM \"%s\" ORDER BY 1", table);
  json_t *rows = t_sql("artifact.db", ck_buf_cstr(&sql)), *row;
  ck_buf_printf(image, "%s\n", table);
  json_array_foreach(rows, i, row) ck_buf_printf(image, "%s\n", t_text_at(row, "row"));
  json_decref(columns);
  json_decref(rows);
  ck_buf_free(&sql);
}

/* Everything in the database but who sent what and what was mirrored, and how large it is. */
static char *database(void) {
  struct ck_buf image = {0};
  size_t i;
  json_t *table;
  json_t *tables =
      t_sql("artifact.db", "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT IN "
                           "('producers', 'sinks', 'spent', 'cursors', 'store') ORDER BY name");
  json_array_foreach(tables, i, table) add_table(&image, t_text_at(table, "name"));
  ck_buf_printf(&image, "%lld pages", (long long)t_sql_int("artifact.db", "PRAGMA page_count"));
  json_decref(tables);
  char *text = ck_str_dup(ck_buf_view(&image));
  ck_buf_free(&image);
  return text;
}

static void same_database(const char *before, const char *what) {
  char *after = database();
  size_t at = 0;
  while (before[at] && before[at] == after[at]) ++at;
  T_CHECK(before[at] == after[at], "%s: \"%.80s\" was \"%.80s\"", what, after + at, before + at);
  free(after);
}

static int64_t without_original(void) {
  return t_sql_int("artifact.db", "SELECT (SELECT count(*) FROM messages WHERE original IS NULL) + "
                                  "(SELECT count(*) FROM executions WHERE original IS NULL)");
}

T_STORY(import_again, changes_no_byte, 90) {
  t_up();
  for (size_t i = 0; i < 3; i++) json_decref(t_import(0, sample(i)));
  T_CHECK(without_original() == 0, "%lld records do not say what they were read from",
          (long long)without_original());
  t_settle(10000);
  char *before = database();
  for (size_t i = 0; i < 3; i++) check_again(sample(i));
  same_database(before, "the same files again");
  free(before);
}

/* Every message leads to bytes that are in the file. */
T_STORY(import_again, originals_are_in_the_file, 60) {
  t_daemon("store", NULL);
  t_daemon("ingest", NULL);
  for (size_t f = 0; f < 2; f++) {
    size_t n, i;
    json_t *row;
    char *file = t_read_file(sample(f), &n);
    json_decref(t_import(0, sample(f)));
    json_t *rows = t_sql("artifact.db", f ? "SELECT id FROM messages WHERE platform = 'claude'"
                                          : "SELECT id FROM messages WHERE platform = 'chatgpt'");
    T_CHECK(json_array_size(rows) > 0, "%s: nothing went in", sample(f));
    json_array_foreach(rows, i, row) {
      struct t_result r = t_convkeep("original", t_text_at(row, "id"));
      T_CHECK(r.code == 0 && r.out_size > 0 && memmem(file, n, r.out, r.out_size),
              "%s: the original of %s is not in the file: %s", sample(f), t_text_at(row, "id"),
              r.err);
      t_result_free(&r);
    }
    json_decref(rows);
    free(file);
  }
}

/* A row that somebody deleted is made again, though the store has the original. */
T_STORY(import_again, a_deleted_row, 60) {
  t_daemon("store", NULL);
  t_daemon("ingest", NULL);
  json_decref(t_import(0, sample(1)));
  int64_t messages = t_count("messages"), executions = t_count("executions");
  t_down();
  t_sql_run("artifact.db",
            "DELETE FROM executions WHERE rowid = (SELECT max(rowid) FROM executions)");
  t_daemon("store", NULL);
  t_daemon("ingest", NULL);
  T_CHECK(executions > 0 && t_count("executions") == executions - 1, "nothing was deleted");
  json_decref(t_import(0, sample(1)));
  T_CHECK(t_count("messages") == messages && t_count("executions") == executions,
          "%lld of %lld messages and %lld of %lld executions", (long long)t_count("messages"),
          (long long)messages, (long long)t_count("executions"), (long long)executions);
}

#define GOOD(id) \
  "{\"uuid\":\"" id "\",\"name\":\"n\",\"account\":{},\"created_at\":\"2025-01-01T00:00:00Z\"," \
  "\"updated_at\":\"2025-01-01T00:00:00Z\",\"chat_messages\":[{\"uuid\":\"m" id "\",\"sender\":" \
  "\"human\",\"text\":\"t\",\"created_at\":\"2025-01-01T00:00:00Z\"}]}"

/* What cannot go in is told at each import, not only at the first. */
T_STORY(import_again, what_failed_is_told_each_time, 60) {
  static const char file[] =
      "[" GOOD("a") ",{\"uuid\":\"b\",\"name\":\"n\",\"account\":{},"
                    "\"chat_messages\":[7,{\"uuid\":\"m2\",\"sender\":\"human\","
                    "\"text\":\"t\",\"created_at\":\"2025-01-01T00:00:00Z\"}]}]";
  t_daemon("store", NULL);
  t_daemon("ingest", NULL);
  t_write_file(OWN, file, sizeof file - 1);
  t_import_counts(OWN, 2, 0, 0, 1);
  t_import_counts(OWN, 0, 0, 2, 1);
  T_CHECK(t_count("originals") == 2, "%lld originals", (long long)t_count("originals"));
}

static void write_log(int n) {
  struct ck_buf b = {0};
  for (int i = 0; i < n; i++)
    ck_buf_printf(&b,
                  "{\"platform\":\"x\",\"text\":\"%0500d\",\"message_id\":\"m%d\","
                  "\"conversation_id\":\"c\",\"observed_at\":%d}\n",
                  i, i, i + 1);
  t_write_file(LOG, b.data, b.len);
  ck_buf_free(&b);
}

/* A log that has grown: what was there is not kept twice, but for its last run. */
T_STORY(import_again, a_log_that_grows, 60) {
  t_daemon("store", NULL);
  t_daemon("ingest", NULL);
  write_log(1000);
  t_import_counts(LOG, 1000, 0, 0, 0);
  int64_t before = t_count("originals");
  write_log(1200);
  t_import_counts(LOG, 200, 0, 1000, 0);
  int64_t after = t_count("originals"), kept = t_sql_int("artifact.db", "SELECT sum(bytes) "
                                                                        "FROM originals");
  T_CHECK(before > 5 && after > before && after <= before + 4, "%lld originals, then %lld",
          (long long)before, (long long)after);
  T_CHECK(kept < 1200 * 600 + 65536, "%lld bytes are kept", (long long)kept);
  t_import_counts(LOG, 0, 0, 1200, 0);
  T_CHECK(t_count("originals") == after, "the same log again made originals");
}

/* While the store is away nobody can be asked: all goes into the spool, and nothing is kept twice.
 */
T_STORY(import_again, while_the_store_is_away, 90) {
  struct t_process *store = t_daemon("store", NULL);
  t_daemon("ingest", NULL);
  json_decref(t_import(0, sample(0)));
  int64_t originals = t_count("originals"), parts = t_count("block_parts");
  int64_t head = t_status_int("version", -1);
  t_talk_forget();
  t_kill("store", SIGKILL);
  t_wait_end(store, 20000);
  json_t *lines = t_lines(0, "import", sample(0));
  T_CHECK(t_int_at(lines, "0.waiting", -1) > 0, "nothing waits: %s", json_dumps(lines, 0));
  json_decref(lines);
  t_daemon("store", NULL);
  T_UNTIL(20000, t_status_int("spool.pending", -1) == 0, "the spool does not become empty");
  T_CHECK(t_status_int("version", -2) == head, "the same file again made versions");
  T_CHECK(t_count("originals") == originals && t_count("block_parts") == parts,
          "%lld originals in %lld parts, not %lld in %lld", (long long)t_count("originals"),
          (long long)t_count("block_parts"), (long long)originals, (long long)parts);
}

/* ---- ingest falls silent, or is lost, in the middle ---- */

#define PIPE "../out/pipe"
#define SILENCE_US 2600000

/* Begins to import the lines that are written to *fd. */
static struct t_process *begin_import(int *fd) {
  char program[512];
  snprintf(program, sizeof program, "%s/bin/convkeep", t_build());
  const char *argv[] = {program, "import", "-", NULL};
  T_CHECK(mkfifo(PIPE, 0600) == 0, "no pipe");
  *fd = open(PIPE, O_RDWR | O_CLOEXEC);
  return t_start("import", PIPE, false, argv);
}

static void write_message(int fd, char id) {
  dprintf(fd,
          "{\"platform\": \"x\", \"text\": \"t\", \"role\": \"user\", \"message_id\": \"%c\", "
          "\"conversation_id\": \"c\", \"observed_at\": 1}\n",
          id);
}

static void ends_with(struct t_process *import, const char *report, bool again) {
  T_CHECK(t_wait_end(import, 30000) == 0, "the import failed");
  T_CHECK(t_said(import, report), "it does not say: %s", report);
  T_CHECK(t_said(import, "sent 2 times because the connection to ingest was lost") == again,
          "whether it was sent again");
  T_CHECK(t_count("messages") == 3, "%lld messages", (long long)t_count("messages"));
}

/* A stopped ingest is as silent as a dead one, and has its connections. */
T_STORY(import_again, not_because_ingest_is_silent, 60) {
  int fd;
  t_daemon("store", NULL);
  struct t_process *ingest = t_daemon("ingest", NULL), *import = begin_import(&fd);
  write_message(fd, 'a');
  T_UNTIL(10000, t_exists("artifact.db") && t_count("messages") == 1, "a line is not stored");
  t_signal(ingest, SIGSTOP);
  write_message(fd, 'b');
  write_message(fd, 'c');
  close(fd);
  usleep(SILENCE_US);
  T_CHECK(!t_ended(import), "it did not wait");
  t_signal(ingest, SIGCONT);
  ends_with(import, "3 new, 0 updated, 0 unchanged, 0 failed", false);
}

T_STORY(import_again, because_ingest_was_killed, 60) {
  int fd;
  t_daemon("store", NULL);
  struct t_process *ingest = t_daemon("ingest", NULL), *import = begin_import(&fd);
  write_message(fd, 'a');
  T_UNTIL(10000, t_exists("artifact.db") && t_count("messages") == 1, "a line is not stored");
  t_signal(ingest, SIGKILL);
  t_wait_end(ingest, 20000);
  t_daemon("ingest", NULL);
  write_message(fd, 'b');
  write_message(fd, 'c');
  close(fd);
  ends_with(import, "2 new, 0 updated, 1 unchanged, 0 failed", true);
}

/* Logs whose lines say no time, with many versions of each message: the one that stands last in its
 * log is the newest, in whatever order the logs come. */
#include <stdlib.h>
#include <string.h>

#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/ring.h"

#define LOGS 3
#define MESSAGES 600 /* the first log has each once */
/* Lines of the second one: as far down as the first one's in the third. */
#define SECOND_LINES 1300
#define RUN_BYTES (64 << 10)
#define FILLER_BYTES 64 /* of a line that says nothing of these messages */

static struct {
  int number; /* of the line in its log */
  char text[120];
} newest[MESSAGES];

static void note_version(int message, const char *text, int number) {
  int newer = number - newest[message].number;
  if (newer < 0 || (newer == 0 && strcmp(text, newest[message].text) < 0)) return;
  newest[message].number = number;
  strcpy(newest[message].text, text);
}

/* Adds a version as a line of this number, and of another number in the third log; 0: not there. */
static void add_version(struct ck_buf *log, int message, int number, int in_third) {
  char text[120];
  snprintf(text, sizeof text, "%0*u", 10 + (int)t_random_below(100),
           (unsigned)t_random_below(1u << 31));
  ck_buf_printf(log,
                "{\"platform\":\"x\",\"conversation_id\":\"c\",\"message_id\":\"m%d\","
                "\"role\":\"user\",\"text\":\"%s\"}\n",
                message, text);
  note_version(message, text, number);
  if (in_third) note_version(message, text, in_third);
}

/* The third log has all of the first, after lines that fill a run: the first one's originals are
 * also its own, with other numbers. */
static void write_logs(void) {
  static const char filler[] = "{\"platform\":\"x\",\"message_id\":\"filler\",\"text\":\"";
  const int fillers = RUN_BYTES / FILLER_BYTES, rest = FILLER_BYTES - (int)sizeof filler + 1 - 3;
  struct ck_buf first = {0}, second = {0}, third = {0};
  for (int n = 1; n <= MESSAGES; ++n) add_version(&first, n - 1, n, fillers + n);
  for (int n = 1; n <= SECOND_LINES; ++n) add_version(&second, (int)t_random_below(MESSAGES), n, 0);
  for (int n = 0; n < fillers; ++n) ck_buf_printf(&third, "%s%0*d\"}\n", filler, rest, n);
  T_CHECK(third.len == RUN_BYTES, "the third log's beginning is no run: %zu bytes", third.len);
  ck_buf_str(&third, ck_buf_view(&first));
  t_write_file("log-0.jsonl", first.data, first.len);
  t_write_file("log-1.jsonl", second.data, second.len);
  t_write_file("log-2.jsonl", third.data, third.len);
  ck_buf_free(&first);
  ck_buf_free(&second);
  ck_buf_free(&third);
}

static void check(const char *folder, const char *after) {
  char path[40];
  snprintf(path, sizeof path, "%s/artifact.db", folder);
  json_t *rows = t_sql(path, "SELECT id, raw_text, ages FROM messages WHERE id LIKE 'm%'"
                             " ORDER BY cast(substr(id, 2) AS INTEGER)");
  T_CHECK(json_array_size(rows) == MESSAGES, "%s, %s: %zu messages", folder, after,
          json_array_size(rows));
  for (size_t m = 0; m < MESSAGES; ++m) {
    json_t *row = json_array_get(rows, m);
    char ages[60];
    snprintf(ages, sizeof ages, "%d observed_at=none", newest[m].number);
    T_CHECK(strcmp(t_text_at(row, "raw_text"), newest[m].text) == 0 &&
                strcmp(t_text_at(row, "ages"), ages) == 0,
            "%s, %s: %s\nnot line %d: %s", folder, after, json_dumps(row, 0), newest[m].number,
            newest[m].text);
  }
  json_decref(rows);
}

T_STORY(versions, the_last_line_is_the_newest_in_any_order, 60) {
  static const char *const orders[][LOGS] = {{"log-0.jsonl", "log-2.jsonl", "log-1.jsonl"},
                                             {"log-2.jsonl", "log-1.jsonl", "log-0.jsonl"},
                                             {"log-1.jsonl", "log-0.jsonl", "log-2.jsonl"}};
  char *data = ck_strdup(getenv("CONVKEEP_DATA")), folder[8];
  write_logs();
  for (size_t i = 0; i < sizeof orders / sizeof *orders; ++i) {
    snprintf(folder, sizeof folder, "%zu", i);
    setenv("CONVKEEP_DATA", folder, 1);
    t_do(0, "import", orders[i][0], orders[i][1], orders[i][2]);
    check(folder, "imported");
    t_do(0, "rebuild", "messages");
    check(folder, "read again from the originals");
  }
  setenv("CONVKEEP_DATA", "copy", 1);
  t_do(0, "import", "0/artifact.db");
  check("copy", "imported from the first one's database");
  t_do(0, "rebuild", "messages");
  check("copy", "read again from the originals");
  setenv("CONVKEEP_DATA", data, 1);
  free(data);
}

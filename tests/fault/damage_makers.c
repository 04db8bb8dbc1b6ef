/* The database is damaged: what is made from it (files, index, mirror, packs) stops and says so,
 * and nothing is made of what is damaged; the rest goes on, and all of it once the database is
 * right. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/ring.h"

#define PAGE 4096
#define MESSAGES 300

/* Each text ends with its number, and is so long that a page has three of them. */
static void say(int from, int to) {
  struct ck_buf lines = {0};
  for (int i = from; i < to; i++)
    ck_buf_printf(&lines,
                  "{\"platform\":\"x\",\"text\":\"number %d %01000d end%d.\",\"role\":\"user\","
                  "\"message_id\":\"s%04d\",\"conversation_id\":\"c%d\",\"observed_at\":%d}\n",
                  i, i, i, i, i % 9, i + 1);
  t_write_file("../out/lines.jsonl", lines.data, lines.len);
  ck_buf_free(&lines);
  t_do(0, "import", "../out/lines.jsonl");
  t_settle(20000);
}

/* Turns a bit of the letter e in "end150.", which no summary has. */
static void turn(void) {
  size_t n = 0, count = 0;
  char *bytes = t_read_file("artifact.db", &n);
  for (char *at = bytes; (at = memmem(at, n - (size_t)(at - bytes), "nd150.", 6)); at++, count++)
    at[-1] ^= 1;
  T_CHECK(count == 1, "it is there %zu times", count);
  t_write_file("artifact.db", bytes, n);
  free(bytes);
}

static bool has_error(const char *daemon_says, const char *part) {
  json_t *s = t_status(5000);
  const char *said = s ? t_text_at(t_daemon_entry(s, "store", 0), daemon_says) : NULL;
  bool has = said && strstr(said, part);
  json_decref(s);
  return has;
}

static int lines_of_log(const char *event) {
  int n = 0;
  char *log = t_read_file("logs/store.log", NULL);
  for (const char *at = log; (at = strstr(at, event)); at++) n++;
  free(log);
  return n;
}

static void nobody_has(const char *text) {
  char *command =
      ck_sprintf("! grep -rqa '%s' artifacts mirror.db mirror.db-wal search.db 2>&1", text);
  T_CHECK(system(command) == 0, "%s was made", text);
  free(command);
}

static int64_t pending(void) { return t_status_int("sync.sqlite.pending", -1); }

static void all_right(void) {
  t_whole(60000);
  T_CHECK(t_status_int("damaged", -1) == 0, "damage is still shown");
  t_says(0, "1 found", "search", "end150");
  json_decref(t_lines(0, "doctor"));
}

T_STORY(damage_makers, nothing_is_made_of_a_page_that_is_not_as_written, 180) {
  t_up();
  say(0, MESSAGES);
  t_do(0, "backup", "../out/sound.db");
  t_down_marked();
  turn();
  T_CHECK(system("rm -r artifacts search.db*") == 0, "rm");
  t_up();
  char *program = ck_sprintf("%s/bin/convkeep", t_build());
  struct t_process *backfill =
      t_start("backfill", NULL, false, (const char *const[]){program, "sync", "backfill", NULL});
  free(program);
  T_UNTIL(20000, t_status_int("damaged", 0) == 1, "no word of a damaged page");
  T_UNTIL(20000, has_error("info.last_error", "is not as written, convkeep doctor says what to do"),
          "status does not name the page");
  t_says(0, "artifact.db: 1 page is not as written", "status");
  T_UNTIL(20000, lines_of_log("event=artifacts_stuck") && lines_of_log("event=search_stuck"),
          "the threads do not say that they stopped");
  t_import_lines(0, "{'platform': 'x', 'conversation_id': 'new', 'message_id': 'n1', 'text': 'a new"
                    " one', 'role': 'user', 'observed_at': 5}\n");
  t_says(0, "a new one", "read", "x:new"); /* commits and readers go on */
  t_says(0, "s0150", "list", "messages", "--limit", "1000");
  T_UNTIL(20000, lines_of_log("event=unreadable"), "the batches are not said to be unreadable");
  T_CHECK(pending() > 0 && !t_ended(backfill), "the mirror is complete");
  nobody_has("dnd150");
  t_pause(3000); /* what loops would have logged by then */
  T_CHECK(lines_of_log("event=artifacts_stuck") == 1 && lines_of_log("event=search_stuck") == 1,
          "a thread says it again and again");
  T_CHECK(lines_of_log("event=unreadable") < 20, "batches are tried without a pause");
  t_signal(backfill, SIGINT);
  t_wait_end(backfill, 10000);
  t_down();
  nobody_has("dnd150");
  turn();
  t_up();
  all_right();
}

/* Somebody has taken a damaged page as it is: the last row of the messages now has a version before
 * many others, and whoever reads on after it would read them for ever. */
T_STORY(damage_makers, versions_that_are_out_of_order, 120) {
  size_t n = 0;
  t_up();
  say(0, MESSAGES);
  t_down_marked();
  long page = t_sql_int("artifact.db", "SELECT pageno FROM dbstat WHERE name = 'messages' AND"
                                       " pagetype = 'leaf' ORDER BY path DESC LIMIT 1 OFFSET 20") -
              1;
  char *bytes = t_read_file("artifact.db", &n);
  unsigned char *head = (unsigned char *)bytes + page * PAGE;
  int cells = head[3] << 8 | head[4], last = head[6 + 2 * cells] << 8 | head[7 + 2 * cells],
      bit = 64;
  unsigned char *cell = head + last;
  while (*cell & 128) cell++;
  T_CHECK(head[0] == 13 && cell[1] & 128 && cell[1] & 127, "it has no version of two bytes");
  while (!(cell[1] & bit)) bit >>= 1;
  cell[1] ^= (unsigned char)bit;
  t_write_file("artifact.db", bytes, n);
  t_doctor_finds(1, "database", "wrong", "artifact.db: a page is not as written: ");
  t_doctor_finds(1, "database", "wrong", "out of order");
  T_CHECK(system("rm -r artifacts search.db* mirror.db*") == 0, "rm");
  t_do(0, "rebuild", "seals");
  t_up();
  T_UNTIL(20000, has_error("info.last_error", "its versions are out of order after"),
          "no word of the order");
  T_UNTIL(20000, lines_of_log("event=artifacts_stuck") && lines_of_log("event=search_stuck"),
          "the threads do not say that they stopped");
  t_do(1, "doctor");
  t_says(1, "damaged", "backup", "../out/copy.db");
  t_down();
  free(bytes);
}

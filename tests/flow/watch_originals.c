/* A session that is captured line by line has the originals of one that is read at once. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/ring.h"

#define LINES 50

static char projects[220], file[300];
static struct ck_buf text; /* of the finished file */

static void say(struct ck_buf *b, int words) {
  static const char *const some[] = {"the",  "store", "writes", "a",     "page",
                                     "then", "syncs", "it",     "again", "and"};
  for (int i = 0; i < words; ++i)
    ck_buf_printf(b, "%s%s %llx", i ? " " : "", some[t_random_below(10)],
                  (unsigned long long)t_random_below(65536));
}

static void make_text(void) {
  for (int i = 0; i < LINES; ++i) {
    ck_buf_printf(&text,
                  "{\"sessionId\":\"one\",\"cwd\":\"/home/me/work\",\"gitBranch\":\"main\","
                  "\"type\":\"%s\",\"uuid\":\"u-%d\",\"timestamp\":\"2026-10-01T10:00:%02d.000Z\",",
                  i % 2 ? "assistant" : "user", i, i);
    if (i) ck_buf_printf(&text, "\"parentUuid\":\"u-%d\",", i - 1);
    if (i % 2)
      ck_buf_printf(&text,
                    "\"message\":{\"id\":\"m%d\",\"role\":\"assistant\",\"content\":[{\"type\":"
                    "\"text\",\"text\":\"",
                    i);
    else
      ck_buf_text(&text, "\"message\":{\"role\":\"user\",\"content\":\"");
    say(&text, i % 2 ? 350 : 30);
    ck_buf_text(&text, i % 2 ? "\"}]}}\n" : "\"}}\n");
  }
}

static void make_home(void) {
  char home[200];
  snprintf(home, sizeof home, "%s/home", t_folder());
  snprintf(projects, sizeof projects, "%s/.claude", home);
  T_CHECK(mkdir(home, 0700) == 0 && mkdir(projects, 0700) == 0, "%s", projects);
  snprintf(projects, sizeof projects, "%s/.claude/projects", home);
  T_CHECK(mkdir(projects, 0700) == 0, "%s", projects);
  snprintf(file, sizeof file, "%s/one.jsonl", projects);
  setenv("HOME", home, 1);
  unsetenv("CLAUDE_CONFIG_DIR");
  unsetenv("CODEX_HOME");
}

/* What a row of the tables takes is not in it: there are as many rows in both. */
static const char stored[] = "SELECT sum(length(data)) FROM block_parts";
static const char originals[] =
    "SELECT lower(hex(id)) AS id, bytes, age, lines, window, log FROM originals ORDER BY log, age";
static const char named[] = "SELECT id, original FROM messages ORDER BY id";

struct expected {
  json_t *originals, *named;
  int64_t stored;
};

static void import_at_once(struct expected *e) {
  char *data = ck_strdup(getenv("CONVKEEP_DATA"));
  t_write_file(file, text.data, text.len);
  setenv("CONVKEEP_DATA", "imported", 1);
  t_do(0, "import", file);
  setenv("CONVKEEP_DATA", data, 1);
  free(data);
  T_CHECK(unlink(file) == 0, "unlink");
  e->originals = t_sql("imported/artifact.db", originals);
  e->named = t_sql("imported/artifact.db", named);
  e->stored = t_sql_int("imported/artifact.db", stored);
  T_CHECK(json_array_size(e->originals) == 2, "%zu originals", json_array_size(e->originals));
}

/* Each line when the store has the one before, so that each is an original. */
static void write_by_lines(void) {
  size_t at = 0;
  for (int64_t n = 1; at < text.len; ++n) {
    size_t end = (size_t)((char *)memchr(text.data + at, '\n', text.len - at) + 1 - text.data);
    FILE *f = fopen(file, "a");
    T_CHECK(f && fwrite(text.data + at, 1, end - at, f) == end - at && fclose(f) == 0, "%s", file);
    at = end;
    T_UNTIL(20000,
            t_sql_int("artifact.db", "SELECT coalesce(max(age + lines - 1), 0) FROM originals") ==
                n,
            "line %lld has no original", (long long)n);
  }
}

static bool is_joined(const struct expected *e) {
  return t_sql_int("artifact.db", "SELECT (SELECT count(*) FROM logs_grown)"
                                  " + (SELECT count(*) FROM blocks WHERE state <> 'whole')") == 0 &&
         t_count("originals") == (int64_t)json_array_size(e->originals);
}

/* A start joins what was captured in small runs. */
static void check_joined(const struct expected *e) {
  T_UNTIL(60000, is_joined(e), "%lld originals", (long long)t_count("originals"));
  json_t *got = t_sql("artifact.db", originals), *names = t_sql("artifact.db", named);
  T_CHECK(json_equal(got, e->originals), "%s\nnot\n%s", json_dumps(got, 0),
          json_dumps(e->originals, 0));
  T_CHECK(json_equal(names, e->named), "%s\nnot\n%s", json_dumps(names, 0),
          json_dumps(e->named, 0));
  json_decref(got);
  json_decref(names);
  int64_t live = t_sql_int("artifact.db", stored);
  T_CHECK((double)live < 1.1 * (double)e->stored, "%lld bytes, %lld at once", (long long)live,
          (long long)e->stored);
  t_doctor_finds(0, "originals", "ok", "");
}

/* The bytes of all originals together are the file. */
static void check_bytes(const struct expected *e) {
  struct ck_buf all = {0};
  for (size_t i = 0; i < json_array_size(e->originals); ++i) {
    const json_t *row = json_array_get(e->originals, i);
    const char *id = json_string_value(json_object_get(row, "id"));
    struct t_result r = t_convkeep("original", id);
    T_CHECK(r.code == 0, "%s", r.err);
    ck_buf_text(&all, r.out);
    t_result_free(&r);
  }
  T_CHECK(ck_str_eq(ck_buf_view(&all), ck_buf_view(&text)), "other bytes");
  ck_buf_free(&all);
}

static void restart(void) {
  t_down();
  t_up();
}

T_STORY(watch, originals_take_what_an_import_takes, 240) {
  struct expected e;
  make_home();
  make_text();
  import_at_once(&e);
  t_set("ingest.watch", "on");
  t_up();
  write_by_lines();
  restart();
  check_joined(&e);
  check_bytes(&e);
  int64_t before = t_sql_int("artifact.db", stored);
  t_settle(20000);
  t_down();
  T_CHECK(unlink("spool/watch.files") == 0, "the table of files"); /* it is read again */
  t_up();
  T_UNTIL(20000, access("spool/watch.files", F_OK) == 0, "the file was not read again");
  t_settle(20000);
  restart();
  check_joined(&e);
  T_CHECK(t_sql_int("artifact.db", stored) == before, "a second reading takes room");
  t_do(0, "rebuild", "messages");
  t_settle(20000);
  restart();
  check_joined(&e);
  T_CHECK(t_sql_int("artifact.db", stored) == before, "reading all again takes room");
  t_do(0, "backup", "copy.db");
  T_CHECK(t_sql_int("copy.db", stored) == before, "the backup");
  json_decref(e.originals);
  json_decref(e.named);
}

/* Both files begin with the same line, and then each has its own. */
static void write_two(void) {
  char two[300];
  struct ck_buf other = {0};
  size_t first = (size_t)((char *)memchr(text.data, '\n', text.len) + 1 - text.data);
  ck_buf_str(&other, ck_buf_view(&text));
  for (size_t i = first; i + 2 < other.len; ++i)
    if (memcmp(other.data + i, "\"u-", 3) == 0) other.data[i + 1] = 'v';
  ck_buf_cstr(&other);
  for (char *at = other.data + first; (at = strstr(at, "\"id\":\"m"));) at[6] = 'n';
  snprintf(two, sizeof two, "%s/two.jsonl", projects);
  t_write_file(file, text.data, text.len);
  t_write_file(two, other.data, other.len);
  t_do(0, "import", file);
  t_do(0, "import", two);
  ck_buf_free(&other);
}

static bool has_rows(const char *database, const char *query, json_t *rows) {
  json_t *there = t_sql(database, query);
  bool same = json_equal(there, rows);
  json_decref(there);
  return same;
}

/* Read again, and as the originals of another store, each file gives what it gave. */
T_STORY(watch, files_that_begin_alike_are_read_again, 120) {
  static const char messages[] = "SELECT id, parent_id, raw_text FROM messages ORDER BY id";
  static const char read_of[] = "SELECT hex(id), age, log FROM originals ORDER BY id";
  make_home();
  make_text();
  t_up();
  write_two();
  t_settle(20000);
  restart();
  json_t *before = t_sql("artifact.db", messages), *names = t_sql("artifact.db", named);
  T_CHECK(json_array_size(before) == 2 * LINES - 1, "%zu messages", json_array_size(before));
  T_CHECK(t_count("originals") == 4, "%lld originals", (long long)t_count("originals"));
  int64_t head = t_sql_int("artifact.db", "SELECT max(version) FROM messages");
  t_do(0, "rebuild", "messages");
  t_settle(20000);
  T_CHECK(has_rows("artifact.db", messages, before), "a rebuild changes messages");
  T_CHECK(has_rows("artifact.db", named, names), "a rebuild changes originals");
  T_CHECK(t_sql_int("artifact.db", "SELECT max(version) FROM messages") == head,
          "a rebuild gives versions");
  t_doctor_finds(0, "originals", "ok", "");
  t_do(0, "backup", "copy.db");
  json_t *ids = t_sql("copy.db", read_of);
  t_down();
  char copy[300];
  snprintf(copy, sizeof copy, "%s/copy.db", getenv("CONVKEEP_DATA"));
  setenv("CONVKEEP_DATA", "imported", 1);
  t_do(0, "import", copy);
  T_CHECK(has_rows("imported/artifact.db", messages, before), "the import's messages");
  T_CHECK(has_rows("imported/artifact.db", read_of, ids), "the import's originals");
  json_decref(ids);
  json_decref(before);
  json_decref(names);
}

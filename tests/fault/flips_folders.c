/* See flips_folders.h. */
#include "tests/fault/flips_folders.h"

#include <archive.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/sha256.h"
#include "tests/harness/archive.h"
#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/ring.h"
#include "tests/harness/talk.h"

#define WORDS_MAX 3 /* questions to the search */
#define WATCHED "../out/watched"

const char *const flips_folders[FLIPS_FOLDERS] = {"../clean", "../killed"};

void flips_shell(const char *fmt, ...) {
  char command[600];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(command, sizeof command, fmt, ap);
  va_end(ap);
  T_CHECK(system(command) == 0, "%s", command);
}

/* ---- the folders ---- */

static void observe(int from, int to) {
  struct ck_err err = {""};
  for (int i = from; i < to; i++) {
    char one[1800];
    snprintf(one, sizeof one,
             "{'platform': 'x', 'text': 'observation number %d %0*d', 'role': '%s',"
             " 'message_id': 's%04d', 'conversation_id': 'c%d', 'observed_at': %d}",
             i, (i * 37) % 1200, i, i % 2 ? "assistant" : "user", i, i % 9, i + 1);
    T_UNTIL(20000, t_observe(one, &err) > 0, "observation %d is not taken: %s", i, err.text);
  }
}

static void import_files(void) {
  char samples[4096];
  snprintf(samples, sizeof samples, "%s/samples", t_root());
  t_do(0, "import", samples);
  const char chat[] =
      "[{\"uuid\":\"c1\",\"name\":\"n\",\"account\":{},\"chat_messages\":[{\"uuid\":\"m1\","
      "\"text\":\"t\",\"sender\":\"human\",\"created_at\":\"2026-01-01T00:00:00Z\"}]}]";
  char picture[9000];
  for (size_t i = 0; i < sizeof picture; i++) picture[i] = (char)t_random();
  struct t_member files[] = {{"conversations.json", ck_str_of(chat)},
                             {"picture.png", {picture, sizeof picture}}};
  struct ck_buf b = t_archive(ARCHIVE_FORMAT_ZIP, ARCHIVE_FILTER_NONE, files, 2);
  t_write_file("../out/export.zip", b.data, b.len);
  ck_buf_free(&b);
  t_do(0, "import", "../out/export.zip");
}

/* A job that was sent, and one that waits for its client. */
static void renew(void) {
  t_import_lines(0, "{'platform': 'x', 'conversation_id': 'r', 'message_id': 'r1', 'text': 'a',"
                    " 'role': 'assistant', 'observed_at': 5, 'target': {'kind': 'null'}}\n"
                    "{'platform': 'x', 'conversation_id': 'q', 'message_id': 'q1', 'text': 'a',"
                    " 'role': 'assistant', 'observed_at': 5, 'target': {'kind': 'feed',"
                    " 'id': 'f'}}\n");
  t_settle(20000);
  t_do(0, "renew", "r", "--payload", "go on");
  t_do(0, "renew", "q", "--payload", "go on");
  T_UNTIL(20000, t_sql_int("artifact.db", "SELECT count(*) FROM attempts WHERE ended NOTNULL") > 0,
          "nothing was sent");
}

static void keep_as(const char *folder) { flips_shell("rm -rf run/* && cp -a . %s", folder); }

static void in_spool(int from, int to, int sig) {
  struct t_process *ingest = t_daemon("ingest", NULL);
  observe(from, to);
  t_talk_forget();
  t_signal(ingest, sig);
  t_wait_end(ingest, 10000);
}

/* A log that is followed, with the notes of how far it was read. */
static void follow(void) {
  char path[PATH_MAX];
  T_CHECK(mkdir(WATCHED, 0700) == 0 && realpath(WATCHED, path), "mkdir");
  t_write_text(WATCHED "/one.jsonl",
               "{\"sessionId\":\"w1\",\"type\":\"user\",\"uuid\":\"w1-u\",\"parentUuid\":null,"
               "\"timestamp\":\"2026-10-01T10:00:00.000Z\",\"message\":{\"role\":\"user\","
               "\"content\":\"a question that is followed\"}}\n");
  char *settings = ck_sprintf("# The settings of this ring.\nwatch.logs = \"%s\"\n"
                              "renew.delay = 20ms\nlog.level = info\n",
                              path);
  t_write_text("convkeep.conf", settings);
  T_CHECK(chmod("convkeep.conf", 0600) == 0, "chmod");
  free(settings);
}

/* What is refused, and what has unknown names, is kept for people. */
static void quarantine(void) {
  for (int i = 0; i < 5; i++)
    t_import_lines(1,
                   "{'platform': 'x', 'text': 'odd %d', 'message_id': 'o%d', 'observed_at': 5,"
                   " 'new_name': 1}\n{'text': 'nobody said it %d'}\n",
                   i, i, i);
  T_UNTIL(10000, t_exists("spool/refused.jsonl") && t_exists("spool/unknown.jsonl"),
          "nothing is in quarantine");
}

static void back_up(void) {
  T_CHECK(mkdir("../kept", 0700) == 0, "mkdir");
  t_do(0, "backup", "../kept/" FLIPS_BACKUP);
}

void flips_make_folders(void) {
  static const char *const all[] = {"ingest", "syncd", "renewd", "store"};
  follow();
  t_do(0, "keys", "init");
  t_up();
  import_files();
  quarantine();
  observe(0, 500);
  renew();
  t_do(0, "forget", "s0011", "--yes");
  t_do(0, "forget", "s0012", "--yes");
  T_UNTIL(20000, t_exists("spool/watch.files"), "the log was not read");
  back_up();
  t_down_marked();
  in_spool(500, 540, SIGTERM);
  keep_as(flips_folders[FLIPS_CLEAN]);
  struct t_process *started[4];
  for (int i = 3; i >= 0; i--) started[i] = t_daemon(all[i], NULL);
  observe(540, 700);
  t_settle(20000);
  t_talk_forget();
  for (int i = 0; i < 4; i++) t_signal(started[i], SIGKILL);
  for (int i = 0; i < 4; i++) t_wait_end(started[i], 10000);
  in_spool(700, 740, SIGKILL);
  keep_as(flips_folders[FLIPS_KILLED]);
}

void flips_begin_with(int folder) {
  flips_shell("find . -mindepth 1 -delete && cp -a %s/. . && rm -rf " FLIPS_BACKUPS
              " && cp -a ../kept " FLIPS_BACKUPS,
              flips_folders[folder]);
}

/* ---- what a folder reads back ---- */

/* The number of the store's starts is not what anybody wrote. */
static void add_row(struct ck_sha256 *sum, sqlite3_stmt *s) {
  for (int c = 0; c < sqlite3_column_count(s); c++) {
    if (strcmp(sqlite3_column_name(s, c), "runs") == 0) continue;
    const char *bytes = sqlite3_column_blob(s, c);
    size_t n = (size_t)sqlite3_column_bytes(s, c);
    char head[40];
    int k = snprintf(head, sizeof head, "%d %zu:", sqlite3_column_type(s, c), n);
    ck_sha256_add(sum, (struct ck_str){head, (size_t)k});
    if (n) ck_sha256_add(sum, (struct ck_str){bytes, n});
  }
}

/* All rows of all tables, in the order of their keys; "" if they cannot be read. */
void flips_picture_of(const char *file, char hex[CK_SHA256_HEX + 1]) {
  struct ck_sha256 sum;
  sqlite3 *db = NULL;
  sqlite3_stmt *list = NULL, *s = NULL;
  int rc = sqlite3_open_v2(file, &db, SQLITE_OPEN_READWRITE, NULL);
  ck_sha256_begin(&sum);
  if (rc == SQLITE_OK)
    rc = sqlite3_prepare_v2(db,
                            "SELECT 'SELECT * FROM \"' || name || '\" ORDER BY 1, 2, 3' FROM"
                            " (SELECT name, (SELECT count(*) FROM pragma_table_info(name)) AS n"
                            " FROM sqlite_schema WHERE type = 'table' AND name NOT GLOB 'sqlite_*')"
                            " WHERE n > 2 UNION ALL SELECT 'SELECT * FROM message_keys_filter'"
                            " WHERE EXISTS (SELECT 1 FROM sqlite_schema"
                            " WHERE name = 'message_keys_filter') ORDER BY 1",
                            -1, &list, NULL);
  while (rc == SQLITE_OK && (rc = sqlite3_step(list)) == SQLITE_ROW) {
    rc = sqlite3_prepare_v2(db, (const char *)sqlite3_column_text(list, 0), -1, &s, NULL);
    while (rc == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW) add_row(&sum, s);
    if (rc == SQLITE_OK) rc = sqlite3_finalize(s);
  }
  sqlite3_finalize(list);
  sqlite3_close(db);
  hex[0] = '\0';
  if (rc == SQLITE_DONE) ck_sha256_end_hex(&sum, hex);
}

void flips_picture(char out[FLIPS_PICTURE]) {
  char database[CK_SHA256_HEX + 1], mirror[CK_SHA256_HEX + 1];
  flips_picture_of("artifact.db", database);
  flips_picture_of("mirror.db", mirror);
  snprintf(out, FLIPS_PICTURE, "%.32s %.32s", database, mirror);
}

static void add_path(const char *path, void *list) { ck_buf_printf(list, "%s\n", path); }

static int by_text(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

static void add_file(struct ck_buf *answers, const char *path) {
  char hex[CK_SHA256_HEX + 1];
  struct ck_sha256 sum;
  size_t n = 0;
  char *bytes = t_read_file(path, &n);
  ck_sha256_begin(&sum);
  ck_sha256_add(&sum, (struct ck_str){bytes, n});
  ck_sha256_end_hex(&sum, hex);
  ck_buf_printf(answers, "%s %s\n", path, hex);
  free(bytes);
}

/* The readable files, each with the hash of its bytes. */
static void add_files(struct ck_buf *answers) {
  struct ck_buf list = {0};
  char *paths[4000], *rest = NULL;
  size_t n = 0;
  t_walk("artifacts/conversations", add_path, &list);
  for (char *one = strtok_r((char *)(uintptr_t)ck_buf_cstr(&list), "\n", &rest); one && n < 4000;
       one = strtok_r(NULL, "\n", &rest))
    paths[n++] = one;
  qsort(paths, n, sizeof *paths, by_text);
  for (size_t i = 0; i < n; i++) add_file(answers, paths[i]);
  ck_buf_free(&list);
}

void flips_ask(struct ck_buf *answers) {
  static const char *const words[WORDS_MAX] = {"observation", "number", "disk"};
  t_daemon("store", NULL);
  ck_buf_clear(answers);
  T_UNTIL(20000, t_status_int("search.behind", -1) == 0, "the index is not made");
  T_UNTIL(20000, t_status_int("artifacts.cursor", -1) == t_status_int("version", -2),
          "the files are not made");
  for (int i = 0; i < WORDS_MAX; i++) {
    struct t_result r =
        t_convkeep_words(NULL, (const char *const[]){"search", words[i], "--limit", "50", NULL});
    ck_buf_text(answers, r.out);
    t_result_free(&r);
  }
  t_down();
  add_files(answers);
}

int64_t flips_replay(void) {
  t_up();
  t_settle(20000);
  t_down();
  return t_count("messages");
}

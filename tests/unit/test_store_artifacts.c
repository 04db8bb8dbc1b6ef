/* The thread that makes the readable files from a database in a folder of its own, in the form of
 * records; and that folder alone. */
#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/log.h"
#include "store/files/artifact_folder.h"
#include "store/files/artifacts.h"
#include "store/database/db.h"
#include "tests/unit/test_store_help.h"

#define NOON INT64_C(1795348800000) /* 2026-11-22T12:00:00Z */

static struct context context;
static sqlite3 *db;
static struct artifacts *thread;
static uint64_t version;
static char folder[64];

static void sql(const char *text) {
  struct ck_err err;
  cr_assert_eq(db_exec(db, text, &err), 0, "%s: %s", text, err.text);
}

static void enter(void) {
  sh_thread_open(folder, &db, &context);
  sh_thread_set(&context, "artifacts.form", "records");
}
static void leave(void) { sh_thread_close(folder, &db, &context); }

static void start(void) {
  struct ck_err err;
  atomic_store(&context.stop, false);
  atomic_store(&context.artifacts_cursor, 0);
  thread = artifacts_start(&context, &err);
  cr_assert_not_null(thread, "%s", err.text);
}

static void stop(void) {
  int64_t began = ck_boot_ms();
  atomic_store(&context.stop, true);
  context_wake(&context);
  artifacts_stop(&thread);
  cr_expect_lt(ck_boot_ms() - began, 1000);
}

static void put_message(const char *id, const char *conversation, int64_t at, const char *text) {
  char statement[1000];
  snprintf(statement, sizeof statement,
           "DELETE FROM messages WHERE id = '%s';"
           " INSERT INTO messages (version, id, platform, conversation_id, role, raw_text, summary,"
           " observed_at, static_path, created_at, live)"
           " VALUES (%llu, '%s', 'chatgpt', %s%s%s, 'user', '%s', '%s', %lld,"
           " 'msg/2026/11/22/%s.txt', 0, 1)",
           id, (unsigned long long)++version, id, conversation ? "'" : "",
           conversation ? conversation : "NULL", conversation ? "'" : "", text, text, (long long)at,
           id);
  sql(statement);
}

static void put_session(const char *id, const char *conversation, int64_t at) {
  char statement[1000];
  snprintf(
      statement, sizeof statement,
      "INSERT INTO sessions (version, id, platform, conversation_id, started_at,"
      " last_activity_at, message_count, execution_count, static_path, created_at)"
      " VALUES (%llu, '%s', 'chatgpt', %s%s%s, %lld, %lld, 1, 0, 'session/2026/11/22/%s.txt', 0)"
      " ON CONFLICT (id) DO UPDATE"
      " SET version = excluded.version, last_activity_at = excluded.last_activity_at",
      (unsigned long long)++version, id, conversation ? "'" : "",
      conversation ? conversation : "NULL", conversation ? "'" : "", (long long)at, (long long)at,
      id);
  sql(statement);
}

static void announce(void) {
  atomic_store(&context.head, version);
  context_wake(&context);
}

static void reached(void) {
  for (int64_t began = ck_boot_ms(); atomic_load(&context.artifacts_cursor) != version;
       usleep(2000))
    cr_assert_lt(ck_boot_ms() - began, 20000, "the artifacts' cursor is %llu, not %llu",
                 (unsigned long long)atomic_load(&context.artifacts_cursor),
                 (unsigned long long)version);
}

static char contents[1 << 16];
static const char *file(const char *path) {
  int fd = open(path, O_RDONLY);
  ssize_t n = fd < 0 ? -1 : read(fd, contents, sizeof contents - 1);
  if (fd >= 0) close(fd);
  contents[n < 0 ? 0 : n] = '\0';
  return n < 0 ? NULL : contents;
}

static bool says(const char *path, const char *what) {
  const char *text = file(path);
  return text && strstr(text, what);
}

static void cursor_saved(uint64_t at) {
  char line[64];
  snprintf(line, sizeof line, " %llu records ", (unsigned long long)at);
  for (int64_t began = ck_boot_ms(); !says("artifacts/.cursor", line); usleep(5000))
    cr_assert_lt(ck_boot_ms() - began, 20000, "no cursor%s", line);
}

TestSuite(artifacts, .init = enter, .fini = leave, .timeout = 60);

Test(artifacts, are_made_of_every_record) {
  start();
  reached();
  for (int64_t began = ck_boot_ms(); !file("artifacts/session/latest.txt"); usleep(2000))
    cr_assert_lt(ck_boot_ms() - began, 5000);
  cr_expect_str_eq(file("artifacts/session/latest.txt"), "No session yet.\n");
  put_message("m1", "c1", NOON, "Hello");
  put_message("yesterday", "c1", NOON - 86400000, "Old");
  put_message("elsewhere", "c2", NOON, "Other");
  put_session("chatgpt:c1@2026-11-22", "c1", NOON);
  announce();
  reached();
  cr_expect(says("artifacts/msg/2026/11/22/m1.txt", "\n\nHello\n"));
  cr_expect(says("artifacts/msg/2026/11/22/m1.json",
                 "{\"id\":\"m1\",\"platform\":\"chatgpt\",\"conversation_id\":\"c1\","));
  cr_expect(says("artifacts/session/2026/11/22/chatgpt:c1@2026-11-22.txt", "user      Hello"));
  cr_expect_not(says("artifacts/session/2026/11/22/chatgpt:c1@2026-11-22.txt", "Old"));
  cr_expect_not(says("artifacts/session/2026/11/22/chatgpt:c1@2026-11-22.txt", "Other"));
  cr_expect(
      says("artifacts/session/2026/11/22/chatgpt:c1@2026-11-22.json", "\"message_count\":1,"));
  cr_expect(says("artifacts/session/latest.txt", "user      Hello"));
  cr_expect(says("artifacts/session/latest.json", "\"summary\":\"Hello\""));
  put_message("m1", "c1", NOON, "Hello again");
  announce();
  reached();
  cr_expect(says("artifacts/msg/2026/11/22/m1.txt", "\n\nHello again\n"));
  cr_expect(says("artifacts/session/latest.txt", "user      Hello again"));
  stop();
}

Test(artifacts, of_sessions_without_conversation_or_day) {
  put_message("m1", NULL, NOON, "Loose");
  put_message("m2", "c1", NOON, "Bound");
  put_message("m3", "c1", NOON + 1, "Late");
  put_session("chatgpt@2026-11-22", NULL, NOON);
  put_session("any", "c1", NOON);
  start();
  reached();
  cr_expect(says("artifacts/session/2026/11/22/chatgpt@2026-11-22.txt", "Loose"));
  cr_expect_not(says("artifacts/session/2026/11/22/chatgpt@2026-11-22.txt", "Bound"));
  cr_expect(says("artifacts/session/2026/11/22/any.txt", "Bound"));
  cr_expect_not(says("artifacts/session/2026/11/22/any.txt", "Late"));
  stop();
}

/* The answer came before the question by the clock, there is another answer, and one that nobody
 * knows the place of. */
Test(artifacts, of_sessions_are_in_reading_order) {
  static const char path[] = "artifacts/session/2026/11/22/chatgpt:c1@2026-11-22.txt";
  put_message("q", "c1", NOON + 5, "Question");
  put_message("a", "c1", NOON, "Answer");
  put_message("b", "c1", NOON + 6, "Other");
  put_message("u", "c1", NOON + 7, "Somewhere");
  sql("UPDATE messages SET position = 0 WHERE id = 'q';"
      "UPDATE messages SET parent_id = 'q', position = 1 WHERE id IN ('a', 'b');"
      "INSERT INTO local_conversations (version, local_conversation_id, platform,"
      " automation_status, last_message_id, created_at, updated_at)"
      " VALUES (100, 'l', 'chatgpt', 'manual', 'a', 1, 1);"
      "INSERT INTO conversation_links (version, link_id, local_conversation_id, platform,"
      " remote_conversation_id, is_active, observed_at, created_at, updated_at)"
      " VALUES (101, 'k', 'l', 'chatgpt', 'c1', 1, 1, 1, 1)");
  version = 101;
  put_session("chatgpt:c1@2026-11-22", "c1", NOON);
  start();
  reached();
  cr_expect(says(path, "\n  2026-11-22T12:00:00.005Z  user      Question\n"
                       "  2026-11-22T12:00:00.000Z  user      Answer\n"
                       "~ 2026-11-22T12:00:00.007Z  user      Somewhere\n"
                       "~ 2026-11-22T12:00:00.006Z  user      Other\n"),
            "%s", file(path));
  stop();
}

/* More than a few chunks hold, so that the cursor and the scan are tested at their borders. */
Test(artifacts, of_many_records) {
  char id[32], path[80];
  sql("BEGIN");
  for (int i = 0; i < 3000; i++) {
    snprintf(id, sizeof id, "m%d", i);
    put_message(id, "c1", NOON + i, "x");
    if (i % 7 == 0) put_session("chatgpt:c1@2026-11-22", "c1", NOON + i);
  }
  sql("COMMIT");
  start();
  announce();
  reached();
  stop();
  for (int i = 0; i < 3000; i++) {
    snprintf(path, sizeof path, "artifacts/msg/2026/11/22/m%d.json", i);
    cr_expect_eq(access(path, F_OK), 0, "%s", path);
  }
  cr_expect(
      says("artifacts/session/2026/11/22/chatgpt:c1@2026-11-22.txt", "the newest 200 messages"));
  cr_expect(says("artifacts/session/latest.txt", "12:00:02.999Z"));
}

/* The cursor, once it is above `at`. */
static uint64_t above(uint64_t at) {
  uint64_t cursor;
  for (int64_t began = ck_boot_ms(); (cursor = atomic_load(&context.artifacts_cursor)) <= at;
       usleep(2000))
    cr_assert_lt(ck_boot_ms() - began, 20000, "the artifacts' cursor stays %llu",
                 (unsigned long long)at);
  return cursor;
}

Test(artifacts, are_made_a_piece_a_second_while_more_comes) {
  sql("BEGIN");
  for (unsigned i = 0; i < 2000; ++i) {
    char id[16];
    snprintf(id, sizeof id, "m%u", i);
    put_message(id, "c1", NOON + i, "text");
  }
  sql("COMMIT");
  int64_t began = ck_boot_ms();
  atomic_store(&context.pace.pressed_until, (began + 3600000) * 1000);
  start();
  announce();
  uint64_t first = above(0), second = above(first);
  cr_expect_geq(ck_boot_ms(), began + PACE_APART);
  cr_expect_lt(second, version);
  atomic_store(&context.pace.pressed_until, 0);
  reached();
  stop();
}

Test(artifacts, go_on_at_the_cursor) {
  put_message("m1", "c1", NOON, "Hello");
  start();
  announce();
  reached();
  cursor_saved(version);
  stop();
  cr_expect_eq(unlink("artifacts/msg/2026/11/22/m1.txt"), 0);
  put_message("m2", "c1", NOON, "More");
  start();
  announce();
  reached();
  cr_expect_not_null(file("artifacts/msg/2026/11/22/m2.txt"));
  cr_expect_null(file("artifacts/msg/2026/11/22/m1.txt"),
                 "files up to the cursor are not made again");
  stop();
}

static void made_again_after(const char *command) {
  start();
  put_message("m1", "c1", NOON, "Hello");
  announce();
  reached();
  cursor_saved(version);
  cr_assert_eq(system(command), 0);
  put_message("m2", "c1", NOON, "More");
  announce();
  for (int64_t began = ck_boot_ms();
       !file("artifacts/msg/2026/11/22/m1.txt") || !file("artifacts/msg/2026/11/22/m2.txt");
       usleep(2000))
    cr_assert_lt(ck_boot_ms() - began, 20000, "after %s", command);
  reached();
  cr_expect_not_null(file("artifacts/session/latest.json"));
  stop();
}

Test(artifacts, that_are_deleted_are_made_again) { made_again_after("rm -rf artifacts"); }
Test(artifacts, that_are_emptied_are_made_again) { made_again_after("rm -rf artifacts/*"); }
Test(artifacts, that_are_replaced_are_made_again) {
  made_again_after("mv artifacts old && mkdir artifacts");
}
Test(artifacts, are_made_again_without_their_cursor) {
  made_again_after("rm artifacts/.cursor artifacts/msg/2026/11/22/m1.*");
}

static void made_again_at_start_after(const char *command) {
  put_message("m1", "c1", NOON, "Hello");
  start();
  announce();
  reached();
  cursor_saved(version);
  stop();
  cr_assert_eq(system(command), 0);
  start();
  reached();
  cr_expect_not_null(file("artifacts/msg/2026/11/22/m1.txt"), "after %s", command);
  stop();
}

Test(artifacts, deleted_between_two_runs) { made_again_at_start_after("rm -rf artifacts"); }
Test(artifacts, emptied_between_two_runs) { made_again_at_start_after("rm -rf artifacts/*"); }
Test(artifacts, of_another_store) {
  made_again_at_start_after("rm -r artifacts/msg; sed -i s/a/b/ artifacts/.cursor");
}
Test(artifacts, with_a_broken_cursor) {
  made_again_at_start_after("rm -r artifacts/msg; truncate -s -1 artifacts/.cursor");
}
Test(artifacts, ahead_of_a_restored_database) {
  struct ck_buf ahead = {0};
  artifact_cursor_text(&ahead, context.store_id, "records", 1000, 0);
  FILE *f = fopen("ahead", "w");
  cr_assert(f && fwrite(ahead.data, 1, ahead.len, f) == ahead.len && fclose(f) == 0);
  ck_buf_free(&ahead);
  made_again_at_start_after("rm -r artifacts/msg; mv ahead artifacts/.cursor");
}
/* A disk has turned a bit: it knows nothing of how far the database came. */
Test(artifacts, with_another_number_in_the_cursor) {
  made_again_at_start_after("rm -r artifacts/msg; sed -i 's/ 1 / 1000 /' artifacts/.cursor");
  cr_expect_eq(artifact_folder_saved_cursor("artifacts", context.store_id), 1);
  cr_assert_eq(system("sed -i 's/ 1 / 1000 /' artifacts/.cursor"), 0);
  cr_expect_eq(artifact_folder_saved_cursor("artifacts", context.store_id), 0);
}

/* A store that runs only for one import: stopped as soon as the database has everything. */
Test(artifacts, are_finished_at_a_stop) {
  put_message("m1", "c1", NOON, "Hello");
  put_session("any", "c1", NOON);
  start();
  announce();
  stop();
  cr_expect_eq(atomic_load(&context.artifacts_cursor), version);
  cr_expect_not_null(file("artifacts/msg/2026/11/22/m1.json"));
  cr_expect(says("artifacts/session/latest.txt", "Hello"));
}

/* A folder in the place of a file stops the projection, and nothing else; once it is gone, no file
 * is missing. */
Test(artifacts, wait_for_a_folder_in_the_way_to_go) {
  cr_assert_eq(system("mkdir -p artifacts/msg/2026/11/22/m1.txt/x"), 0);
  put_message("m0", "c1", NOON, "Before");
  put_message("m1", "c1", NOON, "Hello");
  put_message("m2", "c1", NOON, "After");
  ck_log_setup("test", CK_ERROR + 1);
  start();
  announce();
  for (int64_t began = ck_boot_ms(); !file("artifacts/msg/2026/11/22/m0.json"); usleep(2000))
    cr_assert_lt(ck_boot_ms() - began, 20000);
  usleep(300000);
  cr_expect_lt(atomic_load(&context.artifacts_cursor), version);
  cr_expect_null(file("artifacts/msg/2026/11/22/m2.json"));
  cr_assert_eq(system("rm -r artifacts/msg/2026/11/22/m1.txt"), 0);
  reached();
  cr_expect_not_null(file("artifacts/msg/2026/11/22/m1.txt"));
  cr_expect_not_null(file("artifacts/msg/2026/11/22/m2.json"));
  cr_expect_eq(system("! find artifacts -name '.?*' ! -name .cursor ! -name .spare | grep ."), 0);
  stop();
}

/* A path that this program would not have accepted does not lead out of the folder. */
Test(artifacts, stay_in_their_folder) {
  put_message("m1", "c1", NOON, "Hello");
  sql("UPDATE messages SET static_path = '../../escaped.txt'");
  start();
  announce();
  reached();
  cr_expect_not_null(file("artifacts/msg/2026/11/22/m1.txt"));
  cr_expect_null(file("../escaped.txt"));
  stop();
}

/* ---- the folder alone ---- */

static void put(struct artifact_folder *f, const char *path, const char *text) {
  struct ck_err err;
  cr_assert_eq(artifact_folder_put(f, path, ck_str_of(text), &err), 0, "%s", err.text);
}

static void open_folder(struct artifact_folder *f) {
  struct ck_err err;
  uint64_t at, written;
  cr_assert_eq(
      artifact_folder_open(f, "store", "records", ARTIFACT_INDEX_TEXT, &at, &written, &err), 0,
      "%s", err.text);
}

static ino_t inode(const char *path) {
  struct stat st;
  cr_assert_eq(stat(path, &st), 0);
  return st.st_ino;
}

static void cursor_reads(const char *store, uint64_t saved, uint64_t written) {
  struct artifact_folder f;
  struct ck_err err;
  uint64_t at, upto;
  cr_assert_eq(artifact_folder_open(&f, store, "records", ARTIFACT_INDEX_TEXT, &at, &upto, &err), 0,
               "%s", err.text);
  cr_expect(at == saved && upto == written, "%s: %llu, %llu", store, (unsigned long long)at,
            (unsigned long long)upto);
  artifact_folder_close(&f);
}

/* A run that ends before its files are durable leaves a note, which counts until the next boot. */
Test(artifacts, the_next_run_knows_what_is_written) {
  struct artifact_folder f;
  struct ck_err err;
  open_folder(&f);
  put(&f, ARTIFACT_INDEX_TEXT, "");
  cr_assert_eq(artifact_folder_note_written(&f, "store", 0, 7, &err), 0, "%s", err.text);
  cursor_reads("store", 0, 7);
  cr_assert_eq(artifact_folder_save_cursor(&f, "store", 8, &err), 0, "%s", err.text);
  cursor_reads("store", 8, 8);
  cr_assert_eq(artifact_folder_note_written(&f, "store", 8, 19, &err), 0, "%s", err.text);
  cursor_reads("store", 8, 19);
  cr_expect_eq(artifact_folder_saved_cursor(ARTIFACT_FOLDER, "store"), 8);
  put(&f, ".cursor", "store 8 records bb9be479\nwritten 19 another-boot e1f01d5a\n");
  cursor_reads("store", 8, 8);
  cr_assert_eq(artifact_folder_note_written(&f, "store", 8, 19, &err), 0, "%s", err.text);
  cursor_reads("storeroom", 0, 0);
  cursor_reads("store", 0, 0);
  cr_assert_eq(artifact_folder_note_written(&f, "store", 8, 19, &err), 0, "%s", err.text);
  cr_assert_eq(unlink(ARTIFACT_FOLDER "/" ARTIFACT_INDEX_TEXT), 0);
  cursor_reads("store", 0, 0);
  artifact_folder_close(&f);
}

/* A replaced file is overwritten by the next one, unless somebody has it open or it has another
 * name. */
Test(artifacts, a_replaced_file_stays_as_it_was_read) {
  struct artifact_folder f;
  open_folder(&f);
  for (int nameless = 1; nameless >= 0; nameless--) {
    f.nameless = f.nameless && nameless;
    put(&f, "msg/a.txt", "the first text");
    ino_t first = inode("artifacts/msg/a.txt");
    put(&f, "msg/a.txt", "the second");
    put(&f, "msg/b.txt", "third");
    cr_expect_eq(inode("artifacts/msg/b.txt"), first, "the replaced file is not overwritten");
    cr_expect_str_eq(file("artifacts/msg/b.txt"), "third");
    char seen[32] = "";
    int reader = open("artifacts/msg/a.txt", O_RDONLY);
    cr_assert_eq(link("artifacts/msg/b.txt", "kept"), 0);
    put(&f, "msg/a.txt", "fourth"), put(&f, "msg/c.txt", "fifth"), put(&f, "msg/b.txt", "sixth"),
        put(&f, "msg/d.txt", "seventh");
    cr_expect_eq(read(reader, seen, sizeof seen), 10);
    cr_expect_str_eq(seen, "the second");
    cr_expect_str_eq(file("kept"), "third");
    cr_expect_str_eq(file("artifacts/msg/a.txt"), "fourth");
    cr_expect_str_eq(file("artifacts/msg/b.txt"), "sixth");
    cr_expect_str_eq(file("artifacts/msg/d.txt"), "seventh");
    close(reader);
    cr_assert_eq(system("rm -r kept artifacts/msg"), 0);
  }
  artifact_folder_close(&f);
}

/* A folder in a file's place is left alone, and links are not followed. */
Test(artifacts, are_not_written_through_links_or_over_folders) {
  struct artifact_folder f;
  struct ck_err err;
  open_folder(&f);
  put(&f, "msg/a.txt", "a");
  cr_assert_eq(system("echo mine >other; ln -s ../../other artifacts/msg/link.txt; mkdir -p "
                      "artifacts/msg/folder.txt/deep; ln -sf ../other artifacts/.spare"),
               0);
  put(&f, "msg/link.txt", "ours");
  put(&f, "msg/a.txt", "b"), put(&f, "msg/a.txt", "c");
  cr_expect_str_eq(file("other"), "mine\n");
  cr_expect_str_eq(file("artifacts/msg/link.txt"), "ours");
  cr_expect_neq(artifact_folder_put(&f, "msg/folder.txt", CK_LIT("x"), &err), 0);
  cr_expect_eq(errno, EISDIR);
  cr_expect_eq(access("artifacts/msg/folder.txt/deep", F_OK), 0);
  put(&f, "msg/a.txt", "d");
  cr_expect_str_eq(file("artifacts/msg/a.txt"), "d");
  artifact_folder_close(&f);
}

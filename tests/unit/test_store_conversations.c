/* The readable files in the form of conversations, made by their thread from a database in a folder
 * of its own; and which conversation is written when. */
#include <criterion/criterion.h>

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/file.h"
#include "proto/log.h"
#include "store/database/db.h"
#include "store/files/artifacts.h"
#include "store/files/dirty.h"
#include "store/files/names.h"
#include "tests/unit/test_store_help.h"

#define NOON INT64_C(1795348800000) /* 2026-11-22T12:00:00Z */
#define IN "artifacts/conversations/"
#define MANY 100 /* conversations */

static struct context context;
static sqlite3 *db;
static struct artifacts *thread;
static uint64_t version;
static char folder[64];
static struct ck_buf contents;

static void sql(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void sql(const char *fmt, ...) {
  struct ck_err err;
  char text[2000];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(text, sizeof text, fmt, ap);
  va_end(ap);
  cr_assert_eq(db_exec(db, text, &err), 0, "%s: %s", text, err.text);
}

static void enter(void) {
  setenv("TZ", "UTC", 1);
  sh_thread_open(folder, &db, &context);
}

static void leave(void) {
  ck_buf_free(&contents);
  sh_thread_close(folder, &db, &context);
}

static void start(void) {
  struct ck_err err;
  atomic_store(&context.stop, false);
  atomic_store(&context.artifacts_cursor, 0);
  thread = artifacts_start(&context, &err);
  cr_assert_not_null(thread, "%s", err.text);
}

static void stop(void) {
  atomic_store(&context.stop, true);
  context_wake(&context);
  artifacts_stop(&thread);
}

static void put_title(const char *id, const char *title) {
  sql("INSERT INTO local_conversations (version, local_conversation_id, platform,"
      " automation_status, title, created_at, updated_at, newest_at)"
      " VALUES (%llu, '%s', 'chatgpt', 'manual', '%s', %lld, 1, %lld)"
      " ON CONFLICT (local_conversation_id) DO UPDATE SET version = excluded.version,"
      " title = excluded.title",
      (unsigned long long)++version, id, title, (long long)NOON, (long long)NOON);
}

/* With the remote id r-ID. */
static void put_conversation(const char *id, const char *title) {
  put_title(id, title);
  sql("INSERT INTO conversation_links (version, link_id, local_conversation_id, platform,"
      " remote_conversation_id, is_active, observed_at, created_at, updated_at)"
      " VALUES (%llu, 'link-%s', '%s', 'chatgpt', 'r-%s', 1, 1, 1, 1)",
      (unsigned long long)++version, id, id, id);
}

static void put_message(const char *id, const char *conversation, int64_t at, const char *text) {
  sql("DELETE FROM messages WHERE id = '%s'; INSERT INTO messages (version, id, platform,"
      " conversation_id, role, raw_text, observed_at, static_path, created_at, live)"
      " VALUES (%llu, '%s', 'chatgpt', 'r-%s', 'user', '%s', %lld, 'msg/2026/11/22/%s.txt', 0, 1)",
      id, (unsigned long long)++version, id, conversation, text, (long long)at, id);
}

static void announce(void) {
  atomic_store(&context.head, version);
  context_wake(&context);
}

static void reached(void) {
  announce();
  for (int64_t began = ck_boot_ms(); atomic_load(&context.artifacts_cursor) != version;
       usleep(2000))
    cr_assert_lt(ck_boot_ms() - began, 20000, "the artifacts' cursor is %llu, not %llu",
                 (unsigned long long)atomic_load(&context.artifacts_cursor),
                 (unsigned long long)version);
}

static const char *file(const char *path) {
  return ck_read_file(AT_FDCWD, path, 0, SIZE_MAX, &contents, NULL) ? NULL : ck_buf_cstr(&contents);
}

static void says(const char *path, const char *what) {
  const char *text = file(path);
  cr_expect(text && strstr(text, what), "%s does not say %s: %s", path, what, text);
}

static void shell(const char *command) { cr_assert_eq(system(command), 0, "%s", command); }

/* How many files there are. */
static void counts(int n) {
  char command[200];
  snprintf(command, sizeof command, "test $(find artifacts -type f ! -name '.*' | wc -l) = %d", n);
  cr_expect_eq(system(command), 0, "not %d files", n);
}

TestSuite(conversations, .init = enter, .fini = leave, .timeout = 60);

Test(conversations, have_two_files_each) {
  put_conversation("a", "Fish tank");
  put_message("m1", "a", NOON, "How many?");
  put_message("m2", "a", NOON + 1000, "Three.");
  put_message("loose", "nobody", NOON, "Of no conversation");
  start();
  reached();
  cr_expect_str_eq(file(IN "2026-11-22 Fish tank.md"),
                   "---\ntitle: \"Fish tank\"\naliases:\n  - \"Fish tank\"\ndate: 2026-11-22\n"
                   "created: 2026-11-22T12:00:00Z\nupdated: 2026-11-22T12:00:00Z\n"
                   "platform: \"chatgpt\"\nid: \"a\"\ntags:\n  - chat\n  - chatgpt\n---\n\n"
                   "# Fish tank\n\n#### You:\n*2026-11-22 12:00:00*\n\nHow many?\n\n#### "
                   "You:\n*2026-11-22 12:00:01*\n\nThree.\n");
  cr_expect_str_eq(
      file(IN "2026-11-22 Fish tank.json"),
      "{\"convkeep\":1,\"conversations\":[\n{\"convkeep\":1,\n\"conversation\":"
      "{\"local_conversation_id\":\"a\",\"platform\":\"chatgpt\",\"automation_status\":\"manual\","
      "\"title\":\"Fish tank\",\"created_at\":1795348800000,\"updated_at\":1,"
      "\"newest_at\":1795348800000},\n\"links\":[{\"link_id\":\"link-a\","
      "\"local_conversation_id\":\"a\",\"platform\":\"chatgpt\",\"remote_conversation_id\":\"r-a\","
      "\"is_active\":1,\"observed_at\":1,\"created_at\":1,\"updated_at\":1}],\n\"sessions\":[],\n"
      "\"jobs\":[],\n\"messages\":[\n"
      "{\"id\":\"m1\",\"platform\":\"chatgpt\",\"conversation_id\":\"r-a\",\"role\":\"user\","
      "\"raw_text\":\"How many?\",\"observed_at\":1795348800000,"
      "\"static_path\":\"msg/2026/11/22/m1.txt\",\"created_at\":0},\n"
      "{\"id\":\"m2\",\"platform\":\"chatgpt\",\"conversation_id\":\"r-a\",\"role\":\"user\","
      "\"raw_text\":\"Three.\",\"observed_at\":1795348801000,"
      "\"static_path\":\"msg/2026/11/22/m2.txt\",\"created_at\":0}\n]}\n]}\n");
  put_message("m1", "a", NOON, "How many now?");
  reached();
  says(IN "2026-11-22 Fish tank.md", "\n\nHow many now?\n");
  says(IN "2026-11-22 Fish tank.json", "\"How many now?\"");
  counts(2);
  stop();
}

Test(conversations, are_told_apart_and_renamed) {
  put_conversation("a", "New chat");
  put_conversation("b", "new CHAT");
  put_conversation("c", "..//New chat:");
  start();
  reached();
  says(IN "2026-11-22 New chat.md", "\nid: \"a\"\n");
  says(IN "2026-11-22 new CHAT (2).md", "\nid: \"b\"\n");
  says(IN "2026-11-22 New chat (3).md", "\nid: \"c\"\n");
  put_title("a", "Fish");
  put_title("b", "new CHAT");
  reached();
  says(IN "2026-11-22 Fish.md", "\nid: \"a\"\n");
  says(IN "2026-11-22 new CHAT (2).json", "\"b\"");
  counts(6);
  put_title("c", "New chat");
  stop();
  start();
  reached();
  says(IN "2026-11-22 New chat (3).md", "\nid: \"c\"\n");
  counts(6);
  stop();
}

/* A message or a whole link that moves leaves the one conversation and is in the other. */
Test(conversations, do_not_keep_what_moves) {
  put_conversation("a", "First");
  put_conversation("b", "Second");
  put_message("m1", "a", NOON, "Moves");
  put_message("m2", "a", NOON, "Stays");
  start();
  reached();
  put_message("m1", "b", NOON, "Moves");
  reached();
  cr_expect_null(strstr(file(IN "2026-11-22 First.md"), "Moves"));
  says(IN "2026-11-22 Second.md", "Moves");
  sql("UPDATE conversation_links SET version = %llu, local_conversation_id = 'b'"
      " WHERE link_id = 'link-a'",
      (unsigned long long)++version);
  reached();
  cr_expect_null(strstr(file(IN "2026-11-22 First.md"), "Stays"));
  says(IN "2026-11-22 Second.json", "Stays");
  stop();
}

/* Many of one name on one day have a part of a hash after the ninth. */
Test(conversations, of_one_name_are_told_apart_however_many) {
  sql("BEGIN");
  for (int i = 0; i < 300; ++i) {
    char id[8];
    snprintf(id, sizeof id, "c%d", i);
    put_conversation(id, "New chat");
  }
  sql("COMMIT");
  start();
  reached();
  counts(600);
  cr_expect_null(file(IN "2026-11-22 New chat (10).md"));
  stop();
}

Test(conversations, take_no_name_of_what_is_not_theirs) {
  shell("mkdir -p '" IN "2026-11-22 b.json'; echo mine >'" IN "2026-11-22 a.md'");
  put_conversation("a", "a");
  put_conversation("b", "b");
  start();
  reached();
  cr_expect_str_eq(file(IN "2026-11-22 a.md"), "mine\n");
  cr_expect_null(file(IN "2026-11-22 a.json"));
  says(IN "2026-11-22 a (2).md", "\nid: \"a\"\n");
  says(IN "2026-11-22 b (2).json", "\"b\"");
  stop();
}

/* The names are known again from the files. */
Test(conversations, are_made_again_without_their_names) {
  put_conversation("a", "Same");
  put_conversation("b", "Same");
  start();
  reached();
  stop();
  shell("rm artifacts/.names*; echo '\nid: \"other\"' >'" IN "2026-11-22 Same (2).json'");
  start();
  reached();
  says(IN "2026-11-22 Same.md", "\nid: \"a\"\n");
  says(IN "2026-11-22 Same (3).md", "\nid: \"b\"\n");
  stop();
  shell("printf 'no database, but as long as one' >artifacts/.names");
  ck_log_setup("test", CK_ERROR + 1);
  start();
  reached();
  says(IN "2026-11-22 Same.json", "\"a\"");
  stop();
}

static void made(void) {
  start();
  reached();
  stop();
}

/* As after a kill while the files got their new name. */
static void is_renamed_after(const char *moved) {
  char command[200];
  put_conversation("a", "Old");
  made();
  snprintf(command, sizeof command, "cd " IN " && mv '2026-11-22 Old%s' '2026-11-22 Half%s'", moved,
           moved);
  shell(command);
  put_title("a", "New");
  made();
  says(IN "2026-11-22 New.md", "\ntitle: \"New\"\n");
  says(IN "2026-11-22 New.json", "\"New\"");
  counts(2);
}

Test(conversations, that_were_half_renamed_have_one_name) { is_renamed_after(".json"); }

/* What the files are called is known again after a kill or a power cut has taken it. */
static void keep_names(void) {
  shell("mkdir -p kept && cp -a artifacts/.names artifacts/.cursor kept");
}
static void lose_names(void) { shell("cp -a kept/.names kept/.cursor artifacts"); }

Test(conversations, whose_names_were_lost_have_one_name) {
  put_conversation("a", "Old");
  put_conversation("b", "Stays");
  made();
  keep_names();
  put_title("a", "New");
  put_conversation("c", "First");
  made();
  lose_names();
  shell("cd " IN " && cp '2026-11-22 Stays.json' 'my copy.json'");
  put_title("a", "Newer");
  put_title("c", "Second");
  made();
  says(IN "2026-11-22 Newer.md", "\nid: \"a\"\n");
  says(IN "2026-11-22 Second.md", "\nid: \"c\"\n");
  says(IN "my copy.json", "\"b\"");
  counts(7);
}

Test(conversations, whose_lost_name_is_another_ones_have_one_name) {
  put_conversation("a", "One");
  made();
  keep_names();
  put_title("a", "Two");
  made();
  put_conversation("b", "One");
  made();
  lose_names();
  put_title("a", "Three");
  put_title("b", "Four");
  made();
  says(IN "2026-11-22 Three.json", "\"a\"");
  says(IN "2026-11-22 Four.json", "\"b\"");
  counts(4);
}

/* No file of this process may be longer. */
static void limit_files(rlim_t bytes) {
  const struct rlimit limit = {bytes, RLIM_INFINITY};
  signal(SIGXFSZ, SIG_IGN);
  cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void await_trouble(void) {
  for (int64_t began = ck_boot_ms(); !context_trouble_of(&context, TROUBLE_FILES).reason.text[0];
       usleep(2000))
    cr_assert_lt(ck_boot_ms() - began, 20000, "there is room for everything");
}

/* The disk has room for the files, and none for what they are called: a commit of so many names is
 * longer than their index and each file. */
Test(conversations, whose_names_had_no_room_have_one_name) {
  char id[8], title[240];
  ck_log_setup("test", CK_ERROR + 1);
  put_conversation("a", "One");
  made();
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < MANY; ++i) {
      snprintf(id, sizeof id, "c%d", i);
      snprintf(title, sizeof title, "%s %0150d", round ? "Second" : "First", i);
      if (round) put_title(id, title);
      if (!round) put_conversation(id, title);
    }
    if (round) break;
    limit_files(36 << 10);
    start();
    await_trouble();
    limit_files(RLIM_INFINITY);
  }
  reached();
  counts(2 * (MANY + 1));
  stop();
}

/* The disk has room for the first one's files, and neither for the second one's nor for the names.
 */
Test(conversations, whose_names_had_no_room_beside_a_file_have_one_name) {
  ck_log_setup("test", CK_ERROR + 1);
  put_conversation("a", "Old");
  put_conversation("b", "Long");
  put_message("m", "b", NOON, "?");
  sql("UPDATE messages SET raw_text = replace(hex(zeroblob(20480)), '0', 'x')");
  sql("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000)"
      " INSERT INTO messages (version, id, platform, conversation_id, role, raw_text, observed_at,"
      " static_path, created_at, live)"
      " SELECT %llu + i, 'of nobody ' || i, 'chatgpt', 'nobody', 'user', '', 1, 'msg/' || i, 0, 1"
      " FROM n",
      (unsigned long long)version);
  version += 4000;
  limit_files(36 << 10);
  start();
  announce();
  await_trouble();
  limit_files(RLIM_INFINITY);
  put_title("a", "New");
  reached();
  says(IN "2026-11-22 New.json", "\"a\"");
  counts(4);
  stop();
}

/* That a message has left a conversation may be recorded before its files are written. */
Test(conversations, that_a_message_has_left_are_written_after_a_kill) {
  struct ck_err err;
  struct ck_buf former = {0};
  struct ck_row row = {.table = CK_MESSAGES};
  bool fresh;
  put_conversation("a", "First");
  put_conversation("b", "Second");
  put_message("m", "a", NOON, "Moves");
  made();
  put_message("m", "b", NOON, "Moves");
  row.v[ck_tables[CK_MESSAGES].key] = ck_text(CK_LIT("m"));
  struct names *names = names_open(&fresh, &err);
  cr_assert_eq(names_move(names, &row, CK_LIT("b"), &former, &err), 1);
  cr_assert_eq(names_commit(names, &err), 0);
  names_close(&names);
  ck_buf_free(&former);
  made();
  cr_expect_null(strstr(file(IN "2026-11-22 First.md"), "Moves"));
  says(IN "2026-11-22 Second.md", "Moves");
}

static void made_again_after(const char *command) {
  put_conversation("a", "Fish");
  start();
  reached();
  shell(command);
  put_conversation("b", "Cat");
  reached();
  says(IN "2026-11-22 Fish.md", "\nid: \"a\"\n");
  says(IN "2026-11-22 Cat.json", "\"b\"");
  stop();
}

Test(conversations, that_are_deleted_are_made_again) { made_again_after("rm -rf artifacts"); }
Test(conversations, that_are_emptied_are_made_again) { made_again_after("rm -rf artifacts/*"); }
Test(conversations, are_made_again_without_their_cursor) {
  for (int64_t began = ck_boot_ms(); ck_boot_ms() == began;) continue;
  put_conversation("x", "Any");
  start();
  reached();
  for (int64_t began = ck_boot_ms(); access("artifacts/.cursor", F_OK); usleep(5000))
    cr_assert_lt(ck_boot_ms() - began, 20000);
  stop();
  made_again_after("rm artifacts/.cursor artifacts/conversations/*Fish*");
}

/* ---- other forms ---- */

static void make(const char *form) {
  sh_thread_set(&context, "artifacts.form", form);
  start();
  reached();
  stop();
}

/* What is not a record's or conversation's own stays. */
Test(conversations, and_records_and_none_take_each_others_place) {
  put_conversation("a", "Fish");
  put_message("m1", "a", NOON, "Hello");
  make("records");
  cr_expect_not_null(file("artifacts/msg/2026/11/22/m1.txt"));
  counts(4);
  shell("echo mine >artifacts/msg/2026/mine.txt");
  make("conversations");
  cr_expect_null(file("artifacts/session/latest.txt"));
  says(IN "2026-11-22 Fish.md", "Hello");
  counts(3);
  shell("echo mine >" IN "mine.md");
  make("records");
  cr_expect_null(file(IN "2026-11-22 Fish.md"));
  cr_expect_not_null(file(IN "mine.md"));
  counts(6);
  make("conversations");
  make("none");
  counts(2);
  make("none");
  put_message("m2", "a", NOON, "More");
  make("none");
  counts(2);
  shell("rm -r artifacts/msg " IN);
  make("records");
  make("none");
  counts(0);
}

/* ---- when one is written ---- */

static int64_t next(const struct dirty *d, bool quiet, const char *id) {
  struct ck_str at = {NULL, 0};
  int64_t when = dirty_next(d, quiet, &at);
  cr_expect(when == INT64_MAX || ck_str_is(at, id), "%.*s, not %s", (int)at.n, at.s, id);
  return when;
}

Test(conversations, are_written_when_all_is_quiet_or_after_some_seconds) {
  struct dirty *d = dirty_new();
  cr_expect_eq(next(d, true, ""), INT64_MAX);
  cr_expect_eq(dirty_least(d), 0);
  dirty_add(d, CK_LIT("a"), 5, 100);
  dirty_add(d, CK_LIT("b"), 6, 200);
  dirty_add(d, CK_LIT("a"), 7, 300);
  cr_expect_eq(next(d, true, "a"), 100);
  cr_expect_eq(next(d, false, "a"), 100 + DIRTY_MOST_MS);
  cr_expect_eq(dirty_least(d), 5);
  dirty_written(d, CK_LIT("a"), 8, 20, 400);
  cr_expect_eq(next(d, true, "b"), 200);
  cr_expect_eq(dirty_least(d), 6);
  dirty_add(d, CK_LIT("a"), 8, 410); /* it is in the file */
  dirty_written(d, CK_LIT("b"), 8, 0, 420);
  cr_expect_eq(next(d, true, ""), INT64_MAX);
  dirty_add(d, CK_LIT("a"), 9, 430);
  cr_expect_eq(next(d, true, "a"), 400 + 20 * DIRTY_REST);
  dirty_written(d, CK_LIT("a"), 9, 100000, 1000);
  dirty_tidy(d, 9, 2000);
  dirty_add(d, CK_LIT("a"), 10, 2000);
  cr_expect_eq(next(d, true, "a"), 1000 + DIRTY_REST_MAX);
  dirty_free(&d);
}

Test(conversations, only_so_many_wait) {
  struct dirty *d = dirty_new();
  char id[16];
  for (unsigned i = 0; i < DIRTY_FULL; ++i) {
    cr_assert_not(dirty_full(d));
    snprintf(id, sizeof id, "c%u", i);
    dirty_add(d, ck_str_of(id), i + 1, 100 + i);
  }
  cr_expect(dirty_full(d));
  cr_expect_eq(next(d, false, "c0"), 100);
  dirty_written(d, CK_LIT("c0"), 1, 0, 200);
  dirty_tidy(d, 1, 200);
  cr_expect_not(dirty_full(d));
  cr_expect_eq(dirty_least(d), 2);
  cr_expect_eq(next(d, true, "c1"), 101);
  dirty_written(d, ck_str_of(id), DIRTY_FULL, 0, 200);
  dirty_clear(d);
  cr_expect_eq(next(d, true, ""), INT64_MAX);
  dirty_free(&d);
}

/* What is written is in the way of nothing, although the changes that it was written with are still
 * to be added. And of those that wait, none is looked at for another's sake. */
Test(conversations, as_many_as_there_are_are_written) {
  enum { ALL = 5 * DIRTY_FULL, A_STEP = 60 };
  struct dirty *d = dirty_new();
  char id[16];
  unsigned added = 0, written = 0;
  int64_t now = 0;
  while (written < ALL) {
    struct ck_str at = {NULL, 0};
    for (; added < ALL && !dirty_full(d); ++added) {
      snprintf(id, sizeof id, "c%u", added);
      dirty_add(d, ck_str_of(id), added + 1, ++now);
      cr_assert_neq(dirty_next(d, false, &at), INT64_MAX);
    }
    snprintf(id, sizeof id, "c%u", written);
    cr_assert_eq(dirty_least(d), written + 1);
    cr_assert_neq(dirty_next(d, true, &at), INT64_MAX, "after %u of %u", written, added);
    cr_assert(ck_str_is(at, id), "%.*s, not %s", (int)at.n, at.s, id);
    dirty_written(d, ck_str_of(id), ALL, 1, ++now);
    dirty_tidy(d, added, now);
    ++written;
  }
  cr_expect_lt(dirty_looked(d), (uint64_t)ALL * A_STEP, "%llu",
               (unsigned long long)dirty_looked(d));
  dirty_add(d, ck_str_of(id), ALL, now); /* it is in the file */
  cr_expect_eq(next(d, true, ""), INT64_MAX);
  dirty_free(&d);
}

/* Against the plainest way to say which is next. */
Test(conversations, the_next_is_the_one_that_is_due_first) {
  enum { ALL = 40, STEPS = 20000 };
  struct {
    int64_t since, rests; /* since -1: it does not wait; -2: it never did */
  } own[ALL];
  struct dirty *d = dirty_new();
  for (int i = 0; i < ALL; ++i) own[i].since = -2, own[i].rests = 0;
  for (int64_t now = 1; now < STEPS; ++now) {
    int which = (int)sh_below(ALL);
    char id[16];
    snprintf(id, sizeof id, "%d", which);
    if (sh_below(2)) {
      dirty_add(d, ck_str_of(id), (uint64_t)now, now);
      if (own[which].since < 0) own[which].since = now;
    } else {
      int64_t took = (int64_t)sh_below(20);
      dirty_written(d, ck_str_of(id), (uint64_t)now - 1, took, now);
      if (own[which].since == -2) continue;
      own[which].rests = now + took * DIRTY_REST;
      own[which].since = -1;
    }
    for (int quiet = 0; quiet < 2; ++quiet) {
      struct ck_str at;
      int64_t first = INT64_MAX;
      for (int i = 0; i < ALL; ++i) {
        int64_t due = own[i].since + (quiet ? 0 : DIRTY_MOST_MS);
        if (due < own[i].rests) due = own[i].rests;
        if (own[i].since >= 0 && due < first) first = due;
      }
      cr_assert_eq(dirty_next(d, quiet, &at), first, "%d", (int)now);
    }
  }
  dirty_free(&d);
}

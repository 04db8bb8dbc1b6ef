/* The file of the index: made, made again, gone on with, and looked at by doctor. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/sqlite_pages.h"
#include "store/search/check.h"
#include "store/search/index.h"
#include "tests/unit/test_store_search_help.h"

TestSuite(store_search_index, .init = sx_enter, .fini = sx_leave, .timeout = 60);

static bool goes_on(void *self) {
  (void)self;
  return true;
}

static void wait_for(const char *text, const char *ids) {
  for (int64_t began = ck_boot_ms();; usleep(5000)) {
    if (sx_try(text, 20, "", false) == 0 && strcmp(sx_ask(text), ids) == 0) return;
    cr_assert_lt(ck_boot_ms() - began, 20000, "%s does not find %s", text, ids);
  }
}

Test(store_search_index, goes_on_where_it_was) {
  sx_start();
  sx_put("a", "c", "user", 1, "first");
  sx_reached();
  sx_stop();
  cr_expect_eq(sx_try("first", 20, "", false), 0);
  sx_put("b", "c", "user", 2, "second");
  sx_put("a", "c", "user", 1, "changed");
  sx_start();
  sx_reached();
  FINDS("first", "");
  FINDS("second", "b");
  FINDS("changed", "a");
}

static int64_t index_int(const char *sql) {
  struct ck_err err;
  sqlite3 *index = NULL;
  int64_t n = 0;
  cr_assert_eq(search_index_reader(&index, &err), 0, "%s", err.text);
  cr_assert_eq(db_int(index, sql, 0, &n, &err), 0, "%s", err.text);
  db_close(&index);
  return n;
}

#define LISTS "SELECT count(DISTINCT id >> 37) FROM words0_data WHERE id >> 37 > 0"

/* The lists of words of a transaction are written once, not for each message. */
Test(store_search_index, a_transaction_writes_its_words_once) {
  char id[16];
  for (int i = 0; i < 90; ++i) {
    snprintf(id, sizeof id, "m%02d", i);
    sx_put(id, i % 3 ? "c" : "d", i % 2 ? "user" : "assistant", i, "some words");
  }
  sx_start();
  sx_reached();
  sx_stop();
  cr_expect_eq(index_int(LISTS), 1);
}

/* As if as many entries were there already as fit into the first part, but for two. */
static void fill_part(void) {
  sqlite3 *index = NULL;
  struct ck_err err;
  char *text = ck_sprintf("UPDATE search_state SET next = %d", SEARCH_PART - 1);
  /* Written by another program, its pages would be damaged, and it would be made again. */
  cr_assert_eq(sqlite3_open_v2(SEARCH_FILE, &index, SQLITE_OPEN_READWRITE, ck_sqlite_pages_vfs()),
               SQLITE_OK);
  cr_assert_eq(db_exec(index, text, &err), 0, "%s", err.text);
  sqlite3_close(index);
  free(text);
}

Test(store_search_index, a_full_part_is_merged_while_the_next_one_is_filled) {
  sx_start();
  sx_put("a", "c", "user", 1, "a disk 磁盘");
  sx_reached();
  sx_put("b", "c", "user", 2, "the disk 磁盘");
  sx_reached();
  sx_stop();
  cr_expect_eq(index_int(LISTS), 2);
  fill_part();
  sx_start();
  for (int i = 0; i < 8; ++i) {
    char id[16];
    snprintf(id, sizeof id, "m%d", i);
    sx_put(id, "c", "user", 3, "others");
    sx_reached();
  }
  FINDS("disk", "b a");
  FINDS("磁盘", "b a");
  sx_stop();
  cr_expect_eq(index_int(LISTS), 1);
  cr_expect_eq(index_int("SELECT count(DISTINCT id >> 37) FROM runs0_data WHERE id >> 37 > 0"), 1);
  cr_expect_eq(index_int("SELECT merged FROM search_state"), 1);
}

Test(store_search_index, words_are_found_in_all_parts) {
  struct search_checked c;
  struct ck_err err = {{0}};
  sx_put("a", "c", "user", 1, "a disk is full");
  sx_start();
  sx_reached();
  sx_stop();
  fill_part();
  sx_put("b", "c", "user", 2, "the disk");
  sx_put("c", "d", "user", 4, "disk disk");
  sx_put("d", "d", "user", 3, "disks or a disk");
  sx_put_conversation("own", "d", "Trouble", 5);
  sx_start();
  sx_reached();
  FINDS("disk", "c d b a");
  FINDS("dis*", "c d b a");
  FINDS("full", "a");
  FINDS("disk -disks", "c b a");
  FINDS("disk -ful*", "c d b");
  FINDS("-dis*", "title:own");
  FINDS("title:trouble disk", "c d");
  FINDS("title:trou* dis*", "c d");
  cr_assert_eq(sx_try("disk", 20, "", true), 0);
  cr_expect_eq(sx_answer.hit_count, 4);
  cr_expect_eq(sx_answer.count, 4);
  cr_assert_eq(search_check(sx_reader, goes_on, NULL, &c, &err), 0, "%s", err.text);
  cr_expect_eq(c.messages, 4);
  sx_stop();
  sx_put("e", "c", "user", 9, "one more disk");
  sx_start();
  sx_reached();
  FINDS("disk", "e c d b a");
}

Test(store_search_index, a_deleted_file_is_made_again) {
  sx_start();
  sx_put("a", "c", "user", 1, "word");
  sx_reached();
  FINDS("word", "a");
  cr_assert_eq(unlink(SEARCH_FILE), 0);
  cr_expect_eq(sx_try("word", 20, "", false), 0);
  cr_expect_eq(sx_answer.hit_count + sx_answer.indexed, 0u);
  wait_for("word", "a");
  sx_put("b", "c", "user", 2, "word");
  sx_reached();
  wait_for("word", "b a");
}

static void fill(const char *with, int times) {
  int fd = open(SEARCH_FILE, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  cr_assert_geq(fd, 0);
  while (times--) cr_assert_gt(write(fd, with, strlen(with)), 0);
  close(fd);
}

/* Leaves the file as it is in the middle of its first transaction. */
static void half_made(void) {
  pid_t pid = fork();
  if (pid == 0) {
    sqlite3 *db;
    if (sqlite3_open(SEARCH_FILE, &db) != SQLITE_OK) _exit(1);
    _exit(sqlite3_exec(db,
                       "PRAGMA journal_mode = DELETE; PRAGMA cache_size = 1; BEGIN IMMEDIATE;"
                       "CREATE TABLE t (x); INSERT INTO t VALUES (zeroblob(100000))",
                       NULL, NULL, NULL) != SQLITE_OK);
  }
  int status;
  cr_assert(waitpid(pid, &status, 0) == pid && status == 0);
  cr_assert_eq(access(SEARCH_FILE "-journal", F_OK), 0);
}

/* At a start doctor may come before the thread that makes the index, or while it does. */
Test(store_search_index, one_that_is_not_made_yet_is_sound_and_has_nothing) {
  struct search_checked c;
  struct ck_err err = {{0}};
  sx_put("m1", "c", "user", 1, "one");
  for (int step = 0; step < 3; ++step) {
    if (step == 1) close(open(SEARCH_FILE, O_CREAT | O_WRONLY, 0600));
    if (step == 2) half_made();
    cr_assert_eq(search_check(sx_reader, goes_on, NULL, &c, &err), 0, "%s", err.text);
    cr_expect_eq(c.cursor + c.messages + c.titles + c.missing, 0);
  }
  sx_start();
  sx_reached();
  cr_assert_eq(search_check(sx_reader, goes_on, NULL, &c, &err), 0, "%s", err.text);
  cr_expect_eq(c.cursor, 1);
  cr_expect_eq(c.messages, 1);
}

Test(store_search_index, what_is_no_index_is_replaced) {
  sx_put("a", "c", "user", 1, "word");
  for (int times = 1000; times >= 0; times -= 1000) {
    fill("this is not a database. ", times);
    sx_start();
    sx_reached();
    FINDS("word", "a");
    sx_stop();
  }
  cr_assert_eq(unlink(SEARCH_FILE), 0);
  sqlite3 *other;
  cr_assert_eq(sqlite3_open(SEARCH_FILE, &other), SQLITE_OK);
  cr_assert_eq(sqlite3_exec(other, "CREATE TABLE t (x)", NULL, NULL, NULL), SQLITE_OK);
  sqlite3_close(other);
  sx_start();
  sx_reached();
  FINDS("word", "a");
}

Test(store_search_index, another_stores_index_is_replaced) {
  sx_put("a", "c", "user", 1, "word");
  sx_start();
  sx_reached();
  sx_stop();
  memset(sx_context.store_id, 'b', 32);
  sx_sql("DELETE FROM messages");
  sx_sql("DELETE FROM message_keys_new");
  sx_put("b", "c", "user", 2, "word");
  sx_start();
  sx_reached();
  FINDS("word", "b");
}

/* Bytes in the middle of the file: what is read of them is an error, and the index is made again.
 */
Test(store_search_index, a_damaged_index_is_made_again) {
  sx_sql("BEGIN");
  for (int i = 0; i < 2000; ++i) {
    char id[16], text[64];
    snprintf(id, sizeof id, "m%d", i);
    snprintf(text, sizeof text, "word w%d of many", i);
    sx_put(id, "c", "user", i, text);
  }
  sx_sql("COMMIT");
  sx_start();
  sx_reached();
  sx_stop();
  struct stat st;
  cr_assert_eq(stat(SEARCH_FILE, &st), 0);
  int fd = open(SEARCH_FILE, O_WRONLY);
  char junk[4096];
  memset(junk, 0xa5, sizeof junk);
  for (off_t at = 4096; at < st.st_size; at += 4096)
    cr_assert_eq(pwrite(fd, junk, sizeof junk, at), (ssize_t)sizeof junk);
  close(fd);
  sx_start();
  sx_put("new", "c", "user", 5000, "fresh");
  sx_reached();
  wait_for("fresh", "new");
  wait_for("w1234", "m1234");
}

Test(store_search_index, it_is_made_again_when_asked) {
  sx_start();
  sx_put("a", "c", "user", 1, "word");
  sx_reached();
  struct stat before, after;
  cr_assert_eq(stat(SEARCH_FILE, &before), 0);
  int fd = open(SEARCH_FILE, O_RDONLY); /* so that the inode is not used again */
  atomic_store(&sx_context.search_again, true);
  context_wake(&sx_context);
  for (int64_t began = ck_boot_ms(); atomic_load(&sx_context.search_again); usleep(2000))
    cr_assert_lt(ck_boot_ms() - began, 20000);
  sx_reached();
  FINDS("word", "a");
  cr_assert_eq(stat(SEARCH_FILE, &after), 0);
  cr_expect_neq(before.st_ino, after.st_ino);
  close(fd);
}

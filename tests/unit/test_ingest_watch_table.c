/* The table of known files: what was written down is there after a restart, however it ended. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ingest/watch/table.h"
#include "proto/file.h"
#include "proto/log.h"

static char dir[] = "/tmp/cktable.XXXXXX";
static char file[64];
static struct watch_table *table;

static void setup(void) {
  ck_log_setup("test", CK_ERROR);
  cr_assert(mkdtemp(dir));
  snprintf(file, sizeof file, "%s/watch.files", dir);
  table = watch_table_open(dir);
  watch_table_of(table, "store", "readers");
}
static void teardown(void) {
  watch_table_close(&table);
  unlink(file);
  cr_expect_eq(rmdir(dir), 0);
}

TestSuite(watch_table, .init = setup, .fini = teardown);

static void again(void) {
  watch_table_close(&table);
  table = watch_table_open(dir);
}

static void take(const char *path, ino_t inode, off_t size) {
  const struct stat st = {.st_ino = inode, .st_size = size, .st_mtim = {1793000000, 5}};
  const struct watch_mark mark = {(uint64_t)size, 7, UINT64_MAX};
  struct watch_row *row = watch_table_at(table, path);
  watch_table_taken(table, row ? row : watch_table_add(table, path), &st, &mark);
}

static off_t length(void) {
  struct stat st;
  return stat(file, &st) ? -1 : st.st_size;
}

Test(watch_table, rows_last) {
  take("/w/a.jsonl", 10, 100);
  take("/w/odd\xff\n.jsonl", 11, 200);
  take("/w/a.jsonl", 10, 150);
  watch_table_add(table, "/w/never-read.jsonl");
  again();
  cr_expect_not(watch_table_of(table, "store", "readers"));
  cr_expect_eq(watch_table_count(table), 2);
  const struct watch_row *row = watch_table_at(table, "/w/a.jsonl");
  cr_assert(row && watch_table_at(table, "/w/odd\xff\n.jsonl"));
  cr_expect_eq(row->inode, 10);
  cr_expect_eq(row->size, 150);
  cr_expect_eq(row->mtime_ns, INT64_C(1793000000000000005));
  cr_expect_eq(row->mark.taken, 150);
  cr_expect_eq(row->mark.head, 7);
  cr_expect_eq(row->mark.tail, UINT64_MAX);
  cr_expect_gt(row->taken_at, 0);
  cr_expect_eq(watch_table_inode(table, NULL, 10), row);
  cr_expect_eq(watch_table_like(table, 150, row->mtime_ns, NULL), row);
}

Test(watch_table, rows_move_and_go) {
  take("/w/a.jsonl", 10, 100);
  take("/w/b.jsonl", 11, 100);
  watch_table_move(table, watch_table_at(table, "/w/a.jsonl"), "/w/c.jsonl");
  watch_table_remove(table, watch_table_at(table, "/w/b.jsonl"));
  for (int i = 0; i < 2; ++i, again()) {
    cr_expect_null(watch_table_at(table, "/w/a.jsonl"));
    cr_expect_null(watch_table_at(table, "/w/b.jsonl"));
    cr_assert(watch_table_at(table, "/w/c.jsonl"));
    cr_expect_eq(watch_table_at(table, "/w/c.jsonl")->size, 100);
    cr_expect_null(watch_table_inode(table, NULL, 11));
  }
}

/* With another store, or other readers, the files are to be read again. */
Test(watch_table, another_store_knows_nothing) {
  static const char *const of[][2] = {{"other", "readers"}, {"other", "newer"}};
  for (int i = 0; i < 2; ++i) {
    take("/w/a.jsonl", 10, 100);
    again();
    cr_expect(watch_table_of(table, of[i][0], of[i][1]));
    cr_expect_eq(watch_table_count(table), 0);
    again();
    cr_expect_not(watch_table_of(table, of[i][0], of[i][1]));
    cr_expect_eq(watch_table_count(table), 0);
  }
}

/* Cut anywhere, or with any byte flipped: what stands before the damage is there, and the table
 * goes on. */
Test(watch_table, a_damaged_file, .timeout = 60) {
  struct ck_buf whole = {0};
  char path[32];
  for (int i = 0; i < 20; ++i) {
    snprintf(path, sizeof path, "/w/%d.jsonl", i);
    take(path, (ino_t)i + 1, 100);
  }
  cr_assert_eq(ck_read_file(AT_FDCWD, file, 0, SIZE_MAX, &whole, NULL), 0);
  for (size_t at = 0; at < whole.len; at += 7) {
    for (int flip = 0; flip < 2; ++flip) {
      watch_table_close(&table);
      int fd = open(file, O_WRONLY | O_TRUNC | O_CLOEXEC);
      whole.data[at] ^= (char)(flip ? 0x20 : 0);
      cr_assert_eq(ck_write_all(fd, (struct ck_str){whole.data, flip ? whole.len : at}), 0);
      whole.data[at] ^= (char)(flip ? 0x20 : 0);
      close(fd);
      table = watch_table_open(dir);
      size_t n = watch_table_count(table);
      cr_expect_lt(n, 20u, "byte %zu", at);
      cr_expect_leq(n * 40, at, "byte %zu: %zu rows", at, n);
      bool other = watch_table_of(table, "store", "readers");
      take("/w/new.jsonl", 99, 1);
      again();
      cr_expect_not(watch_table_of(table, "store", "readers"));
      cr_expect_eq(watch_table_count(table), (other ? 0 : n) + 1, "byte %zu", at);
    }
  }
  ck_buf_free(&whole);
}

/* It does not grow with each change, and 50,000 rows are read in no time. */
Test(watch_table, many_rows_and_many_changes, .timeout = 60) {
  char path[64];
  for (int i = 0; i < 50000; ++i) {
    snprintf(path, sizeof path, "/home/ada/.claude/projects/-w/%d.jsonl", i);
    take(path, (ino_t)i + 1, 100);
  }
  off_t once = length();
  for (int i = 0; i < 60000; ++i) take(path, 1, i);
  cr_expect_lt(length(), 3 * once, "%ld, then %ld bytes", (long)once, (long)length());
  again();
  cr_expect_eq(watch_table_count(table), 50000);
  cr_expect_eq(watch_table_at(table, path)->size, 59999);
}

/* Following a folder whose files get other names, are replaced, compressed and removed: what was
 * taken is not taken again, and nothing is lost. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test_ingest_watch.h"

#define LOG "-x/a.jsonl"

static struct wr_rig r;

static void setup(void) { wr_open(&r); }
static void teardown(void) { wr_close(&r); }

TestSuite(watch_moves, .init = setup, .fini = teardown, .timeout = 120);

Test(watch_moves, a_file_that_moves_goes_on) {
  size_t half = wr_log(0).n / 2;
  wr_expect(&r, 1);
  wr_start(&r);
  wr_write(&r, LOG, wr_log_part(0, 0, half));
  wr_settle(&r);
  wr_rename(&r, LOG, "-y/b.jsonl");
  wr_rests(&r, "another name");
  wr_rename(&r, "-y", "-z");
  wr_rests(&r, "another name of its folder");
  wr_append(&r, "-z/b.jsonl", wr_log_part(0, half, wr_log(0).n));
  wr_settle(&r);
  wr_same(&r, "moved and grown", 0);
  cr_expect_eq(wr_says(&r, "files"), 1);
}

Test(watch_moves, a_file_that_moves_and_a_restart) {
  wr_write(&r, LOG, wr_log(0));
  wr_start(&r);
  wr_settle(&r);
  wr_rename(&r, LOG, "-y/b.jsonl");
  wr_settle(&r);
  wr_kill(&r);
  wr_start(&r);
  wr_rests(&r, "moved, after a restart");
  cr_expect_eq(wr_says(&r, "files"), 1);
}

/* As Codex does with a session that is archived. */
Test(watch_moves, a_file_that_moves_to_another_followed_folder) {
  char *one = wr_path(&r, "one"), *two = wr_path(&r, "two");
  const struct ck_watched list[] = {{(char[]){"one"}, one, true}, {(char[]){"two"}, two, true}};
  wr_write(&r, "one/a.jsonl", wr_log(0));
  wr_write(&r, "two/c.jsonl", wr_log(2));
  r.watch = ingest_watch_new(&r.readings, "watch-spool");
  ingest_watch_follow(r.watch, list, 2);
  wr_settle(&r);
  wr_rename(&r, "one/a.jsonl", "two/a.jsonl");
  wr_rests(&r, "another folder");
  wr_kill(&r);
  wr_rename(&r, "two/c.jsonl", "one/c.jsonl");
  r.watch = ingest_watch_new(&r.readings, "watch-spool");
  ingest_watch_follow(r.watch, list, 2);
  wr_rests(&r, "another folder, after a restart");
  free(one);
  free(two);
}

/* While nobody looks, and to another disk: another inode with the same time. */
Test(watch_moves, a_file_that_moved_meanwhile) {
  struct stat st;
  wr_write(&r, LOG, wr_log(0));
  wr_write(&r, "-x/d.jsonl", wr_log(2));
  wr_start(&r);
  wr_settle(&r);
  wr_kill(&r);
  char *from = wr_path(&r, LOG), *to = wr_path(&r, "-y/copy.jsonl");
  cr_assert_eq(stat(from, &st), 0);
  wr_write(&r, "-y/copy.jsonl", wr_log(0));
  const struct timespec times[] = {st.st_mtim, st.st_mtim};
  cr_assert_eq(utimensat(0, to, times, 0), 0);
  cr_assert_eq(unlink(from), 0);
  wr_rename(&r, "-x/d.jsonl", "-y/e.jsonl");
  wr_start(&r);
  wr_rests(&r, "moved");
  cr_expect_eq(wr_says(&r, "files"), 2);
  free(from);
  free(to);
}

/* By a shorter one and by longer ones, in place and by another file. */
Test(watch_moves, a_file_that_is_replaced) {
  static const size_t order[] = {0, 2, 1, 0};
  for (size_t i = 0; i < WR_LOGS; ++i) {
    wr_write(&r, "-x/one.jsonl", wr_log(i));
    wr_import(&r, "-x/one.jsonl");
  }
  wr_expect_this(&r);
  wr_again(&r);
  wr_start(&r);
  for (size_t k = 0; k < sizeof order / sizeof *order; ++k) {
    wr_write(&r, k % 2 ? "-x/one.jsonl" : "-x/new", wr_log(order[k]));
    if (k % 2 == 0) wr_rename(&r, "-x/new", "-x/one.jsonl");
    wr_settle(&r);
  }
  wr_same(&r, "one after another in one place", 0);
}

Test(watch_moves, a_file_that_is_compressed) {
  wr_expect(&r, 1);
  struct ck_buf packed = wr_packed(wr_log(0));
  wr_start(&r);
  wr_write(&r, LOG, wr_log(0));
  wr_settle(&r);
  wr_write(&r, LOG ".zst", (struct ck_str){packed.data, packed.len / 2});
  wr_settle(&r);
  cr_expect(strstr(wr_error(&r), "cut off"), "%s", wr_error(&r));
  wr_append(&r, LOG ".zst",
            (struct ck_str){packed.data + packed.len / 2, packed.len - packed.len / 2});
  wr_remove(&r, LOG);
  wr_settle(&r);
  wr_same(&r, "compressed", 0);
  cr_expect_str_eq(wr_error(&r), "");
  wr_kill(&r);
  wr_start(&r);
  wr_rests(&r, "compressed, after a restart");
  cr_expect_eq(wr_says(&r, "files"), 1);
  ck_buf_free(&packed);
}

Test(watch_moves, only_the_compressed_one) {
  wr_expect(&r, 1);
  struct ck_buf packed = wr_packed(wr_log(0));
  wr_write(&r, LOG ".zst", ck_buf_view(&packed));
  wr_start(&r);
  wr_settle(&r);
  wr_same(&r, "only compressed", 0);
  ck_buf_free(&packed);
}

Test(watch_moves, what_was_taken_stays) {
  wr_expect(&r, 1);
  wr_start(&r);
  wr_write(&r, LOG, wr_log(0));
  wr_settle(&r);
  wr_remove(&r, LOG);
  wr_settle(&r);
  wr_kill(&r);
  wr_start(&r);
  wr_settle(&r);
  wr_same(&r, "removed", 0);
  cr_expect_eq(wr_says(&r, "files"), 0);
  cr_expect_str_eq(wr_error(&r), "");
}

/* Rows of files that are gone are removed at some time: not while a folder's are looked through. */
Test(watch_moves, many_files_are_removed_and_then_a_folder) {
  enum { SINGLE = 1000, IN_FOLDER = 1040 };
  char name[40];
  wr_start(&r);
  for (int i = 0; i < SINGLE + IN_FOLDER; ++i) {
    snprintf(name, sizeof name, i < SINGLE ? "-x/%d.jsonl" : "-y/%d.jsonl", i);
    wr_write(&r, name, CK_LIT("{}\n"));
  }
  wr_settle(&r);
  cr_expect_eq(wr_says(&r, "files"), SINGLE + IN_FOLDER);
  for (int i = 0; i < SINGLE; ++i) {
    snprintf(name, sizeof name, "-x/%d.jsonl", i);
    wr_remove(&r, name);
  }
  wr_settle(&r);
  cr_expect_eq(wr_says(&r, "files"), IN_FOLDER);
  wr_rename(&r, "-y", "../away");
  wr_settle(&r);
  cr_expect_eq(wr_says(&r, "files"), 0);
  wr_rename(&r, "../away", "-z");
  wr_settle(&r);
  cr_expect_eq(wr_says(&r, "files"), IN_FOLDER);
}

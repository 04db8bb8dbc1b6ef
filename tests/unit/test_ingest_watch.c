/* Following a folder: whatever happens to the files, and whenever ingest is killed, the store has
 * the rows that an import of the finished files gives, and nothing twice. */
#include <stdio.h>
#include <stdlib.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ingest/watch/open.h"
#include "test_ingest_collect.h"
#include "test_ingest_watch.h"

static struct wr_rig r;

static const struct {
  const char *sample, *name;
} files[] = {
    {"/tests/golden/sources/claude-code-session.jsonl", "-x/a.jsonl"},
    {"/tests/golden/sources/claude-code-agent.jsonl", "-x/a/subagents/agent-1.jsonl"},
    {"/tests/golden/sources/claude-code-fork.jsonl", "-x/c.jsonl"},
};
#define FILES (sizeof files / sizeof *files)
#define LOG "-x/a.jsonl"
#define MANY 250 /* files: more than are kept open */
static struct ck_buf sample[FILES], expected, got;

static void setup(void) {
  for (size_t i = 0; i < FILES; ++i)
    if (!sample[i].len) cr_assert(load_own(&sample[i], files[i].sample), "%s", files[i].sample);
  wr_open(&r);
}
static void teardown(void) { wr_close(&r); }

TestSuite(watch, .init = setup, .fini = teardown, .timeout = 120);

static struct ck_str whole(size_t i) { return ck_buf_view(&sample[i]); }
static struct ck_str part(size_t i, size_t from, size_t to) {
  return (struct ck_str){sample[i].data + from, to - from};
}

/* What an import of the first n files gives; then all is as at the beginning. */
static void expect(size_t n) {
  for (size_t i = 0; i < n; ++i) {
    wr_write(&r, files[i].name, whole(i));
    wr_import(&r, files[i].name);
  }
  sh_dump(&r.store, &expected);
  wr_again(&r);
}

static void same(const char *how, uint64_t at) {
  sh_dump(&r.store, &got);
  if (ck_str_eq(ck_buf_view(&got), ck_buf_view(&expected))) return;
  size_t i = 0;
  while (i < got.len && i < expected.len && got.data[i] == expected.data[i]) ++i;
  size_t from = i > 300 ? i - 300 : 0;
  cr_assert(false, "%s (%llu):\n%.*s\ninstead of:\n%.*s", how, (unsigned long long)at, 600,
            got.data + from, 600, expected.data + from);
}

/* Nothing is read again: the store gets nothing. */
static void rests(const char *how) {
  uint64_t before = r.taken;
  wr_settle(&r);
  cr_expect_eq(r.taken, before, "%s: %llu changesets", how, (unsigned long long)(r.taken - before));
}

/* ---- one after another ---- */

Test(watch, what_is_there_and_what_comes) {
  expect(FILES);
  wr_write(&r, files[0].name, whole(0));
  wr_start(&r);
  wr_settle(&r);
  wr_write(&r, files[1].name, whole(1)); /* in folders that are new */
  wr_settle(&r);
  wr_write(&r, files[2].name, whole(2));
  wr_settle(&r);
  same("three files", 0);
  cr_expect_eq(wr_says(&r, "files"), 3);
  cr_expect_eq(wr_says(&r, "behind"), 0);
  cr_expect_gt(wr_says(&r, "taken_at"), 0);
}

Test(watch, a_restart_at_which_nothing_has_changed) {
  for (size_t i = 0; i < FILES; ++i) wr_write(&r, files[i].name, whole(i));
  wr_start(&r);
  wr_settle(&r);
  wr_kill(&r);
  wr_start(&r);
  rests("a restart");
  cr_expect_eq(wr_says(&r, "files"), 3);
}

Test(watch, half_a_line_waits) {
  size_t half = sample[0].len - 100;
  expect(1);
  wr_write(&r, LOG, part(0, 0, half));
  wr_start(&r);
  wr_settle(&r);
  rests("half a line");
  wr_kill(&r);
  wr_start(&r);
  rests("half a line, after a restart");
  wr_append(&r, LOG, part(0, half, sample[0].len));
  wr_settle(&r);
  same("the other half", 0);
}

/* A last line that nothing ends is read when it is a whole one. */
Test(watch, a_last_line_without_a_line_feed) {
  expect(1);
  wr_start(&r);
  wr_write(&r, LOG, part(0, 0, sample[0].len - 1));
  wr_settle(&r);
  same("without the line feed", 0);
  wr_append(&r, LOG, CK_LIT("\n"));
  wr_settle(&r);
  same("with it", 0);
  rests("afterwards");
}

/* Nobody has waited long enough to look at it when ingest ends. */
Test(watch, a_last_line_without_a_line_feed_at_a_restart) {
  expect(1);
  wr_start(&r);
  wr_write(&r, LOG, part(0, 0, sample[0].len - 1));
  for (int i = 0; i < 20; ++i) wr_step(&r);
  sh_dump(&r.store, &got);
  cr_assert_not(ck_str_eq(ck_buf_view(&got), ck_buf_view(&expected)), "it was read too soon");
  wr_kill(&r);
  wr_start(&r);
  wr_settle(&r);
  same("after a restart", 0);
  wr_kill(&r);
  wr_start(&r);
  rests("after another restart");
}

/* Nor when so many others grow that it is not kept open. */
Test(watch, a_last_line_without_a_line_feed_beside_many_files) {
  char name[40];
  expect(1);
  wr_start(&r);
  wr_write(&r, "-x/first.jsonl", part(0, 0, sample[0].len - 1));
  for (int i = 0; i < 8; ++i) wr_step(&r);
  for (int i = 0; i < MANY; ++i) {
    snprintf(name, sizeof name, "-x/%d.jsonl", i);
    wr_write(&r, name, part(0, 0, sample[0].len / 2));
  }
  for (int i = 0; i < 40; ++i) wr_step(&r); /* two seconds */
  wr_settle(&r);
  same("beside many files", 0);
  rests("beside many files");
}

/* What was read of a half line is not what is there now, though the file is longer. */
Test(watch, half_a_line_that_is_replaced) {
  size_t half = sample[0].len / 4;
  while (sample[0].data[half - 1] != '\n') --half;
  expect(1);
  wr_start(&r);
  wr_write(&r, LOG, part(0, 0, half));
  wr_append(&r, LOG, CK_LIT("[[\"another\", \"line"));
  wr_settle(&r);
  wr_write(&r, LOG, whole(0));
  wr_settle(&r);
  same("replaced", 0);
}

/* A line of which nobody can hold the bytes. */
Test(watch, a_line_of_a_terabyte) {
  wr_write(&r, LOG, whole(0));
  char *path = wr_path(&r, LOG);
  int fd = open(path, O_RDONLY);
  cr_assert_geq(fd, 0);
  cr_expect_not(watch_line_is_whole(fd, 0, UINT64_C(1) << 40));
  close(fd);
  free(path);
}

Test(watch, a_file_that_moves_goes_on) {
  size_t half = sample[0].len / 2;
  expect(1);
  wr_start(&r);
  wr_write(&r, LOG, part(0, 0, half));
  wr_settle(&r);
  wr_rename(&r, LOG, "-y/b.jsonl");
  rests("another name");
  wr_rename(&r, "-y", "-z");
  rests("another name of its folder");
  wr_append(&r, "-z/b.jsonl", part(0, half, sample[0].len));
  wr_settle(&r);
  same("moved and grown", 0);
  cr_expect_eq(wr_says(&r, "files"), 1);
}

/* While nobody looks, and to another disk: another inode with the same time. */
Test(watch, a_file_that_moved_meanwhile) {
  struct stat st;
  wr_write(&r, LOG, whole(0));
  wr_write(&r, "-x/d.jsonl", whole(2));
  wr_start(&r);
  wr_settle(&r);
  wr_kill(&r);
  char *from = wr_path(&r, LOG), *to = wr_path(&r, "-y/copy.jsonl");
  cr_assert_eq(stat(from, &st), 0);
  wr_write(&r, "-y/copy.jsonl", whole(0));
  const struct timespec times[] = {st.st_mtim, st.st_mtim};
  cr_assert_eq(utimensat(0, to, times, 0), 0);
  cr_assert_eq(unlink(from), 0);
  wr_rename(&r, "-x/d.jsonl", "-y/e.jsonl");
  wr_start(&r);
  rests("moved");
  cr_expect_eq(wr_says(&r, "files"), 2);
  free(from);
  free(to);
}

/* By a shorter one and by longer ones, in place and by another file. */
Test(watch, a_file_that_is_replaced) {
  static const size_t order[] = {0, 2, 1, 0};
  for (size_t i = 0; i < FILES; ++i) {
    wr_write(&r, "-x/one.jsonl", whole(i));
    wr_import(&r, "-x/one.jsonl");
  }
  sh_dump(&r.store, &expected);
  wr_again(&r);
  wr_start(&r);
  for (size_t k = 0; k < sizeof order / sizeof *order; ++k) {
    wr_write(&r, k % 2 ? "-x/one.jsonl" : "-x/new", whole(order[k]));
    if (k % 2 == 0) wr_rename(&r, "-x/new", "-x/one.jsonl");
    wr_settle(&r);
  }
  same("one after another in one place", 0);
}

Test(watch, a_file_that_is_compressed) {
  expect(1);
  struct ck_buf packed = wr_packed(whole(0));
  wr_start(&r);
  wr_write(&r, LOG, whole(0));
  wr_settle(&r);
  wr_write(&r, LOG ".zst", (struct ck_str){packed.data, packed.len / 2});
  wr_settle(&r);
  cr_expect(strstr(wr_error(&r), "cut off"), "%s", wr_error(&r));
  wr_append(&r, LOG ".zst",
            (struct ck_str){packed.data + packed.len / 2, packed.len - packed.len / 2});
  wr_remove(&r, LOG);
  wr_settle(&r);
  same("compressed", 0);
  cr_expect_str_eq(wr_error(&r), "");
  wr_kill(&r);
  wr_start(&r);
  rests("compressed, after a restart");
  cr_expect_eq(wr_says(&r, "files"), 1);
  ck_buf_free(&packed);
}

Test(watch, only_the_compressed_one) {
  expect(1);
  struct ck_buf packed = wr_packed(whole(0));
  wr_write(&r, LOG ".zst", ck_buf_view(&packed));
  wr_start(&r);
  wr_settle(&r);
  same("only compressed", 0);
  ck_buf_free(&packed);
}

Test(watch, what_was_taken_stays) {
  expect(1);
  wr_start(&r);
  wr_write(&r, LOG, whole(0));
  wr_settle(&r);
  wr_remove(&r, LOG);
  wr_settle(&r);
  wr_kill(&r);
  wr_start(&r);
  wr_settle(&r);
  same("removed", 0);
  cr_expect_eq(wr_says(&r, "files"), 0);
  cr_expect_str_eq(wr_error(&r), "");
}

/* Rows of files that are gone are removed at some time: not while a folder's are looked through. */
Test(watch, many_files_are_removed_and_then_a_folder) {
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

/* Without a descriptor it cannot be opened; with one it is, though nothing tells of that. */
Test(watch, no_descriptor_is_left) {
  struct rlimit all, none;
  wr_start(&r);
  wr_settle(&r);
  wr_write(&r, "a.jsonl", whole(0));
  int next = dup(0);
  cr_assert(next >= 0 && close(next) == 0);
  cr_assert_eq(getrlimit(RLIMIT_NOFILE, &all), 0);
  none = all;
  none.rlim_cur = (rlim_t)next;
  cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
  for (int i = 0; i < 10; ++i) wr_step(&r);
  cr_assert_eq(setrlimit(RLIMIT_NOFILE, &all), 0);
  cr_expect_eq(wr_says(&r, "unreadable"), 1);
  cr_expect(strstr(wr_error(&r), "Too many open files"), "%s", wr_error(&r));
  wr_settle(&r);
  cr_expect_eq(wr_says(&r, "unreadable"), 0);
  cr_expect_gt(sh_int(&r.store, "SELECT count(*) FROM messages"), 0);
}

/* It ends while a file is read, which is gone when it begins again: the messages that the store has
 * got have their originals. */
Test(watch, the_originals_of_a_file_that_is_not_read_to_its_end) {
  struct ck_buf log = {0};
  for (int i = 0; i < 1500; ++i)
    ck_buf_printf(&log,
                  "{\"sessionId\":\"s\",\"cwd\":\"/w\",\"type\":\"user\",\"uuid\":\"u%d\","
                  "\"timestamp\":\"2026-10-05T09:00:01.037Z\",\"parentUuid\":null,"
                  "\"message\":{\"role\":\"user\",\"content\":\"question %0400d\"}}\n",
                  i, i);
  wr_start(&r);
  wr_write(&r, LOG, ck_buf_view(&log));
  while (!sh_int(&r.store, "SELECT count(*) FROM messages")) wr_step(&r);
  wr_kill(&r);
  wr_remove(&r, LOG);
  wr_start(&r);
  wr_settle(&r);
  cr_expect_lt(sh_int(&r.store, "SELECT count(*) FROM messages"), 1500, "it was read to its end");
  cr_expect_eq(
      sh_int(&r.store,
             "SELECT count(*) FROM messages m WHERE m.original IS NOT NULL AND"
             " NOT EXISTS (SELECT 1 FROM originals o WHERE lower(hex(o.id)) = m.original)"),
      0);
  ck_buf_free(&log);
}

Test(watch, a_folder_that_comes_later_and_goes) {
  cr_assert_eq(rmdir(r.folder), 0);
  wr_start(&r);
  wr_settle(&r);
  cr_expect(strstr(wr_error(&r), "No such file"), "%s", wr_error(&r));
  cr_assert_eq(mkdir(r.folder, 0700), 0);
  wr_write(&r, LOG, whole(0));
  wr_settle(&r);
  cr_expect_str_eq(wr_error(&r), "");
  cr_expect_eq(wr_says(&r, "files"), 1);
  cr_expect_gt(sh_int(&r.store, "SELECT count(*) FROM messages"), 0);
}

/* The store is another one: all is given to it. */
Test(watch, another_store) {
  wr_write(&r, LOG, whole(0));
  wr_start(&r);
  wr_settle(&r);
  uint64_t before = r.taken;
  r.store_id[0] = 'S';
  wr_settle(&r);
  cr_expect_gt(r.taken, before);
  rests("the same store again");
}

/* Skipped before anything is open: ZeroMQ's threads would keep the process. */
Test(watch_rights, a_file_that_cannot_be_read, .timeout = 120) {
  if (geteuid() == 0) cr_skip_test("root may read all");
  setup();
  char *path = wr_path(&r, LOG);
  wr_write(&r, LOG, whole(0));
  chmod(path, 0);
  wr_start(&r);
  wr_settle(&r);
  cr_expect_eq(wr_says(&r, "unreadable"), 1);
  cr_expect(strstr(wr_error(&r), "Permission denied"), "%s", wr_error(&r));
  chmod(path, 0600);
  wr_settle(&r);
  cr_expect_eq(wr_says(&r, "unreadable"), 0);
  cr_expect_gt(sh_int(&r.store, "SELECT count(*) FROM messages"), 0);
  free(path);
  teardown();
}

/* More files than are kept open, each growing in turn. */
Test(watch, many_files_that_grow) {
  char name[40];
  expect(1);
  wr_start(&r);
  for (int round = 0; round < 2; ++round)
    for (int i = 0; i < MANY; ++i) {
      snprintf(name, sizeof name, "-x/%d.jsonl", i);
      size_t half = sample[0].len / 2;
      wr_append(&r, name, round ? part(0, half, sample[0].len) : part(0, 0, half));
      wr_step(&r);
    }
  wr_settle(&r);
  same("many copies", 0);
  rests("many copies");
}

/* ---- any interleaving ---- */

struct playing {
  size_t at[FILES];
  char name[FILES][40];
  unsigned names;
};

static void do_something(struct playing *p) {
  size_t i = sh_below(FILES), left = sample[i].len - p->at[i], n = sh_below(700);
  char other[40];
  switch (sh_below(12)) {
  case 0:
    wr_kill(&r);
    wr_start(&r);
    break;
  case 1:
    r.away = !r.away;
    break;
  case 2:
    if (!p->at[i]) break;
    snprintf(other, sizeof other, "-%u/%u.jsonl", (unsigned)sh_below(3), ++p->names);
    wr_rename(&r, p->name[i], other);
    memcpy(p->name[i], other, sizeof other);
    break;
  case 3: /* written again as a whole, as an editor does */
    if (!p->at[i]) break;
    wr_write(&r, "new", part(i, 0, p->at[i]));
    wr_rename(&r, "new", p->name[i]);
    break;
  case 4:
  case 5:
  case 6:
    for (uint64_t turns = sh_below(12); turns; --turns) wr_step(&r);
    break;
  default:
    if (n > left) n = left;
    wr_append(&r, p->name[i], part(i, p->at[i], p->at[i] + n));
    p->at[i] += n;
  }
}

static void play(uint64_t seed) {
  struct playing p = {0};
  sh_seed(seed);
  /* The name of a subagent's file says whose it is: its lines say so, too. */
  for (size_t i = 0; i < FILES; ++i) snprintf(p.name[i], sizeof p.name[i], "%s", files[i].name);
  wr_start(&r);
  for (int n = 0; n < 150; ++n) do_something(&p);
  for (size_t i = 0; i < FILES; ++i) {
    wr_append(&r, p.name[i], part(i, p.at[i], sample[i].len));
    if (sh_below(2)) continue;
    char packed_name[48];
    struct ck_buf packed = wr_packed(whole(i));
    snprintf(packed_name, sizeof packed_name, "%s.zst", p.name[i]);
    wr_write(&r, packed_name, ck_buf_view(&packed));
    wr_remove(&r, p.name[i]);
    ck_buf_free(&packed);
  }
  r.away = false;
  wr_settle(&r);
  same("played", seed);
  wr_kill(&r);
  wr_start(&r);
  rests("played, after a restart");
  wr_again(&r);
}

Test(watch, any_interleaving_gives_what_an_import_gives) {
  uint64_t first = sh_random() >> 20;
  expect(FILES);
  for (uint64_t seed = first; seed < first + 8; ++seed) play(seed);
}

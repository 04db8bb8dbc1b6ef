/* Following a folder: whatever comes to the files, and whenever ingest is killed, the store has the
 * rows that an import of the finished files gives, and nothing twice. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ingest/watch/open.h"
#include "test_ingest_watch.h"

#define LOG "-x/a.jsonl"
#define MANY 250 /* files: more than are kept open */

static struct wr_rig r;

static void setup(void) { wr_open(&r); }
static void teardown(void) { wr_close(&r); }

TestSuite(watch, .init = setup, .fini = teardown, .timeout = 120);

/* ---- one after another ---- */

Test(watch, what_is_there_and_what_comes) {
  wr_expect(&r, WR_LOGS);
  wr_write(&r, wr_log_names[0], wr_log(0));
  wr_start(&r);
  wr_settle(&r);
  wr_write(&r, wr_log_names[1], wr_log(1)); /* in folders that are new */
  wr_settle(&r);
  wr_write(&r, wr_log_names[2], wr_log(2));
  wr_settle(&r);
  wr_same(&r, "three files", 0);
  cr_expect_eq(wr_says(&r, "files"), 3);
  cr_expect_eq(wr_says(&r, "behind"), 0);
  cr_expect_gt(wr_says(&r, "taken_at"), 0);
}

Test(watch, a_restart_at_which_nothing_has_changed) {
  for (size_t i = 0; i < WR_LOGS; ++i) wr_write(&r, wr_log_names[i], wr_log(i));
  wr_start(&r);
  wr_settle(&r);
  wr_kill(&r);
  wr_start(&r);
  wr_rests(&r, "a restart");
  cr_expect_eq(wr_says(&r, "files"), 3);
}

Test(watch, half_a_line_waits) {
  size_t half = wr_log(0).n - 100;
  wr_expect(&r, 1);
  wr_write(&r, LOG, wr_log_part(0, 0, half));
  wr_start(&r);
  wr_settle(&r);
  wr_rests(&r, "half a line");
  wr_kill(&r);
  wr_start(&r);
  wr_rests(&r, "half a line, after a restart");
  wr_append(&r, LOG, wr_log_part(0, half, wr_log(0).n));
  wr_settle(&r);
  wr_same(&r, "the other half", 0);
}

/* A last line that nothing ends is read when it is a whole one. */
Test(watch, a_last_line_without_a_line_feed) {
  wr_expect(&r, 1);
  wr_start(&r);
  wr_write(&r, LOG, wr_log_part(0, 0, wr_log(0).n - 1));
  wr_settle(&r);
  wr_same(&r, "without the line feed", 0);
  wr_append(&r, LOG, CK_LIT("\n"));
  wr_settle(&r);
  wr_same(&r, "with it", 0);
  wr_rests(&r, "afterwards");
}

/* Nobody has waited long enough to look at it when ingest ends. */
Test(watch, a_last_line_without_a_line_feed_at_a_restart) {
  wr_expect(&r, 1);
  wr_start(&r);
  wr_write(&r, LOG, wr_log_part(0, 0, wr_log(0).n - 1));
  for (int i = 0; i < 20; ++i) wr_step(&r);
  cr_assert_not(wr_has_expected(&r), "it was read too soon");
  wr_kill(&r);
  wr_start(&r);
  wr_settle(&r);
  wr_same(&r, "after a restart", 0);
  wr_kill(&r);
  wr_start(&r);
  wr_rests(&r, "after another restart");
}

/* Nor when so many others grow that it is not kept open. */
Test(watch, a_last_line_without_a_line_feed_beside_many_files) {
  char name[40];
  wr_expect(&r, 1);
  wr_start(&r);
  wr_write(&r, "-x/first.jsonl", wr_log_part(0, 0, wr_log(0).n - 1));
  for (int i = 0; i < 8; ++i) wr_step(&r);
  for (int i = 0; i < MANY; ++i) {
    snprintf(name, sizeof name, "-x/%d.jsonl", i);
    wr_write(&r, name, wr_log_part(0, 0, wr_log(0).n / 2));
  }
  for (int i = 0; i < 40; ++i) wr_step(&r); /* two seconds */
  wr_settle(&r);
  wr_same(&r, "beside many files", 0);
  wr_rests(&r, "beside many files");
}

/* What was read of a half line is not what is there now, though the file is longer. */
Test(watch, half_a_line_that_is_replaced) {
  size_t half = wr_log(0).n / 4;
  while (wr_log(0).s[half - 1] != '\n') --half;
  wr_expect(&r, 1);
  wr_start(&r);
  wr_write(&r, LOG, wr_log_part(0, 0, half));
  wr_append(&r, LOG, CK_LIT("[[\"another\", \"line"));
  wr_settle(&r);
  wr_write(&r, LOG, wr_log(0));
  wr_settle(&r);
  wr_same(&r, "replaced", 0);
}

/* A log whose first and last 4 KiB do not tell what is between them. */
static struct ck_buf long_log(const char *middle) {
  struct ck_buf b = {0};
  const char *const ids[] = {"m1", middle, "m3"};
  for (int i = 0; i < 3; ++i) {
    ck_buf_printf(&b,
                  "{\"type\":\"user\",\"sessionId\":\"s1\",\"uuid\":\"%s\","
                  "\"timestamp\":\"2026-11-0%dT10:00:00.000Z\","
                  "\"message\":{\"role\":\"user\",\"content\":\"",
                  ids[i], i + 1);
    for (int n = 0; n < 1000; ++n) ck_buf_text(&b, "so long ");
    ck_buf_text(&b, "\"}}\n");
  }
  return b;
}

static void set_mtime(const char *name, int64_t s) {
  char *path = wr_path(&r, name);
  const struct timespec both[] = {{.tv_sec = s}, {.tv_sec = s}};
  cr_assert_eq(utimensat(AT_FDCWD, path, both, 0), 0);
  free(path);
}

/* It keeps its size, and all that its ends tell. */
Test(watch, a_change_in_the_middle) {
  struct ck_buf one = long_log("m2"), other = long_log("m4");
  wr_write(&r, LOG, ck_buf_view(&one));
  wr_import(&r, LOG);
  wr_write(&r, LOG, ck_buf_view(&other));
  wr_import(&r, LOG);
  wr_expect_this(&r);
  wr_again(&r);
  wr_start(&r);
  wr_write(&r, LOG, ck_buf_view(&one));
  wr_settle(&r);
  set_mtime(LOG, 1800000000);
  wr_settle(&r);
  wr_write(&r, LOG, ck_buf_view(&other));
  set_mtime(LOG, 1800000001);
  wr_settle(&r);
  wr_same(&r, "changed in the middle", 0);
  wr_rests(&r, "afterwards");
  ck_buf_free(&one);
  ck_buf_free(&other);
}

/* A line of which nobody can hold the bytes. */
Test(watch, a_line_of_a_terabyte) {
  wr_write(&r, LOG, wr_log(0));
  char *path = wr_path(&r, LOG);
  int fd = open(path, O_RDONLY);
  cr_assert_geq(fd, 0);
  cr_expect_not(watch_line_is_whole(fd, 0, UINT64_C(1) << 40));
  close(fd);
  free(path);
}

/* Without a descriptor it cannot be opened; with one it is, though nothing tells of that. */
Test(watch, no_descriptor_is_left) {
  struct rlimit all, none;
  wr_start(&r);
  wr_settle(&r);
  wr_write(&r, "a.jsonl", wr_log(0));
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
  wr_write(&r, LOG, wr_log(0));
  wr_settle(&r);
  cr_expect_str_eq(wr_error(&r), "");
  cr_expect_eq(wr_says(&r, "files"), 1);
  cr_expect_gt(sh_int(&r.store, "SELECT count(*) FROM messages"), 0);
}

/* The store is another one: all is given to it. */
Test(watch, another_store) {
  wr_write(&r, LOG, wr_log(0));
  wr_start(&r);
  wr_settle(&r);
  uint64_t before = r.taken;
  r.store_id[0] = 'S';
  wr_settle(&r);
  cr_expect_gt(r.taken, before);
  wr_rests(&r, "the same store again");
}

/* Skipped before anything is open: ZeroMQ's threads would keep the process. */
Test(watch_rights, a_file_that_cannot_be_read, .timeout = 120) {
  if (geteuid() == 0) cr_skip_test("root may read all");
  setup();
  char *path = wr_path(&r, LOG);
  wr_write(&r, LOG, wr_log(0));
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
  wr_expect(&r, 1);
  wr_start(&r);
  for (int round = 0; round < 2; ++round)
    for (int i = 0; i < MANY; ++i) {
      snprintf(name, sizeof name, "-x/%d.jsonl", i);
      size_t half = wr_log(0).n / 2;
      wr_append(&r, name, round ? wr_log_part(0, half, wr_log(0).n) : wr_log_part(0, 0, half));
      wr_step(&r);
    }
  wr_settle(&r);
  wr_same(&r, "many copies", 0);
  wr_rests(&r, "many copies");
}

/* ---- any interleaving ---- */

struct playing {
  size_t at[WR_LOGS];
  char name[WR_LOGS][40];
  unsigned names;
};

static void do_something(struct playing *p) {
  size_t i = sh_below(WR_LOGS), left = wr_log(i).n - p->at[i], n = sh_below(700);
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
    wr_write(&r, "new", wr_log_part(i, 0, p->at[i]));
    wr_rename(&r, "new", p->name[i]);
    break;
  case 4:
  case 5:
  case 6:
    for (uint64_t turns = sh_below(12); turns; --turns) wr_step(&r);
    break;
  default:
    if (n > left) n = left;
    wr_append(&r, p->name[i], wr_log_part(i, p->at[i], p->at[i] + n));
    p->at[i] += n;
  }
}

static void play(uint64_t seed) {
  struct playing p = {0};
  sh_seed(seed);
  /* The name of a subagent's file says whose it is: its lines say so, too. */
  for (size_t i = 0; i < WR_LOGS; ++i) snprintf(p.name[i], sizeof p.name[i], "%s", wr_log_names[i]);
  wr_start(&r);
  for (int n = 0; n < 150; ++n) do_something(&p);
  for (size_t i = 0; i < WR_LOGS; ++i) {
    wr_append(&r, p.name[i], wr_log_part(i, p.at[i], wr_log(i).n));
    if (sh_below(2)) continue;
    char packed_name[48];
    struct ck_buf packed = wr_packed(wr_log(i));
    snprintf(packed_name, sizeof packed_name, "%s.zst", p.name[i]);
    wr_write(&r, packed_name, ck_buf_view(&packed));
    wr_remove(&r, p.name[i]);
    ck_buf_free(&packed);
  }
  r.away = false;
  wr_settle(&r);
  wr_same(&r, "played", seed);
  wr_kill(&r);
  wr_start(&r);
  wr_rests(&r, "played, after a restart");
  wr_again(&r);
}

Test(watch, any_interleaving_gives_what_an_import_gives) {
  uint64_t first = sh_random() >> 20;
  wr_expect(&r, WR_LOGS);
  for (uint64_t seed = first; seed < first + 8; ++seed) play(seed);
}

/* Following a folder: when no events come of it, when it cannot be read, and whatever its names
 * are.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/file.h"
#include "proto/log.h"
#include "test_ingest_collect.h"
#include "test_ingest_watch.h"

#define LOG "-x/a.jsonl"

static struct wr_rig r;
static struct ck_buf sample;

static void setup(void) {
  cr_assert(load_own(&sample, "/tests/golden/sources/claude-code-session.jsonl"));
  wr_open(&r);
}
static void teardown(void) {
  wr_close(&r);
  ck_buf_free(&sample);
}

TestSuite(watch_folders, .init = setup, .fini = teardown, .timeout = 120);

/* An event tells neither of a mount nor of a symbolic link above that leads elsewhere. */
Test(watch_folders, a_folder_that_comes_without_an_event) {
  char *folder = r.folder, *empty = wr_path(&r, "empty/x"), *full = wr_path(&r, "full/projects/x");
  char *link = wr_path(&r, "link"), *other = wr_path(&r, "other");
  *strrchr(empty, '/') = '\0';
  *strstr(full, "/projects") = '\0';
  wr_write(&r, "full/projects/a.jsonl", ck_buf_view(&sample));
  cr_assert(symlink(empty, link) == 0 && symlink(full, other) == 0);
  r.folder = ck_sprintf("%s/projects", link);
  wr_start(&r);
  wr_settle(&r);
  cr_expect_eq(wr_says(&r, "files"), 0);
  cr_assert_eq(rename(other, link), 0);
  for (int turn = 0; turn < 61000 / 50; ++turn) wr_step(&r);
  cr_expect_eq(wr_says(&r, "files"), 1);
  cr_expect_gt(sh_int(&r.store, "SELECT count(*) FROM messages"), 0);
  free(r.folder);
  r.folder = folder;
  free(empty);
  free(full);
  free(link);
  free(other);
}

/* What is made beside the folder is heard of until it is there. */
static bool is_heard(const char *name) {
  struct pollfd fd = {ingest_watch_fd(r.watch), POLLIN, 0};
  char *path = ck_sprintf("%s/%s", r.home, name);
  int made = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  cr_assert(made >= 0 && close(made) == 0 && unlink(path) == 0);
  free(path);
  return poll(&fd, 1, 0) > 0;
}

Test(watch_folders, the_folder_above_is_watched_while_it_must_be) {
  cr_assert_eq(rmdir(r.folder), 0);
  wr_start(&r);
  for (int round = 0; round < 2; ++round) {
    wr_settle(&r);
    cr_expect(is_heard("x"));
    wr_settle(&r);
    cr_assert_eq(mkdir(r.folder, 0700), 0);
    wr_settle(&r);
    cr_expect_not(is_heard("x"));
    if (!round) cr_assert_eq(rmdir(r.folder), 0);
  }
}

/* Whatever the names are, INFO can be shown. */
static void is_shown(const char *name) {
  struct ck_buf said = {0}, json = {0};
  ingest_watch_encode(&said, r.watch);
  struct ck_reader reader = ck_reader_of(ck_buf_view(&said));
  cr_expect_eq(ck_read_json(&reader, &json), 0, "%s", name);
  ck_buf_free(&said);
  ck_buf_free(&json);
}

Test(watch_folders, names_that_no_text_can_have) {
  static const char *const odd[] = {"\xff\xfe", "a\xe2\x82", "\x80\x80\x80"};
  char name[240] = "";
  wr_start(&r);
  for (size_t i = 0; i < sizeof odd / sizeof *odd; ++i) {
    snprintf(name, sizeof name, "%s/%s.jsonl.zst", odd[i], odd[i]);
    wr_write(&r, name, CK_LIT("this is no zstd"));
    wr_settle(&r);
    is_shown(name);
    wr_remove(&r, name);
    wr_settle(&r);
  }
  for (int shift = 0; shift < 4; ++shift) {
    size_t n = (size_t)snprintf(name, sizeof name, "%.*s", shift, "abcd");
    while (n < 220) n += (size_t)snprintf(name + n, sizeof name - n, "\xf0\x9f\x98\x80");
    snprintf(name + n, sizeof name - n, ".jsonl.zst");
    wr_write(&r, name, CK_LIT("this is no zstd"));
    wr_settle(&r);
    cr_expect_eq(wr_says(&r, "unreadable"), 1);
    cr_expect(strstr(wr_error(&r), "\xf0\x9f\x98\x80: "), "%s", wr_error(&r));
    is_shown(name);
    wr_remove(&r, name);
    wr_settle(&r);
  }
}

/* ingest has no inotify: a process may have so many. */
static void start_without_events(void) {
  struct rlimit limit, none;
  const struct ck_watched list = {(char[]){"it"}, r.folder, true};
  r.watch = ingest_watch_new(&r.readings, "watch-spool");
  cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
  none = (struct rlimit){0, limit.rlim_max};
  cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
  ingest_watch_follow(r.watch, &list, 1);
  cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static unsigned count_of(struct ck_str text, const char *word) {
  unsigned count = 0;
  for (size_t n = strlen(word), at = 0; at + n <= text.n; ++at)
    count += memcmp(text.s + at, word, n) == 0;
  return count;
}

/* And is logged once, however often it is scanned. */
Test(watch_folders, a_slow_folder_stays_slow) {
  struct ck_buf log = {0};
  char *file = ck_sprintf("%s/log", r.home);
  int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600), stderr_was = dup(STDERR_FILENO);
  cr_assert(fd >= 0 && dup2(fd, STDERR_FILENO) >= 0 && close(fd) == 0);
  ck_log_setup("test", CK_WARN);
  start_without_events();
  wr_step(&r);
  wr_write(&r, LOG, ck_buf_view(&sample));
  for (int turn = 0; turn < 25000 / 50; ++turn) {
    wr_step(&r);
    cr_assert_str_eq(wr_text(&r, "how"), "rescans", "turn %d", turn);
  }
  cr_assert(dup2(stderr_was, STDERR_FILENO) >= 0 && close(stderr_was) == 0);
  cr_assert_eq(ck_read_file(AT_FDCWD, file, 0, SIZE_MAX, &log, NULL), 0);
  cr_expect_eq(count_of(ck_buf_view(&log), "watch_slow"), 1u, "%s", ck_buf_cstr(&log));
  cr_expect_eq(unlink(file), 0);
  ck_buf_free(&log);
  free(file);
  cr_expect_gt(sh_int(&r.store, "SELECT count(*) FROM messages"), 0);
}

/* Writes to two files in turn, which no two events can be one of, until the kernel has no room for
 * more. */
static void fill_the_queue(void) {
  struct ck_buf most = {0};
  cr_assert_eq(ck_read_file(AT_FDCWD, "/proc/sys/fs/inotify/max_queued_events", 0, 64, &most, NULL),
               0);
  for (long n = strtol(ck_buf_cstr(&most), NULL, 10); n >= 0; n -= 2) {
    wr_append(&r, "-x/b.jsonl", CK_LIT("\n"));
    wr_append(&r, "-x/c.jsonl", CK_LIT("\n"));
  }
  ck_buf_free(&most);
}

Test(watch_folders, events_that_the_kernel_has_lost) {
  wr_write(&r, "-x/b.jsonl", CK_LIT("{}\n"));
  wr_write(&r, "-x/c.jsonl", CK_LIT("{}\n"));
  wr_start(&r);
  wr_settle(&r);
  fill_the_queue();
  wr_write(&r, "-y/z/a.jsonl", ck_buf_view(&sample));
  wr_settle(&r);
  cr_expect_eq(wr_says(&r, "files"), 3);
  cr_expect_gt(sh_int(&r.store, "SELECT count(*) FROM messages"), 0);
  cr_expect_eq(wr_says(&r, "behind"), 0);
}

/* Deeper than a path may be long: the folder cannot be scanned. */
static void make_too_deep(void) {
  char name[201];
  int at = open(r.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  memset(name, 'd', sizeof name - 1);
  name[sizeof name - 1] = '\0';
  for (int i = 0; i < 21; ++i) {
    cr_assert_eq(mkdirat(at, name, 0700), 0);
    int below = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cr_assert(below >= 0 && close(at) == 0);
    at = below;
  }
  close(at);
}

static void remove_too_deep(void) {
  char command[120];
  snprintf(command, sizeof command, "rm -rf %s", r.folder);
  cr_assert_eq(system(command), 0);
  cr_assert_eq(mkdir(r.folder, 0700), 0);
}

/* What goes on in its folders does not put off the next scan of one that could not be read. */
Test(watch_folders, scans_of_folders_do_not_put_off_that_of_all) {
  char name[40];
  make_too_deep();
  wr_start(&r);
  for (int turn = 0; turn < 60000 / 50; ++turn) {
    if (turn % 20 == 0) {
      snprintf(name, sizeof name, "new-%d/x", turn);
      free(wr_path(&r, name));
    }
    wr_step(&r);
    if (turn < 40) continue;
    cr_assert(*wr_error(&r), "it is scanned");
    cr_assert_leq(ingest_watch_until(r.watch), ck_boot_ms() + 10000, "turn %d", turn);
  }
  wr_kill(&r);
  remove_too_deep();
}

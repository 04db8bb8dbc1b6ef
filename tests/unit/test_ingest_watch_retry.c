/* Files that cannot be read, or not wholly, for a reason that passes by itself: they are tried
 * again, compressed ones as well as others. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test_ingest_watch.h"

#define LOG "-x/a.jsonl"
#define PADDING 700000 /* bytes of the last line: more than are read in a turn */

static struct wr_rig r;
static struct ck_buf text;

static void setup(void) {
  wr_open(&r);
  ck_buf_str(&text, wr_log(0));
  ck_buf_text(&text, "{\"type\":\"progress\",\"sessionId\":\"x\",\"data\":\"");
  for (size_t i = 0; i < PADDING / 16; ++i)
    ck_buf_printf(&text, "%016llx", (unsigned long long)sh_random());
  ck_buf_text(&text, "\"}\n");
  wr_write(&r, LOG, ck_buf_view(&text));
  wr_start(&r);
  wr_settle(&r);
  wr_expect_this(&r);
  wr_again(&r);
}

static void teardown(void) {
  wr_close(&r);
  ck_buf_free(&text);
}

TestSuite(watch_retry, .init = setup, .fini = teardown, .timeout = 120);

/* The descriptor with which the file is open; -1: it is not. */
static int open_one(const char *path) {
  DIR *all = opendir("/proc/self/fd");
  const struct dirent *e;
  int fd = -1;
  cr_assert_not_null(all);
  while (fd < 0 && (e = readdir(all)) != NULL) {
    char to[512];
    ssize_t n = readlinkat(dirfd(all), e->d_name, to, sizeof to - 1);
    if (n > 0) to[n] = '\0';
    if (n > 0 && strcmp(to, path) == 0) fd = atoi(e->d_name);
  }
  closedir(all);
  return fd;
}

/* While it is read, it cannot be read any more, once. */
static void fails_once(const char *name, struct ck_str bytes) {
  char *path = wr_path(&r, name);
  int fd = -1, bad = open("/dev/null", O_WRONLY);
  wr_start(&r);
  wr_settle(&r);
  wr_write(&r, name, bytes);
  for (int i = 0; i < 100 && fd < 0; ++i) {
    wr_step(&r);
    fd = open_one(path);
  }
  cr_assert(fd >= 0 && bad >= 0 && dup2(bad, fd) == fd);
  for (int i = 0; i < 10; ++i) wr_step(&r);
  cr_expect_eq(wr_says(&r, "unreadable"), 1);
  cr_expect(strstr(wr_error(&r), "Bad file descriptor"), "%s", wr_error(&r));
  wr_settle(&r);
  cr_expect_eq(wr_says(&r, "unreadable"), 0);
  wr_same(&r, "read again", 0);
  close(bad);
  free(path);
}

Test(watch_retry, a_disk_error) { fails_once(LOG, ck_buf_view(&text)); }

Test(watch_retry, a_disk_error_in_a_compressed_file) {
  struct ck_buf packed = wr_packed(ck_buf_view(&text));
  fails_once(LOG ".zst", ck_buf_view(&packed));
  ck_buf_free(&packed);
}

/* The disk gives other bytes than are there, and no event comes when it gives the right ones: so it
 * is with what is written through a mapping. */
static void is_damaged(size_t at, size_t n) {
  struct ck_buf packed = wr_packed(ck_buf_view(&text));
  char *path = wr_path(&r, LOG ".zst"), *right = ck_alloc(packed.len);
  memcpy(right, packed.data, packed.len);
  memset(packed.data + at, 0, n);
  wr_write(&r, LOG ".zst", ck_buf_view(&packed));
  int fd = open(path, O_RDWR);
  char *mapped = mmap(NULL, packed.len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  cr_assert(fd >= 0 && mapped != MAP_FAILED);
  wr_start(&r);
  wr_settle(&r);
  cr_expect_eq(wr_says(&r, "unreadable"), 1);
  memcpy(mapped, right, packed.len);
  cr_assert_eq(munmap(mapped, packed.len), 0);
  close(fd);
  for (int minutes = 0; minutes < 60 && wr_says(&r, "unreadable"); ++minutes)
    for (int i = 0; i < 60 * 20; ++i) wr_step(&r);
  cr_expect_eq(wr_says(&r, "unreadable"), 0, "%s", wr_error(&r));
  wr_settle(&r);
  wr_same(&r, "read again", at);
  ck_buf_free(&packed);
  free(right);
  free(path);
}

Test(watch_retry, a_compressed_file_that_was_damaged_once) { is_damaged(0, 4); }
Test(watch_retry, a_compressed_file_that_was_cut_off_once) {
  struct ck_buf packed = wr_packed(ck_buf_view(&text));
  size_t n = packed.len;
  ck_buf_free(&packed);
  is_damaged(n / 2, n - n / 2);
}

/* How often the file was opened since the last call. */
static unsigned opened(int notes) {
  char some[4096];
  unsigned n = 0;
  for (ssize_t got; (got = read(notes, some, sizeof some)) > 0;)
    n += (unsigned)((size_t)got / sizeof(struct inotify_event));
  return n;
}

/* One that stays damaged is read less and less often. */
Test(watch_retry, a_file_that_stays_damaged) {
  struct ck_buf packed = wr_packed(ck_buf_view(&text));
  char *path = wr_path(&r, LOG ".zst");
  unsigned read = 0;
  int notes = inotify_init1(IN_NONBLOCK);
  wr_write(&r, LOG ".zst", (struct ck_str){packed.data, packed.len / 2});
  wr_start(&r);
  wr_settle(&r);
  cr_expect(strstr(wr_error(&r), "it is cut off"), "%s", wr_error(&r));
  cr_assert_geq(inotify_add_watch(notes, path, IN_OPEN), 0);
  for (int i = 0; i < 2 * 3600 * 20; ++i) { /* two hours */
    wr_step(&r);
    unsigned n = opened(notes);
    cr_expect(n <= 1, "opened %u times in one turn", n);
    read += n;
  }
  cr_expect(read >= 5 && read <= 12, "%u times", read);
  close(notes);
  ck_buf_free(&packed);
  free(path);
}

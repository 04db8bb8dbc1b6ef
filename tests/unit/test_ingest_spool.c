/* The spool keeps everything it reported durable, whatever happens to its files. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/file.h"
#include "proto/quarantine.h"
#include "proto/sealed_line.h"
#include "proto/crc32c.h"
#include "ingest/spool/segment.h"
#include "ingest/spool/spool.h"

struct owner {
  uint64_t receipts, refused, renumbered_from, renumbered_by;
};

static void on_receipt(void *self, uint64_t number, char result, struct ck_str reason,
                       const struct ck_counts *counts) {
  (void)counts;
  struct owner *o = self;
  (void)number;
  (void)reason;
  ++o->receipts;
  o->refused += result == 'r';
}

static void on_renumbered(void *self, uint64_t from, uint64_t by) {
  struct owner *o = self;
  o->renumbered_from = from;
  o->renumbered_by = by;
}

static char dir[64];
static struct owner owner;

static void remove_dir(const char *path) {
  DIR *d = opendir(path);
  for (struct dirent *e; d && (e = readdir(d));) {
    char name[400];
    snprintf(name, sizeof name, "%s/%s", path, e->d_name);
    if (e->d_name[0] != '.' && unlink(name)) remove_dir(name);
  }
  if (d) closedir(d);
  rmdir(path);
}

static void setup(void) {
  snprintf(dir, sizeof dir, "/tmp/ckspool.XXXXXX");
  cr_assert_not_null(mkdtemp(dir));
  memset(&owner, 0, sizeof owner);
}

static void teardown(void) { remove_dir(dir); }

TestSuite(ingest_spool, .init = setup, .fini = teardown);

static struct ingest_spool *reopen(struct ingest_spool **old) {
  struct ingest_spool_ops ops = {&owner, on_receipt, on_renumbered};
  struct ck_err err = {""};
  if (old) ingest_spool_close(old);
  struct ingest_spool *s = ingest_spool_open(dir, &ops, &err);
  cr_assert_not_null(s, "%s", err.text);
  return s;
}

/* Payload i, which names itself; every tenth is long. */
static void payload(struct ck_buf *b, unsigned i) {
  ck_buf_clear(b);
  ck_buf_printf(b, "payload %u ", i);
  for (unsigned k = 0; k < (i % 10 ? 20 : 3000); ++k) ck_buf_text(b, "CKSR");
}

static void fill(struct ingest_spool *s, unsigned from, unsigned to, unsigned batch) {
  struct ck_buf b = {0};
  struct ck_err err = {""};
  uint64_t number;
  for (unsigned i = from; i <= to; ++i) {
    payload(&b, i);
    cr_assert_eq(ingest_spool_add(s, ck_buf_view(&b), &number, &err), 0, "%s", err.text);
    if (i % batch == 0 || i == to)
      cr_assert_eq(ingest_spool_sync(s, &err), INGEST_SYNCED, "%s", err.text);
  }
  ck_buf_free(&b);
}

/* Checks that the record `number` has payload i. */
static void holds(struct ingest_spool *s, uint64_t number, unsigned i) {
  struct ck_buf b = {0};
  struct ck_str got = {0};
  payload(&b, i);
  cr_assert(ingest_spool_get(s, number, &got), "%llu cannot be read", (unsigned long long)number);
  cr_assert(ck_str_eq(got, ck_buf_view(&b)), "%llu holds %.20s, not %.20s",
            (unsigned long long)number, got.s, b.data);
  ck_buf_free(&b);
}

static void receipt(struct ingest_spool *s, uint64_t number, char result) {
  struct ck_unacked k = ingest_spool_unacked(s);
  cr_assert_eq(k.first(k.self), number);
  k.receipt(k.self, number, result, (struct ck_str){0});
  cr_assert_eq(k.first(k.self), number + 1);
}

static unsigned files(const char *below, const char *end) {
  char path[128];
  unsigned n = 0;
  snprintf(path, sizeof path, "%s/%s", dir, below);
  DIR *d = opendir(path);
  for (struct dirent *e; d && (e = readdir(d));)
    n += strlen(e->d_name) > strlen(end) &&
         strcmp(e->d_name + strlen(e->d_name) - strlen(end), end) == 0;
  if (d) closedir(d);
  return n;
}

static void only_segment(char path[400]) {
  DIR *d = opendir(dir);
  for (struct dirent *e; (e = readdir(d));)
    if (strstr(e->d_name, ".seg")) snprintf(path, 400, "%s/%s", dir, e->d_name);
  closedir(d);
}

Test(ingest_spool, keeps_until_the_receipt) {
  struct ingest_spool *s = reopen(NULL);
  char producer[64];
  snprintf(producer, sizeof producer, "%s", ingest_spool_producer(s));
  cr_assert_eq(strncmp(producer, "ingest-", 7), 0);
  struct ck_unacked k = ingest_spool_unacked(s);
  cr_assert(k.first(k.self) == 1 && k.last(k.self) == 0);
  fill(s, 1, 5000, 37);
  cr_assert(k.first(k.self) == 1 && k.last(k.self) == 5000 && ingest_spool_pending(s) == 5000);
  cr_assert_gt(files("", ".seg"), 1);
  for (unsigned i = 1; i <= 5000; ++i) holds(s, i, i);
  holds(s, 4000, 4000), holds(s, 17, 17), holds(s, 18, 18);
  for (unsigned i = 1; i <= 4990; ++i) receipt(s, i, i % 7 ? 'n' : 'r');
  cr_assert(owner.receipts == 4990 && owner.refused == 712);
  cr_assert_eq(files("", ".seg"), 1);
  s = reopen(&s);
  cr_assert_str_eq(ingest_spool_producer(s), producer);
  cr_assert_eq(ingest_spool_pending(s), 10);
  for (unsigned i = 4991; i <= 5000; ++i) holds(s, i, i);
  fill(s, 5001, 5003, 1);
  holds(s, 5003, 5003);
  struct ck_str none;
  cr_assert(!ingest_spool_get(s, 4990, &none) && !ingest_spool_get(s, 5004, &none) &&
            !ingest_spool_broken(s));
  ingest_spool_close(&s);
}

Test(ingest_spool, says_nothing_durable_before_it_is) {
  struct ingest_spool *s = reopen(NULL);
  struct ck_unacked k = ingest_spool_unacked(s);
  struct ck_str none;
  struct ck_err err;
  uint64_t number;
  cr_assert_eq(ingest_spool_add(s, CK_LIT("x"), &number, &err), 0);
  cr_assert(number == 1 && k.last(k.self) == 0 && ingest_spool_unsynced(s) > 0 &&
            ingest_spool_pending(s) == 1 && !ingest_spool_get(s, 1, &none));
  s = reopen(&s);
  cr_assert_eq(ingest_spool_pending(s), 0);
  char *large = ck_zalloc(INGEST_RECORD_MAX + 1);
  cr_assert_eq(ingest_spool_add(s, (struct ck_str){large, INGEST_RECORD_MAX + 1}, &number, &err),
               -1);
  cr_assert_eq(ingest_spool_add(s, (struct ck_str){large, INGEST_RECORD_MAX}, &number, &err), 0);
  cr_assert_eq(ingest_spool_sync(s, &err), INGEST_SYNCED);
  cr_assert(ingest_spool_get(s, 1, &none) && none.n == INGEST_RECORD_MAX);
  free(large);
  ingest_spool_close(&s);
}

/* The newest segment cut at every byte, as by a crash: whole records stay, the rest is removed, and
 * numbers continue. */
Test(ingest_spool, torn_tails, .timeout = 60) {
  struct ingest_spool *s = reopen(NULL);
  char path[400], whole[400];
  struct stat st;
  fill(s, 1, 3, 1);
  ingest_spool_close(&s);
  only_segment(path);
  snprintf(whole, sizeof whole, "%s/whole", dir);
  cr_assert_eq(rename(path, whole), 0);
  cr_assert_eq(stat(whole, &st), 0);
  const off_t head = INGEST_SEGMENT_HEAD, record = (st.st_size - head) / 3;
  for (off_t n = 0; n <= st.st_size; ++n) {
    char command[1000];
    snprintf(command, sizeof command, "head -c %lld %s > %s && rm -rf %s/damaged", (long long)n,
             whole, path, dir);
    if (n % 5 && n > 70) continue; /* each takes a shell: every fifth is enough */
    cr_assert_eq(system(command), 0);
    s = reopen(NULL);
    unsigned there = n < head ? 0 : (unsigned)((n - head) / record);
    cr_assert_eq(ingest_spool_pending(s), there, "cut at %lld: %llu, not %u", (long long)n,
                 (unsigned long long)ingest_spool_pending(s), there);
    for (unsigned i = 1; i <= there; ++i) holds(s, i, i);
    fill(s, there + 1, there + 1, 1);
    holds(s, there + 1, there + 1);
    bool torn = n < head ? n > 0 : (n - head) % record != 0;
    cr_assert_eq(files("damaged", "") > 2, torn, "cut at %lld", (long long)n); /* . and .. */
    ingest_spool_close(&s);
  }
}

/* A crash leaves the zeroes after the last record, which later records would have overwritten: they
 * are not a torn tail, and numbers continue. */
Test(ingest_spool, a_crash_leaves_zeroes) {
  struct ingest_spool *crashed = reopen(NULL), *s;
  char path[400];
  struct stat st;
  fill(crashed, 1, 5, 1);
  only_segment(path);
  cr_assert_eq(stat(path, &st), 0);
  off_t length = st.st_size;
  s = reopen(NULL);
  cr_assert_eq(ingest_spool_pending(s), 5);
  fill(s, 6, 9, 2);
  for (unsigned i = 1; i <= 9; ++i) holds(s, i, i);
  cr_assert(stat(path, &st) == 0 && st.st_size == length, "%lld bytes, not %lld",
            (long long)st.st_size, (long long)length);
  ingest_spool_close(&s);
  cr_assert(stat(path, &st) == 0 && st.st_size < length / 2);
  s = reopen(NULL);
  cr_assert_eq(ingest_spool_pending(s), 9);
  fill(s, 10, 10, 1);
  for (unsigned i = 1; i <= 10; ++i) holds(s, i, i);
  ingest_spool_close(&s);
  cr_assert_eq(files("damaged", ""), 0);
  ingest_spool_close(&crashed);
}

/* One wrong bit anywhere in the middle: all other records are rescued under a new id, with numbers
 * from 1, and the segment goes to damaged/. */
Test(ingest_spool, a_damaged_middle, .timeout = 60) {
  for (int where = 0; where < 40; ++where) {
    struct ingest_spool *s = reopen(NULL);
    char path[400], producer[64];
    struct stat st;
    fill(s, 1, 9, 2);
    snprintf(producer, sizeof producer, "%s", ingest_spool_producer(s));
    receipt(s, 1, 'n');
    ingest_spool_close(&s);
    only_segment(path);
    cr_assert_eq(stat(path, &st), 0);
    int fd = open(path, O_RDWR);
    off_t record = (st.st_size - INGEST_SEGMENT_HEAD) / 9,
          at = INGEST_SEGMENT_HEAD + 4 * record + where * (record - 1) / 39;
    unsigned char byte;
    cr_assert_eq(pread(fd, &byte, 1, at), 1);
    byte ^= 0x10;
    cr_assert_eq(pwrite(fd, &byte, 1, at), 1);
    close(fd);
    s = reopen(NULL);
    cr_assert_str_neq(ingest_spool_producer(s), producer);
    static const unsigned left[] = {2, 3, 4, 6, 7, 8, 9};
    cr_assert_eq(ingest_spool_pending(s), 7, "byte %lld: %llu", (long long)at,
                 (unsigned long long)ingest_spool_pending(s));
    for (unsigned i = 0; i < 7; ++i) holds(s, i + 1, left[i]);
    cr_assert_eq(files("damaged", ".seg"), 1);
    fill(s, 8, 8, 1);
    s = reopen(&s);
    cr_assert_eq(ingest_spool_pending(s), 8);
    ingest_spool_close(&s);
    teardown();
    cr_assert_eq(mkdir(dir, 0700), 0);
  }
}

Test(ingest_spool, a_segment_that_is_gone) {
  struct ingest_spool *s = reopen(NULL);
  char producer[64], second[64] = "";
  fill(s, 1, 9000, 50);
  snprintf(producer, sizeof producer, "%s", ingest_spool_producer(s));
  ingest_spool_close(&s);
  uint64_t low = UINT64_MAX;
  DIR *d = opendir(dir);
  for (struct dirent *e; (e = readdir(d));) {
    uint64_t first = strstr(e->d_name, ".seg") ? strtoull(strchr(e->d_name, '-') + 1, NULL, 10) : 0;
    if (first > 1 && first < low) low = first, snprintf(second, sizeof second, "%.63s", e->d_name);
  }
  closedir(d);
  char path[400];
  snprintf(path, sizeof path, "%s/%s", dir, second);
  cr_assert_eq(unlink(path), 0);
  s = reopen(NULL);
  cr_assert_str_neq(ingest_spool_producer(s), producer);
  uint64_t left = ingest_spool_pending(s);
  cr_assert(left > 0 && left < 9000);
  for (unsigned i = 1; i < low; ++i) holds(s, i, i);
  holds(s, left, 9000);
  ingest_spool_close(&s);
}

/* The note `released` counts only if it is exactly as written: one wrong bit must not make unsent
 * changesets count as receipted. */
Test(ingest_spool, a_damaged_note, .timeout = 60) {
  struct ingest_spool *s = reopen(NULL);
  char path[400], note[96];
  fill(s, 1, 9, 2);
  for (uint64_t i = 1; i <= 4; ++i) receipt(s, i, 'n');
  ingest_spool_close(&s);
  snprintf(path, sizeof path, "%s/released", dir);
  int fd = open(path, O_RDWR);
  ssize_t n = pread(fd, note, sizeof note, 0);
  cr_assert_gt(n, 30);
  s = reopen(NULL);
  cr_assert_eq(ingest_spool_pending(s), 5);
  for (ssize_t bit = 0; bit < 8 * (n - 1); ++bit) {
    ingest_spool_close(&s);
    note[bit / 8] = (char)(note[bit / 8] ^ 1 << bit % 8);
    cr_assert_eq(pwrite(fd, note, (size_t)n, 0), n);
    note[bit / 8] = (char)(note[bit / 8] ^ 1 << bit % 8);
    s = reopen(NULL);
    cr_assert_eq(ingest_spool_pending(s), 9, "bit %zd: %llu are left", bit,
                 (unsigned long long)ingest_spool_pending(s));
    holds(s, 1, 1), holds(s, 9, 9);
  }
  close(fd);
  ingest_spool_close(&s);
}

/* If the file `producer` is gone, the segments have the id. If they are gone, too, the spool takes
 * a new id, so that no number means two things. */
Test(ingest_spool, the_id) {
  struct ingest_spool *s = reopen(NULL);
  char producer[64], path[400];
  fill(s, 1, 3, 1);
  snprintf(producer, sizeof producer, "%s", ingest_spool_producer(s));
  ingest_spool_close(&s);
  snprintf(path, sizeof path, "%s/producer", dir);
  cr_assert_eq(unlink(path), 0);
  s = reopen(NULL);
  cr_assert_str_eq(ingest_spool_producer(s), producer);
  cr_assert_eq(ingest_spool_pending(s), 3);
  ingest_spool_close(&s);
  only_segment(path);
  cr_assert_eq(unlink(path), 0);
  s = reopen(NULL);
  cr_assert_str_neq(ingest_spool_producer(s), producer);
  ingest_spool_close(&s);
}

/* The store has applied more numbers than this spool has: numbering continues after them, also for
 * changesets that are not durable yet. */
Test(ingest_spool, skips) {
  struct ingest_spool *s = reopen(NULL);
  struct ck_unacked k = ingest_spool_unacked(s);
  struct ck_err err;
  uint64_t number;
  struct ck_buf b = {0};
  for (unsigned i = 1; i <= 3; ++i) {
    payload(&b, i);
    cr_assert_eq(ingest_spool_add(s, ck_buf_view(&b), &number, &err), 0);
  }
  k.skip(k.self, 500);
  cr_assert(owner.renumbered_from == 1 && owner.renumbered_by == 500);
  cr_assert_eq(ingest_spool_sync(s, &err), INGEST_SYNCED);
  cr_assert(k.first(k.self) == 501 && k.last(k.self) == 503);
  for (unsigned i = 1; i <= 3; ++i) holds(s, 500 + i, i);
  s = reopen(&s);
  k = ingest_spool_unacked(s);
  cr_assert(k.first(k.self) == 501 && k.last(k.self) == 503);
  ck_buf_free(&b);
  ingest_spool_close(&s);
}

/* The store knows numbers that this spool never sent, because the spool was restored from a backup:
 * they are not believed, even after another start. */
Test(ingest_spool, set_back) {
  struct ingest_spool *s = reopen(NULL);
  struct ck_unacked k = ingest_spool_unacked(s);
  struct ck_str got;
  struct ck_err err;
  char producer[64];
  fill(s, 1, 10, 1);
  cr_assert_eq(k.believe(k.self, 0), 0);
  for (uint64_t i = 1; i <= 10; ++i) cr_assert(ingest_spool_get(s, i, &got));
  cr_assert_eq(k.believe(k.self, 10), 10);
  for (uint64_t i = 1; i <= 4; ++i) receipt(s, i, 'n');
  s = reopen(&s); /* nothing was added since: numbering continues after the store's */
  k = ingest_spool_unacked(s);
  cr_assert_eq(k.believe(k.self, 12), 12);
  s = reopen(&s);
  fill(s, 11, 20, 1);
  s = reopen(&s);
  fill(s, 21, 22, 1);
  k = ingest_spool_unacked(s);
  cr_assert_eq(k.believe(k.self, 9), 9, "numbers sent before are believed");
  cr_assert_eq(k.last(k.self), 22);
  s = reopen(&s);
  k = ingest_spool_unacked(s);
  cr_assert_eq(k.believe(k.self, 22), 22, "the store has answered since");
  s = reopen(&s);
  fill(s, 23, 25, 1);
  s = reopen(&s);
  k = ingest_spool_unacked(s);
  cr_assert_eq(k.believe(k.self, 24), 22, "23 was never sent");
  snprintf(producer, sizeof producer, "%s", ingest_spool_producer(s));
  cr_assert_eq(ingest_spool_renounce(s, &err), 0);
  s = reopen(&s);
  cr_assert_str_neq(ingest_spool_producer(s), producer);
  cr_assert_eq(ingest_spool_pending(s), 21, "records without a receipt are kept under the new id");
  for (unsigned i = 1; i <= 21; ++i) holds(s, i, i + 4);
  snprintf(producer, sizeof producer, "%s", ingest_spool_producer(s));
  s = reopen(&s);
  cr_assert_str_eq(ingest_spool_producer(s), producer, "once is enough");
  ingest_spool_close(&s);
}

/* A full disk, simulated by a limit on the file's size: added records wait, durable ones stay, and
 * writing resumes when there is room. */
Test(ingest_spool, no_room) {
  struct ingest_spool *s = reopen(NULL);
  struct rlimit limit, old;
  struct ck_err err = {""};
  struct ck_buf b = {0};
  uint64_t number;
  signal(SIGXFSZ, SIG_IGN);
  fill(s, 1, 5, 1);
  getrlimit(RLIMIT_FSIZE, &old);
  limit = old;
  limit.rlim_cur = 6000;
  cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
  for (unsigned i = 6; i <= 200; ++i) {
    payload(&b, i);
    cr_assert_eq(ingest_spool_add(s, ck_buf_view(&b), &number, &err), 0);
  }
  for (int i = 0; i < 3; ++i)
    cr_assert_eq(ingest_spool_sync(s, &err), INGEST_NO_ROOM, "%s", err.text);
  cr_assert(ingest_spool_durable(s) == 5 && ingest_spool_pending(s) == 200);
  for (unsigned i = 1; i <= 5; ++i) holds(s, i, i);
  cr_assert_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
  cr_assert_eq(ingest_spool_sync(s, &err), INGEST_SYNCED, "%s", err.text);
  for (unsigned i = 1; i <= 200; ++i) holds(s, i, i);
  s = reopen(&s);
  cr_assert_eq(ingest_spool_pending(s), 200);
  ck_buf_free(&b);
  ingest_spool_close(&s);
}

Test(ingest_spool, crc_is_castagnoli) {
  cr_assert_eq(ck_crc32c(0, "123456789", 9), 0xe3069283u);
  cr_assert_eq(ck_crc32c(ck_crc32c(0, "1234", 4), "56789", 5), 0xe3069283u);
  cr_assert_eq(ck_crc32c_tables(0, "123456789", 9), 0xe3069283u);
  char bytes[300];
  for (size_t i = 0; i < sizeof bytes; ++i) bytes[i] = (char)(i * 167 + (i >> 3));
  for (size_t at = 0; at < 16; ++at)
    for (size_t n = 0; n <= sizeof bytes - at; ++n)
      cr_assert_eq(ck_crc32c((uint32_t)n, bytes + at, n),
                   ck_crc32c_tables((uint32_t)n, bytes + at, n), "%zu bytes from %zu", n, at);
}

/* A line goes if one of its texts is the id, as whatever that is written. */
Test(ingest_spool, lines_are_taken_out_of_quarantine) {
  static const char *const gone[] = {
      "{\"id\":\"plain-1\"}",
      "{\"input\":\"{\\\"id\\\":\\\"plain-1\\\"}\"}",
      "{\"id\":\"a\\\"b\"}",
      "{\"input\":\"{\\\"id\\\":\\\"a\\\\\\\"b\\\"}\"}",
      "{\"id\":\"c\\\\d\"}",
      "{\"id\":\"\\u00e9\\ud83d\\ude00\"}",
      "{\"id\":\"\xc3\xa9\xf0\x9f\x98\x80\"}",
      "{\"id\":\"plain\\u002d1\"}",
  };
  static const char *const stays[] = {"{\"id\":\"plain-12\"}", "{\"text\":\"of plain-1\"}",
                                      "{\"id\":\"xa\\\"b\"}", "{\"id\":\"c\\\\dd\"}"};
  struct ck_str ids[] = {CK_LIT("plain-1"), CK_LIT("a\"b"), CK_LIT("c\\d"),
                         CK_LIT("\xc3\xa9\xf0\x9f\x98\x80")};
  struct ck_quarantine q;
  struct ck_buf text = {0}, expected = {0};
  struct ck_err err;
  char path[128];
  snprintf(path, sizeof path, "%s/unknown.jsonl", dir);
  ck_quarantine_init(&q, path, 100000);
  for (size_t i = 0; i < sizeof gone / sizeof *gone; ++i) {
    ck_quarantine_add(&q, ck_str_of(gone[i]));
    if (i >= sizeof stays / sizeof *stays) continue;
    ck_quarantine_add(&q, ck_str_of(stays[i]));
    char seal[CK_LINE_SEAL];
    ck_line_seal(seal, ck_str_of(stays[i]));
    ck_buf_printf(&expected, "%.*s%s\n", (int)strlen(stays[i]) - 1, stays[i], seal);
  }
  cr_assert_eq(ck_quarantine_forget(path, ids, sizeof ids / sizeof *ids, &err), 0);
  cr_assert_eq(ck_read_file(AT_FDCWD, path, 0, 1 << 20, &text, &err), 0);
  cr_expect_str_eq(ck_buf_cstr(&text), ck_buf_cstr(&expected));
  ck_buf_free(&text);
  ck_buf_free(&expected);
  ck_quarantine_free(&q);
}

Test(ingest_spool, quarantine_is_bounded) {
  struct ck_quarantine a;
  char path[128], old[140];
  struct stat st;
  snprintf(path, sizeof path, "%s/refused.jsonl", dir);
  snprintf(old, sizeof old, "%s.old", path);
  ck_quarantine_init(&a, path, 1000);
  cr_assert(stat(path, &st) != 0);
  for (int i = 0; i < 100; ++i)
    ck_quarantine_add(&a, CK_LIT("{\"n\":\"0123456789012345678901234567890123456789\"}"));
  cr_assert(stat(path, &st) == 0 && st.st_size > 0 && st.st_size <= 1000 && st.st_size % 66 == 0);
  cr_assert(stat(old, &st) == 0 && st.st_size == 990);
  ck_quarantine_free(&a);
}

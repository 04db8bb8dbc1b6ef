/* What the spool gives back is what it was given, however reading and writing take turns. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ingest/spool/spool.h"
#include "proto/random.h"

static char dir[64];

static void setup(void) {
  snprintf(dir, sizeof dir, "/tmp/ckspool.XXXXXX");
  cr_assert_not_null(mkdtemp(dir));
}

static void teardown(void) {
  char path[400];
  DIR *d = opendir(dir);
  for (struct dirent *e; d && (e = readdir(d));) {
    snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
    unlink(path);
  }
  if (d) closedir(d);
  rmdir(dir);
}

TestSuite(ingest_spool_read, .init = setup, .fini = teardown);

static void on_receipt(void *self, uint64_t number, char result, struct ck_str reason,
                       const struct ck_counts *counts) {
  (void)self, (void)number, (void)result, (void)reason, (void)counts;
}

static void on_renumbered(void *self, uint64_t from, uint64_t by) {
  (void)self, (void)from, (void)by;
}

/* Its length and bytes follow from its number: most are short, some larger than what is read ahead.
 */
static void payload(struct ck_buf *b, uint64_t number) {
  size_t n = number % 97 == 0 ? 300000 : number % 10 == 0 ? 9000 : 40 + number % 700;
  ck_buf_clear(b);
  ck_buf_printf(b, "%llu ", (unsigned long long)number);
  while (b->len < n) ck_buf_printf(b, "%llu", (unsigned long long)(number * b->len));
}

struct reading {
  struct ingest_spool *spool;
  struct ck_unacked unacked;
  uint64_t added, next; /* next: to be read, as the push reads */
  struct ck_buf expected;
};

static void write_some(struct reading *r, uint64_t n) {
  struct ck_err err = {""};
  for (uint64_t number; n; --n) {
    payload(&r->expected, r->added + 1);
    cr_assert_eq(ingest_spool_add(r->spool, ck_buf_view(&r->expected), &number, &err), 0, "%s",
                 err.text);
    cr_assert_eq(number, ++r->added);
  }
  cr_assert_eq(ingest_spool_sync(r->spool, &err), INGEST_SYNCED, "%s", err.text);
}

static void read_some(struct reading *r, uint64_t n) {
  for (struct ck_str got; n && r->next <= r->added; --n, ++r->next) {
    payload(&r->expected, r->next);
    cr_assert(ingest_spool_get(r->spool, r->next, &got), "%llu", (unsigned long long)r->next);
    cr_assert(ck_str_eq(got, ck_buf_view(&r->expected)), "%llu is another",
              (unsigned long long)r->next);
  }
}

static void receipt_some(struct reading *r, uint64_t n) {
  for (uint64_t first; n && (first = r->unacked.first(r->spool)) < r->next; --n)
    r->unacked.receipt(r->spool, first, 'n', (struct ck_str){0});
}

Test(ingest_spool_read, gives_what_it_was_given, .timeout = 120) {
  struct ingest_spool_ops ops = {NULL, on_receipt, on_renumbered};
  struct ck_err err = {""};
  struct reading r = {.next = 1};
  struct ck_random random = {11};
  r.spool = ingest_spool_open(dir, &ops, &err);
  cr_assert_not_null(r.spool, "%s", err.text);
  r.unacked = ingest_spool_unacked(r.spool);
  for (int i = 0; i < 1500; ++i) {
    uint64_t what = ck_random_next(&random) % 16;
    if (what < 6) write_some(&r, 1 + ck_random_next(&random) % 12);
    if (what >= 3 && what < 12) read_some(&r, 1 + ck_random_next(&random) % 20);
    if (what == 12) read_some(&r, r.added);
    if (what > 12) receipt_some(&r, ck_random_next(&random) % 60);
    if (what == 15) r.next = r.unacked.first(r.spool); /* it is sent again */
    if (what == 14) ingest_spool_rest(r.spool);
  }
  read_some(&r, r.added);
  cr_assert_eq(r.next, r.added + 1);
  cr_assert_gt(r.added, 1000);
  cr_assert_not(ingest_spool_broken(r.spool));
  ingest_spool_close(&r.spool);
  ck_buf_free(&r.expected);
}

/* The spool under power cuts and on a failing disk (power_disk.h), with a ledger of what it must
 * still have. */
#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ingest/spool/segment.h"
#include "ingest/spool/spool.h"
#include "proto/clock.h"
#include "tests/fault/power_disk.h"
#include "tests/fault/power_store.h"

static bool one_in(uint64_t n) { return power_below(n) == 0; }

static struct ingest_spool *spool;
/* The last payload that was added, is durable, has its receipt, was ever added. */
static uint64_t added, durable, receipted, highest;

static void on_receipt(void *self, uint64_t number, char result, struct ck_str reason,
                       const struct ck_counts *counts) {
  (void)counts;
  (void)self, (void)number, (void)result, (void)reason;
}
static void on_renumbered(void *self, uint64_t from, uint64_t by) {
  (void)self, (void)from, (void)by;
}

static bool open_spool(struct ck_err *err) {
  struct ingest_spool_ops ops = {NULL, on_receipt, on_renumbered};
  spool = ingest_spool_open(disk.dir, &ops, err);
  return spool;
}

static void payload(struct ck_buf *b, uint64_t k) {
  size_t n = k % 40 ? k % 700 : 300000;
  ck_buf_clear(b);
  ck_buf_printf(b, "%" PRIu64 " ", k);
  memset(ck_buf_room(b, n), 'a' + (int)(k % 26), n);
  b->len += n;
}

static enum ingest_sync add_some(unsigned n, struct ck_err *err) {
  struct ck_buf b = {0};
  uint64_t number;
  for (unsigned i = 0; i < n; ++i) {
    payload(&b, ++added);
    cr_assert_eq(ingest_spool_add(spool, ck_buf_view(&b), &number, err), 0, "%s", err->text);
  }
  ck_buf_free(&b);
  enum ingest_sync rc = ingest_spool_sync(spool, err);
  if (rc == INGEST_SYNCED) durable = added;
  return rc;
}

/* Gives receipts as the store would, up to a payload. */
static void release(uint64_t upto) {
  struct ck_unacked k = ingest_spool_unacked(spool);
  struct ck_str bytes;
  while (receipted < upto && k.first(k.self) <= k.last(k.self)) {
    uint64_t number = k.first(k.self);
    cr_assert(k.get(k.self, number, &bytes));
    uint64_t what = strtoull(bytes.s, NULL, 10);
    k.receipt(k.self, number, 'n', (struct ck_str){0});
    if (what > receipted) receipted = what;
  }
  if (one_in(2)) ingest_spool_note(spool);
}

/* Gives all that is there its receipt. */
static void release_all(void) {
  struct ck_unacked k = ingest_spool_unacked(spool);
  while (k.first(k.self) <= k.last(k.self))
    k.receipt(k.self, k.first(k.self), 'n', (struct ck_str){0});
  ingest_spool_note(spool);
  receipted = added;
}

/* Everything reported durable and without a receipt is in the spool, and intact. */
static void verify(void) {
  struct ck_unacked k = ingest_spool_unacked(spool);
  struct ck_buf b = {0};
  struct ck_str bytes;
  uint64_t next = receipted + 1, last = 0;
  highest = added > highest ? added : highest;
  bool *there = ck_zalloc(highest + 2);
  for (uint64_t n = k.first(k.self); n <= k.last(k.self); ++n) {
    cr_assert(k.get(k.self, n, &bytes), "number %" PRIu64 " cannot be read", n);
    uint64_t what = strtoull(bytes.s, NULL, 10);
    payload(&b, what);
    cr_assert(ck_str_eq(bytes, ck_buf_view(&b)), "%" PRIu64 " is not what was added", what);
    there[what] = true;
    last = what > last ? what : last;
  }
  ck_buf_free(&b);
  while (there[next]) ++next;
  free(there);
  cr_assert(next > durable,
            "%" PRIu64 " to %" PRIu64 " were durable and without receipt; %" PRIu64 " is missing",
            receipted + 1, durable, next);
  /* Later payloads were never promised: the ledger continues after the last one without a gap. None
   * of them stays, so that no payload is there twice. */
  added = durable = next - 1;
  if (last > added) release_all();
}

static void folder(void) {
  power_folder();
  cr_assert(getcwd(disk.dir, sizeof disk.dir));
  added = durable = receipted = highest = 0;
}

static void tidy(void) {
  disk.armed = false;
  power_folder_gone();
}

TestSuite(power_spool, .fini = tidy);

/* Adds, releases and reopens until the fault strikes, at most so many turns. Returns the last
 * sync's result. */
static enum ingest_sync work(unsigned turns, struct ck_err *err) {
  enum ingest_sync rc = INGEST_SYNCED;
  for (unsigned i = 0; i < turns && rc == INGEST_SYNCED && !disk.off; ++i) {
    rc = add_some(1 + (unsigned)power_below(one_in(5) ? 60 : 6), err);
    if (rc == INGEST_SYNCED && one_in(3)) release(receipted + power_below(durable - receipted + 1));
    if (rc != INGEST_SYNCED || disk.off || !one_in(40)) continue;
    ingest_spool_close(&spool);
    if (!open_spool(err)) return INGEST_BROKEN;
  }
  return rc;
}

Test(power_spool, cuts, .timeout = 3600) {
  const char *given = getenv("CONVKEEP_TEST_CUTS");
  unsigned cuts = given ? (unsigned)strtoul(given, NULL, 10) : 100;
  uint64_t total = 0;
  struct ck_err err = {""};
  for (unsigned i = 0; i < cuts; ++i) {
    if (i % 25 == 0) {
      total += durable;
      folder();
    }
    disk_arm();
    disk_fail_at(one_in(3) ? A_SYNC : ANY_CHANGE, 1 + (unsigned)power_below(60), 0, true);
    if (open_spool(&err)) work(UINT32_MAX, &err);
    cr_assert(disk.off, "stopped before the cut: %s", err.text);
    disk.armed = false; /* closing must not write any more */
    if (spool) ingest_spool_close(&spool);
    disk_power_on((enum survives[]){SYNCED_ONLY, ALL, SOME, SOME}[power_below(4)]);
    cr_assert(open_spool(&err), "%s", err.text);
    verify();
    ingest_spool_close(&spool);
  }
  fprintf(stderr, "power: %u cuts of the spool, %" PRIu64 " durable, %" PRIu64 " syncs, 0 lost\n",
          cuts, total + durable, disk.syncs);
}

/* A full disk is reported; the changesets stay in memory, and are written when there is room. */
Test(power_spool, disk_full_at_every_write, .timeout = 600) {
  struct ck_err err = {""};
  unsigned nth = 1, refused = 0;
  for (bool came = true; came && nth < 200; ++nth) {
    folder();
    cr_assert(open_spool(&err), "%s", err.text);
    disk_arm();
    disk_fail_at(A_WRITE, nth, ENOSPC, one_in(2));
    enum ingest_sync rc = work(60, &err);
    came = disk.fault.came;
    if (rc != INGEST_SYNCED) {
      ++refused;
      cr_assert_eq(rc, INGEST_NO_ROOM, "%s", err.text);
      cr_assert(strstr(err.text, "No space"), "%s", err.text);
      disk.fault.left = 0;
      cr_assert_eq(ingest_spool_sync(spool, &err), INGEST_SYNCED, "%s", err.text);
      durable = added;
    }
    disk.fault.left = 0;
    cr_assert_eq(work(5, &err), INGEST_SYNCED, "%s", err.text);
    ingest_spool_close(&spool);
    disk_power_on(SYNCED_ONLY);
    cr_assert(open_spool(&err), "%s", err.text);
    verify();
    ingest_spool_close(&spool);
  }
  cr_assert(nth > 20 && refused > 10, "%u, %u", nth, refused);
  fprintf(stderr, "power: the spool's disk full at %u places, %u times reported\n", nth - 1,
          refused);
}

/* After a failed sync or write the process must end; the next one has all durable records. */
Test(power_spool, a_failed_sync_is_not_tried_again, .timeout = 600) {
  struct ck_err err = {""};
  unsigned broken = 0;
  for (unsigned nth = 1; nth <= 60; ++nth) {
    folder();
    disk_arm();
    disk_fail_at(nth % 4 ? A_SYNC : A_WRITE, nth, EIO, false);
    bool opened = open_spool(&err);
    enum ingest_sync rc = opened ? work(60, &err) : INGEST_BROKEN;
    cr_assert(!disk.fault.came || rc != INGEST_SYNCED || disk.fault.what == A_WRITE,
              "sync %u failed and was not reported", nth);
    cr_assert(rc != INGEST_NO_ROOM);
    broken += rc == INGEST_BROKEN;
    disk.armed = false;
    if (spool) ingest_spool_close(&spool);
    disk_power_on((enum survives)power_below(3));
    cr_assert(open_spool(&err), "%s", err.text);
    verify();
    ingest_spool_close(&spool);
  }
  cr_assert_gt(broken, 30);
  fprintf(stderr, "power: the spool ended at %u failed syncs and writes\n", broken);
}

/* The store on a bad disk: power cuts, no room, errors, short reads, failed fsyncs. Every
 * acknowledged changeset is stored once, and complete.
 *
 *   CONVKEEP_TEST_CUTS   how many power cuts (100)
 *   CONVKEEP_TEST_SEED   the seed of the random numbers
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/clock.h"
#include "tests/fault/power_store.h"
#include "tests/harness/vfs.h"

#define CUTS 100
#define CUTS_A_DATABASE 20

static struct power_store s;

static void tidy(void) { power_folder_gone(); }

TestSuite(power, .fini = tidy);

static bool one_in(uint64_t n) { return power_below(n) == 0; }

static void must_open(void) {
  struct ck_err err = {""};
  cr_assert_eq(power_open(&s, &err), 0, "%s", err.text);
}

static void pragma(const char *sql) {
  struct ck_err err = {""};
  cr_assert_eq(db_exec(s.db, sql, &err), 0, "%s", err.text);
}

/* A page cache that spills, and a WAL that is checkpointed often, in one of several ways: more
 * kinds of writes and reads. */
static int make_restless(struct ck_err *err) {
  unsigned due = one_in(2) ? 8 : 60;
  if (one_in(2)) pragma("PRAGMA cache_size = 16");
  if (one_in(4))
    pragma(due == 8 ? "PRAGMA wal_autocheckpoint = 8" : "PRAGMA wal_autocheckpoint = 60");
  else if (one_in(4))
    return 0;
  else
    return power_checkpoint(&s, due, one_in(2), err);
  return 0;
}

/* ---- power cuts ---- */

static unsigned batch_size(void) { return 1 + (unsigned)power_below(one_in(4) ? 40 : 4); }

/* An open read transaction: the WAL cannot restart. */
static void read_along(sqlite3 **reader) {
  struct ck_err err;
  if (*reader) {
    db_close(reader);
  } else if (db_open_reader(reader, &err) ||
             db_exec(*reader, "BEGIN; SELECT count(*) FROM messages", &err)) {
    db_close(reader);
  }
}

/* Commits until the power is cut, with stops and starts in between. */
static void work_until_dark(uint64_t *acknowledged, bool open) {
  struct ck_err err = {""};
  sqlite3 *reader = NULL;
  int rc = 0;
  while (rc == 0) {
    if (!open) {
      rc = power_open(&s, &err);
      open = true;
      if (rc == 0 && !vfs_failed()) rc = make_restless(&err);
      continue;
    }
    if (one_in(8)) read_along(&reader);
    rc = power_batch(&s, batch_size(), &err);
    if (rc == 0) *acknowledged = power_applied(&s);
    if (rc == 0 && one_in(30)) {
      db_close(&reader);
      power_close(&s);
      open = false;
    }
  }
  cr_assert(vfs_failed(), "failed before the cut: %s", err.text);
  cr_assert(err.text[0], "no reason");
  db_close(&reader);
  power_close(&s);
}

Test(power, cuts, .timeout = 3600) {
  const char *given = getenv("CONVKEEP_TEST_CUTS");
  unsigned cuts = given ? (unsigned)strtoul(given, NULL, 10) : CUTS;
  uint64_t acknowledged = 0, total = 0, beyond = 0;
  int64_t begin = ck_boot_ms();
  bool open = false;
  vfs_install(power_below);
  for (unsigned i = 0; i < cuts; ++i) {
    if (i % CUTS_A_DATABASE == 0) {
      if (open) power_close(&s);
      vfs_power_on(VFS_ALL);
      power_folder();
      power_stream(power_below(UINT64_MAX), 1);
      total += acknowledged;
      acknowledged = 0;
      open = false;
    }
    if (one_in(3))
      vfs_fail(VFS_CUT_SYNC, 1 + (unsigned)power_below(20), UINT32_MAX);
    else
      vfs_fail(VFS_CUT, 1 + (unsigned)power_below(one_in(3) ? 40 : 700), UINT32_MAX);
    work_until_dark(&acknowledged, open);
    vfs_power_on(
        (enum vfs_survives[]){VFS_SYNCED_ONLY, VFS_ALL, VFS_SOME, VFS_SOME}[power_below(4)]);
    must_open();
    power_verify(&s, acknowledged);
    beyond += power_applied(&s) - acknowledged;
    acknowledged = power_applied(&s);
    open = one_in(2);
    if (!open) power_close(&s);
  }
  if (open) power_close(&s);
  fprintf(stderr,
          "power: %u cuts, %" PRIu64 " changesets (%" PRIu64
          " survived unacknowledged), 0 lost, 0 twice, %lld ms\n",
          cuts, total + acknowledged, beyond, (long long)(ck_boot_ms() - begin));
}

/* ---- transient errors ---- */

/* The nth operation fails, and so many after it; then the disk works again. False: there were fewer
 * operations. */
static bool fail_and_go_on(enum vfs_fault fault, unsigned nth, unsigned more, unsigned *refusals) {
  struct ck_err err = {""};
  uint64_t acknowledged = 0;
  vfs_power_on(VFS_ALL);
  power_folder();
  power_stream(nth, 1);
  must_open();
  pragma("PRAGMA cache_size = 16; PRAGMA wal_autocheckpoint = 40");
  if (one_in(2)) cr_assert_eq(power_checkpoint(&s, 40, false, &err), 0, "%s", err.text);
  for (int i = 0; i < 6; ++i) cr_assert_eq(power_batch(&s, 10, &err), 0, "%s", err.text);
  acknowledged = power_applied(&s);
  vfs_fail(fault, nth, more);
  for (int i = 0; i < 12; ++i) {
    if (power_batch(&s, 1 + (unsigned)i * 3, &err) == 0) {
      acknowledged = power_applied(&s);
      continue;
    }
    ++*refusals;
    cr_assert(vfs_failed() && err.text[0],
              "a batch failed without a reason, or without a fault: %s", err.text);
    if (more == UINT32_MAX) break;
  }
  bool came = vfs_failed();
  vfs_heal();
  if (fault == VFS_SHORT_READ && came) {
    /* A page of zeroes may be left in the page cache; a restart certainly loses it. */
    power_close(&s);
    must_open();
  }
  for (int i = 0; i < 4; ++i) {
    cr_assert_eq(power_batch(&s, 5, &err), 0, "%u: does not go on when the disk works again: %s",
                 nth, err.text);
    acknowledged = power_applied(&s);
  }
  power_verify(&s, acknowledged);
  power_close(&s);
  must_open();
  power_verify(&s, acknowledged);
  power_close(&s);
  return came;
}

static void fail_everywhere(enum vfs_fault fault, const char *name) {
  unsigned tried = 0, refusals = 0, step = getenv("CONVKEEP_TEST_CUTS") ? 1 : 9;
  vfs_install(power_below);
  for (unsigned nth = 1;
       fail_and_go_on(fault, nth, one_in(3) ? UINT32_MAX : (unsigned)power_below(4), &refusals);
       nth += nth < 20 ? 1 : step)
    ++tried;
  cr_assert(tried > 10 && refusals > 0, "%s: only %u places, %u refusals", name, tried, refusals);
  fprintf(stderr, "power: %s at %u places, %u commits refused, all went on\n", name, tried,
          refusals);
}

Test(power, disk_full_at_every_write, .timeout = 1200) { fail_everywhere(VFS_FULL, "disk full"); }
Test(power, error_at_every_write, .timeout = 1200) { fail_everywhere(VFS_WRITE, "write error"); }
Test(power, error_at_every_read, .timeout = 1200) { fail_everywhere(VFS_READ, "read error"); }
Test(power, short_at_every_read, .timeout = 1200) { fail_everywhere(VFS_SHORT_READ, "short read"); }

/* A store that cannot be opened says why, leaves nothing half-made, and opens when the disk works
 * again. */
static bool fail_to_open(enum vfs_fault fault, unsigned nth) {
  struct ck_err err = {""};
  vfs_power_on(VFS_ALL);
  power_folder();
  power_stream(nth, 1);
  vfs_fail(fault, nth, UINT32_MAX);
  int rc = power_open(&s, &err);
  bool came = vfs_failed();
  cr_assert(rc == 0 || (came && err.text[0]), "%s", err.text);
  power_close(&s);
  vfs_heal();
  must_open();
  cr_assert_eq(power_batch(&s, 5, &err), 0, "%s", err.text);
  power_verify(&s, 5);
  power_close(&s);
  return came;
}

Test(power, disk_full_while_it_is_made, .timeout = 600) {
  unsigned tried = 0, step = getenv("CONVKEEP_TEST_CUTS") ? 1 : 7;
  vfs_install(power_below);
  for (unsigned nth = 1; fail_to_open(VFS_FULL, nth); nth += nth < 10 ? 1 : step) ++tried;
  cr_assert(tried > 10, "%u", tried);
  fprintf(stderr, "power: disk full at %u places of a new database\n", tried);
}

/* ---- an fsync that fails ---- */

/* In memory that a child shares with the test. */
struct ledger {
  uint64_t acknowledged;
  bool came, went_on;
};

static struct ledger *ledger;

/* The process has ended: the writes before the failed sync are lost now. */
static void lights_out(int status, void *unused) {
  (void)unused;
  ledger->came = vfs_failed();
  vfs_power_on(VFS_SOME);
  _exit(status);
}

static void lights_out_quickly(void) { lights_out(1, NULL); }

static void child(unsigned nth) {
  struct ck_err err = {""};
  on_exit(lights_out, NULL);
  at_quick_exit(lights_out_quickly);
  vfs_fail(VFS_FSYNC, nth, 0);
  if (power_open(&s, &err)) exit(vfs_failed() ? 1 : 2);
  if (nth % 2 && power_checkpoint(&s, 400, false, &err)) exit(2);
  for (int i = 0; i < 16; ++i) {
    bool before = vfs_failed();
    int rc = power_batch(&s, 12, &err);
    /* It reached another commit after a failed sync. */
    if (before || (rc && vfs_failed())) ledger->went_on = true;
    if (rc) exit(2);
    ledger->acknowledged = power_applied(&s);
  }
  power_close(&s);
  exit(0);
}

/* False: there were fewer syncs. */
static bool fail_sync(unsigned nth) {
  int status;
  vfs_power_on(VFS_ALL);
  power_folder();
  power_stream(nth, 100); /* large enough that the WAL is checkpointed by itself */
  *ledger = (struct ledger){0};
  pid_t pid = fork();
  cr_assert(pid >= 0);
  if (pid == 0) child(nth);
  cr_assert_eq(waitpid(pid, &status, 0), pid);
  if (ledger->came) {
    cr_assert(!ledger->went_on, "sync %u failed, and the process committed again", nth);
    /* The last syncs are of closing, when the process ends anyway. */
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) <= 1, "sync %u: status %x", nth,
              (unsigned)status);
  }
  must_open();
  power_verify(&s, ledger->acknowledged);
  power_close(&s);
  return ledger->came;
}

Test(power, a_failed_fsync_ends_the_process, .timeout = 1200) {
  unsigned n = 1;
  vfs_install(power_below);
  ledger = mmap(NULL, sizeof *ledger, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  while (fail_sync(n)) ++n;
  cr_assert(n > 10, "%u", n);
  fprintf(stderr, "power: a failed fsync at %u places\n", n - 1);
}

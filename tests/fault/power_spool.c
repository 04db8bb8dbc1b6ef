/* The spool under power cuts and on a failing disk. The linker redirects its file system calls to
 * the functions here (--wrap, see Makefile), which pass them on to the real ones. For each file,
 * and for the folder, they remember the state of the last sync and the changes since. After a cut,
 * files have what was synced, and a random part of the rest. One thread, one folder; outside it
 * these calls behave as always.
 */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ingest/segment.h"
#include "ingest/spool.h"
#include "proto/clock.h"
#include "tests/fault/power_store.h"

ssize_t __real_pwrite(int fd, const void *from, size_t n, off_t at);
ssize_t __real_write(int fd, const void *from, size_t n);
int __real_fsync(int fd);
int __real_fdatasync(int fd);
int __real_ftruncate(int fd, off_t size);
int __real_renameat(int from, const char *a, int to, const char *b);
int __real_unlinkat(int dir, const char *name, int flags);
int __real_openat(int dir, const char *name, int flags, ...);

/* ---- the state of the disk ---- */

struct change {
  off_t at;
  char *data; /* NULL: a truncation */
  size_t n;
  bool doomed; /* a sync has failed: it is lost at a cut */
};

struct inode {
  ino_t ino;
  struct ck_buf synced;
  struct change change[4096];
  unsigned changes;
};

struct named {
  char name[128];
  ino_t ino;
};

struct names {
  struct named list[256];
  int n;
};

#define INODES 1024
static struct inode *inodes[INODES];
static int inode_count;
static struct names synced_names;
static char dir[64];
static bool armed, off;
static uint64_t syncs;

enum what { ANY_CHANGE, A_WRITE, A_SYNC };
static struct {
  enum what what;
  unsigned left;
  int error; /* 0: a power cut */
  bool stays, came;
} fault;

static struct inode *inode_of(ino_t ino) {
  for (int i = 0; i < inode_count; ++i)
    if (inodes[i]->ino == ino) return inodes[i];
  cr_assert_lt(inode_count, INODES);
  inodes[inode_count] = ck_zalloc(sizeof(struct inode));
  inodes[inode_count]->ino = ino;
  return inodes[inode_count++];
}

static void read_all(int fd, struct ck_buf *b) {
  char piece[65536];
  ssize_t n;
  ck_buf_clear(b);
  for (off_t at = 0; (n = pread(fd, piece, sizeof piece, at)) > 0; at += n)
    ck_buf_add(b, piece, (size_t)n);
}

static void list_names(struct names *names) {
  struct stat st;
  names->n = 0;
  DIR *d = opendir(dir);
  int fd = dirfd(d);
  for (struct dirent *e; (e = readdir(d));) {
    if (fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) || !S_ISREG(st.st_mode)) continue;
    cr_assert_lt(names->n, 256);
    struct named *one = &names->list[names->n++];
    snprintf(one->name, sizeof one->name, "%.120s", e->d_name);
    one->ino = st.st_ino;
  }
  closedir(d);
}

static ino_t ino_of(const struct names *names, const char *name) {
  for (int i = 0; i < names->n; ++i)
    if (strcmp(names->list[i].name, name) == 0) return names->list[i].ino;
  return 0;
}

static void add(struct inode *f, off_t at, const void *data, size_t n) {
  cr_assert_lt(f->changes, 4096);
  struct change *c = &f->change[f->changes++];
  *c = (struct change){.at = at, .n = n};
  if (!data) return;
  c->data = ck_alloc(n + 1);
  memcpy(c->data, data, n);
}

static void forget(struct inode *f) {
  for (unsigned i = 0; i < f->changes; ++i) free(f->change[i].data);
  f->changes = 0;
}

/* ---- the calls ---- */

/* True for files and folders, while the test is armed. */
static bool is_ours(int fd, struct stat *st) {
  return armed && fstat(fd, st) == 0 && (S_ISREG(st->st_mode) || S_ISDIR(st->st_mode));
}

/* 0, or -1 with errno if this is the operation that must fail. */
static int strike(enum what what) {
  if (off) {
    errno = EIO;
    return -1;
  }
  if (!fault.left || (fault.what != ANY_CHANGE && fault.what != what)) return 0;
  if (fault.left > 1 && !fault.came) {
    --fault.left;
    return 0;
  }
  if (fault.came && !fault.stays) return 0;
  fault.came = true;
  off = fault.error == 0;
  errno = fault.error ? fault.error : EIO;
  return -1;
}

ssize_t __wrap_pwrite(int fd, const void *from, size_t n, off_t at) {
  struct stat st;
  if (!is_ours(fd, &st)) return __real_pwrite(fd, from, n, at);
  bool was_off = off;
  if (strike(A_WRITE)) {
    int error = errno;
    if (off && !was_off) add(inode_of(st.st_ino), at, from, n / 2);
    if (!off && error == ENOSPC && n > 1 && power_below(2)) {
      /* Half of it was written. */
      add(inode_of(st.st_ino), at, from, n / 2);
      return __real_pwrite(fd, from, n / 2, at);
    }
    errno = error;
    return -1;
  }
  add(inode_of(st.st_ino), at, from, n);
  return __real_pwrite(fd, from, n, at);
}

ssize_t __wrap_write(int fd, const void *from, size_t n) {
  struct stat st;
  return is_ours(fd, &st) && strike(A_WRITE) ? -1 : __real_write(fd, from, n);
}

static int sync_it(int fd, const struct stat *st) {
  struct inode *f = inode_of(st->st_ino);
  ++syncs;
  if (strike(A_SYNC)) {
    int error = errno;
    for (unsigned i = 0; i < f->changes && !off; ++i) f->change[i].doomed = true;
    errno = error;
    return -1;
  }
  if (S_ISDIR(st->st_mode)) {
    list_names(&synced_names);
    return 0;
  }
  char self[40];
  snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
  int again = openat(AT_FDCWD, self, O_RDONLY | O_CLOEXEC);
  cr_assert_geq(again, 0);
  read_all(again, &f->synced);
  close(again);
  forget(f);
  return 0;
}

int __wrap_fsync(int fd) {
  struct stat st;
  return is_ours(fd, &st) ? sync_it(fd, &st) : __real_fsync(fd);
}
int __wrap_fdatasync(int fd) {
  struct stat st;
  return is_ours(fd, &st) ? sync_it(fd, &st) : __real_fdatasync(fd);
}

int __wrap_ftruncate(int fd, off_t size) {
  struct stat st;
  if (is_ours(fd, &st)) {
    if (strike(ANY_CHANGE)) return -1;
    add(inode_of(st.st_ino), size, NULL, 0);
  }
  return __real_ftruncate(fd, size);
}

int __wrap_renameat(int from, const char *a, int to, const char *b) {
  return armed && strike(ANY_CHANGE) ? -1 : __real_renameat(from, a, to, b);
}
int __wrap_unlinkat(int at, const char *name, int flags) {
  return armed && strike(ANY_CHANGE) ? -1 : __real_unlinkat(at, name, flags);
}

int __wrap_openat(int at, const char *name, int flags, ...) {
  va_list args;
  va_start(args, flags);
  mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
  va_end(args);
  if (armed && (flags & O_CREAT) && strike(ANY_CHANGE)) return -1;
  int fd = __real_openat(at, name, flags, mode);
  struct stat st;
  if (fd >= 0 && (flags & O_TRUNC) && is_ours(fd, &st)) add(inode_of(st.st_ino), 0, NULL, 0);
  return fd;
}

/* ---- the power is back ---- */

enum survives { SYNCED_ONLY, ALL, SOME };

static bool one_in(uint64_t n) { return power_below(n) == 0; }

static void put(struct ck_buf *file, size_t at, const char *data, size_t n) {
  if (file->len < at + n) {
    memset(ck_buf_room(file, at + n - file->len), 0, at + n - file->len);
    file->len = at + n;
  }
  memcpy(file->data + at, data, n);
}

static void take_over(struct ck_buf *file, const struct change *c, bool torn) {
  if (!c->data && file->len > (size_t)c->at) file->len = (size_t)c->at;
  for (size_t i = 0; c->data && i < c->n;) {
    size_t n = 512 - ((size_t)c->at + i) % 512;
    if (n > c->n - i) n = c->n - i;
    if (!torn || one_in(2)) put(file, (size_t)c->at + i, c->data + i, n);
    i += n;
  }
}

static void write_file(const char *name, ino_t ino, enum survives what) {
  struct inode *f = inode_of(ino);
  for (unsigned i = 0; i < f->changes && what != SYNCED_ONLY; ++i)
    if (!f->change[i].doomed && (what == ALL || one_in(2)))
      take_over(&f->synced, &f->change[i], what == SOME && one_in(2));
  char *path = ck_sprintf("%s/%s", dir, name);
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  cr_assert(fd >= 0 && __real_write(fd, f->synced.data, f->synced.len) == (ssize_t)f->synced.len);
  close(fd);
  free(path);
}

static void power_on(enum survives what) {
  struct names now, left = {.n = 0};
  armed = off = false;
  fault.left = 0;
  list_names(&now);
  for (int i = 0; i < now.n; ++i) {
    char *path = ck_sprintf("%s/%s", dir, now.list[i].name);
    unlink(path);
    free(path);
  }
  /* Each name points to what it did at the last sync, or at the cut. */
  for (int i = 0; i < now.n + synced_names.n; ++i) {
    const char *name = i < now.n ? now.list[i].name : synced_names.list[i - now.n].name;
    ino_t old = ino_of(&synced_names, name), new = ino_of(&now, name);
    if ((i >= now.n && new) || left.n == 256) continue;
    ino_t ino = old == new            ? new
                : what == SYNCED_ONLY ? old
                : what == ALL         ? new
                : one_in(2)           ? old
                                      : new;
    if (ino) write_file(name, ino, what);
    ++left.n;
  }
  for (int i = 0; i < inode_count; ++i) {
    forget(inodes[i]);
    ck_buf_free(&inodes[i]->synced);
    free(inodes[i]);
  }
  inode_count = 0;
}

/* From now on operations may fail; everything there now counts as synced. */
static void arm(void) {
  list_names(&synced_names);
  for (int i = 0; i < synced_names.n; ++i) {
    char *path = ck_sprintf("%s/%s", dir, synced_names.list[i].name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    read_all(fd, &inode_of(synced_names.list[i].ino)->synced);
    close(fd);
    free(path);
  }
  armed = true;
}

static void fail_at(enum what what, unsigned nth, int error, bool stays) {
  fault.what = what;
  fault.left = nth;
  fault.error = error;
  fault.stays = stays;
  fault.came = false;
}

/* ---- the spool, with a ledger ---- */

static struct ingest_spool *spool;
/* The last payload that was added, is durable, has its receipt, was ever added. */
static uint64_t added, durable, receipted, highest;

static void on_receipt(void *self, uint64_t number, char result, struct ck_str reason) {
  (void)self, (void)number, (void)result, (void)reason;
}
static void on_renumbered(void *self, uint64_t from, uint64_t by) {
  (void)self, (void)from, (void)by;
}

static bool open_spool(struct ck_err *err) {
  struct ingest_spool_ops ops = {NULL, on_receipt, on_renumbered};
  spool = ingest_spool_open(dir, &ops, err);
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

/* Everything reported durable and without a receipt is there, and intact. */
static void verify(void) {
  struct ck_unacked k = ingest_spool_unacked(spool);
  struct ck_buf b = {0};
  struct ck_str bytes;
  uint64_t next = receipted + 1;
  highest = added > highest ? added : highest;
  bool *there = ck_zalloc(highest + 2);
  for (uint64_t n = k.first(k.self); n <= k.last(k.self); ++n) {
    cr_assert(k.get(k.self, n, &bytes), "number %" PRIu64 " cannot be read", n);
    uint64_t what = strtoull(bytes.s, NULL, 10);
    payload(&b, what);
    cr_assert(ck_str_eq(bytes, ck_buf_view(&b)), "%" PRIu64 " is not what was added", what);
    there[what] = true;
  }
  ck_buf_free(&b);
  while (there[next]) ++next;
  free(there);
  cr_assert(next > durable,
            "%" PRIu64 " to %" PRIu64 " were durable and without receipt; %" PRIu64 " is missing",
            receipted + 1, durable, next);
  /* Later payloads were never promised: the ledger continues after the last one without a gap. */
  added = durable = next - 1;
}

static void folder(void) {
  power_folder();
  cr_assert(getcwd(dir, sizeof dir));
  added = durable = receipted = highest = 0;
}

static void tidy(void) {
  armed = false;
  power_folder_gone();
}

TestSuite(power_spool, .fini = tidy);

/* Adds, releases and reopens until the fault strikes, at most so many turns. Returns the last
 * sync's result. */
static enum ingest_sync work(unsigned turns, struct ck_err *err) {
  enum ingest_sync rc = INGEST_SYNCED;
  for (unsigned i = 0; i < turns && rc == INGEST_SYNCED && !off; ++i) {
    rc = add_some(1 + (unsigned)power_below(one_in(5) ? 60 : 6), err);
    if (rc == INGEST_SYNCED && one_in(3)) release(receipted + power_below(durable - receipted + 1));
    if (rc != INGEST_SYNCED || off || !one_in(40)) continue;
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
    arm();
    fail_at(one_in(3) ? A_SYNC : ANY_CHANGE, 1 + (unsigned)power_below(60), 0, true);
    if (open_spool(&err)) work(UINT32_MAX, &err);
    cr_assert(off, "stopped before the cut: %s", err.text);
    armed = false; /* closing must not write any more */
    if (spool) ingest_spool_close(&spool);
    power_on((enum survives[]){SYNCED_ONLY, ALL, SOME, SOME}[power_below(4)]);
    cr_assert(open_spool(&err), "%s", err.text);
    verify();
    ingest_spool_close(&spool);
  }
  fprintf(stderr, "power: %u cuts of the spool, %" PRIu64 " durable, %" PRIu64 " syncs, 0 lost\n",
          cuts, total + durable, syncs);
}

/* A full disk is reported; the changesets stay in memory, and are written when there is room. */
Test(power_spool, disk_full_at_every_write, .timeout = 600) {
  struct ck_err err = {""};
  unsigned nth = 1, refused = 0;
  for (bool came = true; came && nth < 200; ++nth) {
    folder();
    cr_assert(open_spool(&err), "%s", err.text);
    arm();
    fail_at(A_WRITE, nth, ENOSPC, one_in(2));
    enum ingest_sync rc = work(60, &err);
    came = fault.came;
    if (rc != INGEST_SYNCED) {
      ++refused;
      cr_assert_eq(rc, INGEST_NO_ROOM, "%s", err.text);
      cr_assert(strstr(err.text, "No space"), "%s", err.text);
      fault.left = 0;
      cr_assert_eq(ingest_spool_sync(spool, &err), INGEST_SYNCED, "%s", err.text);
      durable = added;
    }
    fault.left = 0;
    cr_assert_eq(work(5, &err), INGEST_SYNCED, "%s", err.text);
    ingest_spool_close(&spool);
    power_on(SYNCED_ONLY);
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
    arm();
    fail_at(nth % 4 ? A_SYNC : A_WRITE, nth, EIO, false);
    bool opened = open_spool(&err);
    enum ingest_sync rc = opened ? work(60, &err) : INGEST_BROKEN;
    cr_assert(!fault.came || rc != INGEST_SYNCED || fault.what == A_WRITE,
              "sync %u failed and was not reported", nth);
    cr_assert(rc != INGEST_NO_ROOM);
    broken += rc == INGEST_BROKEN;
    armed = false;
    if (spool) ingest_spool_close(&spool);
    power_on((enum survives)power_below(3));
    cr_assert(open_spool(&err), "%s", err.text);
    verify();
    ingest_spool_close(&spool);
  }
  cr_assert_gt(broken, 30);
  fprintf(stderr, "power: the spool ended at %u failed syncs and writes\n", broken);
}

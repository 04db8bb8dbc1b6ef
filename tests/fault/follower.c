/* A follower that is stopped, reads slowly or starts late: the store's memory stays bounded,
 * commits do not wait for the follower, and it misses nothing. It is a process of its own that uses
 * the library's follower. Instead of all its records it reports a checksum, the sum of version
 * times number over all records, which must be the database's too.
 */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/follow.h"
#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/ring.h"
#include "tests/harness/talk.h"

#define MEMORY_MIB (T_SLOWER > 1 ? 192 : 128) /* a sanitizer has memory of its own */
#define A_CHANGESET 1000
#define MESSAGES_FROM 1500000u /* messages' numbers are above all conversations' numbers */
#define RECORDS_MAX 1700000u
#define COMMIT_MS 3000 /* the limit for a commit: far more than a busy disk takes */

/* ---- the follower, in a process of its own ---- */

struct told {
  _Atomic uint64_t cursor, sum, changes;
  _Atomic bool live, wrong;
  _Atomic int pause_ms; /* after each answer or frame */
};

struct follower {
  pid_t pid;
  struct told *told;
};

static struct told *told;
static uint32_t *newest; /* each record's newest version, by number */

static void on_change(void *self, uint64_t version, const struct ck_row *row) {
  uint64_t *last = self;
  unsigned number = (unsigned)strtoul(ck_row_key(row).s + 1, NULL, 10) +
                    (row->table == CK_MESSAGES ? MESSAGES_FROM : 0);
  if (version <= *last || number >= RECORDS_MAX) atomic_store(&told->wrong, true);
  *last = version;
  if (number >= RECORDS_MAX) return;
  atomic_fetch_add(&told->sum, (version - newest[number]) * (number + 1));
  atomic_fetch_add(&told->changes, 1);
  newest[number] = (uint32_t)version;
}

static void on_upto(void *self, const char *store_id, uint64_t version, bool live) {
  (void)self, (void)store_id, (void)live;
  if (version < atomic_load(&told->cursor)) atomic_store(&told->wrong, true);
  atomic_store(&told->cursor, version);
}

static void on_reset(void *self, const char *store_id) {
  (void)self, (void)store_id;
  atomic_store(&told->wrong, true);
}

_Noreturn static void follow(void) {
  struct ck_err err;
  uint64_t last = 0;
  struct ck_follow_ops ops = {&last, on_change, on_upto, on_reset, NULL};
  newest = ck_zalloc(RECORDS_MAX * sizeof *newest);
  struct ck_follow *f =
      ck_follow_new(t_settings(), &ops, 1u << CK_CONVERSATIONS | 1u << CK_MESSAGES, "", 0, &err);
  if (!f) _exit(1);
  for (;;) {
    int wait = ck_follow_step(f), pause = atomic_load(&told->pause_ms);
    atomic_store(&told->live, ck_follow_live(f));
    if (pause) t_pause(pause);
    zmq_pollitem_t items[2];
    zmq_poll(items, ck_follow_items(f, items), wait < 0 || wait > 20 ? 20 : wait);
  }
}

/* To be called before the test itself uses a door: a child cannot use its parent's ZeroMQ. */
static struct follower begin(int pause_ms) {
  struct follower f;
  f.told = mmap(NULL, sizeof *f.told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  T_CHECK(f.told != MAP_FAILED, "no memory");
  atomic_store(&f.told->pause_ms, pause_ms);
  f.pid = fork();
  if (f.pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    told = f.told;
    follow();
  }
  return f;
}

static void end(struct follower *f) {
  kill(f->pid, SIGKILL);
  waitpid(f->pid, NULL, 0);
  munmap(f->told, sizeof *f->told);
}

static bool there(const struct follower *f, uint64_t version) {
  return atomic_load(&f->told->cursor) >= version && atomic_load(&f->told->live);
}

/* ---- writing, and its cost ---- */

static uint64_t head(void) {
  int64_t version = -1;
  T_UNTIL(20000, (version = t_status_int("version", -1)) >= 0, "the store does not answer");
  return (uint64_t)version;
}

static void commit(struct t_producer *p) {
  int64_t began = ck_boot_ms();
  T_CHECK(t_commit(p) != 'r', "refused: %s", t_refusal(p));
  T_CHECK(ck_boot_ms() - began < COMMIT_MS * T_SLOWER, "a commit took %lld ms",
          (long long)(ck_boot_ms() - began));
}

/* Conversations have no readable files, so a million of them can be written in a minute. */
static void put_conversations(struct t_producer *p, unsigned from, unsigned upto,
                              const char *title) {
  char row[160];
  for (unsigned i = from; i < upto; i++) {
    snprintf(row, sizeof row, "{'local_conversation_id': 'l%07u', 'platform': 'x', 'title': '%s'}",
             i, title);
    t_put(p, "local_conversations", row);
    if (i + 1 == upto || (i + 1) % A_CHANGESET == 0) commit(p);
  }
}

/* The store's memory is measured, and AddressSanitizer would by default keep 256 MiB of what was
 * freed. */
static struct t_process *frugal_store(void) {
  t_asan_option("quarantine_size_mb=4");
  return t_daemon("store", NULL);
}

static void check_memory(pid_t store) {
  long mib = t_memory_mib(store);
  T_CHECK(mib > 0 && mib <= MEMORY_MIB, "the store had %ld MiB in memory", mib);
  t_note("the store's memory: %ld MiB at most", mib);
}

static void check_told(const struct follower *f) {
  int64_t sum =
      t_sql_int("artifact.db",
                "SELECT"
                " (SELECT sum(version * (1 + CAST(substr(local_conversation_id, 2) AS INTEGER)))"
                " FROM local_conversations)"
                " + (SELECT coalesce(sum(version * (1500001 + CAST(substr(id, 2) AS INTEGER))), 0)"
                " FROM messages)");
  T_CHECK(!atomic_load(&f->told->wrong),
          "a version came twice or out of order, or the follower was reset");
  T_CHECK(atomic_load(&f->told->sum) == (uint64_t)sum,
          "the follower does not have what the database has");
}

/* ---- the stories ---- */

/* One follower is stopped while the head moves that far, and goes on while it still moves; another
 * one starts only then. */
T_STORY(follower, misses_a_million, 900) {
  const unsigned all = t_long() ? 1000000 : 50000;
  struct t_process *store = frugal_store();
  struct follower early = begin(0), late = begin(0);
  kill(late.pid, SIGSTOP);
  struct t_producer *p = t_producer("test");
  put_conversations(p, 0, 100, "first");
  T_UNTIL(10000, there(&early, 100), "the follower is at %llu of 100",
          (unsigned long long)atomic_load(&early.told->cursor));
  kill(early.pid, SIGSTOP);
  int64_t began = ck_boot_ms();
  put_conversations(p, 100, all, "while it is stopped");
  put_conversations(p, 0, all / 10, "again");
  t_note("%llu versions in %lld ms", (unsigned long long)head(), (long long)(ck_boot_ms() - began));
  T_CHECK(atomic_load(&early.told->cursor) == 100, "the follower was not stopped");
  kill(early.pid, SIGCONT);
  kill(late.pid, SIGCONT);
  unsigned more = all;
  for (int64_t until = ck_boot_ms() + 120000 * T_SLOWER; !there(&early, all) || !there(&late, all);
       more += 20) {
    T_CHECK(ck_boot_ms() < until && more + 20 < MESSAGES_FROM, "the followers are at %llu and %llu",
            (unsigned long long)atomic_load(&early.told->cursor),
            (unsigned long long)atomic_load(&late.told->cursor));
    put_conversations(p, more, more + 20, "while it catches up");
    put_conversations(p, more % 1000, more % 1000 + 5, "again");
  }
  uint64_t last = head();
  T_UNTIL(20000, there(&early, last) && there(&late, last), "a follower does not reach the head");
  t_note("caught up after %u more", more - all);
  check_told(&early), check_told(&late);
  check_memory(store->pid);
  end(&early), end(&late);
}

/* Large changes that the follower does not read: frames wait in the store's sockets, up to a limit.
 */
static void large(struct t_producer *p, unsigned from, unsigned changesets) {
  char *text = ck_alloc(20001), *row = ck_alloc(20200);
  memset(text, 'x', 20000), text[20000] = 0;
  for (unsigned c = 0; c < changesets; c++) {
    for (unsigned i = 0; i < 50; i++) {
      unsigned n = from + c * 50 + i;
      snprintf(row, 20200,
               "{'id': 'm%07u', 'platform': 'x', 'role': 'user',"
               " 'raw_text': '%s', 'observed_at': %u}",
               n, text, 1000 + n);
      t_put(p, "messages", row);
    }
    commit(p);
  }
  free(row), free(text);
}

static void beside_large_changes(int pause_ms, bool stopped) {
  struct t_process *store = frugal_store();
  struct follower f = begin(pause_ms);
  struct t_producer *p = t_producer("test");
  put_conversations(p, 0, 100, "first");
  T_UNTIL(10000, there(&f, 100), "the follower is at %llu of 100",
          (unsigned long long)atomic_load(&f.told->cursor));
  if (stopped) kill(f.pid, SIGSTOP);
  large(p, 0, t_long() ? 3000 : 300);
  check_memory(store->pid);
  uint64_t last = head();
  t_note("the follower is at %llu of %llu", (unsigned long long)atomic_load(&f.told->cursor),
         (unsigned long long)last);
  if (stopped) T_CHECK(atomic_load(&f.told->cursor) == 100, "the follower was not stopped");
  kill(f.pid, SIGCONT);
  atomic_store(&f.told->pause_ms, 0);
  T_UNTIL(60000, there(&f, last), "the follower is at %llu of %llu",
          (unsigned long long)atomic_load(&f.told->cursor), (unsigned long long)last);
  check_told(&f);
  check_memory(store->pid);
  end(&f);
}

T_STORY(follower, never_reads, 240) { beside_large_changes(0, true); }

T_STORY(follower, reads_slowly, 240) { beside_large_changes(200, false); }

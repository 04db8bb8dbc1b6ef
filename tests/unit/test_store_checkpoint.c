/* The WAL: written through wal_file.c, copied by checkpoint.c, and limited by wal_guard.c. */
#include "test_store_help.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/doors.h"
#include "store/database/checkpoint.h"
#include "store/database/wal_guard.h"

#define WAL_MIB 24
#define PAGE 4120 /* with its frame's header */

static void run(sqlite3 *db, const char *sql) {
  struct ck_err err = {{0}};
  cr_assert_eq(db_exec(db, sql, &err), 0, "%s: %s", sql, err.text);
}

static int64_t number(sqlite3 *db, const char *sql) {
  struct ck_err err = {{0}};
  int64_t n = -1;
  cr_assert_eq(db_int(db, sql, -1, &n, &err), 0, "%s: %s", sql, err.text);
  return n;
}

static off_t wal_bytes(void) {
  struct stat st;
  return stat(DB_FILE "-wal", &st) == 0 ? st.st_size : -1;
}

static struct checkpoint *start(struct sh_store *s, unsigned due, bool thread) {
  struct ck_err err = {{0}};
  run(s->db, "CREATE TABLE t (n INTEGER PRIMARY KEY, x BLOB)");
  struct checkpoint *c = checkpoint_new(s->db, due, &err);
  cr_assert(c && (!thread || checkpoint_start(c, &err) == 0), "%s", err.text);
  return c;
}

/* So many commits of about four pages each. */
static void commit(struct sh_store *s, struct checkpoint *c, int n) {
  for (int i = 0; i < n; ++i) {
    run(s->db, "INSERT INTO t (x) VALUES (randomblob(12000))");
    if (c) checkpoint_turn(c);
  }
}

static void end(struct sh_store *s, struct checkpoint **c) {
  checkpoint_free(c);
  cr_expect_eq(number(s->db, "SELECT integrity_check = 'ok' FROM pragma_integrity_check"), 1);
  sh_close(s);
}

/* ---- the WAL's file ---- */

static void copy_file(const char *from, const char *to) {
  static char piece[65536];
  ssize_t n;
  int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  cr_assert(in >= 0 && out >= 0);
  while ((n = read(in, piece, sizeof piece)) > 0) cr_assert_eq(write(out, piece, (size_t)n), n);
  close(in);
  close(out);
}

Test(wal_file, is_as_large_as_it_will_be_and_the_zeroes_are_no_frames) {
  struct sh_store s;
  sh_open(&s);
  struct ck_err err = {{0}};
  struct checkpoint *c = start(&s, 100000, false);
  cr_assert_eq(db_grow_wal(s.db, &err), 0, "%s", err.text);
  cr_expect(wal_bytes() >= WAL_MIB << 20 && wal_bytes() < (WAL_MIB + 1) << 20, "%lld",
            (long long)wal_bytes());
  off_t before = wal_bytes();
  commit(&s, c, 100);
  cr_expect_eq(wal_bytes(), before, "commits do not make it larger");
  /* The files that a killed process would leave. */
  copy_file(DB_FILE, "copy.db");
  copy_file(DB_FILE "-wal", "copy.db-wal");
  sqlite3 *copy;
  cr_assert_eq(sqlite3_open("copy.db", &copy), SQLITE_OK);
  cr_expect_eq(number(copy, "SELECT count(*) FROM t"), 100);
  cr_expect_eq(number(copy, "SELECT integrity_check = 'ok' FROM pragma_integrity_check"), 1);
  sqlite3_close(copy);
  end(&s, &c);
}

/* A transaction larger than the page cache and the gathering buffer: its pages are read back before
 * they are synced, written twice, and rolled back in part. */
Test(wal_file, what_is_gathered_can_be_read_and_undone) {
  struct sh_store s;
  sh_open(&s);
  struct checkpoint *c = start(&s, 100000, false);
  run(s.db, "PRAGMA cache_size = 16; BEGIN; INSERT INTO t"
            " WITH k(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM k WHERE n < 2000)"
            " SELECT n, randomblob(1000) FROM k");
  cr_expect_eq(number(s.db, "SELECT sum(length(x)) FROM t"), 2000 * 1000);
  run(s.db, "SAVEPOINT a; UPDATE t SET x = zeroblob(1000); ROLLBACK TO a; RELEASE a;"
            " UPDATE t SET x = zeroblob(10) WHERE n % 2; COMMIT");
  cr_expect_eq(number(s.db, "SELECT sum(length(x)) FROM t"), 1000 * 1000 + 1000 * 10);
  cr_expect_eq(number(s.db, "SELECT count(*) FROM t WHERE x = zeroblob(1000)"), 0);
  sqlite3 *reader;
  struct ck_err err;
  cr_assert_eq(db_open_reader(&reader, &err), 0);
  cr_expect_eq(number(reader, "SELECT sum(length(x)) FROM t"), 1000 * 1000 + 1000 * 10,
               "and by others");
  db_close(&reader);
  end(&s, &c);
}

/* ---- the checkpoint ---- */

Test(checkpoint, the_wal_restarts_after_it_was_copied) {
  struct sh_store s;
  sh_open(&s);
  struct checkpoint *c = start(&s, 100, false);
  unsigned most = 0;
  for (int i = 0; i < 500; ++i) {
    commit(&s, c, 1);
    if (checkpoint_wal_pages(c) > most) most = checkpoint_wal_pages(c);
  }
  cr_expect(most >= 100 && most < 120, "%u", most);
  end(&s, &c);
}

Test(checkpoint, a_round_leaves_nothing_where_nobody_writes) {
  struct sh_store s;
  struct ck_err err = {{0}};
  unsigned left = 1;
  sh_open(&s);
  struct checkpoint *c = start(&s, 100000, false);
  commit(&s, c, 50);
  unsigned pages = checkpoint_wal_pages(c);
  cr_assert_eq(checkpoint_bulk(c, &left, &err), 0, "%s", err.text);
  cr_expect_eq(left, 0);
  struct stat st;
  cr_expect(stat(DB_FILE, &st) == 0 && st.st_size > 50 * 12000, "%lld", (long long)st.st_size);
  commit(&s, c, 1);
  cr_expect(checkpoint_wal_pages(c) < 20 && pages > 150, "%u after %u: the next commit restarts it",
            checkpoint_wal_pages(c), pages);
  end(&s, &c);
}

Test(checkpoint, a_reader_holds_it_up_and_nothing_else) {
  struct sh_store s;
  sqlite3 *reader;
  struct ck_err err;
  sh_open(&s);
  struct checkpoint *c = start(&s, 100, false);
  commit(&s, c, 10);
  cr_assert_eq(db_open_reader(&reader, &err), 0);
  run(reader, "BEGIN");
  cr_expect_eq(number(reader, "SELECT count(*) FROM t"), 10);
  commit(&s, c, 200);
  cr_expect(checkpoint_wal_pages(c) > 600, "%u", checkpoint_wal_pages(c));
  cr_expect_eq(number(reader, "SELECT count(*) FROM t"), 10);
  run(reader, "COMMIT");
  commit(&s, c, 20);
  cr_expect(checkpoint_wal_pages(c) < 120, "%u", checkpoint_wal_pages(c));
  db_close(&reader);
  end(&s, &c);
}

Test(checkpoint, beside_the_writer_and_readers, .timeout = 120) {
  struct sh_store s;
  sqlite3 *reader;
  struct ck_err err;
  unsigned most = 0;
  int restarts = 0;
  sh_open(&s);
  struct checkpoint *c = start(&s, 60, true);
  cr_assert_eq(db_open_reader(&reader, &err), 0);
  for (int i = 1; i <= 3000; ++i) {
    unsigned before = checkpoint_wal_pages(c);
    commit(&s, c, 1);
    restarts += checkpoint_wal_pages(c) < before;
    if (checkpoint_wal_pages(c) > most) most = checkpoint_wal_pages(c);
    if (i % 10 == 0) cr_assert_eq(number(reader, "SELECT count(*) FROM t"), i);
  }
  cr_expect(restarts > 3, "restarted %d times", restarts);
  cr_expect((off_t)most * PAGE < (off_t)64 << 20, "%u", most);
  db_close(&reader);
  end(&s, &c);
}

/* A byte of the -shm file (SQLite's os_unix.c and wal.c: UNIX_SHM_BASE and WAL_CKPT_LOCK). */
#define CHECKPOINT_LOCK 121

/* Another process that checkpoints until it is killed. */
static pid_t checkpoint_by_another(void) {
  int line[2];
  char said;
  cr_assert_eq(pipe(line), 0);
  pid_t pid = fork();
  cr_assert(pid >= 0);
  if (pid == 0) {
    struct flock lock = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = CHECKPOINT_LOCK, .l_len = 1};
    int fd = open(DB_FILE "-shm", O_RDWR);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (fd < 0 || fcntl(fd, F_SETLK, &lock) || write(line[1], "", 1) != 1) _exit(1);
    for (;;) pause();
  }
  close(line[1]);
  cr_assert_eq(read(line[0], &said, 1), 1, "the lock is not to be had");
  close(line[0]);
  return pid;
}

static void end_the_other(pid_t pid) {
  cr_assert_eq(kill(pid, SIGKILL), 0);
  cr_assert_eq(waitpid(pid, NULL, 0), pid);
}

Test(checkpoint, another_process_that_checkpoints_is_waited_for, .timeout = 60) {
  struct sh_store s;
  struct ck_err err = {{0}};
  unsigned left = 1;
  sh_open(&s);
  struct checkpoint *c = start(&s, 100, false);
  commit(&s, c, 10);
  pid_t other = checkpoint_by_another();
  cr_expect_eq(checkpoint_bulk(c, &left, &err), 1, "%s", err.text);
  commit(&s, c, 200);
  cr_expect(checkpoint_wal_pages(c) > 600 && checkpoint_left(c) > 600, "%u, %u",
            checkpoint_wal_pages(c), checkpoint_left(c));
  end_the_other(other);
  cr_expect_eq(checkpoint_bulk(c, &left, &err), 0, "%s", err.text);
  cr_expect_eq(left, 0);
  commit(&s, c, 20);
  cr_expect(checkpoint_wal_pages(c) < 120, "%u", checkpoint_wal_pages(c));
  end(&s, &c);
}

/* Two readers in turn, each until the other has begun: there is always a read transaction. */
struct turns {
  pthread_barrier_t both;
  _Atomic bool stop, ends;
};

static void *read_by_turns(void *self) {
  struct turns *t = self;
  sqlite3 *db;
  struct ck_err err;
  bool first = pthread_barrier_wait(&t->both) == PTHREAD_BARRIER_SERIAL_THREAD;
  if (db_open_reader(&db, &err)) return NULL;
  for (bool begins = first; !atomic_load(&t->ends); begins = !begins) {
    if (begins) sqlite3_exec(db, "BEGIN; SELECT count(*) FROM t", NULL, NULL, NULL);
    if (pthread_barrier_wait(&t->both) == PTHREAD_BARRIER_SERIAL_THREAD)
      atomic_store(&t->ends, atomic_load(&t->stop));
    if (!begins) sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    usleep(40000);
    pthread_barrier_wait(&t->both);
  }
  db_close(&db);
  return NULL;
}

Test(checkpoint, readers_that_take_turns_do_not_hold_it_up, .timeout = 120) {
  struct sh_store s;
  struct turns turns = {.stop = false};
  pthread_t threads[2];
  unsigned most = 0;
  int restarts = 0;
  sh_open(&s);
  struct checkpoint *c = start(&s, 1000, true);
  pthread_barrier_init(&turns.both, NULL, 2);
  for (int i = 0; i < 2; ++i)
    cr_assert_eq(pthread_create(&threads[i], NULL, read_by_turns, &turns), 0);
  for (int i = 0; i < 250; ++i) {
    unsigned before = checkpoint_wal_pages(c);
    run(s.db, "INSERT INTO t (x) VALUES (randomblob(500000))");
    while (checkpoint_turn(c)) continue;
    restarts += checkpoint_wal_pages(c) < before;
    if (checkpoint_wal_pages(c) > most) most = checkpoint_wal_pages(c);
  }
  atomic_store(&turns.stop, true);
  for (int i = 0; i < 2; ++i) pthread_join(threads[i], NULL);
  pthread_barrier_destroy(&turns.both);
  cr_expect(restarts > 1, "restarted %d times", restarts);
  cr_expect((off_t)most * PAGE < (off_t)64 << 20, "%u", most);
  end(&s, &c);
}

/* ---- a failed fsync ---- */

/* Even with an open socket, for which exit() would wait. */
Test(checkpoint, a_failed_fsync_ends_the_process_at_once, .timeout = 30) {
  int status;
  pid_t pid = fork();
  cr_assert(pid >= 0);
  if (pid == 0) {
    struct ck_err err;
    alarm(10);
    void *socket = zmq_socket(ck_context(), ZMQ_PULL);
    if (socket) db_fail_code(SQLITE_IOERR_FSYNC, DB_FILE, &err);
    _exit(2);
  }
  cr_assert_eq(waitpid(pid, &status, 0), pid);
  cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 1, "%x", (unsigned)status);
}

/* ---- finding the reader ---- */

Test(wal_guard, finds_the_reader_in_the_list_of_locks) {
  static const char locks[] = "1: POSIX  ADVISORY  READ  100 fe:00:77 123 123\n"
                              "2: POSIX  ADVISORY  READ  200 fe:00:77 124 124\n"
                              "3: POSIX  ADVISORY  READ  300 fe:00:77 126 126\n"
                              "3: -> POSIX  ADVISORY  WRITE 350 fe:00:77 123 127\n"
                              "4: POSIX  ADVISORY  READ  400 fe:00:77 128 128\n"
                              "5: POSIX  ADVISORY  WRITE 500 fe:00:88 123 123\n"
                              "6: FLOCK  ADVISORY  WRITE 600 fe:00:77 0 EOF\n"
                              "7: POSIX  ADVISORY  READ  700 fe:00:99 0 EOF\n";
  cr_expect_eq(wal_guard_holder(locks, 77, 100, 0), 200);
  cr_expect_eq(wal_guard_holder(locks, 77, 100, 300), 300, "the one named before is named again");
  cr_expect_eq(wal_guard_holder(locks, 77, 100, 400), 200, "another byte is no read transaction");
  cr_expect_eq(wal_guard_holder(locks, 88, 500, 0), 0, "its own locks do not count");
  cr_expect_eq(wal_guard_holder(locks, 66, 1, 0), 0);
  cr_expect_eq(wal_guard_holder("1: POSIX  ADVISORY  WRITE 800 fe:00:77 121 121\n", 77, 100, 0),
               800, "a checkpoint holds it up too");
  cr_expect_eq(wal_guard_holder("1: POSIX  ADVISORY  WRITE 800 fe:00:77 120 120\n", 77, 100, 0), 0,
               "a writer does not");
  cr_expect_eq(wal_guard_holder("", 77, 1, 0), 0);
}

/* ---- a reader of the store's own gives way ---- */

struct long_reader {
  sqlite3 *db;
  int rc;
};

/* A statement without an end, in a transaction, like doctor's check of a large database. */
static void *read_for_long(void *self) {
  struct long_reader *r = self;
  r->rc = sqlite3_exec(
      r->db,
      "WITH k(n) AS (SELECT count(*) FROM t UNION ALL SELECT n + 1 FROM k) SELECT max(n) FROM k",
      NULL, NULL, NULL);
  sqlite3_exec(r->db, "COMMIT", NULL, NULL, NULL);
  return NULL;
}

Test(wal_guard, a_long_reader_gives_way, .timeout = 60) {
  struct sh_store s;
  struct long_reader r = {.rc = SQLITE_OK};
  struct ck_err err;
  pthread_t thread;
  sh_open(&s);
  struct checkpoint *c = start(&s, 100, false);
  struct wal_guard *g = wal_guard_new(1024);
  commit(&s, c, 1);
  cr_assert_eq(db_open_reader(&r.db, &err), 0);
  run(r.db, "BEGIN; SELECT 1 FROM t");
  wal_guard_read(g, r.db);
  cr_assert_eq(pthread_create(&thread, NULL, read_for_long, &r), 0);
  for (int i = 0; !wal_guard_interrupted(g) && i < 1000; ++i) {
    run(s.db, "INSERT INTO t (x) VALUES (randomblob(100000))");
    wal_guard_turn(g, c, i);
  }
  uint64_t bytes = (uint64_t)checkpoint_wal_pages(c) * PAGE;
  cr_expect(bytes > (uint64_t)WAL_GIVE_WAY_MIB << 20 && bytes < (uint64_t)(WAL_GIVE_WAY_MIB + 1)
                                                                    << 20,
            "%llu", (unsigned long long)bytes);
  pthread_join(thread, NULL);
  cr_expect_eq(r.rc, SQLITE_INTERRUPT);
  wal_guard_turn(g, c, 0);
  commit(&s, c, 60);
  cr_expect(checkpoint_wal_pages(c) < 1000, "%u: the WAL restarts", checkpoint_wal_pages(c));
  cr_expect(wal_guard_interrupted(g));
  wal_guard_read_end(g);
  wal_guard_read(g, r.db);
  cr_expect(!wal_guard_interrupted(g), "it may read again");
  wal_guard_read_end(g);
  db_close(&r.db);
  wal_guard_free(&g);
  end(&s, &c);
}

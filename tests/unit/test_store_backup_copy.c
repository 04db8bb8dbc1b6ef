/* A copy of the database by the connection that writes: a thread asks for it, and the test
 * is the writer. */
#include "test_store_help.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "store/database/checkpoint.h"
#include "store/database/backup_copy.h"

struct asker {
  struct backup_copy *backup_copy;
  struct backup_request copy;
  _Atomic uint64_t done, total;
  _Atomic bool ends, over;
  int rc;
  struct ck_err err;
  pthread_t thread;
};

static bool ends(const void *task) { return atomic_load(&((const struct asker *)task)->ends); }

static void *ask(void *self) {
  struct asker *a = self;
  a->rc = backup_copy_run(a->backup_copy, &a->copy, &a->err);
  atomic_store(&a->over, true);
  return NULL;
}

static void start(struct asker *a, struct backup_copy *c) {
  *a = (struct asker){.backup_copy = c};
  a->copy = (struct backup_request){.fd = open("copy.db", O_RDWR | O_CREAT | O_TRUNC, 0600),
                                    .ends = ends,
                                    .task = a,
                                    .done = &a->done,
                                    .total = &a->total};
  cr_assert_eq(sqlite3_open("copy.db", &a->copy.to), SQLITE_OK);
  cr_assert_eq(pthread_create(&a->thread, NULL, ask, a), 0);
}

static void finish(struct asker *a) {
  pthread_join(a->thread, NULL);
  close(a->copy.fd);
}

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

#define SUM "SELECT sum(n * length(x)) + count(*) FROM t"

static void fill(sqlite3 *db) {
  run(db, "CREATE TABLE t (n INTEGER PRIMARY KEY, x BLOB);"
          "INSERT INTO t WITH k(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM k WHERE n < 4000) "
          "SELECT n, randomblob(3000) FROM k");
}

Test(backup_copy, the_copy_is_of_its_end_and_the_wal_goes_on, .timeout = 120) {
  struct sh_store s;
  struct asker a;
  struct ck_err err;
  unsigned most = 0;
  uint64_t commits = 0;
  sh_open(&s);
  fill(s.db);
  struct checkpoint *checkpoint = checkpoint_new(s.db, 100, &err);
  struct backup_copy *c = backup_copy_new();
  cr_assert(checkpoint, "%s", err.text);
  run(s.db, "UPDATE t SET x = randomblob(2000) WHERE n = 1");
  checkpoint_turn(checkpoint);
  run(s.db, "UPDATE t SET x = randomblob(2000) WHERE n = 1");
  start(&a, c);
  while (!atomic_load(&a.over)) {
    if (backup_copy_turn(c, s.db, commits) == BACKUP_COPY_NOTHING) continue;
    /* Changes pages that are copied and pages that are not, and adds some. */
    run(s.db, "UPDATE t SET x = zeroblob(2999) WHERE n IN (7, 1003, 2007, 3011, 3999);"
              "INSERT INTO t (x) VALUES (randomblob(50))");
    checkpoint_turn(checkpoint);
    ++commits;
    if (checkpoint_wal_pages(checkpoint) > most) most = checkpoint_wal_pages(checkpoint);
  }
  finish(&a);
  cr_assert_eq(a.rc, 0, "%s", a.err.text);
  cr_expect(commits > 20 && a.copy.head <= commits && a.copy.head + 1 >= commits, "%lu of %lu",
            a.copy.head, commits);
  cr_expect(most < 200, "the WAL is not held: %u pages", most);
  cr_expect_eq(number(a.copy.to, "SELECT count(*) FROM t"), 4000 + (int64_t)a.copy.head);
  if (a.copy.head == commits) cr_expect_eq(number(a.copy.to, SUM), number(s.db, SUM));
  cr_expect_eq(number(a.copy.to, "SELECT integrity_check = 'ok' FROM pragma_integrity_check"), 1);
  cr_expect_eq(atomic_load(&a.done), atomic_load(&a.total));
  sqlite3_close(a.copy.to);
  backup_copy_free(&c);
  checkpoint_free(&checkpoint);
  sh_close(&s);
}

Test(backup_copy, is_given_up_when_its_task_or_the_writer_ends, .timeout = 60) {
  struct sh_store s;
  struct asker a;
  sh_open(&s);
  fill(s.db);
  struct backup_copy *c = backup_copy_new();
  for (int i = 0; i < 2; ++i) {
    start(&a, c);
    while (backup_copy_turn(c, s.db, 1) == BACKUP_COPY_NOTHING) continue;
    if (i == 0) atomic_store(&a.ends, true);
    while (i == 0 && backup_copy_turn(c, s.db, 1) != BACKUP_COPY_NOTHING &&
           atomic_load(&a.done) < 600)
      usleep(20000);
    if (i == 1) backup_copy_close(c);
    finish(&a);
    cr_expect_eq(a.rc, -1);
    cr_expect_str_eq(a.err.text, BACKUP_COPY_GIVEN_UP);
    sqlite3_close(a.copy.to);
  }
  start(&a, c);
  finish(&a);
  cr_expect_eq(a.rc, -1, "a writer that has ended copies nothing");
  sqlite3_close(a.copy.to);
  run(s.db, "INSERT INTO t (x) VALUES ('the writer goes on')");
  backup_copy_free(&c);
  sh_close(&s);
}

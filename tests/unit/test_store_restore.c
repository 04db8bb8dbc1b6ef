/* A staged copy is put in place, from every state in which a crash may have left it. */
#include "test_store_help.h"

#include <dirent.h>
#include <stdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/files/artifact_cursor.h"
#include "store/format/swap.h"
#include "tests/unreleased.h"

#define SWAP SWAP_DECIDED "20261122T200200Z"
#define BEFORE "artifact.db.before-20261122T200200Z"

static struct ck_settings *settings;

static void copy_file(const char *from, const char *to) {
  char command[400];
  snprintf(command, sizeof command, "cp '%s' '%s'", from, to);
  cr_assert_eq(system(command), 0);
}

static void write_text(const char *path, const char *text) {
  FILE *f = fopen(path, "w");
  cr_assert(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

static bool there(const char *path) { return access(path, F_OK) == 0; }

/* How many files in the folder have this prefix. */
static int count(const char *prefix) {
  DIR *dir = opendir(".");
  int n = 0;
  for (struct dirent *e; (e = readdir(dir));) n += strncmp(e->d_name, prefix, strlen(prefix)) == 0;
  closedir(dir);
  return n;
}

static int64_t ask_file(const char *file, const char *sql) {
  sqlite3 *db = NULL;
  struct ck_err err;
  int64_t v;
  cr_assert_eq(sqlite3_open_v2(file, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
  cr_assert_eq(db_int(db, sql, -1, &v, &err), 0, "%s: %s", file, err.text);
  db_close(&db);
  return v;
}

/* A store with n messages, closed: artifact.db alone, in the working directory. */
static void make(struct sh_store *s, int n) {
  struct ck_err err;
  if (!settings) settings = ck_settings_load("/nonexistent", &err);
  cr_assert(settings);
  sh_open(s);
  for (int i = 0; i < n; ++i) {
    char id[32];
    snprintf(id, sizeof id, "m%d", i);
    sh_message(s, id, 1000 + i, "");
  }
}

/* A backup as `convkeep backup` makes it: without a WAL. */
static void back_up(struct sh_store *s, const char *to) {
  struct ck_err err;
  char sql[200];
  snprintf(sql, sizeof sql, "VACUUM INTO '%s'", to);
  cr_assert_eq(db_exec(s->db, sql, &err), 0, "%s", err.text);
}

/* Removes what a test leaves. */
static void end(struct sh_store *s) {
  ck_settings_free(&settings);
  sh_close(s);
}

/* Another store that tries to start all the time; it ends when it has the lock. Returns once it has
 * tried. mine: the lock, which it does not inherit. */
static pid_t start_rival(const struct ck_lock *mine) {
  int said[2];
  char byte;
  cr_assert_eq(pipe(said), 0);
  pid_t pid = fork();
  if (pid == 0) {
    struct ck_lock lock;
    close(mine->fd);
    for (bool told = false; ck_lock_file(&lock, DB_FILE, NULL) > 0; told = true)
      if (!told && write(said[1], "x", 1) != 1) break;
    _exit(1);
  }
  close(said[1]);
  cr_assert_eq(read(said[0], &byte, 1), 1, "the other store has the lock");
  close(said[0]);
  return pid;
}

static void end_rival(pid_t pid) {
  int status;
  kill(pid, SIGKILL);
  cr_assert_eq(waitpid(pid, &status, 0), pid);
  cr_expect(WIFSIGNALED(status), "another store came in meanwhile");
}

/* As the store starts: under the lock of its database. */
static int restore_under_lock(struct restored *r, struct ck_err *err) {
  struct ck_lock lock;
  cr_assert_eq(ck_lock_file(&lock, DB_FILE, err), 0, "%s", err->text);
  pid_t rival = start_rival(&lock);
  int rc = restore_pending(settings, &lock, r, err);
  end_rival(rival);
  cr_expect(ck_lock_has_name(&lock), "what has the name now is not locked");
  ck_lock_end(&lock);
  return rc;
}

static struct restored restore(struct sh_store *s) {
  struct restored r;
  struct ck_err err = {{0}};
  apply_free(&s->apply);
  system_free(&s->system);
  db_close(&s->db);
  cr_assert_eq(restore_under_lock(&r, &err), 0, "%s", err.text);
  return r;
}

#define HEAD \
  "SELECT max((SELECT version_floor FROM store)," \
  " (SELECT coalesce(max(version), 0) FROM messages)," \
  " (SELECT coalesce(max(version), 0) FROM local_conversations))"

Test(restore, nothing_waits) {
  struct sh_store s;
  make(&s, 2);
  struct restored r = restore(&s);
  cr_expect_eq(r.state, RESTORED_NOTHING);
  cr_expect_eq(ask_file(DB_FILE, "SELECT count(*) FROM messages"), 2);
  cr_expect_eq(ask_file(DB_FILE, HEAD), 2);
  end(&s);
}

Test(restore, a_new_store_above_every_version_that_was_given) {
  struct sh_store s;
  make(&s, 3);
  back_up(&s, RESTORE_STAGED);
  int64_t runs = sh_int(&s, "SELECT runs FROM store");
  for (int i = 0; i < 4; ++i)
    sh_write(&s, CK_MESSAGES, i % 2 ? "{'id':'m1','raw_text':'b'}" : "{'id':'m1','raw_text':'a'}");
  int64_t former = sh_int(&s, "SELECT max(version) FROM messages");
  struct restored r = restore(&s);
  cr_expect_eq(r.state, RESTORED_DONE);
  cr_expect_eq(r.backup_version, 3);
  cr_expect_eq((int64_t)r.version, former + 1);
  cr_expect_eq(ask_file(DB_FILE, HEAD), former + 1);
  cr_expect_eq(ask_file(DB_FILE, "SELECT count(*) FROM messages"), 3);
  cr_expect_gt(ask_file(DB_FILE, "SELECT runs FROM store"), runs);
  cr_expect(there(r.before), "%s", r.before);
  cr_expect_eq(ask_file(r.before, "SELECT max(version) FROM messages"), former);
  char sql[200];
  snprintf(sql, sizeof sql, "ATTACH '%s' AS old", r.before);
  sqlite3 *db = NULL;
  struct ck_err err;
  int64_t same;
  cr_assert_eq(sqlite3_open(DB_FILE, &db), SQLITE_OK);
  cr_assert_eq(db_exec(db, sql, &err), 0);
  cr_assert_eq(db_int(db,
                      "SELECT (SELECT store_id FROM main.store) = (SELECT store_id FROM old.store)",
                      -1, &same, &err),
               0, "%s", err.text);
  cr_expect_eq(same, 0, "the restored store has a new id");
  db_close(&db);
  cr_expect_eq(count("artifact.db.restore") + count(SWAP_DECIDED), 0);
  end(&s);
}

static void files_stand_for(const char *store_id, int64_t version) {
  struct ck_buf line = {0};
  mkdir("artifacts", 0700);
  artifact_cursor_text(&line, store_id, "conversations", (uint64_t)version, 0);
  write_text("artifacts/.cursor", ck_buf_cstr(&line));
  ck_buf_free(&line);
}

static struct restored start_again(struct sh_store *s) {
  struct restored r = {0};
  struct ck_err err = {{0}};
  sh_reopen(s);
  cr_assert_eq(restore_rewound(s->db, "", &r, &err), 0, "%s", err.text);
  return r;
}

Test(restore, a_database_older_than_its_files_becomes_another_store) {
  struct sh_store s;
  make(&s, 3);
  db_exec(s.db, "UPDATE store SET store_id = 'this'", NULL);
  int64_t runs = sh_int(&s, "SELECT runs FROM store");
  cr_expect_eq(start_again(&s).state, RESTORED_NOTHING, "there are no files");
  files_stand_for("this", 3);
  cr_expect_eq(start_again(&s).state, RESTORED_NOTHING, "the files are as new as the database");
  files_stand_for("another", 9);
  cr_expect_eq(start_again(&s).state, RESTORED_NOTHING, "the files are another store's");
  files_stand_for("this", 4);
  struct restored r = start_again(&s);
  cr_expect_eq(r.state, RESTORED_DONE);
  cr_expect_eq(r.backup_version, 3);
  cr_expect_eq(r.version, 4 + RESTORE_JUMP);
  cr_expect_eq(sh_int(&s, HEAD), (int64_t)(4 + RESTORE_JUMP));
  cr_expect_gt(sh_int(&s, "SELECT runs FROM store"), runs + 100);
  cr_expect_eq(sh_int(&s, "SELECT store_id = 'this' FROM store"), 0);
  cr_expect_eq(start_again(&s).state, RESTORED_NOTHING, "the files are of another life now");
  end(&s);
}

/* If the former database is missing or another one, the versions that it gave are unknown. */
Test(restore, far_above_where_the_former_database_is_not_known) {
  struct sh_store s;
  make(&s, 3);
  back_up(&s, "copy");
  copy_file("copy", RESTORE_STAGED);
  db_exec(s.db, "UPDATE store SET store_id = 'another'", NULL);
  struct restored r = restore(&s);
  cr_expect_eq(r.version, 3 + RESTORE_JUMP);
  unlink(DB_FILE);
  copy_file("copy", RESTORE_STAGED);
  struct ck_err err;
  cr_assert_eq(restore_under_lock(&r, &err), 0);
  cr_expect_eq(r.version, 3 + RESTORE_JUMP);
  cr_expect_str_eq(r.before, "");
  write_text(DB_FILE, "this is no database");
  write_text(DB_FILE "-wal", "and this is no WAL");
  copy_file("copy", RESTORE_STAGED);
  cr_assert_eq(restore_under_lock(&r, &err), 0);
  cr_expect_eq(r.state, RESTORED_DONE);
  cr_expect_not(there(DB_FILE "-wal"), "nothing of the former database stays beside the new one");
  cr_expect_eq(ask_file(DB_FILE, "SELECT count(*) FROM messages"), 3);
  end(&s);
}

Test(restore, what_could_send_is_paused_and_nothing_is_mirrored) {
  struct sh_store s;
  make(&s, 3);
  sh_conversation(&s, "auto", ", 'automation_status':'auto'");
  sh_conversation(&s, "manual", "");
  sh_conversation(&s, "due", "");
  sh_conversation(&s, "ended", "");
  sh_job(&s, "j1", "due", "m0", "");
  sh_job(&s, "j2", "ended", "m1", ", 'status':'done'");
  cr_assert_eq(
      db_exec(
          s.db,
          "INSERT INTO sinks (name, cursor) VALUES ('sqlite', 5); INSERT INTO dead_letters VALUES "
          "('sqlite', 'messages', 'm1', 2, 'why', 1)",
          &s.reason),
      0);
  back_up(&s, RESTORE_STAGED);
  int64_t head = sh_int(&s, "SELECT max(version) FROM renewal_jobs");
  struct restored r = restore(&s);
  cr_expect_eq(r.state, RESTORED_DONE, "%s", r.reason.text);
  cr_expect_eq(r.paused, 2);
  cr_expect_eq((int64_t)r.version, head + 3);
  cr_expect_eq(
      ask_file(DB_FILE,
               "SELECT count(*) FROM local_conversations WHERE automation_status = 'paused'"
               " AND local_conversation_id IN ('auto', 'due') AND paused_at > 0"),
      2);
  cr_expect_eq(
      ask_file(DB_FILE,
               "SELECT count(*) FROM local_conversations WHERE automation_status = 'manual'"),
      2);
  cr_expect_eq(ask_file(DB_FILE, "SELECT count(*) FROM automation"), 0);
  cr_expect_eq(
      ask_file(DB_FILE,
               "SELECT (SELECT count(*) FROM sinks) + (SELECT count(*) FROM dead_letters)"),
      0);
  cr_expect_eq(ask_file(DB_FILE, HEAD), head + 3);
  end(&s);
}

static void refused(struct sh_store *s, const char *part) {
  struct restored r = restore(s);
  cr_expect_eq(r.state, RESTORED_REFUSED);
  cr_expect(strstr(r.reason.text, part), "\"%s\" is not in: %s", part, r.reason.text);
  cr_expect_not(there(RESTORE_STAGED), "a refused copy does not wait any longer");
  cr_expect_eq(ask_file(DB_FILE, "SELECT count(*) FROM messages"), 2,
               "and nothing else has changed");
  cr_expect_eq(count("artifact.db.before"), 0);
}

Test(restore, no_database) {
  struct sh_store s;
  make(&s, 2);
  write_text(RESTORE_STAGED, "something else, long enough to be looked at as if it were a "
                             "database, and a little more than that, so that it is read");
  refused(&s, "not a database");
  end(&s);
}

Test(restore, another_programs_database) {
  struct sh_store s;
  make(&s, 2);
  sqlite3 *db = NULL;
  struct ck_err err;
  cr_assert_eq(sqlite3_open(RESTORE_STAGED, &db), SQLITE_OK);
  cr_assert_eq(db_exec(db, "CREATE TABLE messages (a)", &err), 0);
  db_close(&db);
  refused(&s, "not a database of convkeep");
  end(&s);
}

Test(restore, an_unreleased_database) {
  struct sh_store s;
  make(&s, 2);
  sqlite3 *db = NULL;
  struct ck_err err;
  cr_assert_eq(sqlite3_open(RESTORE_STAGED, &db), SQLITE_OK);
  cr_assert_eq(db_exec(db, unreleased_sql, &err), 0, "%s", err.text);
  db_close(&db);
  refused(&s, "made by an unreleased convkeep, before the first format, and cannot be used by this "
              "one; nothing was changed");
  end(&s);
}

Test(restore, a_newer_format) {
  struct sh_store s;
  make(&s, 2);
  back_up(&s, RESTORE_STAGED);
  sqlite3 *db = NULL;
  struct ck_err err;
  cr_assert_eq(sqlite3_open(RESTORE_STAGED, &db), SQLITE_OK);
  cr_assert_eq(db_exec(db, "PRAGMA user_version = 99", &err), 0);
  db_close(&db);
  refused(&s, "newer than this program");
  end(&s);
}

Test(restore, a_damaged_page) {
  struct sh_store s;
  make(&s, 2);
  back_up(&s, RESTORE_STAGED);
  FILE *f = fopen(RESTORE_STAGED, "r+");
  fseek(f, 2 * 4096, SEEK_SET);
  for (int i = 0; i < 4096; ++i) fputc(0xa5, f);
  fclose(f);
  refused(&s, "");
  end(&s);
}

/* ---- ended in the middle ---- */

static void expect_new(struct restored *r) {
  cr_expect_eq(r->state, RESTORED_DONE);
  cr_expect_eq(ask_file(DB_FILE, "SELECT count(*) FROM messages"), 1);
  cr_expect_not(there(DB_FILE "-wal"));
  cr_expect_not(there(SWAP));
  cr_expect_eq(ask_file(BEFORE, "SELECT count(*) FROM messages"), 2);
}

/* The former database with its WAL, and a decided copy. */
static void decided(struct sh_store *s) {
  make(s, 1);
  back_up(s, SWAP);
  sh_message(s, "later", 5000, "");
  cr_assert(there(DB_FILE "-wal"));
  copy_file(DB_FILE, "keep");
  copy_file(DB_FILE "-wal", "keep-wal");
  apply_free(&s->apply);
  system_free(&s->system);
  db_close(&s->db);
  rename("keep", DB_FILE);
  rename("keep-wal", DB_FILE "-wal");
}

Test(restore, ended_when_it_was_decided) {
  struct sh_store s;
  decided(&s);
  struct restored r = restore(&s);
  expect_new(&r);
  end(&s);
}

Test(restore, ended_when_the_wal_was_moved_aside) {
  struct sh_store s;
  decided(&s);
  rename(DB_FILE "-wal", BEFORE "-wal");
  struct restored r = restore(&s);
  expect_new(&r);
  end(&s);
}

Test(restore, ended_when_the_database_was_moved_aside) {
  struct sh_store s;
  decided(&s);
  rename(DB_FILE "-wal", BEFORE "-wal");
  rename(DB_FILE, BEFORE);
  struct restored r = restore(&s);
  expect_new(&r);
  end(&s);
}

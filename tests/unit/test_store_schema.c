/* Only what the migrations make may be in the database: at the start, in a copy that is restored,
 * and while the store runs. */
#include "test_store_help.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/database/schema.h"
#include "store/format/migrations.h"
#include "store/format/restore.h"

/* Each is put into a database by another process; named: what the refusal says. */
static const struct {
  const char *sql, *named;
} strangers[] = {
    {"CREATE TRIGGER fires AFTER INSERT ON messages BEGIN"
     " UPDATE local_conversations SET automation_status = 'auto'; END",
     "DROP trigger \"fires\""},
    {"CREATE TRIGGER at_start AFTER UPDATE ON store BEGIN DELETE FROM messages; END",
     "DROP trigger \"at_start\""},
    {"CREATE VIEW hers AS SELECT * FROM messages", "DROP view \"hers\""},
    {"CREATE INDEX by_role ON messages (role)", "DROP index \"by_role\""},
    {"CREATE INDEX \"odd \"\" name\" ON messages (role)", "DROP index \"odd \"\" name\""},
    {"CREATE TABLE notes (id INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT UNIQUE)",
     "DROP table \"notes\""},
    {"CREATE VIRTUAL TABLE words USING fts5 (text)", "DROP table \"words\""},
    {"ANALYZE", "DROP table \"sqlite_stat1\""},
    {"ALTER TABLE messages ADD COLUMN hers TEXT", "the table messages is not as convkeep makes it"},
    {"DROP TABLE spent", "the table spent is missing"},
    {"DROP VIEW message_ids", "the view message_ids is missing"},
    {"DROP VIEW message_ids; CREATE VIEW message_ids (id, version) AS SELECT 1, 2",
     "the view message_ids is not as convkeep makes it"},
};
#define STRANGERS (sizeof strangers / sizeof *strangers)

static void run_on(const char *file, const char *sql) {
  sqlite3 *db = NULL;
  char *why = NULL;
  cr_assert_eq(sqlite3_open(file, &db), SQLITE_OK);
  sqlite3_exec(db, sql, NULL, NULL, &why);
  cr_assert_null(why, "%s: %s", sql, why);
  cr_assert_eq(sqlite3_close(db), SQLITE_OK);
}

static void copy_file(const char *from, const char *to) {
  char command[200];
  snprintf(command, sizeof command, "cp '%s' '%s'", from, to);
  cr_assert_eq(system(command), 0);
}

/* A closed store with one message and one conversation, in the file `sound`. */
static void make(struct sh_store *s) {
  sh_open(s);
  sh_conversation(s, "c1", "");
  sh_message(s, "m1", 10, "");
  cr_assert_eq(sqlite3_exec(s->db, "VACUUM INTO 'sound'", NULL, NULL, NULL), SQLITE_OK);
}

Test(schema, of_a_stranger_is_refused_at_the_start) {
  struct sh_store s;
  make(&s);
  cr_assert_eq(mkdir("other", 0700), 0);
  cr_assert_eq(chdir("other"), 0);
  for (size_t i = 0; i < STRANGERS; ++i) {
    sqlite3 *db = NULL;
    struct ck_err err = {{0}};
    copy_file("../sound", DB_FILE);
    run_on(DB_FILE, strangers[i].sql);
    copy_file(DB_FILE, "as_it_was");
    cr_expect_eq(db_open_writer(&db, store_migrations, 4, &err), -1, "%s", strangers[i].sql);
    db_close(&db);
    cr_expect(strstr(err.text, strangers[i].named), "%s: %s", strangers[i].sql, err.text);
    cr_expect_eq(system("cmp -s " DB_FILE " as_it_was"), 0, "%s: it was changed", strangers[i].sql);
    unlink(DB_FILE);
  }
  cr_assert_eq(chdir(".."), 0);
  sh_close(&s);
}

Test(schema, of_a_stranger_is_refused_by_restore) {
  struct sh_store s;
  struct ck_err err;
  struct restored r;
  struct ck_lock lock = {.fd = -1};
  make(&s);
  struct ck_settings *settings = ck_settings_load("/nonexistent", &err);
  for (size_t i = 0; i < STRANGERS; ++i) {
    copy_file("sound", RESTORE_STAGED);
    run_on(RESTORE_STAGED, strangers[i].sql);
    cr_assert_eq(restore_pending(settings, &lock, &r, &err), 0);
    cr_expect_eq(r.state, RESTORED_REFUSED, "%s", strangers[i].sql);
    cr_expect(strstr(r.reason.text, strangers[i].named), "%s: %s", strangers[i].sql, r.reason.text);
    cr_expect_neq(access(RESTORE_STAGED, F_OK), 0, "the copy stays");
    cr_expect_eq(sh_int(&s, "SELECT count(*) FROM messages"), 1);
  }
  ck_settings_free(&settings);
  sh_close(&s);
}

/* What the advice says is enough, also for a table whose name SQLite keeps a count for. */
Test(schema, is_sound_again_when_the_stranger_is_removed) {
  struct sh_store s;
  make(&s);
  sh_reopen(&s);
  for (size_t i = 0; i < STRANGERS; ++i) {
    struct ck_err err = {{0}};
    if (!strstr(strangers[i].named, "DROP")) continue;
    run_on(DB_FILE, strangers[i].sql);
    for (int k = 0; k < 4 && schema_check(s.db, store_migrations, 1, &err); ++k) {
      char *sql = strstr(err.text, "DROP"), *end = sql ? strrchr(sql, '\'') : NULL;
      cr_assert(sql && end, "%s: %s", strangers[i].sql, err.text);
      *end = '\0';
      run_on(DB_FILE, sql);
    }
    cr_expect_eq(schema_check(s.db, store_migrations, 1, &err), 0, "%s: %s", strangers[i].sql,
                 err.text);
  }
  sh_close(&s);
}

/* Nothing is committed while it is there, and it never fires; afterwards the store goes on. */
Test(schema, of_a_stranger_stops_the_writer) {
  struct sh_store s;
  struct ck_err err = {{0}};
  make(&s);
  apply_watch_schema(s.apply, store_migrations);
  cr_expect_eq(sh_message(&s, "m2", 20, ""), 'n');
  run_on(DB_FILE, strangers[1].sql);
  cr_expect_eq(apply_begin(s.apply, &err), -1);
  cr_expect(strstr(err.text, strangers[1].named), "%s", err.text);
  apply_abandon(s.apply);
  cr_expect_eq(apply_begin(s.apply, &err), -1, "it is still there");
  apply_abandon(s.apply);
  cr_assert_eq(db_exec(s.db, "UPDATE store SET runs = runs", &err), 0, "%s", err.text);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM messages"), 2, "the trigger has fired");
  run_on(DB_FILE, "DROP TRIGGER at_start");
  cr_expect_eq(sh_message(&s, "m3", 30, ""), 'n');
  sh_close(&s);
}

Test(db_words, say_what_a_person_can_do) {
  static const struct {
    int code, system;
    const char *part;
  } cases[] = {
      {SQLITE_FULL, 0, "the disk is full, the one of /"},
      {SQLITE_IOERR_SHMSIZE, 0, "the disk is full, the one of /"},
      {SQLITE_IOERR_WRITE, ENOSPC, "the disk is full, the one of /"},
      {SQLITE_IOERR_WRITE, EDQUOT, "the disk is full, the one of /"},
      {SQLITE_IOERR_READ, EIO, "f: why (266)"},
      {SQLITE_READONLY, 0, "cannot be written: let this user write it"},
      {SQLITE_CANTOPEN, EROFS, "cannot be written: let this user write it"},
      {SQLITE_CANTOPEN, ENOENT, "f: why (14)"},
      {SQLITE_CORRUPT, 0, "f: why (11)"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
    struct ck_err err;
    cr_expect_eq(db_fail_words(cases[i].code, cases[i].system, "f", "why", &err), -1);
    cr_expect(strstr(err.text, cases[i].part), "%d: %s", cases[i].code, err.text);
  }
}

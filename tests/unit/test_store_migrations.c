/* The database that the migrations make, compared with the lists of proto/records.h and the names
 * in docs/records.md. */
#include "test_store_help.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/format/migrations.h"
#include "tests/unreleased.h"

#include <sys/stat.h>
#include <unistd.h>

/* The text in the first column of the first row; "" if there is none. */
static const char *text_of(struct sh_store *s, const char *sql, const char *argument) {
  static char words[8][1024];
  static int turn;
  char *out = words[turn++ % 8];
  struct ck_err err = {{0}};
  sqlite3_stmt *q = db_prepare(s->db, sql, &err);
  cr_assert(q, "%s", err.text);
  if (argument) db_bind_str(q, 1, ck_str_of(argument));
  bool row = sqlite3_step(q) == SQLITE_ROW;
  struct ck_str v = row ? db_str(q, 0) : (struct ck_str){0};
  snprintf(out, sizeof *words, "%.*s", (int)v.n, v.n ? v.s : "");
  sqlite3_finalize(q);
  return out;
}

/* "version INTEGER, id TEXT!, …": name, type, and ! if NOT NULL. */
static void expect_columns(struct sh_store *s, enum ck_table t) {
  struct ck_buf expected = {0};
  const struct ck_table_info *info = &ck_tables[t];
  ck_buf_text(&expected, "version INTEGER");
  for (int c = 0; c < info->columns; ++c)
    ck_buf_printf(&expected, ", %s %s%s", info->fields[c].name,
                  ck_kind_is_int(info->fields[c].kind) ? "INTEGER" : "TEXT",
                  info->fields[c].flags & CK_OPTIONAL ? "" : "!");
  const char *real =
      text_of(s,
              "SELECT group_concat(name || ' ' || type || iif(\"notnull\", '!', ''), ', ')"
              " FROM pragma_table_info(?1)",
              info->name);
  cr_expect_str_eq(real, ck_buf_cstr(&expected), "%s: %s, not %s", info->name, real,
                   ck_buf_cstr(&expected));
  ck_buf_free(&expected);
}

Test(migrations, columns_are_those_of_the_lists) {
  struct sh_store s;
  sh_open(&s);
  for (int t = 0; t < CK_TABLES; ++t) expect_columns(&s, (enum ck_table)t);
  cr_expect_str_eq(text_of(&s,
                           "SELECT group_concat(name) FROM pragma_table_list WHERE type = 'table' "
                           "AND name NOT LIKE 'sqlite%' AND NOT strict",
                           NULL),
                   "", "all tables are strict");
  cr_expect_eq(sh_int(&s, "PRAGMA application_id"), DB_MARK);
  cr_expect_eq(sh_int(&s, "PRAGMA user_version"), db_newest_format(store_migrations));
  sh_close(&s);
}

Test(migrations, a_column_that_is_not_optional_is_given_or_filled_in) {
  for (int t = 0; t < CK_TABLES; ++t)
    for (int c = 0; c < ck_tables[t].columns; ++c) {
      unsigned kind =
          ck_tables[t].fields[c].flags & (CK_REQUIRED | CK_OPTIONAL | CK_DEFAULT | CK_DEFAULT_NOW);
      cr_expect(kind && !(kind & (kind - 1)), "%s.%s: one of required, optional, default",
                ck_tables[t].name, ck_tables[t].fields[c].name);
    }
}

/* The columns of an index, with DESC; a unique index ends in "!". */
#define INDEX_SQL \
  "SELECT group_concat(text, ' | ') FROM (SELECT (SELECT group_concat(name || iif(\"desc\", ' " \
  "DESC', ''), ', ') FROM (SELECT * FROM pragma_index_xinfo(l.name)" \
  " WHERE key ORDER BY seqno)) || iif(l.\"unique\", '!', '') AS text FROM pragma_index_list(?1) " \
  "l ORDER BY 1)"

struct expected {
  const char *table, *text;
};

Test(migrations, indexes_are_those_of_the_records) {
  static const struct expected indexes[] = {
      {"messages", /* the first: of those with an organization */
       "conversation_id, observed_at | conversation_id, observed_at | observed_at, platform | "
       "original"},
      {"executions", "executed_at, target, tool | instruction_id! | message_id | original"},
      {"sessions", "conversation_id | id! | last_activity_at, platform"},
      /* version: of what SINCE in brief has */
      {"local_conversations", /* platform, title: after the newest */
       "automation_status, updated_at DESC | created_at, platform, title | local_conversation_id! "
       "| platform, title | updated_at, platform, title | version"},
      {"conversation_links", "client_id, updated_at DESC | link_id! | local_conversation_id, "
                             "is_active, updated_at DESC | observed_at, platform | "
                             "platform, remote_conversation_id!"},
      {"renewal_jobs",
       "created_at | job_id! | local_conversation_id, status, created_at DESC | message_id! | "
       "status | status, created_at, updated_at | status, next_attempt_at, created_at | "
       "version"}, /* status: superseded jobs */
  };
  struct sh_store s;
  sh_open(&s);
  for (size_t i = 0; i < sizeof indexes / sizeof *indexes; ++i) {
    const char *real = text_of(&s, INDEX_SQL, indexes[i].table);
    cr_expect_str_eq(real, indexes[i].text, "%s: %s, not %s", indexes[i].table, real,
                     indexes[i].text);
  }
  sh_close(&s);
}

/* All references except those to messages, which SQLite cannot have (migrations.c). */
Test(migrations, foreign_keys_are_those_of_the_list) {
  struct sh_store s;
  sh_open(&s);
  int64_t known = 0;
  for (int i = 0; i < CK_REFERENCES; ++i) {
    const struct ck_reference *r = &ck_references[i];
    const struct ck_table_info *child = &ck_tables[r->table], *parent = &ck_tables[r->parent];
    char *sql = ck_sprintf("SELECT count(*) FROM pragma_foreign_key_list('%s') WHERE \"from\" = "
                           "'%s' AND \"table\" = '%s' AND \"to\" = '%s'",
                           child->name, child->fields[r->column].name, parent->name,
                           parent->fields[parent->key].name);
    cr_expect_eq(sh_int(&s, sql), r->parent != CK_MESSAGES, "%s.%s", child->name,
                 child->fields[r->column].name);
    known += r->parent != CK_MESSAGES;
    free(sql);
  }
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM sqlite_schema t, pragma_foreign_key_list(t.name)"),
               known);
  cr_expect_eq(sh_int(&s, "PRAGMA foreign_keys"), 1);
  sh_close(&s);
}

Test(migrations, the_writer_is_durable_and_the_reader_only_reads) {
  struct sh_store s;
  struct ck_err err = {{0}};
  sqlite3 *reader = NULL;
  sh_open(&s);
  cr_expect_str_eq(text_of(&s, "PRAGMA journal_mode", NULL), "wal");
  cr_expect_eq(sh_int(&s, "PRAGMA synchronous"), 2);
  cr_expect_eq(sh_int(&s, "PRAGMA mmap_size"), 0);
  cr_assert_eq(db_open_reader(&reader, &err), 0, "%s", err.text);
  cr_expect_eq(db_exec(reader, "DELETE FROM messages", &err), -1);
  cr_expect_eq(db_exec(reader, "CREATE TABLE t (a)", &err), -1);
  db_close(&reader);
  sh_close(&s);
}

Test(migrations, a_restart_keeps_the_identity_and_counts_the_run) {
  struct sh_store s;
  sh_open(&s);
  const char *id = text_of(&s, "SELECT store_id FROM store", NULL);
  cr_expect_eq(strlen(id), 32);
  cr_expect_eq(sh_int(&s, "SELECT runs FROM store"), 1);
  sh_reopen(&s);
  cr_expect_str_eq(text_of(&s, "SELECT store_id FROM store", NULL), id);
  cr_expect_eq(sh_int(&s, "SELECT runs FROM store"), 2);
  sh_close(&s);
}

Test(migrations, a_newer_database_and_a_damaged_one_are_refused) {
  struct sh_store s;
  struct ck_err err = {{0}};
  sqlite3 *db = NULL;
  sh_open(&s);
  cr_assert_eq(db_exec(s.db, "PRAGMA user_version = 99", &err), 0);
  cr_expect_eq(db_open_writer(&db, store_migrations, 4, &err), -1);
  cr_expect(strstr(err.text, "format 99 is newer than this program"), "%s", err.text);
  db_close(&db);
  cr_assert_eq(mkdir("damaged", 0700), 0);
  cr_assert_eq(chdir("damaged"), 0);
  FILE *f = fopen(DB_FILE, "w");
  for (int i = 0; i < 9000; ++i) fputs("this is not a database\n", f);
  fclose(f);
  cr_expect_eq(db_open_writer(&db, store_migrations, 4, &err), -1);
  cr_expect(strstr(err.text, DB_FILE), "%s", err.text);
  db_close(&db);
  cr_assert_eq(chdir(s.folder), 0);
  sh_close(&s);
}

/* ---- files that are not ours ---- */

/* All bytes of a file. The caller frees them. */
static char *bytes_of(const char *file, size_t *n) {
  struct stat st;
  FILE *f = fopen(file, "r");
  cr_assert(f && fstat(fileno(f), &st) == 0, "%s", file);
  char *bytes = ck_zalloc((size_t)st.st_size + 1);
  *n = fread(bytes, 1, (size_t)st.st_size, f);
  fclose(f);
  return bytes;
}

static void expect_unchanged(const char *file, const char *before, size_t n) {
  size_t now;
  char *after = bytes_of(file, &now);
  cr_expect(now == n && memcmp(after, before, n) == 0, "%s was changed", file);
  free(after);
}

/* Replaces the store's database by one that SQLite makes from this text. wal: it is still in the
 * WAL. */
static void open_other(struct sh_store *s, const char *sql, bool wal) {
  struct ck_err err = {{0}};
  sqlite3 *db = NULL;
  sh_open(s);
  apply_free(&s->apply);
  system_free(&s->system);
  db_close(&s->db);
  remove(DB_FILE);
  cr_assert_eq(sqlite3_open(DB_FILE, &db), SQLITE_OK);
  if (wal) {
    cr_assert_eq(db_exec(db, "PRAGMA journal_mode = WAL", &err), 0, "%s", err.text);
    sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
  }
  cr_assert_eq(db_exec(db, sql, &err), 0, "%s", err.text);
  db_close(&db);
}

static void expect_refused(const char *sql, bool wal, const char *words) {
  struct sh_store s;
  struct ck_err err = {{0}};
  sqlite3 *db = NULL;
  size_t n, wal_bytes = 0;
  open_other(&s, sql, wal);
  char *before = bytes_of(DB_FILE, &n), *log = wal ? bytes_of(DB_FILE "-wal", &wal_bytes) : NULL;
  cr_expect_eq(db_open_writer(&db, store_migrations, 4, &err), -1);
  cr_expect_str_eq(err.text, words);
  db_close(&db);
  expect_unchanged(DB_FILE, before, n);
  if (wal) expect_unchanged(DB_FILE "-wal", log, wal_bytes);
  free(before);
  free(log);
  sh_close(&s);
}

#define UNRELEASED \
  DB_FILE ": this database was made by an unreleased convkeep, before the first format, and " \
          "cannot be used by this one; nothing was changed"
#define NOT_OURS DB_FILE ": it is not a database of convkeep's store"

Test(migrations, an_unreleased_database_is_refused_and_stays_as_it_is) {
  expect_refused(unreleased_sql, false, UNRELEASED);
  expect_refused(unreleased_sql, true, UNRELEASED);
}

Test(migrations, an_unreleased_database_of_any_number_is_known_as_such) {
  for (int number = 2; number <= 7; ++number) {
    char *sql = ck_sprintf("%s PRAGMA user_version = %d", unreleased_sql, number);
    expect_refused(sql, false, UNRELEASED);
    free(sql);
  }
}

Test(migrations, another_programs_database_is_refused_and_stays_as_it_is) {
  expect_refused("CREATE TABLE messages (id)", false, NOT_OURS);
  expect_refused("CREATE TABLE messages (id); PRAGMA user_version = 1", true, NOT_OURS);
  expect_refused("PRAGMA user_version = 1", false, NOT_OURS);
  expect_refused("PRAGMA application_id = 77; PRAGMA user_version = 1", false, NOT_OURS);
}

/* ---- the mechanism ---- */

static void one(struct ck_buf *sql) {
  ck_buf_text(sql, "CREATE TABLE t (a); INSERT INTO t VALUES (1), (2), (3)");
}
static void two(struct ck_buf *sql) {
  ck_buf_text(sql, "ALTER TABLE t ADD COLUMN b; UPDATE t SET b = 10 * a;");
}
static void fails_at_its_end(struct ck_buf *sql) {
  two(sql);
  ck_buf_text(sql, "INSERT INTO nowhere VALUES (1)");
}

static int64_t number_of(sqlite3 *db, const char *sql) {
  int64_t n;
  struct ck_err err = {{0}};
  cr_assert_eq(db_int(db, sql, -1, &n, &err), 0, "%s", err.text);
  return n;
}

Test(migrations, each_step_is_run_once_in_its_order) {
  migration *const first[] = {one, NULL}, *const both[] = {one, two, NULL};
  struct ck_err err = {{0}};
  sqlite3 *db = NULL;
  int format;
  cr_assert_eq(sqlite3_open(":memory:", &db), SQLITE_OK);
  cr_expect(db_format(db, both, &format, &err) == 0 && format == 0);
  cr_expect_eq(db_migrate(db, first, &err), 0, "%s", err.text);
  cr_expect(db_format(db, both, &format, &err) == 0 && format == 1);
  for (int i = 0; i < 2; ++i) {
    cr_expect_eq(db_migrate(db, both, &err), 0, "%s", err.text);
    cr_expect(db_format(db, both, &format, &err) == 0 && format == 2);
    cr_expect_eq(number_of(db, "SELECT sum(b) FROM t"), 60);
  }
  cr_expect_eq(db_migrate(db, first, &err), -1, "2 is newer than these steps");
  cr_expect(strstr(err.text, "format 2 is newer than this program, which knows 1"), "%s", err.text);
  db_close(&db);
}

/* The next start finds the former format, and begins the step again. */
Test(migrations, one_that_fails_at_its_end_has_changed_nothing) {
  migration *const bad[] = {one, fails_at_its_end, NULL}, *const good[] = {one, two, NULL};
  struct ck_err err = {{0}};
  sqlite3 *db = NULL;
  cr_assert_eq(sqlite3_open(":memory:", &db), SQLITE_OK);
  cr_expect_eq(db_migrate(db, bad, &err), -1);
  cr_expect(strstr(err.text, "migration 0002: ") && strstr(err.text, "nowhere"), "%s", err.text);
  cr_expect_eq(number_of(db, "PRAGMA user_version"), 1);
  cr_expect_eq(number_of(db, "SELECT count(*) FROM pragma_table_info('t')"), 1);
  cr_expect_eq(db_migrate(db, good, &err), 0, "%s", err.text);
  cr_expect_eq(number_of(db, "SELECT sum(b) FROM t"), 60);
  db_close(&db);
}

/* The real database, as the migrations make it, beside the lists of proto/records.h and the names of docs/records.md. */
#include "test_store_help.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/migrations.h"
#include <sys/stat.h>
#include <unistd.h>

/* One text of one row, "" where there is none. */
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

/* "version INTEGER, id TEXT!, …": name, type, ! where NOT NULL. */
static void expect_columns(struct sh_store *s, enum ck_table t) {
  struct ck_buf expected = {0};
  const struct ck_table_info *info = &ck_tables[t];
  ck_buf_text(&expected, "version INTEGER");
  for (int c = 0; c < info->columns; ++c)
    ck_buf_printf(&expected, ", %s %s%s", info->fields[c].name, ck_kind_is_int(info->fields[c].kind) ? "INTEGER" : "TEXT",
                  info->fields[c].flags & CK_OPTIONAL ? "" : "!");
  const char *real = text_of(s, "SELECT group_concat(name || ' ' || type || iif(\"notnull\", '!', ''), ', ') FROM pragma_table_info(?1)", info->name);
  cr_expect_str_eq(real, ck_buf_cstr(&expected), "%s: %s, not %s", info->name, real, ck_buf_cstr(&expected));
  ck_buf_free(&expected);
}

Test(migrations, columns_are_those_of_the_lists) {
  struct sh_store s;
  sh_open(&s);
  for (int t = 0; t < CK_TABLES; ++t) expect_columns(&s, (enum ck_table)t);
  cr_expect_str_eq(text_of(&s, "SELECT group_concat(name) FROM pragma_table_list WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND NOT strict", NULL), "",
                   "all tables are strict");
  cr_expect_eq(sh_int(&s, "PRAGMA user_version"), db_schema_number());
  sh_close(&s);
}

Test(migrations, a_column_that_is_not_optional_is_given_or_filled_in) {
  for (int t = 0; t < CK_TABLES; ++t)
    for (int c = 0; c < ck_tables[t].columns; ++c) {
      unsigned kind = ck_tables[t].fields[c].flags & (CK_REQUIRED | CK_OPTIONAL | CK_DEFAULT | CK_DEFAULT_NOW);
      cr_expect(kind && !(kind & (kind - 1)), "%s.%s: one of required, optional, default", ck_tables[t].name, ck_tables[t].fields[c].name);
    }
}

/* The columns of an index with DESC where it is; unique ones end in "!". */
#define INDEX_SQL \
  "SELECT group_concat(text, ' | ') FROM (SELECT (SELECT group_concat(name || iif(\"desc\", ' DESC', ''), ', ') FROM (SELECT * FROM pragma_index_xinfo(l.name)" \
  " WHERE key ORDER BY seqno)) || iif(l.\"unique\", '!', '') AS text FROM pragma_index_list(?1) l ORDER BY 1)"

struct expected {
  const char *table, *text;
};

Test(migrations, indexes_are_those_of_the_records) {
  static const struct expected indexes[] = {
      {"messages", "conversation_id, observed_at | platform, observed_at"},
      {"executions", "executed_at | instruction_id! | message_id | target, tool"},
      {"sessions", "conversation_id | id! | platform, last_activity_at DESC"},
      {"local_conversations", "automation_status, updated_at DESC | last_message_at DESC | local_conversation_id! | platform, updated_at DESC"},
      {"conversation_links", "client_id, updated_at DESC | link_id! | local_conversation_id, is_active, updated_at DESC | platform, remote_conversation_id!"},
      {"renewal_jobs", "job_id! | local_conversation_id, status, created_at DESC | message_id! | status, next_attempt_at, created_at"},
  };
  struct sh_store s;
  sh_open(&s);
  for (size_t i = 0; i < sizeof indexes / sizeof *indexes; ++i) {
    const char *real = text_of(&s, INDEX_SQL, indexes[i].table);
    cr_expect_str_eq(real, indexes[i].text, "%s: %s, not %s", indexes[i].table, real, indexes[i].text);
  }
  sh_close(&s);
}

Test(migrations, foreign_keys) {
  static const struct expected keys[] = {
      {"messages", ""},
      {"executions", ""},
      {"sessions", ""},
      {"local_conversations", ""},
      {"conversation_links", "local_conversation_id → local_conversations.local_conversation_id"},
      {"renewal_jobs", "local_conversation_id → local_conversations.local_conversation_id"},
  };
  struct sh_store s;
  sh_open(&s);
  for (size_t i = 0; i < sizeof keys / sizeof *keys; ++i)
    cr_expect_str_eq(text_of(&s,
                             "SELECT group_concat(text, ', ') FROM (SELECT \"from\" || ' → ' || \"table\" || '.' || \"to\" AS text"
                             " FROM pragma_foreign_key_list(?1) ORDER BY 1)",
                             keys[i].table),
                     keys[i].text);
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
  cr_expect_eq(db_open_writer(&db, 4, &err), -1);
  cr_expect(strstr(err.text, "format 99 is newer than this program"), "%s", err.text);
  db_close(&db);
  cr_assert_eq(mkdir("damaged", 0700), 0);
  cr_assert_eq(chdir("damaged"), 0);
  FILE *f = fopen(DB_FILE, "w");
  for (int i = 0; i < 9000; ++i) fputs("this is not a database\n", f);
  fclose(f);
  cr_expect_eq(db_open_writer(&db, 4, &err), -1);
  cr_expect(strstr(err.text, DB_FILE), "%s", err.text);
  db_close(&db);
  cr_assert_eq(chdir(s.folder), 0);
  sh_close(&s);
}

/* A database of an older format, with 999 messages m0 to m999 in no order, version 2 to 1000, in conversation c (1). */
static void open_format(struct sh_store *s, int number) {
  struct ck_err err;
  sh_open(s);
  apply_free(&s->apply);
  local_free(&s->local);
  db_close(&s->db);
  remove(DB_FILE);
  cr_assert_eq(sqlite3_open(DB_FILE, &s->db), SQLITE_OK);
  for (int i = 0; i < number; ++i) cr_assert_eq(db_exec(s->db, store_migrations[i], &err), 0, "%s", err.text);
  cr_assert_eq(
      db_exec(s->db,
              "INSERT INTO local_conversations VALUES (1, 'c', 'p', 'manual', NULL, NULL, NULL, NULL, NULL, NULL, 1, 1);"
              "INSERT INTO messages SELECT value + 1, 'm' || (value * 7919 % 1000), 'p', 'c', 'user', 'text ' || value, NULL, value,"
              " 'msg/m.txt', NULL, NULL, NULL, 1 FROM (WITH RECURSIVE n (value) AS (VALUES (1) UNION ALL SELECT value + 1 FROM n LIMIT 999)"
              " SELECT value FROM n);"
              "INSERT INTO executions VALUES (2000, 'e', 'm919', 't', 't', NULL, 'none', 1, NULL, NULL, NULL, NULL, 1, 'exec/e.txt', 1);"
              "INSERT INTO renewal_jobs VALUES (2001, 'j', 'c', 'm919', 'pending', 'go on', 'text', NULL, 0, 3, 1, NULL, NULL, NULL, NULL, NULL, 1, 1);"
              "UPDATE store SET messages = 999, executions = 1, renewal_jobs = 1, local_conversations = 1",
              &err),
      0, "%s", err.text);
  char *set = ck_sprintf("PRAGMA user_version = %d", number);
  cr_assert_eq(db_exec(s->db, set, &err), 0);
  free(set);
}

static void open_it_now(struct sh_store *s) {
  sqlite3_close(s->db);
  s->db = NULL;
  sh_reopen(s);
}

static void expect_all_rows(struct sh_store *s) {
  cr_expect_eq(sh_int(s, "SELECT count(*) FROM messages"), 999);
  cr_expect_eq(sh_int(s, "SELECT count(*) FROM messages WHERE raw_text = 'text ' || (version - 1)"), 999);
  cr_expect_eq(sh_int(s, "SELECT (SELECT version FROM executions) + (SELECT version FROM renewal_jobs)"), 4001);
  cr_expect_eq(sh_int(s, "SELECT integrity_check = 'ok' FROM pragma_integrity_check"), 1);
  sh_check_keys(s);
  cr_expect_eq(sh_message(s, "m919", 1, ",'conversation_id':'c','summary':'found'"), 'u');
  cr_expect_eq(sh_message(s, "m1001", 1, ",'conversation_id':'c'"), 'n');
  cr_expect_eq(sh_int(s, "SELECT count(*) FROM messages"), 1000);
  sh_check_keys(s);
}

/* The format before messages were found by tables of keys. */
Test(migrations, messages_come_into_the_tables_of_keys_with_all_their_rows) {
  struct sh_store s;
  open_format(&s, 4);
  open_it_now(&s);
  expect_all_rows(&s);
  sh_close(&s);
}

/* The format before the layers, with ids on every part of their way, some of them twice. */
static void open_without_layers(struct sh_store *s) {
  struct ck_err err;
  open_format(s, 6);
  cr_assert_eq(db_exec(s->db,
                       "INSERT INTO message_keys_large SELECT id, version FROM messages WHERE version <= 600;"
                       "INSERT INTO message_keys_small SELECT id, version FROM messages WHERE version BETWEEN 500 AND 900;"
                       "INSERT INTO message_keys_new SELECT version, id FROM messages WHERE version > 800;"
                       "UPDATE message_keys_pass SET cursor = 'm5', began = 900, upto = 800, held = 401 WHERE target = 'message_keys_small';"
                       "UPDATE message_keys_pass SET cursor = 'm3', began = 500, upto = 400 WHERE target = 'message_keys_large';"
                       "UPDATE message_keys_pass SET cursor = '1', began = 850, upto = 820 WHERE target = 'message_keys_filter';"
                       "INSERT INTO message_keys_small SELECT id, version FROM messages WHERE version > 900 AND id < 'm5';"
                       "INSERT INTO message_keys_layers VALUES (0, 999, 4, 64); INSERT INTO message_keys_filter VALUES (0, zeroblob(64)), (1, zeroblob(64))",
                       &err),
               0, "%s", err.text);
}

Test(migrations, ids_come_into_layers) {
  struct sh_store s;
  open_without_layers(&s);
  open_it_now(&s);
  cr_expect_eq(sh_int(&s, "SELECT max(layer) FROM message_keys_layers"), 0);
  expect_all_rows(&s);
  sh_reopen(&s);
  sh_check_keys(&s);
  sh_close(&s);
}

/* Whatever ends it, the next start finds what there was, and begins it again. */
Test(migrations, one_that_fails_at_its_end_has_changed_nothing) {
  struct sh_store s;
  struct ck_err err = {{0}};
  sqlite3 *db = NULL;
  open_without_layers(&s);
  cr_assert_eq(db_exec(s.db, "CREATE TRIGGER no BEFORE UPDATE ON message_keys_pass BEGIN SELECT RAISE(ABORT, 'no'); END", &err), 0);
  cr_expect_eq(db_open_writer(&db, 4, &err), -1);
  cr_expect(strstr(err.text, "migration 0007"), "%s", err.text);
  db_close(&db);
  cr_expect_eq(sh_int(&s, "PRAGMA user_version"), 6);
  cr_expect_eq(sh_int(&s, "SELECT count(*) FROM message_keys_large"), 599);
  cr_assert_eq(db_exec(s.db, "DROP TRIGGER no", &err), 0);
  open_it_now(&s);
  expect_all_rows(&s);
  sh_close(&s);
}

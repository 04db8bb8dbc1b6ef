/* import takes a database with the six tables: the predecessor's artifact.db, a backup of ours. All
 * of it goes in, and none of it is sent. */
#include <archive.h>
#include <glob.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/clock.h"
#include "tests/harness/archive.h"
#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/ring.h"

/* The predecessor's tables. It has others too, which nobody reads. */
static const char *const tables =
    "CREATE TABLE messages (id TEXT PRIMARY KEY, platform TEXT NOT NULL, conversation_id TEXT,"
    " role TEXT NOT NULL, raw_text TEXT NOT NULL, summary TEXT, observed_at INTEGER NOT NULL,"
    " static_path TEXT NOT NULL, page_url TEXT, page_title TEXT, organization_id TEXT,"
    " created_at INTEGER NOT NULL);"
    "CREATE TABLE executions (instruction_id TEXT PRIMARY KEY, message_id TEXT NOT NULL, target "
    "TEXT"
    " NOT NULL, tool TEXT NOT NULL, params TEXT, params_kind TEXT NOT NULL, result_ok INTEGER NOT"
    " NULL, result_data TEXT, result_summary TEXT, result_error TEXT, http_status INTEGER,"
    " executed_at INTEGER NOT NULL, static_path TEXT NOT NULL, created_at INTEGER NOT NULL);"
    "CREATE TABLE sessions (id TEXT PRIMARY KEY, platform TEXT NOT NULL, conversation_id TEXT,"
    " started_at INTEGER NOT NULL, last_activity_at INTEGER NOT NULL, message_count INTEGER NOT"
    " NULL, execution_count INTEGER NOT NULL, summary TEXT, static_path TEXT NOT NULL, created_at"
    " INTEGER NOT NULL);"
    "CREATE TABLE local_conversations (local_conversation_id TEXT PRIMARY KEY, platform TEXT NOT"
    " NULL, automation_status TEXT NOT NULL, title TEXT, summary TEXT, last_message_id TEXT,"
    " last_message_at INTEGER, cooldown_until INTEGER, paused_at INTEGER, created_at INTEGER NOT"
    " NULL, updated_at INTEGER NOT NULL);"
    "CREATE TABLE conversation_links (link_id TEXT PRIMARY KEY, local_conversation_id TEXT NOT "
    "NULL,"
    " platform TEXT NOT NULL, remote_conversation_id TEXT, client_id TEXT, page_url TEXT, "
    "page_title"
    " TEXT, route_path TEXT, route_pattern TEXT, route_params TEXT, target_kind TEXT, target_id"
    " TEXT, target_payload TEXT, is_active INTEGER NOT NULL, observed_at INTEGER NOT NULL,"
    " created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL);"
    "CREATE TABLE renewal_jobs (job_id TEXT PRIMARY KEY, local_conversation_id TEXT NOT NULL,"
    " message_id TEXT NOT NULL UNIQUE, status TEXT NOT NULL, payload TEXT NOT NULL, payload_kind"
    " TEXT NOT NULL, target_snapshot TEXT, attempt_count INTEGER NOT NULL, max_attempts INTEGER NOT"
    " NULL, next_attempt_at INTEGER, last_attempt_at INTEGER, last_error TEXT, log_path TEXT,"
    " started_at INTEGER, finished_at INTEGER, created_at INTEGER NOT NULL, updated_at INTEGER NOT"
    " NULL);"
    "CREATE TABLE d1_outbox (n INTEGER PRIMARY KEY, body TEXT);";

static void run_in(const char *file, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void run_in(const char *file, const char *fmt, ...) {
  char sql[4096];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(sql, sizeof sql, fmt, ap);
  va_end(ap);
  t_sql_run(file, sql);
}

static void add_message(const char *file, const char *id, const char *remote, const char *role,
                        int64_t at) {
  run_in(file,
         "INSERT INTO messages VALUES ('%s', 'chatgpt', '%s', '%s', 'text of %s', NULL, %lld,"
         " 'chatgpt/%s.txt', NULL, NULL, NULL, %lld)",
         id, remote, role, id, (long long)at, id, (long long)at + 20);
}

/* A conversation on auto, its last message, and a target that delivers at once. */
static void add_conversation(const char *file, const char *id, const char *remote, const char *last,
                             int64_t at) {
  run_in(file,
         "INSERT INTO local_conversations VALUES ('%s', 'chatgpt', 'auto', 'Title of %s', NULL,"
         " '%s', %lld, NULL, NULL, %lld, %lld);"
         "INSERT INTO conversation_links VALUES ('link-%s', '%s', 'chatgpt', '%s', NULL,"
         " 'https://chatgpt.com/c/%s', NULL, NULL, NULL, NULL, 'null', 'n', NULL, 1, %lld, %lld,"
         " %lld)",
         id, id, last, (long long)at, (long long)at, (long long)at, id, id, remote, remote,
         (long long)at, (long long)at, (long long)at);
}

static void add_job(const char *file, const char *id, const char *conversation, const char *message,
                    const char *status) {
  run_in(file,
         "INSERT INTO renewal_jobs VALUES ('%s', '%s', '%s', '%s', 'go on', 'text', NULL, 1, 3, 1,"
         " NULL, NULL, NULL, NULL, NULL, 1, 1)",
         id, conversation, message, status);
}

/* Two conversations of a moment ago, with jobs in every state. */
static void make_predecessor(const char *file) {
  int64_t now = ck_now_ms();
  t_sql_run(file, tables);
  add_message(file, "m1", "r1", "user", now - 900);
  add_message(file, "m2", "r1", "assistant", now - 800);
  add_message(file, "m3", "r2", "assistant", now - 700);
  add_message(file, "m4", "r2", "assistant", now - 600);
  run_in(file,
         "INSERT INTO executions VALUES ('e1', 'm2', 'host', 'tool', NULL, 'none', 1, 'data', NULL,"
         " NULL, 200, %lld, 'x', %lld);"
         "INSERT INTO sessions VALUES ('s1', 'chatgpt', 'r1', %lld, %lld, 2, 1, NULL, 'x', %lld)",
         (long long)now, (long long)now, (long long)now - 900, (long long)now - 800,
         (long long)now - 900);
  add_conversation(file, "lc-1", "r1", "m2", now - 800);
  add_conversation(file, "lc-2", "r2", "m4", now - 600);
  add_job(file, "j1", "lc-1", "m1", "done");
  add_job(file, "j2", "lc-1", "m2", "pending");
  add_job(file, "j3", "lc-2", "m3", "running");
}

/* The caller frees it. */
static char *field(const char *table, const char *key, const char *name) {
  json_t *row = t_record(table, key);
  const char *text = row ? t_text_at(row, name) : NULL;
  char *copy = ck_strdup(text ? text : "none");
  json_decref(row);
  return copy;
}

static bool has(const char *table, const char *key, const char *name, const char *value) {
  char *text = field(table, key, name);
  bool equal = strcmp(text, value) == 0;
  free(text);
  return equal;
}

#define is(table, key, name, value) \
  T_CHECK(has(table, key, name, value), "%s %s: %s is %s", table, key, name, \
          field(table, key, name))

/* A private copy is removed, whatever comes of it. */
static void check_no_copy_is_left(void) {
  glob_t left;
  bool none = glob("run/foreign-*", 0, NULL, &left) == GLOB_NOMATCH;
  T_CHECK(none, "left: %s", left.gl_pathv[0]);
  globfree(&left);
}

static void check_predecessor(void) {
  check_no_copy_is_left();
  T_CHECK(t_count("messages") == 4 && t_count("executions") == 1 && t_count("sessions") == 1 &&
              t_count("local_conversations") == 2 && t_count("conversation_links") == 2 &&
              t_count("renewal_jobs") == 3,
          "not all of the rows are there");
  is("messages", "m2", "raw_text", "text of m2");
  is("local_conversations", "lc-1", "title", "Title of lc-1");
  is("local_conversations", "lc-1", "last_message_id", "m2");
  is("local_conversations", "lc-1", "automation_status", "paused");
  is("local_conversations", "lc-2", "automation_status", "paused");
  is("conversation_links", "link-lc-1", "local_conversation_id", "lc-1");
  is("renewal_jobs", "j1", "status", "done");
  is("renewal_jobs", "j2", "status", "pending");
  is("renewal_jobs", "j3", "status", "failed");
}

/* ---- what goes in ---- */

static void read_member(struct t_member *m, const char *path) {
  m->bytes.s = t_read_file(path, &m->bytes.n);
}

static void free_members(struct t_member *files, int n) {
  for (int i = 0; i < n; ++i) free((void *)(uintptr_t)files[i].bytes.s);
}

T_STORY(import_database, the_predecessor_s, 60) {
  make_predecessor("old.db");
  t_up();
  json_t *line = t_import(0, "old.db");
  T_CHECK(t_int_at(line, "new", 0) == 13 && t_int_at(line, "failed", 1) == 0, "%s",
          json_dumps(line, 0));
  T_CHECK(strcmp(t_text_at(line, "format"), "database") == 0 &&
              t_int_at(line, "tables.renewal_jobs.new", 0) == 3,
          "%s", json_dumps(line, 0));
  json_decref(line);
  check_predecessor();
  t_whole(10000);
  int64_t version = t_status_int("version", 0);
  t_import_counts("old.db", 0, 0, 13, 0);
  T_CHECK(t_status_int("version", 1) == version, "importing it again changed something");
  /* what the owner does afterwards stays */
  t_do(0, "set", "lc-1", "--automation", "manual");
  t_import_counts("old.db", 0, 0, 13, 0);
  is("local_conversations", "lc-1", "automation_status", "manual");
}

/* Without a ring, by its bytes, wherever it is, and with what only its WAL has. */
T_STORY(import_database, wherever_it_is, 60) {
  sqlite3 *db;
  mkdir("in", 0700);
  make_predecessor("in/notes.txt");
  t_sql_run("in/notes.txt", "DELETE FROM messages WHERE id = 'm4'; PRAGMA journal_mode = WAL");
  T_CHECK(sqlite3_open("in/notes.txt", &db) == SQLITE_OK, "open");
  int rc = sqlite3_exec(db,
                        "PRAGMA wal_autocheckpoint = 0; INSERT INTO messages SELECT 'm4', platform,"
                        " 'r2', role, raw_text, summary, observed_at, static_path, page_url,"
                        " page_title, organization_id, created_at FROM messages WHERE id = 'm3'",
                        NULL, NULL, NULL);
  T_CHECK(rc == SQLITE_OK && t_exists("in/notes.txt-wal"), "%s", sqlite3_errmsg(db));
  struct t_member files[2] = {{"a/artifact.db-wal", {0}}, {"a/artifact.db", {0}}};
  read_member(&files[0], "in/notes.txt-wal");
  read_member(&files[1], "in/notes.txt");
  struct ck_buf zip = t_archive(ARCHIVE_FORMAT_ZIP, ARCHIVE_FILTER_NONE, files, 2);
  t_write_file("old.zip", zip.data, zip.len);
  ck_buf_free(&zip);
  free_members(files, 2);
  json_t *lines = t_lines(0, "import", "in", "old.zip");
  T_CHECK(json_array_size(lines) == 2 && t_int_at(lines, "0.new", 0) == 13 &&
              t_int_at(lines, "1.unchanged", 0) == 13,
          "%s", json_dumps(lines, 0));
  json_decref(lines);
  sqlite3_close(db);
  check_predecessor();
}

T_STORY(import_database, from_a_pipe_and_what_a_killed_one_left, 60) {
  make_predecessor("old.db");
  mkdir("run", 0700);
  mkdir("run/foreign-abcdef", 0700);
  t_write_text("run/foreign-abcdef/database", "left");
  struct t_result r = t_import_pipe("old.db");
  T_CHECK(r.code == 0 && strstr(r.out, "\"new\":13"), "%s%s", r.out, r.err);
  t_result_free(&r);
  check_predecessor();
  T_CHECK(!t_exists("run/foreign-abcdef"), "the copy that was left is still there");
}

/* A journal says that the last write was not finished; what broke off is read up to there. */
T_STORY(import_database, what_was_not_finished, 60) {
  make_predecessor("old.db");
  t_write_text("old.db-journal", "\xd9\xd5\x05\xf9\x20\xa1\x63\xd7 and more");
  json_t *line = t_import(1, "old.db");
  T_CHECK(strstr(t_text_at(line, "error"), "last write was not finished"), "%s",
          json_dumps(line, 0));
  json_decref(line);
  struct t_member files[2] = {{"old.db", {0}}, {"old.db-journal", {0}}};
  for (int i = 0; i < 2; ++i) read_member(&files[i], files[i].name);
  struct ck_buf packed = t_archive(ARCHIVE_FORMAT_TAR, ARCHIVE_FILTER_GZIP, files, 2);
  t_write_file("old.tar.gz", packed.data, packed.len);
  ck_buf_free(&packed);
  free_members(files, 2);
  t_do(1, "import", "old.tar.gz");
  T_CHECK(t_count("messages") == 0, "something went in");
  t_sql_run("old.db",
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)"
            " INSERT INTO messages SELECT 'x' || i, 'chatgpt', 'r1', 'user',"
            " hex(randomblob(500)), NULL, 5, 'x', NULL, NULL, NULL, 6 FROM n");
  read_member(&files[0], "old.db");
  packed = t_archive(ARCHIVE_FORMAT_ZIP, ARCHIVE_FILTER_NONE, files, 1);
  t_write_file("cut.zip", packed.data, packed.len * 2 / 3);
  ck_buf_free(&packed);
  free_members(files, 1);
  json_t *lines = t_lines(1, "import", "cut.zip");
  T_CHECK(t_int_at(lines, "0.new", 0) > 0 && t_text_at(lines, "0.error"), "%s",
          json_dumps(lines, 0));
  json_decref(lines);
}

/* Without what a row of another database does not keep: its version, and that it came live. What
 * was on auto is paused now. */
static json_t *rows_of(const char *file, const char *table) {
  static const char *const own[] = {"version", "live", "automation_status", "paused_at",
                                    "updated_at"};
  char sql[100];
  size_t k;
  json_t *row;
  snprintf(sql, sizeof sql, "SELECT * FROM %s", table);
  json_t *rows = t_sql(file, sql);
  json_array_foreach(rows, k, row) for (size_t i = 0; i < sizeof own / sizeof *own; ++i)
      json_object_del(row, own[i]);
  return rows;
}

static void check_same_rows(const char *table, const char *one, const char *other) {
  json_t *here = rows_of(one, table), *there = rows_of(other, table), *row, *same;
  size_t k, l;
  T_CHECK(json_array_size(here) > 0 && json_array_size(here) == json_array_size(there),
          "%s: %zu and %zu rows", table, json_array_size(here), json_array_size(there));
  json_array_foreach(here, k, row) {
    bool found = false;
    json_array_foreach(there, l, same) found |= json_equal(row, same);
    T_CHECK(found, "%s: not there: %s\n%s", table, json_dumps(row, 0), json_dumps(there, 0));
  }
  json_decref(here);
  json_decref(there);
}

/* Everything of ours comes back, too: a backup into another data folder. */
T_STORY(import_database, a_backup_of_ours, 60) {
  char *sample = ck_sprintf("%s/samples/chatgpt.json", t_root());
  t_up();
  t_do(0, "import", sample);
  json_t *conversations = t_lines(0, "list", "conversations");
  t_do(0, "set", t_text_at(conversations, "0.local_conversation_id"), "--title", "mine",
       "--automation", "auto");
  json_decref(conversations);
  t_do(0, "backup", "copy.db");
  char command[4096];
  snprintf(command, sizeof command,
           "mkdir other && %s/bin/convkeep --data other --json import copy.db && %s/bin/convkeep"
           " --data other --json import copy.db",
           t_build(), t_build());
  const char *const argv[] = {"/bin/sh", "-c", command, NULL};
  struct t_result r = t_run("other", NULL, 30000, argv);
  T_CHECK(r.code == 0 && strstr(r.out, "\"failed\":0"), "%s%s", r.out, r.err);
  const char *again = strchr(r.out, '\n');
  T_CHECK(again && strstr(again, "\"new\":0,\"updated\":0"), "%s", r.out);
  t_result_free(&r);
  static const char *const names[] = {"messages", "executions", "sessions", "local_conversations",
                                      "conversation_links"};
  for (size_t i = 0; i < sizeof names / sizeof *names; ++i)
    check_same_rows(names[i], "artifact.db", "other/artifact.db");
  static const char originals[] =
      "SELECT hex(id) AS id, bytes, conversation, reader, messages, executions FROM originals"
      " ORDER BY 1";
  json_t *here = t_sql("artifact.db", originals), *there = t_sql("other/artifact.db", originals);
  T_CHECK(json_array_size(here) > 0 && json_equal(here, there), "originals: %s\n%s",
          json_dumps(here, 0), json_dumps(there, 0));
  json_decref(here);
  json_decref(there);
  free(sample);
}

#define CHAT(id) \
  "{\"uuid\":\"c" id "\",\"name\":\"n\",\"account\":{},\"chat_messages\":[{\"uuid\":\"m" id \
  "\",\"text\":\"t" id "\",\"sender\":\"human\",\"created_at\":\"2026-01-01T00:00:00Z\"}]}"

/* Adds a block with these bytes, in two parts. */
static void add_block(const char *file, int block, struct ck_str bytes) {
  const struct t_member raw = {"block", bytes};
  struct ck_buf packed = t_archive(0, ARCHIVE_FILTER_ZSTD, &raw, 1), sql = {0};
  for (int part = 0; part < 2; ++part) {
    size_t half = packed.len / 2, from = part ? half : 0, to = part ? packed.len : half;
    ck_buf_printf(&sql, "INSERT INTO block_parts VALUES (%d, %d, X'", block, part);
    for (size_t i = from; i < to; ++i) ck_buf_printf(&sql, "%02x", (unsigned char)packed.data[i]);
    ck_buf_text(&sql, "');");
  }
  t_sql_run(file, ck_buf_cstr(&sql));
  ck_buf_free(&sql);
  ck_buf_free(&packed);
}

/* They are read as the files that they are: what a database says of them is not believed. */
T_STORY(import_database, the_originals_in_it, 60) {
  static const char both[] = CHAT("a1") "--" CHAT("a2");
  make_predecessor("old.db");
  t_sql_run("old.db", "CREATE TABLE block_parts (block, part, data, PRIMARY KEY (block, part))"
                      " WITHOUT ROWID; CREATE TABLE originals (original INTEGER PRIMARY KEY, id,"
                      " block, at, bytes, reader, conversation DEFAULT 1, age DEFAULT 0,"
                      " log DEFAULT 0, lines DEFAULT 0, window DEFAULT 0, chain DEFAULT x'',"
                      " chain_end DEFAULT x'')");
  int n = (int)sizeof CHAT("a1") - 1;
  add_block("old.db", 7, CK_LIT(both));
  run_in("old.db",
         "INSERT INTO originals (id, block, at, bytes, reader) VALUES"
         " (X'00', 7, %d, %d, 'claude 1'), (X'01', 7, 0, %d, 'claude 1'),"
         " (X'02', 8, 0, 9, 'claude 1'), (X'03', 7, 5, 9999, 'other 1')",
         n + 2, n, n);
  json_t *line = t_import(1, "old.db");
  T_CHECK(t_int_at(line, "originals", 0) == 2 && t_int_at(line, "failed", 0) == 2, "%s",
          json_dumps(line, 0));
  char *text = json_dumps(t_at(line, "failures"), 0);
  T_CHECK(strstr(text, "an original in block 8: ") &&
              strstr(text, "an original in block 7: it ends too soon"),
          "%s", text);
  free(text);
  json_decref(line);
  T_CHECK(t_count("messages") == 6, "%lld messages", (long long)t_count("messages"));
  is("messages", "ma1", "raw_text", "ta1");
  is("conversation_links", "link:claude:ca2", "remote_conversation_id", "ca2");
}

/* The same conversation by an export of the platform: before or after, it is one conversation. */
static void import_export(void) {
  t_import_lines(0,
                 "{'platform': 'chatgpt', 'conversation_id': 'r1', 'message_id': 'm9', 'role': "
                 "'user', 'text': 'later', 'observed_at': %lld}\n",
                 (long long)ck_now_ms());
}

T_STORY(import_database, merged_with_what_is_here, 60) {
  make_predecessor("old.db");
  import_export();
  t_do(0, "import", "old.db");
  T_CHECK(t_count("local_conversations") == 2 && t_count("conversation_links") == 2,
          "the conversation is there twice");
  is("conversation_links", "link:chatgpt:r1", "local_conversation_id", "chatgpt:r1");
  is("renewal_jobs", "j2", "local_conversation_id", "chatgpt:r1");
  is("local_conversations", "chatgpt:r1", "automation_status", "paused");
  is("local_conversations", "chatgpt:r1", "last_message_id", "m9");
}

T_STORY(import_database, and_goes_on_here, 60) {
  make_predecessor("old.db");
  t_do(0, "import", "old.db");
  import_export();
  T_CHECK(t_count("local_conversations") == 2 && t_count("conversation_links") == 2,
          "the conversation is there twice");
  is("local_conversations", "lc-1", "last_message_id", "m9");
  is("local_conversations", "lc-1", "title", "Title of lc-1");
}

/* ---- what does not ---- */

T_STORY(import_database, what_is_refused_is_told_and_kept, 60) {
  make_predecessor("old.db");
  t_sql_run("old.db",
            "ALTER TABLE executions DROP COLUMN result_data;"
            "INSERT INTO messages VALUES ('bad', '', 'r1', 'user', 't', NULL, 5, 'x', NULL, NULL,"
            " NULL, 5);"
            "INSERT INTO executions VALUES ('e9', 'gone', 'h', 't', NULL, 'none', 1, NULL, NULL,"
            " NULL, 5, 'x', 5);"
            "UPDATE local_conversations SET automation_status = 'often' WHERE"
            " local_conversation_id = 'lc-2'");
  json_t *line = t_import(1, "old.db");
  T_CHECK(t_int_at(line, "failed", 0) == 5 && t_int_at(line, "new", 0) == 10 &&
              t_int_at(line, "tables.messages.failed", 0) == 1,
          "%s", json_dumps(line, 0));
  json_decref(line);
  json_t *kept = t_read_lines("spool/refused.jsonl");
  /* Those that never went to the store, and those that it has refused, come in any order. */
  size_t rows = 0, mutations = 0, i;
  json_t *one;
  json_array_foreach(kept, i, one) {
    rows += t_at(one, "row") && strcmp(t_text_at(one, "from"), "old.db") == 0;
    mutations += t_at(one, "mutations") != NULL;
  }
  T_CHECK(json_array_size(kept) == 5 && rows > 0 && mutations > 0 && rows + mutations == 5, "%s",
          json_dumps(kept, 0));
  char *all = json_dumps(kept, 0);
  T_CHECK(strstr(all, "messages.platform: must not be blank (id bad)") &&
              strstr(all, "executions.message_id: 'gone' is not in messages") &&
              strstr(all, "'often' is not one of manual|auto|paused"),
          "%s", all);
  free(all);
  json_decref(kept);
}

T_STORY(import_database, files_that_are_none, 60) {
  t_write_text("not.db", "SQLite format 3");
  t_write_file("short.db", "SQLite format 3", 16);
  mkdir("in", 0700);
  t_sql_run("in/other.db", "CREATE TABLE messages (id, text)");
  json_t *line = t_import(1, "short.db");
  T_CHECK(strstr(t_text_at(line, "error"), "cut off within its header"), "%s", json_dumps(line, 0));
  json_decref(line);
  line = t_import(1, "in/other.db");
  T_CHECK(strstr(t_text_at(line, "error"), "without convkeep's tables"), "%s", json_dumps(line, 0));
  json_decref(line);
  json_t *lines = t_lines(0, "import", "in");
  T_CHECK(json_is_true(t_at(lines, "0.skipped")), "%s", json_dumps(lines, 0));
  json_decref(lines);
  line = t_import(1, "artifact.db");
  T_CHECK(strstr(t_text_at(line, "error"), "this is the database of this data folder"), "%s",
          json_dumps(line, 0));
  json_decref(line);
  check_no_copy_is_left();
}

/* ---- nothing is sent ---- */

static int64_t delivered(void) {
  return t_sql_int("artifact.db",
                   "SELECT count(*) FROM renewal_jobs WHERE status = 'done' AND job_id <> 'j1'");
}

static void say(const char *conversation, const char *id, const char *role) {
  t_import_lines(0,
                 "{'platform': 'chatgpt', 'conversation_id': '%s', 'message_id': '%s', 'role': "
                 "'%s', 'text': 't', 'target': {'kind': 'null', 'id': 'n'}, 'observed_at': %lld}\n",
                 conversation, id, role, (long long)ck_now_ms() - (role[0] == 'u' ? 60000 : 0));
}

/* The control: a message of our own gets its follow-up, and those of the database got none. */
static void check_only_ours_is_sent(const char *id) {
  int64_t before = delivered();
  say("control", id, "assistant");
  T_UNTIL(10000, delivered() > before, "the control was not followed up");
  t_settle(10000);
  T_CHECK(delivered() == before + 1, "something of the database was delivered");
}

/* On auto there, on auto here before, and on auto again afterwards: its messages are of a moment
 * ago, its jobs are due. */
T_STORY(import_database, nothing_of_it_is_sent, 60) {
  t_set("renew.delay", "50ms");
  t_set("renew.cooldown", "0s");
  t_up();
  say("control", "q0", "user");
  say("r1", "m0", "user");
  t_do(0, "set", "chatgpt:control", "--automation", "auto");
  t_do(0, "set", "chatgpt:r1", "--automation", "auto");
  make_predecessor("old.db");
  t_sql_run("old.db", "DELETE FROM renewal_jobs WHERE job_id = 'j2'");
  t_do(0, "import", "old.db");
  is("local_conversations", "chatgpt:r1", "automation_status", "paused");
  is("local_conversations", "chatgpt:r1", "last_message_id", "m2");
  is("local_conversations", "lc-2", "automation_status", "paused");
  check_only_ours_is_sent("q1");
  t_do(0, "set", "chatgpt:r1", "--automation", "auto");
  t_do(0, "set", "lc-2", "--automation", "auto");
  t_do(0, "import", "old.db");
  check_only_ours_is_sent("q2");
  is("local_conversations", "lc-2", "automation_status", "auto");
}

/* A job that waits there waits here, also in a conversation that was on manual. */
T_STORY(import_database, a_job_that_is_due_waits, 60) {
  t_set("renew.delay", "50ms");
  t_set("renew.cooldown", "0s");
  t_up();
  say("control", "q0", "user");
  t_do(0, "set", "chatgpt:control", "--automation", "auto");
  make_predecessor("old.db");
  t_sql_run("old.db", "UPDATE local_conversations SET automation_status = 'manual'");
  t_do(0, "import", "old.db");
  is("local_conversations", "lc-1", "automation_status", "paused");
  is("local_conversations", "lc-2", "automation_status", "manual");
  check_only_ours_is_sent("q1");
  is("renewal_jobs", "j2", "status", "pending");
  t_do(0, "resume", "lc-1");
  T_UNTIL(10000, has("renewal_jobs", "j2", "status", "done"), "it does not go out when it may: %s",
          field("renewal_jobs", "j2", "status"));
}

/* Databases of others, read as rows: loose types, what is refused by name, and files that are cut,
 * bent or made to harm. */
#include "cli/import/foreign_rows.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/random.h"
#include "proto/wire.h"
#include "tests/unit/test_sanitized.h"

#define MESSAGES \
  "CREATE TABLE messages (id TEXT PRIMARY KEY, platform TEXT, conversation_id TEXT, role TEXT," \
  " raw_text TEXT, summary TEXT, observed_at INTEGER, static_path TEXT, page_url TEXT," \
  " page_title TEXT, organization_id TEXT, created_at INTEGER);"

static char folder[] = "/tmp/convkeep-foreign-XXXXXX";
static struct ck_buf seen; /* what came, a line each */
static unsigned rows, failures, waits;
static unsigned stop_after; /* rows; 0: never */

static void open_it(void) { cr_assert(mkdtemp(folder) && chdir(folder) == 0); }
static void close_it(void) {
  static const char *const names[] = {"db", "db-wal", "db-shm", "bent"};
  for (size_t i = 0; i < sizeof names / sizeof *names; ++i) unlink(names[i]);
  cr_expect(chdir("/") == 0 && rmdir(folder) == 0, "something is left in %s", folder);
}
TestSuite(foreign, .init = open_it, .fini = close_it);

/* ---- making and reading ---- */

static void make(const char *file, const char *sql) {
  sqlite3 *db;
  char *why = NULL;
  cr_assert_eq(sqlite3_open(file, &db), SQLITE_OK);
  cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, &why), SQLITE_OK, "%s", why);
  sqlite3_close(db);
}

static int take_row(void *self, const struct foreign_row *row, const char *place) {
  (void)self;
  ck_buf_printf(&seen, "%s ", place);
  ck_row_json(&seen, &row->row);
  ck_buf_printf(&seen, " age %lld of %.*s:%.*s\n", (long long)row->age, (int)row->platform.n,
                row->platform.s, (int)row->remote.n, row->remote.s);
  return ++rows == stop_after;
}
static void take_failure(void *self, enum ck_table table, const char *place, const char *reason,
                         struct ck_str raw) {
  (void)self;
  cr_expect(strncmp(place, ck_tables[table].name, strlen(ck_tables[table].name)) == 0, "%s", place);
  cr_expect(ck_utf8_ok(raw) && ck_utf8_ok(ck_str_of(place)) && ck_utf8_ok(ck_str_of(reason)));
  ck_buf_printf(&seen, "%s: FAILS: %s\n", place, reason);
  ++failures;
}
static void take_note(void *self, const char *text) {
  (void)self;
  ck_buf_printf(&seen, "NOTE %s\n", text);
}
static int wait_a_moment(void *self) {
  (void)self;
  ++waits;
  return 0;
}

static int read_file(const char *file, struct ck_err *err) {
  static const struct foreign_visitor visitor = {NULL, take_row, take_failure, take_note,
                                                 wait_a_moment};
  ck_buf_clear(&seen);
  rows = failures = waits = 0;
  return foreign_rows_read(file, &visitor, err);
}

static void read_ok(const char *file) {
  struct ck_err err = {{0}};
  cr_assert_eq(read_file(file, &err), 0, "%s", err.text);
}

#define says(part) \
  cr_expect(strstr(ck_buf_cstr(&seen), part), "no \"%s\" in:\n%s", part, ck_buf_cstr(&seen))
#define says_not(part) \
  cr_expect(!strstr(ck_buf_cstr(&seen), part), "\"%s\" in:\n%s", part, ck_buf_cstr(&seen))

/* ---- values ---- */

Test(foreign, types_may_be_loose) {
  make(
      "db", MESSAGES
      "INSERT INTO messages VALUES ('m1', 'p', 'r', 'user', 'text', NULL, 1700000000000.7, NULL,"
      " '', NULL, NULL, '1700000000001');"
      "INSERT INTO messages VALUES (2, 'p', 7, 'user', X'6869', NULL, '2023-11-14T22:13:20Z', NULL,"
      " NULL, 1.5, NULL, '1.7e12');"
      "CREATE TABLE conversation_links (link_id, local_conversation_id, platform,"
      " remote_conversation_id, is_active, observed_at, extra);"
      "INSERT INTO conversation_links VALUES ('l1', 'c1', 'p', 'r', 'false', 5, 'x');");
  read_ok("db");
  says("messages m1, row 1 {\"id\":\"m1\",\"platform\":\"p\",\"conversation_id\":\"r\",\"role\":"
       "\"user\",\"raw_text\":\"text\",\"observed_at\":1700000000000,\"created_at\":1700000000001} "
       "age 1700000000000 of p:r\n");
  says("{\"id\":\"2\",\"platform\":\"p\",\"conversation_id\":\"7\",\"role\":\"user\",\"raw_text\":"
       "\"hi\",\"observed_at\":1700000000000,\"page_title\":\"1.5\",\"created_at\":1700000000000}");
  says("conversation_links l1, row 1 {\"link_id\":\"l1\",\"local_conversation_id\":\"c1\","
       "\"platform\":\"p\",\"remote_conversation_id\":\"r\",\"is_active\":0,\"observed_at\":5} age "
       "5 "
       "of p:r\n");
  cr_expect_eq(failures, 0);
}

/* The store makes them, where there is a text. */
Test(foreign, summaries_are_left_to_the_store) {
  make("db", MESSAGES
       "INSERT INTO messages (id, platform, role, raw_text, summary, observed_at) VALUES"
       " ('m1', 'p', 'u', ' one\ntwo  three', 'one two…', 1), ('m2', 'p', 'u', 'one two', 'one"
       " two', 2), ('m3', 'p', 'u', 'one two three', 'one...', 3);"
       "CREATE TABLE executions (instruction_id, message_id, target, tool, result_data,"
       " result_summary, executed_at);"
       "INSERT INTO executions VALUES ('e1', 'm1', 't', 'u', NULL, 'all there is', 1)");
  read_ok("db");
  says_not("NOTE");
  says_not("\"summary\"");
  says("\"result_summary\":\"all there is\"");
  make("db", "UPDATE messages SET summary = 'two' WHERE id = 'm1';"
             "UPDATE executions SET result_data = 'else'");
  read_ok("db");
  says("NOTE summaries that are not the beginning of the text, left out\nmessages m1");
  says("NOTE summaries that are not the beginning of the text, left out\nexecutions e1");
  says_not("summary\"");
}

Test(foreign, rows_that_do_not_fit) {
  make("db", MESSAGES
       "INSERT INTO messages (platform, role, raw_text, observed_at) VALUES ('p', 'u', 't', 1);"
       "INSERT INTO messages (id, platform, role, raw_text, observed_at) VALUES"
       " ('m1', 'p', NULL, 't', 1), ('m2', 'p', 'u', 't', 'soon'), ('m3', 'p', 'u', 't', 1e30),"
       " ('m4', X'ff', 'u', 't', 1), ('good', 'p', 'u', '', 1);"
       "CREATE TABLE local_conversations (local_conversation_id, platform, automation_status);"
       "INSERT INTO local_conversations VALUES ('c1', 'p', 'often');");
  read_ok("db");
  says("messages, row 1: FAILS: messages.id: is NULL\n");
  says("messages m1, row 2: FAILS: messages.role: is NULL\n");
  says("messages m2, row 3: FAILS: messages.observed_at: 'soon' is no time\n");
  says("messages m3, row 4: FAILS: messages.observed_at: 1e+30 is no integer\n");
  says("messages m4, row 5: FAILS: messages.platform: is not UTF-8\n");
  says("messages good, row 6 {");
  says(
      "local_conversations c1, row 1: FAILS: local_conversations.automation_status: 'often' is not "
      "one of manual|auto|paused\n");
  cr_expect_eq(rows, 1);
}

Test(foreign, text_that_is_not_utf8_is_mended_and_told) {
  make("db", MESSAGES "INSERT INTO messages (id, platform, role, raw_text, observed_at) VALUES"
                      " ('m1', 'p', 'u', CAST(X'61eda08062' AS TEXT), 1);");
  read_ok("db");
  says("\"raw_text\":\"a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
       "b\"");
  says("NOTE text that is not UTF-8, mended");
}

Test(foreign, utf16_databases) {
  make("db", "PRAGMA encoding = 'UTF-16be';" MESSAGES
             "INSERT INTO messages (id, platform, role, raw_text, observed_at) VALUES"
             " ('m1', 'p', 'u', 'größer \xf0\x9f\x98\x80', 1);");
  read_ok("db");
  says("\"raw_text\":\"größer \xf0\x9f\x98\x80\"");
}

/* A text of 9 MB is more than a record may have, and is not even loaded. */
Test(foreign, values_of_any_size) {
  make("db", MESSAGES "INSERT INTO messages (id, platform, role, raw_text, observed_at) VALUES"
                      " ('m1', 'p', 'u', 'a', 1), ('m2', 'p', 'u', hex(zeroblob(5000000)), 1),"
                      " ('m3', 'p', 'u', hex(zeroblob(4190000)), 1), ('m4', 'p', 'u', 'b', 1);");
  read_ok("db");
  says("messages, row 2: FAILS: string or blob too big\n");
  says("messages m3, row 3: FAILS: messages: the record has 83800");
  says("messages m4, row 4 {");
  cr_expect_eq(rows, 2);
}

/* ---- tables ---- */

Test(foreign, the_conversation_of_an_execution_is_that_of_its_message) {
  make("db", MESSAGES
       "CREATE TABLE executions (instruction_id, message_id, target, tool, executed_at, rowid);"
       "INSERT INTO executions VALUES ('e1', 'm1', 't', 't', 9, 'x'), ('e2', 'm9', 't', 't', 9, "
       "'y');"
       "INSERT INTO messages (id, platform, conversation_id, role, raw_text, observed_at) VALUES"
       " ('m1', 'p', 'r', 'u', 't', 1);");
  read_ok("db");
  says("executions e1, row 1 {\"instruction_id\":\"e1\",\"message_id\":\"m1\",\"target\":\"t\","
       "\"tool\":\"t\",\"executed_at\":9} age 9 of p:r\n");
  says("executions e2, row 2 {\"instruction_id\":\"e2\",\"message_id\":\"m9\",\"target\":\"t\","
       "\"tool\":\"t\",\"executed_at\":9} age 9 of :\n");
}

Test(foreign, tables_without_rowids) {
  make("db", "CREATE TABLE sessions (id TEXT PRIMARY KEY, platform, started_at, last_activity_at)"
             " WITHOUT ROWID; INSERT INTO sessions VALUES ('s2', 'p', 1, 2), ('s1', 'p', 1, 3);");
  read_ok("db");
  says("sessions s1 {\"id\":\"s1\",\"platform\":\"p\",\"started_at\":1,\"last_activity_at\":3}");
  cr_expect_eq(rows, 2);
}

Test(foreign, only_plain_tables_are_read) {
  make("db", MESSAGES
       "CREATE VIEW sessions AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
       " SELECT i AS id, 'p' AS platform, i AS started_at, i AS last_activity_at FROM n;"
       "CREATE VIRTUAL TABLE executions USING fts5(instruction_id, message_id, target, tool,"
       " executed_at);"
       "CREATE TABLE local_conversations (local_conversation_id, platform AS (hex(zeroblob(9))));"
       "CREATE TRIGGER t AFTER INSERT ON messages BEGIN DELETE FROM messages; END;");
  read_ok("db");
  says("sessions: FAILS: sessions is a view: only plain tables are read\n");
  says("executions: FAILS: executions is a virtual table: only plain tables are read\n");
  says("local_conversations: FAILS: local_conversations has no column platform\n");
  cr_expect_eq(failures, 3);
}

Test(foreign, databases_of_others) {
  struct ck_err err;
  make("db", "CREATE TABLE messages (id, text); CREATE TABLE notes (n);");
  cr_expect_eq(read_file("db", &err), 1);
  cr_expect_str_eq(err.text,
                   "this is an SQLite database without convkeep's tables: messages has no "
                   "column platform");
  unlink("db");
  make("db", "CREATE TABLE notes (n);");
  cr_expect_eq(read_file("db", &err), 1);
  cr_expect_str_eq(err.text, "this is an SQLite database without convkeep's tables");
}

Test(foreign, the_visitor_may_end_it) {
  make("db", MESSAGES "INSERT INTO messages (id, platform, role, raw_text, observed_at) VALUES"
                      " ('m1', 'p', 'u', 't', 1), ('m2', 'p', 'u', 't', 1);");
  struct ck_err err;
  stop_after = 1;
  cr_expect_eq(read_file("db", &err), 2);
  cr_expect_eq(rows, 1);
}

/* ---- damage ---- */

#define MANY 2000

/* Messages whose text tells their number, on pages of 512 bytes; some have pages of their own. */
static void make_many(void) {
  make("db", "PRAGMA page_size = 512;" MESSAGES
             "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)"
             " INSERT INTO messages (id, platform, role, raw_text, observed_at)"
             " SELECT 'm' || i, 'p', 'u', 'text ' || i || iif(i % 50, '', hex(zeroblob(600))), i"
             " FROM n;");
}

static char *whole;
static off_t whole_n;

static void load(void) {
  int fd = open("db", O_RDONLY);
  whole_n = lseek(fd, 0, SEEK_END);
  whole = ck_alloc((size_t)whole_n);
  cr_assert_eq(pread(fd, whole, (size_t)whole_n, 0), whole_n);
  close(fd);
}

static void store(const char *bytes, off_t n) {
  unlink("bent");
  int fd = open("bent", O_WRONLY | O_CREAT | O_TRUNC, 0600);
  cr_assert_eq(write(fd, bytes, (size_t)n), n);
  close(fd);
}

/* Every page in turn is overwritten: what is on the others is read, and the rest is told. */
Test(foreign, rows_around_damaged_pages, .timeout = 120) {
  make_many();
  load();
  unsigned leaves = 0;
  for (off_t page = 1; page < whole_n / 512; ++page) {
    struct ck_err err = {{0}};
    char kept[512];
    memcpy(kept, whole + page * 512, 512);
    memset(whole + page * 512, 0xa5, 512);
    store(whole, whole_n);
    memcpy(whole + page * 512, kept, 512);
    int rc = read_file("bent", &err);
    if (rc == 0 && rows < MANY) {
      cr_expect(failures > 0, "page %ld: %u rows, and no word", (long)page, rows);
      ++leaves;
    }
    if (rc == 0 && kept[0] == 13)
      cr_expect(rows > MANY - 30, "page %ld: %u rows", (long)page, rows);
  }
  cr_expect(leaves > 100, "%u pages were leaves", leaves);
  free(whole);
}

/* An inner page is made to name one leaf for all of its children: the rows of that leaf come once,
 * and the rest is told. */
Test(foreign, rows_in_a_ring, .timeout = 60) {
  make_many();
  load();
  unsigned char *inner = NULL;
  int cells = 0;
  for (off_t at = 512; at < whole_n; at += 512) {
    unsigned char *page = (unsigned char *)whole + at;
    if (page[0] != 5 || (page[3] << 8 | page[4]) <= cells) continue;
    inner = page;
    cells = page[3] << 8 | page[4];
  }
  cr_assert(cells > 10, "%d children", cells);
  unsigned char *first = inner + (inner[12] << 8 | inner[13]);
  for (int i = 1; i < cells; ++i)
    memcpy(inner + (inner[12 + 2 * i] << 8 | inner[13 + 2 * i]), first, 4);
  store(whole, whole_n);
  struct ck_err err = {{0}};
  cr_expect_eq(read_file("bent", &err), 0, "%s", err.text);
  says("its rows are out of order");
  cr_expect(rows < MANY, "%u rows", rows);
  free(whole);
}

/* Each long record in turn is made to claim 4 GiB of text: it is told, and the others come. */
Test(foreign, a_length_that_is_a_lie, .timeout = 60) {
  make_many();
  load();
  unsigned long_ones = 0, refused = 0;
  for (off_t at = 512; at < whole_n; at += 512) {
    unsigned char *page = (unsigned char *)whole + at, kept[512];
    unsigned char *cell = page + (page[8] << 8 | page[9]);
    if (page[0] != 13 || cell + 12 > page + 512 || !(cell[0] & 0x80)) continue;
    memcpy(kept, page, 512);
    memmove(cell + 5, cell + 2, (size_t)(page + 512 - cell - 5));
    memcpy(cell, "\x8f\xff\xff\xff\x7f", 5);
    store(whole, whole_n);
    memcpy(page, kept, 512);
    struct ck_err err = {{0}};
    cr_expect_eq(read_file("bent", &err), 0, "%s", err.text);
    cr_expect(failures > 0 && rows > MANY - 30, "page %ld: %u rows", (long)(at / 512), rows);
    ++long_ones;
    refused += strstr(ck_buf_cstr(&seen), "more than 64 MiB of memory") != NULL;
  }
  cr_expect(long_ones > 10 && refused, "%u of %u", refused, long_ones);
  free(whole);
}

/* Cut at a thousand places: it never crashes, and a part is read where the tables' list is whole.
 */
Test(foreign, cut_files, .timeout = 120 * SLOWER) {
  make_many();
  load();
  unsigned part = 0, last = 0;
  for (int i = 0; i < 1000; ++i) {
    struct ck_err err = {{0}};
    off_t n = whole_n * i / 1000;
    store(whole, n);
    int fd = open("bent", O_WRONLY);
    /* as foreign_copy.c does for a file that is shorter than its header says */
    if (n >= 100) cr_assert_eq(pwrite(fd, "\0\0\0", 4, 28), 4);
    close(fd);
    int rc = read_file("bent", &err);
    cr_expect(rc == 0 || err.text[0], "%ld bytes: %d without a word", (long)n, rc);
    if (rc == 0 && rows < MANY && rows > 0) ++part, last = rows;
    if (rc == 0 && rows < MANY)
      cr_expect(failures > 0, "%ld bytes: %u rows, no word", (long)n, rows);
  }
  cr_expect(part > 500 && last > MANY * 9 / 10, "%u times a part, %u rows at last", part, last);
  free(whole);
}

/* Bytes are flipped anywhere: it ends, and no row comes twice from one reading. */
Test(foreign, flipped_bytes, .timeout = 240 * SLOWER) {
  make_many();
  load();
  const char *given = getenv("CONVKEEP_TEST_SEED");
  struct ck_random random = {given ? strtoull(given, NULL, 10) : (uint64_t)getpid()};
  fprintf(stderr, "CONVKEEP_TEST_SEED=%llu\n", (unsigned long long)random.state);
  for (int i = 0; i < 1000; ++i) {
    struct ck_err err = {{0}};
    char *bent = ck_alloc((size_t)whole_n);
    memcpy(bent, whole, (size_t)whole_n);
    for (int k = 0; k < 1 + i % 20; ++k) {
      int64_t at = ck_random_upto(&random, whole_n - 1);
      bent[at] = (char)ck_random_next(&random);
    }
    store(bent, whole_n);
    free(bent);
    int rc = read_file("bent", &err);
    cr_expect(rc == 0 || err.text[0]);
    cr_expect(rows <= 2 * MANY, "%u rows", rows);
  }
  free(whole);
}

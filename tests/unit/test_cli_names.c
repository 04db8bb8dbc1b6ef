/* The names of threads in Codex's database, as its versions have them. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/import/foreign_names.h"
#include "proto/file.h"

static char path[] = "/tmp/ck-names-XXXXXX";

static void begin(void) { close(mkstemp(path)); }
static void end(void) { unlink(path); }

TestSuite(cli_names, .init = begin, .fini = end);

/* What is written of a database that this makes; NULL: it is none of Codex's. */
static const char *names(const char *sql) {
  static struct ck_buf lines;
  struct ck_err err;
  sqlite3 *db;
  bool is;
  uint64_t count = 0;
  char out[] = "/tmp/ck-lines-XXXXXX";
  int fd = mkstemp(out);
  cr_assert(fd >= 0 && truncate(path, 0) == 0);
  cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
  cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK, "%s", sqlite3_errmsg(db));
  sqlite3_close(db);
  cr_assert_eq(foreign_names_write(path, fd, &is, &count, &err), 0, "%s", err.text);
  close(fd);
  cr_assert_eq(ck_read_file(AT_FDCWD, out, 0, 10000, &lines, &err), 0, "%s", err.text);
  unlink(out);
  uint64_t n = 0;
  for (size_t i = 0; i < lines.len; ++i) n += lines.data[i] == '\n';
  cr_expect_eq(n, count);
  return is ? ck_buf_cstr(&lines) : NULL;
}

#define LINE(id, name) "{\"id\":\"" id "\",\"thread_name\":\"" name "\",\"updated_at\":7000}\n"

Test(cli_names, a_name_of_its_own) {
  cr_expect_str_eq(names("CREATE TABLE threads (id TEXT, title TEXT, first_user_message TEXT,"
                         " updated_at INTEGER, updated_at_ms INTEGER, name TEXT);"
                         "INSERT INTO threads VALUES ('a', 'Why?', 'Why?', 7, 7000, ' Gears '),"
                         " ('b', 'Other', 'Why?', 7, 7000, NULL), ('c', 'x', 'x', 7, 7000, '')"),
                   LINE("a", "Gears"));
}

Test(cli_names, a_title_that_is_not_the_first_message) {
  cr_expect_str_eq(names("CREATE TABLE threads (id TEXT, title TEXT, first_user_message TEXT,"
                         " updated_at INTEGER);"
                         "INSERT INTO threads VALUES ('a', 'Gears', 'Why?', 7),"
                         " ('b', 'Why?' || char(10), 'Why?', 7), ('c', '', '', 7),"
                         " (NULL, 'None', 'x', 7), ('d', x'ff', 'x', 7)"),
                   LINE("a", "Gears"));
}

Test(cli_names, other_databases) {
  cr_expect_null(names("CREATE TABLE threads (id TEXT, title TEXT, updated_at INTEGER)"));
  cr_expect_null(names("CREATE VIEW threads AS SELECT 'a' AS id, 'x' AS name, 7 AS updated_at"));
  cr_expect_null(names("CREATE TABLE t (a)"));
  cr_expect_str_eq(names("CREATE TABLE threads (id TEXT, name TEXT, updated_at INTEGER)"), "");
}

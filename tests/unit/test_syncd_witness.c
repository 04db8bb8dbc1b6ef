/* The statement that goes with every write, run in SQLite: it changes nothing, and fails, unless
 * the witness is as expected. */
#include <criterion/criterion.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "proto/wire.h"
#include "syncd/sql/mirror.h"
#include "syncd/sql/mirror_witness.h"

static sqlite3 *db;

static void open_mirror(void) {
  struct ck_buf sql = {0};
  cr_assert_eq(sqlite3_open(":memory:", &db), SQLITE_OK);
  ck_mirror_schema(&sql, CK_MIRROR_SQLITE, false);
  cr_assert_eq(sqlite3_exec(db, ck_buf_cstr(&sql), NULL, NULL, NULL), SQLITE_OK);
  ck_buf_free(&sql);
}
static void close_mirror(void) { sqlite3_close(db); }

TestSuite(syncd_witness, .init = open_mirror, .fini = close_mirror);

/* Rows written; -1: it failed. */
static int write_it(const char *before, uint64_t least, uint64_t version) {
  struct ck_mirror_witness w;
  struct ck_err err;
  struct ck_buf sql = {0};
  cr_assert_eq(ck_mirror_witness_set(&w, CK_LIT("aaaa"), CK_LIT("1111"), ck_str_of(before), least,
                                     version, &err),
               0, "%s", err.text);
  ck_mirror_witness_write(&sql, &w);
  int rows = sqlite3_total_changes(db), rc = sqlite3_exec(db, ck_buf_cstr(&sql), NULL, NULL, NULL);
  if (rc != SQLITE_OK)
    cr_expect(strstr(sqlite3_errmsg(db), CK_MIRROR_WITNESS), "%s", sqlite3_errmsg(db));
  ck_buf_free(&sql);
  return rc == SQLITE_OK ? sqlite3_total_changes(db) - rows : -1;
}

static void put(const char *store_id, const char *run, int64_t version) {
  char sql[200];
  snprintf(sql, sizeof sql,
           "DELETE FROM convkeep_mirror; INSERT INTO convkeep_mirror VALUES (1, '%s', '%s', %lld)",
           store_id, run, (long long)version);
  cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
}

static void expect_row(const char *text) {
  sqlite3_stmt *s;
  sqlite3_prepare_v2(db, "SELECT store_id || '/' || run || ' ' || version FROM convkeep_mirror", -1,
                     &s, NULL);
  cr_assert_eq(sqlite3_step(s), SQLITE_ROW);
  cr_expect_str_eq((const char *)sqlite3_column_text(s, 0), text);
  sqlite3_finalize(s);
}

Test(syncd_witness, the_first_one_and_those_after_it) {
  cr_expect_eq(write_it("", 0, 10), 1);
  expect_row("aaaa/1111 10");
  cr_expect_eq(write_it("", 0, 10), 0, "the same again is written again");
  cr_expect_eq(write_it("", 10, 5), 0, "a piece of a backlog is written");
  cr_expect_eq(write_it("", 10, 11), 1);
  expect_row("aaaa/1111 11");
}

Test(syncd_witness, of_a_former_run) {
  put("aaaa", "0000", 7);
  cr_expect_eq(write_it("aaaa/0000", 7, 3), 1);
  expect_row("aaaa/1111 7");
  cr_expect_eq(write_it("aaaa/0000", 7, 9), 1);
}

Test(syncd_witness, of_another_store_set_back_or_gone) {
  put("bbbb", "0000", 100);
  cr_expect_eq(write_it("aaaa/0000", 0, 200), -1);
  cr_expect_eq(write_it("", 0, 200), -1, "two stores that begin at once");
  put("aaaa", "2222", 100);
  cr_expect_eq(write_it("aaaa/0000", 0, 200), -1, "a copy of this store");
  put("aaaa", "1111", 100);
  cr_expect_eq(write_it("aaaa/0000", 101, 200), -1, "set back");
  expect_row("aaaa/1111 100");
  cr_assert_eq(sqlite3_exec(db, "DELETE FROM convkeep_mirror", NULL, NULL, NULL), SQLITE_OK);
  cr_expect_eq(write_it("", 100, 200), -1, "emptied");
  cr_expect_eq(write_it("aaaa/0000", 0, 200), -1, "emptied before anything was written");
}

Test(syncd_witness, whichever_it_is) {
  put("odd ones", "id", 3);
  cr_expect_eq(write_it(CK_WITNESS_ANY, 0, 5), 1);
  expect_row("aaaa/1111 5");
}

Test(syncd_witness, of_a_version_that_no_store_reaches) {
  put("aaaa", "1111", INT64_C(3000000000000000000));
  cr_expect_eq(write_it("", 5, 9), -1);
  cr_expect_eq(write_it("aaaa/1111", 5, 9), -1);
  cr_expect_eq(write_it(CK_WITNESS_ANY, 0, 5), 1);
  expect_row("aaaa/1111 5");
  cr_expect_eq(write_it(CK_WITNESS_ANY, 5, 9), 1);
  cr_expect_eq(write_it(CK_WITNESS_ANY, 9, 7), 0, "a piece of a backlog sets it back");
  expect_row("aaaa/1111 9");
}

Test(syncd_witness, only_ids_get_into_a_statement) {
  struct ck_mirror_witness w;
  struct ck_err err;
  cr_expect_eq(ck_mirror_witness_set(&w, CK_LIT("a'"), CK_LIT("1"), CK_LIT(""), 0, 0, &err), -1);
  cr_expect_eq(ck_mirror_witness_set(&w, CK_LIT("a"), CK_LIT("1'"), CK_LIT(""), 0, 0, &err), -1);
  cr_expect_eq(ck_mirror_witness_set(&w, CK_LIT("a"), CK_LIT("1"), CK_LIT("a/'"), 0, 0, &err), -1);
  cr_expect_eq(ck_mirror_witness_set(&w, CK_LIT("a"), CK_LIT("1"), CK_LIT("a/1"), 0, 0, &err), 0);
  cr_expect(ck_mirror_witness_kept(&w));
  cr_expect_eq(ck_mirror_witness_set(&w, CK_LIT("x y"), CK_LIT(""), CK_LIT(""), 0, 0, &err), 0);
  cr_expect_not(ck_mirror_witness_kept(&w));
}

/* Statements that are kept by their text. */
#include <criterion/criterion.h>

#include <stdio.h>

#include "store/database/cached.h"

static sqlite3 *db;
static struct db_cached *cached;
static struct ck_err err;

static void begin(void) {
  cr_assert_eq(sqlite3_open(":memory:", &db), SQLITE_OK);
  cached = db_cached_new(db);
}

static void end(void) {
  db_cached_free(&cached);
  sqlite3_close(db);
}

TestSuite(store_cached, .init = begin, .fini = end);

static sqlite3_stmt *get(const char *sql) {
  sqlite3_stmt *s = db_cached(cached, sql, &err);
  cr_assert_not_null(s, "%s: %s", sql, err.text);
  return s;
}

Test(store_cached, the_same_text_is_compiled_once) {
  sqlite3_stmt *s = get("SELECT ?1");
  sqlite3_bind_int(s, 1, 7);
  cr_assert_eq(sqlite3_step(s), SQLITE_ROW);
  db_done(cached, s);
  cr_expect_eq(get("SELECT ?1"), s);
  cr_assert_eq(sqlite3_step(s), SQLITE_ROW);
  cr_expect_eq(sqlite3_column_type(s, 0), SQLITE_NULL, "it has its old binding");
  db_done(cached, s);
}

Test(store_cached, one_that_is_out_is_not_given_twice) {
  sqlite3_stmt *a = get("SELECT 1"), *b = get("SELECT 1");
  cr_expect_neq(a, b);
  db_done(cached, a);
  db_done(cached, b);
}

Test(store_cached, the_oldest_makes_room) {
  char sql[32];
  sqlite3_stmt *kept = get("SELECT 'kept'");
  db_done(cached, kept);
  for (int i = 0; i < 3 * DB_CACHED; ++i) {
    snprintf(sql, sizeof sql, "SELECT %d", i);
    db_done(cached, get(sql));
    sqlite3_stmt *again = get("SELECT 'kept'");
    cr_expect_eq(again, kept);
    db_done(cached, again);
  }
  int count = 0;
  for (sqlite3_stmt *s = NULL; (s = sqlite3_next_stmt(db, s));) ++count;
  cr_expect_eq(count, DB_CACHED);
}

Test(store_cached, what_is_wrong_is_said_and_not_kept) {
  cr_expect_null(db_cached(cached, "SELEKT", &err));
  cr_expect_null(db_cached(cached, "SELEKT", &err));
  db_done(cached, NULL);
  db_done(cached, get("SELECT 1"));
}

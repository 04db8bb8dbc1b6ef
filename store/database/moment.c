/* See moment.h. */
#include "store/database/moment.h"

#include "proto/clock.h"

static void boot_ms(sqlite3_context *context, int n, sqlite3_value **value) {
  (void)n, (void)value;
  sqlite3_result_int64(context, ck_boot_ms());
}

static void now_ms(sqlite3_context *context, int n, sqlite3_value **value) {
  (void)n, (void)value;
  sqlite3_result_int64(context, ck_now_ms());
}

int moment_sql(sqlite3 *db, struct ck_err *err) {
  int flags = SQLITE_UTF8 | SQLITE_DIRECTONLY;
  return sqlite3_create_function(db, "boot_ms", 0, flags, NULL, boot_ms, NULL, NULL) ||
                 sqlite3_create_function(db, "now_ms", 0, flags, NULL, now_ms, NULL, NULL)
             ? db_fail(db, "boot_ms", err)
             : 0;
}

int moment_begin(sqlite3 *db, const char *start, struct ck_err *err) {
  sqlite3_stmt *s =
      db_prepare(db,
                 "UPDATE store SET starts = starts + 1, start = ?1, start_wall = now_ms(),"
                 " start_boot = boot_ms() WHERE start <> ?1 OR ?1 = ''",
                 err);
  if (!s) return -1;
  db_bind_str(s, 1, ck_str_of(start));
  int rc = sqlite3_step(s) == SQLITE_DONE ? 0 : db_fail(db, "store.start", err);
  sqlite3_finalize(s);
  return rc;
}

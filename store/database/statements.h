/* A file's prepared statements from one list, S(NAME, "SQL") each:
 *
 *   #define STATEMENTS(S) S(ADD, "INSERT …") S(FIND, "SELECT …")
 *   DB_STATEMENTS(STATEMENTS)
 *
 * declares `enum statement` with their names and STATEMENT_COUNT, and `texts`, the SQL of each. */
#ifndef CK_STORE_STATEMENTS_H
#define CK_STORE_STATEMENTS_H

#include "store/database/db.h"

#define DB_STATEMENT_NAME(NAME, sql) NAME,
#define DB_STATEMENT_TEXT(NAME, sql) sql,
#define DB_STATEMENTS(LIST) \
  enum statement { LIST(DB_STATEMENT_NAME) STATEMENT_COUNT }; \
  static const char *const texts[STATEMENT_COUNT] = {LIST(DB_STATEMENT_TEXT)};

/* Prepares `count` statements for long use. 0, or -1 with the reason; those that were prepared are
 * in `s` then, too, and the rest of it stays as it was. */
int db_prepare_all(sqlite3 *db, const char *const *texts, int count, sqlite3_stmt **s,
                   struct ck_err *err);
/* NULLs among them are skipped. */
void db_finalize_all(sqlite3_stmt *const *s, int count);

#endif

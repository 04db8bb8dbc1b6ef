/* Checks that the schema is what the migrations make, statement by statement. A stranger's trigger,
 * view or index would run in the store's transactions, and a changed table breaks its promises. */
#ifndef CK_STORE_SCHEMA_H
#define CK_STORE_SCHEMA_H

#include "store/database/db.h"

/* Called for each thing that is wrong. advice: what to do. Returns false to end the check. */
typedef bool schema_found_fn(void *self, const char *what, const char *advice);

/* Compares the schema with what the first `format` steps make in memory. 0, or -1 if it cannot be
 * read. What SQLite keeps for itself (sqlite_autoindex_…, sqlite_sequence) is left out. */
int schema_compare(sqlite3 *db, migration *const *steps, int format, schema_found_fn *found,
                   void *self, struct ck_err *err);
/* The same, as a refusal. -1: err says what is wrong and what to do, or that it cannot be read. */
int schema_check(sqlite3 *db, migration *const *steps, int format, struct ck_err *err);

#endif

/* The statements of a connection that are made of text again and again, kept by their text: one is
 * compiled once, not for each question. For one thread. */
#ifndef CK_STORE_CACHED_H
#define CK_STORE_CACHED_H

#include "store/database/db.h"

struct db_cached;

/* db must outlive it, and be closed after it is freed. */
struct db_cached *db_cached_new(sqlite3 *db);
/* Finalizes them. Sets *c to NULL; *c may be NULL. */
void db_cached_free(struct db_cached **c);
sqlite3 *db_cached_db(const struct db_cached *c);

/* The statement of this text, reset and without bindings, compiled if it is not there. It stays the
 * cache's, until db_done; at most DB_CACHED are out at once. NULL with the reason. */
#define DB_CACHED 64
sqlite3_stmt *db_cached(struct db_cached *c, const char *sql, struct ck_err *err);
/* Gives it back. s may be NULL. */
void db_done(struct db_cached *c, sqlite3_stmt *s);

#endif

/* Lists of records, in the orders of docs/records.md. Read-only connections. */
#ifndef CK_STORE_LISTS_H
#define CK_STORE_LISTS_H

#include "proto/wire.h"
#include "store/database/db.h"

#define LIST_LIMIT 20
#define LIST_LIMIT_MAX 1000

/* Appends the array of row maps that the query asks for. -1: err says why, *code is the word for
 * PROBLEM. */
int lists_query(sqlite3 *db, const struct ck_query *q, struct ck_buf *rows, const char **code,
                struct ck_err *err);

#endif

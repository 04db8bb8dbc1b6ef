/* Records in the order of their keys, as digests or whole: what a mirror is compared with.
 * Read-only connections. */
#ifndef CK_STORE_RANGES_H
#define CK_STORE_RANGES_H

#include "proto/wire.h"
#include "store/database/db.h"

/* Records that one answer looks at, so that others need not wait long. */
#define RANGES_RECORDS_MAX 65536

/* Appends what is asked for to `body`, and fills longest, more and ranges. -1: err says why, *code
 * is the word for PROBLEM. */
int ranges_query(sqlite3 *db, const struct ck_range *q, struct ck_buf *body,
                 struct ck_ranges *answer, const char **code, struct ck_err *err);

#endif

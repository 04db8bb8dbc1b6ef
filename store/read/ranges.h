/* Answers RANGE: a table's records in the order of their keys, as digests or whole. A mirror is
 * compared with them. For read-only connections. */
#ifndef CK_STORE_RANGES_H
#define CK_STORE_RANGES_H

#include "proto/wire.h"
#include "store/database/db.h"

/* The most records that one answer reads, so that other questions do not wait long. */
#define RANGES_RECORDS_MAX 65536

/* Appends what the query asks for to `body`, and sets longest, more and ranges in `answer`; ranges
 * points into `body`. -1: err says why, and *code is the code for PROBLEM: bad_request or busy. */
int ranges_query(sqlite3 *db, const struct ck_range *q, struct ck_buf *body,
                 struct ck_ranges *answer, const char **code, struct ck_err *err);

#endif

/* Answers QUERY: lists of records, filtered, and in the orders of docs/records.md. For read-only
 * connections that have has_words (store/read/has_words.h). */
#ifndef CK_STORE_LISTS_H
#define CK_STORE_LISTS_H

#include "proto/wire.h"
#include "store/database/cached.h"

#define LIST_LIMIT 20 /* rows, if the query names no limit */
#define LIST_LIMIT_MAX 1000

struct list_answer {
  struct ck_buf *rows;   /* an array with one map for each row is appended */
  struct ck_buf *cursor; /* becomes that of the last row; empty: there are no more rows */
};

/* Answers the query. -1: err says why, and *code is the code for PROBLEM: unknown_table,
 * unknown_filter, CK_BAD_CURSOR, bad_request, or too_large (the rows do not fit a frame). */
int lists_query(struct db_cached *db, const struct ck_query *q, struct list_answer *answer,
                const char **code, struct ck_err *err);

#endif

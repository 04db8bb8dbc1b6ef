/* Answers the QUERY `brakes`: may a conversation's next delivery go, as far as its earlier ones are
 * concerned? renewd asks before each attempt. */
#ifndef CK_STORE_BRAKE_H
#define CK_STORE_BRAKE_H

#include "proto/wire.h"
#include "store/database/db.h"

/* The filters: local_conversation_id; in_a_row, how many automatic deliveries there may be without
 * a person in between. Appends one row:
 *
 *   sixtieth_at  when the last attempt of the 60th newest delivery began; nil: there are fewer
 *   stopped      1: there were in_a_row of them; 0
 *
 * A delivery is an attempt that is charged, so it may have got to its target. A person is in
 * between if somebody said something that is not the text of a follow-up, or said RESUME. 0, or -1
 * with the reason and the PROBLEM's code, which is left as it is when the database failed. */
int brake_query(sqlite3 *db, const struct ck_query *q, struct ck_buf *rows, const char **code,
                struct ck_err *err);

#endif

/* Answers STATUS: one map, from the database and from the daemons' reports. */
#ifndef CK_STORE_STATUS_H
#define CK_STORE_STATUS_H

#include "store/database/db.h"
#include "store/read/reports.h"
#include "store/context.h"

/* Appends the map to `info`. `db` is a read-only connection. -1 with the reason: the database could
 * not be read; then `info` is to be thrown away. */
int status_info(sqlite3 *db, struct context *context, struct reports *reports, struct ck_buf *info,
                struct ck_err *err);

#endif

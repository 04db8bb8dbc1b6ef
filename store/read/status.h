/* What `status` says: one map, from the database as a reader sees it and from what the daemons
 * report. */
#ifndef CK_STORE_STATUS_H
#define CK_STORE_STATUS_H

#include "store/database/db.h"
#include "store/mirror/leases.h"
#include "store/read/reports.h"
#include "store/context.h"

int status_info(sqlite3 *db, struct context *context, struct leases *leases,
                struct reports *reports, struct ck_buf *info, struct ck_err *err);

#endif

/* What `status` says: one map, from the database as a reader sees it and from what the daemons report. */
#ifndef CK_STORE_STATUS_H
#define CK_STORE_STATUS_H

#include "store/db.h"
#include "store/leases.h"
#include "store/reports.h"
#include "store/shared.h"

int status_info(sqlite3 *db, struct shared *shared, struct leases *leases, struct reports *reports, struct ck_buf *info, struct ck_err *err);

#endif

/* Answers STATUS: one map, from the database and from the daemons' reports. */
#ifndef CK_STORE_STATUS_H
#define CK_STORE_STATUS_H

#include "store/database/db.h"
#include "store/read/reports.h"
#include "store/context.h"

#define STATUS_COUNTS 5

/* What is kept from one answer to the next, of the same database; zeroed before the first. */
struct status_kept {
  bool known;
  int64_t newest, records;       /* the jobs' newest version, and how many jobs there were */
  int64_t counts[STATUS_COUNTS]; /* of jobs, by their status; they hold as long as both are that */
};

/* Appends the map to `info`. `db` is a read-only connection. -1 with the reason: the database could
 * not be read; then `info` is to be thrown away. */
int status_info(sqlite3 *db, struct context *context, struct reports *reports,
                struct status_kept *kept, struct ck_buf *info, struct ck_err *err);

#endif

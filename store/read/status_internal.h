/* Shared by status.c and status_mirrors.c. For no other file. */
#ifndef CK_STORE_STATUS_INTERNAL_H
#define CK_STORE_STATUS_INTERNAL_H

#include "proto/map.h"
#include "store/read/status.h"

/* Puts the number that a query gives; nil: it gives none. 0, or -1 with the reason. */
int status_query(struct ck_map *m, sqlite3 *db, const char *name, const char *sql,
                 struct ck_err *err);

/* Puts `sync`, what there is to say of each mirror, and `sync_unused`. 0, or -1 with the reason. */
int status_mirrors(struct ck_map *m, sqlite3 *db, const struct context *context,
                   struct reports *reports, struct ck_err *err);

#endif

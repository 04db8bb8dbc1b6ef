/* Walks records in the order of their versions: what the feed's catch-up, the sync batches and the
 * artifacts are made from. A record stands at its newest version only, so each comes once, with its
 * newest state. */
#ifndef CK_STORE_SCAN_H
#define CK_STORE_SCAN_H

#include "store/database/db.h"

struct scan; /* belongs to one connection */

struct scan *scan_new(sqlite3 *db, struct ck_err *err);
void scan_free(struct scan **s);

/* Opens a read transaction and stands before the first record above `after`. tables: bit mask of
 * enum ck_table, 0 for all. *head: the newest version in this view. -1 with the reason (then there
 * is nothing to end). */
int scan_begin(struct scan *s, uint64_t after, unsigned tables, uint64_t *head, struct ck_err *err);
/* 1 and the next record (text valid until the next call), 0 behind the last, -1 with the reason. */
int scan_next(struct scan *s, uint64_t *version, struct ck_row *row, struct ck_err *err);
void scan_end(struct scan *s);

/* Appends the record to an array of changes unless the frame would then be too large: false, and
 * nothing is appended. A record alone always fits. */
bool scan_encode(struct ck_buf *changes, uint64_t version, const struct ck_row *row);

#endif

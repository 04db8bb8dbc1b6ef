/* Walks all records in the order of their versions. The feed's catch-up, the sync batches and the
 * readable files are made from it. A record has only its newest version, so each comes once, in its
 * newest state. */
#ifndef CK_STORE_SCAN_H
#define CK_STORE_SCAN_H

#include "store/database/db.h"

struct scan; /* belongs to one connection */

struct scan *scan_new(sqlite3 *db, struct ck_err *err);
void scan_free(struct scan **s);

/* The indexes that it needs. */
extern const char scan_schema[];

/* For the next scan_begin: of the rows up to that version, only those without which follow-ups
 * cannot be scheduled (SINCE, proto/wire.h). */
void scan_brief(struct scan *s, uint64_t upto);
/* Opens a read transaction before the first record above version `after`. tables: bit mask of
 * enum ck_table; 0: all. *head: the newest version in this transaction. -1 with the reason; then
 * scan_end must not be called. */
int scan_begin(struct scan *s, uint64_t after, unsigned tables, uint64_t *head, struct ck_err *err);
/* 1: the next record, whose text is valid until the next call; 0: there is none; -1 with the
 * reason. */
int scan_next(struct scan *s, uint64_t *version, struct ck_row *row, struct ck_err *err);
/* Ends the transaction. */
void scan_end(struct scan *s);

/* Appends a record to an array of changes. false: the frame would be too large, and nothing was
 * appended. A record alone always fits. */
bool scan_encode(struct ck_buf *changes, uint64_t version, const struct ck_row *row);

#endif

/* Where a run lies that was joined with others since ingest was told that it is there. The
 * writer's.
 */
#ifndef CK_STORE_WITHIN_H
#define CK_STORE_WITHIN_H

#include "store/originals/internal.h"

struct within;

/* db: the writer's connection. NULL with the reason. */
struct within *within_new(sqlite3 *db, struct ck_err *err);
void within_free(struct within **w);

/* Looks for an original whose lines have those of the run among them, after the same lines: its
 * bytes are read, and have the run's hash there. 1: *block and *at say where; 0: there is none; -1
 * with the reason. */
int within_find(struct within *w, const struct ck_original *run, int64_t *block, uint64_t *at,
                struct ck_err *err);

#endif

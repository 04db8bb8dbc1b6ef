/* The six tables' SQL: every statement prepared once, made from the lists in proto/records.h.
 * Writer's connection only. */
#ifndef CK_STORE_TABLES_H
#define CK_STORE_TABLES_H

#include "store/keys/keys.h"

struct tables;

struct tables *tables_new(sqlite3 *db, struct ck_err *err);
void tables_free(struct tables **t);

/* By key. 1 found (text valid until tables_let_go), 0 not there, -1 error. */
int tables_get(struct tables *t, enum ck_table table, struct ck_str key, uint64_t *version,
               struct ck_row *row, struct ck_err *err);
/* The record with the same unique key as `like`, which must have one. As tables_get. */
int tables_get_unique(struct tables *t, const struct ck_row *like, uint64_t *version,
                      struct ck_row *row, struct ck_err *err);
/* Ends what the last look-up in this table reads. A statement that stands on a row keeps its read
 * transaction open beyond the commit, and the WAL is never begun anew. */
void tables_let_go(struct tables *t, enum ck_table table);
/* Releases the unique key of the record at this version, so that another may have it before the
 * record itself is written. Only of tables with a ck_release_column. */
int tables_release(struct tables *t, enum ck_table table, uint64_t version, struct ck_err *err);
/* Writes the record at its new version: inserts it when old_version is 0, else moves it from there.
 */
int tables_write(struct tables *t, const struct ck_row *row, uint64_t old_version, uint64_t version,
                 struct ck_err *err);
/* Where messages stand; to be told of the transaction's end. */
struct keys *tables_keys(struct tables *t);

#endif

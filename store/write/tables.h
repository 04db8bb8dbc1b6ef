/* SQL of the six tables, made from the lists in proto/records.h; each statement is prepared once.
 * The writer's connection only. */
#ifndef CK_STORE_TABLES_H
#define CK_STORE_TABLES_H

#include "store/keys/keys.h"

struct tables;

/* NULL with the reason. */
struct tables *tables_new(sqlite3 *db, struct ck_err *err);
void tables_free(struct tables **t);

/* Looks a record up by key. 1: found, its text is valid until tables_reset; 0: not there, and
 * *version is 0, or the one that a message of this id had, which somebody has deleted; -1. */
int tables_get(struct tables *t, enum ck_table table, struct ck_str key, uint64_t *version,
               struct ck_row *row, struct ck_err *err);
/* Looks up the record with the same unique key as `like`, which must have one. Returns as
 * tables_get.
 */
int tables_get_unique(struct tables *t, const struct ck_row *like, uint64_t *version,
                      struct ck_row *row, struct ck_err *err);
/* Ends the last look-up in this table. A statement that is left on a row keeps its read transaction
 * open beyond the commit, and the WAL could never restart. */
void tables_reset(struct tables *t, enum ck_table table);
/* Releases the unique key of the record at this version, so that another record may take it before
 * this one is written. Only for tables with a ck_release_column. */
int tables_release(struct tables *t, enum ck_table table, uint64_t version, struct ck_err *err);
/* Writes the record at its new version: inserts it if old_version is 0, else moves it. stays: its
 * ties (ck_is_tie) are as they were, so they need not be written. 0 or -1. */
int tables_write(struct tables *t, const struct ck_row *row, uint64_t old_version, bool stays,
                 uint64_t version, struct ck_err *err);
/* Writes the record's CK_QUIET columns, and leaves its version. 0 or -1. */
int tables_write_quiet(struct tables *t, const struct ck_row *row, uint64_t version,
                       struct ck_err *err);
/* The index of messages by id, which must be told how the transaction ends (keys.h). */
struct keys *tables_keys(struct tables *t);

#endif

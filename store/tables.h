/* The six tables' SQL: every statement prepared once, made from the lists in proto/records.h. Writer's connection only. */
#ifndef CK_STORE_TABLES_H
#define CK_STORE_TABLES_H

#include "store/keys/keys.h"

struct tables;

struct tables *tables_new(sqlite3 *db, struct ck_err *err);
void tables_free(struct tables **t);

/* By key. 1 found (text valid until tables_let_go), 0 not there, -1 error. */
int tables_get(struct tables *t, enum ck_table table, struct ck_str key, uint64_t *version, struct ck_row *row, struct ck_err *err);
/* Links by (platform, remote_conversation_id), jobs by message_id (second is empty then); other tables have no second key. */
int tables_get_other(struct tables *t, enum ck_table table, struct ck_str first, struct ck_str second, uint64_t *version, struct ck_row *row,
                     struct ck_err *err);
/* Ends what the last look-up in this table reads. A statement that stands on a row keeps its read transaction open beyond the commit, and the WAL is never
 * begun anew. */
void tables_let_go(struct tables *t, enum ck_table table);
/* Takes the second key off a link at this version, so that another may have it before the link itself is written. */
int tables_vacate(struct tables *t, uint64_t version, struct ck_err *err);
/* Writes the record at its new version: inserts it when old_version is 0, else moves it from there. */
int tables_write(struct tables *t, const struct ck_row *row, uint64_t old_version, uint64_t version, struct ck_err *err);
/* Where messages stand; to be told of the transaction's end. */
struct keys *tables_keys(struct tables *t);

#endif

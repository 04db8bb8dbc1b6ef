/* The mirror's SQL, made from the lists in proto/records.h, so that no column stands anywhere twice. The mirror is an SQLite: D1, or mirror.db.
 *
 * Every table has one column more than the store's: `version`, which a statement carries and by which it changes a row only if that is higher. So any statement
 * may be sent twice, late, or by two workers.
 */
#ifndef CK_PROTO_MIRROR_H
#define CK_PROTO_MIRROR_H

#include "proto/records.h"

/* Appends the statements that make an empty database ready, or (old) those that a database of the predecessor's needs: the same six tables without
 * a version. Each ends with ";\n". Of an old one's foreign keys and indexes nothing is touched. */
void ck_mirror_schema(struct ck_buf *sql, bool old);

/* Appends the upsert of many rows: ?1 is a JSON array of arrays, the columns in the list's order and then the version. Rows that are there with the same or a
 * higher version stay. */
void ck_mirror_upsert(struct ck_buf *sql, enum ck_table t);

/* The same for one row from bound values, ?1 … as the columns and then the version; integers may be bound as their decimal text, which JSON numbers
 * beyond 2^53 need. For what does not fit into one JSON parameter, and for SQLite before 3.45, whose JSON functions end a text at U+0000. */
void ck_mirror_upsert_one(struct ck_buf *sql, enum ck_table t);

/* True when rows of this table point to rows of another. */
bool ck_mirror_has_parents(enum ck_table t);

/* As ck_mirror_upsert, but rows whose parents the mirror does not have yet are passed over: for databases with foreign keys. */
void ck_mirror_upsert_careful(struct ck_buf *sql, enum ck_table t);

/* Appends the query that names what ck_mirror_upsert_careful passes over: the places (from 0) in ?1, as `place`. */
void ck_mirror_orphans(struct ck_buf *sql, enum ck_table t);

#endif

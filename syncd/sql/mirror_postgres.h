/* The mirror's SQL for PostgreSQL: the same statements as in syncd/sql/mirror.h, in its dialect.
 * Rows are passed as arrays, one for each column in the list's order and one for the version ($1
 * …), so one statement takes any number of them.
 *
 * PostgreSQL allows one ON CONFLICT clause in a statement. For tables that have unique columns
 * besides the key, ck_pg_takeover goes first: it gives a row that has another key to the newer
 * record. ck_pg_upsert then skips what a newer record has. */
#ifndef SYNCD_MIRROR_POSTGRES_H
#define SYNCD_MIRROR_POSTGRES_H

#include "syncd/sql/mirror.h"

/* Only for tables in ck_uniques. */
void ck_pg_takeover(struct ck_buf *sql, enum ck_table t, enum ck_mirror_caution caution);
void ck_pg_upsert(struct ck_buf *sql, enum ck_table t, enum ck_mirror_caution caution);
/* As ck_mirror_release: goes before an upsert with caution. */
void ck_pg_release(struct ck_buf *sql, enum ck_table t);
/* Names the rows that such an upsert skips for their parents: their places (from 0). */
void ck_pg_orphans(struct ck_buf *sql, enum ck_table t);

/* As ck_mirror_forget, with the parameters of the upsert of these rows. */
void ck_pg_forget(struct ck_buf *sql, enum ck_table t);
/* The statement with which every transaction that writes rows begins. alone: it has ck_pg_forget,
 * and waits for the others: one of them may be about to write a row that it deletes, which neither
 * would see. The lock is no table's, so nobody who reads the mirror is in the way. */
void ck_pg_writers_lock(struct ck_buf *sql, bool alone);

/* Names the rows that are not in the mirror with every column and that version: their places (from
 * 0). */
void ck_pg_compare(struct ck_buf *sql, enum ck_table t);

/* For ranges of keys ($1: after; $2: upto, NULL for "to the end"), compared byte by byte. The
 * digests: for each range, in order, a row of count, sum, mix. The versions: the first `limit` rows
 * of all, as place (of the range, from 0), key, version. */
void ck_pg_digests(struct ck_buf *sql, enum ck_table t, size_t longest);
void ck_pg_versions(struct ck_buf *sql, enum ck_table t, size_t limit);

/* Sets the version of rows ($1: keys, $2: versions) to 0 or, with `gone`, deletes them. A row that
 * has another version by now stays. */
void ck_pg_reset(struct ck_buf *sql, enum ck_table t, bool gone);

/* What there is of the six tables, one thing a row, in the form that ck_mirror_note takes: kind,
 * table, name, more. */
void ck_pg_what_is_there(struct ck_buf *sql);

#endif

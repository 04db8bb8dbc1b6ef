/* The mirror's SQL for who speaks PostgreSQL's protocol: the same statements as in
 * syncd/sql/mirror.h, in its dialect. Rows come as arrays, one for each column in the list's order
 * and one for the version ($1 …), so that a statement takes as many as there are.
 *
 * PostgreSQL knows one ON CONFLICT clause a statement. Where beside the key something else is
 * unique, ck_pg_takeover goes first: it gives a row that another key holds to the newer record;
 * ck_pg_upsert then leaves alone what a newer record holds.
 */
#ifndef SYNCD_MIRROR_POSTGRES_H
#define SYNCD_MIRROR_POSTGRES_H

#include "syncd/sql/mirror.h"

/* Only for tables with a unique key. */
void ck_pg_takeover(struct ck_buf *sql, enum ck_table t, enum ck_mirror_caution caution);
void ck_pg_upsert(struct ck_buf *sql, enum ck_table t, enum ck_mirror_caution caution);
/* As ck_mirror_release: before an upsert with care. */
void ck_pg_release(struct ck_buf *sql, enum ck_table t);
/* Names the rows that an upsert passes over because of their parents: the places (from 0). */
void ck_pg_orphans(struct ck_buf *sql, enum ck_table t);

/* Names the rows that are not in the mirror with every column and that version: the places (from
 * 0). */
void ck_pg_compare(struct ck_buf *sql, enum ck_table t);

/* Of ranges of keys ($1: after, $2: upto, NULL for "to the end"), compared byte by byte. The
 * digests: one row a range in their order, count, sum, mix. The versions: the first `limit` of all,
 * as place (of the range), key, version. */
void ck_pg_digests(struct ck_buf *sql, enum ck_table t, size_t longest);
void ck_pg_versions(struct ck_buf *sql, enum ck_table t, size_t limit);

/* Sets the version of rows ($1: keys, $2: versions) back to 0, or (gone) deletes them; one that has
 * another version by now stays. */
void ck_pg_reset(struct ck_buf *sql, enum ck_table t, bool gone);

/* What there is of the six tables, row by row as ck_mirror_note takes it behind the table's name:
 * kind, table, name, more. */
void ck_pg_what_is_there(struct ck_buf *sql);

#endif

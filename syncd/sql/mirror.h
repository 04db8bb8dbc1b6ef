/* The mirror's SQL, made from the lists in proto/records.h, so that no column stands anywhere
 * twice. The mirror is an SQLite (D1, or mirror.db), whose statements are below, or speaks
 * PostgreSQL's protocol, whose are in syncd/sql/mirror_postgres.h; what makes the schema knows
 * both.
 *
 * Every table has one column more than the store's: `version`, which a statement carries and by
 * which it changes a row only if that is higher. So any statement may be sent twice, late, or by
 * two workers.
 *
 * Nothing enforces a foreign key in a mirror of our own: a row may arrive in another batch than the
 * row it points to, or before it. A database of the predecessor's has them. mirror.db declares its
 * references, because its connections enforce none and other tools show them as links.
 */
#ifndef SYNCD_MIRROR_H
#define SYNCD_MIRROR_H

#include "proto/records.h"

enum ck_mirror_dialect {
  CK_MIRROR_SQLITE, /* D1, which enforces every foreign key */
  CK_MIRROR_POSTGRES,
  CK_MIRROR_EMBEDDED /* mirror.db: as SQLITE, with references, and views in which times are text */
};

/* Appends the statements that make an empty database ready, or (old) those that a database of the
 * predecessor's needs: the same six tables without a version. Each ends with ";\n". Of an old one's
 * foreign keys and indexes nothing is touched. */
void ck_mirror_schema(struct ck_buf *sql, enum ck_mirror_dialect dialect, bool old);

/* What a mirror has, of the six tables. Zero-initialise. */
struct ck_mirror_table {
  bool there, old; /* old: not STRICT, so the predecessor made it */
  unsigned columns, indexes;
  bool version, unique[2]; /* unique: the key; what else is unique */
};
struct ck_mirror_there {
  struct ck_mirror_table table[CK_TABLES];
};
/* Notes one thing. kind: column (name, "0" when the table is not STRICT), unique (of an index the
 * columns, in `more`), index (name). */
void ck_mirror_note(struct ck_mirror_there *m, enum ck_table t, struct ck_str kind,
                    struct ck_str name, struct ck_str more);
/* Appends the statements that the table still needs, and in words what they make; returns how many
 * there are. */
unsigned ck_mirror_missing(struct ck_buf *sql, struct ck_buf *what, enum ck_mirror_dialect dialect,
                           enum ck_table t, const struct ck_mirror_there *m);

/* Appends the upsert of many rows: ?1 is a JSON array of arrays, the columns in the list's order
 * and then the version. Rows that are there with the same or a higher version stay. */
void ck_mirror_upsert(struct ck_buf *sql, enum ck_table t);

/* The same for one row from bound values, ?1 … as the columns and then the version; integers may be
 * bound as their decimal text, which JSON numbers beyond 2^53 need. For what does not fit into one
 * JSON parameter, and for SQLite before 3.45, whose JSON functions end a text at U+0000. */
void ck_mirror_upsert_one(struct ck_buf *sql, enum ck_table t);

/* What else an upsert looks at, once it has failed without. */
enum ck_mirror_caution {
  CK_CAUTION_NONE,
  CK_CAUTION_UNIQUE, /* what is unique: a statement of ck_mirror_release goes first, and a row is
                        passed over that a newer record took it from */
  CK_CAUTION_PARENTS /* that, and rows whose parents the mirror does not have yet are passed over:
                        for databases with foreign keys */
};
void ck_mirror_upsert_unique(struct ck_buf *sql, enum ck_table t); /* CK_CAUTION_UNIQUE */
void ck_mirror_upsert_unique_one(struct ck_buf *sql,
                                 enum ck_table t); /* … as ck_mirror_upsert_one */
void ck_mirror_upsert_cautious(struct ck_buf *sql, enum ck_table t); /* CK_CAUTION_PARENTS */

/* Only for tables with a ck_release_column. Appends the statement that goes before such an upsert,
 * with the same parameters: a record of a lower version that still has what is unique of one of the
 * rows lets go of it (NULL). It did so in the database, and its own newer state is on its way. */
void ck_mirror_release(struct ck_buf *sql, enum ck_table t);
void ck_mirror_release_one(struct ck_buf *sql, enum ck_table t);

/* Appends the query that names what ck_mirror_upsert_cautious passes over: the places (from 0) in
 * ?1, as `place`. */
void ck_mirror_orphans(struct ck_buf *sql, enum ck_table t);

/* ---- to compare the mirror and to mend it (mirror_query.c) ---- */

/* Appends the query of the digests (proto/digest.h) of many ranges of keys: ?1 is a JSON array of
 * [after, upto], upto null for "to the end"; one row a range, in their order, `d`: "count sum mix".
 * longest: bytes of the longest key that is expected; of one that is longer the rest counts by its
 * length only. */
void ck_mirror_digests(struct ck_buf *sql, enum ck_table t, size_t longest);

/* Appends the query of the first `limit` keys and versions in such ranges, in their order: rows
 * `place` (of the range), `k`, `v` (text). */
void ck_mirror_versions(struct ck_buf *sql, enum ck_table t, size_t limit);

/* Appends the query that names which rows of ?1, as ck_mirror_upsert has them, are not in the
 * mirror with every column and that version, as `place`. */
void ck_mirror_compare(struct ck_buf *sql, enum ck_table t);
/* The same of one row, as ck_mirror_upsert_one has it: a row when it is not there so, none when it
 * is. */
void ck_mirror_compare_one(struct ck_buf *sql, enum ck_table t);

/* Appends the statement that sets the version of rows back to 0, or (gone) deletes them. ?1: JSON
 * array of [key, version]; a row that has another version by now stays. */
void ck_mirror_reset(struct ck_buf *sql, enum ck_table t, bool gone);

#endif

/* The mirror's SQL, made from the lists in proto/records.h, so that no column is named twice. The
 * statements below are for SQLite (D1 and mirror.db), those in mirror_postgres.h for PostgreSQL;
 * the schema is made here for both.
 *
 * Every table has one more column than the store's, `version`: a statement changes a row only if it
 * brings a higher version. So any statement may be sent twice, late, or by two workers.
 *
 * No foreign key is enforced in a mirror that convkeep made, because a row may arrive before the
 * row it points to. The predecessor's databases enforce theirs. mirror.db declares its references
 * all the same: other tools show them as links, and its own connections do not enforce them. */
#ifndef SYNCD_MIRROR_H
#define SYNCD_MIRROR_H

#include "proto/records.h"

enum ck_mirror_dialect {
  CK_MIRROR_SQLITE, /* D1, which enforces every foreign key */
  CK_MIRROR_POSTGRES,
  CK_MIRROR_EMBEDDED /* mirror.db: as SQLITE, with references, and with views that show times as
                        text */
};

/* Appends the statements that make an empty database ready, each ending with ";\n". extra: also the
 * indexes that the predecessor has besides, each with a comment that says what it costs. */
void ck_mirror_schema(struct ck_buf *sql, enum ck_mirror_dialect dialect, bool extra);

/* What there is of the six tables in a mirror. Zero-initialise. */
struct ck_mirror_table {
  bool there, old; /* old: not STRICT, so the predecessor made it */
  unsigned columns, indexes, defaults;
  bool version, unique[2]; /* unique indexes: on the key; on ck_uniques */
};
struct ck_mirror_there {
  struct ck_mirror_table table[CK_TABLES];
  bool witness; /* the table of mirror_witness.h */
};
/* Appends the query of what there is in a SQLite database. Its rows are kind, table, name, more. */
void ck_mirror_what_is_there(struct ck_buf *sql);
/* Notes one thing that there is. kind: "column" (more: "0" if the table is not STRICT), "default"
 * (of a column), "unique" or "index" (more: the columns). */
void ck_mirror_note(struct ck_mirror_there *m, enum ck_table t, struct ck_str kind,
                    struct ck_str name, struct ck_str more);
/* Appends the statements that the table still needs and, in words, what they make; extra: also the
 * indexes that the predecessor has besides, and the DEFAULTs where they can be added. The foreign
 * keys and indexes that are there stay. Returns how many there are. */
unsigned ck_mirror_missing(struct ck_buf *sql, struct ck_buf *what, enum ck_mirror_dialect dialect,
                           enum ck_table t, const struct ck_mirror_there *m, bool extra);

/* Appends, in words, what an index costs whoever pays for rows written. */
void ck_mirror_index_cost(struct ck_buf *words, const struct ck_index *index);

/* Appends the query of the rows that are in the way of a unique index, for every dialect. of_key:
 * on the key; else on ck_uniques. Its rows, at most `limit`, are the key, what it shares with
 * others, and how many such rows there are in all, as texts. */
void ck_mirror_in_the_way(struct ck_buf *sql, enum ck_table t, bool of_key, size_t limit);

/* Appends the table of the witness if it is missing. Returns whether it is. */
bool ck_mirror_witness_missing(struct ck_buf *sql, enum ck_mirror_dialect dialect,
                               const struct ck_mirror_there *m);

/* Appends the upsert of many rows. ?1: a JSON array of arrays, each with the columns in the list's
 * order and then the version. Existing rows with the same or a higher version stay. */
void ck_mirror_upsert(struct ck_buf *sql, enum ck_table t);

/* The same for one row from bound values: ?1 … are the columns, then the version. Integers may be
 * bound as decimal text, which JSON numbers beyond 2^53 need. For rows that do not fit into one
 * JSON parameter, and for SQLite before 3.45, whose JSON functions end a text at U+0000. */
void ck_mirror_upsert_one(struct ck_buf *sql, enum ck_table t);

/* Appends the statement that deletes the rows of t that rows of CK_FORGOTTEN say are gone, with
 * what belongs to them; for many, and for one. The parameters are those of the upsert of these
 * rows, after which it goes, for the last table first. A row of a higher version stays: it was
 * taken in again. And no upsert brings a row back that is at a lower version than what says it is
 * gone. */
void ck_mirror_forget(struct ck_buf *sql, enum ck_table t);
void ck_mirror_forget_one(struct ck_buf *sql, enum ck_table t);

/* How careful a retry is, after a plain upsert failed. */
enum ck_mirror_caution {
  CK_CAUTION_NONE,
  CK_CAUTION_UNIQUE, /* conflicts over what is unique: ck_mirror_release goes first, and a row is
                        skipped if a newer record has what is unique of it */
  CK_CAUTION_PARENTS /* the same, and rows are skipped whose parents are not in the mirror yet: for
                        databases with foreign keys */
};
/* CK_CAUTION_UNIQUE, for many rows and for one; CK_CAUTION_PARENTS, for many. The parameters are
 * those of ck_mirror_upsert and ck_mirror_upsert_one. */
void ck_mirror_upsert_unique(struct ck_buf *sql, enum ck_table t);
void ck_mirror_upsert_unique_one(struct ck_buf *sql, enum ck_table t);
void ck_mirror_upsert_cautious(struct ck_buf *sql, enum ck_table t);

/* Only for tables with a ck_release_column. Appends the statement that goes before such an upsert,
 * with the same parameters: if a record of a lower version has what is unique of one of the rows,
 * its column is set to NULL. That record released it in the database too, and its own newer state
 * is on its way. */
void ck_mirror_release(struct ck_buf *sql, enum ck_table t);
void ck_mirror_release_one(struct ck_buf *sql, enum ck_table t);

/* Appends the query that names the rows that ck_mirror_upsert_cautious skips for their parents, as
 * `place` (from 0) in ?1. */
void ck_mirror_orphans(struct ck_buf *sql, enum ck_table t);

/* ---- comparing and repairing (mirror_query.c) ---- */

/* Appends the query of the digests (proto/digest.h) of many ranges of keys. ?1: a JSON array of
 * [after, upto], upto null for "to the end". One row for each range in order, with `d`: "count sum
 * mix". longest: bytes of the longest key expected; of a longer one, what is beyond counts only by
 * its length. */
void ck_mirror_digests(struct ck_buf *sql, enum ck_table t, size_t longest);

/* Appends the query of the first `limit` keys and versions in such ranges, in order: `place` (of
 * the range, from 0), `k`, `v` (text). */
void ck_mirror_versions(struct ck_buf *sql, enum ck_table t, size_t limit);

/* Appends the query that names, as `place`, the rows of ?1 (as in ck_mirror_upsert) that are not in
 * the mirror with every column and that version. */
void ck_mirror_compare(struct ck_buf *sql, enum ck_table t);
/* The same for one row, with the parameters of ck_mirror_upsert_one: gives a row if it is not there
 * exactly so, else none. */
void ck_mirror_compare_one(struct ck_buf *sql, enum ck_table t);

/* Appends the statement that sets the version of rows to 0 or, with `gone`, deletes them. ?1: a
 * JSON array of [key, version]. A row that has another version by now stays. */
void ck_mirror_reset(struct ck_buf *sql, enum ck_table t, bool gone);

#endif

/* verify and repair: database and mirror compared while both are written to.
 *
 *   ranges of 1,024 records ──► ranges of 32 ──► each key and version ──► wrong, or under way
 *        digests differ          digests differ                               │  looked at again when the cursor has passed it
 *
 * What differs at first may only be under way; so nothing is said before keys and versions were read in this order: the cursor; the mirror; the database. A
 * record that is then at or below the cursor has not changed since, so the mirror had to have exactly that version. One above it is under way.
 */
#ifndef SYNCD_VERIFY_H
#define SYNCD_VERIFY_H

#include "syncd/tasks/task.h"

/* A range of keys that has to be looked at more closely: (after, upto], upto empty: to the end. */
struct verify_span {
  struct ck_str after, upto;
  uint64_t rows; /* here and there together, about */
};

struct verify_spans {
  struct ck_arena arena; /* of the keys */
  struct verify_span *at;
  size_t n, cap, longest, bytes;
  uint64_t rows;
};

/* missing: the mirror has no such row. other: it has another version. extra: the database has no
 * such record. different: the version is right, a column is not.
 */
enum verify_how { VERIFY_MISSING, VERIFY_OTHER, VERIFY_EXTRA, VERIFY_DIFFERENT, VERIFY_HOWS };

struct verify_finding {
  enum verify_how how;
  struct ck_str key;
  uint64_t version;       /* in the database; 0: not there */
  int64_t mirror_version; /* 0: not there */
};

struct verify_row {
  enum ck_table table;
  struct ck_str key;
  int64_t version;
};

struct verify_rows {
  struct ck_arena arena; /* of the keys */
  struct verify_row *at;
  size_t n, cap;
};

struct verify {
  struct sync_task *t;
  bool deep, mend;
  bool last;           /* what was mended is looked at once more; what is found now is left */
  bool old[CK_TABLES]; /* the predecessor made the table: rows of version 0 that are nowhere here
                          are its own */
  enum ck_table table;
  struct verify_spans middle, leaves;   /* of `table` */
  struct verify_spans again[CK_TABLES]; /* under way when they were looked at */
  struct verify_spans mended[CK_TABLES];
  bool mirrored;            /* a worker runs: what is under way will arrive */
  uint64_t needed;          /* the cursor at which all that was under way must have arrived */
  struct verify_rows dead;  /* dead letters, sorted */
  struct verify_rows extra; /* to be deleted when all else is mended */
  uint64_t records, done, total, said;
  uint64_t found[VERIFY_HOWS], under_way, dead_letters, kept, written, left;
};

/* 0 the mirror is as it should be (or was mended), 1 not all is; -1 with the reason. mend: what is
 * wrong is written (repair). */
int sync_verify(struct sync_task *t, bool deep, bool mend, struct ck_err *err);

/* ---- verify_span.c ---- */
/* By the bytes of the keys, as both sides sort them. */
int verify_order(struct ck_str a, struct ck_str b);
void verify_span_add(struct verify_spans *s, struct ck_str after, struct ck_str upto, uint64_t rows,
                     size_t longest);
void verify_spans_clear(struct verify_spans *s);
void verify_spans_free(struct verify_spans *s);
void verify_row_add(struct verify_rows *r, enum ck_table t, struct ck_str key, int64_t version);
void verify_rows_free(struct verify_rows *r);

/* ---- verify_leaf.c ---- */
/* Reads keys and versions of spans of v->table, decides, says what is wrong, and has it mended. */
int verify_leaves(struct verify *v, const struct verify_spans *spans, struct ck_err *err);
/* Reads the dead letters: what they name is known, not missing. */
int verify_read_dead(struct verify *v, struct ck_err *err);
/* Says and counts it. */
void verify_say(struct verify *v, const struct verify_finding *f);
/* All rows of the mirror in the spans, in their order; *place says for each which span it is in,
 * and is the caller's (free). */
int verify_read_mirror(struct verify *v, const struct verify_spans *spans, struct verify_rows *rows,
                       size_t **place, struct ck_err *err);

/* ---- verify_mend.c ---- */
/* Writes the records of v->table that were found in the span (ascending by key), as they are now;
 * notes extra rows for verify_delete. */
int verify_mend(struct verify *v, const struct verify_span *span,
                const struct verify_finding *found, size_t n, struct ck_err *err);
int verify_delete(struct verify *v, struct ck_err *err);
/* The records in an answer to RANGE as a batch, which borrows from `frame`. */
int verify_batch(struct sync_batch *b, struct ck_buf *frame, const struct ck_ranges *a,
                 struct ck_err *err);

/* ---- verify_deep.c ---- */
/* Every column of every record, from where an earlier run was interrupted. */
int verify_deep(struct verify *v, struct ck_err *err);
/* The same of the records of v->table in the spans, once more. */
int verify_deep_again(struct verify *v, const struct verify_spans *spans, struct ck_err *err);

#endif

/* The tasks verify and repair: compare the mirror with the database while both are written to.
 *
 *   ranges of 1,024 records ──► ranges of 32 ──► each key and version ──► wrong, or under way
 *        digests differ          digests differ                               │
 *                                                  looked at again when the cursor has passed it
 *
 * A first difference may only be a change under way. So a row is called wrong only after keys and
 * versions were read in this order: the cursor; the mirror; the database. A record whose version is
 * then at or below the cursor has not changed since, so the mirror had to have exactly that
 * version. A record above the cursor is under way.
 */
#ifndef SYNCD_VERIFY_H
#define SYNCD_VERIFY_H

#include "syncd/tasks/task.h"

/* A range of keys to be looked at more closely: (after, upto]; upto empty: to the end. */
struct verify_range {
  struct ck_str after, upto;
  uint64_t rows; /* about how many, of both sides together */
};

struct verify_ranges {
  struct ck_arena arena; /* of the keys */
  struct verify_range *at;
  size_t n, cap;
  size_t longest, bytes; /* of the longest key; of all keys */
  uint64_t rows;         /* of all ranges */
};

/* missing: the mirror has no such row. other: it has another version. extra: the database has no
 * such record. different: the version is right, but a column is not. */
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
  bool deep, repair;
  bool last; /* the final pass over repaired ranges: what is still wrong is reported as left, not
                repaired */
  bool old[CK_TABLES]; /* the predecessor made the table: rows of version 0 that the database does
                          not have are its own */
  enum ck_table table;
  struct verify_ranges to_refine, to_read; /* of `table`: by finer digests; row by row */
  struct verify_ranges again[CK_TABLES];   /* had rows under way */
  struct verify_ranges repaired[CK_TABLES];
  bool mirrored;                 /* a worker is running: changes under way will arrive */
  uint64_t needed;               /* the cursor at which all that was under way has arrived */
  struct verify_rows dead;       /* the dead letters, sorted by table and key */
  struct verify_rows extra;      /* deleted once everything else is repaired */
  uint64_t records, done, total; /* compared; said as progress; in the database */
  uint64_t found[VERIFY_HOWS], under_way, dead_letters, kept, written, left;
};

/* Runs verify or (repair) repair, and says the result. 0: the mirror is as it should be, or
 * everything was repaired. 1: not everything is. -1 with the reason. */
int sync_verify(struct sync_task *t, bool deep, bool repair, struct ck_err *err);

/* ---- verify_ranges.c ---- */
/* Copies the keys. longest: bytes of the longest key expected in the range. */
void verify_range_add(struct verify_ranges *s, struct ck_str after, struct ck_str upto,
                      uint64_t rows, size_t longest);
void verify_ranges_clear(struct verify_ranges *s);
void verify_ranges_free(struct verify_ranges *s);
/* Copies the key. */
void verify_row_add(struct verify_rows *r, enum ck_table t, struct ck_str key, int64_t version);
void verify_rows_free(struct verify_rows *r);

/* ---- verify_rows.c ---- */
/* Compares the keys and versions of ranges of v->table, says what is wrong, and repairs it if asked
 * to. */
int verify_compare_rows(struct verify *v, const struct verify_ranges *ranges, struct ck_err *err);
/* Reads the dead letters: the versions they name are not missing. */
int verify_read_dead_letters(struct verify *v, struct ck_err *err);
/* Says and counts a finding. */
void verify_say(struct verify *v, const struct verify_finding *f);
/* Reads all rows of the mirror in the ranges, in order. (*place)[i] is the range of row i; the
 * caller frees it. */
int verify_read_mirror(struct verify *v, const struct verify_ranges *ranges,
                       struct verify_rows *rows, size_t **place, struct ck_err *err);

/* ---- verify_repair.c ---- */
/* Writes the current records of v->table for the findings in the range (ascending by key). Notes
 * extra rows for verify_delete. */
int verify_repair(struct verify *v, const struct verify_range *range,
                  const struct verify_finding *found, size_t n, struct ck_err *err);
/* Deletes the extra rows from the mirror. */
int verify_delete(struct verify *v, struct ck_err *err);
/* Decodes the records in an answer to RANGE as a batch, which points into `frame`. */
int verify_batch(struct sync_batch *b, struct ck_buf *frame, const struct ck_ranges *a,
                 struct ck_err *err);
/* Cuts the batch into slices and hands them to `each`, until it fails. 0 or -1. */
typedef int verify_slice(struct verify *v, struct sync_slice *s, struct ck_err *err);
int verify_slices(struct verify *v, struct sync_batch *b, verify_slice *each, struct ck_err *err);

/* ---- verify_deep.c ---- */
/* Compares every column of every record, starting where an earlier run was interrupted. */
int verify_deep(struct verify *v, struct ck_err *err);
/* The same for the records of v->table in the ranges, after a repair. */
int verify_deep_again(struct verify *v, const struct verify_ranges *ranges, struct ck_err *err);

#endif

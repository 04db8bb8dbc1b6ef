/* Turns a batch into requests; pure. Orders the rows, parents first, and cuts them into slices by
 * bytes. Rows that the sink can never take are marked before anything is sent. */
#ifndef SYNCD_PLAN_H
#define SYNCD_PLAN_H

#include "syncd/batches/batch.h"
#include "syncd/sql/mirror.h"

/* The limits of a sink; 0: none. */
struct sync_limits {
  size_t text;  /* bytes of one text */
  size_t row;   /* bytes of one row */
  size_t param; /* bytes of a statement's JSON parameter; a larger row is sent alone, column by
                   column */
  bool json;    /* the sink takes rows as JSON */
  bool no_nul;  /* it cannot store U+0000 */
};

struct sync_slices {
  struct sync_slice *at;
  size_t n;
};

/* Marks rows that the sink can never take SYNC_ROW_DEAD, orders the others by table (parents first)
 * and version, makes their JSON if the sink wants it, and cuts them into slices. Free *out with
 * sync_slices_free. */
void sync_plan(struct sync_batch *b, const struct sync_limits *limits, struct sync_slices *out);
/* Frees the slices whose rows are not NULL, and the array. */
void sync_slices_free(struct sync_slices *s);

/* The statements of a slice: one upsert for each run of rows of the same table. With caution (enum
 * ck_mirror_caution), a release goes before it if another record may have what is unique, and a
 * query after it names the rows whose parents are missing. After what was forgotten come the
 * statements that delete it (`table` is then theirs). _ONE: for a single row that is sent column by
 * column. */
enum sync_statement_kind {
  SYNC_UPSERT,
  SYNC_UPSERT_ONE,
  SYNC_UPSERT_UNIQUE,
  SYNC_UPSERT_UNIQUE_ONE,
  SYNC_UPSERT_CAUTIOUS,
  SYNC_RELEASE,
  SYNC_RELEASE_ONE,
  SYNC_ORPHANS,
  SYNC_FORGET,
  SYNC_COMPARE,
  SYNC_COMPARE_ONE
};
struct sync_statement {
  enum sync_statement_kind kind;
  enum ck_table table;
  size_t from, n; /* its rows in the slice */
};
#define SYNC_STATEMENTS_MAX (4 * CK_TABLES)
/* Fills `out`; returns how many. */
size_t sync_statements(const struct sync_slice *s, const struct sync_limits *limits,
                       struct sync_statement out[SYNC_STATEMENTS_MAX]);
/* Appends its SQL. */
void sync_statement_sql(struct ck_buf *sql, const struct sync_statement *st);
/* The statement that names the rows of a slice, all of one table, that are not in the mirror
 * exactly as here. */
struct sync_statement sync_compare_statement(const struct sync_slice *s,
                                             const struct sync_limits *limits);

/* Appends the request's body: {"sql","params"} for one statement, {"batch":[…]} for several. The
 * last one is that of the witness, if the slice has one. */
void sync_plan_body(struct ck_buf *body, const struct sync_slice *s,
                    const struct sync_statement *st, size_t n);

#endif

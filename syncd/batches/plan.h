/* From a batch to what one request carries: pure. Rows are put in order, parents first, and cut by
 * bytes. Rows that the sink can never take are dead letters before anything is sent. */
#ifndef SYNCD_PLAN_H
#define SYNCD_PLAN_H

#include "syncd/sql/mirror.h"
#include "syncd/batches/batch.h"

/* What a sink takes; 0: no limit. */
struct sync_limits {
  size_t text;  /* bytes of one text */
  size_t row;   /* bytes of one row */
  size_t param; /* bytes of a statement's JSON parameter; a larger row goes alone, by columns */
  bool json;    /* the rows' JSON is wanted at all */
  bool no_nul;  /* it cannot store U+0000 */
};

struct sync_slices {
  struct sync_slice *at;
  size_t n;
};

/* Marks rows that the sink can never take SYNC_ROW_DEAD, orders the rest by table (parents first)
 * and version, makes its JSON and cuts it into slices. Free *out with sync_slices_free. */
void sync_plan(struct sync_batch *b, const struct sync_limits *limits, struct sync_slices *out);
/* Frees the slices that are still there (rows not NULL), and the array. */
void sync_slices_free(struct sync_slices *s);

/* The statements of a slice: one for each run of rows of a table. With care, there is one before it
 * where another record may have what is unique, and one after it that names the rows whose parents
 * are not there. */
enum sync_statement_kind {
  SYNC_UPSERT,
  SYNC_UPSERT_ONE,
  SYNC_UPSERT_UNIQUE,
  SYNC_UPSERT_UNIQUE_ONE,
  SYNC_UPSERT_CAUTIOUS,
  SYNC_RELEASE,
  SYNC_RELEASE_ONE,
  SYNC_ORPHANS,
  SYNC_COMPARE,
  SYNC_COMPARE_ONE
};
struct sync_statement {
  enum sync_statement_kind kind;
  enum ck_table table;
  size_t from, n; /* rows of the slice */
};
#define SYNC_STATEMENTS_MAX (3 * CK_TABLES)
/* Returns how many. */
size_t sync_statements(const struct sync_slice *s, const struct sync_limits *limits,
                       struct sync_statement out[SYNC_STATEMENTS_MAX]);
void sync_statement_sql(struct ck_buf *sql, const struct sync_statement *st);
/* The one statement that names which rows of a slice, all of one table, are not in the mirror as
 * they are here. */
struct sync_statement sync_compare_statement(const struct sync_slice *s,
                                             const struct sync_limits *limits);

/* Appends the request's body: {"sql","params"} for one statement, {"batch":[…]} for several. */
void sync_plan_body(struct ck_buf *body, const struct sync_slice *s,
                    const struct sync_statement *st, size_t n);

#endif

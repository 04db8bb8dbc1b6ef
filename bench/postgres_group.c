/* PostgreSQL with many changesets in a transaction; see postgres_group.h. */
#include "bench/postgres_group.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/common.h"
#include "bench/copy.h"
#include "proto/clock.h"

#define TEXT_OID 25
#define BIGINT_OID 20
/* The tables of a changeset, and the outbox. */
enum { OUTBOX = BENCH_ROWS, STATEMENTS };
#define COLUMNS_MAX (CK_COLUMNS_MAX + 1)

/* An array in PostgreSQL's binary format: a header whose fourth number is the number of values;
 * then each value after its length (-1 for NULL). */
struct column {
  struct ck_buf bytes;
  uint32_t values;
};
#define COUNT_AT 12

/* The parameters of one transaction. */
struct group {
  struct column columns[STATEMENTS][COLUMNS_MAX];
};

struct sending {
  PGconn *conn;
  int columns[STATEMENTS]; /* including the version */
  struct group *groups;
  size_t n;
  int64_t version;
};

/* ---- parameters ---- */

static void put_number(struct ck_buf *b, uint64_t value, int bytes) {
  char out[8];
  for (int i = 0; i < bytes; ++i) out[i] = (char)(value >> 8 * (bytes - 1 - i) & 0xff);
  ck_buf_add(b, out, (size_t)bytes);
}

static void put_header(struct column *c, bool is_int) {
  const uint32_t header[] = {1, 1, is_int ? BIGINT_OID : TEXT_OID, 0, 1};
  for (size_t i = 0; i < sizeof header / sizeof *header; ++i) put_number(&c->bytes, header[i], 4);
}

static void put_value(struct column *c, const struct ck_value *v) {
  if (!c->bytes.len) bench_fail("a column without a header");
  ++c->values;
  if (v->state == CK_INT) {
    put_number(&c->bytes, 8, 4);
    put_number(&c->bytes, (uint64_t)v->as.i, 8);
  } else if (v->state == CK_TEXT) {
    put_number(&c->bytes, v->as.s.n, 4);
    ck_buf_str(&c->bytes, v->as.s);
  } else {
    put_number(&c->bytes, UINT32_MAX, 4);
  }
}

static void begin_columns(const struct bench_rows *rows, struct group *g) {
  for (int k = 0; k < BENCH_ROWS; ++k) {
    const struct ck_table_info *t = &ck_tables[rows->at[0][k].table];
    for (int c = 0; c < t->columns; ++c)
      put_header(&g->columns[k][c], ck_kind_is_int(t->fields[c].kind));
    put_header(&g->columns[k][t->columns], true);
  }
  put_header(&g->columns[OUTBOX][0], false);
  put_header(&g->columns[OUTBOX][1], false);
}

static void put_row(struct sending *s, struct group *g, int k, const struct ck_row *row) {
  const struct ck_table_info *t = &ck_tables[row->table];
  struct ck_value version = ck_int(++s->version), name = ck_textz(t->name);
  for (int c = 0; c < t->columns; ++c) put_value(&g->columns[k][c], &row->v[c]);
  put_value(&g->columns[k][t->columns], &version);
  put_value(&g->columns[OUTBOX][0], &name);
  put_value(&g->columns[OUTBOX][1], &row->v[t->key]);
}

/* Fills in the number of values, known only at the end. */
static void end_columns(struct group *g) {
  for (int k = 0; k < STATEMENTS; ++k)
    for (int c = 0; c < COLUMNS_MAX; ++c) {
      struct column *column = &g->columns[k][c];
      for (int i = 0; i < 4 && column->bytes.len; ++i)
        column->bytes.data[COUNT_AT + i] = (char)(column->values >> 8 * (3 - i) & 0xff);
    }
}

static void make_groups(struct sending *s, const struct bench_rows *rows, unsigned per_commit) {
  struct bench_group once = bench_group_new(rows);
  s->n = (rows->n + per_commit - 1) / per_commit;
  s->groups = ck_zalloc(s->n * sizeof *s->groups);
  for (size_t i = 0; i < s->n; ++i) {
    size_t from = i * per_commit, to = from + per_commit < rows->n ? from + per_commit : rows->n;
    struct group *g = &s->groups[i];
    begin_columns(rows, g);
    bench_group_make(&once, rows, from, to);
    for (size_t k = from; k < to; ++k) put_row(s, g, 0, &rows->at[k][0]);
    for (int k = 1; k < BENCH_ROWS; ++k)
      for (size_t c = 0; c < once.n; ++c) {
        struct ck_row row = bench_group_row(&once, c, k);
        put_row(s, g, k, &row);
      }
    end_columns(g);
  }
  bench_group_free(&once);
}

static void free_groups(struct sending *s) {
  for (size_t i = 0; i < s->n; ++i)
    for (int k = 0; k < STATEMENTS; ++k)
      for (int c = 0; c < COLUMNS_MAX; ++c) ck_buf_free(&s->groups[i].columns[k][c].bytes);
  free(s->groups);
}

/* ---- statements ---- */

static const char *statement_name(int k) {
  static const char *const names[STATEMENTS] = {"s0", "s1", "s2", "s3", "outbox"};
  return names[k];
}

static void prepare(struct sending *s, int k, struct ck_buf *sql) {
  PGresult *r = PQprepare(s->conn, statement_name(k), ck_buf_cstr(sql), 0, NULL);
  if (PQresultStatus(r) != PGRES_COMMAND_OK) bench_fail("PostgreSQL: %s", PQresultErrorMessage(r));
  PQclear(r);
  ck_buf_free(sql);
}

static void prepare_table(struct sending *s, int k, enum ck_table table) {
  const struct ck_table_info *t = &ck_tables[table];
  struct ck_buf sql = {0};
  ck_buf_printf(&sql, "INSERT INTO %s SELECT * FROM unnest(", t->name);
  for (int c = 0; c < t->columns; ++c)
    ck_buf_printf(&sql, "$%d::%s[], ", c + 1,
                  ck_kind_is_int(t->fields[c].kind) ? "bigint" : "text");
  ck_buf_printf(&sql, "$%d::bigint[]) %s", t->columns + 1, bench_merges[k] ? bench_merges[k] : "");
  s->columns[k] = t->columns + 1;
  prepare(s, k, &sql);
}

static void prepare_all(struct sending *s, const struct bench_rows *rows) {
  struct ck_buf sql = {0};
  for (int k = 0; k < BENCH_ROWS; ++k) prepare_table(s, k, rows->at[0][k].table);
  ck_buf_text(&sql,
              "INSERT INTO outbox (tbl, record_id) SELECT * FROM unnest($1::text[], $2::text[])");
  s->columns[OUTBOX] = 2;
  prepare(s, OUTBOX, &sql);
}

/* ---- sending ---- */

static void send_statement(struct sending *s, int k, const struct column *columns) {
  const char *values[COLUMNS_MAX];
  int lengths[COLUMNS_MAX], formats[COLUMNS_MAX];
  for (int c = 0; c < s->columns[k]; ++c) {
    values[c] = columns[c].bytes.data;
    lengths[c] = (int)columns[c].bytes.len;
    formats[c] = 1;
  }
  if (PQsendQueryPrepared(s->conn, statement_name(k), s->columns[k], values, lengths, formats, 1) !=
      1)
    bench_fail("PostgreSQL: %s", PQerrorMessage(s->conn));
}

/* The statements between two syncs of a pipeline are one transaction. */
static void send_group(struct sending *s, const struct group *g) {
  for (int k = 0; k < STATEMENTS; ++k) send_statement(s, k, g->columns[k]);
  if (PQpipelineSync(s->conn) != 1) bench_fail("PostgreSQL: %s", PQerrorMessage(s->conn));
  for (bool synced = false; !synced;) {
    PGresult *r = PQgetResult(s->conn);
    if (!r) continue; /* the end of one statement's results */
    synced = PQresultStatus(r) == PGRES_PIPELINE_SYNC;
    if (!synced && PQresultStatus(r) != PGRES_COMMAND_OK)
      bench_fail("PostgreSQL: %s", PQresultErrorMessage(r));
    PQclear(r);
  }
}

double bench_postgres_group(struct bench_postgres *p, const struct bench_load *load,
                            unsigned per_commit) {
  struct bench_rows rows = bench_rows_of(load);
  struct sending s = {.conn = copy_connect(bench_postgres_folder(p), "postgres")};
  make_groups(&s, &rows, per_commit);
  prepare_all(&s, &rows);
  bench_postgres_empty(p);
  bench_calm();
  if (PQenterPipelineMode(s.conn) != 1) bench_fail("PostgreSQL: no pipeline");
  int64_t began = ck_mono_us();
  for (size_t i = 0; i < s.n; ++i) send_group(&s, &s.groups[i]);
  double rate = (double)load->n * 1e6 / (double)(ck_mono_us() - began);
  PQexitPipelineMode(s.conn);
  if (copy_number(s.conn, "SELECT count(*) FROM messages") != (int64_t)load->n)
    bench_fail("PostgreSQL: messages are missing");
  PQfinish(s.conn);
  free_groups(&s);
  bench_rows_free(&rows);
  return rate;
}

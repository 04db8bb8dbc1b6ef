/* COPY and upsert into PostgreSQL; see copy.h. */
#include "bench/copy.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/clock.h"
#include "syncd/sql/mirror.h"

/* COPY's binary format starts with a signature, flags and the length of an extension, and ends with
 * -1 in place of a row's number of columns. */
static const char header[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0", trailer[] = "\377\377";
#define HEADER_BYTES sizeof header /* with the array's NUL, which completes the header */
#define TRAILER_BYTES 2

/* ---- the connection ---- */

static void silent(void *self, const PGresult *result) { (void)self, (void)result; }

static PGresult *ask(PGconn *conn, const char *sql) {
  PGresult *r = PQexec(conn, sql);
  ExecStatusType status = PQresultStatus(r);
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_COPY_IN &&
      status != PGRES_COPY_OUT)
    bench_fail("PostgreSQL says %s to %s", PQresultErrorMessage(r), sql);
  return r;
}

void copy_sql(PGconn *conn, const char *sql) { PQclear(ask(conn, sql)); }

int64_t copy_number(PGconn *conn, const char *sql) {
  PGresult *r = ask(conn, sql);
  int64_t n = PQntuples(r) ? strtoll(PQgetvalue(r, 0, 0), NULL, 10) : 0;
  PQclear(r);
  return n;
}

PGconn *copy_connect(const char *folder, const char *database) {
  const char *names[] = {"host", "user", "dbname", NULL},
             *values[] = {folder, "postgres", database, NULL};
  PGconn *conn = PQconnectdbParams(names, values, 0);
  if (PQstatus(conn) != CONNECTION_OK) bench_fail("PostgreSQL: %s", PQerrorMessage(conn));
  PQsetNoticeReceiver(conn, silent, NULL);
  return conn;
}

static void sql_of(PGconn *conn, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void sql_of(PGconn *conn, const char *fmt, ...) {
  char sql[256];
  va_list args;
  va_start(args, fmt);
  vsnprintf(sql, sizeof sql, fmt, args);
  va_end(args);
  copy_sql(conn, sql);
}

void copy_drop(const char *folder, const char *name) {
  PGconn *conn = copy_connect(folder, "postgres");
  sql_of(conn, "DROP DATABASE %s WITH (FORCE)", name);
  PQfinish(conn);
}

PGconn *copy_database(const char *folder, const char *name) {
  struct ck_buf sql = {0};
  PGconn *conn = copy_connect(folder, "postgres");
  sql_of(conn, "CREATE DATABASE %s", name);
  PQfinish(conn);
  conn = copy_connect(folder, name);
  ck_mirror_schema(&sql, CK_MIRROR_POSTGRES, false);
  copy_sql(conn, ck_buf_cstr(&sql));
  ck_buf_free(&sql);
  return conn;
}

/* ---- reading ---- */

/* The last version of each transaction that wrote messages. */
static size_t read_ends(PGconn *mirror, uint64_t **ends) {
  PGresult *r = ask(mirror, "SELECT max(version) FROM messages GROUP BY xmin ORDER BY 1");
  size_t n = (size_t)PQntuples(r);
  *ends = ck_alloc((n + 1) * sizeof **ends);
  for (size_t i = 0; i < n; ++i) (*ends)[i] = strtoull(PQgetvalue(r, (int)i, 0), NULL, 10);
  PQclear(r);
  return n;
}

static uint64_t version_in(const char *row, size_t n) {
  uint64_t version = 0;
  for (size_t i = n - 8; i < n; ++i) version = version << 8 | (unsigned char)row[i];
  return version;
}

/* Rows are copied unchanged; the first one has the header before it. */
static void read_table(PGconn *mirror, enum ck_table t, const uint64_t *ends,
                       struct copy_load *load) {
  char *row;
  int n;
  sql_of(mirror, "COPY (SELECT * FROM %s ORDER BY version) TO STDOUT (FORMAT binary)",
         ck_tables[t].name);
  size_t part = 0, skip = HEADER_BYTES;
  while ((n = PQgetCopyData(mirror, &row, 0)) > 0) {
    struct ck_str bytes = {row + skip, (size_t)n - skip};
    if (bytes.n > TRAILER_BYTES) {
      while (part + 1 < load->n && version_in(bytes.s, bytes.n) > ends[part]) ++part;
      struct ck_buf *b = &load->parts[part].table[t];
      if (!b->len) ck_buf_add(b, header, HEADER_BYTES);
      ck_buf_str(b, bytes);
      ++load->rows;
    }
    skip = 0;
    PQfreemem(row);
  }
  PGresult *r = PQgetResult(mirror);
  if (n != -1 || PQresultStatus(r) != PGRES_COMMAND_OK)
    bench_fail("PostgreSQL: %s", PQerrorMessage(mirror));
  PQclear(r);
  while ((r = PQgetResult(mirror))) PQclear(r);
}

struct copy_load copy_read(PGconn *mirror, bool once) {
  uint64_t *ends = NULL;
  size_t n = read_ends(mirror, &ends);
  struct copy_load load = {.n = once || !n ? 1 : n};
  load.parts = ck_zalloc(load.n * sizeof *load.parts);
  for (enum ck_table t = 0; t < CK_TABLES; ++t) read_table(mirror, t, ends, &load);
  for (size_t i = 0; i < load.n; ++i)
    for (enum ck_table t = 0; t < CK_TABLES; ++t)
      if (load.parts[i].table[t].len) ck_buf_add(&load.parts[i].table[t], trailer, TRAILER_BYTES);
  free(ends);
  return load;
}

void copy_free(struct copy_load *load) {
  for (size_t i = 0; i < load->n; ++i)
    for (enum ck_table t = 0; t < CK_TABLES; ++t) ck_buf_free(&load->parts[i].table[t]);
  free(load->parts);
  *load = (struct copy_load){0};
}

/* ---- writing ---- */

static void make_upsert(struct ck_buf *sql, enum ck_table t) {
  const struct ck_table_info *info = &ck_tables[t];
  const char *key = info->fields[info->key].name;
  ck_buf_printf(sql, "INSERT INTO %s SELECT * FROM staging_%s ON CONFLICT (%s) DO UPDATE SET ",
                info->name, info->name, key);
  for (int c = 0; c < info->mirrored; ++c)
    if (c != info->key)
      ck_buf_printf(sql, "%s = excluded.%s, ", info->fields[c].name, info->fields[c].name);
  ck_buf_printf(sql, "version = excluded.version WHERE excluded.version > %s.version", info->name);
}

static void copy_table(PGconn *conn, enum ck_table t, const struct ck_buf *rows,
                       const char *upsert) {
  sql_of(conn, "COPY staging_%s FROM STDIN (FORMAT binary)", ck_tables[t].name);
  if (PQputCopyData(conn, rows->data, (int)rows->len) != 1 || PQputCopyEnd(conn, NULL) != 1)
    bench_fail("PostgreSQL: %s", PQerrorMessage(conn));
  for (PGresult *r; (r = PQgetResult(conn)); PQclear(r))
    if (PQresultStatus(r) != PGRES_COMMAND_OK)
      bench_fail("PostgreSQL: %s", PQresultErrorMessage(r));
  copy_sql(conn, upsert);
}

static void copy_part(PGconn *conn, const struct copy_part *p, struct ck_buf upserts[CK_TABLES]) {
  copy_sql(conn, "BEGIN");
  for (enum ck_table t = 0; t < CK_TABLES; ++t)
    if (p->table[t].len) copy_table(conn, t, &p->table[t], ck_buf_cstr(&upserts[t]));
  copy_sql(conn, "COMMIT");
}

double copy_run(PGconn *conn, const struct copy_load *load) {
  struct ck_buf upserts[CK_TABLES] = {0};
  for (enum ck_table t = 0; t < CK_TABLES; ++t) {
    make_upsert(&upserts[t], t);
    sql_of(conn, "CREATE TEMP TABLE staging_%s (LIKE %s) ON COMMIT DELETE ROWS", ck_tables[t].name,
           ck_tables[t].name);
  }
  bench_calm();
  int64_t began = ck_mono_us();
  for (size_t i = 0; i < load->n; ++i) copy_part(conn, &load->parts[i], upserts);
  double rate = (double)load->rows * 1e6 / (double)(ck_mono_us() - began);
  for (enum ck_table t = 0; t < CK_TABLES; ++t) ck_buf_free(&upserts[t]);
  return rate;
}

/* The plain way to bring rows into the mirror in PostgreSQL: COPY into a staging table, then one
 * upsert with the mirror's guard. What syncd is measured against. One connection to the server of
 * bench/postgres.h, over its Unix socket. */
#ifndef BENCH_COPY_H
#define BENCH_COPY_H

#include <libpq-fe.h>

#include "bench/common.h"
#include "proto/records.h"

/* Connects to a database of the server whose socket is in this folder. End with PQfinish. */
PGconn *copy_connect(const char *folder, const char *database);
/* Makes a database with the mirror's tables and connects to it. End with PQfinish. */
PGconn *copy_database(const char *folder, const char *name);
void copy_drop(const char *folder, const char *name);
/* Runs statements; fails unless PostgreSQL takes them. */
void copy_sql(PGconn *conn, const char *sql);
/* The one number that a query gives; 0 when there is no row. */
int64_t copy_number(PGconn *conn, const char *sql);

/* All rows of a mirror, as COPY's binary format has them, cut into transactions. */
struct copy_load {
  struct copy_part {
    struct ck_buf table[CK_TABLES]; /* empty: no rows */
  } * parts;
  size_t n, rows;
};
/* once: all rows in one transaction; else in those in which their messages were written. Free with
 * copy_free. */
struct copy_load copy_read(PGconn *mirror, bool once);
void copy_free(struct copy_load *load);

/* Brings them into the mirror's tables there, one part after another. Returns rows a second. */
double copy_run(PGconn *conn, const struct copy_load *load);

#endif

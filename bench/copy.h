/* The plain way to bring rows into the mirror in PostgreSQL, against which syncd is measured: COPY
 * into a staging table, then one upsert with the mirror's guard. Uses one connection to the server
 * of bench/postgres.h, over its Unix socket. */
#ifndef BENCH_COPY_H
#define BENCH_COPY_H

#include <libpq-fe.h>

#include "bench/common.h"
#include "proto/records.h"

/* Connects to a database of the server whose socket is in this folder. The caller calls PQfinish.
 */
PGconn *copy_connect(const char *folder, const char *database);
/* Creates a database with the mirror's tables and connects to it. The caller calls PQfinish. */
PGconn *copy_database(const char *folder, const char *name);
void copy_drop(const char *folder, const char *name);
/* Runs statements; fails if PostgreSQL refuses them. */
void copy_sql(PGconn *conn, const char *sql);
/* The number that a query returns; 0 if it returns no row. */
int64_t copy_number(PGconn *conn, const char *sql);

/* All rows of a mirror in COPY's binary format, divided into transactions. */
struct copy_load {
  struct copy_part {
    struct ck_buf table[CK_TABLES]; /* empty: no rows */
  } * parts;
  size_t n, rows;
};
/* Reads them. once: as one transaction; otherwise as the transactions that wrote the messages. Free
 * with copy_free. */
struct copy_load copy_read(PGconn *mirror, bool once);
void copy_free(struct copy_load *load);

/* Writes them to the mirror's tables of another database, one part after another. Returns rows a
 * second. */
double copy_run(PGconn *conn, const struct copy_load *load);

#endif

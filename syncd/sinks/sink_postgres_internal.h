/* Shared by the two files of the postgres sink: statements that were sent, and what comes back for
 * them. For these two only. */
#ifndef SYNCD_SINK_POSTGRES_INTERNAL_H
#define SYNCD_SINK_POSTGRES_INTERNAL_H

#include <libpq-fe.h>

#include "syncd/sinks/sink.h"

/* libpq's sslmode for a host, or for several separated by commas: "disable" if all are Unix
 * sockets, "prefer" if the others are loopback, else "verify-full". An empty host is neither. */
const char *pg_ssl_mode(const char *hosts);
/* The same for a connection that is made now: libpq's own defaults may name another address. */
const char *pg_ssl_mode_here(const char *hosts);

/* The purpose of a result. */
enum pg_use {
  PG_NOTHING, /* BEGIN, the lock, COMMIT, ROLLBACK */
  PG_WRITTEN, /* counts the rows that were written */
  PG_ORPHANS, /* places of rows that were skipped */
  PG_PLACES,  /* places of rows that differ */
  PG_DIGESTS,
  PG_VERSIONS,
  PG_CELLS /* of SYNC_QUERY_SQL */
};

struct pg_expected {
  enum pg_use use;
  size_t from, n; /* the rows of the slice that it concerns */
};

#define PG_EXPECTED_MAX (5 * CK_TABLES + 5)

/* One request: a slice or a question, the results expected for its statements, and how many have
 * come. */
struct pg_request {
  struct sync_slice *slice;
  struct sync_query *query;
  struct pg_expected expected[PG_EXPECTED_MAX];
  size_t count, at;
};

/* Sends the whole request; libpq keeps a copy until it has gone out. False: the connection says
 * why. */
bool pg_send(PGconn *conn, struct pg_request *r);
/* Takes a result for expected[at]. False if it does not fit. */
bool pg_take(struct pg_request *r, PGresult *result, struct sync_answer *a);

#endif

/* What the two files of the postgres sink share: statements on their way, and what comes back. */
#ifndef SYNCD_SINK_POSTGRES_INTERNAL_H
#define SYNCD_SINK_POSTGRES_INTERNAL_H

#include <libpq-fe.h>

#include "syncd/sinks/sink.h"

/* libpq's sslmode for a host, or several with commas between: "disable" over Unix sockets,
 * "prefer" where every other one is loopback, else "verify-full". An empty host is none of them. */
const char *pg_ssl_mode(const char *hosts);
/* The same for a connection that begins now: libpq's own defaults may name another address. */
const char *pg_ssl_mode_here(const char *hosts);

/* What an answer is for. */
enum pg_use {
  PG_NOTHING, /* BEGIN, COMMIT, ROLLBACK */
  PG_WRITTEN, /* counts the rows that were written */
  PG_ORPHANS, /* places of rows that were passed over */
  PG_PLACES,  /* places of rows that differ */
  PG_DIGESTS,
  PG_VERSIONS,
  PG_CELLS /* of an SQL ask */
};

struct pg_expected {
  enum pg_use use;
  size_t from, n; /* the rows of the slice that it is about */
};

#define PG_EXPECTED_MAX (4 * CK_TABLES + 4)

/* One request: what has been sent in one pipeline, and how far the answers are. */
struct pg_request {
  struct sync_slice *slice;
  struct sync_ask *ask;
  struct pg_expected expected[PG_EXPECTED_MAX];
  size_t count, at;
};

/* Sends the whole request (libpq keeps it until it has gone). False: the connection says why. */
bool pg_send(PGconn *conn, struct pg_request *r);
/* Takes what answers expected[at]. False when it does not fit. */
bool pg_take(struct pg_request *r, PGresult *result, struct sync_answer *a);

#endif

/* PostgreSQL as it would usually be used for the same work: the records' tables and indexes, an
 * outbox row for every record that changes, one transaction per changeset, run by pgbench. The
 * server is private to the measurement, durable (fsync, synchronous_commit), otherwise with default
 * settings, and listens only on a Unix socket in its folder. */
#ifndef BENCH_POSTGRES_H
#define BENCH_POSTGRES_H

#include <stdbool.h>

struct bench_postgres;

/* Creates a database cluster in a new data folder and starts the server, which dies with this
 * process. initdb refuses to run as root; for root, the server runs as the user `postgres`, who
 * must be able to reach the folder. */
struct bench_postgres *bench_postgres_start(void);
/* The folder of its Unix socket, valid until the server is stopped. Connect as `postgres`, without
 * a password. */
const char *bench_postgres_folder(const struct bench_postgres *p);
/* "PostgreSQL 15.4". */
const char *bench_postgres_version(void);
/* Empties all tables. */
void bench_postgres_empty(struct bench_postgres *p);
/* Empties all tables, then `clients` clients send one changeset after another for `seconds`
 * seconds. Returns changesets a second. */
double bench_postgres_run(struct bench_postgres *p, unsigned clients, unsigned seconds);
void bench_postgres_stop(struct bench_postgres **p);

#endif

/* PostgreSQL as one would use it for the same work: the records' tables and indexes, an outbox row
 * for every record that changes, one transaction a changeset, by pgbench. A server of its own,
 * durable (fsync, synchronous_commit), else as it comes; it listens on a Unix socket in its folder
 * and nowhere else. */
#ifndef BENCH_POSTGRES_H
#define BENCH_POSTGRES_H

#include <stdbool.h>

struct bench_postgres;

/* Makes a database in a folder of its own beside the measurements' folders and starts the server.
 * initdb refuses root: as root, the server runs as the user `postgres`, who must then be able to
 * reach the folder. It dies with this process. */
struct bench_postgres *bench_postgres_start(void);
/* Where its Unix socket is; valid until it is stopped. The user is `postgres`, who needs no
 * password. */
const char *bench_postgres_folder(const struct bench_postgres *p);
/* "PostgreSQL 15.4". */
const char *bench_postgres_version(void);
void bench_postgres_empty(struct bench_postgres *p); /* all tables */
/* Empties all tables, then so many clients send one changeset after another for so many seconds.
 * Returns changesets a second. */
double bench_postgres_run(struct bench_postgres *p, unsigned clients, unsigned seconds);
void bench_postgres_stop(struct bench_postgres **p);

#endif

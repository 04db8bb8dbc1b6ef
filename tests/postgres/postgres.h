/* Debian's PostgreSQL beside a ring in the test's folder: starting, asking, killing, and comparing
 * it. */
#ifndef TESTS_POSTGRES_POSTGRES_H
#define TESTS_POSTGRES_POSTGRES_H

#include "tests/mirror/mirror.h"

extern const struct mirror mirror_postgres;

#define PG_PASSWORD "secret-of-the-tests"

/* Makes a cluster (user `ring` with that password, database `mirror`), starts it on 127.0.0.1 at a
 * free port, and sets the settings for it (sync.sinks postgres, a short sync.backoff_max). For root
 * the server runs as the user `postgres`. */
void pg_start(void);
void pg_kill(void);  /* kill -9 of the postmaster; waits until its backends have ended */
void pg_again(void); /* starts it again: same port, same cluster */
void pg_stop(void);  /* the ring too */

/* Puts a faultproxy (mirror_proxy_say) before it. Call it before syncd starts. */
void pg_proxy(void);

/* Runs SQL as the superuser, in the database `mirror`; fails the test unless it succeeds. */
void pg_sql(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int64_t pg_int(const char *fmt, ...)
    __attribute__((format(printf, 1, 2))); /* the one number that it gives; NULL reads as 0 */

/* `convkeep sync schema --apply`, then store and syncd. */
void pg_ring(void);
void pg_schema(void);

/* mirror_same of mirror_postgres. */
void pg_same(int ms);

#endif

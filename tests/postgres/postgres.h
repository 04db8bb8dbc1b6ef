/* Debian's PostgreSQL beside a ring in the test's folder: start it, ask it, kill it, stand between, compare. */
#ifndef TESTS_POSTGRES_POSTGRES_H
#define TESTS_POSTGRES_POSTGRES_H

#include "tests/harness/base.h"
#include "tests/harness/database.h"
#include "tests/harness/ring.h"
#include "tests/harness/talk.h"

#define PG_PASSWORD "secret-of-the-tests"

/* Makes a cluster (user `ring` with that password, database `mirror`), starts it on 127.0.0.1 at a port that was free, and points the settings there
 * (sync.sink postgres, a short sync.backoff_max). As root the server runs as the user `postgres`. */
void pg_start(void);
void pg_kill(void);  /* kill -9 of the postmaster; waits for the end of its backends */
void pg_again(void); /* the same port, the same cluster */
void pg_stop(void);  /* the ring too */

/* Stands a faultproxy between from now on, and says one of its commands to it, "reset-after 1". To be called before syncd starts. */
void pg_proxy(void);
void pg_proxy_say(const char *command);

/* As the superuser, in the database `mirror`; fails unless it succeeds. */
void pg_sql(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int64_t pg_int(const char *fmt, ...) __attribute__((format(printf, 1, 2))); /* the one number that it gives; NULL reads as 0 */

/* `convkeep sync schema --apply`, then store and syncd. */
void pg_ring(void);
void pg_schema(void);

/* Writes conversations first … first+n-1 with everything that belongs to them, a changeset each: rows in all six tables. variant changes what they say. */
#define PG_ROWS_EACH 8
void pg_write(struct t_producer *p, int first, int n, int variant);

/* Waits until the store's cursor of the mirror is at the head. */
void pg_settle(int ms);
/* pg_settle, and then every row and column of the six tables is the same there. */
void pg_same(int ms);
/* Of the first syncd, copied into a static buffer. */
const char *pg_last_error(void);
const char *pg_state(void);
int64_t pg_reported(const char *member); /* a number that it reports, once a second: "info.rows" */
void pg_none_dead(void);

#endif

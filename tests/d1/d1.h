/* The D1 peer (tests/d1/peer) beside a ring in the test's folder: starting, asking, killing, and
 * comparing it. */
#ifndef TESTS_D1_D1_H
#define TESTS_D1_D1_H

#include "tests/mirror/mirror.h"

extern const struct mirror mirror_d1;

/* Starts the peer on a port of its own and sets the settings for it (sync.sinks d1, a short
 * sync.backoff_max, no d1.rate). */
void d1_start(void);
void d1_kill(void);  /* kill -9; its databases remain */
void d1_again(void); /* starts it again: same port, same databases */
void d1_stop(void);

/* Puts a faultproxy (mirror_proxy_say) before it. Call it before syncd starts. */
void d1_proxy(void);
/* Runs SQL without parameters; returns the answer's `result`. Fails the test unless it succeeds.
 * The caller decrefs. */
json_t *d1_sql(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int64_t d1_int(const char *sql); /* the one number that it gives */
/* What `convkeep sync schema` prints. */
void d1_schema(void);
/* Runs what `convkeep sync schema --old` prints. */
void d1_bring_up(void);

/* Makes the predecessor's tables with rows: an old state of message m1-0 and of conversation c1,
 * link l-old, which has r2, and a message `other` and a conversation `c-old` that are never written
 * again. */
void d1_predecessor(void);

/* The peer's control endpoints; body is JSON with ' for ", NULL for GET. The caller decrefs. */
json_t *d1_control(const char *path, const char *body);
void d1_fault(const char *faults); /* adds one, or a list */
int64_t d1_stat(const char *name); /* requests, rows_written, faults_left, … */

/* Starts store and syncd, after printing the schema and running it in D1. */
void d1_ring(void);

/* mirror_same of mirror_d1. */
void d1_same(int ms);

#endif

/* Redis Streams that sync every write, on the working directory: what is durable beside the spool.
 */
#ifndef BENCH_REDIS_H
#define BENCH_REDIS_H

#include <stdbool.h>
#include <stddef.h>

/* Whether Redis is installed (redis-tools). */
bool bench_redis_there(void);

/* How its clients are connected. */
enum bench_redis_by { BENCH_REDIS_UNIX, BENCH_REDIS_TCP };

/* XADD of BENCH_TEXT bytes with appendfsync always, by redis-benchmark, in a data folder of its
 * own. clients: connections; pipeline: requests in flight on each of them. Returns requests a
 * second. */
double bench_redis(enum bench_redis_by by, size_t requests, unsigned clients, unsigned pipeline);

#endif

/* A web server in a thread of this process, which answers each POST with 200 and notes when it
 * came. One thread, one epoll: it is much faster than what is measured with it. */
#ifndef BENCH_RECEIVER_H
#define BENCH_RECEIVER_H

#include <stddef.h>
#include <stdint.h>

struct bench_receiver;

/* most: requests that are noted; more fail. */
struct bench_receiver *bench_receiver_start(size_t most);
void bench_receiver_stop(struct bench_receiver **r);
int bench_receiver_port(const struct bench_receiver *r);
/* How many have come. */
size_t bench_receiver_count(const struct bench_receiver *r);
/* When the nth one came whole, ck_now_us(), and the number after its question mark. */
int64_t bench_receiver_at(const struct bench_receiver *r, size_t n, size_t *number);
/* Forgets those that have come. */
void bench_receiver_clear(struct bench_receiver *r);

#endif

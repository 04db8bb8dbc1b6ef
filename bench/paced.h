/* The store below its limit: the latency of single messages compared with the disk's own, and of a
 * fixed rate of messages. */
#ifndef BENCH_PACED_H
#define BENCH_PACED_H

#include <stdint.h>

/* Prints its section of the report. */
void bench_paced(uint64_t seed);

#endif

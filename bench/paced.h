/* The store when it is not pressed: one message alone beside what the disk itself takes, and as
 * many a second as are offered. */
#ifndef BENCH_PACED_H
#define BENCH_PACED_H

#include <stdint.h>

/* Prints its section of the report. */
void bench_paced(uint64_t seed);

#endif

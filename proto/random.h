/* Random numbers for waits and schedules (SplitMix64): any seed will do, and the same seed gives
 * the same sequence. Not for secrets; for those there is ck_random_id (text.h). */
#ifndef CK_PROTO_RANDOM_H
#define CK_PROTO_RANDOM_H

#include <stdint.h>

struct ck_random {
  uint64_t state; /* set it to the seed */
};

/* The next number, any of 2^64. */
uint64_t ck_random_next(struct ck_random *r);

/* A number from 0 to most, both included; 0 when most is negative. */
int64_t ck_random_upto(struct ck_random *r, int64_t most);

#endif

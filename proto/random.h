/* Chance for waits and schedules: a generator of one number (SplitMix64) that takes any seed and
 * gives the same sequence for the same seed. It is no secret; ck_random_id (text.h) is.
 */
#ifndef CK_PROTO_RANDOM_H
#define CK_PROTO_RANDOM_H

#include <stdint.h>

struct ck_random {
  uint64_t state; /* the seed, at first */
};

uint64_t ck_random_next(struct ck_random *r);

/* A number from 0 to most, both included; 0 where most is negative. */
int64_t ck_random_upto(struct ck_random *r, int64_t most);

#endif

/* SplitMix64, by Sebastiano Vigna. */
#include "proto/random.h"

uint64_t ck_random_next(struct ck_random *r) {
  uint64_t z = (r->state += UINT64_C(0x9e3779b97f4a7c15));
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}

int64_t ck_random_upto(struct ck_random *r, int64_t most) {
  return most <= 0 ? 0 : (int64_t)(ck_random_next(r) % ((uint64_t)most + 1));
}

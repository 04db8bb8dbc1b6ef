/* A bucket for each name; a name that has rested gives its place to another one. */
#include "webd/guard/guard.h"

#include <stdlib.h>

#define BUCKETS 1024

struct bucket {
  uint64_t name; /* its hash */
  int64_t at;    /* boot: when `left` was right */
  double left;
};

struct web_rate {
  unsigned most;
  struct bucket buckets[BUCKETS];
};

struct web_rate *web_rate_new(unsigned most) {
  struct web_rate *r = ck_zalloc(sizeof *r);
  r->most = most;
  return r;
}

void web_rate_free(struct web_rate **r) {
  free(*r);
  *r = NULL;
}

/* The name's bucket, or the one of its place that has rested longest. */
static struct bucket *bucket_of(struct web_rate *r, uint64_t name) {
  enum { PLACES = 8 };
  struct bucket *first = &r->buckets[name % (BUCKETS / PLACES) * PLACES], *oldest = first;
  for (struct bucket *b = first; b < first + PLACES; ++b) {
    if (b->name == name) return b;
    if (b->at < oldest->at) oldest = b;
  }
  *oldest = (struct bucket){.name = name, .at = 0, .left = r->most};
  return oldest;
}

bool web_rate_take(struct web_rate *r, struct ck_str name, int64_t boot_ms) {
  if (r->most == 0) return true;
  struct bucket *b = bucket_of(r, ck_hash_64(&name, 1));
  double more = (double)(boot_ms - b->at) * r->most / 1000;
  b->left = b->left + more > r->most ? r->most : b->left + more;
  b->at = boot_ms;
  if (b->left < 1) return false;
  b->left -= 1;
  return true;
}

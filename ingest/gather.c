/* See gather.h. */
#include "ingest/gather.h"

#include <stdbool.h>

static int64_t earlier(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t later(int64_t a, int64_t b) { return a > b ? a : b; }

/* Each takes its share of a second. What is taken ahead of the clock is pressing. */
static void come(struct ingest_gather *g, uint64_t n, int64_t now) {
  int64_t from = later(g->pressed_until, (now - INGEST_GATHER_BURST) * 1000),
          most = (now + INGEST_GATHER_BURST) * 1000,
          took = n < INGEST_GATHER_RATE ? (int64_t)n * 1000000 / INGEST_GATHER_RATE : 1000000;
  g->pressed_until = earlier(from + took, most);
}

uint64_t ingest_gather_upto(struct ingest_gather *g, uint64_t durable, int64_t now) {
  if (durable > g->seen) {
    come(g, durable - g->seen, now);
    if (g->gone == g->seen) g->first_at = now;
    g->last_at = now;
    g->seen = durable;
  }
  bool waits = g->seen > g->gone && g->seen - g->gone < INGEST_GATHER_GROUP &&
               now < ingest_gather_until(g) && now * 1000 < g->pressed_until;
  if (!waits) g->gone = g->seen;
  return g->gone;
}

int64_t ingest_gather_until(const struct ingest_gather *g) {
  if (g->gone == g->seen) return INT64_MAX;
  return earlier(g->first_at + INGEST_GATHER_MS, g->last_at + INGEST_GATHER_QUIET);
}

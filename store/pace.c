/* See pace.h. */
#include "store/pace.h"

static int64_t earlier(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t later(int64_t a, int64_t b) { return a > b ? a : b; }

/* Each record takes its share of a second. What is taken ahead of the clock is pressing. */
void pace_commit(struct pace *pace, size_t records, int64_t now) {
  int64_t from = later(atomic_load(&pace->pressed_until), (now - PACE_BURST) * 1000),
          took = (int64_t)records * 1000000 / PACE_RECORDS;
  atomic_store(&pace->pressed_until, earlier(from + took, (now + PACE_BURST) * 1000));
}

int64_t pace_next(const struct pace *pace, int64_t began) {
  return earlier(atomic_load(&pace->pressed_until) / 1000, began + PACE_APART);
}

bool pace_enough(const struct pace *pace, int64_t began, int64_t now) {
  return now - began >= PACE_PIECE && now < atomic_load(&pace->pressed_until) / 1000;
}

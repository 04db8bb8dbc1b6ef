/* How long requests took, by route. */
#include "webd/http/internal.h"

#include "proto/clock.h"

const int64_t web_times_us[WEB_TIMES] = {500,   1000,   2500,   5000,    10000,   25000,
                                         50000, 100000, 250000, 1000000, 5000000, 30000000};

static struct web_time *time_of(struct web_http *h, const struct web_route *route) {
  for (size_t i = 0; i < h->times_n; ++i)
    if (h->times[i].route == route) return &h->times[i];
  h->times = ck_realloc(h->times, (h->times_n + 1) * sizeof *h->times);
  h->times[h->times_n] = (struct web_time){.route = route};
  return &h->times[h->times_n++];
}

/* One that was refused before it had a route is none's. */
void web_time_note(struct web_http *h, const struct web_request *r) {
  if (!r->route) return;
  struct web_time *t = time_of(h, r->route);
  int64_t us = ck_mono_us() - r->begun;
  for (int i = 0; i < WEB_TIMES; ++i) {
    if (us > web_times_us[i]) continue;
    ++t->within[i];
    break;
  }
  ++t->count;
  t->us += (uint64_t)us;
}

const struct web_time *web_http_times(const struct web_http *h, size_t *n) {
  *n = h->times_n;
  return h->times;
}

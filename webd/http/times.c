/* How long requests took, by route. */
#include "webd/http/internal.h"

#include "proto/clock.h"

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
  ck_histogram_note(&time_of(h, r->route)->took, ck_mono_us() - r->begun);
}

const struct web_time *web_http_times(const struct web_http *h, size_t *n) {
  *n = h->times_n;
  return h->times;
}

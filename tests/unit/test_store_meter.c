/* The meter never allows more requests than Cloudflare does, and always enough to mirror at the
 * promised pace. Also: which worker is served next. */
#include "store/mirror/meter.h"

#include "store/mirror/demand.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOUR (60 * 60 * 1000)
#define RATE 1050
#define CLOUDFLARE 1200

/* ---- Cloudflare's rule, in its strictest reading: no window of 5 minutes may see more ---- */

struct window {
  int64_t *at;
  size_t n, from;
  size_t most;
};

static void arrives(struct window *w, int64_t at) {
  if (w->n % 4096 == 0) w->at = realloc(w->at, (w->n + 4096) * sizeof *w->at);
  w->at[w->n++] = at;
}

static int ascending(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

static size_t fullest(struct window *w) {
  if (w->n) qsort(w->at, w->n, sizeof *w->at, ascending);
  for (size_t i = 0; i < w->n; ++i) {
    while (w->at[w->from] <= w->at[i] - METER_WINDOW_MS) ++w->from;
    if (i - w->from + 1 > w->most) w->most = i - w->from + 1;
  }
  free(w->at);
  return w->most;
}

static uint64_t dice = 88172645463325252u;
static int64_t below(int64_t n) {
  dice ^= dice << 13, dice ^= dice >> 7, dice ^= dice << 17;
  return (int64_t)(dice % (uint64_t)n);
}

/* Workers always want more batches, and now and then tokens too. Each request is sent at a random
 * time within its validity. */
Test(meter, an_hour_of_backlog_is_never_too_much_and_3_5_a_second) {
  struct meter *m = meter_new(RATE, 0);
  struct window w = {0};
  size_t batches = 0;
  for (int64_t now = 0; now < HOUR; now += 10) {
    while (meter_batch(m, now)) {
      ++batches;
      arrives(&w, now + below(below(20) ? 500 : CK_TOKEN_MS));
    }
    unsigned more = below(2000) == 0 ? meter_tokens(m, 30, now) : 0;
    for (unsigned i = 0; i < more; ++i) arrives(&w, now + below(CK_TOKEN_MS));
  }
  size_t all = w.n, most = fullest(&w);
  cr_expect_leq(most, CLOUDFLARE, "%zu requests in 5 minutes", most);
  /* Less what fills the reserve at the start. */
  cr_expect_geq((double)(all + RATE / 12 / 4 + 1) / (HOUR / 1000), 3.5, "%zu requests in the hour",
                all);
  cr_expect_geq((double)batches, 2.0 * HOUR / 1000);
  meter_free(&m);
}

Test(meter, what_a_quiet_time_saves_up_is_not_too_much) {
  struct meter *m = meter_new(RATE, 0);
  struct window w = {0};
  for (int64_t now = 0; now < HOUR; now += 10) {
    bool quiet = now / 90000 % 3 == 0;
    if (!quiet)
      for (unsigned n = meter_tokens(m, 100, now); n; --n) arrives(&w, now + below(CK_TOKEN_MS));
  }
  size_t most = fullest(&w);
  cr_expect_leq(most, CLOUDFLARE, "%zu requests in 5 minutes", most);
  meter_free(&m);
}

/* Nothing is remembered across a restart, and nothing needs to be, whether the store is killed
 * every second or at random moments, with pauses in between. */
Test(meter, a_store_that_restarts_all_the_time_does_not_send_too_much_and_goes_on) {
  static const int64_t lives[] = {1000, 50, 300, 5000, 20000, 100000, 0};
  for (size_t k = 0; k < sizeof lives / sizeof *lives; ++k) {
    struct meter *m = meter_new(RATE, 0);
    struct window w = {0};
    int64_t dies = lives[k] ? lives[k] : below(90000), rests = 0;
    for (int64_t now = 0; now < HOUR; now += 5) {
      if (now >= dies) {
        meter_free(&m);
        m = meter_new(RATE, now);
        dies = now + (lives[k] ? lives[k] : below(90000));
        if (!lives[k] && below(4) == 0) rests = now + below(60000);
      }
      if (now < rests) continue;
      while (meter_batch(m, now)) arrives(&w, now + below(CK_TOKEN_MS));
      for (unsigned n = below(100) == 0 ? meter_tokens(m, 30, now) : 0; n; --n)
        arrives(&w, now + below(CK_TOKEN_MS));
    }
    size_t all = w.n, most = fullest(&w);
    cr_expect_leq(most, CLOUDFLARE, "a life of %lld ms: %zu requests in 5 minutes",
                  (long long)lives[k], most);
    if (lives[k] >= 1000)
      cr_expect_geq((double)all / (HOUR / 1000), 1.5, "a life of %lld ms: %zu requests in an hour",
                    (long long)lives[k], all);
    meter_free(&m);
  }
}

/* While the reserve grows and after that: at the time that meter_batch_at says, and no more than
 * 3 ms earlier. */
Test(meter, a_batch_can_be_had_at_the_announced_time) {
  struct meter *m = meter_new(RATE, 1000);
  int64_t first = meter_batch_at(m, 1000);
  cr_expect(first > 1000 && first < 1600, "the first one after %lld ms", (long long)(first - 1000));
  for (int64_t now = 1000, n = 0; n < 300; ++n) {
    int64_t at = meter_batch_at(m, now);
    if (at > now + 3)
      cr_assert_not(meter_batch(m, at - 3), "batch %lld, before %lld", (long long)n, (long long)at);
    cr_assert(meter_batch(m, at), "batch %lld, at %lld", (long long)n, (long long)at);
    now = at + below(700);
  }
  meter_free(&m);
}

/* A single change after a rest goes at once; a record that changes again and again is sent a few
 * times. */
Test(meter, a_burst_is_spread) {
  struct meter *m = meter_new(RATE, 0);
  int64_t now = 60000;
  cr_expect_eq(meter_batch_at(m, now), now);
  int sent = 0;
  for (; now < 60250; ++now) sent += meter_batch(m, now);
  cr_expect(sent >= 3 && sent <= 6, "%d batches in 250 ms", sent);
  for (; now < 61250; ++now) sent += meter_batch(m, now);
  cr_expect(sent >= 10 && sent <= 17, "%d batches in 1,250 ms", sent);
  meter_free(&m);
}

/* However long a backlog has been drained, retries and split batches need not wait for it. */
Test(meter, a_reserve_is_kept_from_batches) {
  struct meter *m = meter_new(RATE, 0);
  int64_t now = 0;
  for (; now < 600000; now += 5) meter_batch(m, now);
  meter_batch(m, now);
  cr_expect_geq(meter_tokens(m, 21, now), 21, "one bad row in a thousand is found at once");
  cr_expect_gt(meter_batch_at(m, now), now);
  cr_expect_eq(meter_tokens(m, 1000, now) + 21 <= RATE / 12 / 4 + 2, true);
  cr_expect_gt(meter_token_at(m, now), now);
  cr_expect_leq(meter_token_at(m, now), now + 300);
  meter_free(&m);
}

/* After the reserve has been used, batches do not wait until it is full again. */
Test(meter, a_used_reserve_delays_no_batch) {
  struct meter *m = meter_new(RATE, 0);
  int64_t now = 0, last = 0, longest = 0;
  for (; now < 600000; now += 5) meter_batch(m, now);
  cr_expect_geq(meter_tokens(m, 21, now), 21);
  last = now;
  for (int64_t until = now + 60000; now < until; now += 5) {
    if (!meter_batch(m, now)) continue;
    if (now - last > longest) longest = now - last;
    last = now;
  }
  cr_expect_leq(longest, 500, "no batch for %lld ms", (long long)longest);
  cr_expect_geq(meter_tokens(m, 21, now), 21, "the reserve is full again");
  meter_free(&m);
}

Test(meter, a_pause_stops_everything) {
  struct meter *m = meter_new(RATE, 0);
  struct meter_view v;
  meter_pause(m, 5000, 1000);
  meter_pause(m, 10, 1000);
  cr_expect_not(meter_batch(m, 5999));
  cr_expect_eq(meter_tokens(m, 5, 5999), 0);
  cr_expect_eq(meter_batch_at(m, 5000), 6000);
  meter_read(m, 2000, &v);
  cr_expect(v.pause == 4000 && v.left == 0);
  cr_expect(meter_batch(m, 6000));
  meter_read(m, 6000, &v);
  cr_expect(v.rate == RATE && v.used == 1 && v.left > 10 && v.pause == 0);
  meter_read(m, 6000 + METER_WINDOW_MS + 5000, &v);
  cr_expect_eq(v.used, 0);
  meter_free(&m);
}

Test(meter, without_a_rate_nothing_is_counted) {
  struct meter *m = meter_new(0, 0);
  struct meter_view v;
  for (int i = 0; i < 100000; ++i) cr_assert(meter_batch(m, 0));
  cr_expect_eq(meter_tokens(m, 1000000, 0), 1000000);
  cr_expect_eq(meter_token_at(m, 7), 7);
  meter_read(m, 0, &v);
  cr_expect(v.rate == 0 && v.left == 0);
  meter_free(&m);
}

/* ---- which worker is served next ---- */

static struct demand *says(struct demands *w, const char *who, uint64_t batches, uint64_t tokens,
                           int64_t now) {
  struct ck_demand said = {
      .request = 1, .worker = ck_str_of(who), .batches = batches, .tokens = tokens};
  return demands_take(w, ck_str_of(who), &said, now);
}

Test(demands, workers_take_turns_and_silent_ones_get_nothing) {
  struct demands w = {0};
  says(&w, "a", 2, 0, 0);
  says(&w, "b", 2, 0, 0);
  says(&w, "c", 0, 3, 0);
  struct demand *one = demands_batch(&w, 0);
  cr_assert(one);
  demands_served(&w, one);
  struct demand *other = demands_batch(&w, 0);
  cr_expect(other && other != one && strcmp(other->worker, "c") != 0);
  demands_served(&w, other);
  cr_expect_eq(demands_batch(&w, 0), one);
  cr_expect_str_eq(demands_tokens(&w, 0)->worker, "c");
  cr_expect_null(demands_probe(&w, 0));
  /* The others have been silent too long: nothing is sent to them. */
  says(&w, "b", 1, 0, CK_DEMAND_MS);
  for (int i = 0; i < 3; ++i) cr_expect_str_eq(demands_batch(&w, CK_DEMAND_MS + 1)->worker, "b");
  says(&w, "b", 0, 0, CK_DEMAND_MS + 1);
  cr_expect_null(demands_batch(&w, CK_DEMAND_MS + 1), "a DEMAND replaces the one before");
  cr_expect_eq(w.n, 3);
  demands_forget(&w, demands_tokens(&w, 0));
  cr_expect_eq(w.n, 2);
  demands_free(&w);
}

Test(demands, a_flood_of_names_pushes_out_the_silent_ones) {
  struct demands w = {0};
  char name[300];
  says(&w, "steady", 1, 0, 5000);
  for (int i = 0; i < 1000; ++i) {
    snprintf(name, sizeof name, "w%d", i);
    says(&w, name, 1, 0, i);
  }
  cr_expect_eq(w.n, DEMANDS_MAX);
  cr_expect_str_eq(demands_batch(&w, 5000 + CK_DEMAND_MS)->worker, "steady");
  memset(name, 'x', sizeof name - 1);
  name[sizeof name - 1] = '\0';
  cr_expect_null(says(&w, name, 1, 0, 0));
  cr_expect_null(says(&w, "", 1, 0, 0));
  demands_free(&w);
}

/* How soon messages that come steadily are in the index; and what the writers of a store lose by
 * it, beside a store in which it cannot be made because a folder has its name. */
#include "bench/search_live.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/common.h"
#include "bench/observation.h"
#include "bench/producer.h"
#include "proto/clock.h"
#include "store/format/migrations.h"
#include "store/search/index.h"
#include "store/search/indexer.h"

#define STEADY 2000 /* messages */
#define STEADY_US 5000
#define PUSHED 30000 /* changesets */
#define IN_FLIGHT 256
#define CACHE_MIB 64

/* ---- steadily ---- */

struct steady {
  struct context context;
  int64_t put_at[STEADY]; /* ck_mono_us */
  uint64_t put, found;
  struct bench_series behind_ms;
};

static void look(struct steady *s) {
  uint64_t cursor = atomic_load(&s->context.search_cursor);
  for (int64_t now = ck_mono_us(); s->found < cursor && s->found < s->put; ++s->found)
    bench_add(&s->behind_ms, (double)(now - s->put_at[s->found]) / 1000);
}

static void put_steadily(struct steady *s, sqlite3 *db, search_live_put *put) {
  int64_t began = ck_mono_us();
  while (s->put < STEADY) {
    for (; ck_mono_us() < began + (int64_t)s->put * STEADY_US; usleep(500)) look(s);
    s->put_at[s->put] = ck_mono_us();
    put(db, (int64_t)++s->put);
    atomic_store(&s->context.head, s->put);
    context_wake(&s->context);
  }
  for (; s->found < STEADY; usleep(500)) look(s);
}

static void steady(search_live_put *put) {
  static struct steady s;
  struct ck_err err;
  sqlite3 *db;
  bench_enter("search_live");
  memset(s.context.store_id, 'a', 32);
  if (db_open_writer(&db, store_migrations, CACHE_MIB, &err) || context_open(&s.context, &err))
    bench_fail("%s", err.text);
  struct indexer *x = indexer_start(&s.context, &err);
  if (!x) bench_fail("%s", err.text);
  put_steadily(&s, db, put);
  atomic_store(&s.context.stop, true);
  context_wake(&s.context);
  indexer_stop(&x);
  db_close(&db);
  double most = bench_share(&s.behind_ms, 1);
  printf("| 200 messages a second, found after, at most, ms | %.0f; %s |\n", most,
         bench_verdict("search: the delay at 200 messages a second, at most", most, false, 1000,
                       " ms"));
  printf("| … median, ms | %s |\n", bench_number(bench_share(&s.behind_ms, 0.5), 0));
  bench_free(&s.behind_ms);
  bench_leave();
}

/* ---- writers ---- */

/* Changesets a second that a store takes. */
static double push(bool searched, uint64_t seed) {
  struct bench_load load = bench_load_make(PUSHED, seed);
  struct bench_pushed pushed;
  bench_enter("search_live");
  if (!searched && mkdir(SEARCH_FILE, 0700)) bench_fail(SEARCH_FILE);
  pid_t store = bench_daemon("store");
  bench_push(&load, &(struct bench_pace){.in_flight = IN_FLIGHT}, &pushed);
  bench_stop(&store);
  if (!searched && rmdir(SEARCH_FILE)) bench_fail("the index was made");
  bench_leave();
  bench_free(&pushed.latency_ms);
  bench_load_free(&load);
  return pushed.rate;
}

static void writers(void) {
  struct bench_series with = {0}, without = {0};
  for (int round = 0; round < bench_rounds(); ++round) {
    bench_add(&with, push(true, 1000 + (uint64_t)round));
    bench_add(&without, push(false, 2000 + (uint64_t)round));
  }
  double share = bench_share(&with, 0.5) / bench_share(&without, 0.5);
  printf("| changesets a second, %d in flight, of a store without the search | %.2f; %s |\n",
         IN_FLIGHT, share,
         bench_verdict("search: changesets a second, of a store without it", share, true, 0.9, ""));
  bench_free(&with);
  bench_free(&without);
}

void search_live(search_live_put *put) {
  steady(put);
  writers();
}

/* Several workers on one door: none loses anything, none writes old versions. */
#include "tests/mirror/stories.h"

#define WORKERS_MAX 12

/* Some of the workers are zombies: stopped (SIGSTOP), mostly for a moment, now and then for longer
 * than their lease; then they continue with what they had. */
struct zombies {
  struct t_process **worker;
  int n;
  bool many;                     /* the long run: more are stopped for long */
  int64_t awake_at[WORKERS_MAX]; /* boot; 0: it runs */
  int stops, late;               /* late: for longer than a lease */
};

static void stop_or_wake(struct zombies *z) {
  for (int i = 0; i < z->n; ++i) {
    int64_t now = ck_boot_ms();
    if (z->awake_at[i] && now >= z->awake_at[i]) {
      t_signal(z->worker[i], SIGCONT);
      z->awake_at[i] = 0;
    } else if (!z->awake_at[i]) {
      bool long_one = (i == 0 && z->late == 0) || (z->many && t_random_below(12) == 0);
      t_signal(z->worker[i], SIGSTOP);
      z->awake_at[i] = now + (long_one ? 11000 : (int64_t)t_random_below(300));
      ++z->stops;
      z->late += long_one;
    }
  }
}

static void wake_all(struct zombies *z) {
  for (int i = 0; i < z->n; ++i) {
    while (ck_boot_ms() < z->awake_at[i]) t_pause(10);
    t_signal(z->worker[i], SIGCONT);
  }
}

void story_zombies_change_nothing_and_nothing_is_lost(const struct mirror *m) {
  struct t_process *w[WORKERS_MAX];
  const bool many = t_long();
  const int lot = 50, rounds = many ? 2500 : 50, n = many ? 12 : 5;
  struct zombies zombies = {.worker = w, .n = many ? 4 : 2, .many = many};
  mirror_start(m);
  mirror_schema(m);
  m->watch();
  t_set("sync.batch", "30000");
  t_daemon("store", NULL);
  mirror_workers(w, n);
  struct t_producer *p = t_producer("test");
  for (int round = 0; round < rounds; ++round) {
    mirror_write_together(p, (int)t_random_below(10) * lot, lot, round);
    stop_or_wake(&zombies);
    if (!many) t_pause(20);
  }
  wake_all(&zombies);
  mirror_same(m, many ? 600000 : 40000);
  t_pause(500);
  mirror_same(m, 20000);
  int64_t stale = m->number("SELECT count(*) AS n FROM stale");
  t_note("%d changes, %d workers, %d of them zombies: stopped %d times, %d of them longer than a "
         "lease; %lld stale writes",
         rounds * lot * MIRROR_ROWS_EACH, n, zombies.n, zombies.stops, zombies.late,
         (long long)stale);
  T_CHECK(stale == 0, "%lld writes were of an older version", (long long)stale);
  mirror_none_dead();
  mirror_end_workers(w, n);
  mirror_stop(m);
}

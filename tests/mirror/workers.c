/* Several workers on one door: none loses anything, none writes old versions. */
#include "tests/mirror/stories.h"

#define WORKERS_MAX 12

/* A zombie is stopped (SIGSTOP), mostly for a moment, now and then for longer than its lease, and
 * then continues with what it had. */
void story_zombies_change_nothing_and_nothing_is_lost(const struct mirror *m) {
  struct t_process *w[WORKERS_MAX];
  int64_t awake_at[WORKERS_MAX] = {0};
  const bool many = t_long();
  const int lot = 50, rounds = many ? 2500 : 50;
  const int n = many ? 12 : 5, zombies = many ? 4 : 2;
  int stops = 0, late = 0;
  mirror_start(m);
  mirror_schema(m);
  m->watch();
  t_set("sync.batch", "30000");
  t_daemon("store", NULL);
  mirror_workers(w, n);
  struct t_producer *p = t_producer("test");
  for (int round = 0; round < rounds; ++round) {
    mirror_write_together(p, (int)t_random_below(10) * lot, lot, round);
    for (int z = 0; z < zombies; ++z) {
      int64_t now = ck_boot_ms();
      if (awake_at[z] && now >= awake_at[z]) {
        t_signal(w[z], SIGCONT);
        awake_at[z] = 0;
      } else if (!awake_at[z]) {
        bool long_one = (z == 0 && late == 0) || (many && t_random_below(12) == 0);
        t_signal(w[z], SIGSTOP);
        awake_at[z] = now + (long_one ? 11000 : (int64_t)t_random_below(300));
        ++stops;
        late += long_one;
      }
    }
    if (!many) t_pause(20);
  }
  for (int z = 0; z < zombies; ++z) {
    while (ck_boot_ms() < awake_at[z]) t_pause(10);
    t_signal(w[z], SIGCONT);
  }
  mirror_same(m, many ? 600000 : 40000);
  t_pause(500);
  mirror_same(m, 1000);
  int64_t stale = m->number("SELECT count(*) AS n FROM stale");
  t_note("%d changes, %d workers, %d of them zombies: stopped %d times, %d of them longer than a "
         "lease; %lld stale writes",
         rounds * lot * MIRROR_ROWS_EACH, n, zombies, stops, late, (long long)stale);
  T_CHECK(stale == 0, "%lld writes were of an older version", (long long)stale);
  mirror_none_dead();
  mirror_end_workers(w, n);
  mirror_stop(m);
}

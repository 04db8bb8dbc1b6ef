/* sync backfill: an empty or old mirror is filled, and changes meanwhile do not wait for it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/mirror/stories.h"

static int64_t backlog(void) { return t_status_int(t_sync("backlog"), -1); }

/* Milliseconds from a changeset's receipt until the mirror has it. */
static int64_t lag_of(const struct mirror *m, struct t_producer *p, int i) {
  char sql[128];
  mirror_write(p, 100000 + i, 1, i);
  int64_t began = ck_boot_ms();
  snprintf(sql, sizeof sql, "SELECT count(*) AS n FROM renewal_jobs WHERE job_id = 'j%d'",
           100000 + i);
  T_UNTIL(20000, m->number(sql) == 1, "a change does not come to the mirror while it is filled");
  return ck_boot_ms() - began;
}

/* Writes changes while the backfill runs; returns the longest delay of one. */
static int64_t live_until(const struct mirror *m, struct t_producer *p, int *i, int64_t left) {
  int64_t most = 0;
  while (backlog() > left) {
    int64_t lag = lag_of(m, p, ++*i);
    if (lag > most) most = lag;
    t_pause(20);
  }
  return most;
}

/* A database with a history, and an empty mirror that the store believes to be full. */
static void forget_the_mirror(const struct mirror *m, struct t_producer *p) {
  mirror_write(p, 1, t_long() ? 8000 : 700, 0);
  mirror_settle(60000);
  m->sql("DELETE FROM executions; DELETE FROM sessions; DELETE FROM renewal_jobs; DELETE FROM "
         "conversation_links; DELETE FROM local_conversations; DELETE FROM messages");
}

/* Command, worker and store are killed, and the store starts again with what was left to do. */
static void kill_all(struct t_process *fill, struct t_process *syncd, struct t_process *store,
                     int64_t total) {
  t_signal(fill, SIGKILL);
  t_wait_end(fill, 20000);
  T_UNTIL(10000, t_status_int(t_sync("cursor"), -1) > 0, "the cursor does not move");
  t_signal(syncd, SIGKILL);
  t_signal(store, SIGKILL);
  t_wait_end(syncd, 20000);
  t_wait_end(store, 20000);
  t_ring_forget();
  t_daemon("store", NULL);
  int64_t left = backlog();
  T_CHECK(left > 0 && left < total, "%lld of %lld versions are left after a restart",
          (long long)left, (long long)total);
}

/* Each batch takes 100 ms longer, so that the backfill lasts; after a kill it continues where it
 * was. */
void story_an_empty_mirror_is_filled_and_live_changes_do_not_wait(const struct mirror *m) {
  mirror_start(m);
  t_set("sync.batch", "100000");
  mirror_schema(m);
  struct t_process *store = t_daemon("store", NULL), *syncd = t_daemon("syncd", NULL);
  struct t_producer *p = t_producer("test");
  forget_the_mirror(m, p);
  int64_t total = t_status_int("version", -1), written = m->written();
  m->slow(100);
  struct t_process *fill = mirror_task("backfill", NULL);
  T_UNTIL(20000, backlog() > 0, "it does not begin");
  int i = 0;
  int64_t most = live_until(m, p, &i, total / 2);
  kill_all(fill, syncd, store, total);
  t_daemon("syncd", NULL);
  p = t_producer("test2");
  fill = mirror_task("backfill", NULL);
  int64_t again = live_until(m, p, &i, 0);
  m->slow(0);
  T_CHECK(t_wait_end(fill, 20000) == 0, "the second command does not wait for the end");
  t_note("%lld versions, %d changes meanwhile: the slowest was there after %lld ms",
         (long long)total, i, (long long)(again > most ? again : most));
  T_CHECK(most <= 2000 && again <= 2000, "a change took %lld ms while the mirror was filled",
          (long long)(again > most ? again : most));
  mirror_same(m, 20000);
  t_settle(20000); /* the readable files too: the store was killed while it wrote them */
  written = m->written() - written;
  T_CHECK(written >= total && written < 4 * (total + 8 * i), "%lld rows written for %lld versions",
          (long long)written, (long long)total);
  mirror_stop(m);
}

/* Everything is sent, and nothing is written. */
void story_where_nothing_is_missing_nothing_is_written(const struct mirror *m) {
  mirror_ring(m);
  struct t_producer *p = t_producer("test");
  mirror_write(p, 1, 100, 0);
  mirror_settle(10000);
  int64_t written = m->written ? m->written() : 0;
  json_decref(t_lines(0, "sync", "backfill"));
  T_CHECK(t_status_int(t_sync("cursor"), -1) == t_status_int("version", -2),
          "it ends before it is through");
  if (m->written)
    T_CHECK(m->written() == written, "%lld rows written where nothing was missing",
            (long long)(m->written() - written));
  mirror_same(m, 10000);
  mirror_stop(m);
}

/* Batches without rows of that table get in; the others do once it is repaired. */
void story_a_paused_table_does_not_hold_up_the_others_backfill(const struct mirror *m) {
  const int n = 150;
  mirror_start(m);
  mirror_schema(m);
  t_set("sync.batch", "10000");
  t_daemon("store", NULL);
  t_daemon("syncd", NULL);
  struct t_producer *p = t_producer("test");
  mirror_write(p, 0, n, 0);
  mirror_settle(20000);
  m->sql("ALTER TABLE sessions RENAME TO hidden");
  m->sql("DELETE FROM messages");
  m->sql("DELETE FROM renewal_jobs");
  struct t_process *fill = mirror_task("backfill", NULL);
  T_UNTIL(
      20000,
      m->number(
          "SELECT (SELECT count(*) FROM messages) + (SELECT count(*) FROM renewal_jobs) AS n") ==
          4 * n,
      "only %lld rows are there again: %s",
      (long long)m->number(
          "SELECT (SELECT count(*) FROM messages) + (SELECT count(*) FROM renewal_jobs) AS n"),
      mirror_last_error());
  T_CHECK(backlog() > 0, "nothing waits for the table");
  mirror_write(p, n, 1, 0);
  T_UNTIL(20000, m->number("SELECT count(*) AS n FROM messages") == 3 * (n + 1),
          "live changes wait for the table");
  m->sql("ALTER TABLE hidden RENAME TO sessions");
  T_CHECK(t_wait_end(fill, 30000) == 0, "the command does not wait for the end");
  mirror_same(m, 10000);
  mirror_none_dead();
  mirror_stop(m);
}

/* sync backfill: an empty or old mirror is filled, and what changes meanwhile does not wait for it. */
#include "tests/d1/d1.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct t_process *backfill(void) {
  char program[4096];
  snprintf(program, sizeof program, "%s/bin/convkeep", t_build());
  return t_start("backfill", NULL, false, (const char *[]){program, "sync", "backfill", "--json", NULL});
}

static int64_t backlog(void) { return t_status_int("sync.backlog", -1); }

/* Milliseconds from a receipt until D1 has it. */
static int64_t lag_of(struct t_producer *p, int i) {
  char sql[128];
  d1_write(p, 100000 + i, 1, i);
  int64_t began = ck_boot_ms();
  snprintf(sql, sizeof sql, "SELECT count(*) AS n FROM renewal_jobs WHERE job_id = 'j%d'", 100000 + i);
  T_UNTIL(20000, d1_int(sql) == 1, "a change does not come to D1 while it is filled");
  return ck_boot_ms() - began;
}

/* Writes what is new while the backfill goes on; returns the greatest lag. */
static int64_t live_until(struct t_producer *p, int *i, int64_t left) {
  int64_t most = 0;
  while (backlog() > left) {
    int64_t lag = lag_of(p, ++*i);
    if (lag > most) most = lag;
    t_pause(20);
  }
  return most;
}

/* A database with a history, an empty D1 that the store takes for full, as when somebody made it anew. Every request takes 100 ms longer, so that it lasts. */
T_STORY(d1_backfill, an_empty_database_is_filled_and_live_changes_do_not_wait, 120) {
  d1_start();
  t_set("sync.batch", "100000");
  d1_schema(false);
  struct t_process *store = t_daemon("store", NULL), *syncd = t_daemon("syncd", NULL);
  struct t_producer *p = t_producer("test");
  d1_write(p, 1, t_long() ? 8000 : 700, 0);
  d1_settle(60000);
  json_decref(d1_sql(
      "DROP TABLE messages; DROP TABLE executions; DROP TABLE sessions; DROP TABLE local_conversations; DROP TABLE conversation_links; DROP TABLE renewal_jobs"));
  json_decref(t_lines(0, "sync", "schema", "--apply"));
  int64_t total = t_status_int("version", -1), written = d1_stat("rows_written");
  json_decref(d1_control("settings", "{'latency_ms':100}"));
  struct t_process *fill = backfill();
  T_UNTIL(5000, backlog() > 0, "it does not begin");
  int i = 0;
  int64_t most = live_until(p, &i, total / 2);
  /* Interrupted: the command, the worker, the store. It goes on where it was. */
  t_signal(fill, SIGKILL);
  t_wait_end(fill, 5000);
  T_UNTIL(10000, t_status_int("sync.cursor", -1) > 0, "the cursor does not move");
  t_signal(syncd, SIGKILL);
  t_signal(store, SIGKILL);
  t_wait_end(syncd, 5000);
  t_wait_end(store, 5000);
  t_ring_forget();
  t_daemon("store", NULL);
  int64_t left = backlog();
  T_CHECK(left > 0 && left < total, "%lld of %lld versions are left after a restart", (long long)left, (long long)total);
  t_daemon("syncd", NULL);
  p = t_producer("test2");
  fill = backfill();
  int64_t again = live_until(p, &i, 0);
  json_decref(d1_control("settings", "{'latency_ms':0}"));
  T_CHECK(t_wait_end(fill, 20000) == 0, "the second command does not wait for the end");
  t_note("%lld versions, %d changes meanwhile: the slowest was in D1 after %lld ms", (long long)total, i, (long long)(again > most ? again : most));
  T_CHECK(most <= 2000 && again <= 2000, "a change took %lld ms while the mirror was filled", (long long)(again > most ? again : most));
  d1_same(20000);
  t_settle(20000); /* the readable files too: the store was killed while it wrote them */
  written = d1_stat("rows_written") - written;
  T_CHECK(written < 4 * (total + 8 * i), "%lld rows written for %lld versions", (long long)written, (long long)total);
  d1_stop();
}

/* Where nothing is missing, everything is sent and nothing written. */
static void filled_twice(bool d1) {
  if (d1) {
    d1_start();
    d1_ring();
  } else {
    t_daemon("store", NULL);
    t_daemon("syncd", NULL);
  }
  struct t_producer *p = t_producer("test");
  d1_write(p, 1, 100, 0);
  d1_settle(10000);
  int64_t written = d1 ? d1_stat("rows_written") : 0;
  json_decref(t_lines(0, "sync", "backfill"));
  T_CHECK(t_status_int("sync.cursor", -1) == t_status_int("version", -2), "it ends before it is through");
  if (d1) T_CHECK(d1_stat("rows_written") == written, "%lld rows written where nothing was missing", (long long)(d1_stat("rows_written") - written));
  if (d1)
    d1_same(10000);
  else
    t_check_mirror("artifact.db", "mirror.db");
  if (d1) d1_stop();
}

T_STORY(d1_backfill, where_nothing_is_missing_nothing_is_written, 60) { filled_twice(true); }
T_STORY(d1_backfill, where_nothing_is_missing_nothing_is_written_in_mirror_db, 60) { filled_twice(false); }

T_STORY(d1_backfill, the_ring_is_down_and_the_mirror_is_gone, 60) {
  t_daemon("store", NULL);
  t_daemon("syncd", NULL);
  d1_write(t_producer("test"), 1, 100, 0);
  d1_settle(10000);
  t_ring_forget();
  t_down();
  T_CHECK(remove("mirror.db") == 0, "mirror.db is not there");
  json_decref(t_lines(0, "sync", "backfill"));
  t_check_mirror("artifact.db", "mirror.db");
}
